#include "aggregator/view/measure_row.h"
#include "aggregator/view/ratio.h"
#include <errno.h>

enum {
	HEAD_SIZE = 8,
	SIZE_SIZE = 2,
	HISTOGRAM_HEAD_SIZE = 4,
	STAMP_HEAD_SIZE = 26,
	NUMBER_SIZE = 16
};

void row_init(const struct view *view, struct row *row)
{
	row->event_count = 0;
	row->longs = slice_of(NULL, 0);
	for (size_t i = 0; i < view->histogram_count; i++) {
		row->histograms[i].part_count = 0;
	}
	memset(row->cells, 0, view->measure_count * sizeof row->cells[0]);
}

/* Cuts a run of bytes with its size in front. */
static bool take_sized(struct slice *rest, struct slice *ret_bytes)
{
	if (rest->size < SIZE_SIZE) {
		return false;
	}
	size_t size = (size_t)(rest->bytes[0] | rest->bytes[1] << 8);
	if (rest->size - SIZE_SIZE < size) {
		return false;
	}
	*ret_bytes = slice_of(rest->bytes + SIZE_SIZE, size);
	*rest = slice_of(rest->bytes + SIZE_SIZE + size, rest->size - SIZE_SIZE - size);
	return true;
}

static bool holds_text(const struct measure *measure)
{
	return operand_type_of(measure->operand) == TYPE_TEXT;
}

static bool read_stamp(
	const struct measure *measure, struct slice bytes, struct stamp *stamp, struct cell *cell)
{
	if (bytes.size < STAMP_HEAD_SIZE || bytes.size - STAMP_HEAD_SIZE < bytes.bytes[25]) {
		return false;
	}
	size_t edge_size = bytes.bytes[25];
	const uint8_t *end = bytes.bytes + STAMP_HEAD_SIZE + edge_size;
	size_t left = bytes.size - STAMP_HEAD_SIZE - edge_size;

	if (bytes.bytes[24] >= KIND_COUNT || (!holds_text(measure) && left != NUMBER_SIZE)) {
		return false;
	}
	*stamp = (struct stamp){
		.ts_ms = (int64_t)load_u64(bytes.bytes),
		.certificate.run = load_u64(bytes.bytes + 8),
		.certificate.seq = load_u64(bytes.bytes + 16),
		.certificate.kind = (enum kind)bytes.bytes[24],
		.certificate.edge = slice_of(bytes.bytes + STAMP_HEAD_SIZE, edge_size),
	};
	*cell = (struct cell){.count = 1, .stamp = stamp};
	if (holds_text(measure)) {
		stamp->text = slice_of(end, left);
	} else {
		cell->number = load_money(end);
	}
	return true;
}

static bool read_stamps(const struct view *view, struct slice *rest, struct row *row)
{
	for (size_t i = 0; i < view->measure_count; i++) {
		struct slice bytes;
		if (!measure_is_stamped(&view->measures[i])) {
			continue;
		}
		if (!take_sized(rest, &bytes)) {
			return false;
		}
		if (bytes.size > 0 &&
			!read_stamp(&view->measures[i], bytes, &row->stamps[i], &row->cells[i])) {
			return false;
		}
	}
	return true;
}

static bool read_histogram(struct slice *rest, struct histogram *histogram, uint64_t *ret_count)
{
	if (rest->size < HISTOGRAM_HEAD_SIZE) {
		return false;
	}
	struct slice left =
		slice_of(rest->bytes + HISTOGRAM_HEAD_SIZE, rest->size - HISTOGRAM_HEAD_SIZE);
	size_t size = 0;
	for (size_t i = HISTOGRAM_HEAD_SIZE; i-- > 0;) {
		size = size << 8 | rest->bytes[i];
	}
	if (size > left.size || !histogram_check(slice_of(left.bytes, size), ret_count)) {
		return false;
	}
	*rest = slice_of(left.bytes + size, left.size - size);
	histogram->part_count = 0;
	histogram_add(histogram, (struct histogram_part){.encoded = slice_of(left.bytes, size)});
	return true;
}

static bool read_histograms(const struct view *view, struct slice *rest, struct row *row)
{
	for (size_t i = 0; i < view->histogram_count; i++) {
		struct cell *cell = &row->cells[view->histogram_owners[i]];
		if (!read_histogram(rest, &row->histograms[i], &cell->count)) {
			return false;
		}
	}
	return true;
}

int row_read(const struct view *view, struct slice value, struct row *ret_row)
{
	size_t fixed_size = HEAD_SIZE + view->row_fixed_size;

	if (value.size < fixed_size) {
		return -EBADMSG;
	}
	ret_row->event_count = load_u64(value.bytes);
	for (size_t i = 0; i < view->measure_count; i++) {
		cell_read(&view->measures[i], value.bytes + view->measures[i].offset,
			&ret_row->cells[i]);
	}
	struct slice rest = slice_of(value.bytes + fixed_size, value.size - fixed_size);
	bool ok = take_sized(&rest, &ret_row->longs) && read_stamps(view, &rest, ret_row) &&
		  read_histograms(view, &rest, ret_row);
	return ok && rest.size == 0 ? 0 : -EBADMSG;
}

static int merge_cells(const struct view *view, struct row *row, uint64_t event_count,
	const struct cell *cells, struct slice longs)
{
	for (size_t i = 0; i < view->measure_count; i++) {
		if (!cell_merge(&view->measures[i], &row->cells[i], &cells[i])) {
			return -EOVERFLOW;
		}
	}
	row->event_count += event_count;
	if (row->longs.size == 0) {
		row->longs =
			longs; /* the same for every event of a row: the key holds their hash */
	}
	return 0;
}

int row_merge(const struct view *view, struct row *row, uint64_t event_count,
	const struct cell *cells, struct slice longs)
{
	for (size_t i = 0; i < view->histogram_count; i++) {
		const struct bins *bins = cells[view->histogram_owners[i]].bins;
		if (bins != NULL && !histogram_add(&row->histograms[i],
					    (struct histogram_part){.bins = bins})) {
			return -EOVERFLOW;
		}
	}
	return merge_cells(view, row, event_count, cells, longs);
}

int row_merge_row(const struct view *view, struct row *row, const struct row *from)
{
	for (size_t i = 0; i < view->histogram_count; i++) {
		const struct histogram *histogram = &from->histograms[i];
		for (size_t j = 0; j < histogram->part_count; j++) {
			if (!histogram_add(&row->histograms[i], histogram->parts[j])) {
				return -EOVERFLOW;
			}
		}
	}
	return merge_cells(view, row, from->event_count, from->cells, from->longs);
}

static void settle_quantiles(const struct view *view, struct row *row)
{
	for (size_t i = 0; view->histogram_count > 0 && i < view->measure_count; i++) {
		const struct measure *measure = &view->measures[i];
		if (measure->op != MEASURE_QUANTILE) {
			continue;
		}
		struct cell *cell = &row->cells[i];
		cell->count = row->cells[view->histogram_owners[measure->histogram]].count;
		if (cell->count > 0) {
			cell->number = histogram_quantile(&row->histograms[measure->histogram],
				cell->count, measure->millionths);
		}
	}
}

static void settle_ratios(const struct view *view, struct row *row)
{
	for (size_t i = 0; view->has_ratios && i < view->measure_count; i++) {
		const struct measure *measure = &view->measures[i];
		if (measure->op == MEASURE_RATIO) {
			struct cell *cell = &row->cells[i];
			cell->count = ratio_of_row(view, row, measure, &cell->number);
		}
	}
}

void row_settle(const struct view *view, struct row *row)
{
	settle_quantiles(view, row);
	settle_ratios(view, row);
}

static void write_histogram(const struct histogram *histogram, struct buffer *value)
{
	size_t place = value->size;

	if (buffer_extend(value, HISTOGRAM_HEAD_SIZE) == NULL) {
		return;
	}
	histogram_write(histogram, value);
	size_t size = value->size - place - HISTOGRAM_HEAD_SIZE;
	for (size_t i = 0; value->error == 0 && i < HISTOGRAM_HEAD_SIZE; i++) {
		value->bytes[place + i] = (uint8_t)(size >> 8 * i);
	}
}

static void write_sized(struct buffer *value, struct slice bytes)
{
	buffer_append_byte(value, (uint8_t)bytes.size);
	buffer_append_byte(value, (uint8_t)(bytes.size >> 8));
	if (bytes.size > 0) {
		buffer_append(value, bytes.bytes, bytes.size);
	}
}

static void write_stamp(
	const struct measure *measure, const struct cell *cell, struct buffer *value)
{
	const struct stamp *stamp = cell->stamp;
	uint8_t bytes[STAMP_HEAD_SIZE + UINT8_MAX + TEXT_SIZE_MAX];
	size_t size = STAMP_HEAD_SIZE;

	store_u64(bytes, (uint64_t)stamp->ts_ms);
	store_u64(bytes + 8, stamp->certificate.run);
	store_u64(bytes + 16, stamp->certificate.seq);
	bytes[24] = (uint8_t)stamp->certificate.kind;
	bytes[25] = (uint8_t)stamp->certificate.edge.size;
	memcpy(bytes + size, stamp->certificate.edge.bytes, bytes[25]);
	size += bytes[25];
	if (holds_text(measure)) {
		size_t text_size =
			stamp->text.size < TEXT_SIZE_MAX ? stamp->text.size : TEXT_SIZE_MAX;
		memcpy(bytes + size, stamp->text.bytes, text_size);
		size += text_size;
	} else {
		store_money(bytes + size, cell->number);
		size += NUMBER_SIZE;
	}
	write_sized(value, slice_of(bytes, size));
}

void row_write(const struct view *view, const struct row *row, struct buffer *ret_value)
{
	size_t fixed_size = HEAD_SIZE + view->row_fixed_size;
	uint8_t *fixed = buffer_extend(ret_value, fixed_size);

	if (fixed == NULL) {
		return;
	}
	store_u64(fixed, row->event_count);
	for (size_t i = 0; i < view->measure_count; i++) {
		cell_write(&view->measures[i], &row->cells[i], fixed + view->measures[i].offset);
	}
	write_sized(ret_value, row->longs);
	for (size_t i = 0; i < view->measure_count; i++) {
		if (!measure_is_stamped(&view->measures[i])) {
			continue;
		}
		if (row->cells[i].count > 0) {
			write_stamp(&view->measures[i], &row->cells[i], ret_value);
		} else {
			write_sized(ret_value, slice_of(NULL, 0));
		}
	}
	for (size_t i = 0; i < view->histogram_count; i++) {
		write_histogram(&row->histograms[i], ret_value);
	}
}

int row_peek(const struct view *view, struct slice value, size_t measure, uint64_t *ret_event_count,
	struct cell *ret_cell)
{
	if (value.size < HEAD_SIZE + view->row_fixed_size) {
		return -EBADMSG;
	}
	*ret_event_count = load_u64(value.bytes);
	cell_read(&view->measures[measure], value.bytes + view->measures[measure].offset, ret_cell);
	return 0;
}

int row_event_count(const struct view *view, struct slice value, uint64_t *ret_count)
{
	if (value.size < HEAD_SIZE + view->row_fixed_size) {
		return -EBADMSG;
	}
	*ret_count = load_u64(value.bytes);
	return 0;
}
