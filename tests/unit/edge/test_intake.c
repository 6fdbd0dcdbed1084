#include "intake_bench.h"
#include "proto/dead_letter.h"

/* ---- events */

static void test_an_order_is_numbered_and_answered(void **state)
{
	struct bench *bench = *state;
	struct event event;
	struct complaint complaint;

	const struct reply *reply = take_text(bench, NULL, ORDER_JSON);
	assert_true(reply->ok);
	assert_int_equal(reply->accepted, 1);
	assert_true(reply->durable);
	assert_true(slice_equals_text(reply->edge, "berlin-1"));
	assert_int_equal(reply->run, 4711);
	assert_int_equal(reply->seq[KIND_ORDER].first, 1);
	assert_int_equal(reply->seq[KIND_ORDER].last, 1);
	assert_int_equal(reply->last_n, 0);

	assert_int_equal(event_decode(&bench->document, ENCODING_MSGPACK,
				 first_event(bench, KIND_ORDER), &event, &complaint),
		0);
	assert_int_equal(event.certificate.seq, 1);
	assert_int_equal(event.ts_ms, 1700000000000);
	assert_int_equal(event.unit_price, 2550000);
	assert_true(slice_equals_text(event.text[FIELD_CURRENCY], "EUR"));
}

static void test_a_frame_may_mix_kinds(void **state)
{
	struct bench *bench = *state;

	const struct reply *reply = take_text(
		bench, NULL, "[" ORDER_JSON "," CART_JSON "," VIEW_JSON "," ORDER_JSON "]");
	assert_int_equal(reply->accepted, 4);
	assert_int_equal(reply->seq[KIND_ORDER].last, 2);
	assert_int_equal(reply->seq[KIND_CART].last, 1);
	assert_int_equal(reply->seq[KIND_VIEW].last, 1);
	assert_int_equal(bench->counts.accepted[KIND_ORDER], 2);
	assert_int_equal(bench->draft.event_count, 4);
}

static void test_msgpack_is_answered_in_msgpack(void **state)
{
	struct bench *bench = *state;
	/* {"kind":"view","page":"/"} */
	static const uint8_t view[] = {0x82, 0xa4, 'k', 'i', 'n', 'd', 0xa4, 'v', 'i', 'e', 'w',
		0xa4, 'p', 'a', 'g', 'e', 0xa1, '/'};

	const struct reply *reply = take(bench, NULL, slice_of(view, sizeof view));
	assert_int_equal(reply->accepted, 1);
	assert_int_equal(encoding_of(buffer_slice(&bench->reply)), ENCODING_MSGPACK);
}

/* An invalid event is told, kept as a dead letter with its bytes, and stops none of its neighbours. */
static void test_an_invalid_event_becomes_a_dead_letter(void **state)
{
	struct bench *bench = *state;
	struct dead_letter letter;
	struct complaint complaint;

	const struct reply *reply =
		take_text(bench, NULL, "[" ORDER_JSON "," BAD_ORDER_JSON "," ORDER_JSON "]");
	assert_false(reply->ok);
	assert_int_equal(reply->accepted, 2);
	assert_int_equal(reply->invalid, 1);
	assert_int_equal(reply->error_count, 1);
	assert_int_equal(reply->errors[0].index, 1);
	assert_int_equal(reply->errors[0].complaint.reason, REASON_BAD_VALUE);
	assert_string_equal(reply->errors[0].complaint.field, "unit_price");
	assert_int_equal(reply->seq[KIND_ORDER_DLQ].first, 1);
	assert_int_equal(bench->counts.invalid[REASON_BAD_VALUE], 1);

	assert_int_equal(dead_letter_decode(&bench->document, first_event(bench, KIND_ORDER_DLQ),
				 &letter, &complaint),
		0);
	assert_true(slice_equals_text(letter.bytes, BAD_ORDER_JSON));
	assert_true(slice_equals_text(letter.source, "zmq"));
	assert_true(slice_equals_text(letter.refused_by, "edge"));
	assert_int_equal(letter.reason, REASON_BAD_VALUE);
	assert_int_equal(letter.received_ms, 1700000000000);
	assert_int_equal(letter.certificate.kind, KIND_ORDER_DLQ);
}

static void test_errors_are_listed_up_to_a_hundred_and_counted_beyond(void **state)
{
	struct bench *bench = *state;
	char frame[4096] = "[1";

	for (int i = 0; i < 149; i++) {
		strcat(frame, ",1");
	}
	strcat(frame, "]");
	const struct reply *reply = take_text(bench, NULL, frame);
	assert_int_equal(reply->invalid, 150);
	assert_int_equal(reply->error_count, REPLY_ERRORS_MAX);
	assert_int_equal(bench->draft.event_count, 150);
}

/* ---- frames that are refused whole */

static void test_frames_that_cannot_be_cut_are_refused(void **state)
{
	struct bench *bench = *state;
	static const uint8_t bomb[] = {0xdd, 0xff, 0xff, 0xff, 0xff};

	expect_refused(bench, take_text(bench, NULL, "[{\"order_id\":"), REASON_BAD_FRAME);
	expect_refused(bench, take_text(bench, NULL, ""), REASON_BAD_FRAME);
	expect_refused(bench, take_text(bench, NULL, "[]"), REASON_BAD_FRAME);
	const struct reply *reply = take(bench, NULL, slice_of(bomb, sizeof bomb));
	assert_false(reply->ok);
	assert_true(draft_is_empty(&bench->draft));
	assert_int_equal(bench->counts.received, 4);
}

static void test_a_frame_over_the_limit_is_too_large(void **state)
{
	struct bench *bench = *state;
	size_t size = FRAME_SIZE_MAX + 1;
	char *frame = malloc(size);

	memset(frame, ' ', size);
	frame[0] = '[';
	expect_refused(bench, take(bench, NULL, slice_of(frame, size)), REASON_TOO_LARGE);
	free(frame);
}

static void test_a_bad_header_refuses_the_frame(void **state)
{
	struct bench *bench = *state;

	const struct reply *reply = take_text(bench, "{\"producer\":\"p\"}", ORDER_JSON);
	assert_false(reply->ok);
	assert_int_not_equal(reply->refusal.reason, REASON_NONE);
	assert_true(draft_is_empty(&bench->draft));
}

static void test_a_full_spool_refuses_and_says_when_to_come_again(void **state)
{
	struct bench *bench = *state;

	spool_index_add(&bench->index, KIND_ORDER, 0, 1, 1 << 20);
	const struct reply *reply = take_text(bench, NULL, "[" ORDER_JSON "," ORDER_JSON "]");
	expect_refused(bench, reply, REASON_SPOOL_FULL);
	assert_int_equal(reply->retry_after_ms, 1000);
	assert_int_equal(bench->counts.refused[REASON_SPOOL_FULL], 2);
}

static void test_a_full_lane_is_named(void **state)
{
	struct bench *bench = *state;

	spool_index_add(&bench->index, KIND_CART, 0, 1, 104000);
	const struct reply *reply = take_text(bench, NULL, CART_JSON);
	expect_refused(bench, reply, REASON_SPOOL_FULL);
	assert_non_null(strstr(reply->refusal.message, "cart"));
	assert_true(take_text(bench, NULL, ORDER_JSON)->ok);
}

static void test_a_full_disk_is_named(void **state)
{
	struct bench *bench = *state;

	bench->index.short_of_disk = true;
	const struct reply *reply = take_text(bench, NULL, ORDER_JSON);
	expect_refused(bench, reply, REASON_SPOOL_FULL);
	assert_non_null(strstr(reply->refusal.message, "disk"));
}

static void test_a_closing_edge_refuses_everything(void **state)
{
	struct bench *bench = *state;
	const struct submission submission = {
		.events = slice_of_text("[" ORDER_JSON "," ORDER_JSON "]"),
		.reply = SUBMISSION_REPLY_JSON};
	const struct intake_frame frame = {.submission = &submission, .source = "zmq"};

	buffer_clear(&bench->reply);
	intake_refuse(&frame, REASON_SHUTTING_DOWN, &bench->reply, &bench->counts);
	check_books(&bench->counts);
	const struct reply *reply = decode(bench);
	expect_refused(bench, reply, REASON_SHUTTING_DOWN);
	assert_int_equal(bench->counts.received, 2);
	assert_int_equal(reply->retry_after_ms, 1000);
}

/* ---- numbered frames */

static void test_a_numbered_frame_is_remembered_with_its_reply(void **state)
{
	struct bench *bench = *state;
	struct producer_row row;

	const struct reply *reply = take_text(bench, "{\"producer\":\"p\",\"n\":5}", ORDER_JSON);
	assert_true(reply->ok);
	assert_int_equal(reply->last_n, 5);
	const struct idmap_entry *entry = idmap_find(&bench->draft.producers, slice_of_text("p"));
	assert_non_null(entry);
	assert_true(producer_row_decode(
		slice_of_text("p"), idmap_value(&bench->draft.producers, entry), &row));
	assert_int_equal(row.n, 5);
	assert_int_equal(row.used_ms, 1600000000000);
}

static void test_a_repeat_within_the_group_gets_the_first_reply(void **state)
{
	struct bench *bench = *state;

	take_text(bench, "{\"producer\":\"p\",\"n\":5}", "[" ORDER_JSON "," BAD_ORDER_JSON "]");
	const struct reply *reply = take_text(
		bench, "{\"producer\":\"p\",\"n\":5}", "[" ORDER_JSON "," BAD_ORDER_JSON "]");
	assert_true(reply->repeated);
	assert_false(reply->ok);
	assert_int_equal(reply->accepted, 1);
	assert_int_equal(reply->invalid, 1);
	assert_int_equal(reply->error_count, 1);
	assert_int_equal(reply->seq[KIND_ORDER].last, 1);
	assert_int_equal(bench->draft.event_count, 2);
	assert_int_equal(bench->counts.repeated, 2);
}

/* The row comes out of the spool: a later process, another run. */
static void test_a_repeat_after_a_restart_gets_the_first_reply(void **state)
{
	struct bench *bench = *state;
	struct buffer kept;

	take_text(bench, "{\"producer\":\"p\",\"n\":5}", ORDER_JSON);
	const struct idmap_entry *entry = idmap_find(&bench->draft.producers, slice_of_text("p"));
	struct slice row = idmap_value(&bench->draft.producers, entry);
	buffer_init(&kept, 4096);
	buffer_append(&kept, row.bytes, row.size);
	assert_true(
		producer_row_decode(slice_of_text("p"), buffer_slice(&kept), &bench->memory.row));
	strcpy(bench->memory.producer, "p");
	draft_clear(&bench->draft);
	draft_set_run(&bench->draft, 4712);

	const struct reply *reply = take_text(bench, "{\"producer\":\"p\",\"n\":5}", ORDER_JSON);
	assert_true(reply->ok);
	assert_true(reply->repeated);
	assert_int_equal(reply->run, 4711);
	assert_int_equal(reply->last_n, 5);
	assert_true(draft_is_empty(&bench->draft));

	reply = take_text(bench, "{\"producer\":\"p\",\"n\":4}", ORDER_JSON);
	assert_true(reply->ok);
	assert_true(reply->repeated);
	assert_int_equal(reply->accepted, 0);
	assert_int_equal(reply->last_n, 5);
	assert_int_equal(reply->run, 4712);
	assert_true(draft_is_empty(&bench->draft));

	reply = take_text(bench, "{\"producer\":\"p\",\"n\":6}", ORDER_JSON);
	assert_false(reply->repeated);
	assert_int_equal(reply->accepted, 1);
	buffer_deinit(&kept);
}

/* Refused frames are not counted: the same number is new when it comes again. */
static void test_a_refused_number_stays_free(void **state)
{
	struct bench *bench = *state;

	bench->index.short_of_pages = true;
	assert_false(take_text(bench, "{\"producer\":\"p\",\"n\":5}", ORDER_JSON)->ok);
	bench->index.short_of_pages = false;
	const struct reply *reply = take_text(bench, "{\"producer\":\"p\",\"n\":5}", ORDER_JSON);
	assert_true(reply->ok);
	assert_false(reply->repeated);
	assert_int_equal(reply->seq[KIND_ORDER].first, 1);
}

static void test_damaged_and_too_many_producers_are_refused(void **state)
{
	struct bench *bench = *state;

	bench->memory.producer_result = SPOOL_E_CORRUPT;
	expect_refused(bench, take_text(bench, "{\"producer\":\"p\",\"n\":5}", ORDER_JSON),
		REASON_INTERNAL);
	bench->memory.producer_result = SPOOL_E_FULL;
	expect_refused(bench, take_text(bench, "{\"producer\":\"p\",\"n\":5}", ORDER_JSON),
		REASON_SPOOL_FULL);
}

/* ---- event_id */

static void test_a_known_event_id_is_a_repeat(void **state)
{
	struct bench *bench = *state;
	static const char order[] =
		"{\"order_id\":\"1\",\"product_id\":\"t\",\"unit_price\":1,\"event_id\":\"%s\"}";
	char known[128];
	char fresh[128];
	char frame[512];

	snprintf(known, sizeof known, "%s", order);
	memcpy(strstr(known, "%s"), "e1", 2);
	snprintf(fresh, sizeof fresh, "%s", order);
	memcpy(strstr(fresh, "%s"), "e2", 2);
	bench->memory.event_id = "e1";
	snprintf(frame, sizeof frame, "[%s,%s,%s]", known, fresh, fresh);
	const struct reply *reply = take_text(bench, NULL, frame);
	assert_true(reply->ok);
	assert_int_equal(reply->accepted, 1);
	assert_int_equal(reply->repeated_events, 2);
	assert_int_equal(bench->counts.repeated, 2);
	assert_int_equal(bench->draft.event_ids.count, 1);
}

static void test_ids_that_can_not_be_remembered_refuse_their_frame(void **state)
{
	struct bench *bench = *state;
	static const char order[] = "{\"order_id\":\"1\",\"product_id\":\"t\",\"unit_price\":1,"
				    "\"event_id\":\"dlq:orders.dlq/0/7\"}";

	bench->memory.ids_are_full = true;
	expect_refused(bench, take_text(bench, NULL, order), REASON_SPOOL_FULL);
	assert_true(draft_is_empty(&bench->draft));
	bench->memory.event_id = "dlq:orders.dlq/0/7";
	assert_int_equal(take_text(bench, NULL, order)->repeated_events, 1);
}

static void test_the_event_ids_of_a_refused_frame_are_not_remembered(void **state)
{
	struct bench *bench = *state;
	static const char order[] =
		"{\"order_id\":\"1\",\"product_id\":\"t\",\"unit_price\":1,\"event_id\":\"e\"}";

	bench->index.short_of_pages = true;
	assert_false(take_text(bench, NULL, order)->ok);
	bench->index.short_of_pages = false;
	assert_int_equal(take_text(bench, NULL, order)->accepted, 1);
}

/* ---- unattended sources */

static void test_an_unattended_frame_that_cannot_be_cut_is_kept_whole(void **state)
{
	struct bench *bench = *state;
	struct dead_letter letter;
	struct complaint complaint;
	const struct submission submission = {.events = slice_of_text("[{"), .unattended = true};

	assert_int_equal(take_from(bench, "push", &submission), 0);
	assert_int_equal(dead_letter_decode(&bench->document, first_event(bench, KIND_ORDER_DLQ),
				 &letter, &complaint),
		0);
	assert_true(slice_equals_text(letter.bytes, "[{"));
	assert_true(slice_equals_text(letter.source, "push"));
	assert_int_equal(letter.reason, REASON_BAD_FRAME);
	assert_int_equal(bench->counts.invalid[REASON_BAD_FRAME], 1);
}

static void test_an_unattended_frame_without_room_is_given_back(void **state)
{
	struct bench *bench = *state;
	struct submission submission = {.events = slice_of_text(ORDER_JSON), .unattended = true};

	bench->index.short_of_pages = true;
	assert_int_equal(take_from(bench, "push", &submission), INTAKE_E_FULL);
	assert_int_equal(bench->counts.received, 0);
	assert_true(draft_is_empty(&bench->draft));
	submission.events = slice_of_text("[{");
	assert_int_equal(take_from(bench, "push", &submission), INTAKE_E_FULL);
	assert_true(draft_is_empty(&bench->draft));
}

/* ---- what a source has cut itself, and what stands around events */

static void test_items_are_taken_one_by_one(void **state)
{
	struct bench *bench = *state;
	struct complaint complaint;
	struct dead_letter letter;
	const struct submission_item items[] = {
		{.event = slice_of_text(ORDER_JSON), .raw = slice_of_text("1;tea;2;2.55")},
		{.event = slice_of_text(BAD_ORDER_JSON), .raw = slice_of_text("1;tea;;2,55")},
		{.raw = slice_of_text("1;tea"), .complaint = &complaint},
		{.event = slice_of_text(CART_JSON), .raw = slice_of_text(CART_JSON)},
	};
	const struct submission submission = {.items = items,
		.item_count = 4,
		.detail = slice_of_text("sales.csv"),
		.reply = SUBMISSION_REPLY_JSON,
		.unattended = true};

	complaint_set(&complaint, REASON_BAD_FRAME, "", "2 cells instead of 4");
	assert_int_equal(take_from(bench, "tail:pos", &submission), 0);
	assert_int_equal(bench->result.outcome, SUBMISSION_TAKEN);
	assert_int_equal(bench->result.accepted, 2);
	assert_int_equal(bench->result.invalid, 2);
	const struct reply *reply = decode(bench);
	assert_int_equal(reply->errors[0].index, 1);
	assert_int_equal(reply->errors[1].index, 2);
	assert_string_equal(reply->errors[1].complaint.message, "2 cells instead of 4");
	struct slice letters = first_event(bench, KIND_ORDER_DLQ);
	struct slice first;
	assert_true(event_cut(&letters, &first));
	assert_int_equal(dead_letter_decode(&bench->document, first, &letter, &complaint), 0);
	assert_true(slice_equals_text(letter.bytes, "1;tea;;2,55"));
	assert_true(slice_equals_text(letter.source, "tail:pos sales.csv"));
}

/* A bridge that can't read a letter can't even mark its seq as rejected: the books would never add up. */
static void test_a_detail_that_is_no_text_leaves_the_letter_readable(void **state)
{
	struct bench *bench = *state;
	struct dead_letter letter;
	struct complaint complaint;
	struct submission submission = {.events = slice_of_text(BAD_ORDER_JSON),
		.detail = slice_of("caf\xe9\0\xc3\xa9.csv", 11),
		.unattended = true};

	assert_int_equal(take_from(bench, "drop:a", &submission), 0);
	assert_int_equal(dead_letter_decode(&bench->document, first_event(bench, KIND_ORDER_DLQ),
				 &letter, &complaint),
		0);
	assert_true(slice_equals_text(letter.source, "drop:a caf??\xc3\xa9.csv"));
}

static void test_a_long_detail_is_cut_between_characters(void **state)
{
	struct bench *bench = *state;
	struct complaint complaint;
	struct dead_letter letter;
	char topic[300];
	struct submission submission = {
		.events = slice_of_text(BAD_ORDER_JSON), .unattended = true};

	for (int i = 0; i < 149; i++) {
		memcpy(topic + 2 * i, "\xc3\xa4", 3);
	}
	submission.detail = slice_of_text(topic);
	assert_int_equal(take_from(bench, "mqtt:s", &submission), 0);
	assert_int_equal(dead_letter_decode(&bench->document, first_event(bench, KIND_ORDER_DLQ),
				 &letter, &complaint),
		0); /* which refuses text that is no UTF-8 */
	assert_in_range(
		letter.source.size, DEAD_LETTER_SOURCE_SIZE_MAX - 1, DEAD_LETTER_SOURCE_SIZE_MAX);
}

static void test_additions_go_to_every_event(void **state)
{
	struct bench *bench = *state;
	const struct event_addition additions[] = {{slice_of_text("kind"), slice_of_text("cart")},
		{slice_of_text("store"), slice_of_text("17")}};
	const struct submission submission = {
		.events = slice_of_text("[{\"product_id\":\"tea\",\"action\":\"add\"},"
					"{\"product_id\":\"tea\",\"action\":\"remove\"}]"),
		.additions = additions,
		.addition_count = 2};

	assert_int_equal(take_from(bench, "mqtt:s", &submission), 0);
	assert_int_equal(bench->counts.accepted[KIND_CART], 2);
	assert_int_equal(bench->result.accepted, 2);
}

static struct slice mark_of(struct bench *bench, const char *key, size_t size)
{
	const struct idmap_entry *entry =
		idmap_find(&bench->draft.marks, slice_of((const uint8_t *)key, size));

	assert_non_null(entry);
	return idmap_value(&bench->draft.marks, entry);
}

static void test_marks_are_kept_with_the_events_or_not_at_all(void **state)
{
	struct bench *bench = *state;
	const struct source_mark marks[] = {{slice_of_text("pos"), slice_of_text("42")},
		{slice_of_text("old"), slice_of(NULL, 0)}};
	struct submission submission = {.events = slice_of_text(ORDER_JSON),
		.marks = marks,
		.mark_count = 2,
		.unattended = true};

	bench->index.short_of_pages = true;
	assert_int_equal(take_from(bench, "tail:p", &submission), INTAKE_E_FULL);
	assert_int_equal(bench->draft.marks.count, 0);
	bench->index.short_of_pages = false;
	assert_int_equal(take_from(bench, "tail:p", &submission), 0);
	struct slice put = mark_of(bench, "tail:p\0pos", 10);
	assert_int_equal(put.size, 3);
	assert_int_equal(put.bytes[0], DRAFT_MARK_PUT);
	assert_memory_equal(put.bytes + 1, "42", 2);
	assert_int_equal(mark_of(bench, "tail:p\0old", 10).bytes[0], DRAFT_MARK_DELETE);
}

static void test_marks_alone_need_no_room_and_are_no_frame(void **state)
{
	struct bench *bench = *state;
	const struct source_mark mark = {slice_of_text("7"), slice_of(NULL, 0)};
	const struct submission submission = {.marks = &mark, .mark_count = 1, .unattended = true};

	bench->index.short_of_pages = true;
	assert_int_equal(take_from(bench, "mqtt:s", &submission), 0);
	assert_int_equal(bench->result.outcome, SUBMISSION_TAKEN);
	assert_int_equal(bench->draft.marks.count, 1);
	assert_false(draft_is_empty(&bench->draft));
	assert_int_equal(bench->counts.frames, 0);
	assert_int_equal(bench->counts.received, 0);
}

/* ---- requests with a key */

static void ask_with_key(
	struct bench *bench, const char *source, const char *key, const char *events)
{
	const struct submission submission = {.events = slice_of_text(events),
		.request_key = slice_of_text(key),
		.reply = SUBMISSION_REPLY_JSON};

	assert_int_equal(take_from(bench, source, &submission), 0);
}

static void test_a_request_with_a_known_key_gets_the_first_reply(void **state)
{
	struct bench *bench = *state;

	ask_with_key(bench, "http:in", "k1", "[" ORDER_JSON "," BAD_ORDER_JSON "]");
	assert_int_equal(bench->result.accepted, 1);
	ask_with_key(bench, "http:in", "k1", "[" ORDER_JSON "," BAD_ORDER_JSON "]");
	assert_int_equal(bench->result.outcome, SUBMISSION_TAKEN);
	assert_true(bench->result.repeated);
	assert_int_equal(bench->result.accepted, 1);
	assert_int_equal(bench->result.invalid, 1);
	const struct reply *reply = decode(bench);
	assert_true(reply->repeated);
	assert_int_equal(reply->seq[KIND_ORDER].first, 1);
	assert_int_equal(reply->last_n, 0);
	assert_int_equal(bench->counts.accepted[KIND_ORDER], 1);
	assert_int_equal(bench->counts.repeated, 2);
}

static void test_a_key_belongs_to_one_source(void **state)
{
	struct bench *bench = *state;

	ask_with_key(bench, "http:in", "k1", ORDER_JSON);
	ask_with_key(bench, "http:out", "k1", ORDER_JSON);
	ask_with_key(bench, "http:in", "k2", ORDER_JSON);
	assert_int_equal(bench->counts.accepted[KIND_ORDER], 3);
}

static void test_a_key_that_comes_with_other_events_is_refused(void **state)
{
	struct bench *bench = *state;

	ask_with_key(bench, "http:in", "k1", ORDER_JSON);
	ask_with_key(bench, "http:in", "k1", CART_JSON);
	assert_int_equal(bench->result.outcome, SUBMISSION_REFUSED);
	assert_int_equal(bench->result.refusal, REASON_BAD_VALUE);
	assert_int_equal(bench->counts.accepted[KIND_CART], 0);
	assert_int_equal(bench->counts.refused[REASON_BAD_VALUE], 1);
}

static void test_a_refused_request_is_not_remembered(void **state)
{
	struct bench *bench = *state;

	bench->index.short_of_pages = true;
	ask_with_key(bench, "http:in", "k1", ORDER_JSON);
	assert_int_equal(bench->result.refusal, REASON_SPOOL_FULL);
	bench->index.short_of_pages = false;
	ask_with_key(bench, "http:in", "k1", ORDER_JSON);
	assert_false(bench->result.repeated);
	assert_int_equal(bench->counts.accepted[KIND_ORDER], 1);
}

/* ---- counts */

static void test_a_group_without_room_moves_its_counts_to_refused(void **state)
{
	struct bench *bench = *state;

	take_text(bench, NULL, "[" ORDER_JSON "," BAD_ORDER_JSON "," CART_JSON "]");
	intake_counts_refuse(&bench->counts, REASON_SPOOL_FULL);
	check_books(&bench->counts);
	assert_int_equal(bench->counts.refused[REASON_SPOOL_FULL], 3);
	assert_int_equal(bench->counts.accepted[KIND_ORDER], 0);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, drop_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_an_order_is_numbered_and_answered),
		BENCH_TEST(test_a_frame_may_mix_kinds),
		BENCH_TEST(test_msgpack_is_answered_in_msgpack),
		BENCH_TEST(test_an_invalid_event_becomes_a_dead_letter),
		BENCH_TEST(test_errors_are_listed_up_to_a_hundred_and_counted_beyond),
		BENCH_TEST(test_frames_that_cannot_be_cut_are_refused),
		BENCH_TEST(test_a_frame_over_the_limit_is_too_large),
		BENCH_TEST(test_a_bad_header_refuses_the_frame),
		BENCH_TEST(test_a_full_spool_refuses_and_says_when_to_come_again),
		BENCH_TEST(test_a_full_lane_is_named),
		BENCH_TEST(test_a_full_disk_is_named),
		BENCH_TEST(test_a_closing_edge_refuses_everything),
		BENCH_TEST(test_a_numbered_frame_is_remembered_with_its_reply),
		BENCH_TEST(test_a_repeat_within_the_group_gets_the_first_reply),
		BENCH_TEST(test_a_repeat_after_a_restart_gets_the_first_reply),
		BENCH_TEST(test_a_refused_number_stays_free),
		BENCH_TEST(test_damaged_and_too_many_producers_are_refused),
		BENCH_TEST(test_a_known_event_id_is_a_repeat),
		BENCH_TEST(test_ids_that_can_not_be_remembered_refuse_their_frame),
		BENCH_TEST(test_the_event_ids_of_a_refused_frame_are_not_remembered),
		BENCH_TEST(test_an_unattended_frame_that_cannot_be_cut_is_kept_whole),
		BENCH_TEST(test_an_unattended_frame_without_room_is_given_back),
		BENCH_TEST(test_items_are_taken_one_by_one),
		BENCH_TEST(test_a_detail_that_is_no_text_leaves_the_letter_readable),
		BENCH_TEST(test_a_long_detail_is_cut_between_characters),
		BENCH_TEST(test_additions_go_to_every_event),
		BENCH_TEST(test_marks_are_kept_with_the_events_or_not_at_all),
		BENCH_TEST(test_marks_alone_need_no_room_and_are_no_frame),
		BENCH_TEST(test_a_request_with_a_known_key_gets_the_first_reply),
		BENCH_TEST(test_a_key_belongs_to_one_source),
		BENCH_TEST(test_a_key_that_comes_with_other_events_is_refused),
		BENCH_TEST(test_a_refused_request_is_not_remembered),
		BENCH_TEST(test_a_group_without_room_moves_its_counts_to_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
