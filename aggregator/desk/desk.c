#include "aggregator/desk/desk.h"
#include "aggregator/desk/admin_answers.h"
#include "aggregator/desk/bridge_answer.h"
#include "aggregator/desk/inspection.h"
#include "aggregator/desk/staged_answer.h"
#include "aggregator/desk/status.h"
#include "aggregator/desk/stream_answers.h"
#include "aggregator/desk/vitals_answer.h"
#include "runtime/program.h"
#include <errno.h>

bool desk_is_ready(struct desk *desk)
{
	const struct pipeline *pipeline = desk->live->pipeline;
	bool is_cut_off = pipeline->has_report && !pipeline->is_reachable;
	if (!desk->health.is_ready && (is_cut_off || pipeline_is_caught_up(pipeline))) {
		desk->health.is_ready = true;
	}
	return desk->health.is_ready;
}

static struct pipeline *pipeline_asked(const struct desk *desk, bool is_staged)
{
	return is_staged && desk->is_staged ? desk->shadow->pipeline : desk->live->pipeline;
}

/* After a start baskets whose time has come close when all that are open are known: until then their views say less than they did
 * before it. */
static bool is_half_known(
	const struct desk *desk, const struct pipeline *pipeline, const struct wish *wish)
{
	if (!pipeline_is_loading(pipeline) || wish->view.size == 0) {
		return false;
	}
	bool is_of_shadow = pipeline != desk->live->pipeline;
	const struct view *view =
		view_set_find(is_of_shadow ? desk->shadow_views : desk->views, wish->view);
	return view != NULL && view_counts_baskets(view);
}

enum verdict desk_judge(void *owner, struct wish *wish)
{
	struct desk *desk = owner;
	struct pipeline *pipeline = pipeline_asked(desk, wish->is_staged);
	if (wish->look.type != LOOK_NONE) {
		return inspection_judge(desk->inspection, wish);
	}
	if (!wish->is_exempt && !desk_is_ready(desk)) {
		return VERDICT_NOT_READY;
	}
	if (is_half_known(desk, pipeline, wish)) {
		return VERDICT_NOT_READY;
	}
	if (wish->max_lag >= 0) {
		int64_t lag = pipeline_lag(pipeline);
		if (lag < 0 || lag > wish->max_lag) {
			return VERDICT_WAIT;
		}
	}
	for (; wish->after_count > 0; wish->after++, wish->after_count--) {
		bool has = false;
		if (pipeline_has(pipeline, wish->after, &has) < 0 || !has) {
			return VERDICT_WAIT;
		}
	}
	return VERDICT_ANSWER;
}

static void end_snapshots(struct layers *shards, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		shards[i].snapshot = snapshot_end(shards[i].snapshot);
	}
}

static int begin_snapshots(const struct pipeline *pipeline, struct layers *shards)
{
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		int r = shard_layers(pipeline->shards[i], &shards[i]);
		if (r != 0) {
			return r > 0 ? -EBADMSG : r;
		}
	}
	return 0;
}

/* Of an answer that walks for long: the same layers, newer snapshots. */
static int renew(void *owner, struct layers *shards, size_t count)
{
	end_snapshots(shards, count);
	return begin_snapshots(owner, shards);
}

static void fill_freshness(const struct desk *desk, const struct pipeline *pipeline,
	const struct text_set *gaps, struct freshness *ret_freshness)
{
	const struct store_root *root = stores_root(desk->stores);
	*ret_freshness = (struct freshness){
		.store_id = pipeline == desk->live->pipeline ? root->live_id : root->shadow_id,
		.commit = pipeline_commit(pipeline),
		.event_ts = pipeline_event_ts(pipeline),
		.lag = pipeline_lag(pipeline),
		.gaps = text_set_list(gaps),
	};
}

static int answer_from_views(struct desk *desk, const struct question *question,
	const struct freshness *freshness, struct buffer *reply)
{
	bool is_staged = question->query->is_staged;
	struct pipeline *pipeline = pipeline_asked(desk, is_staged);
	struct answer_context context = {
		.views = is_staged ? desk->shadow_views : desk->views,
		.shard_count = pipeline->shard_count,
		.freshness = *freshness,
		.tops = &desk->tops,
		.live = is_staged ? NULL : desk->live_place,
		.asker = question->asker,
		.renew = renew,
		.renew_owner = pipeline,
	};
	int r = begin_snapshots(pipeline, context.shards);
	if (r == 0) {
		r = answer_query(&context, question->query, reply);
	}
	end_snapshots(context.shards, context.shard_count);
	return r;
}

/* Is it a view that only the shadow has? */
static bool is_rebuilding(const struct desk *desk, const struct query *query)
{
	return query->view.size > 0 && desk->shadow_views != NULL &&
	       view_set_find(desk->views, query->view) == NULL &&
	       view_set_find(desk->shadow_views, query->view) != NULL;
}

static int answer_rebuilding(
	const struct desk *desk, const struct query *query, struct buffer *reply)
{
	struct complaint complaint;
	if (desk->is_staged) {
		complaint_set(&complaint, REASON_UNKNOWN_VIEW, "view",
			"view \"%.*s\" is staged and not live: ask with \"staged\":true",
			(int)query->view.size, (const char *)query->view.bytes);
		query_encode_error(&complaint, query->encoding, reply);
		return reply->error;
	}
	complaint_set(&complaint, REASON_REBUILDING, "",
		"view \"%.*s\" is being filled from the log: %d %% done; try again later",
		(int)query->view.size, (const char *)query->view.bytes,
		(int)(100 * desk->health.rebuild_progress));
	query_encode_error(&complaint, query->encoding, reply);
	return reply->error;
}

/* Events that nobody is shown as whose they are, by view: base, frozen and active. */
static int count_held(const struct desk *desk, uint64_t held[VIEWS_MAX])
{
	const struct pipeline *pipeline = desk->live->pipeline;
	struct layers layers[SHARDS_MAX] = {{0}};

	int r = begin_snapshots(pipeline, layers);
	for (uint32_t id = 0; r == 0 && id < view_set_count(desk->views); id++) {
		held[id] = 0;
		for (size_t i = 0; r == 0 && i < pipeline->shard_count; i++) {
			uint64_t count = 0;
			r = snapshot_held(layers[i].snapshot, id, &count);
			held[id] +=
				count + overlay_held(layers[i].active, id) +
				(layers[i].frozen == NULL ? 0 : overlay_held(layers[i].frozen, id));
		}
	}
	end_snapshots(layers, pipeline->shard_count);
	return r > 0 ? -EBADMSG : r;
}

static int answer_status(struct desk *desk, const struct query *query,
	const struct freshness *freshness, struct buffer *reply)
{
	uint64_t held[VIEWS_MAX];
	bool has_held =
		count_held(desk, held) == 0; /* a store that can't be read is said elsewhere */
	const struct status status = {
		.views = desk->views,
		.forgotten = store_forgotten(desk->stores->items[0]),
		.held = has_held ? held : NULL,
		.health = &desk->health,
		.freshness = freshness,
		.version = program_version(),
		.publish = desk->publish,
		.uptime_ms = desk->now_ms - desk->started_ms,
		.store_bytes = stores_size(desk->stores),
		.disk_room = stores_disk_room(desk->stores),
	};
	return status_write(&status, query->encoding, reply);
}

static int answer_vitals(struct desk *desk, const struct query *query,
	const struct freshness *freshness, struct buffer *reply)
{
	struct vitals_look look = {
		.now_ms = desk->now_ms,
		.wall_ms = desk->wall_ms,
		.store_bytes = stores_size(desk->stores),
	};
	vitals_look_at(desk->live->pipeline, &look);
	return vitals_answer_write(desk->vitals, &look, query, freshness, reply);
}

static int answer_nothing_staged(
	const struct desk *desk, const struct query *query, struct buffer *reply)
{
	struct complaint complaint;
	complaint_set(&complaint, REASON_BAD_REQUEST, "staged", "nothing is staged%s%s",
		desk->stage_note == NULL ? "" : ": ",
		desk->stage_note == NULL ? "" : desk->stage_note);
	query_encode_error(&complaint, query->encoding, reply);
	return reply->error;
}

static int answer_rows(struct desk *desk, const struct question *question,
	const struct freshness *freshness, struct buffer *reply)
{
	const struct query *query = question->query;
	if (query->is_staged && !desk->is_staged) {
		return answer_nothing_staged(desk, query, reply);
	}
	return !query->is_staged && is_rebuilding(desk, query)
		       ? answer_rebuilding(desk, query, reply)
		       : answer_from_views(desk, question, freshness, reply);
}

static int answer_by_type(struct desk *desk, const struct question *question,
	const struct freshness *freshness, struct buffer *reply)
{
	const struct query *query = question->query;
	switch (query->type) {
	case QUERY_STATUS:
		return answer_status(desk, query, freshness, reply);
	case QUERY_VITALS:
		return answer_vitals(desk, query, freshness, reply);
	case QUERY_BRIDGES:
		return bridge_answer_write(
			desk->health.bridges, desk->now_ms, freshness, query->encoding, reply);
	case QUERY_QUARANTINE:
		return quarantine_answer_write(desk->live->pipeline, query, freshness, reply);
	case QUERY_FORGOTTEN:
		return forgotten_answer_write(
			store_forgotten(desk->stores->items[0]), query, freshness, reply);
	case QUERY_FORGET:
		return forget_answer_write(question->forget, freshness, query->encoding, reply);
	case QUERY_EDGES:
	case QUERY_LEDGER:
		return stream_answers_write(desk->live->pipeline,
			&(struct reported){desk->reports, desk->now_ms}, question, freshness,
			reply);
	case QUERY_TRACE:
		return trace_answer_write(
			desk->live->pipeline, desk->reports, question, freshness, reply);
	case QUERY_TOPICS:
	case QUERY_RECORDS:
	case QUERY_LETTERS:
		return inspection_answer(
			desk->inspection, desk->live->pipeline, query, freshness, reply);
	case QUERY_STAGED:
		return desk->is_staged ? staged_answer_write(desk, query, freshness, reply)
				       : answer_nothing_staged(desk, query, reply);
	default:
		return answer_rows(desk, question, freshness, reply);
	}
}

int desk_answer(void *owner, const struct question *question, struct buffer *reply)
{
	struct desk *desk = owner;
	struct freshness freshness;
	struct text_set gaps = {0};
	const struct pipeline *pipeline = pipeline_asked(desk, question->query->is_staged);
	int r = pipeline_gaps(pipeline, &gaps);
	if (r == 0) {
		fill_freshness(desk, pipeline, &gaps, &freshness);
		r = answer_by_type(desk, question, &freshness, reply);
	}
	text_set_deinit(&gaps);
	return r;
}

enum { ALIVE_PROBLEMS_MAX = 4 }; /* a page each second: status has them all */

int desk_write_alive(struct desk *desk, struct buffer *out)
{
	struct freshness freshness;
	struct text_set gaps = {0};
	struct writer writer;
	int r = pipeline_gaps(desk->live->pipeline, &gaps);
	if (r == 0) {
		fill_freshness(desk, desk->live->pipeline, &gaps, &freshness);
		writer_init(&writer, ENCODING_JSON, out);
		write_map(&writer, 3);
		write_key(&writer, "as_of");
		answer_write_as_of(&writer, &freshness);
		write_key(&writer, "state");
		write_text(&writer, slice_of_text(health_state(&desk->health)));
		status_write_problems(&writer, &desk->health, ALIVE_PROBLEMS_MAX);
		r = out->error;
	}
	text_set_deinit(&gaps);
	return r;
}

static int begin_moment(const struct desk *desk, const struct pipeline *pipeline,
	const struct view_set *views, struct desk_moment *ret_moment)
{
	*ret_moment = (struct desk_moment){
		.context = {.views = views, .shard_count = pipeline->shard_count}};
	int r = pipeline_gaps(pipeline, &ret_moment->gaps);
	if (r == 0) {
		fill_freshness(desk, pipeline, &ret_moment->gaps, &ret_moment->context.freshness);
		r = begin_snapshots(pipeline, ret_moment->context.shards);
	}
	return r;
}

int desk_moment_begin(struct desk *desk, struct desk_moment *ret_moment)
{
	return begin_moment(desk, desk->live->pipeline, desk->views, ret_moment);
}

int desk_staged_moment_begin(struct desk *desk, struct desk_moment *ret_moment)
{
	return begin_moment(desk, desk->shadow->pipeline, desk->shadow_views, ret_moment);
}

void desk_moment_end(struct desk_moment *moment)
{
	end_snapshots(moment->context.shards, moment->context.shard_count);
	text_set_deinit(&moment->gaps);
}
