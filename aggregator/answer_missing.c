/* with_missing: rows of the view and, in key order between them, a row of zeros for each row of the joined table that the view has
 * none of, as SQL's LEFT JOIN of the table with the view has it. Its currency is null. */
#include "aggregator/answer_refined.h"

struct missing {
	struct answering *answering;
	row_visitor visit;
	void *owner;
	struct table_walk table;
	bool has_row; /* the table's walk stands at a row that is not told */
};

/* The key of the row of zeros: before all rows of this key in currencies. */
static bool make_key(const struct view *view, struct slice table_key, struct row_key *ret_key)
{
	memcpy(ret_key->bytes, table_key.bytes, table_key.size);
	ret_key->size = table_key.size;
	return !view_ends_in_currency(view) || row_key_append_none(ret_key);
}

static int tell_zeros(struct answering *answering, struct slice table_key,
	const struct row *table_row, row_visitor visit, void *owner)
{
	const struct refinement *refinement = answering->refinement;
	struct group_value values[ROW_VALUES_MAX];
	struct row_key key;
	struct row zeros;

	row_init(refinement->source, &zeros);
	zeros.longs = table_row->longs;
	if (!make_key(refinement->source, table_key, &key)) {
		return 0;
	}
	int r = group_values_read(refinement->source, row_key_slice(&key), &zeros, values);
	if (r < 0) {
		return r;
	}
	join_set_values(&refinement->join, refinement->source, table_row, values);
	return refinement_admits_groups(refinement, values, &refinement->period) &&
			       refinement_admits_row(refinement, &zeros)
		       ? visit(owner, row_key_slice(&key), &zeros)
		       : 0;
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
			r = tell_zeros(missing->answering, table_key, &missing->table.row,
				missing->visit, missing->owner);
		}
		if (r == 0) {
			r = step(missing);
		}
	}
	return r;
}

/* One row of the view. */
static int tell_row(struct missing *missing, struct walk *walk)
{
	const struct refinement *refinement = missing->answering->refinement;
	struct group_value values[ROW_VALUES_MAX];
	struct slice key = row_key_slice(&walk->key);
	struct row row;

	int r = tell_until(missing, key);
	if (r == 0) {
		r = walk_row(walk, &row);
	}
	if (r == 0) {
		r = group_values_read(refinement->source, key, &row, values);
	}
	if (r == 0) {
		r = join_values(walk->context, &refinement->join, refinement->source, values);
	}
	if (r != 0 || !refinement_admits_groups(refinement, values, &refinement->period) ||
		!refinement_admits_row(refinement, &row)) {
		return r;
	}
	return missing->visit(missing->owner, key, &row);
}

static int tell_all(struct missing *missing, struct walk *walk)
{
	int r = 0;

	while (r == 0) {
		r = walk_next(walk);
		if (r == WALK_E_END) {
			return tell_until(missing, slice_of(NULL, 0));
		}
		r = r == 0 ? tell_row(missing, walk) : r;
	}
	return r;
}

static int open_table(struct missing *missing, const struct walk *walk, struct slice from)
{
	int r = table_walk_open(&missing->table, missing->answering->context,
		missing->answering->refinement->join.table, from, row_key_slice(&walk->to));
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
	if (from != NULL && row_key_compare(row_key_slice(from), row_key_slice(&begin)) > 0) {
		begin = *from;
	}
	int r = refined_open_walk(answering, &refinement->period, from, to, &walk);
	if (r == 0) {
		r = open_table(&missing, &walk, row_key_slice(&begin));
	}
	if (r == 0) {
		r = tell_all(&missing, &walk);
	}
	table_walk_close(&missing.table);
	walk_close(&walk);
	return r == VISIT_END ? 0 : r;
}

static int list(void *owner, struct slice key, const struct row *row)
{
	return row_list_add(owner, key, row);
}

int missing_get(struct answering *answering, const struct row_key *key)
{
	struct row row;
	int r = table_find_row(
		answering->context, answering->refinement->join.table, row_key_slice(key), &row);

	if (r != 0) {
		return r == STORE_E_ABSENT ? 0 : r;
	}
	return tell_zeros(answering, row_key_slice(key), &row, list, answering);
}
