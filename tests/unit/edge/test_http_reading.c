#include "edge/http_reading.h"
#include "edge/line_batch.h"
#include "fixture.h"

struct bench {
	struct additions additions;
	struct line_batch *batch;
	struct http_reader reader;
	struct http_reading reading;
	const char *words;
};

static int make_bench(void **state)
{
	const struct line_rules rules = {
		.format = LINE_NDJSON, .delimiter = ',', .events_max = FRAME_EVENTS_MAX};
	struct bench *bench = calloc(1, sizeof *bench);
	struct pairs_error error;

	assert_non_null(bench);
	assert_int_equal(line_batch_new(&rules, &bench->batch, &error), 0);
	bench->reader = (struct http_reader){&bench->additions, bench->batch};
	*state = bench;
	return 0;
}

static int drop_bench(void **state)
{
	struct bench *bench = *state;
	line_batch_free(bench->batch);
	free(bench);
	return 0;
}

/* ---- the head */

static void assert_refused(const struct bench *bench, struct http_said said, const char *token,
	unsigned status, const char *words)
{
	struct http_refusal refusal;

	assert_false(http_head_is_taken(&said, token, &bench->additions, &refusal));
	assert_int_equal(refusal.status, status);
	assert_non_null(strstr(refusal.words, words));
	assert_true((refusal.header == NULL) == (status == 400));
}

static void assert_taken(const struct bench *bench, struct http_said said, const char *token)
{
	struct http_refusal refusal;
	assert_true(http_head_is_taken(&said, token, &bench->additions, &refusal));
}

static void test_a_head_is_judged_before_its_body(void **state)
{
	const struct bench *bench = *state;

	assert_taken(bench, (struct http_said){0}, NULL);
	assert_taken(bench, (struct http_said){.authorization = "Bearer t"}, "t");
	assert_taken(bench,
		(struct http_said){.type = "application/json", .key = "k", .kind = "cart"}, NULL);
	assert_refused(bench, (struct http_said){0}, "t", 401, "a token is needed");
	assert_refused(bench, (struct http_said){.authorization = "Bearer x"}, "t", 401, "not the");
	/* A stranger hears nothing but that. */
	assert_refused(bench, (struct http_said){.type = "text/css"}, "t", 401, "a token");
	assert_refused(bench, (struct http_said){.coding = "gzip"}, NULL, 415, "send it plain");
	assert_refused(bench, (struct http_said){.type = "text/css"}, NULL, 415, "x-ndjson");
	assert_refused(bench, (struct http_said){.key = ""}, NULL, 400, "Idempotency-Key");
	assert_refused(bench, (struct http_said){.kind = "carts"}, NULL, 400, "none of order");
	assert_refused(bench, (struct http_said){.kind = "order.dlq"}, NULL, 400, "none of order");
}

static void test_an_address_of_one_kind_takes_no_other(void **state)
{
	struct bench *bench = *state;
	struct config_error error;

	assert_int_equal(additions_read(&bench->additions, "cart", "", &error), 0);
	assert_taken(bench, (struct http_said){.kind = "cart"}, NULL);
	assert_refused(bench, (struct http_said){.kind = "view"}, NULL, 400, "another kind");
}

/* ---- the body */

static const struct submission *read_body(
	struct bench *bench, struct http_said said, struct slice body)
{
	bench->words = NULL;
	assert_int_equal(
		http_reading_make(&bench->reader, &said, body, &bench->reading, &bench->words), 0);
	return &bench->reading.submission;
}

static void assert_no_body(
	struct bench *bench, const char *type, struct slice body, const char *words)
{
	const struct http_said said = {.type = type};
	assert_int_equal(
		http_reading_make(&bench->reader, &said, body, &bench->reading, &bench->words),
		HTTP_E_REFUSED);
	assert_non_null(strstr(bench->words, words));
}

static void test_a_body_is_handed_in_as_it_came(void **state)
{
	struct bench *bench = *state;
	static const uint8_t map[] = {0x81, 0xa1, 'a', 1};
	struct slice json = slice_of_text("[" ORDER_JSON "]");

	const struct submission *submission = read_body(
		bench, (struct http_said){.type = "application/json", .key = "\"k\""}, json);
	assert_true(slice_equal(submission->events, json));
	assert_null(submission->items);
	assert_true(slice_equals_text(submission->request_key, "k"));
	assert_int_equal(submission->reply, SUBMISSION_REPLY_JSON);
	assert_false(submission->unattended);
	submission = read_body(bench, (struct http_said){0}, slice_of(map, sizeof map));
	assert_int_equal(submission->reply, SUBMISSION_REPLY_MSGPACK);
	assert_int_equal(submission->request_key.size, 0);
	submission = read_body(
		bench, (struct http_said){.accept = "application/json"}, slice_of(map, sizeof map));
	assert_int_equal(submission->reply, SUBMISSION_REPLY_JSON);
}

static void test_lines_are_events(void **state)
{
	struct bench *bench = *state;
	struct slice lines = slice_of_text(ORDER_JSON "\r\n\n  \nnone\n" CART_JSON);

	const struct submission *submission =
		read_body(bench, (struct http_said){.type = "application/x-ndjson"}, lines);
	assert_int_equal(submission->item_count, 3);
	assert_true(slice_equals_text(submission->items[0].event, ORDER_JSON));
	assert_int_equal(submission->items[1].event.size, 0);
	assert_true(slice_equals_text(submission->items[1].raw, "none"));
	assert_int_equal(submission->items[1].complaint->reason, REASON_BAD_FRAME);
	assert_true(slice_equals_text(submission->items[2].event, CART_JSON));
	/* What a key is compared by. */
	assert_true(slice_equal(submission->events, lines));
}

static void test_a_line_that_is_too_long_costs_itself_alone(void **state)
{
	struct bench *bench = *state;
	static char lines[3 * EVENT_RAW_SIZE_MAX];
	size_t size = 0;

	memcpy(lines, CART_JSON "\n", sizeof CART_JSON);
	size += sizeof CART_JSON;
	memset(lines + size, 'x', 2 * EVENT_RAW_SIZE_MAX);
	size += 2 * EVENT_RAW_SIZE_MAX;
	memcpy(lines + size, "\n" ORDER_JSON, sizeof ORDER_JSON);
	size += sizeof ORDER_JSON;
	const struct submission *submission = read_body(
		bench, (struct http_said){.type = "application/jsonl"}, slice_of(lines, size));
	assert_int_equal(submission->item_count, 3);
	assert_int_equal(submission->items[1].complaint->reason, REASON_TOO_LARGE);
	assert_int_equal(submission->items[1].raw.size, LINE_SAMPLE_SIZE);
	assert_true(slice_equals_text(submission->items[2].event, ORDER_JSON));
	/* Also as the last one. */
	submission = read_body(bench, (struct http_said){.type = "application/jsonl"},
		slice_of(lines, sizeof CART_JSON + 2 * EVENT_RAW_SIZE_MAX));
	assert_int_equal(submission->item_count, 2);
}

static void test_what_is_around_events_goes_with_them(void **state)
{
	struct bench *bench = *state;
	struct config_error error;

	assert_int_equal(additions_read(&bench->additions, "", "channel=web", &error), 0);
	const struct submission *submission =
		read_body(bench, (struct http_said){.kind = "cart"}, slice_of_text(CART_JSON));
	assert_int_equal(submission->addition_count, 2);
	assert_true(slice_equals_text(submission->additions[0].name, "channel"));
	assert_true(slice_equals_text(submission->additions[1].name, "kind"));
	assert_true(slice_equals_text(submission->additions[1].value, "cart"));
	assert_int_equal(additions_read(&bench->additions, "cart", "", &error), 0);
	submission = read_body(bench, (struct http_said){.kind = "cart"}, slice_of_text(CART_JSON));
	assert_int_equal(submission->addition_count, 1);
}

static void test_bodies_without_events_are_refused(void **state)
{
	struct bench *bench = *state;
	static char many[(FRAME_EVENTS_MAX + 1) * 3];

	assert_no_body(bench, NULL, slice_of_text(""), "the body is empty");
	assert_no_body(bench, "application/jsonl", slice_of_text("\n \r\n"), "every line is empty");
	assert_no_body(bench, "application/json", slice_of_text("\x81\xa1"), "says JSON");
	assert_no_body(bench, "application/msgpack", slice_of_text("{}"), "says msgpack");
	for (int i = 0; i <= FRAME_EVENTS_MAX; i++) {
		memcpy(many + 3 * i, "{}\n", 3);
	}
	assert_no_body(bench, "application/jsonl", slice_of(many, sizeof many), "10000 lines");
	const struct submission *submission =
		read_body(bench, (struct http_said){.type = "application/jsonl"},
			slice_of(many, 3 * FRAME_EVENTS_MAX));
	assert_int_equal(submission->item_count, FRAME_EVENTS_MAX);
}

#define READING_TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, drop_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READING_TEST(test_a_head_is_judged_before_its_body),
		READING_TEST(test_an_address_of_one_kind_takes_no_other),
		READING_TEST(test_a_body_is_handed_in_as_it_came),
		READING_TEST(test_lines_are_events),
		READING_TEST(test_a_line_that_is_too_long_costs_itself_alone),
		READING_TEST(test_what_is_around_events_goes_with_them),
		READING_TEST(test_bodies_without_events_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
