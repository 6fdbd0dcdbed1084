/* The sink and the watch against librdkafka's own mock cluster. Nothing here sleeps: the tests wait for an event on the
 * descriptor that the loop would wait for, with a deadline that only a failure reaches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/sink.h"
#include "bridge/watch.h"
#include "runtime/kafka_options.h"
#include <cmocka.h>
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <pthread.h>

enum { DEADLINE_MS = 20000, POLL_MS = 200, PRODUCE = 0 /* Kafka's number of the request */ };

static rd_kafka_t *host; /* of the mock cluster */
static rd_kafka_mock_cluster_t *cluster;
static struct topics topics;
static struct sink *sink;
static struct watch *watch;
static struct config_error error;

/* What was reported. */
static int delivered_count, failed_count, alone_count, lost_count;
static uint64_t last_ticket;
static char last_error[64], last_value[64], last_key[64];
static bool must_repeat;
static int repeat_result;

static void on_reported(void *owner, const struct sink_report *report)
{
	assert_ptr_equal(owner, &topics);
	last_ticket = report->ticket;
	alone_count += report->was_alone;
	if (report->error == NULL) {
		delivered_count++;
		return;
	}
	failed_count++;
	snprintf(last_error, sizeof last_error, "%s", report->error);
	snprintf(last_value, sizeof last_value, "%.*s", (int)report->value.size,
		(const char *)report->value.bytes);
	snprintf(last_key, sizeof last_key, "%.*s", (int)report->key.size,
		(const char *)report->key.bytes);
	repeat_result = must_repeat ? sink_repeat(sink, report) : 0;
}

static void on_failed(void *owner, const char *name, const char *words)
{
	(void)owner;
	assert_true(words[0] != '\0');
	snprintf(last_error, sizeof last_error, "%s", name);
	lost_count++;
}

static void on_disconnected(void *owner, const char *name, const char *words)
{
	(void)owner;
	(void)name;
	(void)words;
}

static int open_sink(const char *brokers)
{
	const struct sink_options options = {
		.brokers = brokers,
		.topics = &topics,
		.listener = {&topics, on_reported, on_failed, on_disconnected},
	};
	return sink_new(&options, &sink, &error);
}

static int open_sink_with(const struct kafka_properties *properties)
{
	const struct sink_options options = {
		.brokers = rd_kafka_mock_cluster_bootstraps(cluster),
		.properties = properties,
		.topics = &topics,
		.listener = {&topics, on_reported, on_failed, on_disconnected},
	};
	return sink_new(&options, &sink, &error);
}

static int set_up(void **state)
{
	(void)state;
	static const char *const names[] = {"orders", "cart_events", "page_views"};
	struct complaint complaint;
	topics = (struct topics){.partitions = 4, .may_create = true};
	assert_int_equal(topic_names_fill(names, topics.names, &complaint), 0);
	delivered_count = failed_count = alone_count = lost_count = 0;
	must_repeat = false;
	return open_sink(rd_kafka_mock_cluster_bootstraps(cluster));
}

static int tear_down(void **state)
{
	(void)state;
	watch = watch_free(watch);
	sink = sink_free(sink);
	return 0;
}

static int open_cluster(void **state)
{
	(void)state;
	host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), NULL, 0);
	cluster = host == NULL ? NULL : rd_kafka_mock_cluster_new(host, 1);
	if (cluster == NULL) {
		return -1;
	}
	static const char *const names[] = {"orders", "cart_events", "page_views", "orders.dlq",
		"cart_events.dlq", "page_views.dlq"};
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		rd_kafka_mock_topic_create(cluster, names[lane], 4, 1);
	}
	return 0;
}

static int close_cluster(void **state)
{
	(void)state;
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(host);
	return 0;
}

/* As the loop does: wait for the descriptor, but look again in any case. */
static void serve_until(const int *count, int target)
{
	for (int waited_ms = 0; *count < target; waited_ms += POLL_MS) {
		struct pollfd item = {.fd = sink_fd(sink), .events = POLLIN};
		assert_true(waited_ms < DEADLINE_MS);
		assert_true(poll(&item, 1, POLL_MS) >= 0);
		while (sink_serve(sink)) {
		}
	}
}

static int put(enum kind lane, const char *value, const struct letter_header *header)
{
	const struct sink_record record = {
		.lane = lane,
		.partition = 2,
		.key = slice_of_text("uk"),
		.value = slice_of_text(value),
		.headers = header,
		.header_count = header != NULL,
		.ticket = UINT64_C(0x123456789abcdef0),
	};
	return sink_put(sink, &record);
}

static void test_a_delivered_record_comes_back_with_its_ticket(void **state)
{
	(void)state;
	const struct letter_header header = {"till.edge", slice_of_text("uk")};
	assert_int_equal(put(KIND_ORDER, "one", NULL), 0);
	assert_int_equal(put(KIND_VIEW_DLQ, "two", &header), 0);
	assert_int_equal(put(KIND_CART, "", NULL), 0);
	serve_until(&delivered_count, 3);
	assert_int_equal(failed_count, 0);
	assert_int_equal(alone_count, 0);
	assert_true(last_ticket == UINT64_C(0x123456789abcdef0));
}

static void test_a_failed_record_is_named_and_can_be_sent_again_alone(void **state)
{
	(void)state;
	const struct letter_header header = {"till.edge", slice_of_text("uk")};
	rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_INVALID_RECORD);
	must_repeat = true;
	assert_int_equal(put(KIND_ORDER, "sale", &header), 0);
	serve_until(&delivered_count, 1);
	assert_int_equal(failed_count, 1);
	assert_string_equal(last_error, "INVALID_RECORD");
	assert_string_equal(last_value, "sale");
	assert_string_equal(last_key, "uk");
	assert_int_equal(repeat_result, 0);
	assert_int_equal(alone_count, 1);
}

/* The offset that the next record of the partition gets, as the cluster says. */
static int64_t end_of_log(const char *topic, int32_t partition)
{
	int64_t begin = -1, end = -1;
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(
		conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster), NULL, 0);
	rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
	assert_non_null(client);
	assert_int_equal(rd_kafka_query_watermark_offsets(
				 client, topic, partition, &begin, &end, DEADLINE_MS),
		RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_destroy(client);
	return end;
}

/* A broker that knows nothing of a producer takes any sequence number from it. Were the second batch under way before the
 * first is answered, the first's refusal (a partition that is just getting its leader) would be told as a success. */
static void test_no_batch_is_sent_before_the_one_in_front_was_answered(void **state)
{
	(void)state;
	enum { BATCHES = 5 };
	struct kafka_properties properties = {0};
	const int64_t before = end_of_log("orders", 2);

	assert_int_equal(
		kafka_properties_set(&properties, "kafka", "batch.num.messages", "1", &error), 0);
	assert_int_equal(kafka_properties_set(&properties, "kafka", "linger.ms", "0", &error), 0);
	sink = sink_free(sink);
	assert_int_equal(open_sink_with(&properties), 0);
	rd_kafka_mock_broker_push_request_error_rtts(
		cluster, 1, PRODUCE, 1, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 200);
	for (int i = 0; i < BATCHES; i++) {
		assert_int_equal(put(KIND_ORDER, "sale", NULL), 0);
	}
	serve_until(&delivered_count, BATCHES);
	assert_int_equal(end_of_log("orders", 2) - before, BATCHES);
	kafka_properties_deinit(&properties);
}

static char told[256 * 1024]; /* librdkafka's log, a line each */
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;

static void keep_log(int level, const char *text)
{
	(void)level;
	pthread_mutex_lock(&told_lock);
	size_t size = strlen(told);
	snprintf(told + size, sizeof told - size, "%s\n", text);
	pthread_mutex_unlock(&told_lock);
}

/* So often, and always with this value. */
static void assert_all_told(int times, const char *property, const char *value)
{
	int count = 0;
	for (const char *at = told; (at = strstr(at, property)) != NULL; count++) {
		at += strlen(property);
		assert_memory_equal(at, value, strlen(value));
	}
	assert_int_equal(count, times);
}

/* What librdkafka says that it runs with, not what it was told to. */
static void test_both_producers_run_with_what_the_guarantees_rest_on(void **state)
{
	(void)state;
	struct kafka_properties properties = {0};
	const struct sink_options options = {
		.brokers = rd_kafka_mock_cluster_bootstraps(cluster),
		.properties = &properties,
		.topics = &topics,
		.listener = {&topics, on_reported, on_failed, on_disconnected},
		.log = keep_log,
	};
	assert_int_equal(kafka_properties_set(&properties, "kafka", "debug", "conf", &error), 0);
	sink = sink_free(sink);
	told[0] = '\0';
	assert_int_equal(sink_new(&options, &sink, &error), 0);
	rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_INVALID_RECORD);
	must_repeat = true;
	assert_int_equal(put(KIND_ORDER, "sale", NULL), 0);
	serve_until(&delivered_count, 1);
	sink = sink_free(sink); /* before its log is read: its threads write it */
	assert_int_equal(alone_count, 1);
	/* Each of two clients says it when it is made; what is a topic's again with the first topic. */
	assert_all_told(2, "enable.idempotence = ", "true\n");
	assert_all_told(2, "max.in.flight.requests.per.connection = ", "1\n");
	assert_all_told(4, "request.required.acks = ", "-1\n");
	assert_all_told(4, "message.timeout.ms = ", "0\n");
	kafka_properties_deinit(&properties);
}

static void test_a_record_that_is_too_large_is_refused_at_once(void **state)
{
	(void)state;
	static char value[1200000];
	memset(value, 'x', sizeof value - 1);
	assert_int_equal(put(KIND_ORDER, value, NULL), SINK_E_REFUSED);
	assert_string_equal(sink_error(sink), "MSG_SIZE_TOO_LARGE");
}

static void test_a_partition_that_is_not_there_refuses_its_topic(void **state)
{
	(void)state;
	const struct sink_record record = {
		.lane = KIND_ORDER, .partition = 9, .key = slice_of_text("uk")};
	assert_int_equal(put(KIND_ORDER, "one", NULL), 0);
	serve_until(&delivered_count, 1);
	int r = sink_put(sink, &record);
	if (r == 0) {
		serve_until(&failed_count, 1);
		assert_string_equal(last_error, "_UNKNOWN_PARTITION");
	} else {
		assert_int_equal(r, SINK_E_REFUSED);
		assert_string_equal(sink_error(sink), "_UNKNOWN_PARTITION");
	}
}

/* What librdkafka 2.0 does after some restarts of brokers: its sequence is out of step, and it gives up. */
static void test_after_a_fatal_error_a_new_producer_goes_on(void **state)
{
	(void)state;
	rd_kafka_mock_push_request_errors(
		cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(put(KIND_ORDER, "one", NULL), 0);
	serve_until(&lost_count, 1);
	assert_string_equal(last_error, "OUT_OF_ORDER_SEQUENCE_NUMBER");
	assert_int_equal(put(KIND_ORDER, "two", NULL), SINK_E_REFUSED);
	assert_string_equal(sink_error(sink), "_FATAL");
	sink_drop(sink);
	assert_int_equal(put(KIND_ORDER, "three", NULL), SINK_E_DOWN);
	delivered_count = 0;
	assert_int_equal(sink_rebuild(sink, &error), 0);
	assert_int_equal(put(KIND_ORDER, "four", NULL), 0);
	serve_until(&delivered_count, 1);
}

static void test_a_delivery_to_another_cluster_counts_as_failed(void **state)
{
	(void)state;
	sink_expect_cluster(sink, "the one that the edges know");
	assert_int_equal(put(KIND_ORDER, "one", NULL), 0);
	serve_until(&failed_count, 1);
	assert_string_equal(last_error, SINK_ERROR_CLUSTER);
	assert_int_equal(delivered_count, 0);
	sink_expect_cluster(sink, "");
	assert_int_equal(put(KIND_ORDER, "two", NULL), 0);
	serve_until(&delivered_count, 1);
}

static void test_a_dropped_sink_can_not_repeat(void **state)
{
	(void)state;
	const struct sink_report report = {.lane = KIND_ORDER};
	sink_drop(sink);
	assert_int_equal(sink_repeat(sink, &report), SINK_E_DOWN);
	assert_false(sink_serve(sink));
}

static void test_brokers_need_not_be_there(void **state)
{
	(void)state;
	sink = sink_free(sink);
	assert_int_equal(open_sink("127.0.0.1:1"), 0);
	assert_int_equal(put(KIND_ORDER, "one", NULL), 0);
	sink = sink_free(sink);
	assert_int_equal(delivered_count, 0);
}

static int log_count;

static void on_log(int level, const char *text)
{
	(void)level;
	(void)text;
	log_count++;
}

static void open_watch(const char *brokers)
{
	const struct watch_options options = {.brokers = brokers, .topics = &topics, .log = on_log};
	assert_int_equal(watch_new(&options, &watch, &error), 0);
}

static struct topics_sight next_sight(void)
{
	struct topics_sight sight;
	struct pollfd item = {.fd = watch_fd(watch), .events = POLLIN};
	assert_int_equal(poll(&item, 1, DEADLINE_MS), 1);
	assert_true(watch_take(watch, &sight));
	assert_false(watch_take(watch, &sight));
	return sight;
}

static void test_the_watch_sees_cluster_and_topics(void **state)
{
	(void)state;
	char words[64];
	open_watch(rd_kafka_mock_cluster_bootstraps(cluster));
	struct topics_sight sight = next_sight();
	assert_true(sight.is_reached);
	assert_int_equal(sight.broker_count, 1);
	assert_int_equal(strncmp(sight.cluster_id, "mockCluster", 11), 0);
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		assert_int_equal(topic_judge(&topics, &sight, (enum kind)lane, words, sizeof words),
			TOPIC_OK);
	}
	watch_hurry(watch);
	assert_true(next_sight().is_reached);
}

static void test_the_watch_says_why_it_sees_nothing(void **state)
{
	(void)state;
	open_watch("127.0.0.1:1");
	struct topics_sight sight = next_sight();
	assert_false(sight.is_reached);
	assert_true(sight.why[0] != '\0');
	watch = watch_free(watch);
	assert_true(log_count > 0);
}

static void test_a_property_that_can_not_be_is_an_error_not_a_crash(void **state)
{
	(void)state;
	struct kafka_properties properties = {0};
	struct sink *other_sink = NULL;
	struct watch *other_watch = NULL;
	assert_int_equal(
		kafka_properties_set(&properties, "kafka", "security.protocol", "sasl_ssl", &error),
		0);
	assert_int_equal(
		kafka_properties_set(&properties, "kafka", "sasl.mechanisms", "NONSENSE", &error),
		0);
	const struct sink_options sink_options = {
		.brokers = "127.0.0.1:1", .properties = &properties, .topics = &topics};
	const struct watch_options watch_options = {
		.brokers = "127.0.0.1:1", .properties = &properties, .topics = &topics};
	error.text[0] = '\0';
	assert_int_equal(sink_new(&sink_options, &other_sink, &error), -EINVAL);
	assert_true(error.text[0] != '\0');
	assert_int_equal(watch_new(&watch_options, &other_watch, &error), -EINVAL);
	assert_null(other_sink);
	assert_null(other_watch);
	kafka_properties_deinit(&properties);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(test_a_delivered_record_comes_back_with_its_ticket),
		CASE(test_a_failed_record_is_named_and_can_be_sent_again_alone),
		CASE(test_both_producers_run_with_what_the_guarantees_rest_on),
		CASE(test_a_record_that_is_too_large_is_refused_at_once),
		CASE(test_a_partition_that_is_not_there_refuses_its_topic),
		CASE(test_after_a_fatal_error_a_new_producer_goes_on),
		CASE(test_a_delivery_to_another_cluster_counts_as_failed),
		CASE(test_a_dropped_sink_can_not_repeat),
		CASE(test_brokers_need_not_be_there),
		CASE(test_the_watch_sees_cluster_and_topics),
		CASE(test_the_watch_says_why_it_sees_nothing),
		CASE(test_a_property_that_can_not_be_is_an_error_not_a_crash),
		/* Last: what is pushed to one broker stands before what is pushed to the cluster, for good. */
		CASE(test_no_batch_is_sent_before_the_one_in_front_was_answered),
	};
	return cmocka_run_group_tests(tests, open_cluster, close_cluster);
}
