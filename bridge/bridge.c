/* The wiring of till-bridge. What happens in which order:
 *
 *   ROUTER readable   -> reception_take -> pipeline_take           a batch goes into librdkafka
 *   reports readable  -> sink_serve -> pipeline_reported           Kafka has it, or not
 *   after each round  -> post_news                                 ACKs and NACKs go out
 *   sights readable   -> on_sight                                  topics, cluster, connection
 *   each second       -> post_state
 */
#include "bridge/bridge.h"
#include "bridge/reception.h"
#include "bridge/watch.h"
#include "proto/timestamp.h"
#include "runtime/clock.h"
#include "runtime/http.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include "runtime/program.h"
#include "runtime/socket.h"
#include <errno.h>
#include <stdlib.h>

enum {
	LISTEN_MAX = 8,
	MESSAGES_PER_ROUND =
		32, /* then reports have their turn: 32 batches take about 50 ms at worst */
	PEER_QUEUE_MESSAGES =
		64, /* of 257 KiB at most: what a peer without manners can pile up here */
	HEARTBEAT_MS = 2000,
	SERVE_INTERVAL_MS = 200, /* librdkafka's wake-up may be lost */
	STATE_INTERVAL_MS = 1000,
	CREDIT_INTERVAL_MS =
		10000, /* an idle session is told its credit, and shows whether it lives */
	FAREWELL_MS = 100, /* for libzmq to get the last frames out */
	REBUILD_WAIT_MS_MAX = 10000,
	HURRY_INTERVAL_MS = 1000,
};

struct kafka_state {
	bool is_connected;
	int64_t waiting_since_ms; /* wall clock; while not connected */
	char why[LANE_WHY_SIZE];
};

struct rebuild {
	bool is_due;
	int64_t at_ms;
	int64_t wait_ms; /* before the next one, doubled each time, 0 after a delivery */
};

struct stop {
	bool is_asked;
	int64_t deadline_ms;
	int64_t farewell_ms; /* 0: edges were not told yet */
};

struct bridge {
	const struct bridge_config *config;
	struct loop *loop;
	struct context *context;
	struct socket *router;
	struct metrics *metrics;
	struct http *http;
	struct sessions *sessions;
	struct sink *sink;
	struct watch *watch;
	struct message message; /* the one being read */
	struct tracker tracker;
	struct lane lanes[LANE_COUNT];
	struct bridge_metrics numbers;
	struct pipeline pipeline;
	struct post post;
	struct reception reception;
	char listen[LISTEN_MAX][ENDPOINT_SIZE];
	size_t listen_count;

	struct kafka_state kafka;
	struct rebuild rebuild;
	struct stop stop;
	bool is_wait_told[LANE_COUNT]; /* in the log */
	bool has_more_reports;
	int64_t state_ms, hurry_ms; /* when last */
};

static void set_time(struct bridge *bridge)
{
	bridge->pipeline.now_ms = loop_now_ms(bridge->loop);
	bridge->pipeline.now_us = clock_monotonic_us();
	bridge->pipeline.wall_ms = clock_wall_ms();
}

/* ---- edges ---- */

static int on_router(void *owner)
{
	struct bridge *bridge = owner;
	set_time(bridge);
	for (int i = 0; i < MESSAGES_PER_ROUND; i++) {
		int r = socket_receive(bridge->router, &bridge->message);
		if (r == SOCKET_E_AGAIN) {
			break;
		}
		if (r == SOCKET_E_TOO_MANY_FRAMES) {
			metric_add(bridge->numbers.frames_bad, 1);
			continue;
		}
		r = r == 0 ? reception_take(&bridge->reception, &bridge->message) : r;
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* 0 or -errno: a peer that is gone ends its session, one whose queue is full is tried in a later round. */
static int note_sent(struct bridge *bridge, struct session *session, int sent)
{
	if (sent == POST_E_GONE) {
		reception_forget(&bridge->reception, session);
	} else if (sent == POST_E_LATER && outbox_has_news(&session->outbox)) {
		sessions_mark(bridge->sessions, session);
	}
	return sent < 0 ? sent : 0;
}

/* Each marked session once: one that can not take its news is marked anew. */
static int post_all_news(struct bridge *bridge)
{
	struct session *session;
	size_t left_count = sessions_count(bridge->sessions);
	while (left_count-- > 0 && (session = sessions_take_marked(bridge->sessions)) != NULL) {
		int sent = post_news(&bridge->post, session, bridge->pipeline.now_ms);
		int r = note_sent(bridge, session, sent);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int post_beat(struct bridge *bridge, struct session *session)
{
	int64_t now_ms = bridge->pipeline.now_ms;
	if (session->outbox.batch_count > 0) {
		return post_state(&bridge->post, session, bridge->lanes, now_ms);
	}
	if (now_ms - session->told_ms >= CREDIT_INTERVAL_MS) {
		return post_credit(&bridge->post, session, now_ms);
	}
	return 0;
}

static int post_beats(struct bridge *bridge)
{
	struct session *next;
	for (struct session *session = sessions_first(bridge->sessions); session != NULL;
		session = next) {
		next = sessions_next(session);
		int r = note_sent(bridge, session, post_beat(bridge, session));
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static void end_all_sessions(struct bridge *bridge, enum bye_code code, const char *words)
{
	struct session *session;
	while ((session = sessions_first(bridge->sessions)) != NULL) {
		reception_end(&bridge->reception, session, code, words);
	}
}

/* ---- Kafka ---- */

static void set_connected(struct bridge *bridge, bool is_connected, const char *why)
{
	struct kafka_state *kafka = &bridge->kafka;
	char quoted[2 * LANE_WHY_SIZE];
	snprintf(kafka->why, sizeof kafka->why, "%s", why);
	if (kafka->is_connected == is_connected) {
		return;
	}
	kafka->is_connected = is_connected;
	kafka->waiting_since_ms = clock_wall_ms();
	if (is_connected) {
		log_line(LOG_INFO, "Kafka answers", "cluster=%s", bridge->reception.cluster_id);
	} else {
		log_line(LOG_WARNING, "Kafka can not be reached; edges keep their events", "why=%s",
			log_quote(why, strlen(why), quoted, sizeof quoted));
	}
}

static void on_reported(void *owner, const struct sink_report *report)
{
	struct bridge *bridge = owner;
	bridge->rebuild.wait_ms = report->error == NULL ? 0 : bridge->rebuild.wait_ms;
	pipeline_reported(&bridge->pipeline, report);
}

static void on_failed(void *owner, const char *error, const char *words)
{
	struct bridge *bridge = owner;
	bridge->pipeline.is_producer_lost = true;
	snprintf(bridge->pipeline.why, sizeof bridge->pipeline.why, "%s: %s", error, words);
}

static void on_disconnected(void *owner, const char *error, const char *words)
{
	struct bridge *bridge = owner;
	char why[LANE_WHY_SIZE];
	snprintf(why, sizeof why, "%s: %s", error, words);
	set_connected(bridge, false, why);
	bridge->pipeline.is_topic_lost = true;
}

/* The producer is of no use any more: whatever is in flight ends as NACK, and a new one is made, after a while when the
 * last one did not deliver anything either. */
static void drop_producer(struct bridge *bridge)
{
	struct rebuild *rebuild = &bridge->rebuild;
	char quoted[2 * LANE_WHY_SIZE];
	bridge->pipeline.is_producer_lost = false;
	metric_add(bridge->numbers.producer_rebuilds, 1);
	log_line(LOG_WARNING, "the producer failed and is rebuilt", "why=%s",
		log_quote(
			bridge->pipeline.why, strlen(bridge->pipeline.why), quoted, sizeof quoted));
	sink_drop(bridge->sink);
	rebuild->is_due = true;
	rebuild->at_ms = bridge->pipeline.now_ms + rebuild->wait_ms;
	pipeline_fail_all(&bridge->pipeline, (uint32_t)rebuild->wait_ms + 100);
	rebuild->wait_ms = rebuild->wait_ms == 0 ? 500 : 2 * rebuild->wait_ms;
	if (rebuild->wait_ms > REBUILD_WAIT_MS_MAX) {
		rebuild->wait_ms = REBUILD_WAIT_MS_MAX;
	}
}

static void rebuild_producer(struct bridge *bridge)
{
	struct config_error error = {0};
	int r = sink_rebuild(bridge->sink, &error);
	bridge->rebuild.is_due = r < 0;
	if (r < 0) {
		bridge->rebuild.at_ms = bridge->pipeline.now_ms + REBUILD_WAIT_MS_MAX;
		log_line(LOG_ERROR, "no producer could be made", "why=\"%s\"", error.text);
	}
}

static void look_after_kafka(struct bridge *bridge)
{
	struct pipeline *pipeline = &bridge->pipeline;
	if (pipeline->is_producer_lost) {
		drop_producer(bridge);
	}
	if (bridge->rebuild.is_due && pipeline->now_ms >= bridge->rebuild.at_ms) {
		rebuild_producer(bridge);
	}
	if (pipeline->is_topic_lost && pipeline->now_ms - bridge->hurry_ms >= HURRY_INTERVAL_MS) {
		pipeline->is_topic_lost = false;
		bridge->hurry_ms = pipeline->now_ms;
		watch_hurry(bridge->watch);
	}
}

static int on_sink(void *owner)
{
	struct bridge *bridge = owner;
	set_time(bridge);
	bridge->has_more_reports = sink_serve(bridge->sink);
	return 0;
}

/* Another cluster at the same address: edges decide for themselves whether they go on with it. */
static void learn_cluster(struct bridge *bridge, const char *cluster_id)
{
	char *known = bridge->reception.cluster_id;
	if (strcmp(known, cluster_id) == 0) {
		return;
	}
	if (known[0] != '\0') {
		log_line(LOG_ERROR, "the brokers are another cluster now", "old=%s new=%s", known,
			cluster_id);
		end_all_sessions(bridge, BYE_NOT_READY, "the brokers are another cluster now");
		on_failed(bridge, "another cluster", cluster_id);
	}
	snprintf(known, CLUSTER_ID_SIZE, "%s", cluster_id);
}

static void see_lane(struct bridge *bridge, const struct topics_sight *sight, enum kind kind)
{
	char words[LANE_WHY_SIZE] = "";
	struct lane *lane = &bridge->lanes[kind];
	enum topic_state state =
		topic_judge(&bridge->config->topics, sight, kind, words, sizeof words);
	bool is_usable = topic_state_is_usable(state);
	bool is_news = is_usable ? !lane->is_open : strcmp(words, lane->why_closed) != 0;

	if (is_usable) {
		lane_open(lane, bridge->pipeline.now_ms);
	} else {
		lane_close(lane, words);
	}
	if (is_news && state != TOPIC_OK) {
		log_line(is_usable ? LOG_WARNING : LOG_ERROR, "a topic is not as it should be",
			"why=\"%s\"", words);
	}
}

/* While Kafka is away every lane waits for the same reason, which was logged. */
static void log_lane(struct bridge *bridge, enum kind kind)
{
	const struct lane *lane = &bridge->lanes[kind];
	bool *is_told = &bridge->is_wait_told[kind];
	bool is_waiting = lane->waiting_from_ms >= 0;
	if (is_waiting == *is_told || (is_waiting && !bridge->kafka.is_connected)) {
		return;
	}
	*is_told = is_waiting;
	if (is_waiting) {
		log_line(LOG_WARNING, "a lane waits", "lane=%s why=\"%s\"", kind_name(kind),
			lane->why);
	} else {
		log_line(LOG_INFO, "a lane goes on", "lane=%s", kind_name(kind));
	}
}

static void look_at_lanes(struct bridge *bridge)
{
	for (int i = 0; i < LANE_COUNT; i++) {
		const struct lane_sight sight = {
			.now_ms = bridge->pipeline.now_ms,
			.wall_ms = bridge->pipeline.wall_ms,
			.is_connected = bridge->kafka.is_connected,
			.is_idle = bridge->tracker.lane_batches[i] == 0,
		};
		lane_look(&bridge->lanes[i], &sight);
		log_lane(bridge, (enum kind)i);
	}
}

static int on_sight(void *owner)
{
	struct bridge *bridge = owner;
	struct topics_sight sight;
	set_time(bridge);
	if (!watch_take(bridge->watch, &sight)) {
		return 0;
	}
	if (!sight.is_reached) {
		set_connected(bridge, false, sight.why);
		return 0;
	}
	learn_cluster(bridge, sight.cluster_id);
	set_connected(bridge, true, "");
	for (int kind = 0; kind < LANE_COUNT; kind++) {
		see_lane(bridge, &sight, (enum kind)kind);
	}
	look_at_lanes(bridge);
	return 0;
}

/* ---- stopping ---- */

static int on_terminate(void *owner)
{
	struct bridge *bridge = owner;
	program_stopping();
	log_line(LOG_INFO, "stopping", "batches_in_flight=%llu",
		(unsigned long long)bridge->tracker.batch_count);
	bridge->stop.is_asked = true;
	bridge->stop.deadline_ms = loop_now_ms(bridge->loop) + bridge->config->drain_ms;
	bridge->pipeline.is_stopping = true;
	bridge->reception.is_stopping = true;
	return 0;
}

static int step_stop(struct bridge *bridge)
{
	struct stop *stop = &bridge->stop;
	int64_t now_ms = bridge->pipeline.now_ms;
	if (!stop->is_asked) {
		return 0;
	}
	if (stop->farewell_ms != 0) {
		if (now_ms - stop->farewell_ms >= FAREWELL_MS) {
			loop_stop(bridge->loop);
		}
		return 0;
	}
	if (bridge->tracker.batch_count > 0 && now_ms < stop->deadline_ms) {
		return 0;
	}
	log_line(LOG_INFO, "what is not acknowledged stays on the edges", "batches=%llu",
		(unsigned long long)bridge->tracker.batch_count);
	int r = post_all_news(bridge);
	end_all_sessions(bridge, BYE_SHUTTING_DOWN, "this bridge stops");
	stop->farewell_ms = now_ms;
	return r;
}

/* ---- the round ---- */

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct bridge *bridge = owner;
	set_time(bridge);
	bridge->has_more_reports = sink_serve(bridge->sink);
	look_after_kafka(bridge);
	int r = post_all_news(bridge);
	if (r == 0 && now_ms - bridge->state_ms >= STATE_INTERVAL_MS) {
		bridge->state_ms = now_ms;
		look_at_lanes(bridge);
		r = post_beats(bridge);
	}
	if (r == 0) {
		r = step_stop(bridge);
	}
	*ret_wait_ms = bridge->has_more_reports ? 0
		       : bridge->stop.is_asked  ? FAREWELL_MS / 10
						: SERVE_INTERVAL_MS;
	return r;
}

static void collect(void *owner)
{
	struct bridge *bridge = owner;
	const struct tracker *tracker = &bridge->tracker;
	uint64_t bytes = 0;
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		bytes += tracker->lane_bytes[lane];
	}
	metric_set(bridge->numbers.sessions, (double)sessions_count(bridge->sessions));
	metric_set(bridge->numbers.unacked_batches, (double)tracker->batch_count);
	metric_set(bridge->numbers.unacked_records, (double)tracker->record_count);
	metric_set(bridge->numbers.queue_bytes, (double)bytes);
	metric_set(bridge->numbers.kafka_connected, bridge->kafka.is_connected);
	metric_add(bridge->numbers.reports_dropped,
		(double)tracker->dropped_count - metric_value(bridge->numbers.reports_dropped));
}

static int ready(void *owner, FILE *out)
{
	struct bridge *bridge = owner;
	char since[TIMESTAMP_TEXT_SIZE];
	bool is_waiting = false;
	if (bridge->stop.is_asked) {
		fputs("stopping\n", out);
		return false;
	}
	if (bridge->rebuild.is_due) {
		fprintf(out, "broken: no producer: %s\n", bridge->pipeline.why);
		return false;
	}
	if (!bridge->kafka.is_connected) {
		timestamp_format(bridge->kafka.waiting_since_ms, since);
		fprintf(out, "waiting for Kafka since %s: %s\n", since, bridge->kafka.why);
		return true;
	}
	for (int i = 0; i < LANE_COUNT; i++) {
		const struct lane *lane = &bridge->lanes[i];
		if (lane->waiting_from_ms >= 0) {
			timestamp_format(lane->waiting_since_ms, since);
			fprintf(out, "%s waits since %s: %s\n", kind_name((enum kind)i), since,
				lane->why);
			is_waiting = true;
		}
	}
	fputs(is_waiting ? "" : "ok\n", out);
	return true;
}

/* ---- construction ---- */

static void log_kafka(int level, const char *text)
{
	char quoted[1024];
	log_line(level <= LOG_WARNING ? LOG_WARNING : LOG_DEBUG, "librdkafka", "text=%s",
		log_quote(text, strlen(text), quoted, sizeof quoted));
}

static int open_router(struct bridge *bridge, struct config_error *error)
{
	const struct socket_options options = {
		.receive_queue_messages = PEER_QUEUE_MESSAGES,
		.frame_size_max = WIRE_FRAME_SIZE_MAX,
		.heartbeat_ms = HEARTBEAT_MS,
	};
	const char *cursor = bridge->config->listen;
	char endpoint[ENDPOINT_SIZE];
	int r = socket_new(bridge->context, SOCKET_ROUTER, &options, &bridge->router);
	while (r == 0 && config_list_next(&cursor, endpoint, sizeof endpoint)) {
		if (bridge->listen_count == LISTEN_MAX) {
			return config_fail(
				error, "[bridge] listen: more than %d endpoints", (int)LISTEN_MAX);
		}
		r = socket_bind(bridge->router, endpoint, bridge->listen[bridge->listen_count]);
		if (r < 0) {
			config_fail(error, "[bridge] listen: %s: %s", endpoint, strerror(-r));
		}
		bridge->listen_count++;
	}
	return r;
}

static int open_kafka(struct bridge *bridge, struct config_error *error)
{
	const struct bridge_config *config = bridge->config;
	const struct sink_options sink = {
		.brokers = config->brokers,
		.properties = &config->kafka,
		.topics = &config->topics,
		.listener = {bridge, on_reported, on_failed, on_disconnected},
		.log = log_kafka,
	};
	const struct watch_options watch = {
		.brokers = config->brokers,
		.properties = &config->kafka,
		.topics = &config->topics,
		.log = log_kafka,
	};
	int r = sink_new(&sink, &bridge->sink, error);
	return r < 0 ? r : watch_new(&watch, &bridge->watch, error);
}

static int open_parts(struct bridge *bridge)
{
	const struct bridge_config *config = bridge->config;
	const struct pipeline_parts parts = {
		.topics = &config->topics,
		.sessions = bridge->sessions,
		.tracker = &bridge->tracker,
		.sink = bridge->sink,
		.lanes = bridge->lanes,
		.metrics = &bridge->numbers,
		.encoding = config->encoding,
		.has_content_type = config->headers,
	};
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		lane_init(&bridge->lanes[lane], clock_monotonic_ms());
	}
	post_init(&bridge->post, bridge->router, bridge->sessions, &bridge->numbers);
	bridge->reception.sessions = bridge->sessions;
	bridge->reception.tracker = &bridge->tracker;
	bridge->reception.pipeline = &bridge->pipeline;
	bridge->reception.post = &bridge->post;
	bridge->reception.metrics = &bridge->numbers;
	bridge->reception.topics_hash = topics_hash(&config->topics);
	return pipeline_init(&bridge->pipeline, &parts);
}

static int open_http(struct bridge *bridge, struct config_error *error)
{
	const struct http_options options = {
		.listen = bridge->config->http_listen,
		.loop = bridge->loop,
		.metrics = bridge->metrics,
		.ready = ready,
		.owner = bridge,
	};
	metrics_on_collect(bridge->metrics, collect, bridge);
	int r = http_new(&options, &bridge->http);
	if (r < 0) {
		config_fail(
			error, "[http] listen: %s: %s", bridge->config->http_listen, strerror(-r));
	}
	return r;
}

static int join_loop(struct bridge *bridge)
{
	int r = loop_add_socket(bridge->loop, bridge->router, on_router, bridge);
	if (r == 0) {
		r = loop_add_fd(bridge->loop, sink_fd(bridge->sink), on_sink, bridge);
	}
	if (r == 0) {
		r = loop_add_fd(bridge->loop, watch_fd(bridge->watch), on_sight, bridge);
	}
	if (r == 0) {
		r = loop_add_tick(bridge->loop, on_tick, bridge);
	}
	if (r == 0) {
		r = program_attach(bridge->loop);
	}
	loop_on_terminate(bridge->loop, on_terminate, bridge);
	return r;
}

static int open_all(struct bridge *bridge, struct config_error *error)
{
	/* The loop first: it blocks signals before any thread is started. */
	int r = loop_new(&bridge->loop);
	if (r == 0) {
		r = context_new(&bridge->context);
	}
	if (r == 0) {
		r = metrics_new(&bridge->metrics);
	}
	if (r == 0) {
		r = bridge_metrics_init(&bridge->numbers, bridge->metrics, &bridge->config->topics);
	}
	if (r == 0) {
		r = sessions_new(&bridge->sessions);
	}
	if (r == 0) {
		r = open_router(bridge, error);
	}
	if (r == 0) {
		r = open_kafka(bridge, error);
	}
	if (r == 0) {
		r = open_parts(bridge);
	}
	if (r == 0) {
		r = open_http(bridge, error);
	}
	return r < 0 ? r : join_loop(bridge);
}

int bridge_new(
	const struct bridge_config *config, struct bridge **ret_bridge, struct config_error *error)
{
	struct bridge *bridge = calloc(1, sizeof *bridge);
	if (bridge == NULL) {
		return -ENOMEM;
	}
	bridge->config = config;
	bridge->kafka.waiting_since_ms = clock_wall_ms();
	snprintf(bridge->kafka.why, sizeof bridge->kafka.why, "not reached yet");
	tracker_init(&bridge->tracker);
	int r = open_all(bridge, error);
	if (r < 0) {
		bridge_free(bridge);
		return r;
	}
	*ret_bridge = bridge;
	return 0;
}

struct bridge *bridge_free(struct bridge *bridge)
{
	if (bridge == NULL) {
		return NULL;
	}
	http_free(bridge->http);
	watch_free(bridge->watch);
	sink_free(bridge->sink);
	pipeline_deinit(&bridge->pipeline);
	post_deinit(&bridge->post);
	sessions_free(bridge->sessions);
	tracker_deinit(&bridge->tracker);
	message_clear(&bridge->message);
	socket_free(bridge->router);
	metrics_free(bridge->metrics);
	context_free(bridge->context);
	loop_free(bridge->loop);
	free(bridge);
	return NULL;
}

int bridge_run(struct bridge *bridge, struct program *program)
{
	const char *listen[LISTEN_MAX + 1] = {NULL};
	for (size_t i = 0; i < bridge->listen_count; i++) {
		listen[i] = bridge->listen[i];
	}
	const struct program_endpoints endpoints = {
		.listen = listen,
		.http = http_address(bridge->http),
	};
	int r = program_ready(program, "till-bridge", &endpoints);
	log_line(LOG_INFO, "ready", "listen=%s http=%s brokers=%s", listen[0],
		http_address(bridge->http), bridge->config->brokers);
	return r < 0 ? r : loop_run(bridge->loop);
}
