#include "aggregator/store/succession.h"
#include "aggregator/view/measure_row.h"
#include "aggregator/view/row_key.h"
#include <stdlib.h>

struct succession_row {
	struct slice key;
	money number;
	bool is_written;
};

static int compare_keys(const void *a, const void *b)
{
	const struct succession_row *left = a, *right = b;

	return row_key_compare(left->key, right->key);
}

void succession_deinit(struct succession *succession)
{
	leaders_free(succession->after);
	free(succession->rows);
	*succession = (struct succession){.before = succession->before};
}

static void give_up(struct succession *succession)
{
	succession->after = leaders_free(succession->after);
}

void succession_begin(struct succession *succession)
{
	const struct leaders *before = succession->before;

	succession_deinit(succession);
	succession->rows = malloc((before->count + 1) * sizeof *succession->rows);
	if (succession->rows == NULL || leaders_new(before->view_id, before->measure, before->floor,
						before->kept, &succession->after) != 0) {
		return;
	}
	for (size_t i = 0; i < before->count; i++) {
		succession->rows[i] = (struct succession_row){
			.key = leaders_key(before, i), .number = before->rows[i].number};
	}
	qsort(succession->rows, before->count, sizeof *succession->rows, compare_keys);
}

/* A value that the merge has read, or made. */
static money number_of(const struct view *view, struct slice value, size_t measure)
{
	uint64_t event_count = 0;
	struct cell cell = {0};

	if (value.size == 0 || row_peek(view, value, measure, &event_count, &cell) != 0) {
		return 0;
	}
	switch (view->measures[measure].op) {
	case MEASURE_COUNT:
		return (money)event_count;
	case MEASURE_COUNT_SOME:
		return (money)cell.count;
	default:
		return cell.number;
	}
}

/* What leads must be known to lead, with the very number: or something else than commits has changed the store. */
static bool pass(struct succession *succession, struct slice key, money number)
{
	size_t count = succession->before->count;

	while (succession->at < count &&
		row_key_compare(succession->rows[succession->at].key, key) < 0) {
		succession->at++;
	}
	if (succession->at == count) {
		return false;
	}
	struct succession_row *row = &succession->rows[succession->at];
	row->is_written = true;
	return slice_equal(row->key, key) && row->number == number;
}

void succession_write(struct succession *succession, const struct view *view, struct slice key,
	struct slice base, struct slice value)
{
	if (succession->after == NULL) {
		return;
	}
	size_t measure = succession->before->measure;
	money number = number_of(view, base, measure);
	if (number > succession->before->floor && !pass(succession, key, number)) {
		give_up(succession);
		return;
	}
	leaders_add(succession->after, key, number_of(view, value, measure));
}

void succession_end(struct succession *succession)
{
	if (succession->after == NULL) {
		return;
	}
	for (size_t i = 0; i < succession->before->count; i++) {
		const struct succession_row *row = &succession->rows[i];
		if (!row->is_written) {
			leaders_add(succession->after, row->key, row->number);
		}
	}
	if (leaders_finish(succession->after) != 0) {
		give_up(succession);
	}
}
