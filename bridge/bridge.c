/* The wiring of till-bridge. What happens in which order:
 *
 *   ROUTER readable   -> reception_take -> pipeline_take           a batch goes into librdkafka
 *   reports readable  -> sink_serve -> pipeline_reported           Kafka has it, or not
 *   sights readable   -> upkeep_see                                topics, cluster, connection
 *   after each round  -> upkeep_work, rounds_post_news             ACKs and NACKs go out
 *   each second       -> upkeep_look_at_lanes, rounds_post_beats   STATE goes out
 */
#include "bridge/bridge.h"
#include "bridge/self_report.h"
#include "bridge/upkeep.h"
#include "proto/utf8.h"
#include "runtime/clock.h"
#include "runtime/guard.h"
#include "runtime/http.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include "runtime/program.h"
#include "runtime/security.h"
#include "runtime/socket.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	LISTEN_MAX = 8,
	HOST_SIZE = 256, /* of Linux: 64 */
	/* Then reports have their turn: so many batches take about 50 ms at worst. */
	MESSAGES_PER_ROUND = 32,
	/* Of 257 KiB at most: what a peer without manners can pile up here. */
	PEER_QUEUE_MESSAGES = 64,
	HEARTBEAT_MS = 2000,
	/* Of our own: 64 MiB of events in flight are four times that in librdkafka. MemoryMax of the unit is twice this. */
	MEMORY_MAX = 512 * 1024 * 1024,
	SERVE_INTERVAL_MS = 200, /* librdkafka's wake-up may be lost */
	BEAT_INTERVAL_MS = 1000,
	FAREWELL_MS = 100, /* for libzmq to get the last frames out */
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
	struct guard *guard;
	struct socket *router;
	struct metrics *metrics;
	struct security *security;
	struct http *http;
	struct sessions *sessions;
	struct peer_limits *limits;
	struct sink *sink;
	struct watch *watch;
	struct message message; /* the one being read */
	struct tracker tracker;
	struct lane lanes[LANE_COUNT];
	struct bridge_metrics numbers;
	struct pipeline pipeline;
	struct post post;
	struct telemetry_sink *telemetry; /* NULL: there is no topic for it */
	struct reports reports;
	struct self_report self;
	struct buffer self_bytes; /* the report that was made last */
	char name[BRIDGE_NAME_SIZE_MAX + 1], program[BRIDGE_PROGRAM_SIZE_MAX];
	bool may_report; /* of itself */
	struct reception reception;
	struct rounds rounds;
	struct upkeep upkeep;
	char listen[LISTEN_MAX][ENDPOINT_SIZE];
	size_t listen_count;

	struct stop stop;
	bool has_more_reports;
	int64_t beat_ms; /* when last */
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

/* ---- Kafka ---- */

static void on_reported(void *owner, const struct sink_report *report)
{
	struct bridge *bridge = owner;
	if (report->error == NULL) {
		upkeep_delivered(&bridge->upkeep);
	}
	pipeline_reported(&bridge->pipeline, report);
}

static void on_failed(void *owner, const char *error, const char *words)
{
	struct bridge *bridge = owner;
	upkeep_producer_failed(&bridge->upkeep, error, words);
}

static void on_disconnected(void *owner, const char *error, const char *words)
{
	struct bridge *bridge = owner;
	upkeep_disconnected(&bridge->upkeep, error, words);
}

static int on_sink(void *owner)
{
	struct bridge *bridge = owner;
	set_time(bridge);
	bridge->has_more_reports = sink_serve(bridge->sink);
	return 0;
}

static int on_sight(void *owner)
{
	struct bridge *bridge = owner;
	struct topics_sight sight;
	set_time(bridge);
	if (watch_take(bridge->watch, &sight)) {
		upkeep_see(&bridge->upkeep, &sight);
		/* Who asks for a topic may make it, and this one is to be made right. */
		bridge->may_report =
			sight.is_reached && !topics_should_create(&bridge->config->topics, &sight);
	}
	return 0;
}

/* ---- what it says of itself ---- */

static void report_oneself(struct bridge *bridge)
{
	const struct pipeline *pipeline = &bridge->pipeline;
	const struct self_report_sight sight = {
		.may_report = bridge->telemetry != NULL && bridge->may_report,
		.is_connected = bridge->upkeep.is_connected,
		.is_stopping = bridge->stop.farewell_ms != 0,
	};
	struct bridge_report report;
	char key[BRIDGE_KEY_SIZE_MAX];

	if (!self_report_is_due(&bridge->self, &sight, pipeline->now_ms)) {
		return;
	}
	self_report_make(&bridge->self, &sight,
		&(struct self_report_now){pipeline->now_ms, pipeline->now_us, pipeline->wall_ms},
		&report);
	size_t key_size = bridge_report_key(report.bridge, key);
	buffer_clear(&bridge->self_bytes);
	bridge_report_encode(&report, &bridge->self_bytes);
	if (bridge->self_bytes.error == 0) { /* else the next one says it */
		telemetry_sink_put(bridge->telemetry, slice_of(key, key_size),
			buffer_slice(&bridge->self_bytes));
	}
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
	int r = rounds_post_news(&bridge->rounds, now_ms);
	rounds_end_all(&bridge->rounds, BYE_SHUTTING_DOWN, "this bridge stops");
	stop->farewell_ms = now_ms;
	return r;
}

/* ---- the round ---- */

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct bridge *bridge = owner;
	set_time(bridge);
	bridge->has_more_reports = sink_serve(bridge->sink);
	if (bridge->telemetry != NULL) {
		telemetry_sink_serve(bridge->telemetry);
	}
	upkeep_work(&bridge->upkeep);
	int r = rounds_post_news(&bridge->rounds, now_ms);
	if (r == 0 && now_ms - bridge->beat_ms >= BEAT_INTERVAL_MS) {
		bridge->beat_ms = now_ms;
		upkeep_look_at_lanes(&bridge->upkeep);
		r = rounds_post_beats(&bridge->rounds, now_ms);
	}
	if (r == 0) {
		r = step_stop(bridge);
	}
	report_oneself(bridge);
	*ret_wait_ms = bridge->has_more_reports ? 0
		       : bridge->stop.is_asked  ? FAREWELL_MS / 10
						: SERVE_INTERVAL_MS;
	return r;
}

static void collect(void *owner)
{
	struct bridge *bridge = owner;
	const struct tracker *tracker = &bridge->tracker;
	int64_t oldest_us = tracker_oldest_us(tracker);
	uint64_t bytes = 0;
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		bytes += tracker->lane_bytes[lane];
	}
	metric_set(bridge->numbers.sessions, (double)sessions_count(bridge->sessions));
	metric_set(bridge->numbers.edge_id_conflict,
		(double)sessions_conflict_count(bridge->sessions));
	metric_set(bridge->numbers.unacked_batches, (double)tracker->batch_count);
	metric_set(bridge->numbers.unacked_records, (double)tracker->record_count);
	metric_set(bridge->numbers.queue_bytes, (double)bytes);
	metric_set(bridge->numbers.oldest_unacked,
		oldest_us < 0 ? 0 : (double)(clock_monotonic_us() - oldest_us) / 1e6);
	metric_set(bridge->numbers.kafka_connected, bridge->upkeep.is_connected);
	if (bridge->telemetry != NULL) {
		const struct telemetry_sink_counts counts =
			telemetry_sink_counts(bridge->telemetry);
		metric_set(bridge->numbers.telemetry_delivered, (double)counts.delivered);
		metric_set(bridge->numbers.telemetry_dropped,
			(double)(counts.failed + bridge->reports.dropped));
	}
	metric_add(bridge->numbers.reports_dropped,
		(double)tracker->dropped_count - metric_value(bridge->numbers.reports_dropped));
}

static int ready(void *owner, FILE *out)
{
	struct bridge *bridge = owner;
	if (bridge->stop.is_asked) {
		fputs("stopping\n", out);
		return false;
	}
	return upkeep_describe(&bridge->upkeep, out);
}

/* ---- construction ---- */

static void log_kafka(int level, const char *text)
{
	char quoted[1024];
	/* Its warnings are of what it does about it itself. */
	log_line(level <= LOG_ERROR ? LOG_WARNING : LOG_DEBUG, "librdkafka", "text=%s",
		log_quote(text, strlen(text), quoted, sizeof quoted));
}

static void on_keys_changed(void *owner)
{
	struct bridge *bridge = owner;
	set_time(bridge);
	reception_review(&bridge->reception);
}

static int open_security(struct bridge *bridge, struct config_error *error)
{
	const struct security_options options = {
		.key_file = bridge->config->key_file,
		.authorized = bridge->config->authorized,
		.context = bridge->context,
		.loop = bridge->loop,
		.metrics = bridge->metrics,
		.program = "till-bridge",
		.audit_file = bridge->config->audit_file,
		.changed = on_keys_changed,
		.owner = bridge,
	};
	return security_new(&options, &bridge->security, error);
}

static int open_router(struct bridge *bridge, struct config_error *error)
{
	struct socket_options options = {
		.receive_queue_messages = PEER_QUEUE_MESSAGES,
		.frame_size_max = WIRE_FRAME_SIZE_MAX,
		.heartbeat_ms = HEARTBEAT_MS,
	};
	const char *cursor = bridge->config->listen;
	char endpoint[ENDPOINT_SIZE];
	security_guard(bridge->security, "bridge", &options);
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

/* Every session's holder is known, and as many others. */
static int open_limits(struct bridge *bridge)
{
	struct peer_allowance allowance = bridge->config->edge;
	allowance.peers_max = SESSIONS_MAX + PEERS_MAX;
	return peer_limits_new(&allowance, &bridge->limits);
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

static int open_reports(struct bridge *bridge, struct config_error *error)
{
	const struct bridge_config *config = bridge->config;
	const struct telemetry_sink_options options = {
		.brokers = config->brokers,
		.properties = &config->kafka,
		.topic = config->topics.telemetry,
		.log = log_kafka,
	};
	int r = 0;
	if (config->topics.telemetry[0] != '\0') {
		r = telemetry_sink_new(&options, &bridge->telemetry, error);
	}
	return r < 0 ? r : reports_init(&bridge->reports, bridge->telemetry);
}

static void set_name(struct bridge *bridge)
{
	char host[HOST_SIZE] = "";

	if (bridge->config->name != NULL && bridge->config->name[0] != '\0') {
		snprintf(bridge->name, sizeof bridge->name, "%s", bridge->config->name);
		return;
	}
	if (gethostname(host, sizeof host - 1) != 0 || !edge_id_is_valid(slice_of_text(host))) {
		snprintf(host, sizeof host, "bridge");
	}
	self_report_name(host, bridge->listen[0], bridge->name);
}

static void open_self(struct bridge *bridge)
{
	if (bridge->telemetry == NULL) {
		return; /* it never reports */
	}
	set_name(bridge);
	snprintf(bridge->program, sizeof bridge->program, "till-bridge %s", program_version());
	buffer_init(&bridge->self_bytes, TELEMETRY_SIZE_MAX);
	const struct self_report_options options = {
		.metrics = &bridge->numbers,
		.tracker = &bridge->tracker,
		.sessions = bridge->sessions,
		.lanes = bridge->lanes,
		.name = bridge->name,
		.program = bridge->program,
		.run = 1 + random_u64() % RUN_MAX,
		.interval_ms = bridge->config->telemetry_interval_ms,
		.started_ms = clock_wall_ms(),
		.began_ms = clock_monotonic_ms(),
	};
	self_report_init(&bridge->self, &options);
}

static int open_pipeline(struct bridge *bridge)
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
	return pipeline_init(&bridge->pipeline, &parts);
}

/* Those that talk with edges. */
static void open_counter(struct bridge *bridge)
{
	post_init(&bridge->post, bridge->router, bridge->sessions, &bridge->numbers);
	bridge->reception.sessions = bridge->sessions;
	bridge->reception.tracker = &bridge->tracker;
	bridge->reception.pipeline = &bridge->pipeline;
	bridge->reception.post = &bridge->post;
	bridge->reception.metrics = &bridge->numbers;
	bridge->reception.limits = bridge->limits;
	bridge->reception.reports = &bridge->reports;
	bridge->reception.topics_hash = topics_hash(&bridge->config->topics);
	bridge->reception.keyring = security_keyring(bridge->security);
	bridge->reception.may_compress = bridge->config->compress;
	bridge->rounds.reception = &bridge->reception;
	bridge->rounds.sessions = bridge->sessions;
	bridge->rounds.post = &bridge->post;
	bridge->rounds.lanes = bridge->lanes;
}

static void open_upkeep(struct bridge *bridge)
{
	const struct upkeep_parts parts = {
		.topics = &bridge->config->topics,
		.tracker = &bridge->tracker,
		.lanes = bridge->lanes,
		.pipeline = &bridge->pipeline,
		.reception = &bridge->reception,
		.rounds = &bridge->rounds,
		.sink = bridge->sink,
		.watch = bridge->watch,
		.metrics = &bridge->numbers,
	};
	upkeep_init(&bridge->upkeep, &parts, clock_wall_ms());
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

static int open_guard(struct bridge *bridge)
{
	const struct guard_options options = {
		.context = bridge->context,
		.loop = bridge->loop,
		.metrics = bridge->metrics,
		.memory_max = MEMORY_MAX,
	};
	return guard_new(&options, &bridge->guard);
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
		r = open_guard(bridge);
	}
	if (r == 0) {
		r = sessions_new(&bridge->sessions);
	}
	if (r == 0) {
		r = open_security(bridge, error); /* who lets in is there before the door */
	}
	if (r == 0) {
		r = open_limits(bridge);
	}
	if (r == 0) {
		r = open_router(bridge, error);
	}
	if (r == 0) {
		r = open_kafka(bridge, error);
	}
	if (r == 0) {
		r = open_reports(bridge, error);
	}
	if (r == 0) {
		r = open_pipeline(bridge);
	}
	if (r == 0) {
		open_counter(bridge);
		open_self(bridge);
		open_upkeep(bridge);
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
	telemetry_sink_free(bridge->telemetry);
	reports_deinit(&bridge->reports);
	buffer_deinit(&bridge->self_bytes);
	pipeline_deinit(&bridge->pipeline);
	post_deinit(&bridge->post);
	sessions_free(bridge->sessions);
	peer_limits_free(bridge->limits);
	tracker_deinit(&bridge->tracker);
	message_clear(&bridge->message);
	socket_free(bridge->router);
	security_free(bridge->security);
	guard_free(bridge->guard);
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
