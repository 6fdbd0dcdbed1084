/* with_missing of a view that has the table's key order: its rows and, between them, a row of zeros for each row of the joined table
 * that the view has none of, as SQL's LEFT JOIN of the table with the view has it. Both are walked side by side. */
#include "aggregator/answer/answer_refined.h"

struct missing {
	struct answering *answering;
	row_visitor visit;
	void *owner;
	struct row_key from, to; /* of what is told; size 0: open */
	struct table_walk table;
	bool has_row; /* the table's walk stands at a row that is not told */
};

/* A row of zeros, made ready: its key, and the whole of its long texts. */
struct zeros {
	struct row_key key;
	struct buffer longs;
	struct row row;
};

/* 0, MISSING_E_LEFT_OUT, -EBADMSG, -errno. */
static int make_zeros(const struct refinement *refinement, struct slice table_key,
	const struct row *table_row, struct zeros *zeros)
{
	struct group_value values[VIEW_GROUPS_MAX];
	int r = refinement_make_zeros(refinement, table_key, table_row, values);

	if (r == 0) {
		r = result_key_make(refinement->result, values, &zeros->key, &zeros->longs);
	}
	row_init(refinement->result, &zeros->row);
	zeros->row.longs = buffer_slice(&zeros->longs);
	return r == 0 && !refinement_admits_row(refinement, &zeros->row) ? MISSING_E_LEFT_OUT : r;
}

static bool is_asked(const struct missing *missing, const struct row_key *key)
{
	struct slice bytes = row_key_slice(key);

	return row_key_compare(bytes, row_key_slice(&missing->from)) >= 0 &&
	       (missing->to.size == 0 || row_key_compare(bytes, row_key_slice(&missing->to)) < 0);
}

static int tell_zeros(struct missing *missing)
{
	struct zeros zeros;

	buffer_init(&zeros.longs, ROW_LONGS_SIZE_MAX);
	int r = make_zeros(missing->answering->refinement, row_key_slice(&missing->table.key),
		&missing->table.row, &zeros);
	if (r == 0 && is_asked(missing, &zeros.key)) {
		r = missing->visit(missing->owner, row_key_slice(&zeros.key), &zeros.row);
	}
	buffer_deinit(&zeros.longs);
	return r == MISSING_E_LEFT_OUT ? 0 : r;
}

static int step(struct missing *missing)
{
	int r = table_walk_next(&missing->table);

	missing->has_row = r == 0;
	return r == TABLE_WALK_E_END ? 0 : r;
}

/* Tells what the view has no row of, up to this key of a row of it; size 0: to the end. */
static int tell_until(struct missing *missing, struct slice key)
{
	int r = 0;

	while (r == 0 && missing->has_row) {
		struct slice table_key = row_key_slice(&missing->table.key);
		bool is_before = key.size == 0 || row_key_compare(table_key, key) <= 0;
		bool is_met = key.size > 0 && slice_begins_with(key, table_key);
		if (!is_before) {
			return 0;
		}
		if (!is_met) {
			r = tell_zeros(missing);
		}
		if (r == 0) {
			r = step(missing);
		}
	}
	return r;
}

/* What is missing before this row, which must be read anew where its snapshot has ended meanwhile. */
static int tell_before(struct missing *missing, struct walk *walk, struct row *row)
{
	size_t renewals = missing->table.renewals;
	int r = tell_until(missing, row_key_slice(&walk->key));

	return r == 0 && missing->table.renewals != renewals ? walk_row(walk, row) : r;
}

/* Rows that the conditions on group columns leave out are as if they were not there. */
static int tell_all(struct missing *missing, struct walk *walk)
{
	const struct refinement *refinement = missing->answering->refinement;
	struct group_value values[ROW_VALUES_MAX];
	struct row row;
	int r = 0;

	while (r == 0) {
		r = refined_next(walk, refinement, &refinement->period, &row, values);
		if (r == WALK_E_END) {
			return tell_until(missing, slice_of(NULL, 0));
		}
		if (r == 0) {
			r = tell_before(missing, walk, &row);
		}
		if (r == 0 && refinement_admits_row(refinement, &row)) {
			r = missing->visit(missing->owner, row_key_slice(&walk->key), &row);
		}
	}
	return r;
}

/* What a key of the view has of the table's. */
static struct slice table_part(const struct view *table, const struct row_key *key)
{
	struct slice rest = row_key_slice(key);

	for (size_t i = 0; i < table->group_count; i++) {
		if (!row_key_skip(&rest, GROUP_TEXT)) {
			return row_key_slice(key);
		}
	}
	return slice_of(key->bytes, key->size - rest.size);
}

static int renew_walk(void *owner)
{
	return walk_renew(owner);
}

static int open_table(struct missing *missing, struct walk *walk, const struct row_key *begin)
{
	const struct view *table = missing->answering->refinement->join.table;
	int r = table_walk_open(&missing->table, missing->answering->context, table,
		table_part(table, begin), row_key_slice(&walk->to));

	missing->table.renew = renew_walk;
	missing->table.renew_owner = walk;
	return r == 0 ? step(missing) : r;
}

int missing_each(struct answering *answering, const struct row_key *from, const struct row_key *to,
	row_visitor visit, void *owner)
{
	const struct refinement *refinement = answering->refinement;
	struct missing missing = {.answering = answering, .visit = visit, .owner = owner};
	struct row_key begin, end;
	struct walk walk;

	refinement_key_range(refinement, &refinement->period, &begin, &end);
	if (from != NULL) {
		missing.from = *from;
	}
	if (to != NULL) {
		missing.to = *to;
	}
	if (row_key_compare(row_key_slice(&missing.from), row_key_slice(&begin)) > 0) {
		begin = missing.from;
	}
	int r = refined_open_walk(answering, &refinement->period, from, to, &walk);
	if (r == 0) {
		r = open_table(&missing, &walk, &begin);
	}
	if (r == 0) {
		r = tell_all(&missing, &walk);
	}
	table_walk_close(&missing.table);
	walk_close(&walk);
	return r == VISIT_END ? 0 : r;
}

int missing_get(struct answering *answering, const struct row_key *key)
{
	const struct refinement *refinement = answering->refinement;
	const struct view *table = refinement->join.table;
	struct slice table_key = table_part(table, key);
	struct zeros zeros;
	struct row row;

	int r = table_find_row(answering->context, table, table_key, &row);
	if (r != 0) {
		return r == STORE_E_ABSENT ? 0 : r;
	}
	buffer_init(&zeros.longs, ROW_LONGS_SIZE_MAX);
	r = make_zeros(refinement, table_key, &row, &zeros);
	if (r == 0 && slice_begins_with(row_key_slice(&zeros.key), row_key_slice(key))) {
		r = row_list_add(answering, row_key_slice(&zeros.key), &zeros.row);
	}
	buffer_deinit(&zeros.longs);
	return r == MISSING_E_LEFT_OUT ? 0 : r;
}
