#include "proto/query.h"
#include "proto/query_reply.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static enum reason reason_of(
	const struct complaint *complaint, enum encoding encoding, bool is_busy)
{
	struct buffer buffer;

	buffer_init(&buffer, 4096);
	if (is_busy) {
		query_encode_busy("later", 1500, encoding, &buffer);
	} else {
		query_encode_error(complaint, encoding, &buffer);
	}
	assert_int_equal(buffer.error, 0);
	enum reason reason = query_reply_reason(buffer_slice(&buffer));
	buffer_deinit(&buffer);
	return reason;
}

static void test_every_error_is_known_by_its_reply(void **state)
{
	struct complaint complaint;
	(void)state;

	for (int reason = REASON_BAD_FRAME; reason < REASON_COUNT; reason++) {
		complaint_set(&complaint, (enum reason)reason, "", "words");
		assert_int_equal(reason_of(&complaint, ENCODING_JSON, false), reason);
		assert_int_equal(reason_of(&complaint, ENCODING_MSGPACK, false), reason);
	}
	assert_int_equal(reason_of(NULL, ENCODING_JSON, true), REASON_BUSY);
	assert_int_equal(reason_of(NULL, ENCODING_MSGPACK, true), REASON_BUSY);
}

/* What a row says of itself is no error of ours. */
static void test_an_answer_is_no_error(void **state)
{
	static const char *const answers[] = {
		"{\"ok\":true,\"rows\":[{\"product_id\":\"error\",\"code\":\"forbidden\"}]}",
		"{\"ok\":true}",
		"",
		"{\"ok\":false,\"error\":{}",
		"\x82\xa2ok\xc3\xa5"
		"error",
		"\x82\xa2ok\xc2\xa5"
		"error",
	};
	(void)state;

	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		assert_int_equal(query_reply_reason(slice_of_text(answers[i])), REASON_NONE);
	}
	assert_int_equal(
		query_reply_reason(slice_of_text("{\"ok\":false,\"error\":{\"code\":\"new\"")),
		REASON_INTERNAL);
}

static void assert_as_of(const char *answer, const char *expected)
{
	struct slice found = query_reply_as_of(slice_of_text(answer));

	assert_int_equal(found.size, strlen(expected));
	assert_memory_equal(found.bytes, expected, found.size);
}

static void test_finds_how_fresh_an_answer_is(void **state)
{
	(void)state;
	assert_as_of("{\"ok\":true,\"as_of\":{\"lag\":0,\"gaps\":[]}}", "{\"lag\":0,\"gaps\":[]}");
	assert_as_of(
		"{\"as_of\":{\"a\":{\"b\":{}},\"c\":1},\"x\":{}}", "{\"a\":{\"b\":{}},\"c\":1}");
	assert_as_of("{\"as_of\":{\"gaps\":[\"}\",\"\\\"}\",\"\\\\\"]},\"x\":1}",
		"{\"gaps\":[\"}\",\"\\\"}\",\"\\\\\"]}");
	/* within a text, cut off, none */
	assert_as_of("{\"rows\":[\"\\\"as_of\\\":{\"]}", "");
	assert_as_of("{\"as_of\":{\"lag\":0", "");
	assert_as_of("{\"as_of\":{\"lag", "");
	assert_as_of("{\"as_of\":{\"lag\\", "");
	assert_as_of("{\"ok\":true}", "");
	assert_int_equal(query_reply_as_of(slice_of(NULL, 0)).size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_error_is_known_by_its_reply),
		cmocka_unit_test(test_an_answer_is_no_error),
		cmocka_unit_test(test_finds_how_fresh_an_answer_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
