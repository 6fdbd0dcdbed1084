/* What is found in topics, as it is told: records as what they are, dead letters by reason, the newest first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/desk/inspection_answers.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct freshness fresh = {
	.store_id = "s", .commit = 7, .event_ts = 0, .lag = 0, .gaps = (const char *const[]){NULL}};

static struct query_look look_of(enum look_type type, uint32_t limit)
{
	struct query_look look;

	memset(&look, 0, sizeof look);
	look.type = type;
	look.encoding = ENCODING_JSON;
	look.limit = limit;
	look.partition = 2;
	snprintf(look.topic, sizeof look.topic, "orders");
	return look;
}

static struct topic_record record_of(int64_t offset, const void *value, size_t size)
{
	return (struct topic_record){.partition = 2,
		.offset = offset,
		.timestamp_ms = 1000 + offset,
		.key = slice_of_text("uk"),
		.value = slice_of(value, size)};
}

/* A letter's headers, as the bridge writes them. */
static struct topic_record letter_at(
	int64_t offset, const char *edge, const char *code, const char *message, struct slice bytes)
{
	const char *const values[DLQ_HEADER_COUNT] = {
		edge, "5", "order.dlq", "1", "900", "zmq", "edge", "orders", code, message};
	struct topic_record record = record_of(offset, bytes.bytes, bytes.size);

	for (int i = 0; i < DLQ_HEADER_COUNT; i++) {
		record.headers[i] =
			(struct topic_header){dead_letter_header_name((enum dead_letter_header)i),
				slice_of_text(values[i])};
	}
	record.header_count = DLQ_HEADER_COUNT;
	return record;
}

static const char *written(const struct findings *findings)
{
	static char text[1 << 16];
	struct buffer reply;

	buffer_init(&reply, sizeof text - 1);
	assert_int_equal(findings_write(findings, NULL, &fresh, &reply), 0);
	memcpy(text, reply.bytes, reply.size);
	text[reply.size] = '\0';
	buffer_deinit(&reply);
	return text;
}

static void expect(const char *text, const char *piece)
{
	if (strstr(text, piece) == NULL) {
		fail_msg("no %s in %s", piece, text);
	}
}

static void test_records_are_told_as_what_they_are(void **state)
{
	static const char change[] = "{\"schema\":null,\"payload\":{\"op\":\"c\",\"source\":{}}}";
	static const char headed[] = "\0\0\0\0\7{\"op\":\"d\",\"source\":{}}";
	const struct query_look look = look_of(LOOK_RECORDS, 6);
	struct findings *findings = findings_new(&look);
	struct topic_record record = record_of(3, "{\"a\":[1.50]}", 12);
	(void)state;

	record.headers[0] = (struct topic_header){"h", slice_of("\xff\x00", 2)};
	record.header_count = 1;
	assert_int_equal(findings_take_record(findings, &record), 0);
	record = record_of(4, change, strlen(change));
	assert_int_equal(findings_take_record(findings, &record), 0);
	record = record_of(5, headed, sizeof headed - 1);
	assert_int_equal(findings_take_record(findings, &record), 0);
	record = record_of(6, "\xc1", 1);
	record.key = slice_of("\xfe", 1);
	record.timestamp_ms = -1;
	assert_int_equal(findings_take_record(findings, &record), 0);
	record = record_of(7, NULL, 0);
	record.key = slice_of(NULL, 0);
	assert_int_equal(findings_take_record(findings, &record), 0);
	assert_false(findings_are_full(findings));
	record = record_of(8, "\x81\xa1x\xc4\x01\x00", 6);
	assert_int_equal(findings_take_record(findings, &record), 0);
	assert_true(findings_are_full(findings));
	findings->low = 1;
	findings->high = 20;
	findings->next = 9;

	const char *text = written(findings);
	expect(text,
		"{\"ok\":true,\"records\":[{\"partition\":2,\"offset\":3,\"appended_ms\":1003,"
		"\"key\":"
		"\"uk\",\"headers\":[{\"name\":\"h\",\"value\":{\"bytes\":\"/wA=\"}}],\"size\":12,"
		"\"as\":\"json\",\"value\":{\"a\":[1.50]},\"reason\":\"");
	expect(text, "\"as\":\"change\",\"value\":{\"op\":\"c\",\"source\":{}},\"reason\":null}");
	expect(text, "\"as\":\"change\",\"value\":{\"op\":\"d\",\"source\":{}},\"reason\":null}");
	expect(text,
		"\"offset\":6,\"appended_ms\":null,\"key\":{\"bytes\":\"/g==\"},\"headers\":[],"
		"\"size\":1,\"as\":\"bytes\",\"value\":\"wQ==\",\"reason\":\"");
	expect(text, "\"key\":null,\"headers\":[],\"size\":0,\"as\":\"nothing\",\"value\":null,"
		     "\"reason\":null}");
	expect(text, "\"as\":\"msgpack\",\"value\":{\"x\":\"AA==\"},\"reason\":\"");
	expect(text,
		"],\"topic\":\"orders\",\"partition\":2,\"earliest\":1,\"latest\":20,\"next\":9,"
		"\"complete\":true,\"as_of\":{");
	findings_free(findings);
}

static void test_a_value_that_is_too_large_is_shown_in_part(void **state)
{
	const struct query_look look = look_of(LOOK_RECORDS, 1);
	struct findings *findings = findings_new(&look);
	static char large[256 * 1024 + 1];
	(void)state;

	memset(large, ' ', sizeof large);
	struct topic_record record = record_of(0, large, sizeof large);
	assert_int_equal(findings_take_record(findings, &record), 0);
	const char *text = written(findings);
	expect(text, "\"size\":262145,\"as\":\"bytes\",\"value\":\"ICAg");
	/* 4,096 bytes are 1,365 times three, and one */
	assert_true(strlen(text) > 5464 && strlen(text) < 6200);
	expect(text, "too large to be read here");
	findings_free(findings);
}

static void take(struct findings *findings, int64_t offset, const char *edge, const char *code)
{
	const char *bytes = "{\"order_id\":\"1\"}";
	struct topic_record record = letter_at(offset, edge, code, "no", slice_of_text(bytes));

	assert_int_equal(findings_take_letter(findings, "orders.dlq", &record), 0);
}

static void test_letters_are_counted_by_reason_and_the_newest_come_first(void **state)
{
	struct query_look look = look_of(LOOK_LETTERS, 2);
	struct topic_record strange = record_of(9, "x", 1);
	(void)state;

	struct findings *findings = findings_new(&look);
	take(findings, 4, "uk", "bad_value");
	take(findings, 1, "uk", "too_deep");
	take(findings, 6, "oslo", "bad_value");
	assert_int_equal(findings_take_letter(findings, "orders.dlq", &strange), 0);
	findings_sort_letters(findings);
	findings->in_log = 12;
	const char *text = written(findings);
	const char *newest = strstr(text, "\"place\":\"orders.dlq/2/6\"");
	assert_non_null(newest);
	assert_non_null(strstr(newest, "\"place\":\"orders.dlq/2/4\""));
	assert_null(strstr(text, "\"place\":\"orders.dlq/2/1\""));
	expect(text,
		"\"edge\":\"oslo\",\"run\":5,\"kind\":\"order.dlq\",\"seq\":1,\"received_ms\":900,"
		"\"source\":\"zmq\",\"refused_by\":\"edge\",\"code\":\"bad_value\",\"message\":"
		"\"no\","
		"\"replayable\":true,\"size\":16,\"as\":\"json\",\"value\":{\"order_id\":\"1\"}");
	expect(text, "\"codes\":[{\"code\":\"too_deep\",\"count\":1,\"newest_ms\":1001,\"newest\":"
		     "\"orders.dlq/2/1\"},{\"code\":\"bad_value\",\"count\":2,\"newest_ms\":1006,"
		     "\"newest\":\"orders.dlq/2/6\"}],\"in_log\":12,\"scanned\":4,\"unreadable\":1,"
		     "\"complete\":false");
	findings_free(findings);

	look.code = REASON_TOO_DEEP;
	snprintf(look.edge, sizeof look.edge, "uk");
	findings = findings_new(&look);
	take(findings, 4, "uk", "bad_value");
	take(findings, 1, "uk", "too_deep");
	take(findings, 6, "oslo", "too_deep");
	findings->is_complete = true;
	findings_sort_letters(findings);
	assert_int_equal(findings->count, 1);
	text = written(findings);
	expect(text, "\"place\":\"orders.dlq/2/1\"");
	expect(text, "{\"code\":\"too_deep\",\"count\":1,");
	expect(text, "{\"code\":\"bad_value\",\"count\":1,");
	expect(text, "\"complete\":true");
	findings_free(findings);
}

/* Partitions are read one after the other: what is older must give way, or the newest would be missing. */
static void test_old_letters_give_way_where_there_is_no_room_for_all(void **state)
{
	enum { LETTERS = 200, SIZE = 60 * 1024 };
	struct query_look look = look_of(LOOK_LETTERS, 10);
	struct findings *findings = findings_new(&look);
	static char bytes[SIZE];
	(void)state;

	memset(bytes, 'x', sizeof bytes);
	memcpy(bytes, "{\"a\":\"", 6);
	memcpy(bytes + SIZE - 2, "\"}", 2);
	for (int i = 0; i < LETTERS; i++) {
		/* the newest are in the middle */
		struct topic_record record = letter_at((i + LETTERS / 2) % LETTERS, "uk",
			"bad_value", "no", slice_of(bytes, SIZE));
		assert_int_equal(findings_take_letter(findings, "orders.dlq", &record), 0);
		assert_true(findings->items.size < FINDINGS_SIZE_MAX + FINDINGS_ITEM_SIZE_MAX);
	}
	findings_sort_letters(findings);
	assert_int_equal(findings->count, 10);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(findings->list[i].appended_ms, 1000 + LETTERS - 1 - i);
	}
	assert_int_equal(findings->scanned, LETTERS);
	assert_false(findings->is_cut);
	findings_free(findings);
}

static void test_a_topic_is_to_till_what_it_is_read_as(void **state)
{
	const struct topics topics = {.names = {"orders", "cart", "views", "orders.dlq", "cart.dlq",
					      "views.dlq", "shop.public.orders"},
		.count = 7};
	(void)state;

	assert_int_equal(inspection_role_of(&topics, "telemetry", "views"), ROLE_EVENTS);
	assert_int_equal(inspection_role_of(&topics, "telemetry", "orders.dlq"), ROLE_LETTERS);
	assert_int_equal(
		inspection_role_of(&topics, "telemetry", "shop.public.orders"), ROLE_SOURCE);
	assert_int_equal(inspection_role_of(&topics, "telemetry", "telemetry"), ROLE_TELEMETRY);
	assert_int_equal(inspection_role_of(&topics, "", ""), ROLE_OTHER);
	assert_int_equal(inspection_role_of(&topics, NULL, "salaries"), ROLE_OTHER);
}

/* ---- surveys */

static const char *surveyed(const struct survey_sight *sight)
{
	static char text[1 << 14];
	struct buffer reply;

	buffer_init(&reply, sizeof text - 1);
	assert_int_equal(survey_write(sight, ENCODING_JSON, &fresh, &reply), 0);
	memcpy(text, reply.bytes, reply.size);
	text[reply.size] = '\0';
	buffer_deinit(&reply);
	return text;
}

static void test_before_kafka_was_reached_that_is_all_there_is_to_tell(void **state)
{
	struct partition reading = {.topic = 0, .number = 1, .position = {.next = 90}, .high = 100};
	struct partition *partitions[] = {&reading};
	struct pipeline pipeline = {
		.options.topics = {.names = {"orders", "cart", "views", "orders.dlq", "cart.dlq",
					   "views.dlq"},
			.count = 6},
		.partitions = partitions,
		.partition_count = 1,
	};
	struct survey_sight sight = {.brokers = "k:9092",
		.why = "no route",
		.unreachable_since_ms = 5,
		.topic_telemetry = "telemetry",
		.pipeline = &pipeline};
	(void)state;

	expect(surveyed(&sight),
		"\"kafka\":{\"brokers\":\"k:9092\",\"reachable\":false,\"unreachable_since_ms\":5,"
		"\"error\":\"no "
		"route\",\"seen_ms\":null},\"cluster\":null,\"topics\":[],\"internal\":[],"
		"\"left_out\":0,\"missing\":[],");
}

static void test_a_survey_is_told_with_how_far_each_partition_is_read(void **state)
{
	struct partition reading = {.topic = 0, .number = 1, .position = {.next = 90}, .high = 100};
	struct partition *partitions[] = {&reading};
	struct pipeline pipeline = {
		.options.topics = {.names = {"orders", "cart", "views", "orders.dlq", "cart.dlq",
					   "views.dlq"},
			.count = 6},
		.partitions = partitions,
		.partition_count = 1,
	};
	struct survey_sight sight = {
		.brokers = "k:9092", .topic_telemetry = "telemetry", .pipeline = &pipeline};
	(void)state;

	struct survey *survey = survey_new();
	const int32_t ids[] = {1, 2};
	struct survey_setting settings[] = {
		{"retention.ms", "-1", "topic"}, {"secret", NULL, "broker"}};
	struct survey_partition parts[] = {
		{.number = 0, .leader = -1, .low = -1, .high = -1}, {.number = 1,
									    .leader = 2,
									    .replicas = ids,
									    .replica_count = 2,
									    .in_sync = ids,
									    .in_sync_count = 1,
									    .low = 3,
									    .high = 100}};
	struct survey_topic topics[] = {{.name = "__offsets"},
		{.name = "orders",
			.partitions = parts,
			.partition_count = 2,
			.settings = settings,
			.setting_count = 2},
		{.name = "salaries", .error = "not allowed", .settings_error = "not allowed"}};
	struct survey_broker brokers[] = {{.id = 2, .port = 9092, .host = "k"}};
	snprintf(survey->cluster_id, sizeof survey->cluster_id, "C");
	survey->controller = 2;
	survey->taken_ms = 77;
	survey->brokers = brokers;
	survey->broker_count = 1;
	survey->topics = topics;
	survey->topic_count = 3;
	survey->topics_left_out = 4;
	sight.survey = survey;
	const char *text = surveyed(&sight);
	expect(text,
		"\"reachable\":true,\"unreachable_since_ms\":null,\"error\":null,\"seen_ms\":77}");
	expect(text,
		"\"cluster\":{\"id\":\"C\",\"controller\":2,\"brokers\":[{\"id\":2,\"host\":\"k\","
		"\"port\":9092,\"controller\":true}]}");
	expect(text,
		"{\"name\":\"orders\",\"role\":\"events\",\"kind\":\"order\",\"error\":null,"
		"\"partitions\":[{\"partition\":0,\"leader\":null,\"replicas\":[],\"in_sync\":[],"
		"\"earliest\":null,\"latest\":null,\"position\":null,\"lag\":null},{\"partition\":"
		"1,"
		"\"leader\":2,\"replicas\":[1,2],\"in_sync\":[1],\"earliest\":3,\"latest\":100,"
		"\"position\":90,\"lag\":10}],\"settings\":[{\"name\":\"retention.ms\",\"value\":"
		"\"-1\",\"source\":\"topic\"},{\"name\":\"secret\",\"value\":null,\"source\":"
		"\"broker\"}],\"settings_error\":null}");
	expect(text, "{\"name\":\"salaries\",\"role\":\"other\",\"kind\":null,\"error\":\"not "
		     "allowed\"");
	expect(text, "\"internal\":[\"__offsets\"],\"left_out\":4,\"missing\":[\"cart\",\"views\","
		     "\"orders.dlq\",\"cart.dlq\",\"views.dlq\"]");
	survey_free(survey);
}

static void test_a_survey_holds_its_own_memory(void **state)
{
	struct survey *survey = survey_new();
	(void)state;

	assert_string_equal(survey_text(survey, "a\xff"
						"b"),
		"a?b");
	uint64_t *numbers = survey_room(survey, 3, sizeof *numbers);
	assert_true(numbers[0] == 0 && numbers[2] == 0);
	assert_null(survey_room(survey, SIZE_MAX / 2, 4));
	assert_null(survey_find(survey, "orders"));
	assert_null(survey_free(survey));
	assert_null(survey_free(NULL));
	assert_null(findings_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_are_told_as_what_they_are),
		cmocka_unit_test(test_a_value_that_is_too_large_is_shown_in_part),
		cmocka_unit_test(test_letters_are_counted_by_reason_and_the_newest_come_first),
		cmocka_unit_test(test_old_letters_give_way_where_there_is_no_room_for_all),
		cmocka_unit_test(test_a_topic_is_to_till_what_it_is_read_as),
		cmocka_unit_test(test_before_kafka_was_reached_that_is_all_there_is_to_tell),
		cmocka_unit_test(test_a_survey_is_told_with_how_far_each_partition_is_read),
		cmocka_unit_test(test_a_survey_holds_its_own_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
