#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/query.h"

static struct document document;
static struct buffer buffer;
static struct query query;

static int set_up(void **state)
{
	(void)state;
	buffer_init(&buffer, 1 << 20);
	return document_init(&document, QUERY_NODES_MAX);
}

static int tear_down(void **state)
{
	(void)state;
	document_deinit(&document);
	buffer_deinit(&buffer);
	return 0;
}

static void decode(const char *json)
{
	struct complaint complaint;
	int r = query_decode(&document, slice_of_text(json), &query, &complaint);

	if (r != 0) {
		fail_msg("%s: %s", json, complaint.message);
	}
}

static void test_get(void **state)
{
	(void)state;
	decode("{\"query\":\"get\",\"view\":\"products\",\"key\":[\"85123A\",5]}");
	assert_int_equal(query.type, QUERY_GET);
	assert_int_equal(query.encoding, ENCODING_JSON);
	assert_true(slice_equals_text(query.view, "products"));
	assert_int_equal(query.key->count, 2);
	assert_null(query.keys);
	assert_int_equal(query.timeout_ms, 1000);
	assert_true(query.max_lag == -1);
	assert_int_equal(query.after_count, 0);
	decode("{\"query\":\"get\",\"view\":\"products\",\"keys\":[[\"a\"],[\"b\"]]}");
	assert_int_equal(query.keys->count, 2);
	assert_null(query.key);
}

static void test_top(void **state)
{
	(void)state;
	decode("{\"query\":\"top\",\"view\":\"products\",\"by\":\"total_revenue\"}");
	assert_int_equal(query.type, QUERY_TOP);
	assert_int_equal(query.limit, TOP_LIMIT_DEFAULT);
	assert_false(query.ascending);
	assert_true(slice_equals_text(query.by, "total_revenue"));
	decode(" {\"query\":\"top\",\"view\":\"v\",\"by\":\"x\",\"limit\":10000,\"order\":"
	       "\"asc\"}");
	assert_int_equal(query.limit, TOP_LIMIT_MAX);
	assert_true(query.ascending);
}

static void test_scan(void **state)
{
	(void)state;
	decode("{\"query\":\"scan\",\"view\":\"v\"}");
	assert_null(query.from);
	assert_null(query.to);
	assert_int_equal(query.limit, SCAN_LIMIT_DEFAULT);
	decode("{\"query\":\"scan\",\"view\":\"v\",\"from\":[],\"to\":[\"a\",1],\"cursor\":\"c\"}");
	assert_int_equal(query.from->count, 0);
	assert_int_equal(query.to->count, 2);
	assert_true(slice_equals_text(query.cursor, "c"));
}

static void test_freshness_may_be_demanded(void **state)
{
	(void)state;
	decode("{\"query\":\"status\",\"timeout_ms\":60000,\"max_lag\":0,\"after\":["
	       "{\"edge\":\"uk\",\"run\":4711,\"kind\":\"order\",\"seq\":17},"
	       "{\"kind\":\"cart.dlq\",\"seq\":1,\"run\":1,\"edge\":\"de\"}]}");
	assert_int_equal(query.type, QUERY_STATUS);
	assert_int_equal(query.timeout_ms, 60000);
	assert_true(query.max_lag == 0);
	assert_int_equal(query.after_count, 2);
	assert_true(slice_equals_text(query.after[0].edge, "uk"));
	assert_true(query.after[0].run == 4711 && query.after[0].seq == 17);
	assert_int_equal(query.after[1].kind, KIND_CART_DLQ);
}

static void test_requests_come_as_msgpack_too(void **state)
{
	struct complaint complaint;

	(void)state;
	assert_int_equal(
		query_decode(&document, slice_of("\x81\xa5query\xa5views", 13), &query, &complaint),
		0);
	assert_int_equal(query.type, QUERY_VIEWS);
	assert_int_equal(query.encoding, ENCODING_MSGPACK);
	decode("{\"query\":\"edges\"}");
	decode("{\"query\":\"ledger\"}");
	assert_string_equal(query_type_name(query.type), "ledger");
	assert_false(query.has_kind);
	assert_int_equal(query.about.edge.size, 0);
	decode("{\"query\":\"ledger\",\"run\":4711,\"kind\":\"cart\"}");
	assert_true(query.has_kind);
	assert_int_equal(query.about.kind, KIND_CART);
	assert_int_equal(query.about.run, 4711);
	decode("{\"query\":\"trace\",\"edge\":\"uk\",\"run\":1,\"kind\":\"view\",\"seq\":9}");
	assert_true(slice_equals_text(query.about.edge, "uk"));
	assert_int_equal(query.about.seq, 9);
}

static void test_what_administrators_ask(void **state)
{
	(void)state;
	decode("{\"query\":\"forget\",\"user\":\"17850\",\"revoke\":true}");
	assert_int_equal(query.type, QUERY_FORGET);
	assert_true(slice_equals_text(query.user, "17850"));
	assert_true(query.revoke);
	decode("{\"query\":\"forget\",\"user\":\"17850\"}");
	assert_false(query.revoke);
	decode("{\"query\":\"quarantine\"}");
	assert_int_equal(query.limit, LIST_LIMIT_DEFAULT);
	assert_int_equal(query.user.size, 0);
	decode("{\"query\":\"forgotten\",\"limit\":10000,\"cursor\":\"ab\"}");
	assert_int_equal(query.limit, LIST_LIMIT_MAX);
	assert_true(query_needs_admin(QUERY_FORGOTTEN));
	assert_true(query_needs_admin(QUERY_QUARANTINE));
	assert_false(query_needs_admin(QUERY_LEDGER));
}

static void test_what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *json, *code, *message;
	} rows[] = {
		{"{", "bad_request", ""},
		{"[]", "bad_request", "must be a map"},
		{"{\"query\":\"views\",\"query\":\"views\"}", "bad_request", "query"},
		{"{}", "bad_request", "query"},
		{"{\"query\":5}", "bad_request", "query"},
		{"{\"query\":\"gett\"}", "unknown_query", "gett"},
		{"{\"query\":\"views\",\"veiw\":\"x\"}", "bad_request", "veiw"},
		{"{\"query\":\"views\",\"view\":\"x\"}", "bad_request", "view"},
		{"{\"query\":\"get\",\"view\":\"v\",\"key\":[\"a\"],\"limit\":5}", "bad_request",
			"limit"},
		{"{\"query\":\"get\",\"key\":[\"a\"]}", "bad_request", "view"},
		{"{\"query\":\"get\",\"view\":5,\"key\":[\"a\"]}", "bad_request", "view"},
		{"{\"query\":\"get\",\"view\":\"v\"}", "bad_request", "key"},
		{"{\"query\":\"get\",\"view\":\"v\",\"key\":[\"a\"],\"keys\":[[\"a\"]]}",
			"bad_request", "key"},
		{"{\"query\":\"get\",\"view\":\"v\",\"key\":\"a\"}", "bad_request", "array"},
		{"{\"query\":\"get\",\"view\":\"v\",\"key\":[]}", "bad_request", "1 to 5"},
		{"{\"query\":\"get\",\"view\":\"v\",\"key\":[1,2,3,4,5,6]}", "bad_request",
			"1 to 5"},
		{"{\"query\":\"get\",\"view\":\"v\",\"key\":[true]}", "bad_request", "text"},
		{"{\"query\":\"get\",\"view\":\"v\",\"keys\":[]}", "bad_request", "keys"},
		{"{\"query\":\"get\",\"view\":\"v\",\"keys\":[\"a\"]}", "bad_request", "keys"},
		{"{\"query\":\"top\",\"view\":\"v\"}", "bad_request", "by"},
		{"{\"query\":\"top\",\"view\":\"v\",\"by\":\"\"}", "bad_request", "by"},
		{"{\"query\":\"top\",\"view\":\"v\",\"by\":\"m\",\"limit\":0}", "bad_request",
			"limit"},
		{"{\"query\":\"top\",\"view\":\"v\",\"by\":\"m\",\"limit\":\"5\"}", "bad_request",
			"limit"},
		{"{\"query\":\"top\",\"view\":\"v\",\"by\":\"m\",\"limit\":10001}", "too_large",
			"10000"},
		{"{\"query\":\"top\",\"view\":\"v\",\"by\":\"m\",\"order\":\"up\"}", "bad_request",
			"order"},
		{"{\"query\":\"scan\",\"view\":\"v\",\"from\":{}}", "bad_request", "from"},
		{"{\"query\":\"scan\",\"view\":\"v\",\"to\":[[]]}", "bad_request", "to"},
		{"{\"query\":\"scan\",\"view\":\"v\",\"cursor\":1}", "bad_request", "cursor"},
		{"{\"query\":\"scan\",\"view\":\"v\",\"limit\":100001}", "too_large", "100000"},
		{"{\"query\":\"views\",\"timeout_ms\":60001}", "too_large", "timeout_ms"},
		{"{\"query\":\"views\",\"timeout_ms\":-1}", "bad_request", "timeout_ms"},
		{"{\"query\":\"views\",\"max_lag\":-1}", "bad_request", "max_lag"},
		{"{\"query\":\"views\",\"after\":{}}", "bad_request", "after"},
		{"{\"query\":\"views\",\"after\":[5]}", "bad_request", "after"},
		{"{\"query\":\"views\",\"after\":[{\"edge\":\"e\",\"run\":1,\"kind\":\"order\"}]}",
			"bad_request", "after"},
		{"{\"query\":\"views\",\"after\":[{\"edge\":\"e\",\"run\":1,\"kind\":\"order\","
		 "\"seq\":0}]}",
			"bad_request", "after"},
		{"{\"query\":\"views\",\"after\":[{\"edge\":\"e\",\"run\":1,\"kind\":\"sale\","
		 "\"seq\":1}]}",
			"bad_request", "after"},
		{"{\"query\":\"views\",\"after\":[{\"edge\":\"e\",\"run\":1,\"kind\":\"order\","
		 "\"seq\":1,\"x\":1}]}",
			"bad_request", "after"},
	};
	struct complaint complaint;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int r = query_decode(&document, slice_of_text(rows[i].json), &query, &complaint);
		if (r != (int)complaint.reason ||
			strcmp(reason_code(complaint.reason), rows[i].code) != 0 ||
			strstr(complaint.message, rows[i].message) == NULL) {
			fail_msg("%s: %d %s: %s", rows[i].json, r, reason_code(complaint.reason),
				complaint.message);
		}
	}
}

static void test_shares_and_bands_are_read(void **state)
{
	(void)state;
	decode("{\"query\":\"top\",\"view\":\"v\",\"by\":\"m\",\"until_share\":\"0.80\"}");
	assert_true(query.is_cumulative);
	assert_int_equal(query.until_share, 800000);
	assert_int_equal(query.limit, TOP_LIMIT_MAX);
	decode("{\"query\":\"top\",\"view\":\"v\",\"by\":\"m\"}");
	assert_false(query.is_cumulative);
	assert_int_equal(query.limit, TOP_LIMIT_DEFAULT);
	decode("{\"query\":\"bands\",\"view\":\"v\",\"by\":\"m\",\"edges\":[-1,\"0.5\",50]}");
	assert_int_equal(query.edge_count, 3);
	assert_int_equal((int64_t)query.edges[0], -1000000);
	assert_int_equal((int64_t)query.edges[1], 500000);
	assert_int_equal(query.band_count, 0);
	decode("{\"query\":\"bands\",\"view\":\"v\",\"by\":\"m\",\"count\":10,\"staged\":true}");
	assert_int_equal(query.band_count, 10);
	assert_int_equal(query.edge_count, 0);
	assert_true(query.is_staged);
	decode("{\"query\":\"staged\"}");
	assert_false(query.is_staged);
	assert_int_equal(query.view.size, 0);
	assert_true(query_needs_admin(QUERY_ACCEPT_STAGED));
	assert_true(query_needs_admin(QUERY_DROP_STAGED));
	assert_false(query_needs_admin(QUERY_STAGED));
}

static void test_what_is_wrong_in_shares_and_bands_is_named(void **state)
{
	static const struct {
		const char *rest, *message;
	} rows[] = {
		{"\"top\",\"cumulative\":1", "\"cumulative\" must be true or false"},
		{"\"top\",\"until_share\":\"0\"", "above 0 and at most 1"},
		{"\"top\",\"until_share\":\"1.01\"", "above 0 and at most 1"},
		{"\"top\",\"until_share\":\"80%\"", "above 0 and at most 1"},
		{"\"scan\",\"cumulative\":true", "has no"},
		{"\"bands\"", "\"edges\" or \"count\" is needed"},
		{"\"bands\",\"edges\":[1],\"count\":2", "\"edges\" or \"count\" is needed"},
		{"\"bands\",\"edges\":[]", "an array of 1 to 100"},
		{"\"bands\",\"edges\":[2,1]", "each above the one before"},
		{"\"bands\",\"edges\":[1,1]", "each above the one before"},
		{"\"bands\",\"edges\":[true]", "must hold decimal texts"},
		{"\"bands\",\"count\":102", "\"count\" may be at most 101"},
		{"\"bands\",\"count\":2,\"compare\":{\"shift\":\"7d\"}", "has no \"compare\""},
		{"\"get\",\"key\":[\"a\"],\"staged\":\"yes\"", "must be true or false"},
	};
	struct complaint complaint;
	char request[200];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool has_by = strncmp(rows[i].rest, "\"top\"", 5) == 0 ||
			      strncmp(rows[i].rest, "\"bands\"", 7) == 0;
		snprintf(request, sizeof request, "{\"view\":\"v\",%s\"query\":%s}",
			has_by ? "\"by\":\"m\"," : "", rows[i].rest);
		assert_true(
			query_decode(&document, slice_of_text(request), &query, &complaint) > 0);
		if (strstr(complaint.message, rows[i].message) == NULL) {
			fail_msg("%s: %s", request, complaint.message);
		}
	}
}

static void test_what_is_wrong_in_what_administrators_ask_is_named(void **state)
{
	static const struct {
		const char *json, *code, *message;
	} rows[] = {
		{"{\"query\":\"forget\"}", "bad_request", "user"},
		{"{\"query\":\"forget\",\"user\":\"\"}", "bad_request", "user"},
		{"{\"query\":\"forget\",\"user\":17850}", "bad_request", "user"},
		{"{\"query\":\"forget\",\"user\":\"a\",\"revoke\":1}", "bad_request", "revoke"},
		{"{\"query\":\"forget\",\"user\":\"a\",\"limit\":1}", "bad_request", "limit"},
		{"{\"query\":\"quarantine\",\"limit\":10001}", "too_large", "limit"},
	};
	struct complaint complaint;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int r = query_decode(&document, slice_of_text(rows[i].json), &query, &complaint);
		if (r != (int)complaint.reason ||
			strcmp(reason_code(complaint.reason), rows[i].code) != 0 ||
			strstr(complaint.message, rows[i].message) == NULL) {
			fail_msg("%s: %d %s: %s", rows[i].json, r, reason_code(complaint.reason),
				complaint.message);
		}
	}
}

/* `element`, `count` times, in a list under `key`. */
static int decode_list(const char *key, const char *element, int count)
{
	struct complaint complaint;
	char head[64];
	int size = snprintf(head, sizeof head, "{\"query\":\"get\",\"view\":\"v\",\"%s\":[", key);

	buffer_clear(&buffer);
	buffer_append(&buffer, head, (size_t)size);
	for (int i = 0; i < count; i++) {
		buffer_append_text(&buffer, i == 0 ? "" : ",");
		buffer_append_text(&buffer, element);
	}
	buffer_append_text(&buffer, "]}");
	return query_decode(&document, buffer_slice(&buffer), &query, &complaint);
}

static void test_the_limits_of_a_request(void **state)
{
	(void)state;
	assert_int_equal(decode_list("keys", "[1]", 1000), 0);
	assert_int_equal(decode_list("keys", "[1]", 1001), REASON_TOO_LARGE);
	assert_int_equal(decode_list("after", "5", 1001), REASON_TOO_LARGE);
	assert_int_equal(decode_list("keys", "[1]", 20000), REASON_TOO_LARGE); /* 64 KiB */
	assert_int_equal(decode_list("keys", "[[[[1]]]]", 1), REASON_BAD_REQUEST);
}

static void test_an_error_has_code_and_words(void **state)
{
	struct complaint complaint;

	(void)state;
	complaint_set(&complaint, REASON_UNKNOWN_VIEW, "", "no view \"prodcts\"");
	buffer_clear(&buffer);
	query_encode_error(&complaint, ENCODING_JSON, &buffer);
	buffer_append_byte(&buffer, 0);
	assert_string_equal((const char *)buffer.bytes,
		"{\"ok\":false,\"error\":{\"code\":\"unknown_view\",\"message\":\"no view "
		"\\\"prodcts\\\"\"}}");
}

static void test_one_that_is_busy_says_when_to_come_again(void **state)
{
	(void)state;
	buffer_clear(&buffer);
	query_encode_busy("later", 1500, ENCODING_JSON, &buffer);
	buffer_append_byte(&buffer, 0);
	assert_string_equal((const char *)buffer.bytes,
		"{\"ok\":false,\"error\":{\"code\":\"busy\",\"message\":\"later\","
		"\"retry_after_ms\":1500}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_that_is_busy_says_when_to_come_again),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_freshness_may_be_demanded),
		cmocka_unit_test(test_requests_come_as_msgpack_too),
		cmocka_unit_test(test_what_administrators_ask),
		cmocka_unit_test(test_what_is_wrong_is_named),
		cmocka_unit_test(test_shares_and_bands_are_read),
		cmocka_unit_test(test_what_is_wrong_in_shares_and_bands_is_named),
		cmocka_unit_test(test_what_is_wrong_in_what_administrators_ask_is_named),
		cmocka_unit_test(test_the_limits_of_a_request),
		cmocka_unit_test(test_an_error_has_code_and_words),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
