#include "aggregator/generations.h"
#include "aggregator/books/gap.h"
#include <errno.h>

/* ---- life */

static int new_feed(struct generations *generations, bool is_shadow, struct feed **ret_feed,
	struct config_error *error)
{
	const struct generations_options *ours = &generations->options;
	const struct aggregator_config *config = ours->config;
	const struct store_root *root = stores_root(ours->opening->stores);
	struct feed_options options = ours->feed;

	options.brokers = config->brokers;
	options.kafka = &config->kafka;
	options.archive = is_shadow == (ours->opening->shadow_views != NULL) ? ours->archive : NULL;
	options.pipeline.stores = ours->opening->stores;
	options.pipeline.views =
		is_shadow ? ours->opening->shadow_views : ours->opening->live_views;
	options.pipeline.generation = is_shadow ? root->shadow : root->live;
	options.pipeline.owns_all = config->owns_all;
	options.pipeline.owned = config->owned;
	options.pipeline.commit_interval_ms = config->commit_interval_ms;
	options.pipeline.overlay_bytes_max = config->overlay_bytes;
	options.pipeline.accepted = is_shadow ? &generations->accepted_by_shadow : ours->accepted;
	source_readers_name_topics(&generations->readers, &options.pipeline);
	return feed_new(&options, ret_feed, error);
}

static int accept_offsets_for_shadow(
	struct generations *generations, const struct text_set *accepted)
{
	int r = 0;
	for (const char *const *text = text_set_list(accepted); *text != NULL && r == 0; text++) {
		if (!gap_is_of_a_whole(*text)) {
			r = text_set_add(&generations->accepted_by_shadow, *text);
		}
	}
	return r;
}

/* Offsets that are missing since long are no news for a rebuild. A topic or cluster that is no more is: the live store keeps
 * what it counted there, a rebuild loses it, so that has to be accepted together with --rebuild. */
static int accept_for_shadow(struct generations *generations)
{
	struct text_set gaps = {0};
	const char *const *text = text_set_list(generations->options.accepted);
	int r = pipeline_gaps(generations->live->pipeline, &gaps);
	if (r == 0) {
		r = accept_offsets_for_shadow(generations, &gaps);
	}
	if (r == 0) {
		r = accept_offsets_for_shadow(generations, generations->options.accepted);
	}
	for (; generations->options.wants_rebuild && *text != NULL && r == 0; text++) {
		r = text_set_add(&generations->accepted_by_shadow, *text);
	}
	text_set_deinit(&gaps);
	return r;
}

int generations_init(struct generations *generations, const struct generations_options *options,
	struct config_error *error)
{
	*generations = (struct generations){.options = *options};
	int r = source_readers_init(&generations->readers, options->config);
	if (r == 0) {
		r = new_feed(generations, false, &generations->live, error);
	}
	if (r == 0 && options->opening->shadow_views != NULL) {
		r = accept_for_shadow(generations);
		if (r == 0) {
			r = new_feed(generations, true, &generations->shadow, error);
		}
	}
	return r;
}

void generations_deinit(struct generations *generations)
{
	generations->shadow = feed_free(generations->shadow);
	generations->live = feed_free(generations->live);
	source_readers_deinit(&generations->readers);
	text_set_deinit(&generations->accepted_by_shadow);
}

/* ---- work */

int generations_tick(struct generations *generations, int64_t now_ms, int64_t *ret_wait_ms)
{
	int r = feed_tick(generations->live, now_ms, ret_wait_ms);
	if (r == 0 && generations->shadow != NULL) {
		r = feed_tick(generations->shadow, now_ms, ret_wait_ms);
	}
	return r;
}

void generations_stop(struct generations *generations)
{
	generations->live->is_stopping = true;
	if (generations->shadow != NULL) {
		generations->shadow->is_stopping = true;
	}
}

int generations_flush(struct generations *generations, bool *ret_is_clean)
{
	bool live_is_clean = false, shadow_is_clean = true;
	int r = pipeline_flush(generations->live->pipeline, &live_is_clean);
	if (r == 0 && generations->shadow != NULL) {
		r = pipeline_flush(generations->shadow->pipeline, &shadow_is_clean);
	}
	*ret_is_clean = live_is_clean && shadow_is_clean;
	return r;
}

bool generations_are_stuck(const struct generations *generations)
{
	return pipeline_is_stuck(generations->live->pipeline) &&
	       (generations->shadow == NULL || pipeline_is_stuck(generations->shadow->pipeline));
}

/* ---- the switch */

double generations_progress(const struct generations *generations)
{
	double done = 0, all = 0;
	if (generations->shadow == NULL) {
		return 1;
	}
	const struct pipeline *live = generations->live->pipeline;
	for (size_t i = 0; i < live->partition_count; i++) {
		const struct partition *theirs = live->partitions[i];
		const struct partition *ours = pipeline_partition(
			generations->shadow->pipeline, theirs->topic, theirs->number);
		all += (double)theirs->position.next;
		done += ours == NULL ? 0 : (double)ours->position.next;
	}
	return all == 0 || done >= all ? 1 : done / all;
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

/* ---- staging */

bool generations_are_staged(const struct generations *generations)
{
	return generations->shadow != NULL && generations->options.opening->is_staged &&
	       !generations->drops_shadow;
}

void generations_accept_staged(struct generations *generations)
{
	generations->options.opening->is_staged = false;
	generations->options.opening->stage_note = OPENING_ACCEPTED;
}

void generations_drop_shadow(struct generations *generations)
{
	generations->drops_shadow = true;
	generations->shadow->is_held = true;
}

int generations_drop_tick(struct generations *generations, bool *ret_is_gone)
{
	struct opening *opening = generations->options.opening;
	if (!generations->drops_shadow || !has_place(opening->stores)) {
		return 0;
	}
	for (size_t i = 0; i < opening->stores->count; i++) {
		worker_drain(opening->stores->workers[i]);
	}
	generations->shadow = feed_leave(generations->shadow);
	generations->drops_shadow = false;
	opening->shadow_views = view_set_free(opening->shadow_views);
	opening->is_staged = false;
	*ret_is_gone = true;
	int r = stores_discard_shadow(opening->stores);
	return r > 0 ? -EIO : r;
}

/* ---- the switch itself */

bool generations_may_switch(const struct generations *generations)
{
	const struct pipeline *live = generations->live->pipeline;
	const struct pipeline *shadow = generations->shadow->pipeline;
	return live->is_targeted && pipeline_is_caught_up(shadow) &&
	       pipeline_reached(shadow, live) && has_place(generations->options.opening->stores);
}

void generations_hold(struct generations *generations, bool is_held)
{
	generations->live->is_held = is_held;
	if (generations->shadow != NULL) {
		generations->shadow->is_held = is_held;
	}
}

int generations_switch(struct generations *generations, struct view_set **ret_old_views)
{
	struct opening *opening = generations->options.opening;
	int r = stores_switch(opening->stores);
	if (r != 0) {
		return r > 0 ? -ENOSPC : r;
	}
	feed_leave(generations->live);
	generations->live = generations->shadow;
	generations->shadow = NULL;
	*ret_old_views = opening->live_views;
	opening->live_views = opening->shadow_views;
	opening->shadow_views = NULL;
	return 0;
}

int generations_give_up_shadow(struct generations *generations)
{
	struct stores *stores = generations->options.opening->stores;
	for (size_t i = 0; i < stores->count; i++) {
		worker_drain(stores->workers[i]);
	}
	generations->shadow = feed_free(generations->shadow);
	int r = stores_discard_shadow(stores);
	return r > 0 ? -EIO : r;
}
