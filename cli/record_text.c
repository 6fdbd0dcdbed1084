#include "cli/record_text.h"

#include "cli/json_text.h"
#include "proto/timestamp.h"
#include "proto/writer.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 16 };

bool record_is_dead_letter(const char *topic)
{
	size_t size = strlen(topic);

	return size > 4 && strcmp(topic + size - 4, ".dlq") == 0;
}

int record_letter(const struct topic_record *record, struct dead_letter *ret_letter,
	struct complaint *complaint)
{
	struct slice values[DLQ_HEADER_COUNT] = {{NULL, 0}};

	for (size_t i = 0; i < record->header_count; i++) {
		for (int header = 0; header < DLQ_HEADER_COUNT; header++) {
			const char *name = dead_letter_header_name((enum dead_letter_header)header);
			if (strcmp(record->headers[i].name, name) == 0) {
				values[header] = record->headers[i].value;
			}
		}
	}
	return dead_letter_from_headers(values, record->value, ret_letter, complaint);
}

/* Control characters would do things to a terminal. */
static void append_clean(struct buffer *buffer, struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		bool control = text.bytes[i] < ' ' || text.bytes[i] == 0x7f;
		buffer_append_byte(buffer, control ? '?' : text.bytes[i]);
	}
}

__attribute__((format(printf, 2, 3))) static void append_format(
	struct buffer *buffer, const char *format, ...)
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
	append_format(buffer, "%-5s  ", kind_name(certificate->kind));
	append_clean(buffer, certificate->edge);
	append_format(buffer, " %llu:%llu", (unsigned long long)certificate->run,
		(unsigned long long)certificate->seq);
}

static void append_field(
	struct buffer *buffer, const struct event *event, enum field field, const char *lead)
{
	if (event_has(event, field)) {
		append_format(buffer, "%s", lead);
		append_clean(buffer, event->text[field]);
	}
}

static void append_money(struct buffer *buffer, const struct event *event)
{
	char text[MONEY_TEXT_SIZE];

	if (event_has(event, FIELD_UNIT_PRICE)) {
		money_format(event->unit_price, text);
		append_format(buffer, " @ %s", text);
	}
	if (event->kind == KIND_ORDER) {
		money_format(event_revenue(event), text);
		append_format(buffer, " = %s", text);
		append_field(buffer, event, FIELD_CURRENCY, " ");
	}
}

static void append_event(struct buffer *buffer, const struct event *event)
{
	char time[TIMESTAMP_TEXT_SIZE];

	append_certificate(buffer, &event->certificate);
	timestamp_format(event->ts_ms, time);
	append_format(buffer, "  %s", time);
	append_field(buffer, event, FIELD_ACTION, "  ");
	append_field(buffer, event, FIELD_PRODUCT_ID, "  ");
	if (event_has(event, FIELD_QUANTITY)) {
		append_format(buffer, " x %lld", (long long)event->quantity);
	}
	append_money(buffer, event);
	append_field(buffer, event, FIELD_ORDER_ID, "  order ");
	append_field(buffer, event, FIELD_USER_ID, "  user ");
	append_field(buffer, event, FIELD_PAGE, "  page ");
}

static void append_letter(struct buffer *buffer, const struct topic_record *record)
{
	struct dead_letter letter;
	struct complaint complaint;

	if (record_letter(record, &letter, &complaint) != 0) {
		append_format(buffer, "no dead letter of till: %s; %zu bytes", complaint.message,
			record->value.size);
		return;
	}
	append_certificate(buffer, &letter.certificate);
	append_format(buffer, "  %s: ", reason_code(letter.reason));
	append_clean(buffer, letter.message);
	append_format(buffer, "  (%zu bytes)", letter.bytes.size);
}

int record_text_line(struct document *document, const char *topic,
	const struct topic_record *record, struct buffer *buffer)
{
	struct event event;
	struct complaint complaint;

	append_format(
		buffer, "%s/%d@%lld  ", topic, (int)record->partition, (long long)record->offset);
	if (record_is_dead_letter(topic)) {
		append_letter(buffer, record);
		return buffer->error;
	}
	int r = event_decode(
		document, encoding_of(record->value), record->value, &event, &complaint);
	if (r < 0) {
		return r;
	}
	if (r > 0) {
		append_format(buffer, "no event of till: %s; %zu bytes", complaint.message,
			record->value.size);
	} else if (event.rejected != REASON_NONE) {
		append_certificate(buffer, &event.certificate);
		append_format(buffer, "  rejected: %s", reason_code(event.rejected));
	} else {
		append_event(buffer, &event);
	}
	return buffer->error;
}

static void write_headers(struct writer *writer, const struct topic_record *record)
{
	write_key(writer, "headers");
	write_map(writer, (uint32_t)record->header_count);
	for (size_t i = 0; i < record->header_count; i++) {
		write_key(writer, record->headers[i].name);
		write_text(writer, record->headers[i].value);
	}
}

int record_text_json(struct document *document, const char *topic,
	const struct topic_record *record, struct buffer *buffer)
{
	struct complaint complaint;
	struct writer writer;

	int r = record->value.size == 0 ? REASON_BAD_FRAME
					: document_decode(document, encoding_of(record->value),
						  record->value, DEPTH_MAX, &complaint);
	if (r < 0) {
		return r;
	}
	writer_init(&writer, ENCODING_JSON, buffer);
	write_map(&writer, record->header_count > 0 ? 7 : 6);
	write_key(&writer, "topic");
	write_key(&writer, topic);
	write_key(&writer, "partition");
	write_integer(&writer, record->partition);
	write_key(&writer, "offset");
	write_integer(&writer, record->offset);
	write_key(&writer, "timestamp_ms");
	write_integer(&writer, record->timestamp_ms);
	write_key(&writer, "key");
	write_text(&writer, record->key);
	if (record->header_count > 0) {
		write_headers(&writer, record);
	}
	write_key(&writer, r == 0 ? "event" : "value");
	if (r == 0) {
		write_node(&writer, document->nodes, document->encoding);
	} else {
		write_bin(&writer, record->value);
	}
	return buffer->error;
}
