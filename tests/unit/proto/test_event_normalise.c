/* What producers send and what becomes of it, as tables: JSON in, normal form or code and field out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/event.h"

static struct document document;
static struct buffer buffer;
static const struct event_rules rules = {
	.default_currency = "XXX", .received_ms = INT64_C(1291191960000)};

static int set_up(void **state)
{
	(void)state;
	buffer_init(&buffer, 1 << 20);
	return document_init(&document, EVENT_NODES_MAX);
}

static int tear_down(void **state)
{
	(void)state;
	document_deinit(&document);
	buffer_deinit(&buffer);
	return 0;
}

struct outcome {
	int code;
	enum kind kind;
	struct complaint complaint;
};

/* The normal form as JSON, under the certificate (e, 1, kind, 1), lies in `buffer` when the code is 0. */
static struct outcome normalise(enum encoding encoding, struct slice bytes)
{
	struct outcome outcome = {0};
	struct event event;

	outcome.code = event_normalise(
		&document, encoding, bytes, &rules, &event, &outcome.kind, &outcome.complaint);
	if (outcome.code == 0) {
		event.certificate = (struct certificate){slice_of_text("e"), 1, event.kind, 1};
		buffer_clear(&buffer);
		event_encode(&event, ENCODING_JSON, &buffer);
		assert_int_equal(buffer.error, 0);
		buffer_append_byte(&buffer, 0);
	}
	return outcome;
}

static struct outcome normalise_json(const char *json)
{
	return normalise(ENCODING_JSON, slice_of_text(json));
}

static void assert_accepted(const char *in, const char *out)
{
	struct outcome outcome = normalise_json(in);

	if (outcome.code != 0) {
		fail_msg("%s: %s", in, outcome.complaint.message);
	}
	assert_string_equal((const char *)buffer.bytes, out);
}

static void assert_refused(const char *in, const char *code, const char *field)
{
	struct outcome outcome = normalise_json(in);

	if (outcome.code == 0) {
		fail_msg("%s was accepted", in);
	}
	assert_int_equal(outcome.code, outcome.complaint.reason);
	if (strcmp(reason_code(outcome.complaint.reason), code) != 0 ||
		strcmp(outcome.complaint.field, field) != 0) {
		fail_msg("%s: %s %s: %s", in, reason_code(outcome.complaint.reason),
			outcome.complaint.field, outcome.complaint.message);
	}
	assert_true(strlen(outcome.complaint.message) > 10);
}

#define ORDER "\"kind\":\"order\",\"edge\":\"e\",\"run\":1,\"seq\":1,\"ts\":1291191960000,"
#define CART "\"kind\":\"cart\",\"edge\":\"e\",\"run\":1,\"seq\":1,\"ts\":1291191960000,"
#define VIEW "\"kind\":\"view\",\"edge\":\"e\",\"run\":1,\"seq\":1,\"ts\":1291191960000"
#define LINE "\"order_id\":\"o\",\"product_id\":\"p\",\"quantity\":1,"

static void test_an_event_gets_its_normal_form(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"{\"order_id\":\"o\",\"product_id\":\"p\",\"unit_price\":2.5}",
			"{" ORDER LINE "\"unit_price\":2.50,\"currency\":\"XXX\"}"},
		{"{\"id\":\"o\",\"sku\":\"p\",\"qty\":\"-3\",\"price\":\"0.125\"}",
			"{" ORDER "\"order_id\":\"o\",\"product_id\":\"p\",\"quantity\":-3,"
			"\"unit_price\":0.125,\"currency\":\"XXX\"}"},
		{"{\"id\":17850.0,\"product\":1785e1,\"price\":3,\"user_id\":-0.0,\"event_id\":7}",
			"{" ORDER "\"event_id\":\"7\",\"order_id\":\"17850\",\"product_id\":"
			"\"17850\",\"quantity\":1,\"unit_price\":3.00,\"currency\":\"XXX\","
			"\"user_id\":\"0\"}"},
		{"{\"id\":\"17850.0\",\"sku\":\"p\",\"total_price\":-1.5,\"currency\":\"GBP\"}",
			"{" ORDER "\"order_id\":\"17850.0\",\"product_id\":\"p\",\"quantity\":1,"
			"\"amount\":-1.50,\"currency\":\"GBP\"}"},
		{"{\"type\":\"cart_event\",\"sku\":\"p\",\"action\":\"add_to_cart\"}",
			"{" CART "\"product_id\":\"p\",\"quantity\":1,\"action\":\"add\"}"},
		{"{\"type\":\"page_view\",\"kind\":\"view\",\"page\":\"/\",\"ts\":null}",
			"{" VIEW ",\"page\":\"/\"}"},
		/* what is not of the kind is carried */
		{"{\"kind\":\"product_view\",\"unit_price\":\"2,55\",\"x\":[1,{\"a\":null}]}",
			"{" VIEW ",\"unit_price\":\"2,55\",\"x\":[1,{\"a\":null}]}"},
		/* a name and its alias that mean the same */
		{"{\"kind\":\"\",\"type\":\"order\",\"order_id\":5,\"id\":\"5\",\"sku\":\"p\","
		 "\"quantity\":2,\"qty\":2.0,\"price\":2.50,\"unit_price\":\"2.5\"}",
			"{" ORDER "\"order_id\":\"5\",\"product_id\":\"p\",\"quantity\":2,"
			"\"unit_price\":2.50,\"currency\":\"XXX\"}"},
		/* empty text and null are absent */
		{"{\"id\":\"o\",\"order_id\":\"\",\"sku\":\"p\",\"price\":1,\"category\":\"\","
		 "\"user_id\":null,\"currency\":\"\"}",
			"{" ORDER LINE "\"unit_price\":1.00,\"currency\":\"XXX\"}"},
		{"{\"kind\":\"view\",\"timestamp\":\"1970-01-01T00:00:01.5+00:00\"}",
			"{\"kind\":\"view\",\"edge\":\"e\",\"run\":1,\"seq\":1,\"ts\":1500}"},
		{"{\"kind\":\"view\",\"event_time\":\"1291191960\"}", "{" VIEW "}"},
		{"{\"kind\":\"view\",\"event_time_ms\":1291191960000.0}", "{" VIEW "}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_accepted(rows[i].in, rows[i].out);
	}
}

#define WITH(more) "{\"order_id\":\"o\",\"product_id\":\"p\",\"unit_price\":1," more "}"

static void test_an_invalid_event_is_told_why(void **state)
{
	static const struct {
		const char *in, *code, *field;
	} rows[] = {
		{"{\"kind\":\"order\"", "bad_frame", ""},
		{"[]", "bad_type", ""},
		{"{\"a\":1,\"a\":1}", "bad_value", "a"},
		{"{\"kind\":\"sale\"}", "unknown_kind", "kind"},
		{"{\"kind\":\"order.dlq\"}", "unknown_kind", "kind"},
		{"{\"kind\":5}", "bad_type", "kind"},
		{"{\"kind\":\"order\",\"type\":\"view\"}", "bad_value", "kind"},
		{WITH("\"edge\":\"e\""), "reserved_field", "edge"},
		{WITH("\"run\":null"), "reserved_field", "run"},
		{WITH("\"seq\":1"), "reserved_field", "seq"},
		{WITH("\"rejected\":\"\""), "reserved_field", "rejected"},
		{"{\"product_id\":\"p\",\"unit_price\":1}", "missing_field", "order_id"},
		{"{\"order_id\":\"o\",\"unit_price\":1}", "missing_field", "product_id"},
		{"{\"order_id\":\"o\",\"product_id\":\"p\"}", "missing_field", "unit_price"},
		{"{\"kind\":\"cart\",\"product_id\":\"p\"}", "missing_field", "action"},
		{"{\"kind\":\"cart\",\"action\":\"add\"}", "missing_field", "product_id"},
		{"{\"kind\":\"cart\",\"sku\":\"p\",\"action\":\"take\"}", "bad_value", "action"},
		{WITH("\"id\":\"other\""), "bad_value", "order_id"},
		{WITH("\"price\":2"), "bad_value", "unit_price"},
		{WITH("\"ts\":1,\"timestamp\":2"), "bad_value", "ts"},
		{WITH("\"quantity\":1,\"qty\":2"), "bad_value", "quantity"},
		{WITH("\"quantity\":0"), "bad_value", "quantity"},
		{WITH("\"quantity\":2.5"), "bad_value", "quantity"},
		{WITH("\"quantity\":\"two\""), "bad_value", "quantity"},
		{WITH("\"quantity\":true"), "bad_type", "quantity"},
		{WITH("\"quantity\":1000000001"), "bad_value", "quantity"},
		{WITH("\"quantity\":-1000000001"), "bad_value", "quantity"},
		{WITH("\"quantity\":9223372036854775808"), "bad_value", "quantity"},
		{WITH("\"amount\":\"2,55\""), "bad_value", "amount"},
		{WITH("\"amount\":1e300"), "bad_value", "amount"},
		{WITH("\"amount\":1e-7"), "bad_value", "amount"},
		{WITH("\"amount\":true"), "bad_type", "amount"},
		{WITH("\"amount\":{}"), "bad_type", "amount"},
		{WITH("\"tax\":1000000000001"), "bad_value", "tax"},
		{WITH("\"discount\":\" 1\""), "bad_value", "discount"},
		{"{\"id\":\"o\",\"sku\":\"p\",\"price\":-1}", "bad_value", "unit_price"},
		{"{\"id\":true,\"sku\":\"p\",\"price\":1}", "bad_type", "order_id"},
		{"{\"id\":1.5,\"sku\":\"p\",\"price\":1}", "bad_value", "order_id"},
		{"{\"id\":9223372036854775808,\"sku\":\"p\",\"price\":1}", "bad_value", "order_id"},
		{WITH("\"category\":5"), "bad_type", "category"},
		{WITH("\"currency\":\"gbp\""), "bad_value", "currency"},
		{WITH("\"currency\":\"EURO\""), "bad_value", "currency"},
		{WITH("\"currency\":978"), "bad_type", "currency"},
		{WITH("\"ts\":\"yesterday\""), "bad_value", "ts"},
		{WITH("\"ts\":-1"), "bad_value", "ts"},
		{WITH("\"ts\":1e300"), "bad_value", "ts"},
		{WITH("\"ts\":100000000000000000"), "bad_value", "ts"},
		{WITH("\"ts\":[]"), "bad_type", "ts"},
		{WITH("\"x\":[[[[[[[[1]]]]]]]]"), "too_deep", ""},
		{WITH("\"x\":\"\\u0000\""), "bad_frame", ""},
		{WITH("\"x\":\"\\ud800\""), "bad_frame", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_refused(rows[i].in, rows[i].code, rows[i].field);
	}
}

static void test_a_complaint_shows_the_value(void **state)
{
	struct outcome outcome =
		normalise_json("{\"id\":\"o\",\"sku\":\"p\",\"unit_price\":\"2,55\"}");

	(void)state;
	assert_string_equal(
		outcome.complaint.message, "unit_price \"2,55\" is not a decimal number");
}

/* The dead letter's stream, even when something else is wrong. */
static void test_the_kind_of_an_invalid_event_is_known(void **state)
{
	(void)state;
	assert_int_equal(normalise_json("{\"kind\":\"cart_event\"}").kind, KIND_CART);
	assert_int_equal(normalise_json("{\"type\":\"page_view\",\"seq\":1}").kind, KIND_VIEW);
	assert_int_equal(normalise_json("{\"kind\":\"view\"").kind, KIND_ORDER);
	assert_int_equal(normalise_json("{\"kind\":\"sale\"}").kind, KIND_ORDER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_event_gets_its_normal_form),
		cmocka_unit_test(test_an_invalid_event_is_told_why),
		cmocka_unit_test(test_a_complaint_shows_the_value),
		cmocka_unit_test(test_the_kind_of_an_invalid_event_is_known),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
