#include "aggregator/aggregator.h"
#include "aggregator/asking.h"
#include "aggregator/desk/desk.h"
#include "aggregator/desk/inspection.h"
#include "aggregator/desk/server.h"
#include "aggregator/gauges.h"
#include "aggregator/generations.h"
#include "aggregator/herald.h"
#include "aggregator/live/live.h"
#include "aggregator/pulse.h"
#include "aggregator/reporting.h"
#include "aggregator/upkeep.h"
#include "aggregator/web/web.h"
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
#include <inttypes.h>
#include <stdlib.h>

enum {
	TICK_MS_MAX = 1000,
	/* What a stop waits for the last commit; what is not on disk then is read from Kafka again. */
	STOP_MS_MAX = 20 * 1000,
	/* Above this who asks questions that do not end must go; nobody who asks honestly holds a megabyte here. */
	MEMORY_MAX = 512 * 1024 * 1024,
};

struct aggregator {
	struct aggregator_options options;
	struct loop *loop;
	struct context *context;
	struct guard *guard;
	struct metrics *metrics;
	struct security *security;
	struct http *http;
	struct web_access access;
	struct http_tls_files tls;
	struct web *web;
	struct opening opening;
	struct generations generations;
	struct upkeep *upkeep;
	struct gauges *gauges;
	struct reporting *reporting;
	struct pulse *pulse;
	struct inspection *inspection;
	struct queries *queries;
	struct server *server;
	struct live *publisher; /* NULL: nothing is published */
	struct desk desk;
	struct asking asking;
	uint8_t hash_key[OVERLAY_HASH_KEY_SIZE];
	int64_t stop_by_ms; /* 0: no signal yet */
	struct herald herald;
	bool was_full; /* the log said so */
	bool has_loaded; /* the open baskets, as of the last tick */
	bool needs_decision;
	bool is_shadow_refused; /* the log can't fill it */
	int error; /* from where no error can be returned */
};

static int wake(struct aggregator *aggregator)
{
	web_moved(aggregator->web);
	return queries_wake(aggregator->queries, loop_now_ms(aggregator->loop));
}

static int moved(void *owner)
{
	struct aggregator *aggregator = owner;
	return aggregator->queries == NULL ? 0 : wake(aggregator);
}

static void readable(
	void *owner, const struct pipeline *pipeline, uint64_t latency_ms, uint64_t count)
{
	struct aggregator *aggregator = owner;
	if (aggregator->pulse != NULL && pipeline == aggregator->generations.live->pipeline) {
		pulse_readable(aggregator->pulse, latency_ms, count);
	}
}

static void freezing(void *owner, struct overlay *overlay)
{
	struct aggregator *aggregator = owner;
	live_take(aggregator->publisher, overlay);
}

/* The shadow of a rebuild has tables, too, under ids of its own; nobody listens to it. */
static void row_changed(
	void *owner, uint32_t generation, uint32_t table_id, struct slice key, struct slice longs)
{
	struct aggregator *aggregator = owner;
	if (generation == stores_root(aggregator->opening.stores)->live) {
		live_note(aggregator->publisher, table_id, key, longs);
	}
}

static void committed(void *owner, int result, int64_t took_us)
{
	struct aggregator *aggregator = owner;
	if (result == 0) {
		gauges_committed(aggregator->gauges, took_us);
		if (aggregator->was_full) {
			log_line(LOG_INFO, "the store has room again", "%s", "");
		}
		aggregator->was_full = false;
	} else if (result == STORE_E_FULL) {
		if (!aggregator->was_full) {
			log_line(LOG_ERROR, "no room to write the store; it is tried each second",
				"data=\"%s\"", aggregator->options.config->data);
		}
		aggregator->was_full = true;
	} else if (result == STORE_E_CORRUPT) {
		log_line(LOG_ERROR, "the store is corrupt; counting stops, answers go on",
			"data=\"%s\" remedy=\"run with --rebuild\"",
			aggregator->options.config->data);
	} else {
		aggregator->error = result;
	}
}

static void check_failed(void *owner, const char *what)
{
	struct aggregator *aggregator = owner;
	gauges_check_failed(aggregator->gauges);
	log_line(LOG_ERROR, "the store's check failed", "what=\"%s\"", what);
}

static void reply_lost(void *owner)
{
	struct aggregator *aggregator = owner;
	gauges_reply_lost(aggregator->gauges);
}

/* Brings what desk and health look at up to date. */
static void refresh(void *owner)
{
	struct aggregator *aggregator = owner;
	struct desk *desk = &aggregator->desk;
	desk->stores = aggregator->opening.stores;
	desk->live = aggregator->generations.live;
	desk->shadow = aggregator->generations.shadow;
	desk->reports = reporting_reports(aggregator->reporting);
	desk->health.bridges = reporting_bridges(aggregator->reporting);
	desk->inspection = aggregator->inspection;
	desk->views = aggregator->opening.live_views;
	desk->shadow_views = aggregator->opening.shadow_views;
	desk->is_staged = generations_are_staged(&aggregator->generations);
	desk->stage_note = aggregator->opening.stage_note;
	desk->vitals = pulse_vitals(aggregator->pulse);
	desk->now_ms = desk->health.now_ms = clock_monotonic_ms();
	desk->wall_ms = clock_wall_ms();
	desk->health.live = aggregator->generations.live;
	desk->health.shadow = aggregator->generations.shadow;
	desk->health.is_staged = aggregator->opening.is_staged;
	desk->health.check_error = upkeep_check_error(aggregator->upkeep);
	desk->health.scrub_error = upkeep_scrub_error(aggregator->upkeep);
	desk->health.rebuild_progress = generations_progress(&aggregator->generations);
}

static bool admits(void *owner, const char *socket, const struct key_holder *holder)
{
	(void)owner;
	return strcmp(socket, "live") != 0 || gate_shows_all(holder);
}

static void taken(void *owner)
{
	struct aggregator *aggregator = owner;
	live_end_peers(aggregator->publisher);
}

static int ready(void *owner, FILE *out)
{
	struct aggregator *aggregator = owner;
	refresh(aggregator);
	desk_is_ready(&aggregator->desk);
	return health_write(&aggregator->desk.health, out);
}

static void look(void *owner, struct gauges_view *ret_view)
{
	struct aggregator *aggregator = owner;
	refresh(aggregator);
	*ret_view = (struct gauges_view){
		.live = aggregator->generations.live,
		.shadow = aggregator->generations.shadow,
		.rebuild_progress = aggregator->desk.health.rebuild_progress,
		.store_bytes = stores_size(aggregator->opening.stores),
		.disk_room = stores_disk_room(aggregator->opening.stores),
		.waiting = queries_waiting(aggregator->queries),
		.forgotten = store_forgotten(aggregator->opening.stores->items[0])->in_force,
		.tops = aggregator->desk.tops,
		.wall_ms = clock_wall_ms(),
	};
}

static void hold(struct aggregator *aggregator, bool is_held)
{
	generations_hold(&aggregator->generations, is_held);
	upkeep_hold(aggregator->upkeep, is_held);
}

/* The shadow becomes the live one. */
static int switch_over(struct aggregator *aggregator)
{
	struct view_set *old_views = NULL;
	pulse_leave(aggregator->pulse, aggregator->generations.live->pipeline);
	int r = generations_switch(&aggregator->generations, &old_views);
	if (r < 0) {
		return r;
	}
	upkeep_forget(aggregator->upkeep);
	hold(aggregator, false);
	refresh(aggregator);
	r = live_switch(aggregator->publisher, aggregator->opening.live_views);
	view_set_free(old_views);
	log_line(LOG_INFO, "the rebuilt store is live", "store=%s",
		stores_root(aggregator->opening.stores)->live_id);
	program_audit_end("rebuild", NULL, "done");
	return r == 0 ? wake(aggregator) : r;
}

static int terminate(void *owner)
{
	struct aggregator *aggregator = owner;
	program_stopping();
	aggregator->stop_by_ms = loop_now_ms(aggregator->loop) + STOP_MS_MAX;
	generations_stop(&aggregator->generations);
	upkeep_hold(aggregator->upkeep, true);
	return queries_stop(aggregator->queries, loop_now_ms(aggregator->loop));
}

static bool is_of_shadow(const struct aggregator *aggregator, const struct pipeline *pipeline)
{
	return aggregator->generations.shadow != NULL &&
	       pipeline == aggregator->generations.shadow->pipeline;
}

/* The live views do without them; the next start tries again. */
static int give_up_staged(struct aggregator *aggregator, const char *const *missing)
{
	for (; *missing != NULL; missing++) {
		char quoted[1024];
		log_line(LOG_ERROR, "the log no longer has what the staged views need: they go",
			"missing=%s", log_quote(*missing, strlen(*missing), quoted, sizeof quoted));
	}
	aggregator->opening.stage_note =
		"the log no longer has what the staged views need; the aggregator's log names it";
	generations_drop_shadow(&aggregator->generations);
	return 0;
}

/* Ends the program: a person decides. A shadow that can't be filled is given up then. */
static int refuse(struct aggregator *aggregator, const struct pipeline *pipeline)
{
	aggregator->needs_decision = true;
	aggregator->is_shadow_refused |= is_of_shadow(aggregator, pipeline);
	return terminate(aggregator);
}

/* What was read until now is written first: the log may not have it any more, and the next start must name the same gap. */
static int decide(void *owner, const struct pipeline *pipeline)
{
	struct aggregator *aggregator = owner;
	bool is_shadow = is_of_shadow(aggregator, pipeline);
	const char *const *text = text_set_list(&pipeline->missing);
	if (aggregator->needs_decision || (is_shadow && aggregator->generations.drops_shadow)) {
		return 0; /* said already */
	}
	if (generations_are_staged(&aggregator->generations) && is_shadow) {
		return give_up_staged(aggregator, text);
	}
	for (; *text != NULL; text++) {
		char quoted[1024];
		log_line(LOG_ERROR,
			is_shadow ? "the log no longer has what the rebuild needs"
				  : "the log no longer has what the store needs",
			"missing=%s", log_quote(*text, strlen(*text), quoted, sizeof quoted));
		aggregator->options.tell_missing(*text, is_shadow);
	}
	return refuse(aggregator, pipeline);
}

static int replay_failed(void *owner, const struct pipeline *pipeline, const char *why)
{
	struct aggregator *aggregator = owner;
	char quoted[1024];
	log_line(LOG_ERROR, "the archive can't be used", "archive=\"%s\" why=%s",
		aggregator->options.archive, log_quote(why, strlen(why), quoted, sizeof quoted));
	return refuse(aggregator, pipeline);
}

/* What was staged and is not wanted, or can't be filled, goes. */
static int drop_tick(struct aggregator *aggregator)
{
	bool is_gone = false;
	int r = generations_drop_tick(&aggregator->generations, &is_gone);
	if (is_gone) { /* from memory, even where the store has no room to say so: nobody may look at it any more */
		refresh(aggregator);
	}
	if (is_gone && r == 0) {
		log_line(LOG_INFO, "the staged views are dropped", "%s", "");
	}
	return r;
}

static int rebuild_tick(struct aggregator *aggregator)
{
	bool is_clean = false;
	int r = drop_tick(aggregator);
	if (r < 0 || aggregator->generations.shadow == NULL || aggregator->stop_by_ms != 0) {
		return r; /* a start goes on with what a stop left */
	}
	r = pipeline_ask_former(
		aggregator->generations.shadow->pipeline, aggregator->generations.live->pipeline);
	if (r != 0) {
		return r < 0 ? r : decide(aggregator, aggregator->generations.shadow->pipeline);
	}
	if (aggregator->opening.is_staged) {
		return 0;
	}
	hold(aggregator, generations_may_switch(&aggregator->generations));
	if (!aggregator->generations.live->is_held) {
		return 0;
	}
	r = pipeline_flush(aggregator->generations.shadow->pipeline, &is_clean);
	if (r < 0 || !is_clean || !stores_are_idle(aggregator->opening.stores)) {
		return r;
	}
	return switch_over(aggregator);
}

static int stop_tick(struct aggregator *aggregator, int64_t now_ms)
{
	bool is_clean = false;
	if (aggregator->stop_by_ms == 0) {
		return 0;
	}
	int r = generations_flush(&aggregator->generations, &is_clean);
	if (r == 0 && is_clean) {
		loop_stop(aggregator->loop);
	} else if (r == 0 && (now_ms >= aggregator->stop_by_ms ||
				     generations_are_stuck(&aggregator->generations))) {
		log_line(LOG_WARNING, "stopped before the last commit; Kafka has what is not in it",
			"%s", "");
		loop_stop(aggregator->loop);
	}
	return r;
}

/* Who asked for baskets waits until all that are open are known. */
static int loading_tick(struct aggregator *aggregator)
{
	bool had_loaded = aggregator->has_loaded;

	aggregator->has_loaded = !pipeline_is_loading(aggregator->generations.live->pipeline);
	return aggregator->has_loaded && !had_loaded ? wake(aggregator) : 0;
}

static int tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct aggregator *aggregator = owner;
	int64_t wait_ms = TICK_MS_MAX;
	int r = aggregator->error != 0 ? aggregator->error : aggregator->asking.error;
	if (r == 0) {
		r = generations_tick(&aggregator->generations, now_ms, &wait_ms);
	}
	if (r == 0) {
		r = loading_tick(aggregator);
	}
	if (r == 0) {
		r = reporting_tick(aggregator->reporting, aggregator->generations.live->pipeline,
			now_ms, &wait_ms);
	}
	if (r == 0) {
		r = rebuild_tick(aggregator);
	}
	if (r == 0) {
		r = upkeep_tick(
			aggregator->upkeep, aggregator->opening.live_views, now_ms, &wait_ms);
	}
	if (r == 0) {
		r = queries_tick(aggregator->queries, now_ms, &wait_ms);
	}
	if (r == 0) {
		r = live_tick(aggregator->publisher, now_ms, &wait_ms);
	}
	if (r == 0) {
		r = stop_tick(aggregator, now_ms);
	}
	pulse_tick(aggregator->pulse, aggregator->generations.live->pipeline, now_ms, &wait_ms);
	herald_report(&aggregator->herald, &aggregator->desk);
	*ret_wait_ms = wait_ms;
	return r;
}

static int job_finished(void *owner)
{
	struct aggregator *aggregator = owner;
	struct stores *stores = aggregator->opening.stores;
	for (size_t i = 0; i < stores->count; i++) {
		worker_collect(stores->workers[i]);
	}
	return aggregator->error;
}

static int new_generations(struct aggregator *aggregator, struct config_error *error)
{
	struct generations_options options = {
		.config = aggregator->options.config,
		.opening = &aggregator->opening,
		.accepted = aggregator->options.accepted,
		.wants_rebuild = aggregator->options.wants_rebuild,
		.archive = aggregator->options.archive,
		.feed =
			{
				.loop = aggregator->loop,
				.moved = moved,
				.readable = readable,
				.decide = decide,
				.replayed = herald_replayed,
				.replay_failed = replay_failed,
				.committed = committed,
				.freezing = freezing,
				.notice = herald_notice,
				.conflict = herald_conflict,
				.row_changed = row_changed,
				.owner = aggregator,
			},
	};
	options.feed.pipeline.entries_at_once = aggregator->options.entries_at_once;
	memcpy(options.feed.pipeline.hash_key, aggregator->hash_key, sizeof aggregator->hash_key);
	if (aggregator->opening.shadow_views != NULL) {
		log_line(LOG_INFO, "rebuilding beside the live store", "why=\"%s\"",
			aggregator->opening.rebuild_why);
	}
	if (aggregator->opening.stage_note != NULL) {
		log_line(LOG_WARNING, "no views are staged", "why=\"%s\"",
			aggregator->opening.stage_note);
	}
	int r = generations_init(&aggregator->generations, &options, error);
	if (r > 0) {
		snprintf(error->text, sizeof error->text,
			"the store's positions or ledger can't be read; move it away, and the "
			"aggregator counts the log anew");
	}
	return r > 0 ? AGGREGATOR_E_DECISION : r;
}

static int new_reporting(struct aggregator *aggregator, struct config_error *error)
{
	const struct aggregator_config *config = aggregator->options.config;
	const struct reporting_options options = {
		.loop = aggregator->loop,
		.metrics = aggregator->metrics,
		.brokers = config->brokers,
		.kafka = &config->kafka,
		.topic = config->topic_telemetry,
	};
	return reporting_new(&options, &aggregator->reporting, error);
}

static int new_inspection(struct aggregator *aggregator)
{
	const struct aggregator_config *config = aggregator->options.config;
	const struct inspection_options options = {
		.loop = aggregator->loop,
		.metrics = aggregator->metrics,
		.brokers = config->brokers,
		.properties = &config->kafka,
		.topics = aggregator->generations.live->pipeline->options.topics,
		.topic_telemetry = config->topic_telemetry,
		.found = moved,
		.fetched = redelivery_fetched,
		.fetched_owner = aggregator->asking.redelivery,
		.owner = aggregator,
		.replay_to = redelivery_to(aggregator->asking.redelivery),
	};
	int r = inspection_new(&options, &aggregator->inspection);
	redelivery_use(aggregator->asking.redelivery, aggregator->inspection);
	return r;
}

static int new_redelivery(struct aggregator *aggregator, struct config_error *error)
{
	const struct redelivery_options options = {.context = aggregator->context,
		.loop = aggregator->loop,
		.metrics = aggregator->metrics,
		.config = aggregator->options.config,
		.administration = &aggregator->asking.administration,
		.done = moved,
		.owner = aggregator};
	int r = redelivery_new(&options, &aggregator->asking.redelivery, error);
	return r == 0 ? new_inspection(aggregator) : r;
}

/* Without keys whoever reaches the socket is an administrator: that may be this machine's users, and nobody else. */
static void new_asking(struct aggregator *aggregator)
{
	const struct aggregator_config *config = aggregator->options.config;
	struct config_error ignored;
	aggregator->asking = (struct asking){
		.loop = aggregator->loop,
		.security = aggregator->security,
		.opening = &aggregator->opening,
		.generations = &aggregator->generations,
		.desk = &aggregator->desk,
		.gauges = aggregator->gauges,
		.administration =
			{
				.audit_file = config->audit_file,
				.is_exposed = security_keyring(aggregator->security) == NULL &&
					      program_check_endpoints(
						      "", config->listen, false, &ignored) != 0,
			},
		.refresh = refresh,
		.owner = aggregator,
	};
}

static int new_security(struct aggregator *aggregator, struct config_error *error)
{
	const struct security_options options = {
		.key_file = aggregator->options.config->key_file,
		.authorized = aggregator->options.config->authorized,
		.peer_keys = aggregator->options.config->edge_key,
		.context = aggregator->context,
		.loop = aggregator->loop,
		.metrics = aggregator->metrics,
		.program = "till-aggregator",
		.audit_file = aggregator->options.config->audit_file,
		.admits = admits,
		.taken = taken,
		.owner = aggregator,
	};
	return security_new(&options, &aggregator->security, error);
}

static int new_server(struct aggregator *aggregator)
{
	const struct aggregator_config *config = aggregator->options.config;
	const struct queries_options queries = {
		.allowance = config->reader,
		.judge = asking_judge,
		.permit = asking_permit,
		.answer = asking_answer,
		.answered = asking_answered,
		.owner = &aggregator->asking,
	};
	int r = queries_new(&queries, &aggregator->queries);
	const struct server_options options = {
		.context = aggregator->context,
		.loop = aggregator->loop,
		.listen = config->listen,
		.security = aggregator->security,
		.queries = aggregator->queries,
		.lost = reply_lost,
		.owner = aggregator,
	};
	return r == 0 ? server_new(&options, &aggregator->server) : r;
}

static int new_publisher(struct aggregator *aggregator, struct config_error *error)
{
	const struct aggregator_config *config = aggregator->options.config;
	const struct live_options options = {
		.context = aggregator->context,
		.loop = aggregator->loop,
		.security = aggregator->security,
		.guard = aggregator->guard,
		.metrics = aggregator->metrics,
		.desk = &aggregator->desk,
		.endpoint = config->publish,
		.rate = config->live_rate,
		.hash_key = aggregator->hash_key,
	};
	if (config->publish == NULL || config->publish[0] == '\0') {
		return 0;
	}
	int r = live_new(&options, &aggregator->publisher);
	aggregator->asking.publisher = aggregator->publisher;
	if (r < 0) {
		config_fail(error, "[aggregator] publish: %s: %s", config->publish, strerror(-r));
	}
	return r;
}

static int write_alive(void *owner, struct buffer *out)
{
	struct aggregator *aggregator = owner;
	refresh(aggregator);
	return desk_write_alive(&aggregator->desk, out);
}

static int new_web(struct aggregator *aggregator)
{
	const struct aggregator_config *config = aggregator->options.config;
	const struct web_options options = {
		.loop = aggregator->loop,
		.metrics = aggregator->metrics,
		.queries = aggregator->queries,
		.access = &aggregator->access,
		.tls = config->http_tls_cert != NULL ? &aggregator->tls : NULL,
		.watchers_max = (size_t)config->http_live_clients,
		.write_alive = write_alive,
		.owner = aggregator,
	};
	aggregator->access = aggregator_config_access(config);
	aggregator->tls = (struct http_tls_files){
		config->http_tls_cert, config->http_tls_key, config->http_tls_client_ca};
	return web_new(&options, &aggregator->web);
}

static int new_http(struct aggregator *aggregator, struct config_error *error)
{
	struct http_server_error why = {{0}};
	int r = new_web(aggregator);
	if (r < 0) {
		return r;
	}
	const struct http_options options = {
		.listen = aggregator->options.config->http_listen,
		.loop = aggregator->loop,
		.metrics = aggregator->metrics,
		.ready = ready,
		.owner = aggregator,
		.site = web_site(aggregator->web),
		.error = &why,
	};
	r = http_new(&options, &aggregator->http);
	if (r < 0 && why.text[0] != '\0') {
		config_fail(error, "[http] %s", why.text);
	}
	return r;
}

static int attach(struct aggregator *aggregator)
{
	struct stores *stores = aggregator->opening.stores;
	int r = loop_add_tick(aggregator->loop, tick, aggregator);
	for (size_t i = 0; i < stores->count && r == 0; i++) {
		r = loop_add_fd(
			aggregator->loop, worker_fd(stores->workers[i]), job_finished, aggregator);
	}
	if (r == 0) {
		r = program_attach(aggregator->loop);
	}
	loop_on_terminate(aggregator->loop, terminate, aggregator);
	return r;
}

static int new_parts(struct aggregator *aggregator, struct config_error *error)
{
	const struct upkeep_options upkeep = {
		.stores = aggregator->opening.stores,
		.check_every_ms = aggregator->options.config->check_interval_ms,
		.failed = check_failed,
		.owner = aggregator,
	};
	int r = random_bytes(aggregator->hash_key, sizeof aggregator->hash_key);
	if (r == 0) {
		r = metrics_new(&aggregator->metrics);
	}
	if (r == 0) {
		r = gauges_new(aggregator->metrics, look, aggregator, &aggregator->gauges);
	}
	if (r == 0) {
		r = upkeep_new(&upkeep, &aggregator->upkeep);
	}
	if (r == 0) {
		r = context_new(&aggregator->context);
	}
	if (r == 0) {
		const struct guard_options guard = {
			aggregator->context, aggregator->loop, aggregator->metrics, MEMORY_MAX};
		r = guard_new(&guard, &aggregator->guard);
	}
	if (r == 0) {
		r = new_security(aggregator, error);
	}
	if (r == 0) {
		new_asking(aggregator);
		r = new_generations(aggregator, error);
	}
	if (r == 0) {
		r = pulse_new(aggregator->opening.stores, aggregator->metrics,
			aggregator->generations.live->pipeline, &aggregator->pulse);
	}
	if (r == 0) {
		r = new_reporting(aggregator, error);
	}
	if (r == 0) {
		r = new_redelivery(aggregator, error);
	}
	if (r == 0) {
		refresh(aggregator);
		aggregator->desk.started_ms = aggregator->desk.now_ms;
		r = new_server(aggregator);
	}
	if (r == 0) {
		r = new_publisher(aggregator, error);
	}
	if (r == 0) {
		r = new_http(aggregator, error);
	}
	return r == 0 ? attach(aggregator) : r;
}

int aggregator_new(const struct aggregator_options *options, struct aggregator **ret_aggregator,
	char *error, size_t error_size)
{
	const struct opening_options opening = {
		.config = options->config,
		.wants_rebuild = options->wants_rebuild,
		.may_create = true,
		.may_rebuild = true,
	};
	struct config_error config_error = {0};
	struct aggregator *aggregator = calloc(1, sizeof *aggregator);
	if (aggregator == NULL) {
		return -ENOMEM;
	}
	aggregator->options = *options;
	aggregator->herald = (struct herald){.accepted = options->accepted};
	/* The store before any thread: the look at its file forks. */
	int r = loop_new(&aggregator->loop);
	if (r == 0) {
		r = opening_init(&opening, &aggregator->opening, error, error_size);
		if (r != 0) {
			aggregator_free(aggregator);
			return r == -EINVAL ? AGGREGATOR_E_USAGE : r;
		}
		r = new_parts(aggregator, &config_error);
	}
	if (r != 0) {
		snprintf(error, error_size, "%s",
			config_error.text[0] != '\0' ? config_error.text : strerror(abs(r)));
		aggregator_free(aggregator);
		return r;
	}
	*ret_aggregator = aggregator;
	return 0;
}

struct aggregator *aggregator_free(struct aggregator *aggregator)
{
	if (aggregator == NULL) {
		return NULL;
	}
	struct stores *stores = aggregator->opening.stores;
	for (size_t i = 0; stores != NULL && i < stores->count; i++) {
		worker_drain(stores->workers[i]);
		loop_remove_fd(aggregator->loop, worker_fd(stores->workers[i]));
	}
	http_free(aggregator->http);
	web_free(aggregator->web);
	server_free(aggregator->server);
	queries_free(aggregator->queries);
	redelivery_free(aggregator->asking.redelivery);
	live_free(aggregator->publisher);
	security_free(aggregator->security);
	reporting_free(aggregator->reporting);
	inspection_free(aggregator->inspection);
	generations_deinit(&aggregator->generations);
	pulse_free(aggregator->pulse);
	upkeep_free(aggregator->upkeep);
	gauges_free(aggregator->gauges);
	opening_deinit(&aggregator->opening);
	metrics_free(aggregator->metrics);
	guard_free(aggregator->guard);
	context_free(aggregator->context);
	loop_free(aggregator->loop);
	free(aggregator);
	return NULL;
}

int aggregator_run(struct aggregator *aggregator, struct program *program)
{
	const struct program_endpoints endpoints = {
		.listen = server_endpoints(aggregator->server),
		.publish = live_endpoint(aggregator->publisher),
		.http = http_address(aggregator->http),
	};
	int r = program_ready(program, "till-aggregator", &endpoints);
	if (r == 0) {
		r = loop_run(aggregator->loop);
	}
	if (r == 0 && aggregator->is_shadow_refused) {
		r = generations_give_up_shadow(&aggregator->generations);
	}
	return r == 0 && aggregator->needs_decision ? AGGREGATOR_E_DECISION : r;
}
