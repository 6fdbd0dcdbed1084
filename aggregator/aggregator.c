#include "aggregator/aggregator.h"
#include "aggregator/administration.h"
#include "aggregator/desk.h"
#include "aggregator/gap.h"
#include "aggregator/gauges.h"
#include "aggregator/herald.h"
#include "aggregator/live.h"
#include "aggregator/opening.h"
#include "aggregator/server.h"
#include "aggregator/source_readers.h"
#include "aggregator/upkeep.h"
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
	struct opening opening;
	struct feed *live, *shadow;
	struct upkeep *upkeep;
	struct gauges *gauges;
	struct source_readers readers; /* both feeds' */
	struct server *server;
	struct live *publisher; /* NULL: nothing is published */
	struct desk desk;
	struct administration administration;
	struct text_set
		accepted_by_shadow; /* what the operator accepts, and what the live one has accepted */
	uint8_t hash_key[OVERLAY_HASH_KEY_SIZE];
	int64_t stop_by_ms; /* 0: no signal yet */
	struct herald herald;
	bool was_full; /* the log said so */
	bool needs_decision;
	bool is_shadow_refused; /* the log can't fill it */
	int error; /* from where no error can be returned */
};

static int moved(void *owner)
{
	struct aggregator *aggregator = owner;
	return aggregator->server == NULL ? 0 : server_wake(aggregator->server);
}

static void freezing(void *owner, struct overlay *overlay)
{
	struct aggregator *aggregator = owner;
	live_take(aggregator->publisher, overlay);
}

static void notice(void *owner, const char *what, const char *topic, int32_t partition)
{
	(void)owner;
	log_line(LOG_WARNING, what, "topic=\"%s\" partition=%" PRId32, topic, partition);
}

static void conflict(
	void *owner, const char *topic, const struct record *record, const struct reading *reading)
{
	char edge[4 * EDGE_ID_SIZE_MAX + 3];
	(void)owner;
	log_line(LOG_ERROR,
		"certificate_conflict: another event was counted under this certificate; this one "
		"is set aside",
		"edge=%s run=%" PRIu64 " kind=%s seq=%" PRIu64 " topic=\"%s\" partition=%" PRId32
		" offset=%" PRId64,
		log_quote((const char *)reading->stream.edge.bytes, reading->stream.edge.size, edge,
			sizeof edge),
		reading->stream.run, stream_kind_name(reading->stream.kind), reading->seq, topic,
		record->partition, record->offset);
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

static void answered(void *owner, const char *type, const char *code, int64_t took_us)
{
	struct aggregator *aggregator = owner;
	gauges_answered(aggregator->gauges, type, code, took_us);
}

static void reply_lost(void *owner)
{
	struct aggregator *aggregator = owner;
	gauges_reply_lost(aggregator->gauges);
}

/* How much of what the live one has read the shadow has read. */
static double rebuild_progress(const struct aggregator *aggregator)
{
	double done = 0, all = 0;
	const struct pipeline *live = aggregator->live->pipeline;
	for (size_t i = 0; i < live->partition_count; i++) {
		const struct partition *theirs = live->partitions[i];
		const struct partition *ours = pipeline_partition(
			aggregator->shadow->pipeline, theirs->topic, theirs->number);
		all += (double)theirs->position.next;
		done += ours == NULL ? 0 : (double)ours->position.next;
	}
	return all == 0 || done >= all ? 1 : done / all;
}

/* Brings what desk and health look at up to date. */
static void refresh(struct aggregator *aggregator)
{
	struct desk *desk = &aggregator->desk;
	desk->stores = aggregator->opening.stores;
	desk->live = aggregator->live;
	desk->shadow = aggregator->shadow;
	desk->views = aggregator->opening.live_views;
	desk->shadow_views = aggregator->opening.shadow_views;
	desk->now_ms = clock_monotonic_ms();
	desk->health.live = aggregator->live;
	desk->health.shadow = aggregator->shadow;
	desk->health.check_error = upkeep_check_error(aggregator->upkeep);
	desk->health.scrub_error = upkeep_scrub_error(aggregator->upkeep);
	desk->health.rebuild_progress =
		aggregator->shadow == NULL ? 1 : rebuild_progress(aggregator);
}

static int permit(
	void *owner, const char *user_id, const struct query *query, struct complaint *complaint)
{
	struct aggregator *aggregator = owner;
	const struct keyring *keyring = security_keyring(aggregator->security);
	const struct key_holder *asker = keyring_holder(keyring, user_id);
	int r = REASON_FORBIDDEN;
	if (asker != NULL) {
		r = gate_check(asker, query, aggregator->opening.live_views, complaint);
	} else {
		complaint_set(complaint, REASON_FORBIDDEN, "", "this key is not known any more");
	}
	if (r == 0) {
		r = administration_check(&aggregator->administration, query, complaint);
	}
	if (r != 0) {
		security_forbidden(
			aggregator->security, "queries", user_id, query_type_name(query->type));
		administration_refused(&aggregator->administration, query,
			asker != NULL ? asker->name : "unknown", complaint,
			loop_now_ms(aggregator->loop));
	}
	return r;
}

static int forget(struct aggregator *aggregator, struct question *question, struct buffer *reply)
{
	struct complaint complaint;
	struct forget_plan plan;
	struct forgetting forgetting = {
		.stores = aggregator->opening.stores,
		.live = aggregator->live->pipeline,
		.shadow = aggregator->shadow == NULL ? NULL : aggregator->shadow->pipeline,
		.views = aggregator->opening.live_views,
		.shadow_views = aggregator->opening.shadow_views,
		.now_ms = clock_wall_ms(),
		.by = question->asker->name,
	};
	int r = random_bytes(forgetting.fresh_key, sizeof forgetting.fresh_key);
	if (r < 0) {
		return r;
	}
	r = administration_forget(
		&aggregator->administration, &forgetting, question->query, &plan, &complaint);
	live_reset(aggregator->publisher);
	if (r == 0) {
		question->forget = &plan;
		r = desk_answer(&aggregator->desk, question, reply);
	} else if (r > 0) {
		query_encode_error(&complaint, question->query->encoding, reply);
		r = reply->error;
	} else {
		aggregator->error = r; /* nobody knows what is on the disk */
	}
	forget_plan_deinit(&plan);
	return r;
}

static int answer(void *owner, const char *user_id, const struct query *query, struct buffer *reply)
{
	struct aggregator *aggregator = owner;
	const struct keyring *keyring = security_keyring(aggregator->security);
	static const struct key_holder nobody = {.edges = NULL};
	const struct key_holder *asker = keyring_holder(keyring, user_id);
	struct question question = {.query = query, .asker = asker != NULL ? asker : &nobody};
	refresh(aggregator);
	if (query->type == QUERY_FORGET) {
		return forget(aggregator, &question, reply);
	}
	return desk_answer(&aggregator->desk, &question, reply);
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

static enum verdict judge(void *owner, struct wish *wish)
{
	struct aggregator *aggregator = owner;
	return desk_judge(&aggregator->desk, wish);
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
		.live = aggregator->live,
		.shadow = aggregator->shadow,
		.rebuild_progress = aggregator->desk.health.rebuild_progress,
		.store_bytes = stores_size(aggregator->opening.stores),
		.waiting = server_waiting(aggregator->server),
		.forgotten = store_forgotten(aggregator->opening.stores->items[0])->in_force,
	};
}

/* Before a switch both stand still: the live one, so that no answer goes back; the shadow, so that there is a last commit. */
static void hold(struct aggregator *aggregator, bool is_held)
{
	aggregator->live->is_held = is_held;
	if (aggregator->shadow != NULL) {
		aggregator->shadow->is_held = is_held;
	}
	upkeep_hold(aggregator->upkeep, is_held);
}

/* The shadow becomes the live one; the old one's rows are dropped bit by bit. */
static int switch_over(struct aggregator *aggregator)
{
	struct opening *opening = &aggregator->opening;
	int r = stores_switch(opening->stores);
	if (r != 0) {
		return r > 0 ? -ENOSPC : r;
	}
	feed_leave(aggregator->live);
	aggregator->live = aggregator->shadow;
	aggregator->shadow = NULL;
	struct view_set *old_views = opening->live_views;
	opening->live_views = opening->shadow_views;
	opening->shadow_views = NULL;
	upkeep_forget(aggregator->upkeep);
	hold(aggregator, false);
	refresh(aggregator);
	r = live_switch(aggregator->publisher, opening->live_views);
	view_set_free(old_views);
	log_line(LOG_INFO, "the rebuilt store is live", "store=%s",
		stores_root(opening->stores)->live_id);
	program_audit_end("rebuild", NULL, "done");
	return r == 0 ? server_wake(aggregator->server) : r;
}

/* Is nothing of the old generation left from the rebuild before? */
static bool has_place(const struct stores *stores)
{
	for (size_t i = 0; i < stores->count; i++) {
		if (store_root(stores->items[i])->dropping != 0) {
			return false;
		}
	}
	return true;
}

static bool may_switch(const struct aggregator *aggregator)
{
	const struct pipeline *live = aggregator->live->pipeline;
	const struct pipeline *shadow = aggregator->shadow->pipeline;
	return live->is_targeted && pipeline_is_caught_up(shadow) &&
	       pipeline_reached(shadow, live) && has_place(aggregator->opening.stores);
}

static int terminate(void *owner)
{
	struct aggregator *aggregator = owner;
	program_stopping();
	aggregator->stop_by_ms = loop_now_ms(aggregator->loop) + STOP_MS_MAX;
	aggregator->live->is_stopping = true;
	if (aggregator->shadow != NULL) {
		aggregator->shadow->is_stopping = true;
	}
	upkeep_hold(aggregator->upkeep, true);
	return server_stop(aggregator->server);
}

/* What was read until now is written first: the log may not have it any more, and the next start must name the same gap. */
static int decide(void *owner, const struct pipeline *pipeline)
{
	struct aggregator *aggregator = owner;
	bool is_shadow = aggregator->shadow != NULL && pipeline == aggregator->shadow->pipeline;
	const char *const *text = text_set_list(&pipeline->missing);
	if (aggregator->needs_decision) {
		return 0; /* said already */
	}
	for (; *text != NULL; text++) {
		char quoted[1024];
		log_line(LOG_ERROR,
			is_shadow ? "the log no longer has what the rebuild needs"
				  : "the log no longer has what the store needs",
			"missing=%s", log_quote(*text, strlen(*text), quoted, sizeof quoted));
		aggregator->options.tell_missing(*text, is_shadow);
	}
	aggregator->needs_decision = true;
	aggregator->is_shadow_refused |= is_shadow;
	return terminate(aggregator);
}

static int rebuild_tick(struct aggregator *aggregator)
{
	bool is_clean = false;
	if (aggregator->shadow == NULL || aggregator->stop_by_ms != 0) {
		return 0; /* a start goes on with what a stop left */
	}
	int r = pipeline_ask_former(aggregator->shadow->pipeline, aggregator->live->pipeline);
	if (r != 0) {
		return r < 0 ? r : decide(aggregator, aggregator->shadow->pipeline);
	}
	hold(aggregator, may_switch(aggregator));
	if (!aggregator->live->is_held) {
		return 0;
	}
	r = pipeline_flush(aggregator->shadow->pipeline, &is_clean);
	if (r < 0 || !is_clean || !stores_are_idle(aggregator->opening.stores)) {
		return r;
	}
	return switch_over(aggregator);
}

static bool is_stuck(const struct aggregator *aggregator)
{
	return pipeline_is_stuck(aggregator->live->pipeline) &&
	       (aggregator->shadow == NULL || pipeline_is_stuck(aggregator->shadow->pipeline));
}

static int stop_tick(struct aggregator *aggregator, int64_t now_ms)
{
	bool live_is_clean = false, shadow_is_clean = true;
	if (aggregator->stop_by_ms == 0) {
		return 0;
	}
	int r = pipeline_flush(aggregator->live->pipeline, &live_is_clean);
	if (r == 0 && aggregator->shadow != NULL) {
		r = pipeline_flush(aggregator->shadow->pipeline, &shadow_is_clean);
	}
	if (r == 0 && live_is_clean && shadow_is_clean) {
		loop_stop(aggregator->loop);
	} else if (r == 0 && (now_ms >= aggregator->stop_by_ms || is_stuck(aggregator))) {
		log_line(LOG_WARNING, "stopped before the last commit; Kafka has what is not in it",
			"%s", "");
		loop_stop(aggregator->loop);
	}
	return r;
}

static int tick_feeds(struct aggregator *aggregator, int64_t now_ms, int64_t *ret_wait_ms)
{
	int r = feed_tick(aggregator->live, now_ms, ret_wait_ms);
	if (r == 0 && aggregator->shadow != NULL) {
		r = feed_tick(aggregator->shadow, now_ms, ret_wait_ms);
	}
	return r;
}

static int tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct aggregator *aggregator = owner;
	int64_t wait_ms = TICK_MS_MAX;
	int r = aggregator->error;
	if (r == 0) {
		r = tick_feeds(aggregator, now_ms, &wait_ms);
	}
	if (r == 0) {
		r = rebuild_tick(aggregator);
	}
	if (r == 0) {
		r = upkeep_tick(
			aggregator->upkeep, aggregator->opening.live_views, now_ms, &wait_ms);
	}
	if (r == 0) {
		r = server_tick(aggregator->server, now_ms, &wait_ms);
	}
	if (r == 0) {
		r = live_tick(aggregator->publisher, now_ms, &wait_ms);
	}
	if (r == 0) {
		r = stop_tick(aggregator, now_ms);
	}
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

static int new_feed(struct aggregator *aggregator, bool is_shadow, struct feed **ret_feed,
	struct config_error *error)
{
	const struct aggregator_config *config = aggregator->options.config;
	const struct store_root *root = stores_root(aggregator->opening.stores);
	struct feed_options options = {
		.loop = aggregator->loop,
		.brokers = config->brokers,
		.kafka = &config->kafka,
		.pipeline =
			{
				.stores = aggregator->opening.stores,
				.views = is_shadow ? aggregator->opening.shadow_views
						   : aggregator->opening.live_views,
				.generation = is_shadow ? root->shadow : root->live,
				.owns_all = config->owns_all,
				.owned = config->owned,
				.commit_interval_ms = config->commit_interval_ms,
				.overlay_bytes_max = config->overlay_bytes,
				.accepted = is_shadow ? &aggregator->accepted_by_shadow
						      : aggregator->options.accepted,
			},
		.moved = moved,
		.decide = decide,
		.committed = committed,
		.freezing = freezing,
		.notice = notice,
		.conflict = conflict,
		.owner = aggregator,
	};
	memcpy(options.pipeline.hash_key, aggregator->hash_key, sizeof aggregator->hash_key);
	source_readers_name_topics(&aggregator->readers, &options.pipeline);
	return feed_new(&options, ret_feed, error);
}

static int accept_offsets_for_shadow(struct aggregator *aggregator, const struct text_set *accepted)
{
	int r = 0;
	for (const char *const *text = text_set_list(accepted); *text != NULL && r == 0; text++) {
		if (!gap_is_of_a_whole(*text)) {
			r = text_set_add(&aggregator->accepted_by_shadow, *text);
		}
	}
	return r;
}

/* Offsets that are missing since long are no news for a rebuild. A topic or cluster that is no more is: the live store keeps
 * what it counted there, a rebuild loses it, so that has to be accepted together with --rebuild. */
static int accept_for_shadow(struct aggregator *aggregator)
{
	struct text_set gaps = {0};
	const char *const *text = text_set_list(aggregator->options.accepted);
	int r = pipeline_gaps(aggregator->live->pipeline, &gaps);
	if (r == 0) {
		r = accept_offsets_for_shadow(aggregator, &gaps);
	}
	if (r == 0) {
		r = accept_offsets_for_shadow(aggregator, aggregator->options.accepted);
	}
	for (; aggregator->options.wants_rebuild && *text != NULL && r == 0; text++) {
		r = text_set_add(&aggregator->accepted_by_shadow, *text);
	}
	text_set_deinit(&gaps);
	return r;
}

static int new_feeds(struct aggregator *aggregator, struct config_error *error)
{
	int r = source_readers_init(&aggregator->readers, aggregator->options.config);
	if (r == 0) {
		r = new_feed(aggregator, false, &aggregator->live, error);
	}
	if (r == 0 && aggregator->opening.shadow_views != NULL) {
		log_line(LOG_INFO, "rebuilding beside the live store", "why=\"%s\"",
			aggregator->opening.rebuild_why);
		r = accept_for_shadow(aggregator);
		if (r == 0) {
			r = new_feed(aggregator, true, &aggregator->shadow, error);
		}
	}
	if (r > 0) {
		snprintf(error->text, sizeof error->text,
			"the store's positions or ledger can't be read; move it away, and the "
			"aggregator counts the log anew");
	}
	return r > 0 ? AGGREGATOR_E_DECISION : r;
}

/* Without keys whoever reaches the socket is an administrator: that may be this machine's users, and nobody else. */
static void new_administration(struct aggregator *aggregator)
{
	const struct aggregator_config *config = aggregator->options.config;
	struct config_error ignored;
	aggregator->administration = (struct administration){
		.audit_file = config->audit_file,
		.is_exposed = security_keyring(aggregator->security) == NULL &&
			      program_check_endpoints("", config->listen, false, &ignored) != 0,
		.refused_ms = INT64_MIN / 2,
	};
}

static int new_security(struct aggregator *aggregator, struct config_error *error)
{
	const struct security_options options = {
		.key_file = aggregator->options.config->key_file,
		.authorized = aggregator->options.config->authorized,
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
	const struct server_options options = {
		.context = aggregator->context,
		.loop = aggregator->loop,
		.listen = aggregator->options.config->listen,
		.security = aggregator->security,
		.judge = judge,
		.permit = permit,
		.allowance = aggregator->options.config->reader,
		.answer = answer,
		.answered = answered,
		.lost = reply_lost,
		.owner = aggregator,
	};
	return server_new(&options, &aggregator->server);
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
	if (r < 0) {
		config_fail(error, "[aggregator] publish: %s: %s", config->publish, strerror(-r));
	}
	return r;
}

static int new_http(struct aggregator *aggregator)
{
	const struct http_options options = {
		.listen = aggregator->options.config->http_listen,
		.loop = aggregator->loop,
		.metrics = aggregator->metrics,
		.ready = ready,
		.owner = aggregator,
	};
	return http_new(&options, &aggregator->http);
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
		new_administration(aggregator);
		r = new_feeds(aggregator, error);
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
		r = new_http(aggregator);
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
	server_free(aggregator->server);
	live_free(aggregator->publisher);
	security_free(aggregator->security);
	feed_free(aggregator->shadow);
	feed_free(aggregator->live);
	source_readers_deinit(&aggregator->readers);
	upkeep_free(aggregator->upkeep);
	gauges_free(aggregator->gauges);
	opening_deinit(&aggregator->opening);
	metrics_free(aggregator->metrics);
	text_set_deinit(&aggregator->accepted_by_shadow);
	guard_free(aggregator->guard);
	context_free(aggregator->context);
	loop_free(aggregator->loop);
	free(aggregator);
	return NULL;
}

/* A shadow that can't be filled is given up, so that the next start without --rebuild finds the live one alone. */
static int give_up_shadow(struct aggregator *aggregator)
{
	struct stores *stores = aggregator->opening.stores;
	for (size_t i = 0; i < stores->count; i++) {
		worker_drain(stores->workers[i]);
	}
	aggregator->shadow = feed_free(aggregator->shadow);
	int r = stores_discard_shadow(stores);
	return r > 0 ? -EIO : r;
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
		r = give_up_shadow(aggregator);
	}
	return r == 0 && aggregator->needs_decision ? AGGREGATOR_E_DECISION : r;
}
