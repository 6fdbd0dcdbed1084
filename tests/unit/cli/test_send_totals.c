/* Every row under exactly one name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/batch.h"
#include "cli/send_totals.h"
#include "proto/framing.h"
#include <stdlib.h>

static void add(struct send_totals *totals, struct reply reply, uint64_t n, uint32_t attempts,
	uint32_t count)
{
	struct producer_result result = {
		.n = n, .attempts = attempts, .ack_ms = 4, .reply = &reply};

	send_totals_add(totals, &result, count);
}

static void test_rows_are_told_apart(void **state)
{
	(void)state;
	struct send_totals totals = {.ok = 0};

	add(&totals,
		(struct reply){.accepted = 7, .invalid = 2, .repeated_events = 1, .last_n = 10}, 10,
		1, 10);
	add(&totals, (struct reply){.repeated = true, .accepted = 5, .last_n = 10}, 5, 1, 5);
	add(&totals, (struct reply){.refusal = {.reason = REASON_BAD_FRAME}}, 20, 1, 3);
	assert_int_equal(totals.ok, 7);
	assert_int_equal(totals.invalid, 2);
	assert_int_equal(totals.repeated, 6);
	assert_int_equal(totals.error, 3);
	assert_int_equal(totals.frames, 3);
}

/* The first answer was lost and came again: these rows were counted by this run. */
static void test_our_own_resending_makes_no_repeat(void **state)
{
	(void)state;
	struct send_totals totals = {.ok = 0};

	add(&totals, (struct reply){.repeated = true, .accepted = 5, .invalid = 1, .last_n = 6}, 6,
		2, 6);
	assert_int_equal(totals.ok, 5);
	assert_int_equal(totals.invalid, 1);
	assert_int_equal(totals.repeated, 0);
	assert_int_equal(totals.resent_frames, 1);
}

static void test_totals_print_as_one_object_or_as_lines(void **state)
{
	(void)state;
	struct send_totals totals = {
		.ok = 12345, .invalid = 1, .frames = 4, .ack_ms_sum = 10, .unwanted = 3};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	send_totals_print(&totals, 2000, true, out);
	fclose(out);
	assert_string_equal(text,
		"{\"sent_ok\":12345,\"sent_invalid\":1,\"sent_repeated\":0,\"sent_error\":0,"
		"\"unwanted\":3,\"resent_frames\":0,\"throughput_eps\":6173,\"avg_ack_ms\":2.5}\n");
	free(text);
	out = open_memstream(&text, &size);
	send_totals_print(&totals, 2000, false, out);
	fclose(out);
	assert_non_null(strstr(text, "sent_ok              12,345\n"));
	assert_non_null(strstr(text, "avg_ack_ms             2.50\n"));
	free(text);
}

static void expect_frame(enum encoding encoding, const char *event, size_t size)
{
	struct batch batch;
	struct framing framing;
	struct complaint complaint;
	struct slice value;
	uint32_t count = 0;

	batch_init(&batch, encoding);
	for (int i = 0; i < 600; i++) {
		assert_true(batch_add(&batch, slice_of(event, size)));
	}
	struct slice frame = batch_take_frame(&batch);
	assert_int_equal(batch.count, 0);
	assert_int_equal(framing_open(&framing, frame, &complaint), 0);
	while (framing_next(&framing, &value)) {
		assert_true(slice_equal(value, slice_of(event, size)));
		count++;
	}
	assert_int_equal(count, 600);
	batch_deinit(&batch);
}

static void test_a_batch_becomes_a_frame_that_the_edge_cuts_again(void **state)
{
	(void)state;
	expect_frame(ENCODING_JSON, "{\"a\":1}", 7);
	expect_frame(ENCODING_MSGPACK,
		"\x81\xa1"
		"a\x01",
		4);
}

static void test_a_batch_ends_at_the_frames_limits(void **state)
{
	(void)state;
	struct batch batch;
	uint8_t *large = calloc(1, FRAME_SIZE_MAX);

	batch_init(&batch, ENCODING_JSON);
	assert_true(batch_add(&batch, slice_of(large, FRAME_SIZE_MAX - 100)));
	assert_false(batch_add(&batch, slice_of(large, 200)));
	assert_int_equal(batch.count, 1);
	assert_true(batch_take_frame(&batch).size <= FRAME_SIZE_MAX);
	for (int i = 0; i < FRAME_EVENTS_MAX; i++) {
		assert_true(batch_add(&batch, slice_of_text("{}")));
	}
	assert_false(batch_add(&batch, slice_of_text("{}")));
	batch_deinit(&batch);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_told_apart),
		cmocka_unit_test(test_our_own_resending_makes_no_repeat),
		cmocka_unit_test(test_totals_print_as_one_object_or_as_lines),
		cmocka_unit_test(test_a_batch_becomes_a_frame_that_the_edge_cuts_again),
		cmocka_unit_test(test_a_batch_ends_at_the_frames_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
