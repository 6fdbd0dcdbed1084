#include "aggregator/live/live_ended.h"
#include "aggregator/answer/answer_walk.h"
#include "aggregator/view/view_retain.h"

/* The keys between which they lie: all, where another column comes before the bucket. */
static bool make_range(const struct view *view, int64_t from, int64_t to, struct row_key *ret_begin,
	struct row_key *ret_end)
{
	const struct group_value first = {.type = GROUP_BUCKET, .integer = from};
	const struct group_value behind = {.type = GROUP_BUCKET, .integer = to};

	*ret_begin = *ret_end = (struct row_key){0};
	return view->retain_group != 0 ||
	       (row_key_append(ret_begin, &first) && row_key_append(ret_end, &behind));
}

static bool ended_between(const struct view *view, struct slice key, int64_t from, int64_t to)
{
	return view_key_has_ended(view, key, to) && !view_key_has_ended(view, key, from);
}

static int visit(struct walk *walk, int64_t from, int64_t to,
	void (*each)(void *owner, struct slice key, struct slice longs), void *owner)
{
	struct slice key = row_key_slice(&walk->key);
	struct row row;

	if (!ended_between(walk->view, key, from, to)) {
		return 0;
	}
	int r = walk_row(walk, &row);
	if (r == 0) {
		each(owner, key, row.longs);
	}
	return r;
}

int live_ended_each(struct answer_context *context, const struct view *view, int64_t from,
	int64_t to, void (*each)(void *owner, struct slice key, struct slice longs), void *owner)
{
	struct row_key begin, end;
	struct walk walk;
	size_t seen = 0;

	if (!make_range(view, from, to, &begin, &end)) {
		return 0;
	}
	int r = walk_open(&walk, context, view, row_key_slice(&begin), row_key_slice(&end));
	walk.cutoff = INT64_MIN; /* answers hide them already */
	while (r == 0 && (r = walk_next(&walk)) == 0) {
		r = ++seen > LIVE_ENDED_ROWS_MAX ? LIVE_ENDED_E_MANY
						 : visit(&walk, from, to, each, owner);
	}
	walk_close(&walk);
	return r == WALK_E_END ? 0 : r;
}
