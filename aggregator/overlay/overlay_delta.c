/* One changed row, read by the commit and by answers. */
#include "aggregator/overlay/overlay_table.h"

struct slice delta_key(const struct delta *delta)
{
	return slice_of(delta->key, delta->key_size);
}

uint64_t delta_event_count(const struct delta *delta)
{
	return delta->event_count;
}

size_t delta_member_count(const struct delta *delta)
{
	return delta->member_count;
}

const uint8_t *delta_member_at(const struct delta *delta, size_t index)
{
	return delta->members[index].key;
}

size_t delta_member_measure(const struct delta *delta, size_t index)
{
	return delta->members[index].measure;
}

void currencies_add(struct currencies *currencies, struct slice key, size_t prefix_size)
{
	const uint8_t *tail = key.bytes + prefix_size;

	if (key.size != prefix_size + CURRENCY_TAIL_SIZE) {
		currencies->is_over = true;
		return;
	}
	for (size_t i = 0; i < currencies->count; i++) {
		if (memcmp(currencies->tails[i], tail, CURRENCY_TAIL_SIZE) == 0) {
			return;
		}
	}
	if (currencies->count == CURRENCIES_MAX) {
		currencies->is_over = true;
		return;
	}
	memcpy(currencies->tails[currencies->count++], tail, CURRENCY_TAIL_SIZE);
}

int row_merge_delta(const struct view *view, struct row *row, const struct delta *delta,
	const uint64_t new_members[VIEW_MEASURES_MAX])
{
	struct cell cells[VIEW_MEASURES_MAX];

	memcpy(cells, delta->cells, view->measure_count * sizeof cells[0]);
	for (size_t i = 0; i < view->measure_count; i++) {
		if (view->measures[i].op == MEASURE_DISTINCT) {
			cells[i].count = new_members[i];
		}
	}
	return row_merge(view, row, delta->event_count, cells, delta_longs(delta));
}

int delta_merge(const struct view *view, struct slice base, const struct delta *delta,
	const uint64_t new_members[VIEW_MEASURES_MAX], struct buffer *ret_value)
{
	struct row row;
	int r = 0;

	row_init(view, &row);
	if (base.size > 0) {
		r = row_read(view, base, &row);
	}
	if (r == 0) {
		r = row_merge_delta(view, &row, delta, new_members);
	}
	if (r == 0) {
		row_write(view, &row, ret_value);
		r = ret_value->error;
	}
	return r;
}
