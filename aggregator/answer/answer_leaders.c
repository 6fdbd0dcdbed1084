/* top out of the rows that lead: a row has what it had at the commit of the leaders, plus what the commit under way and the active
 * overlay add. So few leaders can be among the first, and a row that is none of them only with much that is new: what is changed is
 * looked through, and whatever could reach so far is read. If that does not settle it, a walk does. */
#include "aggregator/answer/answer_parts.h"
#include "aggregator/answer/gate.h"
#include "aggregator/shard/boards.h"
#include <errno.h>

enum {
	CONTEST_LIMIT_MAX = 100, /* each that enters is moved to its place among so many */
	OUTSIDERS_MAX = 2048, /* read at a microsecond each; a walk is better at more */
};

struct contestant {
	money number;
	struct slice key; /* of the leaders, or of an overlay */
};

struct contest {
	const struct answering *answering;
	const struct layers *layers;
	const struct view *view;
	size_t measure;
	const struct leaders *leaders;
	const struct overlay
		*behind; /* what is handed over and not in the leaders; NULL: nothing */
	money behind_greatest, active_greatest;
	size_t limit;
	size_t count;
	struct contestant rows[CONTEST_LIMIT_MAX]; /* the first is first */
	size_t outsiders;
	bool is_open; /* it can't be settled so */
};

bool leaders_may_answer(const struct answering *answering, size_t measure)
{
	const struct answer_context *context = answering->context;
	const struct query *query = answering->query;
	const struct view *view = answering->view;

	return context->shard_count == 1 && context->shards[0].boards != NULL &&
	       !query->ascending && query->limit <= CONTEST_LIMIT_MAX && !view_is_table(view) &&
	       view->retain_ms == 0 && measure_adds_up(&view->measures[measure]) &&
	       gate_stores_of(context->asker, view) == NULL;
}

static money number_in(
	const struct contest *contest, const struct overlay *overlay, struct slice key)
{
	const struct delta *delta =
		overlay == NULL ? NULL : overlay_find(overlay, contest->view->id, key);

	return delta == NULL ? 0 : delta_number(contest->view, contest->measure, delta);
}

/* The sum of three; `is_open` where 128 bits don't hold it. */
static money add(struct contest *contest, money a, money b, money c)
{
	if (!money_add(&a, b) || !money_add(&a, c)) {
		contest->is_open = true;
	}
	return a;
}

static bool is_before(const struct contestant *a, const struct contestant *b)
{
	return a->number != b->number ? a->number > b->number : row_key_compare(a->key, b->key) < 0;
}

static const struct contestant *last_of(const struct contest *contest)
{
	return contest->count < contest->limit ? NULL : &contest->rows[contest->count - 1];
}

/* A row enters if it is among the first so far. */
static void enter(struct contest *contest, struct slice key, money number)
{
	const struct contestant row = {number, key};
	const struct contestant *last = last_of(contest);

	if (last != NULL && !is_before(&row, last)) {
		return;
	}
	size_t at = last != NULL ? contest->count - 1 : contest->count++;
	for (; at > 0 && is_before(&row, &contest->rows[at - 1]); at--) {
		contest->rows[at] = contest->rows[at - 1];
	}
	contest->rows[at] = row;
}

static void enter_leaders(struct contest *contest)
{
	const struct leaders *leaders = contest->leaders;

	for (size_t i = 0; i < leaders->count && !contest->is_open; i++) {
		money number = leaders->rows[i].number;
		const struct contestant *last = last_of(contest);
		money most =
			add(contest, number, contest->behind_greatest, contest->active_greatest);
		if (last != NULL && most < last->number) {
			return; /* nor does any behind it */
		}
		struct slice key = leaders_key(leaders, i);
		enter(contest, key,
			add(contest, number, number_in(contest, contest->behind, key),
				number_in(contest, contest->layers->active, key)));
	}
}

static bool has_entered(const struct contest *contest, struct slice key)
{
	for (size_t i = 0; i < contest->count; i++) {
		if (slice_equal(contest->rows[i].key, key)) {
			return true;
		}
	}
	return false;
}

/* What a row has of the measure now, whether it leads or not. */
static int find_number(struct contest *contest, struct slice key, money *ret_number)
{
	const struct view *view = contest->view;
	struct slice value = {NULL, 0};
	uint64_t event_count = 0;
	struct cell cell = {0};
	money base = 0;

	int r = snapshot_row(contest->layers->snapshot, view->id, key, &value);
	if (r == 0) {
		r = row_peek(view, value, contest->measure, &event_count, &cell);
		measure_rank(&view->measures[contest->measure], event_count, &cell, &base);
	}
	if (r != 0 && r != STORE_E_ABSENT) {
		return r > 0 ? -EBADMSG : r;
	}
	*ret_number = add(contest, base, number_in(contest, contest->layers->frozen, key),
		number_in(contest, contest->layers->active, key));
	return 0;
}

static int enter_outsider(struct contest *contest, struct slice key)
{
	money number = 0;

	if (has_entered(contest, key)) {
		return 0;
	}
	if (++contest->outsiders > OUTSIDERS_MAX) {
		contest->is_open = true;
		return 0;
	}
	int r = find_number(contest, key, &number);
	if (r == 0) {
		enter(contest, key, number);
	}
	return r;
}

/* So much must be added to what is no leader before it matters. */
static money gap_of(const struct contest *contest)
{
	return last_of(contest)->number - contest->leaders->floor;
}

/* Rows that the active overlay adds to, with what the commit under way adds. */
static int enter_active(struct contest *contest)
{
	const struct overlay *active = contest->layers->active;
	size_t count = overlay_row_count(active, contest->view->id);
	size_t i = 0;
	int r = 0;

	for (; r == 0 && !contest->is_open; i++) {
		i = overlay_next_reaching(active, contest->view, contest->measure,
			gap_of(contest) - contest->behind_greatest, i);
		if (i == count) {
			break;
		}
		const struct delta *delta = overlay_row_at(active, contest->view->id, i);
		money news = add(contest, delta_number(contest->view, contest->measure, delta),
			number_in(contest, contest->behind, delta_key(delta)), 0);
		if (news >= gap_of(contest)) {
			r = enter_outsider(contest, delta_key(delta));
		}
	}
	return r;
}

/* Rows that only the commit under way adds to. */
static int enter_behind(struct contest *contest)
{
	const struct overlay *behind = contest->behind;
	size_t count = overlay_row_count(behind, contest->view->id);
	size_t i = 0;
	int r = 0;

	for (; r == 0 && !contest->is_open; i++) {
		i = overlay_next_reaching(
			behind, contest->view, contest->measure, gap_of(contest), i);
		if (i == count) {
			break;
		}
		struct slice key = delta_key(overlay_row_at(behind, contest->view->id, i));
		if (overlay_find(contest->layers->active, contest->view->id, key) == NULL) {
			r = enter_outsider(contest, key);
		}
	}
	return r;
}

static int enter_outsiders(struct contest *contest)
{
	money news = add(contest, contest->behind_greatest, contest->active_greatest, 0);

	if (news < gap_of(contest)) {
		return 0;
	}
	int r = enter_active(contest);
	return r == 0 && contest->behind != NULL && !contest->is_open ? enter_behind(contest) : r;
}

/* Fewer rows than were asked for stand above all that is not known: is_open. */
static int settle(struct contest *contest)
{
	enter_leaders(contest);
	const struct contestant *last = last_of(contest);
	if (last == NULL || last->number <= contest->leaders->floor) {
		contest->is_open = true;
	}
	return contest->is_open ? 0 : enter_outsiders(contest);
}

/* Each is read whole, as by `get`, and must have what it was placed by. *ret_fits: false when something else than commits has changed
 * the store. */
static int list(struct answering *answering, const struct contest *contest, bool *ret_fits)
{
	const struct measure *measure = &contest->view->measures[contest->measure];
	int r = 0;

	for (size_t i = 0; i < contest->count && r == 0; i++) {
		struct slice key = contest->rows[i].key;
		money number = 0;
		struct row row;
		r = layers_find_row(answering->context, contest->view, key, &row);
		if (r == 0) {
			measure_rank(
				measure, row.event_count, &row.cells[contest->measure], &number);
		}
		if (r == STORE_E_ABSENT || (r == 0 && number != contest->rows[i].number)) {
			*ret_fits = false;
			row_list_clear(&answering->rows);
			return 0;
		}
		r = r == 0 ? row_list_add(answering, key, &row) : r;
	}
	*ret_fits = true;
	return r;
}

/* What the commit under way adds at most stays the same until it is through. */
static money behind_greatest(const struct contest *contest, struct board *board)
{
	uint64_t number = contest->layers->committed + 1;

	if (contest->behind == NULL) {
		return 0;
	}
	if (board->greatest_of != number) {
		board->greatest =
			overlay_greatest(contest->behind, contest->view, contest->measure);
		board->greatest_of = number;
	}
	return board->greatest;
}

static void open_contest(struct contest *contest, struct board *board)
{
	const struct layers *layers = contest->layers;

	contest->leaders = board->leaders;
	contest->behind = board->commit == layers->committed ? layers->handed : NULL;
	contest->behind_greatest = behind_greatest(contest, board);
	contest->active_greatest =
		overlay_greatest(layers->active, contest->view, contest->measure);
}

int leaders_answer(struct answering *answering, size_t measure, bool *ret_is_answered)
{
	const struct layers *layers = &answering->context->shards[0];
	struct contest contest = {
		.answering = answering,
		.layers = layers,
		.view = answering->view,
		.measure = measure,
		.limit = answering->query->limit,
	};
	struct board *board = boards_find(layers->boards, answering->view->id, measure,
		layers->committed, layers->handed != NULL);

	*ret_is_answered = false;
	if (board == NULL) {
		return 0;
	}
	open_contest(&contest, board);
	int r = settle(&contest);
	if (r != 0 || contest.is_open) {
		return r;
	}
	r = list(answering, &contest, ret_is_answered);
	if (r == 0 && !*ret_is_answered) {
		boards_drop(layers->boards, board);
	}
	return r;
}

struct leaders *leaders_begin(const struct answering *answering, size_t measure)
{
	struct leaders *leaders = NULL;

	if (leaders_may_answer(answering, measure)) {
		/* Without memory the walk goes on without. */
		(void)leaders_new(answering->view->id, measure, 0,
			answering->context->shards[0].boards->kept, &leaders);
	}
	return leaders;
}

void leaders_note(struct leaders *leaders, const struct walk *walk, size_t measure, money number)
{
	const struct delta *active = walk->shards[0].active;
	money news = active == NULL ? 0 : delta_number(walk->view, measure, active);

	if (money_add(&number, -news)) {
		leaders_add(leaders, row_key_slice(&walk->key), number);
	} else {
		leaders->keys.error = -EOVERFLOW;
	}
}

void leaders_end(const struct answering *answering, struct leaders *leaders, int result)
{
	const struct layers *layers = &answering->context->shards[0];

	if (leaders == NULL) {
		return;
	}
	if (result != 0 || leaders_finish(leaders) != 0 ||
		leaders->count < answering->query->limit) {
		leaders_free(leaders);
		return;
	}
	boards_keep(layers->boards, leaders, layers->committed + (layers->handed != NULL));
}
