/* Sums and counts of changed rows, looked at one after the other. */
#include "aggregator/overlay/overlay_table.h"

/* Rows lie where they came, or where their keys sort them: so many are asked of memory before their turn. */
enum { ROWS_AHEAD = 16 };

money delta_number(const struct view *view, size_t measure, const struct delta *delta)
{
	switch (view->measures[measure].op) {
	case MEASURE_COUNT:
		return (int64_t)delta->event_count;
	case MEASURE_COUNT_SOME:
		return (int64_t)delta->cells[measure].count;
	default:
		return delta->cells[measure].number;
	}
}

size_t overlay_next_reaching(const struct overlay *overlay, const struct view *view, size_t measure,
	money least, size_t from)
{
	const struct table *table = overlay_table(overlay, view->id);

	for (size_t i = from; i < table->row_count; i++) {
		if (i + ROWS_AHEAD < table->row_count) {
			const struct delta *ahead = table->places[i + ROWS_AHEAD].delta;
			__builtin_prefetch(ahead);
			__builtin_prefetch(&ahead->cells[measure]);
		}
		if (delta_number(view, measure, table->places[i].delta) >= least) {
			return i;
		}
	}
	return table->row_count;
}

money overlay_greatest(const struct overlay *overlay, const struct view *view, size_t measure)
{
	size_t count = overlay_row_count(overlay, view->id);
	money greatest = 0;
	size_t i = 0;

	/* Each step finds a greater one: few do. */
	while ((i = overlay_next_reaching(overlay, view, measure, greatest + 1, i)) < count) {
		greatest = delta_number(view, measure, overlay_row_at(overlay, view->id, i));
	}
	return greatest;
}
