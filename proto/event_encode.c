#include "proto/event_fields.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* JSON's readers lose what is past 2^53 to a double: such integers are text there. */
#define JSON_INTEGER_MAX (UINT64_C(1) << 53)

static void write_certificate(struct writer *writer, const struct certificate *certificate)
{
	char digits[24];

	write_key(writer, "kind");
	write_key(writer, kind_name(certificate->kind));
	write_key(writer, "edge");
	write_text(writer, certificate->edge);
	write_key(writer, "run");
	write_unsigned(writer, certificate->run);
	write_key(writer, "seq");
	if (writer->encoding == ENCODING_JSON && certificate->seq > JSON_INTEGER_MAX) {
		snprintf(digits, sizeof digits, "%" PRIu64, certificate->seq);
		write_key(writer, digits);
	} else {
		write_unsigned(writer, certificate->seq);
	}
}

static void write_amount(struct writer *writer, int64_t micros)
{
	char digits[MONEY_TEXT_SIZE];
	struct slice text = slice_of(digits, money_format(micros, digits));

	if (writer->encoding == ENCODING_JSON) {
		write_raw(writer, text); /* a number with exactly these digits */
	} else {
		write_text(writer, text);
	}
}

static void write_field(struct writer *writer, const struct event *event, enum field field)
{
	write_key(writer, field_name(field));
	switch (field_specs[field].type) {
	case TYPE_TIME:
		write_integer(writer, event->ts_ms);
		break;
	case TYPE_INTEGER:
		write_integer(writer, event->quantity);
		break;
	case TYPE_MONEY:
		write_amount(writer, event_money(event, field));
		break;
	default:
		write_text(writer, event->text[field]);
		break;
	}
}

void event_encode(const struct event *event, enum encoding encoding, struct buffer *buffer)
{
	struct writer writer;
	struct extra_field extra;
	const struct node *position = NULL;
	uint32_t field_count = (uint32_t)__builtin_popcount(event->present);

	assert(event->kind == event->certificate.kind);
	writer_init(&writer, encoding, buffer);
	write_map(&writer, CERTIFICATE_PAIRS + field_count + event->extra_count);
	write_certificate(&writer, &event->certificate);
	for (uint32_t left = event->present; left != 0; left &= left - 1) {
		write_field(&writer, event, (enum field)__builtin_ctz(left));
	}
	while (event_next_extra(event, &position, &extra)) {
		write_text(&writer, extra.key->text);
		write_node(&writer, extra.value, event->encoding);
	}
}

void event_encode_marker(const struct certificate *certificate, enum reason reason,
	enum encoding encoding, struct buffer *buffer)
{
	struct writer writer;

	writer_init(&writer, encoding, buffer);
	write_map(&writer, CERTIFICATE_PAIRS + 1);
	write_certificate(&writer, certificate);
	write_key(&writer, "rejected");
	write_key(&writer, reason_code(reason));
}

money event_revenue(const struct event *event)
{
	if (event_has(event, FIELD_AMOUNT)) {
		return event->amount;
	}
	if (event_has(event, FIELD_UNIT_PRICE)) {
		return (money)event->unit_price * event->quantity;
	}
	return 0;
}
