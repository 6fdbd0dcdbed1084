/* Normal form out and in again, in both encodings; and what those who trust nobody refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/event.h"

static struct document document;
static struct document second;
static struct buffer buffer;
static const struct event_rules rules = {
	.default_currency = "EUR", .received_ms = INT64_C(1291191960000)};

static int set_up(void **state)
{
	(void)state;
	buffer_init(&buffer, 1 << 20);
	return document_init(&document, EVENT_NODES_MAX) | document_init(&second, EVENT_NODES_MAX);
}

static int tear_down(void **state)
{
	(void)state;
	document_deinit(&document);
	document_deinit(&second);
	buffer_deinit(&buffer);
	return 0;
}

#define FULL                                                                                       \
	"{\"kind\":\"order\",\"ts\":\"2010-12-01 08:26\",\"event_id\":\"ev\",\"id\":536365,"       \
	"\"sku\":\"85123A\",\"qty\":6,\"price\":2.55,\"amount\":\"15.30\",\"discount\":0.5,"       \
	"\"tax\":1,\"currency\":\"GBP\",\"user_id\":17850,\"category\":\"lights\",\"channel\":"    \
	"\"web\",\"payment\":\"card\",\"action\":\"buy\",\"page\":\"/p\",\"note\":{\"a\":[1,2.5,"  \
	"null,true]},\"big\":9007199254740993}"

static void normalise(const char *json, struct event *ret_event)
{
	struct complaint complaint;
	enum kind kind;

	assert_int_equal(event_normalise(&document, ENCODING_JSON, slice_of_text(json), &rules,
				 ret_event, &kind, &complaint),
		0);
	ret_event->certificate = (struct certificate){slice_of_text("uk"), RUN_MAX, kind, 17};
}

static void assert_text(const struct event *event, enum field field, const char *text)
{
	assert_true(event_has(event, field));
	assert_true(slice_equals_text(event->text[field], text));
}

static void assert_full(const struct event *event)
{
	assert_int_equal(event->kind, KIND_ORDER);
	assert_true(slice_equals_text(event->certificate.edge, "uk"));
	assert_true(event->certificate.run == RUN_MAX);
	assert_true(event->certificate.seq == 17);
	assert_int_equal(event->present, (1 << FIELD_COUNT) - 1);
	assert_true(event->ts_ms == INT64_C(1291191960000));
	assert_int_equal(event->quantity, 6);
	assert_int_equal(event->unit_price, 2550000);
	assert_int_equal(event->amount, 15300000);
	assert_int_equal(event->discount, 500000);
	assert_int_equal(event->tax, 1000000);
	assert_text(event, FIELD_EVENT_ID, "ev");
	assert_text(event, FIELD_ORDER_ID, "536365");
	assert_text(event, FIELD_PRODUCT_ID, "85123A");
	assert_text(event, FIELD_CURRENCY, "GBP");
	assert_text(event, FIELD_USER_ID, "17850");
	assert_text(event, FIELD_CATEGORY, "lights");
	assert_text(event, FIELD_CHANNEL, "web");
	assert_text(event, FIELD_PAYMENT, "card");
	assert_text(event, FIELD_ACTION, "buy");
	assert_text(event, FIELD_PAGE, "/p");
	assert_int_equal(event->extra_count, 2);
	assert_int_equal(event->rejected, REASON_NONE);
}

static void test_normal_form_says_the_same_in_both_encodings(void **state)
{
	static const enum encoding encodings[] = {ENCODING_MSGPACK, ENCODING_JSON};
	struct complaint complaint;
	struct event event, again;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		normalise(FULL, &event);
		buffer_clear(&buffer);
		event_encode(&event, encodings[i], &buffer);
		assert_int_equal(buffer.error, 0);
		assert_int_equal(event_decode(&second, encodings[i], buffer_slice(&buffer), &again,
					 &complaint),
			0);
		assert_full(&again);
	}
}

/* The same bytes travel from the spool to Kafka: decoding and encoding again changes none. */
static void test_encoding_again_gives_the_same_bytes(void **state)
{
	struct complaint complaint;
	struct event event;
	struct buffer copy;

	(void)state;
	normalise(FULL, &event);
	buffer_clear(&buffer);
	event_encode(&event, ENCODING_MSGPACK, &buffer);
	assert_int_equal(
		event_decode(&second, ENCODING_MSGPACK, buffer_slice(&buffer), &event, &complaint),
		0);
	buffer_init(&copy, 1 << 20);
	event_encode(&event, ENCODING_MSGPACK, &copy);
	assert_true(slice_equal(buffer_slice(&buffer), buffer_slice(&copy)));
	buffer_deinit(&copy);
}

static void test_extras_come_in_their_order(void **state)
{
	const struct node *position = NULL;
	struct extra_field extra;
	struct event event;

	(void)state;
	normalise("{\"b\":1,\"kind\":\"view\",\"unit_price\":2,\"a\":3}", &event);
	assert_true(event_next_extra(&event, &position, &extra));
	assert_true(slice_equals_text(extra.key->text, "b"));
	assert_true(event_next_extra(&event, &position, &extra));
	assert_true(slice_equals_text(extra.key->text, "unit_price"));
	assert_true(event_next_extra(&event, &position, &extra));
	assert_true(slice_equals_text(extra.key->text, "a"));
	assert_false(event_next_extra(&event, &position, &extra));
}

static int decode_json(const char *json, struct event *ret_event, struct complaint *complaint)
{
	return event_decode(&document, ENCODING_JSON, slice_of_text(json), ret_event, complaint);
}

#define CERTIFICATE "\"kind\":\"order\",\"edge\":\"e\",\"run\":1,\"seq\":1"
#define BODY                                                                                       \
	"\"ts\":1,\"order_id\":\"o\",\"product_id\":\"p\",\"quantity\":1,\"unit_price\":1.00,"     \
	"\"currency\":\"EUR\""

static void test_any_order_of_fields_is_read(void **state)
{
	struct complaint complaint;
	struct event event;

	(void)state;
	assert_int_equal(
		decode_json("{\"x\":1," BODY ",\"price\":2," CERTIFICATE "}", &event, &complaint),
		0);
	assert_int_equal(event.extra_count, 2); /* here an alias is a foreign name */
}

static void test_integers_past_2_53_are_text_in_json(void **state)
{
	struct complaint complaint;
	struct event event, again;

	(void)state;
	normalise("{\"kind\":\"view\"}", &event);
	event.certificate.seq = INT64_MAX;
	buffer_clear(&buffer);
	event_encode(&event, ENCODING_JSON, &buffer);
	assert_non_null(memmem(buffer.bytes, buffer.size, "\"9223372036854775807\"", 21));
	assert_int_equal(
		event_decode(&second, ENCODING_JSON, buffer_slice(&buffer), &again, &complaint), 0);
	assert_true(again.certificate.seq == INT64_MAX);
}

static void test_what_is_not_normal_form_is_refused(void **state)
{
	static const struct {
		const char *json, *code, *field;
	} rows[] = {
		{"[]", "bad_type", ""},
		{"{}", "bad_certificate", "kind"},
		{"{\"kind\":\"order\"}", "bad_certificate", "edge"},
		{"{\"kind\":\"sale\",\"edge\":\"e\",\"run\":1,\"seq\":1}", "bad_certificate",
			"kind"},
		{"{\"kind\":\"order.dlq\",\"edge\":\"e\",\"run\":1,\"seq\":1}", "bad_certificate",
			"kind"},
		{"{\"kind\":\"order\",\"edge\":\" e\",\"run\":1,\"seq\":1}", "bad_certificate",
			"edge"},
		{"{\"kind\":\"order\",\"edge\":5,\"run\":1,\"seq\":1}", "bad_certificate", "edge"},
		{"{\"kind\":\"order\",\"edge\":\"e\",\"run\":0,\"seq\":1}", "bad_certificate",
			"run"},
		{"{\"kind\":\"order\",\"edge\":\"e\",\"run\":9007199254740992,\"seq\":1}",
			"bad_certificate", "run"},
		{"{\"kind\":\"order\",\"edge\":\"e\",\"run\":1,\"seq\":0}", "bad_certificate",
			"seq"},
		{"{\"kind\":\"order\",\"edge\":\"e\",\"run\":1}", "bad_certificate", "seq"},
		{"{" CERTIFICATE ",\"rejected\":5}", "bad_type", "rejected"},
		{"{" CERTIFICATE "}", "missing_field", "ts"},
		{"{" CERTIFICATE
		 ",\"ts\":1,\"order_id\":\"o\",\"product_id\":\"p\",\"quantity\":1}",
			"missing_field", "unit_price"},
		{"{" CERTIFICATE ",\"ts\":1,\"order_id\":\"o\",\"product_id\":\"p\",\"quantity\":1,"
		 "\"amount\":1}",
			"missing_field", "currency"},
		{"{" CERTIFICATE ",\"ts\":\"2010-12-01 08:26\"}", "bad_type", "ts"},
		{"{" CERTIFICATE ",\"ts\":253402300800000}", "bad_value", "ts"},
		{"{" CERTIFICATE ",\"ts\":1,\"order_id\":5}", "bad_type", "order_id"},
		{"{" CERTIFICATE ",\"ts\":1,\"quantity\":0}", "bad_value", "quantity"},
		{"{" CERTIFICATE ",\"ts\":1,\"unit_price\":-1}", "bad_value", "unit_price"},
		{"{\"kind\":\"cart\",\"edge\":\"e\",\"run\":1,\"seq\":1,\"ts\":1,\"product_id\":"
		 "\"p\","
		 "\"quantity\":1,\"action\":\"add_to_cart\"}",
			"bad_value", "action"},
	};
	struct complaint complaint;
	struct event event;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int r = decode_json(rows[i].json, &event, &complaint);
		if (r == 0 || strcmp(reason_code(complaint.reason), rows[i].code) != 0 ||
			strcmp(complaint.field, rows[i].field) != 0) {
			fail_msg("%s: %d %s", rows[i].json, r, complaint.message);
		}
	}
}

/* msgpack has money as text and integers as integers; nothing else is normal form. */
static void test_msgpack_is_as_strict(void **state)
{
	struct complaint complaint;
	struct event event;
	struct writer writer;

	(void)state;
	for (int wrong = 0; wrong < 3; wrong++) {
		buffer_clear(&buffer);
		writer_init(&writer, ENCODING_MSGPACK, &buffer);
		write_map(&writer, 6);
		write_key(&writer, "kind");
		write_key(&writer, "order");
		write_key(&writer, "edge");
		write_key(&writer, "e");
		write_key(&writer, "run");
		write_integer(&writer, 1);
		write_key(&writer, "seq");
		write_integer(&writer, 1);
		write_key(&writer, "ts");
		if (wrong == 0) {
			write_key(&writer, "1"); /* integers as text are JSON's */
		} else {
			write_integer(&writer, 1);
		}
		write_key(&writer, "unit_price");
		if (wrong == 1) {
			write_integer(&writer, 1);
		} else {
			write_double(&writer, 1.5);
		}
		assert_int_equal(event_decode(&document, ENCODING_MSGPACK, buffer_slice(&buffer),
					 &event, &complaint),
			REASON_BAD_TYPE);
	}
}

static void test_a_marker_says_why(void **state)
{
	static const enum encoding encodings[] = {ENCODING_MSGPACK, ENCODING_JSON};
	struct certificate certificate = {slice_of_text("uk"), 4711, KIND_CART_DLQ, 3};
	struct complaint complaint;
	struct event event;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		buffer_clear(&buffer);
		event_encode_marker(&certificate, REASON_BAD_VALUE, encodings[i], &buffer);
		assert_int_equal(event_decode(&document, encodings[i], buffer_slice(&buffer),
					 &event, &complaint),
			0);
		assert_int_equal(event.rejected, REASON_BAD_VALUE);
		assert_int_equal(event.kind, KIND_CART_DLQ);
		assert_true(event.certificate.seq == 3);
	}
	/* from a younger bridge */
	assert_int_equal(
		decode_json("{" CERTIFICATE ",\"rejected\":\"moon\"}", &event, &complaint), 0);
	assert_int_equal(event.rejected, REASON_INTERNAL);
}

static void test_the_certificate_is_peeked(void **state)
{
	struct certificate certificate;
	struct event event;

	(void)state;
	normalise(FULL, &event);
	buffer_clear(&buffer);
	event_encode(&event, ENCODING_MSGPACK, &buffer);
	assert_int_equal(event_peek_certificate(buffer_slice(&buffer), &certificate), 0);
	assert_true(slice_equals_text(certificate.edge, "uk"));
	assert_true(certificate.run == RUN_MAX && certificate.seq == 17);
	assert_int_equal(certificate.kind, KIND_ORDER);
	/* every shorter beginning lacks something, and is read no further than it goes */
	for (size_t size = 0; size < 30; size++) {
		uint8_t *copy = malloc(size + 1);
		memcpy(copy + 1, buffer.bytes, size);
		int r = event_peek_certificate(slice_of(copy + 1, size), &certificate);
		assert_int_equal(r, REASON_BAD_CERTIFICATE);
		free(copy);
	}
}

static void test_events_back_to_back_are_cut(void **state)
{
	struct slice rest, one;
	struct event event;
	size_t size;

	(void)state;
	normalise(FULL, &event);
	buffer_clear(&buffer);
	event_encode(&event, ENCODING_MSGPACK, &buffer);
	size = buffer.size;
	event_encode(&event, ENCODING_MSGPACK, &buffer);
	rest = buffer_slice(&buffer);
	assert_true(event_cut(&rest, &one));
	assert_true(slice_equal(one, slice_of(buffer.bytes, size)));
	assert_true(event_cut(&rest, &one));
	assert_true(slice_equal(one, slice_of(buffer.bytes + size, size)));
	assert_false(event_cut(&rest, &one));
	assert_int_equal(rest.size, 0); /* the end, and not something broken */
	rest = slice_of(buffer.bytes, size - 1);
	assert_false(event_cut(&rest, &one));
	assert_int_equal(rest.size, size - 1);
}

static void test_revenue_is_the_amount_or_the_product(void **state)
{
	struct event event = {.kind = KIND_ORDER,
		.quantity = -1000000000,
		.unit_price = INT64_C(1000000000000000000)};

	(void)state;
	assert_true(event_revenue(&event) == 0);
	event.present = 1 << FIELD_UNIT_PRICE;
	assert_true(event_revenue(&event) ==
		    (money)-1000000000 * INT64_C(1000000000000000000)); /* past 64 bits */
	event.present |= 1 << FIELD_AMOUNT;
	event.amount = 5;
	assert_true(event_revenue(&event) == 5);
}

/* 64 KiB, counted with the longest certificate: one byte more is refused. */
static void test_the_size_of_normal_form_is_bounded_exactly(void **state)
{
	enum { SIZE = 70000 };
	char *json = malloc(SIZE);
	struct complaint complaint;
	struct event event;
	enum kind kind;
	size_t accepted = 0;

	(void)state;
	assert_non_null(json);
	for (size_t fill = 65200; fill < 65536 && accepted == 0; fill++) {
		int size = snprintf(json, SIZE,
			"{\"kind\":\"view\",\"n\":[1,-33,300,70000,"
			"5000000000,0.5,true],\"x\":\"%0*d\"}",
			(int)fill, 0);
		int r = event_normalise(&document, ENCODING_JSON, slice_of(json, (size_t)size),
			&rules, &event, &kind, &complaint);
		if (r != 0) {
			assert_int_equal(r, REASON_TOO_LARGE);
			accepted = fill - 1;
		}
	}
	snprintf(json, SIZE,
		"{\"kind\":\"view\",\"n\":[1,-33,300,70000,5000000000,0.5,true],"
		"\"x\":\"%0*d\"}",
		(int)accepted, 0);
	normalise(json, &event);
	char edge[EDGE_ID_SIZE_MAX];
	memset(edge, 'e', sizeof edge);
	event.certificate =
		(struct certificate){slice_of(edge, sizeof edge), RUN_MAX, KIND_VIEW, INT64_MAX};
	buffer_clear(&buffer);
	event_encode(&event, ENCODING_MSGPACK, &buffer);
	assert_int_equal(buffer.size, EVENT_SIZE_MAX);
	free(json);
}

static void test_names_of_kinds_and_fields(void **state)
{
	enum field field;
	enum kind kind;

	(void)state;
	for (int i = 0; i < KIND_COUNT; i++) {
		assert_true(kind_from_name(slice_of_text(kind_name((enum kind)i)), &kind));
		assert_int_equal(kind, i);
	}
	assert_false(kind_from_name(slice_of_text("cart_event"), &kind));
	assert_int_equal(kind_dead_letter_of(KIND_CART), KIND_CART_DLQ);
	assert_int_equal(kind_dead_letter_of(KIND_CART_DLQ), KIND_CART_DLQ);
	for (int i = 0; i < FIELD_COUNT; i++) {
		assert_true(field_from_name(slice_of_text(field_name((enum field)i)), &field));
		assert_int_equal(field, i);
	}
	assert_false(field_from_name(slice_of_text("price"), &field));
	assert_false(field_from_name(slice_of_text("edge"), &field));
	assert_false(field_from_name(slice_of_text(""), &field));
	assert_false(field_from_name(slice_of_text("a name that is long"), &field));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normal_form_says_the_same_in_both_encodings),
		cmocka_unit_test(test_encoding_again_gives_the_same_bytes),
		cmocka_unit_test(test_extras_come_in_their_order),
		cmocka_unit_test(test_any_order_of_fields_is_read),
		cmocka_unit_test(test_integers_past_2_53_are_text_in_json),
		cmocka_unit_test(test_what_is_not_normal_form_is_refused),
		cmocka_unit_test(test_msgpack_is_as_strict),
		cmocka_unit_test(test_a_marker_says_why),
		cmocka_unit_test(test_the_certificate_is_peeked),
		cmocka_unit_test(test_events_back_to_back_are_cut),
		cmocka_unit_test(test_revenue_is_the_amount_or_the_product),
		cmocka_unit_test(test_the_size_of_normal_form_is_bounded_exactly),
		cmocka_unit_test(test_names_of_kinds_and_fields),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
