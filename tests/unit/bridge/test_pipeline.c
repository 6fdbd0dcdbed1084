/* The way of a batch with a Kafka that says what the test wants: the sink's functions are defined here, so the real
 * ones are not linked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bridge/pipeline.h"
#include "proto/checksum.h"
#include "runtime/metrics.h"
#include "samples.h"
#include <cmocka.h>

enum { RECORDS_MAX = 64, CREDIT_TEST_BYTES = 64 * 1024 * 1024 };

struct kept {
	struct sink_record record;
	uint8_t key[EDGE_ID_SIZE_MAX];
	uint8_t value[4096];
	bool is_alone;
	char code[32]; /* header of a dead letter */
	char receipt[RECEIPT_TEXT_SIZE];
};

/* What the fake Kafka was given, and how it answers. */
static struct kept kept[RECORDS_MAX];
static size_t kept_count;
static int put_result, repeat_result;
static const char *put_error;

static struct samples samples;
static struct topics topics;
static struct tracker tracker;
static struct sessions *sessions;
static struct metrics *metrics;
static struct bridge_metrics numbers;
static struct lane lanes[LANE_COUNT];
static struct pipeline pipeline;
static struct session *session;
static uint64_t next_number;

static void keep(const struct sink_record *record, bool is_alone)
{
	struct kept *place = &kept[kept_count++];
	assert_true(kept_count <= RECORDS_MAX && record->value.size <= sizeof place->value);
	*place = (struct kept){.record = *record, .is_alone = is_alone};
	memcpy(place->key, record->key.bytes, record->key.size);
	memcpy(place->value, record->value.bytes, record->value.size);
	place->record.key.bytes = place->key;
	place->record.value.bytes = place->value;
	for (size_t i = 0; i < record->header_count; i++) {
		const struct letter_header *header = &record->headers[i];
		if (strstr(header->name, "class.name") != NULL) {
			snprintf(place->code, sizeof place->code, "%.*s", (int)header->value.size,
				(const char *)header->value.bytes);
		}
		if (strcmp(header->name, RECEIPT_HEADER) == 0) {
			snprintf(place->receipt, sizeof place->receipt, "%.*s",
				(int)header->value.size, (const char *)header->value.bytes);
		}
	}
}

int sink_put(struct sink *sink, const struct sink_record *record)
{
	(void)sink;
	if (put_result == 0) {
		keep(record, false);
	}
	return put_result;
}

const char *sink_error(const struct sink *sink)
{
	(void)sink;
	return put_error;
}

int sink_repeat(struct sink *sink, const struct sink_report *report)
{
	(void)sink;
	if (repeat_result == 0) {
		const struct sink_record record = {
			.lane = report->lane,
			.key = report->key,
			.value = report->value,
			.ticket = report->ticket,
		};
		keep(&record, true);
	}
	return repeat_result;
}

static int open_pipeline(enum encoding encoding, bool has_content_type)
{
	const struct pipeline_parts parts = {
		.topics = &topics,
		.sessions = sessions,
		.tracker = &tracker,
		.lanes = lanes,
		.metrics = &numbers,
		.encoding = encoding,
		.has_content_type = has_content_type,
	};
	int r = pipeline_init(&pipeline, &parts);
	pipeline.now_ms = 10000;
	return r;
}

static int set_up(void **state)
{
	(void)state;
	static const char *const names[] = {"orders", "cart_events", "page_views"};
	struct complaint complaint;
	const struct session_start start = {
		.peer = slice_of_text("p"), .edge = slice_of_text("uk"), .run = 7, .id = 1};
	kept_count = 0;
	put_result = repeat_result = 0;
	put_error = "";
	next_number = 0;
	topics = (struct topics){.partitions = 4};
	assert_int_equal(topic_names_fill(names, topics.names, &complaint), 0);
	tracker_init(&tracker);
	samples_init(&samples);
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		lane_init(&lanes[lane], 10000);
		lane_open(&lanes[lane], 10000);
	}
	int r = metrics_new(&metrics) | bridge_metrics_init(&numbers, metrics, &topics) |
		sessions_new(&sessions) | sessions_open(sessions, &start, &session);
	return r | open_pipeline(ENCODING_MSGPACK, false);
}

static int tear_down(void **state)
{
	(void)state;
	pipeline_deinit(&pipeline);
	sessions = sessions_free(sessions);
	metrics = metrics_free(metrics);
	tracker_deinit(&tracker);
	samples_deinit(&samples);
	return 0;
}

/* Sends the samples as the next batch. */
static void take(enum kind lane)
{
	const struct pipeline_batch batch = {
		.number = ++next_number,
		.lane = lane,
		.count = samples.count,
		.events = buffer_slice(&samples.batch),
	};
	assert_int_equal(pipeline_take(&pipeline, session, &batch), 0);
}

static void report(size_t index, const char *error)
{
	const struct sink_report told = {
		.lane = kept[index].record.lane,
		.ticket = kept[index].record.ticket,
		.error = error,
		.was_alone = kept[index].is_alone,
		.key = kept[index].record.key,
		.value = kept[index].record.value,
	};
	pipeline_reported(&pipeline, &told);
}

static void assert_ended(int code, uint64_t number)
{
	const struct ranges *done = &session->outbox.done[code];
	assert_true(done->count > 0);
	assert_int_equal(done->items[done->count - 1].last, number);
	assert_int_equal(tracker.record_count, 0);
	assert_int_equal(tracker.batch_count, 0);
}

static void assert_marker(size_t index, const char *code)
{
	struct event event;
	struct complaint complaint;
	assert_int_equal(event_decode(&samples.document, pipeline.parts.encoding,
				 kept[index].record.value, &event, &complaint),
		0);
	assert_int_equal(kept[index].record.lane, KIND_ORDER);
	assert_string_equal(reason_code(event.rejected), code);
}

static void test_a_batch_is_acknowledged_when_every_record_is_delivered(void **state)
{
	(void)state;
	struct slice first = samples_add_order(&samples, 1);
	samples_add_order(&samples, 2);
	take(KIND_ORDER);
	assert_int_equal(kept_count, 2);
	assert_true(slice_equal(kept[0].record.value, first));
	assert_true(slice_equals_text(kept[0].record.key, "uk"));
	assert_int_equal(kept[0].record.partition, checksum_partition(slice_of_text("uk"), 4));
	assert_int_equal(kept[0].record.header_count, 0);
	report(1, NULL);
	assert_false(outbox_has_news(&session->outbox));
	report(0, NULL);
	assert_ended(0, 1);
	assert_ptr_equal(sessions_take_marked(sessions), session);
	assert_int_equal(metric_value(numbers.records_delivered[KIND_ORDER]), 2);
	assert_int_equal(metric_value(numbers.batches_acked), 1);
}

/* Two orders, 250 ms old when the batch came; Kafka's reports take another 500 ms. */
static void test_a_batch_that_says_its_age_tells_it_once(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	samples_add_order(&samples, 2);
	const struct pipeline_batch batch = {
		.number = ++next_number,
		.lane = KIND_ORDER,
		.count = samples.count,
		.events = buffer_slice(&samples.batch),
		.has_age = true,
		.age_ms = 250,
	};
	pipeline.wall_ms = 1000250;
	pipeline.now_us = 7000000;
	assert_int_equal(pipeline_take(&pipeline, session, &batch), 0);
	assert_int_equal(kept_count, 2);
	assert_string_equal(kept[0].receipt, "1000000/2");
	assert_int_equal(kept[1].record.header_count, 0);
	pipeline.now_us = 7500000;
	report(0, NULL);
	report(1, NULL);
	assert_ended(0, 1);
	assert_true(metric_value(numbers.ack_seconds) == 2 * 0.75); /* of both events */
	assert_int_equal(metric_value(numbers.batches_ageless), 0);
	take(KIND_ORDER); /* of an older edge */
	report(2, NULL);
	report(3, NULL);
	assert_string_equal(kept[2].receipt, "");
	assert_true(metric_value(numbers.ack_seconds) == 2 * 0.75);
	assert_int_equal(metric_value(numbers.batches_ageless), 1);
}

/* What can't be written is left out; the events go on. */
static void test_a_clock_before_all_time_writes_no_receipt(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	samples_add_order(&samples, 2);
	const struct pipeline_batch batch = {
		.number = ++next_number,
		.lane = KIND_ORDER,
		.count = samples.count,
		.events = buffer_slice(&samples.batch),
		.has_age = true,
	};
	pipeline.wall_ms = -1;
	assert_int_equal(pipeline_take(&pipeline, session, &batch), 0);
	assert_int_equal(kept[0].record.header_count, 0);
}

static void test_json_records_hold_the_events_digits(void **state)
{
	(void)state;
	pipeline_deinit(&pipeline);
	assert_int_equal(open_pipeline(ENCODING_JSON, true), 0);
	samples_add_order(&samples, 1);
	take(KIND_ORDER);
	assert_int_equal(kept[0].record.header_count, 1);
	assert_non_null(
		memmem(kept[0].value, kept[0].record.value.size, "\"unit_price\":2.55", 17));
	report(0, NULL);
	assert_ended(0, 1);
}

static void test_a_refused_event_is_acknowledged_when_letter_and_marker_are(void **state)
{
	(void)state;
	samples_spoil(samples_add_order(&samples, 1), "2.55", "2,55");
	take(KIND_ORDER);
	assert_int_equal(kept_count, 2);
	assert_int_equal(kept[0].record.lane, KIND_ORDER_DLQ);
	assert_string_equal(kept[0].code, "bad_value");
	assert_marker(1, "bad_value");
	report(1, NULL);
	assert_false(outbox_has_news(&session->outbox));
	report(0, NULL);
	assert_ended(0, 1);
	assert_int_equal(metric_value(numbers.events_rejected[REASON_BAD_VALUE]), 1);
}

static void assert_address(size_t index, int32_t partition)
{
	assert_true(slice_equals_text(kept[index].record.key, "uk"));
	assert_int_equal(kept[index].record.partition, partition);
}

static void test_event_letter_and_marker_lie_in_the_partition_of_their_edge(void **state)
{
	(void)state;
	topics.partitions = 1000;
	int32_t partition = checksum_partition(slice_of_text("uk"), 1000);
	assert_true(partition > 0);
	samples_add_order(&samples, 1);
	samples_spoil(samples_add_order(&samples, 2), "2.55", "2,55");
	take(KIND_ORDER);
	assert_int_equal(kept_count, 3);
	for (size_t i = 0; i < kept_count; i++) {
		assert_address(i, partition);
	}
}

/* Its report comes while batches of other edges are taken. */
static void test_a_condemned_record_stays_in_the_partition_of_its_edge(void **state)
{
	(void)state;
	const struct session_start start = {
		.peer = slice_of_text("q"), .edge = slice_of_text("fr"), .run = 8, .id = 2};
	const struct pipeline_batch other = {
		.number = 1, .lane = KIND_CART, .count = 1, .events = slice_of("\xc1", 1)};
	struct session *french = NULL;
	topics.partitions = 1000;
	samples_add_order(&samples, 1);
	take(KIND_ORDER);
	assert_int_equal(sessions_open(sessions, &start, &french), 0);
	assert_int_equal(pipeline_take(&pipeline, french, &other), 0);
	assert_int_equal(kept_count, 2);
	report(0, "INVALID_RECORD");
	assert_true(kept[2].is_alone);
	report(2, "INVALID_RECORD");
	assert_int_equal(kept_count, 5);
	assert_int_equal(kept[3].record.lane, KIND_ORDER_DLQ);
	assert_address(3, checksum_partition(slice_of_text("uk"), 1000));
	assert_marker(4, "refused_by_kafka");
	assert_address(4, checksum_partition(slice_of_text("uk"), 1000));
}

static void test_an_event_that_can_not_be_named_is_a_letter_only(void **state)
{
	(void)state;
	samples_add_bytes(&samples, "\xc1", 1);
	take(KIND_ORDER);
	assert_int_equal(kept_count, 1);
	assert_int_equal(kept[0].record.lane, KIND_ORDER_DLQ);
	report(0, NULL);
	assert_ended(0, 1);
}

static void test_an_edges_dead_letter_goes_to_its_topic_as_it_was_received(void **state)
{
	(void)state;
	samples_add_letter(&samples, 3, "uk");
	take(KIND_ORDER_DLQ);
	assert_int_equal(kept_count, 1);
	assert_int_equal(kept[0].record.lane, KIND_ORDER_DLQ);
	assert_true(slice_equals_text(kept[0].record.value, "{\"price\":\"2,55\"}"));
	assert_int_equal(kept[0].record.header_count, DLQ_HEADER_COUNT);
	report(0, NULL);
	assert_ended(0, 1);
}

static void test_a_batch_with_a_wrong_count_is_never_acknowledged(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	const struct pipeline_batch batch = {.number = 1,
		.lane = KIND_ORDER,
		.count = 2,
		.events = buffer_slice(&samples.batch)};
	assert_int_equal(pipeline_take(&pipeline, session, &batch), PIPELINE_E_COUNT);
	report(0, NULL);
	assert_ended(NACK_DELIVERY_FAILED, 1);
	assert_int_equal(session->outbox.done[0].count, 0);
}

/* Two records shared a Kafka batch and failed together; alone, the good one passes and the bad one is condemned. */
static void test_a_bad_record_is_found_by_sending_each_alone(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	samples_add_order(&samples, 2);
	take(KIND_ORDER);
	report(0, "INVALID_RECORD");
	report(1, "INVALID_RECORD");
	assert_int_equal(kept_count, 4);
	assert_true(kept[2].is_alone && kept[3].is_alone);
	report(2, NULL);
	report(3, "INVALID_RECORD");
	assert_int_equal(kept_count, 6);
	assert_string_equal(kept[4].code, "refused_by_kafka");
	assert_true(slice_equal(kept[4].record.value, kept[1].record.value));
	assert_marker(5, "refused_by_kafka");
	report(4, NULL);
	assert_false(outbox_has_news(&session->outbox));
	report(5, NULL);
	assert_ended(0, 1);
	assert_int_equal(metric_value(numbers.records_retried), 2);
	assert_int_equal(metric_value(numbers.events_rejected[REASON_REFUSED_BY_KAFKA]), 1);
}

static void test_a_record_that_librdkafka_itself_refuses_is_condemned_at_once(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	put_result = SINK_E_REFUSED;
	put_error = "MSG_SIZE_TOO_LARGE";
	take(KIND_ORDER); /* letter and marker are refused too: nothing can be acknowledged */
	assert_int_equal(session->outbox.done[0].count, 0);
	assert_ended(NACK_DELIVERY_FAILED, 1);
	assert_int_equal(metric_value(numbers.events_rejected[REASON_REFUSED_BY_KAFKA]), 1);
}

static void test_a_letter_that_kafka_refuses_is_never_acknowledged(void **state)
{
	(void)state;
	samples_spoil(samples_add_order(&samples, 1), "2.55", "2,55");
	take(KIND_ORDER);
	report(1, NULL);
	report(0, "INVALID_RECORD");
	assert_int_equal(kept_count, 3);
	report(2, "INVALID_RECORD");
	assert_int_equal(kept_count, 3);
	assert_ended(NACK_DELIVERY_FAILED, 1);
	assert_false(lanes[KIND_ORDER_DLQ].is_open);
	assert_true(lanes[KIND_ORDER].is_open);
}

static void test_a_transient_failure_is_tried_once_more_and_then_left_to_the_edge(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	take(KIND_ORDER);
	report(0, "REQUEST_TIMED_OUT");
	assert_int_equal(kept_count, 2);
	report(1, "REQUEST_TIMED_OUT");
	assert_ended(NACK_DELIVERY_FAILED, 1);
	assert_true(session->outbox.retry_after_ms[NACK_DELIVERY_FAILED] > 0);
}

static void test_a_failure_that_can_not_be_tried_again_is_left_to_the_edge(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	take(KIND_ORDER);
	repeat_result = SINK_E_DOWN;
	report(0, "INVALID_RECORD"); /* it may be another record's fault: no dead letter */
	assert_int_equal(kept_count, 1);
	assert_ended(NACK_DELIVERY_FAILED, 1);
}

static void test_a_refused_topic_closes_its_lane_and_no_other(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	take(KIND_ORDER);
	report(0, "UNKNOWN_TOPIC_OR_PART");
	assert_ended(NACK_TOPIC_REFUSED, 1);
	assert_true(pipeline.is_topic_lost);
	take(KIND_ORDER);
	assert_ended(NACK_TOPIC_REFUSED, 2);
	assert_int_equal(kept_count, 1);
	samples_clear(&samples);
	samples_add(&samples, "{\"kind\":\"view\",\"edge\":\"uk\",\"run\":7,\"seq\":1,\"ts\":0}");
	take(KIND_VIEW);
	assert_int_equal(kept_count, 2);
	report(1, NULL);
	assert_ended(0, 3);
}

static void test_an_invalid_event_waits_while_its_dead_letter_topic_is_refused(void **state)
{
	(void)state;
	lane_close(&lanes[KIND_ORDER_DLQ], "gone");
	samples_spoil(samples_add_order(&samples, 1), "2.55", "2,55");
	take(KIND_ORDER);
	/* The marker may be in Kafka already; the letter is not, so nothing is acknowledged. */
	for (size_t i = 0; i < kept_count; i++) {
		report(i, NULL);
	}
	assert_ended(NACK_TOPIC_REFUSED, 1);
	assert_int_equal(session->outbox.done[0].count, 0);
}

static void test_a_fatal_error_asks_for_a_new_producer(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	samples_add_order(&samples, 2);
	take(KIND_ORDER);
	report(0, "_FATAL");
	assert_true(pipeline.is_producer_lost);
	pipeline_fail_all(&pipeline, 100);
	assert_ended(NACK_PRODUCER_REBUILT, 1);
	assert_ptr_equal(sessions_take_marked(sessions), session);
	report(1, NULL); /* of the old producer, too late */
	assert_int_equal(tracker.dropped_count, 1);
	assert_int_equal(session->outbox.done[0].count, 0);
}

static void test_a_full_queue_and_a_missing_producer_are_said_to_the_edge(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	put_result = SINK_E_FULL;
	take(KIND_ORDER);
	assert_ended(NACK_BUSY, 1);
	put_result = SINK_E_DOWN;
	take(KIND_ORDER);
	assert_ended(NACK_PRODUCER_REBUILT, 2);
}

static void test_more_than_the_credit_is_busy(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	session->outbox.lane_bytes[KIND_ORDER] = CREDIT_TEST_BYTES;
	take(KIND_ORDER);
	session->outbox.lane_bytes[KIND_ORDER] = 0;
	assert_ended(NACK_BUSY, 1);
	assert_int_equal(kept_count, 0);
}

static void test_nothing_is_taken_while_stopping(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	pipeline.is_stopping = true;
	take(KIND_ORDER);
	assert_ended(NACK_BUSY, 1);
	assert_int_equal(kept_count, 0);
}

static void test_reports_for_a_session_that_is_over_are_dropped(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	take(KIND_ORDER);
	sessions_close(sessions, &tracker, session);
	report(0, NULL);
	assert_int_equal(tracker.dropped_count, 1);
	assert_int_equal(tracker.batch_count, 0);
	assert_null(sessions_take_marked(sessions));
	assert_int_equal(metric_value(numbers.batches_acked), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(test_a_batch_is_acknowledged_when_every_record_is_delivered),
		CASE(test_a_batch_that_says_its_age_tells_it_once),
		CASE(test_a_clock_before_all_time_writes_no_receipt),
		CASE(test_json_records_hold_the_events_digits),
		CASE(test_a_refused_event_is_acknowledged_when_letter_and_marker_are),
		CASE(test_event_letter_and_marker_lie_in_the_partition_of_their_edge),
		CASE(test_a_condemned_record_stays_in_the_partition_of_its_edge),
		CASE(test_an_event_that_can_not_be_named_is_a_letter_only),
		CASE(test_an_edges_dead_letter_goes_to_its_topic_as_it_was_received),
		CASE(test_a_batch_with_a_wrong_count_is_never_acknowledged),
		CASE(test_a_bad_record_is_found_by_sending_each_alone),
		CASE(test_a_record_that_librdkafka_itself_refuses_is_condemned_at_once),
		CASE(test_a_letter_that_kafka_refuses_is_never_acknowledged),
		CASE(test_a_transient_failure_is_tried_once_more_and_then_left_to_the_edge),
		CASE(test_a_failure_that_can_not_be_tried_again_is_left_to_the_edge),
		CASE(test_a_refused_topic_closes_its_lane_and_no_other),
		CASE(test_an_invalid_event_waits_while_its_dead_letter_topic_is_refused),
		CASE(test_a_fatal_error_asks_for_a_new_producer),
		CASE(test_a_full_queue_and_a_missing_producer_are_said_to_the_edge),
		CASE(test_more_than_the_credit_is_busy),
		CASE(test_nothing_is_taken_while_stopping),
		CASE(test_reports_for_a_session_that_is_over_are_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
