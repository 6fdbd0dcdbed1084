/* events as producers send them, and normal form */
#include "vectors.h"

#include "proto/event.h"

#include <inttypes.h>
#include <stdio.h>

/* check->output against the bytes under `key`. */
static void check_output_hex(struct check *check, const struct node *vector, const char *key)
{
	if (vector_hex(check, vector, key) &&
		!slice_equal(buffer_slice(&check->bytes), buffer_slice(&check->output))) {
		check_fail(check, "other msgpack than %s", key);
	}
}

/* As the bridge makes it: out of the spool's msgpack. */
static void check_json_of(struct check *check, const struct node *vector, struct slice msgpack)
{
	struct complaint complaint;
	struct event event;

	if (event_decode(&check->document, ENCODING_MSGPACK, msgpack, &event, &complaint) != 0) {
		check_fail(check, "normal form was refused: %s", complaint.message);
		return;
	}
	buffer_clear(&check->output);
	event_encode(&event, ENCODING_JSON, &check->output);
	if (vector_has(vector, "json")) {
		check_equal_text(
			check, "json", vector_text(vector, "json"), buffer_slice(&check->output));
	}
}

static void check_accepted(struct check *check, const struct node *vector, struct event *event)
{
	event->certificate = (struct certificate){slice_of_text("uk"), 4711, event->kind, 17};
	buffer_clear(&check->output);
	event_encode(event, ENCODING_MSGPACK, &check->output);
	if (!vector_has(vector, "msgpack")) {
		return;
	}
	check_output_hex(check, vector, "msgpack");
	check_json_of(check, vector, buffer_slice(&check->bytes));
}

void check_events(struct check *check, const struct node *vector)
{
	struct slice currency = vector_text(vector, "currency");
	char default_currency[8] = "XXX";
	struct event_rules rules = {.default_currency = default_currency};
	struct slice input = vector_input(check, vector);
	struct complaint complaint;
	struct event event;
	enum kind kind;

	memcpy(default_currency, currency.bytes == NULL ? (const uint8_t *)"XXX" : currency.bytes,
		3);
	if (vector_has(vector, "received_ms")) {
		rules.received_ms = vector_integer(check, vector, "received_ms");
	}
	int r = event_normalise(
		&check->document, encoding_of(input), input, &rules, &event, &kind, &complaint);
	check_equal_text(
		check, "kind", vector_text(vector, "kind"), slice_of_text(kind_name(kind)));
	if (vector_has(vector, "code")) {
		check_refused(check, vector, r, &complaint);
	} else if (r != 0) {
		check_fail(check, "refused: %s", complaint.message);
	} else {
		check_accepted(check, vector, &event);
	}
}

/* A known field as text, whatever its type. */
static struct slice field_text(const struct event *event, enum field field, char text[64])
{
	const int64_t amounts[FIELD_COUNT] = {
		[FIELD_UNIT_PRICE] = event->unit_price,
		[FIELD_AMOUNT] = event->amount,
		[FIELD_DISCOUNT] = event->discount,
		[FIELD_TAX] = event->tax,
	};

	if (field == FIELD_TS || field == FIELD_QUANTITY) {
		int64_t number = field == FIELD_TS ? event->ts_ms : event->quantity;
		return slice_of(text, (size_t)snprintf(text, 64, "%" PRId64, number));
	}
	if (field >= FIELD_UNIT_PRICE && field <= FIELD_TAX) {
		return slice_of(text, money_format(amounts[field], text));
	}
	return event->text[field];
}

static void check_fields(struct check *check, const struct node *fields, const struct event *event)
{
	const struct node *key = fields == NULL ? NULL : node_first(fields);
	uint32_t present = 0;

	for (uint32_t i = 0; fields != NULL && i < fields->count; i++) {
		enum field field = FIELD_TS;
		char text[64];
		if (!field_from_name(key->text, &field)) {
			check_fail(check, "an unknown field");
		}
		present |= UINT32_C(1) << field;
		check_equal_text(check, field_name(field), node_next(key)->text,
			field_text(event, field, text));
		key = node_next(node_next(key));
	}
	if (fields != NULL) {
		check_equal_number(check, "the fields present", present, event->present);
	}
}

static void check_meaning(struct check *check, const struct node *vector, const struct event *event)
{
	const struct certificate *certificate = &event->certificate;
	char text[MONEY_TEXT_SIZE];

	check_equal_text(check, "kind", vector_text(vector, "kind"),
		slice_of_text(kind_name(certificate->kind)));
	check_equal_text(check, "edge", vector_text(vector, "edge"), certificate->edge);
	check_equal_number(
		check, "run", vector_integer(check, vector, "run"), (int64_t)certificate->run);
	check_equal_number(
		check, "seq", vector_integer(check, vector, "seq"), (int64_t)certificate->seq);
	check_equal_text(check, "rejected", vector_text(vector, "rejected"),
		slice_of_text(reason_code(event->rejected)));
	if (event->rejected != REASON_NONE) {
		return;
	}
	check_fields(check, node_find(vector, "fields"), event);
	check_equal_number(
		check, "extras", vector_integer(check, vector, "extras"), event->extra_count);
	check_equal_text(check, "revenue", vector_text(vector, "revenue"),
		slice_of(text, money_format(event_revenue(event), text)));
}

static void check_one_encoding(
	struct check *check, const struct node *vector, enum encoding encoding, struct slice bytes)
{
	struct complaint complaint;
	struct event event;
	int r = event_decode(&check->document, encoding, bytes, &event, &complaint);

	if (vector_has(vector, "code")) {
		check_refused(check, vector, r, &complaint);
	} else if (r != 0) {
		check_fail(check, "refused: %s", complaint.message);
	} else {
		check_meaning(check, vector, &event);
	}
}

void check_normal_form(struct check *check, const struct node *vector)
{
	if (vector_hex(check, vector, "msgpack")) {
		check_one_encoding(check, vector, ENCODING_MSGPACK, buffer_slice(&check->bytes));
	}
	if (vector_has(vector, "json")) {
		check_one_encoding(check, vector, ENCODING_JSON, vector_text(vector, "json"));
	}
}
