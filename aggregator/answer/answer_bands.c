/* bands: how many rows of a view have how much of a measure. Amounts of each currency have bands of their own. */
#include "aggregator/answer/answer_refined.h"
#include <errno.h>
#include <stdlib.h>

enum {
	/* ISO 4217 has fewer; each has its own bands. */
	CURRENCIES_MAX = 256,
};

struct band {
	uint64_t row_count;
	money sum;
};

/* The bands of one currency, or of rows that have none. Band i lies between inner edges i - 1 and i. */
struct band_set {
	char currency[ROW_TEXT_SHORT_MAX];
	size_t currency_size;
	money least, greatest; /* of the rows' numbers */
	uint64_t row_count;
	money sum;
	size_t edge_count;
	money edges[QUERY_EDGES_MAX];
	struct band bands[QUERY_EDGES_MAX + 1];
};

struct banding {
	struct answering *answering;
	size_t measure;
	int currency_group; /* -1: the rows have no currency */
	money unit; /* of the measure's numbers, in those of edges */
	struct band_set **sets; /* owned; by currency */
	size_t set_count;
};

/* ---- sets */

static int compare_sets(const struct band_set *set, struct slice currency)
{
	return row_key_compare(slice_of(set->currency, set->currency_size), currency);
}

static int complain_of_currencies(struct answering *answering)
{
	complaint_set(&answering->complaint, REASON_TOO_LARGE, "",
		"rows of more than %d currencies; name some by \"where\"", CURRENCIES_MAX);
	return REASON_TOO_LARGE;
}

static int insert_set(struct banding *banding, size_t at, struct slice currency)
{
	if (banding->set_count == CURRENCIES_MAX || currency.size > ROW_TEXT_SHORT_MAX) {
		return complain_of_currencies(banding->answering);
	}
	struct band_set **sets =
		realloc(banding->sets, (banding->set_count + 1) * sizeof(struct band_set *));
	if (sets == NULL) {
		return -ENOMEM;
	}
	banding->sets = sets;
	struct band_set *set = calloc(1, sizeof *set);
	if (set == NULL) {
		return -ENOMEM;
	}
	if (currency.size > 0) {
		memcpy(set->currency, currency.bytes, currency.size);
	}
	set->currency_size = currency.size;
	memmove(&sets[at + 1], &sets[at], (banding->set_count - at) * sizeof(struct band_set *));
	sets[at] = set;
	banding->set_count++;
	return 0;
}

/* The set of this currency, made where there is none. */
static int find_set(struct banding *banding, struct slice currency, struct band_set **ret_set)
{
	size_t at = 0;

	while (at < banding->set_count && compare_sets(banding->sets[at], currency) < 0) {
		at++;
	}
	if (at == banding->set_count || compare_sets(banding->sets[at], currency) != 0) {
		int r = insert_set(banding, at, currency);
		if (r != 0) {
			return r;
		}
	}
	*ret_set = banding->sets[at];
	return 0;
}

/* ---- rows */

static int read_row(struct banding *banding, struct slice key, const struct row *row,
	struct band_set **ret_set, money *ret_number)
{
	const struct view *view = banding->answering->view;
	struct group_value values[VIEW_GROUPS_MAX];
	struct slice currency = slice_of(NULL, 0);

	int r = group_values_read(view, key, row, values);
	if (r == 0) {
		measure_rank(&view->measures[banding->measure], row->event_count,
			&row->cells[banding->measure], ret_number);
		currency = banding->currency_group < 0 ? currency
						       : values[banding->currency_group].text;
		r = find_set(banding, currency, ret_set);
	}
	return r;
}

/* The first walk of equal widths: from where to where they go. */
static int measure_row(void *owner, struct slice key, const struct row *row)
{
	struct banding *banding = owner;
	struct band_set *set;
	money number = 0;

	int r = read_row(banding, key, row, &set, &number);
	if (r != 0) {
		return r;
	}
	set->least = set->row_count == 0 || number < set->least ? number : set->least;
	set->greatest = set->row_count == 0 || number > set->greatest ? number : set->greatest;
	set->row_count++;
	return 0;
}

/* How many edges lie at or below the number. */
static size_t band_of(const struct band_set *set, money number)
{
	size_t low = 0, high = set->edge_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (set->edges[middle] <= number) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static int count_row(void *owner, struct slice key, const struct row *row)
{
	struct banding *banding = owner;
	struct band_set *set;
	money number = 0;

	int r = read_row(banding, key, row, &set, &number);
	if (r != 0) {
		return r;
	}
	if (set->edge_count == 0 && banding->answering->query->edge_count > 0) {
		set->edge_count = banding->answering->query->edge_count;
		for (size_t i = 0; i < set->edge_count; i++) {
			set->edges[i] = banding->answering->query->edges[i] / banding->unit;
		}
	}
	struct band *band = &set->bands[band_of(set, number)];
	band->row_count++;
	set->row_count++;
	return money_add(&band->sum, number) && money_add(&set->sum, number) ? 0 : -EOVERFLOW;
}

/* Equal widths, but for what a whole number of the smallest unit leaves; no two edges alike. */
static int part_evenly(struct band_set *set, uint32_t count)
{
	money width, at;

	set->row_count = 0;
	if (__builtin_sub_overflow(set->greatest, set->least, &width)) {
		return -EOVERFLOW;
	}
	for (uint32_t i = 1; i < count; i++) {
		if (__builtin_mul_overflow(width, (money)i, &at)) {
			return -EOVERFLOW;
		}
		at = set->least + at / (money)count;
		money before = set->edge_count == 0 ? set->least : set->edges[set->edge_count - 1];
		if (at > before) {
			set->edges[set->edge_count++] = at;
		}
	}
	return 0;
}

static int part_all_evenly(struct banding *banding, uint32_t count)
{
	int r = refined_each(banding->answering, NULL, NULL, measure_row, banding);

	for (size_t i = 0; r == 0 && i < banding->set_count; i++) {
		r = part_evenly(banding->sets[i], count);
	}
	return r;
}

/* ---- answer */

static void write_number(const struct banding *banding, struct writer *writer, money number)
{
	if (banding->unit == 1) {
		write_money(writer, number);
	} else {
		integer_write(writer, number);
	}
}

/* Open ends of given edges; of equal widths the least and the greatest number. */
static void write_bounds(const struct banding *banding, const struct band_set *set, size_t index,
	struct writer *writer)
{
	bool is_open = banding->answering->query->edge_count > 0;

	write_key(writer, "from");
	if (index > 0) {
		write_number(banding, writer, set->edges[index - 1]);
	} else if (is_open) {
		write_nil(writer);
	} else {
		write_number(banding, writer, set->least);
	}
	write_key(writer, "to");
	if (index < set->edge_count) {
		write_number(banding, writer, set->edges[index]);
	} else if (is_open) {
		write_nil(writer);
	} else {
		write_number(banding, writer, set->greatest);
	}
}

static int write_band(struct banding *banding, const struct band_set *set, size_t index)
{
	struct answering *answering = banding->answering;
	const struct band *band = &set->bands[index];
	size_t begin = answering->rows.bytes.size;
	bool adds_up = measure_adds_up(&answering->view->measures[banding->measure]);
	struct writer writer;

	writer_init(&writer, answering->query->encoding, &answering->rows.bytes);
	write_map(&writer, banding->currency_group < 0 ? 6 : 7);
	if (banding->currency_group >= 0) {
		write_key(&writer, "currency");
		if (set->currency_size > 0) {
			write_text(&writer, slice_of(set->currency, set->currency_size));
		} else {
			write_nil(&writer); /* rows of zeros */
		}
	}
	write_bounds(banding, set, index, &writer);
	write_key(&writer, "rows");
	write_unsigned(&writer, band->row_count);
	write_key(&writer, "row_share");
	share_write(&writer, (money)band->row_count, (money)set->row_count);
	write_key(&writer, "sum");
	if (adds_up) {
		write_number(banding, &writer, band->sum);
	} else {
		write_nil(&writer);
	}
	write_key(&writer, "share");
	share_write(&writer, band->sum, adds_up ? set->sum : 0);
	return row_list_end(answering, begin);
}

static int write_bands(struct banding *banding)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < banding->set_count; i++) {
		const struct band_set *set = banding->sets[i];
		for (size_t j = 0; r == 0 && j <= set->edge_count; j++) {
			r = write_band(banding, set, j);
		}
	}
	return r;
}

/* A number that every row has, so that every row is in a band. */
static int check_measure(struct banding *banding)
{
	struct answering *answering = banding->answering;
	const struct view *view = answering->view;
	const struct measure *measure = &view->measures[banding->measure];

	if (!measure_adds_up(measure) && measure->op != MEASURE_DISTINCT) {
		complaint_set(&answering->complaint, REASON_BAD_REQUEST, "by",
			"%s of view %s is %s(), which a row may lack: bands are of a sum(), a "
			"count() or a distinct()",
			measure->name, view->name, measure_op_name(measure->op));
		return REASON_BAD_REQUEST;
	}
	bool is_money = strcmp(measure_type_name(measure), "money") == 0;
	banding->unit = is_money ? 1 : MONEY_MICROS_PER_UNIT;
	banding->currency_group = is_money ? view_currency_group(view) : -1;
	for (uint32_t i = 0; i < answering->query->edge_count; i++) {
		if (answering->query->edges[i] % banding->unit != 0) {
			complaint_set(&answering->complaint, REASON_BAD_REQUEST, "edges",
				"%s of view %s is a whole number, and so are its edges",
				measure->name, view->name);
			return REASON_BAD_REQUEST;
		}
	}
	return 0;
}

int answer_bands(struct answering *answering)
{
	struct banding banding = {.answering = answering};
	const struct query *query = answering->query;

	int r = top_find_measure(answering, &banding.measure);
	if (r == 0) {
		r = check_measure(&banding);
	}
	if (r == 0 && query->band_count > 0) {
		r = part_all_evenly(&banding, query->band_count);
	}
	if (r == 0) {
		r = refined_each(answering, NULL, NULL, count_row, &banding);
	}
	if (r == 0) {
		r = write_bands(&banding);
	}
	for (size_t i = 0; i < banding.set_count; i++) {
		free(banding.sets[i]);
	}
	free(banding.sets);
	return r;
}
