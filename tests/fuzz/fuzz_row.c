/* Any bytes as a row's value, as its key, and as a scan's cursor: refused, or written again as the same bytes. */
#include "aggregator/answer_parts.h"
#include "tests/fuzz/fuzz.h"

static const struct view *sample_view(void)
{
	static const char text[] =
		"kind = order\ngroup_by = product_id, minute(ts), "
		"quantity\nmeasures = n = count(), s = sum(revenue), "
		"m = min(quantity), f = first(channel), l = last(quantity), a = "
		"average(amount), d = distinct(basket), q = quantile(revenue, 0.5), "
		"r = quantile(quantity, 0.95)\n";
	static struct view_set *set;
	char error[512];

	if (set == NULL) {
		fuzz_require(view_set_new(NULL, NULL, &set) == 0);
		fuzz_require(view_set_add_text(set, slice_of_text("v"), slice_of_text(text), error,
				     sizeof error) == 0);
	}
	return view_set_at(set, 0);
}

static void try_value(const struct view *view, struct slice bytes)
{
	struct row row;
	struct buffer again;

	if (row_read(view, bytes, &row) != 0) {
		return;
	}
	/* Min's flag is read as any byte but 0; written it is 1. So the second writing is the fixed point. */
	buffer_init(&again, 1 << 20);
	row_write(view, &row, &again);
	fuzz_require(again.error == 0 && again.size <= bytes.size);
	fuzz_require(row_read(view, buffer_slice(&again), &row) == 0);
	buffer_deinit(&again);
}

static void try_key(const struct view *view, struct slice bytes)
{
	enum group_type types[VIEW_GROUPS_MAX];
	struct group_value values[VIEW_GROUPS_MAX];

	for (size_t i = 0; i < view->group_count; i++) {
		types[i] = group_field_type(&view->groups[i]);
	}
	for (size_t split = 0; split <= bytes.size; split += bytes.size / 16 + 1) {
		row_key_decode(slice_of(bytes.bytes, split),
			slice_of(bytes.bytes + split, bytes.size - split), types, view->group_count,
			values);
	}
}

static void try_cursor(const struct view *view, struct slice bytes)
{
	const struct query query = {.type = QUERY_SCAN};
	const struct answering answering = {.view = view, .query = &query};
	struct scan_position position;

	if (!cursor_read(&answering, bytes, &position)) {
		return;
	}
	char *again = cursor_write(&answering, &position);
	fuzz_require(again != NULL);
	struct scan_position second;
	fuzz_require(cursor_read(&answering, slice_of_text(again), &second));
	fuzz_require(slice_equal(row_key_slice(&position.key), row_key_slice(&second.key)));
	fuzz_require(slice_equal(row_key_slice(&position.to), row_key_slice(&second.to)));
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_copy(data, size);

	try_value(sample_view(), bytes);
	try_key(sample_view(), bytes);
	try_cursor(sample_view(), bytes);
	fuzz_free(bytes);
	return 0;
}
