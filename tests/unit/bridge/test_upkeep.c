/* How Kafka does and what follows, and what all edges are told of it. Socket, sink and watch are the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "bridge/upkeep.h"
#include "runtime/metrics.h"
#include "runtime/socket.h"
#include <cmocka.h>
#include <errno.h>

static int send_result, rebuild_result;
static int dropped_count, rebuilt_count, hurried_count;
static int sent_count[WIRE_BYE + 1]; /* by type */

static struct topics topics;
static struct topics_sight sight;
static struct tracker tracker;
static struct sessions *sessions;
static struct metrics *metrics;
static struct bridge_metrics numbers;
static struct lane lanes[LANE_COUNT];
static struct pipeline pipeline;
static struct post post;
static struct reception reception;
static struct rounds rounds;
static struct upkeep upkeep;
static struct wire_range ranges[WIRE_RANGES_MAX];

int socket_send(struct socket *socket, const struct iovec *frames, size_t frame_count)
{
	struct wire_message message;
	struct complaint complaint;
	(void)socket;
	if (send_result != 0) {
		return send_result;
	}
	assert_int_equal(frame_count, 2);
	assert_int_equal(wire_decode(slice_of(frames[1].iov_base, frames[1].iov_len), ranges,
				 &message, &complaint),
		0);
	sent_count[message.type]++;
	return 0;
}

int sink_put(struct sink *sink, const struct sink_record *record)
{
	(void)sink;
	(void)record;
	return SINK_E_DOWN;
}

int sink_repeat(struct sink *sink, const struct sink_report *report)
{
	(void)sink;
	(void)report;
	return SINK_E_DOWN;
}

const char *sink_error(const struct sink *sink)
{
	(void)sink;
	return "";
}

static char expected_cluster[CLUSTER_ID_SIZE];

void sink_expect_cluster(struct sink *sink, const char *cluster_id)
{
	(void)sink;
	snprintf(expected_cluster, sizeof expected_cluster, "%s", cluster_id);
}

static int64_t connected_ms;

int64_t sink_connected_ms(const struct sink *sink)
{
	(void)sink;
	return connected_ms;
}

void sink_drop(struct sink *sink)
{
	(void)sink;
	dropped_count++;
}

int sink_rebuild(struct sink *sink, struct config_error *error)
{
	(void)sink;
	snprintf(error->text, sizeof error->text, "no");
	rebuilt_count++;
	return rebuild_result;
}

void watch_hurry(struct watch *watch)
{
	(void)watch;
	hurried_count++;
}

static void wire_parts(void)
{
	const struct pipeline_parts parts = {.topics = &topics,
		.sessions = sessions,
		.tracker = &tracker,
		.lanes = lanes,
		.metrics = &numbers};
	const struct upkeep_parts upkeep_parts = {.topics = &topics,
		.tracker = &tracker,
		.lanes = lanes,
		.pipeline = &pipeline,
		.reception = &reception,
		.rounds = &rounds,
		.metrics = &numbers};
	assert_int_equal(pipeline_init(&pipeline, &parts), 0);
	post_init(&post, NULL, sessions, &numbers);
	reception = (struct reception){.sessions = sessions,
		.tracker = &tracker,
		.pipeline = &pipeline,
		.post = &post,
		.metrics = &numbers};
	rounds = (struct rounds){&reception, sessions, &post, lanes};
	upkeep_init(&upkeep, &upkeep_parts, 5000);
}

static int set_up(void **state)
{
	(void)state;
	static const char *const names[] = {"orders", "cart_events", "page_views"};
	struct complaint complaint;
	send_result = rebuild_result = 0;
	dropped_count = rebuilt_count = hurried_count = 0;
	connected_ms = 0;
	memset(sent_count, 0, sizeof sent_count);
	topics = (struct topics){.partitions = 4};
	assert_int_equal(topic_names_fill(names, topics.names, &complaint), 0);
	tracker_init(&tracker);
	sight = (struct topics_sight){.is_reached = true, .cluster_id = "one", .broker_count = 1};
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		lane_init(&lanes[lane], 0);
		sight.topics[lane].partitions = 4;
	}
	int r = metrics_new(&metrics) | bridge_metrics_init(&numbers, metrics, &topics) |
		sessions_new(&sessions);
	wire_parts();
	pipeline.now_ms = 10000;
	pipeline.wall_ms = 1291191960000;
	return r;
}

static int tear_down(void **state)
{
	(void)state;
	post_deinit(&post);
	pipeline_deinit(&pipeline);
	sessions = sessions_free(sessions);
	metrics = metrics_free(metrics);
	tracker_deinit(&tracker);
	return 0;
}

static struct session *begin(const char *edge)
{
	const struct session_start start = {.peer = slice_of_text(edge),
		.edge = slice_of_text(edge),
		.run = 7,
		.id = 1,
		.now_ms = pipeline.now_ms};
	struct session *session = NULL;
	assert_int_equal(sessions_open(sessions, &start, &session), 0);
	return session;
}

static struct sending *fly(struct session *session)
{
	const struct sending_start start = {.number = 1, .lane = KIND_ORDER, .bytes = 100};
	struct sending *sending = NULL;
	struct sending_end end;
	assert_int_equal(tracker_open(&tracker, &session->outbox, &start, &sending), 0);
	tracker_expect(&tracker, sending);
	assert_false(tracker_release(&tracker, sending, &end));
	return sending;
}

static void assert_described(bool is_ready, const char *words)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	assert_int_equal(upkeep_describe(&upkeep, out), is_ready);
	fclose(out);
	if (strstr(text, words) == NULL) {
		fail_msg("\"%s\" does not say \"%s\"", text, words);
	}
	free(text);
}

static void test_it_waits_for_kafka_until_kafka_was_seen(void **state)
{
	(void)state;
	assert_described(true, "waiting for Kafka since 1970-01-01T00:00:05.000Z: not reached yet");
	upkeep_see(&upkeep, &sight);
	assert_true(upkeep.is_connected);
	assert_string_equal(reception.cluster_id, "one");
	assert_true(lanes[KIND_VIEW_DLQ].is_open);
	assert_described(true, "ok\n");
}

static void test_a_broken_connection_is_said_with_its_start(void **state)
{
	(void)state;
	upkeep_see(&upkeep, &sight);
	assert_false(reception.is_kafka_away);
	upkeep_disconnected(&upkeep, "_ALL_BROKERS_DOWN", "1/1 brokers are down");
	assert_described(true, "since 2010-12-01T08:26:00.000Z: _ALL_BROKERS_DOWN");
	assert_true(reception.is_kafka_away);
	upkeep_work(&upkeep);
	assert_int_equal(hurried_count, 1);
	pipeline.wall_ms += 60000;
	sight.is_reached = false;
	snprintf(sight.why, sizeof sight.why, "timed out");
	upkeep_see(&upkeep, &sight);
	assert_described(true, "since 2010-12-01T08:26:00.000Z: timed out");
	upkeep_look_at_lanes(&upkeep);
	sight.is_reached = true;
	upkeep_see(&upkeep, &sight);
	assert_described(true, "ok\n");
	assert_false(reception.is_kafka_away);
}

static void test_the_watch_is_not_hurried_all_the_time(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		pipeline.is_topic_lost = true;
		pipeline.now_ms += 20;
		upkeep_work(&upkeep);
	}
	assert_int_equal(hurried_count, 2);
	assert_true(pipeline.is_topic_lost); /* and is not forgotten */
}

static void test_one_bad_topic_closes_one_lane(void **state)
{
	(void)state;
	sight.topics[KIND_CART].partitions = 1;
	sight.topics[KIND_VIEW].partitions = 9;
	upkeep_see(&upkeep, &sight);
	assert_false(lanes[KIND_CART].is_open);
	assert_true(lanes[KIND_ORDER].is_open);
	assert_true(lanes[KIND_VIEW].is_open);
	assert_described(
		true, "cart waits since 2010-12-01T08:26:00.000Z: topic cart_events has 1");
}

static void test_a_failed_producer_is_dropped_and_rebuilt(void **state)
{
	(void)state;
	upkeep_see(&upkeep, &sight);
	struct session *session = begin("uk");
	fly(session);
	upkeep_producer_failed(&upkeep, "_FATAL", "out of step");
	upkeep_work(&upkeep);
	assert_int_equal(dropped_count, 1);
	assert_int_equal(rebuilt_count, 1);
	assert_int_equal(session->outbox.done[NACK_PRODUCER_REBUILT].count, 1);
	assert_int_equal(tracker.batch_count, 0);
	assert_int_equal(rounds_post_news(&rounds, pipeline.now_ms), 0);
	assert_int_equal(sent_count[WIRE_NACK], 1);
	assert_described(true, "ok\n");
}

/* A producer that fails at once each time must not eat the processor. */
static void test_rebuilds_without_a_delivery_between_come_slower_and_slower(void **state)
{
	(void)state;
	int64_t started_ms = pipeline.now_ms;
	while (rebuilt_count < 10) {
		upkeep_producer_failed(&upkeep, "_FATAL", "again");
		do {
			upkeep_work(&upkeep);
			pipeline.now_ms += 100;
		} while (upkeep.rebuild.is_due);
	}
	assert_true(pipeline.now_ms - started_ms > 4 * REBUILD_WAIT_MS_MAX);
	upkeep_delivered(&upkeep);
	upkeep_producer_failed(&upkeep, "_FATAL", "again");
	upkeep_work(&upkeep);
	assert_int_equal(rebuilt_count, 11);
}

static void test_a_producer_that_can_not_be_made_is_broken(void **state)
{
	(void)state;
	upkeep_see(&upkeep, &sight);
	rebuild_result = -EINVAL;
	upkeep_producer_failed(&upkeep, "_FATAL", "out of step");
	upkeep_work(&upkeep);
	assert_described(false, "broken: no producer: _FATAL: out of step");
	rebuild_result = 0;
	pipeline.now_ms += REBUILD_WAIT_MS_MAX;
	upkeep_work(&upkeep);
	assert_described(true, "ok\n");
}

static void test_another_cluster_at_the_address_ends_all_sessions(void **state)
{
	(void)state;
	upkeep_see(&upkeep, &sight);
	begin("uk");
	begin("fr");
	assert_string_equal(expected_cluster, "one");
	snprintf(sight.cluster_id, sizeof sight.cluster_id, "two");
	upkeep_see(&upkeep, &sight);
	assert_int_equal(sent_count[WIRE_BYE], 2);
	assert_int_equal(sessions_count(sessions), 0);
	assert_string_equal(reception.cluster_id, "two");
	assert_string_equal(expected_cluster, "two");
	upkeep_work(&upkeep);
	assert_int_equal(dropped_count, 1);
}

static void test_who_waits_is_told_each_second_and_who_does_not_now_and_then(void **state)
{
	(void)state;
	struct session *busy = begin("uk");
	begin("fr");
	fly(busy);
	for (int second = 1; second <= 10; second++) {
		assert_int_equal(rounds_post_beats(&rounds, pipeline.now_ms + second * 1000), 0);
	}
	assert_int_equal(sent_count[WIRE_STATE], 10);
	assert_int_equal(sent_count[WIRE_ACK], 1);
}

static void test_a_peer_that_is_gone_ends_its_session(void **state)
{
	(void)state;
	fly(begin("uk"));
	begin("fr");
	send_result = SOCKET_E_UNREACHABLE;
	assert_int_equal(rounds_post_beats(&rounds, pipeline.now_ms + 1000), 0);
	assert_int_equal(sessions_count(sessions), 1); /* nothing was said to the idle one */
	assert_int_equal(tracker.batch_count, 1); /* nobody's, but still in librdkafka */
}

static void test_a_session_that_was_idle_for_an_hour_is_forgotten(void **state)
{
	(void)state;
	struct session *busy = begin("uk");
	begin("fr");
	fly(busy);
	assert_int_equal(rounds_post_beats(&rounds, pipeline.now_ms + SESSION_IDLE_MS_MAX), 0);
	assert_int_equal(sessions_count(sessions), 1);
	assert_ptr_equal(sessions_first(sessions), busy);
	assert_int_equal(sent_count[WIRE_BYE], 1);
}

static void test_news_that_can_not_go_now_are_tried_in_a_later_round(void **state)
{
	(void)state;
	struct session *session = begin("uk");
	struct sending_end end;
	assert_true(tracker_report(&tracker, fly(session), &end));
	sessions_mark(sessions, session);
	send_result = SOCKET_E_AGAIN;
	assert_int_equal(rounds_post_news(&rounds, pipeline.now_ms), 0);
	send_result = 0;
	assert_int_equal(rounds_post_news(&rounds, pipeline.now_ms), 0);
	assert_int_equal(sent_count[WIRE_ACK], 1);
	assert_int_equal(rounds_post_news(&rounds, pipeline.now_ms), 0);
	assert_int_equal(sent_count[WIRE_ACK], 1);
}

static void test_nothing_is_acknowledged_until_somebody_looked_behind_a_new_connection(void **state)
{
	(void)state;
	struct session *session = begin("uk");
	struct sending_end end;
	sight.began_ms = 10000;
	upkeep_see(&upkeep, &sight);
	connected_ms = 10000; /* perhaps after that look */
	upkeep_work(&upkeep);
	assert_true(tracker_report(&tracker, fly(session), &end));
	sessions_mark(sessions, session);
	assert_int_equal(rounds_post_news(&rounds, pipeline.now_ms), 0);
	assert_int_equal(sent_count[WIRE_ACK], 0);
	assert_int_equal(hurried_count, 1);
	assert_int_equal(rounds_post_beats(&rounds, pipeline.now_ms), 0);
	assert_int_equal(sent_count[WIRE_STATE], 1); /* the edge is not left in silence */
	sight.began_ms = 10001;
	upkeep_see(&upkeep, &sight);
	upkeep_work(&upkeep);
	assert_int_equal(rounds_post_news(&rounds, pipeline.now_ms), 0);
	assert_int_equal(sent_count[WIRE_ACK], 1);
	upkeep_work(&upkeep);
	assert_int_equal(hurried_count, 1);
}

static void test_a_peer_that_never_reads_is_sent_away(void **state)
{
	(void)state;
	struct session *session = begin("uk");
	struct ranges *done = &session->outbox.done[0];
	assert_int_equal(ranges_reserve(done, OUTBOX_RANGES_MAX + 1), 0);
	for (uint64_t i = 0; i < OUTBOX_RANGES_MAX; i++) {
		ranges_add(done, 1 + 2 * i);
	}
	sessions_mark(sessions, session);
	send_result = SOCKET_E_AGAIN;
	assert_int_equal(rounds_post_news(&rounds, pipeline.now_ms), 0);
	assert_int_equal(sessions_count(sessions), 1);
	ranges_add(done, 1 + 2 * OUTBOX_RANGES_MAX);
	assert_int_equal(rounds_post_news(&rounds, pipeline.now_ms), 0);
	assert_int_equal(sessions_count(sessions), 0);
}

static void test_an_error_of_the_socket_is_passed_up(void **state)
{
	(void)state;
	fly(begin("uk"));
	send_result = -ENOTSOCK;
	assert_int_equal(rounds_post_beats(&rounds, pipeline.now_ms + 1000), -ENOTSOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(test_it_waits_for_kafka_until_kafka_was_seen),
		CASE(test_a_broken_connection_is_said_with_its_start),
		CASE(test_the_watch_is_not_hurried_all_the_time),
		CASE(test_one_bad_topic_closes_one_lane),
		CASE(test_a_failed_producer_is_dropped_and_rebuilt),
		CASE(test_rebuilds_without_a_delivery_between_come_slower_and_slower),
		CASE(test_a_producer_that_can_not_be_made_is_broken),
		CASE(test_another_cluster_at_the_address_ends_all_sessions),
		CASE(test_who_waits_is_told_each_second_and_who_does_not_now_and_then),
		CASE(test_a_peer_that_is_gone_ends_its_session),
		CASE(test_a_session_that_was_idle_for_an_hour_is_forgotten),
		CASE(test_news_that_can_not_go_now_are_tried_in_a_later_round),
		CASE(test_nothing_is_acknowledged_until_somebody_looked_behind_a_new_connection),
		CASE(test_a_peer_that_never_reads_is_sent_away),
		CASE(test_an_error_of_the_socket_is_passed_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
