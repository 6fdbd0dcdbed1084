#include "edge/edge.h"
#include "edge/courier.h"
#include "edge/edge_metrics.h"
#include "edge/pseudonym_ssl.h"
#include "edge/reporter.h"
#include "edge/source_push.h"
#include "edge/source_router.h"
#include "edge/sources.h"
#include "edge/upkeep.h"
#include "proto/timestamp.h"
#include "proto/zone.h"
#include "runtime/clock.h"
#include "runtime/guard.h"
#include "runtime/http.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include "runtime/security.h"
#include <errno.h>
#include <stdlib.h>

enum {
	WAIT_MS_MAX = 1000,
	RUN_MS = 24 * 60 * 60 *
		 1000, /* a run is never older: a clone of the machine is told apart within a day */
	/* Between the last reply and the end: with linger 0 a socket that is closed at once sends nothing any more. */
	LAST_WORDS_MS = 50,
	/* Of our own; some 100 MiB are normal under load. MemoryMax of the unit is twice this. */
	MEMORY_MAX = 512 * 1024 * 1024,
	STOPPING_MS_MAX = 1000, /* for sources that say good-bye to a peer */
	REPORT_AGAIN_MS = 1000, /* the link took none */
	QUOTED_ID_SIZE = 4 * EDGE_ID_SIZE_MAX + 3,
};

enum edge_phase {
	EDGE_SERVING,
	EDGE_DRAINING, /* producers are refused, acknowledgements are waited for */
	EDGE_PARTING, /* BYE and the last replies are on their way */
};

struct edge {
	const struct edge_config *config;
	struct zone *zone;
	struct context *context;
	struct guard *guard;
	struct loop *loop;
	struct metrics *metrics;
	struct edge_metrics *set;
	struct security *security;
	struct http *http;
	struct spool *spool;
	struct desk *desk;
	struct pseudonymiser *pseudonymiser; /* NULL: users keep their ids */
	struct sources *sources;
	struct courier *courier;
	enum edge_phase phase;
	int64_t phase_until_ms;
	struct upkeep upkeep;
	struct reporter reporter;
	struct buffer report;
	char program[WIRE_PROGRAM_SIZE_MAX + 1];
	int64_t new_run_at_ms;
	uint64_t conflicts; /* of the run: seen so far */
};

/* ---- health */

static const char *what_is_broken(const struct edge *edge)
{
	const struct spool_index *index = spool_index(edge->spool);

	if (edge->phase != EDGE_SERVING) {
		return "shutting down";
	}
	if (index->short_of_disk) {
		return "the disk under the spool is nearly full: producers are told to wait";
	}
	if (index->short_of_pages || index->bytes >= index->quota_bytes ||
		desk_view(edge->desk).full) {
		return "the spool is full: producers are told to wait";
	}
	return NULL;
}

static const char *describe_link(const struct edge *edge)
{
	switch (courier_link_end(edge->courier)) {
	case LINK_KEY_REFUSED:
		return "the bridge does not let our key in";
	case LINK_NO_HANDSHAKE:
		return "no handshake with the bridge (another key, or keys on one side only)";
	default:
		return "bridge unreachable";
	}
}

static void write_link_state(const struct edge *edge, FILE *out)
{
	const struct sender *sender = courier_sender(edge->courier);
	char since[TIMESTAMP_TEXT_SIZE];
	char words[4 * sizeof sender->end_words];

	if (sender->state == SENDER_IN_SESSION) {
		fputs("ready\n", out);
		for (int i = 0; i < LANE_COUNT; i++) {
			const struct sender_lane *lane = &sender->lanes[i];
			if (lane->waiting && !sender_lane_is_drained(lane)) {
				fprintf(out, "lane %s: the bridge waits for Kafka\n",
					kind_name((enum kind)i));
			}
		}
		return;
	}
	timestamp_format(courier_down_since_ms(edge->courier), since);
	if (sender->end == SENDER_END_CLUSTER) {
		fprintf(out,
			"buffering, the bridge writes to another Kafka (%s) than this spool "
			"belongs to (%s), "
			"since %s; if that is meant: --accept-cluster %s\n",
			sender->offered_cluster, sender->cluster, since, sender->offered_cluster);
		return;
	}
	if (sender->end == SENDER_END_BYE && sender->bye_code == BYE_NOT_READY) {
		fprintf(out, "buffering, the bridge is not ready since %s, it says: %s\n", since,
			log_quote(
				sender->end_words, strlen(sender->end_words), words, sizeof words));
		return;
	}
	if (sender->end == SENDER_END_BYE && sender->bye_code == BYE_FORBIDDEN) {
		fprintf(out, "buffering, the bridge refuses this edge since %s: forbidden, %s\n",
			since,
			log_quote(
				sender->end_words, strlen(sender->end_words), words, sizeof words));
		return;
	}
	fprintf(out, "buffering, %s since %s\n", describe_link(edge), since);
}

/* A bridge takes events, and Kafka takes them from it. */
static bool events_flow(const struct edge *edge)
{
	const struct sender *sender = courier_sender(edge->courier);
	return sender->state == SENDER_IN_SESSION && sender_stuck_since_ms(sender) < 0;
}

static void write_forecast(const struct edge *edge, FILE *out)
{
	char words[UPKEEP_WORDS_SIZE];

	upkeep_forecast_words(&edge->upkeep, words);
	if (!events_flow(edge) && words[0] != '\0') {
		fprintf(out, "%s\n", words);
	}
}

static int on_ready_asked(void *owner, FILE *out)
{
	const struct edge *edge = owner;
	const char *broken = what_is_broken(edge);

	if (broken != NULL) {
		fprintf(out, "broken: %s\n", broken);
		return 0;
	}
	write_link_state(edge, out);
	write_forecast(edge, out);
	sources_describe(edge->sources, out);
	return 1;
}

static void on_collect(void *owner)
{
	struct edge *edge = owner;
	edge_metrics_collect(edge->set, edge->desk, edge->spool, edge->courier, clock_wall_ms());
	edge_metrics_collect_upkeep(edge->set, &edge->upkeep);
	sources_collect(edge->sources);
}

/* ---- one round of the loop */

static uint64_t draw_run(void)
{
	uint64_t run = 0;
	while (run == 0) {
		run = random_u64() & RUN_MAX;
	}
	return run;
}

static void log_conflict(const struct edge *edge)
{
	char id[QUOTED_ID_SIZE];

	log_line(LOG_ERROR, "another process runs with this edge id and run: a new run begins",
		"edge=%s advice=\"give each edge an id and a data directory of its own\"",
		log_quote(edge->config->id, strlen(edge->config->id), id, sizeof id));
}

/* Daily, and at once when another process says HELLO with our run: a clone gives the same certificates. */
static void renew_run(struct edge *edge, int64_t now_ms)
{
	uint64_t conflicts = courier_sender(edge->courier)->counts.id_conflicts;
	bool due = now_ms >= edge->new_run_at_ms || conflicts != edge->conflicts;

	if (!due || !desk_set_run(edge->desk, draw_run())) {
		return;
	}
	if (conflicts != edge->conflicts) {
		log_conflict(edge);
	}
	edge->new_run_at_ms = now_ms + RUN_MS;
	edge->conflicts = conflicts;
}

/* Where one is due and somebody takes it; `is_last` before the session ends. 0 or -errno. */
static int report(struct edge *edge, bool is_last, int64_t now_ms, int64_t *ret_wait_ms)
{
	const struct sender *sender = courier_sender(edge->courier);
	const struct reporter_sight sight = {
		.session = sender->counts.sessions,
		.pace_ms = sender->state == SENDER_IN_SESSION ? sender->report_ms : 0,
		.is_stuck = sender_stuck_since_ms(sender) >= 0,
		.is_stopping = is_last,
	};

	if (!reporter_is_due(&edge->reporter, &sight, now_ms, ret_wait_ms)) {
		return 0;
	}
	int r = reporter_write(&edge->reporter, &sight, clock_wall_ms(), &edge->report);
	if (r == 0 && courier_report(edge->courier, buffer_slice(&edge->report), now_ms)) {
		reporter_told(&edge->reporter, &sight, now_ms);
	} else {
		*ret_wait_ms = REPORT_AGAIN_MS;
	}
	return r;
}

static void log_rest(const struct edge *edge)
{
	const struct spool_index *index = spool_index(edge->spool);
	uint64_t events = 0;
	int lanes = 0;

	for (int i = 0; i < KIND_COUNT; i++) {
		events += index->lanes[i].events;
		lanes += index->lanes[i].events > 0 ? 1 : 0;
	}
	log_line(LOG_INFO,
		events > 0 ? "stopped; what stays on disk is sent at the next start"
			   : "stopped; the spool is empty",
		"spool_events=%llu lanes=%d bytes=%llu", (unsigned long long)events, lanes,
		(unsigned long long)index->bytes);
}

static int on_terminate(void *owner)
{
	struct edge *edge = owner;

	program_stopping();
	log_line(LOG_INFO, "asked to stop: producers are refused, acknowledgements waited for",
		"drain_ms=%lld", (long long)edge->config->drain_ms);
	desk_close(edge->desk);
	sources_stop(edge->sources);
	courier_hurry(edge->courier);
	edge->phase = EDGE_DRAINING;
	edge->phase_until_ms = loop_now_ms(edge->loop) + edge->config->drain_ms;
	return 0;
}

/* Waiting is worth it only while somebody is there who can acknowledge. */
static bool drain_is_over(const struct edge *edge, int64_t now_ms)
{
	const struct sender *sender = courier_sender(edge->courier);

	return now_ms >= edge->phase_until_ms || sender->state != SENDER_IN_SESSION ||
	       sender_is_drained(sender);
}

static int advance_end(struct edge *edge, int64_t now_ms, int64_t *wait_ms)
{
	if (edge->phase == EDGE_SERVING) {
		return 0;
	}
	if (edge->phase == EDGE_DRAINING && drain_is_over(edge, now_ms)) {
		int64_t ignored_ms = 0;
		int r = desk_flush(edge->desk, now_ms, clock_wall_ms());
		if (r == 0) {
			r = report(edge, true, now_ms, &ignored_ms);
		}
		if (r < 0) {
			return r;
		}
		courier_stop(edge->courier, now_ms);
		edge->phase = EDGE_PARTING;
		edge->phase_until_ms = now_ms + LAST_WORDS_MS;
	}
	bool parted = edge->phase == EDGE_PARTING && now_ms >= edge->phase_until_ms &&
		      courier_sender(edge->courier)->state == SENDER_STOPPED &&
		      (sources_are_stopped(edge->sources) ||
			      now_ms >= edge->phase_until_ms + STOPPING_MS_MAX);
	if (parted) {
		loop_stop(edge->loop);
	}
	int64_t left_ms = edge->phase_until_ms - now_ms;
	*wait_ms = left_ms > 0 ? left_ms : 1;
	return 0;
}

static void shorten(int64_t *wait_ms, int64_t other_ms)
{
	if (other_ms < *wait_ms) {
		*wait_ms = other_ms;
	}
}

/* Frames were submitted by the sources' handlers: commit them, answer, then send what has been committed. */
static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct edge *edge = owner;
	int64_t wall_ms = clock_wall_ms();
	int64_t wait_ms = WAIT_MS_MAX;
	int64_t other_ms = WAIT_MS_MAX;

	int r = desk_round(edge->desk, now_ms, wall_ms, &other_ms);
	shorten(&wait_ms, other_ms);
	if (r == 0) {
		r = sources_poll(edge->sources, now_ms, wall_ms, &wait_ms);
	}
	if (desk_is_wanted(edge->desk)) {
		wait_ms = 0;
	}
	if (r == 0) {
		r = upkeep_tick(&edge->upkeep, events_flow(edge), now_ms);
	}
	if (r == 0) {
		renew_run(edge, now_ms);
		r = advance_end(edge, now_ms, &wait_ms);
	}
	if (r == 0) {
		r = courier_tick(edge->courier, now_ms, &other_ms);
		shorten(&wait_ms, other_ms);
	}
	if (r == 0) {
		r = report(edge, false, now_ms, &other_ms);
		shorten(&wait_ms, other_ms);
	}
	*ret_wait_ms = wait_ms;
	return r;
}

/* ---- making: each step says what could not be done */

static int fail(struct spool_error *error, int r, const char *what, const char *which)
{
	snprintf(error->text, sizeof error->text, "%s%s%s: %s", what, which[0] == '\0' ? "" : " ",
		which, strerror(-r));
	return r;
}

static int make_zone(struct edge *edge, struct spool_error *error)
{
	int r = edge_config_zone(edge->config->timezone, &edge->zone);
	return r < 0 ? fail(error, r, "[edge] timezone", edge->config->timezone) : 0;
}

static void tell_lost(const struct edge *edge, const char *accept_lost)
{
	bool has_lost = spool_has_lost(edge->spool);

	program_audit_end(
		"accept-lost", accept_lost, has_lost ? "done" : "stopped: it was not needed");
	if (has_lost) {
		log_line(LOG_ERROR,
			"rows are missing from the spool or are as they were earlier, and it goes "
			"on with those that are there: events may be missing, or count twice",
			"accepted=%s", accept_lost);
	}
}

static int make_spool(struct edge *edge, const char *accept_lost, struct spool_error *error)
{
	const struct edge_config *config = edge->config;
	struct spool_options options = {
		.dir = config->data,
		.edge = config->id,
		.quota_bytes = (uint64_t)config->spool_max,
		.event_id_window = (uint32_t)config->event_id_window,
		.producer_ttl_ms = config->producer_ttl_ms,
		.accept_lost = accept_lost,
	};

	for (int i = 0; i < KIND_COUNT; i++) {
		options.share_percent[i] = (uint32_t)config->share_percent[i];
	}
	int r = spool_new(&options, &edge->spool, error);
	edge->upkeep.spool = edge->spool;
	if (r == 0 && accept_lost != NULL) {
		tell_lost(edge, accept_lost);
	}
	return r;
}

static int make_runtime(struct edge *edge, struct spool_error *error)
{
	int r = loop_new(&edge->loop);
	if (r == 0) {
		r = context_new(&edge->context);
	}
	if (r == 0) {
		r = metrics_new(&edge->metrics);
	}
	if (r == 0) {
		r = edge_metrics_new(edge->metrics, &edge->set);
	}
	if (r == 0) {
		const struct guard_options guard = {
			edge->context, edge->loop, edge->metrics, MEMORY_MAX};
		r = guard_new(&guard, &edge->guard);
	}
	return r < 0 ? fail(error, r, "can't set up the event loop", "") : 0;
}

static int make_security(struct edge *edge, struct spool_error *error)
{
	const struct edge_config *config = edge->config;
	const struct security_options options = {
		.key_file = config->key_file,
		.authorized = config->authorized,
		.peer_keys = config->bridge_keys,
		.peers = config->bridges,
		.context = edge->context,
		.loop = edge->loop,
		.metrics = edge->metrics,
		.program = "till-edge",
		.audit_file = config->audit_file,
	};
	struct config_error why = {.text = "can't set up the keys"};

	int r = security_new(&options, &edge->security, &why);
	if (r < 0) {
		snprintf(error->text, sizeof error->text, "%s", why.text);
	}
	return r;
}

static int make_desk(struct edge *edge, struct spool_error *error)
{
	struct desk_options options = {
		.spool = edge->spool,
		.edge = edge->config->id,
		.default_currency = edge->config->currency,
		.zone = edge->zone,
		.sync_interval_ms = edge->config->sync_interval_ms,
		.run = draw_run(),
		.commit_seconds = edge_metrics_counters(edge->set)->commit_seconds,
	};
	const char *key = edge->config->pseudonym_key;

	int r = random_bytes(options.seed, sizeof options.seed);
	if (r == 0 && key != NULL) {
		r = pseudonymiser_new(key, &edge->pseudonymiser);
	}
	options.pseudonymiser = edge->pseudonymiser;
	if (r == 0) {
		r = desk_new(&options, &edge->desk);
	}
	edge->new_run_at_ms = loop_now_ms(edge->loop) + RUN_MS;
	return r < 0 ? fail(error, r, "can't set up the intake", "") : 0;
}

static int open_sources(struct edge *edge, struct source_error *error)
{
	const struct edge_config *config = edge->config;
	const struct source_router_config router = {
		.listen = config->listen, .allowance = config->producer};
	const struct source_push_config push = {
		.listen = config->listen_push, .allowance = config->producer};
	struct source_error why = {0};

	const char *key = "listen";

	int r = sources_open(edge->sources, &source_router_type, "zmq", &router, &why);
	if (r == 0 && push.listen != NULL && push.listen[0] != '\0') {
		key = "listen_push";
		r = sources_open(edge->sources, &source_push_type, "push", &push, &why);
	}
	if (r < 0) {
		snprintf(error->text, sizeof error->text, "[edge] %s: %.200s", key, why.text);
	}
	return r == 0 ? sources_open_declared(edge->sources, &config->sources, error) : r;
}

static int make_sources(struct edge *edge, struct spool_error *error)
{
	struct source_error why = {0};
	const struct sources_options options = {
		.edge = edge->config->id,
		.desk = edge->desk,
		.loop = edge->loop,
		.context = edge->context,
		.metrics = edge->metrics,
		.security = edge->security,
	};

	int r = sources_new(&options, &edge->sources);
	if (r == 0) {
		r = open_sources(edge, &why);
	}
	if (r < 0) {
		snprintf(error->text, sizeof error->text, "%s",
			why.text[0] != '\0' ? why.text : strerror(-r));
	}
	return r;
}

static int make_courier(struct edge *edge, const char *accept_cluster, struct spool_error *error)
{
	struct courier_options options = {
		.context = edge->context,
		.loop = edge->loop,
		.spool = edge->spool,
		.desk = edge->desk,
		.security = edge->security,
		.edge = edge->config->id,
		.bridges = edge->config->bridges,
		.accept_cluster = accept_cluster,
		.live_first = edge->config->live_first,
		.drain_rate = edge->config->drain_rate,
		.gather_ms = edge->config->gather_ms,
		.reports = edge->config->telemetry_ms > 0,
		.compression_level = edge->config->compression_level,
	};

	const struct reporter_options reporter = {
		.spool = edge->spool,
		.desk = edge->desk,
		.edge = edge->config->id,
		.program = edge->program,
		.interval_ms = edge->config->telemetry_ms,
		.started_ms = clock_wall_ms(),
	};

	snprintf(edge->program, sizeof edge->program, "till-edge %s", program_version());
	reporter_init(&edge->reporter, &reporter);
	buffer_init(&edge->report, TELEMETRY_SIZE_MAX);
	int r = courier_new(&options, &edge->courier);
	return r < 0 ? fail(error, r, "can't set up the sender", "") : 0;
}

static int make_health(struct edge *edge, struct spool_error *error)
{
	struct http_options options = {
		.listen = edge->config->http_listen,
		.loop = edge->loop,
		.metrics = edge->metrics,
		.ready = on_ready_asked,
		.owner = edge,
	};

	metrics_on_collect(edge->metrics, on_collect, edge);
	int r = http_new(&options, &edge->http);
	return r < 0 ? fail(error, r, "[http] listen: can't bind", options.listen) : 0;
}

static int attach(struct edge *edge, struct spool_error *error)
{
	loop_on_terminate(edge->loop, on_terminate, edge);
	int r = loop_add_tick(edge->loop, on_tick, edge);
	if (r == 0) {
		r = program_attach(edge->loop);
	}
	return r < 0 ? fail(error, r, "can't set up the event loop", "") : 0;
}

int edge_new(const struct edge_config *config, const struct edge_decisions *decisions,
	struct edge **ret_edge, struct spool_error *error)
{
	struct edge *edge = calloc(1, sizeof *edge);
	if (edge == NULL) {
		return -ENOMEM;
	}
	edge->config = config;
	int r = make_zone(edge, error);
	if (r == 0) { /* before libzmq starts its threads: opening forks */
		r = make_spool(edge, decisions->accept_lost, error);
	}
	if (r == 0) {
		r = make_runtime(edge, error);
	}
	if (r == 0) {
		r = make_security(edge, error);
	}
	if (r == 0) {
		r = make_desk(edge, error);
	}
	if (r == 0) {
		r = make_sources(edge, error);
	}
	if (r == 0) {
		r = make_courier(edge, decisions->accept_cluster, error);
	}
	if (r == 0) {
		r = make_health(edge, error);
	}
	if (r == 0) {
		r = attach(edge, error);
	}
	if (r != 0) {
		edge_free(edge);
		return r;
	}
	*ret_edge = edge;
	return 0;
}

struct edge *edge_free(struct edge *edge)
{
	if (edge == NULL) {
		return NULL;
	}
	http_free(edge->http);
	buffer_deinit(&edge->report);
	courier_free(edge->courier);
	sources_free(edge->sources);
	security_free(edge->security);
	desk_free(edge->desk);
	pseudonymiser_free(edge->pseudonymiser);
	guard_free(edge->guard);
	edge_metrics_free(edge->set);
	metrics_free(edge->metrics);
	context_free(edge->context);
	loop_free(edge->loop);
	spool_free(edge->spool);
	zone_free(edge->zone);
	free(edge);
	return NULL;
}

static void log_sources(const struct program_source *sources)
{
	for (; sources->name != NULL; sources++) {
		for (const char *const *at = sources->listen; *at != NULL; at++) {
			log_line(LOG_INFO, "source listens", "source=%s at=%s", sources->name, *at);
		}
	}
}

static void log_start(const struct edge *edge)
{
	const struct spool_index *index = spool_index(edge->spool);
	struct spool_corrupt corrupt = spool_corrupt(edge->spool);
	uint64_t events = 0;
	char id[QUOTED_ID_SIZE];

	for (int i = 0; i < KIND_COUNT; i++) {
		events += index->lanes[i].events;
	}
	log_line(LOG_INFO, "ready", "edge=%s listen=%s http=%s run=%llu spool_events=%llu",
		log_quote(edge->config->id, strlen(edge->config->id), id, sizeof id),
		sources_endpoints(edge->sources, &source_router_type)[0], http_address(edge->http),
		(unsigned long long)desk_view(edge->desk).run, (unsigned long long)events);
	if (corrupt.blocks > 0) {
		log_line(LOG_ERROR, "damaged blocks lie set aside in the spool",
			"blocks=%llu events=%llu unreadable_headers=%llu advice=\"till spool list "
			"%s\"",
			(unsigned long long)corrupt.blocks, (unsigned long long)corrupt.events,
			(unsigned long long)corrupt.unreadable_headers, edge->config->data);
	}
	if (corrupt.marks > 0) {
		log_line(LOG_ERROR,
			"positions of sources are damaged in the spool: what they are of is read "
			"again from its beginning, and what came from there before counts twice",
			"marks=%llu", (unsigned long long)corrupt.marks);
	}
}

int edge_run(struct edge *edge, struct program *program)
{
	struct program_source listening[SOURCES_DECLARED_MAX + 1];
	struct program_endpoints endpoints = {
		.sources = listening,
		.listen = sources_endpoints(edge->sources, &source_router_type),
		.listen_push = sources_endpoints(edge->sources, &source_push_type),
		.http = http_address(edge->http),
	};

	sources_list(edge->sources, listening);
	log_start(edge);
	log_sources(listening);
	int r = program_ready(program, "till-edge", &endpoints);
	if (r == 0) {
		r = loop_run(edge->loop);
	}
	if (r == 0) { /* a second SIGTERM cuts the drain short, but not the last commit */
		r = desk_flush(edge->desk, loop_now_ms(edge->loop), clock_wall_ms());
	}
	if (r == 0) {
		log_rest(edge);
	}
	return r;
}
