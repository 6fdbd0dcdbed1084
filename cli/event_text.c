#include "cli/event_text.h"

#include "proto/timestamp.h"
#include <stdarg.h>
#include <stdio.h>

/* Control characters would do things to a terminal. */
static void append_clean(struct buffer *buffer, struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		bool control = text.bytes[i] < ' ' || text.bytes[i] == 0x7f;
		buffer_append_byte(buffer, control ? '?' : text.bytes[i]);
	}
}

void event_text_format(struct buffer *buffer, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	append_clean(buffer, slice_of_text(text));
}

static void append_certificate(struct buffer *buffer, const struct certificate *certificate)
{
	event_text_format(buffer, "%-5s  ", kind_name(certificate->kind));
	append_clean(buffer, certificate->edge);
	event_text_format(buffer, " %llu:%llu", (unsigned long long)certificate->run,
		(unsigned long long)certificate->seq);
}

static void append_field(
	struct buffer *buffer, const struct event *event, enum field field, const char *lead)
{
	if (event_has(event, field)) {
		event_text_format(buffer, "%s", lead);
		append_clean(buffer, event->text[field]);
	}
}

static void append_money(struct buffer *buffer, const struct event *event)
{
	char text[MONEY_TEXT_SIZE];

	if (event_has(event, FIELD_UNIT_PRICE)) {
		money_format(event->unit_price, text);
		event_text_format(buffer, " @ %s", text);
	}
	if (event->kind == KIND_ORDER) {
		money_format(event_revenue(event), text);
		event_text_format(buffer, " = %s", text);
		append_field(buffer, event, FIELD_CURRENCY, " ");
	}
}

static void append_fields(struct buffer *buffer, const struct event *event)
{
	char time[TIMESTAMP_TEXT_SIZE];

	timestamp_format(event->ts_ms, time);
	event_text_format(buffer, "  %s", time);
	append_field(buffer, event, FIELD_ACTION, "  ");
	append_field(buffer, event, FIELD_PRODUCT_ID, "  ");
	if (event_has(event, FIELD_QUANTITY)) {
		event_text_format(buffer, " x %lld", (long long)event->quantity);
	}
	append_money(buffer, event);
	append_field(buffer, event, FIELD_ORDER_ID, "  order ");
	append_field(buffer, event, FIELD_USER_ID, "  user ");
	append_field(buffer, event, FIELD_PAGE, "  page ");
}

void event_text_append(struct buffer *buffer, const struct event *event)
{
	append_certificate(buffer, &event->certificate);
	if (event->rejected != REASON_NONE) {
		event_text_format(buffer, "  rejected: %s", reason_code(event->rejected));
		return;
	}
	append_fields(buffer, event);
}

void event_text_append_letter(struct buffer *buffer, const struct dead_letter *letter)
{
	append_certificate(buffer, &letter->certificate);
	event_text_format(buffer, "  %s: ", reason_code(letter->reason));
	append_clean(buffer, letter->message);
	event_text_format(buffer, "  (%zu bytes)", letter->bytes.size);
}
