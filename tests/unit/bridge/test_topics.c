#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bridge/topics.h"
#include "proto/checksum.h"
#include <cmocka.h>

static struct topics topics;
static struct topics_sight sight;
static char words[200];

static int set_up(void **state)
{
	(void)state;
	static const char *const names[] = {"orders", "cart_events", "page_views"};
	struct complaint complaint;
	topics = (struct topics){.partitions = 4, .may_create = true};
	sight = (struct topics_sight){.is_reached = true, .cluster_id = "abc", .broker_count = 1};
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		sight.topics[lane].partitions = 4;
	}
	words[0] = '\0';
	return topic_names_fill(names, topics.names, &complaint);
}

static enum topic_state judge(enum kind lane)
{
	return topic_judge(&topics, &sight, lane, words, sizeof words);
}

static void test_the_hash_is_over_one_line_per_lane(void **state)
{
	(void)state;
	static const char text[] = "orders 4\ncart_events 4\npage_views 4\n"
				   "orders.dlq 4\ncart_events.dlq 4\npage_views.dlq 4\n";
	uint8_t hash[16];
	checksum_hash128(slice_of_text(text), hash);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(topics_hash(&topics) >> (56 - 8 * i) & 0xff, hash[i]);
	}
	topics.partitions = 5;
	assert_int_not_equal(topics_hash(&topics) >> 56, hash[0]);
}

static void test_a_topic_as_configured_is_well(void **state)
{
	(void)state;
	assert_int_equal(judge(KIND_ORDER), TOPIC_OK);
	assert_string_equal(words, "");
}

static void test_more_partitions_are_a_warning_and_fewer_a_refusal(void **state)
{
	(void)state;
	sight.topics[KIND_CART].partitions = 5;
	assert_int_equal(judge(KIND_CART), TOPIC_SURPLUS);
	assert_true(topic_state_is_usable(TOPIC_SURPLUS));
	sight.topics[KIND_CART].partitions = 3;
	assert_int_equal(judge(KIND_CART), TOPIC_SHORT);
	assert_false(topic_state_is_usable(TOPIC_SHORT));
	assert_string_equal(words, "topic cart_events has 3 partitions, [bridge] partitions is 4");
}

static void test_a_topic_that_is_not_there_is_missing(void **state)
{
	(void)state;
	snprintf(sight.topics[KIND_VIEW].error, sizeof sight.topics[0].error,
		"UNKNOWN_TOPIC_OR_PART");
	assert_int_equal(judge(KIND_VIEW), TOPIC_MISSING);
	sight.topics[KIND_VIEW] = (struct topic_sight){0};
	assert_int_equal(judge(KIND_VIEW), TOPIC_MISSING);
}

static void test_a_topic_without_rights_is_refused_and_one_without_leader_is_not(void **state)
{
	(void)state;
	snprintf(sight.topics[KIND_ORDER].error, sizeof sight.topics[0].error,
		"TOPIC_AUTHORIZATION_FAILED");
	assert_int_equal(judge(KIND_ORDER), TOPIC_REFUSED);
	assert_non_null(strstr(words, "TOPIC_AUTHORIZATION_FAILED"));
	snprintf(sight.topics[KIND_ORDER].error, sizeof sight.topics[0].error,
		"LEADER_NOT_AVAILABLE");
	assert_int_equal(judge(KIND_ORDER), TOPIC_OK);
}

static void test_topics_are_created_only_where_they_are_missing_and_may_be(void **state)
{
	(void)state;
	assert_false(topics_should_create(&topics, &sight));
	sight.topics[KIND_VIEW_DLQ].partitions = 0;
	assert_true(topics_should_create(&topics, &sight));
	topics.may_create = false;
	assert_false(topics_should_create(&topics, &sight));
	topics.may_create = true;
	sight.is_reached = false;
	assert_false(topics_should_create(&topics, &sight));
	sight.is_reached = true;
	snprintf(sight.cluster_id, sizeof sight.cluster_id, "mockCluster55d0c0");
	assert_false(topics_should_create(&topics, &sight));
}

static void test_replication_is_three_where_there_are_three(void **state)
{
	(void)state;
	static const int expected[][3] = {{1, 1, 1}, {2, 2, 2}, {3, 3, 2}, {9, 3, 2}, {0, 1, 1}};
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		assert_int_equal(topics_replication(expected[i][0]), expected[i][1]);
		assert_int_equal(topics_min_insync(expected[i][0]), expected[i][2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup(name, set_up)
		CASE(test_the_hash_is_over_one_line_per_lane),
		CASE(test_a_topic_as_configured_is_well),
		CASE(test_more_partitions_are_a_warning_and_fewer_a_refusal),
		CASE(test_a_topic_that_is_not_there_is_missing),
		CASE(test_a_topic_without_rights_is_refused_and_one_without_leader_is_not),
		CASE(test_topics_are_created_only_where_they_are_missing_and_may_be),
		CASE(test_replication_is_three_where_there_are_three),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
