#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/verdict.h"
#include <cmocka.h>

static void assert_all(enum verdict verdict, const char *const *errors)
{
	for (; *errors != NULL; errors++) {
		assert_string_equal(verdict_name(verdict_of(*errors)), verdict_name(verdict));
	}
}

static void test_what_passes_by_itself_is_tried_again(void **state)
{
	(void)state;
	static const char *const errors[] = {"_TRANSPORT", "_TIMED_OUT", "_MSG_TIMED_OUT",
		"REQUEST_TIMED_OUT", "NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE",
		"NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "KAFKA_STORAGE_ERROR",
		"_ALL_BROKERS_DOWN", NULL};
	assert_all(VERDICT_RETRY, errors);
}

static void test_an_error_nobody_knows_is_tried_again(void **state)
{
	(void)state;
	assert_int_equal(verdict_of("SOMETHING_NEW"), VERDICT_RETRY);
	assert_int_equal(verdict_of(""), VERDICT_RETRY);
}

static void test_a_refused_record_is_one_records_fault(void **state)
{
	(void)state;
	static const char *const errors[] = {
		"MSG_SIZE_TOO_LARGE", "INVALID_MSG", "INVALID_RECORD", "INVALID_MSG_SIZE", NULL};
	assert_all(VERDICT_RECORD_REFUSED, errors);
}

static void test_a_refused_topic_is_no_records_fault(void **state)
{
	(void)state;
	static const char *const errors[] = {"_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION",
		"UNKNOWN_TOPIC_OR_PART", "TOPIC_AUTHORIZATION_FAILED", "INVALID_TIMESTAMP", NULL};
	assert_all(VERDICT_TOPIC_REFUSED, errors);
}

static void test_a_broken_sequence_ends_the_producer(void **state)
{
	(void)state;
	static const char *const errors[] = {"_FATAL", "_FENCED", "OUT_OF_ORDER_SEQUENCE_NUMBER",
		"UNKNOWN_PRODUCER_ID", "INVALID_PRODUCER_EPOCH", NULL};
	assert_all(VERDICT_REBUILD, errors);
}

static void test_what_we_took_back_is_not_tried_again(void **state)
{
	(void)state;
	static const char *const errors[] = {"_PURGE_QUEUE", "_PURGE_INFLIGHT", NULL};
	assert_all(VERDICT_GIVEN_UP, errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_passes_by_itself_is_tried_again),
		cmocka_unit_test(test_an_error_nobody_knows_is_tried_again),
		cmocka_unit_test(test_a_refused_record_is_one_records_fault),
		cmocka_unit_test(test_a_refused_topic_is_no_records_fault),
		cmocka_unit_test(test_a_broken_sequence_ends_the_producer),
		cmocka_unit_test(test_what_we_took_back_is_not_tried_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
