#include "tests/fuzz/event_check.h"
#include "proto/utf8.h"

static void check_complaint(int result, const struct complaint *complaint)
{
	fuzz_require(result == (int)complaint->reason);
	fuzz_require(complaint->message[0] != '\0');
	fuzz_require(utf8_is_valid(slice_of_text(complaint->message)));
	fuzz_require(utf8_is_valid(slice_of_text(complaint->field)));
}

static void check_limits(const struct event *event)
{
	const int64_t micros_max = MONEY_UNITS_MAX * MONEY_MICROS_PER_UNIT;

	fuzz_require(!kind_is_dead_letter(event->kind));
	fuzz_require(event->ts_ms >= 0 && event->ts_ms <= INT64_C(253402300799999));
	fuzz_require(event->quantity <= QUANTITY_MAX && event->quantity >= -QUANTITY_MAX);
	fuzz_require(!event_has(event, FIELD_QUANTITY) || event->quantity != 0);
	fuzz_require(event->unit_price >= 0 && event->unit_price <= micros_max);
	fuzz_require(event->amount <= micros_max && event->amount >= -micros_max);
	for (int field = 0; field < FIELD_COUNT; field++) {
		struct slice text = event->text[field];
		fuzz_require(text.size <= TEXT_SIZE_MAX && utf8_is_valid(text));
		fuzz_require(text.size == 0 || event_has(event, (enum field)field));
	}
}

static void require_same(const struct event *a, const struct event *b)
{
	fuzz_require(a->kind == b->kind && a->present == b->present);
	fuzz_require(a->certificate.run == b->certificate.run);
	fuzz_require(a->certificate.seq == b->certificate.seq);
	fuzz_require(slice_equal(a->certificate.edge, b->certificate.edge));
	fuzz_require(a->ts_ms == b->ts_ms && a->quantity == b->quantity);
	fuzz_require(a->unit_price == b->unit_price && a->amount == b->amount);
	fuzz_require(a->discount == b->discount && a->tax == b->tax);
	fuzz_require(a->extra_count == b->extra_count && a->rejected == b->rejected);
	for (int field = 0; field < FIELD_COUNT; field++) {
		fuzz_require(slice_equal(a->text[field], b->text[field]));
	}
	fuzz_require(event_revenue(a) == event_revenue(b));
}

/* The certificate and the extent of one event, read without decoding it. */
static void check_cut(struct slice bytes, const struct event *event)
{
	struct certificate certificate;
	struct slice rest = bytes;
	struct slice one;

	fuzz_require(event_cut(&rest, &one) && rest.size == 0 && slice_equal(one, bytes));
	fuzz_require(event_peek_certificate(bytes, &certificate) == 0);
	fuzz_require(certificate.seq == event->certificate.seq);
}

/* encode, decode: the same event; encode again: the same bytes. */
static void check_round_trip(const struct event *event, enum encoding encoding)
{
	struct document document;
	struct buffer first, second;
	struct complaint complaint;
	struct event again;

	buffer_init(&first, FRAME_SIZE_MAX);
	buffer_init(&second, FRAME_SIZE_MAX);
	event_encode(event, encoding, &first);
	fuzz_require(first.error == 0 && document_init(&document, EVENT_NODES_MAX) == 0);
	fuzz_require(
		event_decode(&document, encoding, buffer_slice(&first), &again, &complaint) == 0);
	require_same(event, &again);
	event_encode(&again, encoding, &second);
	fuzz_require(slice_equal(buffer_slice(&first), buffer_slice(&second)));
	if (encoding == ENCODING_MSGPACK) {
		check_cut(buffer_slice(&first), event);
	}
	document_deinit(&document);
	buffer_deinit(&first);
	buffer_deinit(&second);
}

/* Under the longest certificate it fits into 64 KiB. */
static void check_size(struct event *event)
{
	char edge[EDGE_ID_SIZE_MAX];
	struct buffer buffer;

	memset(edge, 'e', sizeof edge);
	event->certificate =
		(struct certificate){slice_of(edge, sizeof edge), RUN_MAX, event->kind, INT64_MAX};
	buffer_init(&buffer, EVENT_SIZE_MAX);
	event_encode(event, ENCODING_MSGPACK, &buffer);
	fuzz_require(buffer.error == 0);
	buffer_deinit(&buffer);
	if (event->encoding == ENCODING_MSGPACK) {
		buffer_init(&buffer, EVENT_JSON_SIZE_MAX);
		event_encode(event, ENCODING_JSON, &buffer);
		fuzz_require(buffer.error == 0);
		buffer_deinit(&buffer);
	}
}

static void check_under(const struct event_rules *rules, enum encoding encoding, struct slice bytes)
{
	struct document document;
	struct complaint complaint;
	struct event event;
	enum kind kind;

	fuzz_require(document_init(&document, EVENT_NODES_MAX) == 0);
	int r = event_normalise(&document, encoding, bytes, rules, &event, &kind, &complaint);
	fuzz_require(!kind_is_dead_letter(kind));
	if (r != 0) {
		check_complaint(r, &complaint);
	} else {
		fuzz_require(event.kind == kind);
		check_limits(&event);
		check_size(&event);
		event.certificate = (struct certificate){slice_of_text("uk"), 1, kind, 17};
		check_round_trip(&event, ENCODING_MSGPACK);
	}
	document_deinit(&document);
}

/* As it is, or, one in four by its last byte, with what a topic or a source says of it. */
void event_check_producer(enum encoding encoding, struct slice bytes)
{
	static const struct event_addition additions[] = {
		{{(const uint8_t *)"channel", 7}, {(const uint8_t *)"web", 3}},
		{{(const uint8_t *)"qty", 3}, {(const uint8_t *)"2", 1}},
		{{(const uint8_t *)"unit_price", 10}, {(const uint8_t *)"2.5", 3}},
		{{(const uint8_t *)"ts", 2}, {(const uint8_t *)"1291191960", 10}},
		{{(const uint8_t *)"shelf", 5}, {(const uint8_t *)"7", 1}},
		{{(const uint8_t *)"store", 5}, {NULL, 0}},
	};
	struct event_rules rules = {
		.default_currency = "EUR", .received_ms = INT64_C(1291191960000)};

	check_under(&rules, encoding, bytes);
	if (bytes.size > 0 && bytes.bytes[bytes.size - 1] % 4 == 1) {
		rules.additions = additions;
		rules.addition_count = sizeof additions / sizeof additions[0];
		check_under(&rules, encoding, bytes);
	}
}

void event_check_normal_form(enum encoding encoding, struct slice bytes)
{
	struct document document;
	struct complaint complaint;
	struct event event;

	fuzz_require(document_init(&document, EVENT_NODES_MAX) == 0);
	int r = event_decode(&document, encoding, bytes, &event, &complaint);
	if (r != 0) {
		check_complaint(r, &complaint);
	} else if (event.rejected == REASON_NONE) {
		check_limits(&event);
		check_round_trip(&event, encoding);
		check_round_trip(&event, ENCODING_MSGPACK);
	}
	document_deinit(&document);
}
