#include "aggregator/desk/forgetting.h"
#include "aggregator/view/view_plan.h"
#include <errno.h>

enum {
	/* One writes what is frozen, the next what is active; a third finds nothing. */
	FLUSHES_MAX = 4,
};

void forget_plan_deinit(struct forget_plan *plan)
{
	forgotten_deinit(&plan->wanted);
}

/* ---- what is to be done */

/* A declaration that names him would go on to count him alone, under his name. */
static int check_declarations(
	const struct view_set *views, struct slice user, struct complaint *complaint)
{
	for (size_t i = 0; views != NULL && i < view_set_count(views); i++) {
		const struct view *view = view_set_at(views, i);
		if (view_names_user(view, user)) {
			complaint_set(complaint, REASON_BAD_REQUEST, "user",
				"a condition of view \"%s\" names this user: take it out of the "
				"configuration first",
				view_name(view));
			return REASON_BAD_REQUEST;
		}
	}
	return 0;
}

static int64_t last_append_ms(const struct pipeline *pipeline)
{
	int64_t last_ms = 0;

	for (size_t i = 0; pipeline != NULL && i < pipeline->shard_count; i++) {
		int64_t append_ms = pipeline->shards[i]->ledger.append_ms;
		last_ms = append_ms > last_ms ? append_ms : last_ms;
	}
	return last_ms;
}

/* After all that was read, whoever read it, and after all that was appended by now, if clocks agree: what was hidden stays so. */
static int64_t boundary_ms(const struct forgetting *forgetting)
{
	int64_t live_ms = last_append_ms(forgetting->live) + 1;
	int64_t shadow_ms = last_append_ms(forgetting->shadow) + 1;
	int64_t read_ms = live_ms > shadow_ms ? live_ms : shadow_ms;

	return read_ms > forgetting->now_ms ? read_ms : forgetting->now_ms;
}

static int plan_tombstone(
	const struct forgetting *forgetting, struct forget_plan *plan, struct complaint *complaint)
{
	struct tombstone tombstone = {.when_ms = forgetting->now_ms,
		.until_ms = plan->is_revoke ? boundary_ms(forgetting) : FORGOTTEN_FOR_EVER};

	forgotten_hash(&plan->wanted, plan->user, tombstone.hash);
	forgotten_hash_text(tombstone.hash, plan->hash);
	snprintf(tombstone.by, sizeof tombstone.by, "%s", forgetting->by);
	const struct tombstone *before = forgotten_find(&plan->wanted, tombstone.hash);
	if (plan->is_revoke && before == NULL) {
		complaint_set(complaint, REASON_BAD_KEY, "user", "this user was not forgotten");
		return REASON_BAD_KEY;
	}
	bool is_in_force = before != NULL && before->until_ms == FORGOTTEN_FOR_EVER;
	plan->was_so = plan->is_revoke ? !is_in_force : is_in_force;
	int r = plan->was_so ? 0 : forgotten_put(&plan->wanted, &tombstone);
	if (r == -ENOSPC) {
		complaint_set(complaint, REASON_TOO_LARGE, "user",
			"%d users were forgotten, and there is no room for more", FORGOTTEN_MAX);
		return REASON_TOO_LARGE;
	}
	return r;
}

int forgetting_plan(const struct forgetting *forgetting, const struct query *query,
	struct forget_plan *ret_plan, struct complaint *complaint)
{
	*ret_plan = (struct forget_plan){.user = query->user, .is_revoke = query->revoke};
	int r = forgotten_copy(store_forgotten(forgetting->stores->items[0]), &ret_plan->wanted);
	if (r < 0) {
		return r;
	}
	if (!ret_plan->wanted.has_key) {
		memcpy(ret_plan->wanted.key, forgetting->fresh_key, sizeof forgetting->fresh_key);
		ret_plan->wanted.has_key = true;
	}
	r = plan_tombstone(forgetting, ret_plan, complaint);
	if (r == 0 && !query->revoke) {
		r = check_declarations(forgetting->views, query->user, complaint);
	}
	if (r == 0 && !query->revoke) {
		r = check_declarations(forgetting->shadow_views, query->user, complaint);
	}
	return r;
}

/* ---- doing it */

static void drain(struct stores *stores)
{
	for (size_t i = 0; i < stores->count; i++) {
		worker_drain(stores->workers[i]);
	}
}

/* Everything that was counted is in the store, and nothing in memory knows a row. */
static int flush(const struct forgetting *forgetting, struct pipeline *pipeline, bool *ret_is_clean)
{
	int r = 0;

	*ret_is_clean = pipeline == NULL;
	for (int i = 0; i < FLUSHES_MAX && r == 0 && !*ret_is_clean; i++) {
		r = pipeline_flush(pipeline, ret_is_clean);
		drain(forgetting->stores);
	}
	return r;
}

static int fail(struct complaint *complaint, const char *words)
{
	complaint_set(complaint, REASON_INTERNAL, "", "%s", words);
	return REASON_INTERNAL;
}

static int explain(int r, struct complaint *complaint)
{
	switch (r) {
	case STORE_E_FULL:
		return fail(complaint, "no room to write the store: make some, and ask again");
	case STORE_E_CORRUPT:
		return fail(complaint,
			"a row of the store can't be read, so nobody knows whose it is: rebuild "
			"the store, and ask again");
	default:
		return r;
	}
}

static int forget_in(struct store *store, const struct forgotten *wanted, struct forget_plan *plan,
	struct complaint *complaint)
{
	struct forget_counts counts = {0};

	int r = store_forget(store, wanted, plan->user, &counts);
	plan->counts.rows += counts.rows;
	plan->counts.events += counts.events;
	plan->counts.texts += counts.texts;
	plan->counts.quarantined += counts.quarantined;
	return explain(r, complaint);
}

static void forget_in_memory(struct pipeline *pipeline)
{
	for (size_t i = 0; pipeline != NULL && i < pipeline->shard_count; i++) {
		entries_forget(pipeline->shards[i]->entries);
		boards_deinit(&pipeline->shards[i]->boards); /* rows went without a commit */
	}
}

/* Shard 0 first: what it has is so. He comes back in all of them at the same moment of the log, or a shard would go on to hide what
 * the others count; so the others do without room for it, and before that know all that was said earlier. */
static int bring_back(
	const struct stores *stores, struct forget_plan *plan, struct complaint *complaint)
{
	const struct forgotten *earlier = store_forgotten(stores->items[0]);
	int r = 0;

	for (size_t i = 1; i < stores->count && r == 0; i++) {
		r = forget_in(stores->items[i], earlier, plan, complaint);
	}
	if (r == 0) {
		r = forget_in(stores->items[0], &plan->wanted, plan, complaint);
	}
	for (size_t i = 1; i < stores->count && r == 0; i++) {
		struct forget_counts none;
		r = store_forget(stores->items[i], &plan->wanted, plan->user, &none);
		if (r == STORE_E_FULL) {
			r = store_forget_in_memory(stores->items[i], &plan->wanted);
		}
		r = explain(r, complaint);
	}
	return r;
}

static int let_go(
	const struct stores *stores, struct forget_plan *plan, struct complaint *complaint)
{
	int r = 0;

	for (size_t i = 0; i < stores->count && r == 0; i++) {
		r = forget_in(stores->items[i], &plan->wanted, plan, complaint);
	}
	return r;
}

int forgetting_carry_out(
	const struct forgetting *forgetting, struct forget_plan *plan, struct complaint *complaint)
{
	bool live_is_clean = false, shadow_is_clean = false;

	int r = flush(forgetting, forgetting->live, &live_is_clean);
	if (r == 0) {
		r = flush(forgetting, forgetting->shadow, &shadow_is_clean);
	}
	if (r < 0) {
		return r; /* what changed is in memory alone, and ends with the process */
	}
	if (!(live_is_clean && shadow_is_clean)) {
		return fail(complaint,
			"what is counted can't be written to the store now: see /readyz, and ask "
			"again");
	}
	r = plan->is_revoke ? bring_back(forgetting->stores, plan, complaint)
			    : let_go(forgetting->stores, plan, complaint);
	forget_in_memory(forgetting->live);
	forget_in_memory(forgetting->shadow);
	return r;
}
