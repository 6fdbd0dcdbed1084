#include "aggregator/answer/best.h"
#include "aggregator/view/row_key.h"
#include <errno.h>
#include <stdlib.h>

void best_deinit(struct best *best)
{
	for (size_t i = 0; i < best->count; i++) {
		buffer_deinit(&best->rows[i]->bytes);
		free(best->rows[i]);
	}
	free(best->rows);
}

/* <0 when a comes before b. */
static int compare_ranks(const struct rank *a, const struct rank *b, bool is_ascending)
{
	if (a->is_present != b->is_present) {
		return a->is_present ? -1 : 1;
	}
	if (!a->is_present) {
		return 0;
	}
	int order = a->is_text ? row_key_compare(a->text, b->text)
			       : (a->number > b->number) - (a->number < b->number);
	return is_ascending ? order : -order;
}

static bool is_worse(const struct best *best, const struct rank *ranks, uint64_t number,
	const struct best_row *other)
{
	for (size_t i = 0; i < best->order_count; i++) {
		int order = compare_ranks(&ranks[i], &other->ranks[i], best->is_ascending[i]);
		if (order != 0) {
			return order > 0;
		}
	}
	return number > other->number;
}

static bool row_is_worse(
	const struct best *best, const struct best_row *row, const struct best_row *other)
{
	return is_worse(best, row->ranks, row->number, other);
}

static void swap_rows(struct best *best, size_t i, size_t j)
{
	struct best_row *other = best->rows[i];

	best->rows[i] = best->rows[j];
	best->rows[j] = other;
}

/* Moves a row that may be better than its children down. */
static void sift_down(struct best *best, size_t i, size_t count)
{
	for (;;) {
		size_t worst = i;
		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++) {
			if (row_is_worse(best, best->rows[child], best->rows[worst])) {
				worst = child;
			}
		}
		if (worst == i) {
			return;
		}
		swap_rows(best, i, worst);
		i = worst;
	}
}

static void sift_up(struct best *best, size_t i)
{
	while (i > 0 && row_is_worse(best, best->rows[i], best->rows[(i - 1) / 2])) {
		swap_rows(best, i, (i - 1) / 2);
		i = (i - 1) / 2;
	}
}

void best_sort(struct best *best)
{
	for (size_t count = best->count; count > 1; count--) {
		swap_rows(best, 0, count - 1);
		sift_down(best, 0, count - 1);
	}
}

bool best_wants(struct best *best, const struct rank *ranks)
{
	best->seen++;
	return best->count < best->limit || !is_worse(best, ranks, best->seen, best->rows[0]);
}

static int add_row(struct best *best)
{
	if (best->count == best->capacity) {
		size_t capacity = best->capacity == 0 ? 16 : 2 * best->capacity;
		struct best_row **rows = realloc(best->rows, capacity * sizeof(struct best_row *));
		if (rows == NULL) {
			return -ENOMEM;
		}
		best->rows = rows;
		best->capacity = capacity;
	}
	struct best_row *row = calloc(1, sizeof *row);
	if (row == NULL) {
		return -ENOMEM;
	}
	buffer_init(&row->bytes, BEST_SIZE_MAX);
	best->rows[best->count++] = row;
	return 0;
}

/* Texts end where the row they were read from does: these are the row's own. */
static void keep_ranks(const struct best *best, const struct rank *ranks, struct best_row *row)
{
	size_t at = row->key_size + row->value_size;

	for (size_t i = 0; i < best->order_count; i++) {
		row->ranks[i] = ranks[i];
		if (ranks[i].is_present && ranks[i].is_text) {
			buffer_append(&row->bytes, ranks[i].text.bytes, ranks[i].text.size);
		}
	}
	for (size_t i = 0; row->bytes.error == 0 && i < best->order_count; i++) {
		if (ranks[i].is_present && ranks[i].is_text) {
			row->ranks[i].text = slice_of(row->bytes.bytes + at, ranks[i].text.size);
			at += ranks[i].text.size;
		}
	}
}

int best_keep(struct best *best, const struct rank *ranks, struct slice key, struct slice value)
{
	bool is_full = best->count == best->limit;
	int r = is_full ? 0 : add_row(best);

	if (r < 0) {
		return r;
	}
	struct best_row *row = best->rows[is_full ? 0 : best->count - 1];
	best->size -= row->bytes.size;
	buffer_clear(&row->bytes);
	buffer_append(&row->bytes, key.bytes, key.size);
	buffer_append(&row->bytes, value.bytes, value.size);
	row->number = best->seen;
	row->key_size = key.size;
	row->value_size = value.size;
	keep_ranks(best, ranks, row);
	best->size += row->bytes.size;
	if (row->bytes.error != 0) {
		return row->bytes.error;
	}
	if (is_full) {
		sift_down(best, 0, best->count);
	} else {
		sift_up(best, best->count - 1);
	}
	return best->size > BEST_SIZE_MAX ? BEST_E_FULL : 0;
}

struct slice best_key(const struct best_row *row)
{
	return slice_of(row->bytes.bytes, row->key_size);
}

struct slice best_value(const struct best_row *row)
{
	return slice_of(row->bytes.bytes + row->key_size, row->value_size);
}
