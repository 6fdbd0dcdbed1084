/* measure_row.h - a row: its number of events and a cell for each measure; and its value in the store:
 *
 *   8          number of events
 *   fixed      the measures' states (measure.h), in the order of the declaration
 *   2, n       size and bytes of the longs: long group values, whole (row_key.h)
 *   per first() and last(): 2, n   size (0: none yet) and stamp: ts 8, run 8, seq 8, kind 1, size of edge 1, edge,
 *              then the number (16 bytes) or the text
 *   per histogram: 4, n            size and bytes (histogram.h)
 * All little-endian. Pure. */
#pragma once
#include "aggregator/view/view_plan.h"
#include "proto/buffer.h"

struct row {
	uint64_t event_count;
	struct slice longs;
	struct cell cells[VIEW_MEASURES_MAX];
	struct stamp stamps[VIEW_MEASURES_MAX]; /* what the cells of a read row point to */
	struct histogram histograms[VIEW_HISTOGRAMS_MAX];
};

void row_init(const struct view *view, struct row *row);
/* Reads a stored value; slices are borrowed from it. 0 or -EBADMSG. `ret_row` may be half-filled then. */
int row_read(const struct view *view, struct slice value, struct row *ret_row);
/* Adds `event_count` events with these cells, of an overlay. 0 or -EOVERFLOW: then `row` is of no more use. */
int row_merge(const struct view *view, struct row *row, uint64_t event_count,
	const struct cell *cells, struct slice longs);
/* Adds a row that was read or merged; its stamps must live on, its histograms are borrowed as they are. Likewise. */
int row_merge_row(const struct view *view, struct row *row, const struct row *from);
/* Looks the quantiles up and works the ratios out, once all is merged: before that their cells say nothing. */
void row_settle(const struct view *view, struct row *row);
/* Appends the row's value; the buffer's error tells of failure. */
void row_write(const struct view *view, const struct row *row, struct buffer *ret_value);
/* One measure's cell out of a stored value, without reading the rest: not for first, last, quantile and ratio. 0 or -EBADMSG. */
int row_peek(const struct view *view, struct slice value, size_t measure, uint64_t *ret_event_count,
	struct cell *ret_cell);
/* The number of events alone; for the scrub. 0 or -EBADMSG. */
int row_event_count(const struct view *view, struct slice value, uint64_t *ret_count);
