#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/framing.h"
#include "proto/limits.h"
#include "proto/writer.h"

/* The frame lies in a heap block of exactly its size, so that ASan sees a read past its end. */
static int open_copy(struct framing *framing, struct slice frame, struct complaint *complaint)
{
	static uint8_t *copy;

	free(copy);
	copy = malloc(frame.size == 0 ? 1 : frame.size);
	assert_non_null(copy);
	if (frame.size > 0) {
		memcpy(copy, frame.bytes, frame.size);
	}
	return framing_open(framing, slice_of(copy, frame.size), complaint);
}

struct frame_case {
	const char *bytes;
	size_t size;
	int result;
	const char *events[4];
};
#define BYTES(literal) literal, sizeof literal - 1

static void check_frames(const struct frame_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct framing framing;
		struct complaint complaint = {0};
		struct slice value;
		int r = open_copy(&framing, slice_of(cases[i].bytes, cases[i].size), &complaint);
		if (r != cases[i].result) {
			fail_msg("case %zu: result %d, %s", i, r, complaint.message);
		}
		if (r != 0) {
			assert_int_equal(complaint.reason, r);
			continue;
		}
		uint32_t events = 0;
		for (; framing_next(&framing, &value); events++) {
			if (!slice_equals_text(value, cases[i].events[events])) {
				fail_msg("case %zu: event %u", i, events);
			}
		}
		assert_int_equal(events, framing.count);
		assert_null(cases[i].events[events]);
	}
}

static void test_msgpack_frames_are_cut_into_events(void **state)
{
	static const struct frame_case cases[] = {
		{BYTES("\x80"), 0, {"\x80"}},
		{BYTES("\x81\xa1k\x01"), 0, {"\x81\xa1k\x01"}},
		{BYTES("\x92\x81\xa1k\x01\x80"), 0, {"\x81\xa1k\x01", "\x80"}},
		{BYTES("\xdc\x00\x02\x80\x05"), 0, {"\x80", "\x05"}},
		{BYTES("\xdd\x00\x00\x00\x01\x91\x90"), 0, {"\x91\x90"}},
		{BYTES("\x92\xc7\x01\x05x\xd8\x01"
		       "0123456789abcdef"),
			0,
			{"\xc7\x01\x05x", "\xd8\x01"
					  "0123456789abcdef"}},
		{BYTES(""), REASON_BAD_FRAME, {NULL}},
		{BYTES("\x90"), REASON_BAD_FRAME, {NULL}}, /* no events */
		{BYTES("\x05"), REASON_BAD_FRAME, {NULL}},
		{BYTES("\xa1x"), REASON_BAD_FRAME, {NULL}},
		{BYTES("\x81\xa1k\xc1"), REASON_BAD_FRAME, {NULL}},
		{BYTES("\x80\x80"), REASON_BAD_FRAME, {NULL}},
		{BYTES("\x92\x80"), REASON_BAD_FRAME, {NULL}},
		{BYTES("\x91\xa5tea"), REASON_BAD_FRAME, {NULL}},
		{BYTES("\x91\xdb\xff\xff\xff\xff"), REASON_BAD_FRAME, {NULL}},
		{BYTES("\x91\xc9\xff\xff\xff\xff\x01"), REASON_BAD_FRAME, {NULL}},
		{BYTES("\x91\xcb\x01"), REASON_BAD_FRAME, {NULL}},
		{BYTES("\xdd\xff\xff\xff\xff"), REASON_BAD_FRAME, {NULL}},
		{BYTES("\xdf\xff\xff\xff\xff"), REASON_BAD_FRAME, {NULL}},
		{BYTES("\xdd\xff"), REASON_BAD_FRAME, {NULL}},
	};
	(void)state;
	check_frames(cases, sizeof cases / sizeof cases[0]);
}

static void test_json_frames_are_cut_into_events(void **state)
{
	static const struct frame_case cases[] = {
		{BYTES("{}"), 0, {"{}"}},
		{BYTES(" \n{\"a\":[1,2]} \r\n"), 0, {"{\"a\":[1,2]}"}},
		{BYTES("[ {\"a\":1} ,\t{\"b\":{}}\n]"), 0, {"{\"a\":1}", "{\"b\":{}}"}},
		{BYTES("[{\"a\":\"],}\\\"[\\\\\"},1]"), 0, {"{\"a\":\"],}\\\"[\\\\\"}", "1"}},
		/* what is wrong inside an event is left to the decoder: its neighbours are good */
		{BYTES("[{},{\"a\":tru},{}]"), 0, {"{}", "{\"a\":tru}", "{}"}},
		{BYTES("[{},{\"a\":[1}]]"), 0, {"{}", "{\"a\":[1}]"}},
		{BYTES("[{} {}]"), 0, {"{} {}"}},
		{BYTES("[]"), REASON_BAD_FRAME, {NULL}},
		{BYTES("[ ]"), REASON_BAD_FRAME, {NULL}},
		{BYTES(" "), REASON_BAD_FRAME, {NULL}},
		{BYTES("["), REASON_BAD_FRAME, {NULL}},
		{BYTES("{"), REASON_BAD_FRAME, {NULL}},
		{BYTES(" 1"), REASON_BAD_FRAME, {NULL}},
		{BYTES("[{}"), REASON_BAD_FRAME, {NULL}},
		{BYTES("[{}}"), REASON_BAD_FRAME, {NULL}},
		{BYTES("[{},]"), REASON_BAD_FRAME, {NULL}},
		{BYTES("[,{}]"), REASON_BAD_FRAME, {NULL}},
		{BYTES("[{},,{}]"), REASON_BAD_FRAME, {NULL}},
		{BYTES("{},{}"), REASON_BAD_FRAME, {NULL}},
		{BYTES("[{\"a]"), REASON_BAD_FRAME, {NULL}},
		{BYTES("[\"a]"), REASON_BAD_FRAME, {NULL}},
		{BYTES("[\"\\]"), REASON_BAD_FRAME, {NULL}},
		{BYTES("[]]"), REASON_BAD_FRAME, {NULL}},
	};
	(void)state;
	check_frames(cases, sizeof cases / sizeof cases[0]);
}

/* Ten thousand arrays in one another are one event that is too deep, between two that are fine. */
static void check_deep(const char *open, const char *close, const char *first, const char *last)
{
	struct buffer buffer;
	struct framing framing;
	struct document document;
	struct complaint complaint;
	struct slice value;

	buffer_init(&buffer, FRAME_SIZE_MAX);
	buffer_append_text(&buffer, first);
	for (int i = 0; i < 100000; i++) {
		buffer_append_text(&buffer, open);
	}
	for (int i = 0; i < 100000; i++) {
		buffer_append_text(&buffer, close);
	}
	buffer_append_text(&buffer, last);
	assert_int_equal(document_init(&document, EVENT_NODES_MAX), 0);
	assert_int_equal(open_copy(&framing, buffer_slice(&buffer), &complaint), 0);
	assert_int_equal(framing.count, 3);
	for (int i = 0; framing_next(&framing, &value); i++) {
		assert_int_equal(document_decode(&document, framing.encoding, value, NESTING_MAX,
					 &complaint),
			i == 1 ? REASON_TOO_DEEP : 0);
	}
	document_deinit(&document);
	buffer_deinit(&buffer);
}

static void test_a_deep_event_harms_no_other(void **state)
{
	(void)state;
	check_deep("[", "]", "[{},", ",{}]");
	check_deep("\x91", "", "\x93\x80", "\x90\x80");
}

static void test_counts_and_sizes_are_limited(void **state)
{
	struct buffer buffer;
	struct writer writer;
	struct framing framing;
	struct complaint complaint;

	(void)state;
	buffer_init(&buffer, 2 * FRAME_SIZE_MAX);
	for (int encoding = ENCODING_MSGPACK; encoding <= ENCODING_JSON; encoding++) {
		for (uint32_t events = FRAME_EVENTS_MAX; events <= FRAME_EVENTS_MAX + 1; events++) {
			buffer_clear(&buffer);
			writer_init(&writer, (enum encoding)encoding, &buffer);
			write_array(&writer, events);
			for (uint32_t i = 0; i < events; i++) {
				write_map(&writer, 0);
			}
			assert_int_equal(open_copy(&framing, buffer_slice(&buffer), &complaint),
				events > FRAME_EVENTS_MAX ? REASON_TOO_LARGE : 0);
		}
	}
	buffer_clear(&buffer);
	memset(buffer_extend(&buffer, FRAME_SIZE_MAX + 1), '{', FRAME_SIZE_MAX + 1);
	assert_int_equal(open_copy(&framing, buffer_slice(&buffer), &complaint), REASON_TOO_LARGE);
	buffer_deinit(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msgpack_frames_are_cut_into_events),
		cmocka_unit_test(test_json_frames_are_cut_into_events),
		cmocka_unit_test(test_a_deep_event_harms_no_other),
		cmocka_unit_test(test_counts_and_sizes_are_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
