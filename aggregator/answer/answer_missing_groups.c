/* with_missing of rows that are rolled up: a row of zeros for each group of the joined table's rows that the answer has nothing of, and
 * for each row that was there only in the period before. All is merged, then sorted. */
#include "aggregator/answer/answer_refined.h"
#include <errno.h>

struct merging {
	struct answering *answering;
	struct rollup *rollup;
	struct rollup *told; /* the rows' keys, but for what the table does not tell of them */
	struct buffer longs;
};

static int add(struct merging *merging, struct rollup *rollup, struct slice key, struct slice longs)
{
	struct row zeros;

	row_init(merging->answering->view, &zeros);
	zeros.longs = longs;
	int r = rollup_add(rollup, key, &zeros);
	return r == ROLLUP_E_FULL ? answer_complain_of_size(merging->answering) : r;
}

/* What was there only earlier is now nothing. */
static int add_earlier(struct merging *merging)
{
	const struct rollup *earlier = merging->answering->earlier;
	int r = 0;

	for (size_t i = 0; r == 0 && earlier != NULL && i < rollup_count(earlier); i++) {
		struct slice key = rollup_key_at(earlier, i);
		struct row row;
		if (rollup_find(merging->rollup, key).size > 0) {
			continue;
		}
		r = kept_row_read(merging->answering->view, rollup_value_at(earlier, i), &row);
		if (r == 0) {
			r = add(merging, merging->rollup, key, row.longs);
		}
	}
	return r == 0 ? rollup_sort(merging->rollup) : r;
}

static int note_row(struct merging *merging, size_t index)
{
	const struct refinement *refinement = merging->answering->refinement;
	struct slice key = rollup_key_at(merging->rollup, index);
	struct group_value values[VIEW_GROUPS_MAX];
	struct row_key blank;
	struct row row;

	int r = kept_row_read(refinement->result, rollup_value_at(merging->rollup, index), &row);
	if (r == 0) {
		r = group_values_read(refinement->result, key, &row, values);
	}
	if (r < 0) {
		return r;
	}
	refinement_blank(refinement, values);
	r = result_key_make(refinement->result, values, &blank, &merging->longs);
	return r == 0 ? add(merging, merging->told, row_key_slice(&blank),
				buffer_slice(&merging->longs))
		      : r;
}

static int note_rows(struct merging *merging)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rollup_count(merging->rollup); i++) {
		r = note_row(merging, i);
	}
	return r;
}

/* Rows of the table that are one group of the answer are one row. */
static int add_table_row(struct merging *merging, const struct table_walk *table)
{
	const struct refinement *refinement = merging->answering->refinement;
	struct group_value values[VIEW_GROUPS_MAX];
	struct row_key key;

	int r = refinement_make_zeros(refinement, row_key_slice(&table->key), &table->row, values);
	if (r == 0) {
		r = result_key_make(refinement->result, values, &key, &merging->longs);
	}
	if (r != 0) {
		return r == MISSING_E_LEFT_OUT ? 0 : r;
	}
	return rollup_find(merging->told, row_key_slice(&key)).size > 0
		       ? 0
		       : add(merging, merging->rollup, row_key_slice(&key),
				 buffer_slice(&merging->longs));
}

static int add_table(struct merging *merging)
{
	struct answering *answering = merging->answering;
	struct table_walk table;
	int r = table_walk_open(&table, answering->context, answering->refinement->join.table,
		slice_of(NULL, 0), slice_of(NULL, 0));

	while (r == 0 && (r = table_walk_next(&table)) == 0) {
		r = add_table_row(merging, &table);
	}
	table_walk_close(&table);
	return r == TABLE_WALK_E_END ? rollup_sort(merging->rollup) : r;
}

int missing_merge(struct answering *answering, struct rollup *rollup)
{
	struct merging merging = {.answering = answering, .rollup = rollup};
	int r = rollup_new(answering->view, &merging.told);

	if (r < 0) {
		return r;
	}
	buffer_init(&merging.longs, ROW_LONGS_SIZE_MAX);
	r = add_earlier(&merging);
	if (r == 0) {
		r = note_rows(&merging);
	}
	if (r == 0) {
		r = add_table(&merging);
	}
	buffer_deinit(&merging.longs);
	rollup_free(merging.told);
	return r;
}
