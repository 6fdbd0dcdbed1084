/* Any bytes as a row's value, as its key, and as a scan's cursor: refused, or written again as the same bytes. */
#include "aggregator/answer/answer_parts.h"
#include "tests/fuzz/sample_view.h"

static const struct view *sample_view(void)
{
	static const char text[] =
		"kind = order\ngroup_by = product_id, minute(ts), "
		"quantity\nmeasures = n = count(), s = sum(revenue), "
		"m = min(quantity), f = first(channel), l = last(quantity), a = "
		"average(amount), d = distinct(basket), q = quantile(revenue, 0.5), "
		"r = quantile(quantity, 0.95)\n";
	static struct view_set *set;

	if (set == NULL) {
		set = fuzz_make_view(text);
	}
	return view_set_at(set, 0);
}

/* What is read without the rest of the row is what the whole row says. */
static void check_peeks(const struct view *view, struct slice bytes)
{
	uint64_t counted = 0, peeked = 0;
	struct cell cell;

	fuzz_require(row_event_count(view, bytes, &counted) == 0);
	for (size_t i = 0; i < view->measure_count; i++) {
		fuzz_require(row_peek(view, bytes, i, &peeked, &cell) == 0 && peeked == counted);
	}
}

static void try_value(const struct view *view, struct slice bytes)
{
	struct row row;
	struct buffer again;
	uint64_t count = 0;

	if (row_read(view, bytes, &row) != 0) {
		fuzz_require(row_event_count(view, slice_of(bytes.bytes, 0), &count) < 0);
		return;
	}
	check_peeks(view, bytes);
	/* Min's flag is read as any byte but 0; written it is 1. So the second writing is the fixed point. */
	buffer_init(&again, 1 << 20);
	row_write(view, &row, &again);
	fuzz_require(again.error == 0 && again.size <= bytes.size);
	fuzz_require(row_read(view, buffer_slice(&again), &row) == 0);
	buffer_deinit(&again);
}

/* Written again; a long text's hash may be any, and so may the empty one be there. */
static void check_key(
	struct slice key, bool is_whole, const struct group_value *values, size_t count)
{
	struct row_key again = {.size = 0};
	bool fits = true;

	for (size_t i = 0; i < count; i++) {
		fits = fits && row_key_append(&again, &values[i]);
	}
	fuzz_require(!fits || !is_whole || slice_equal(row_key_slice(&again), key));
}

/* A whole key ends with its last value. */
static void check_skips(struct slice key, const enum group_type *types, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fuzz_require(row_key_skip(&key, types[i]));
	}
	fuzz_require(key.size == 0);
}

static void try_key(const struct view *view, struct slice bytes)
{
	enum group_type types[VIEW_GROUPS_MAX];
	struct group_value values[VIEW_GROUPS_MAX];

	for (size_t i = 0; i < view->group_count; i++) {
		types[i] = group_field_type(&view->groups[i]);
	}
	/* The first byte says where what is longer than a key holds begins. */
	size_t size = bytes.size == 0 ? 0 : bytes.size - 1;
	size_t split = size == 0 ? 0 : bytes.bytes[0] % (size + 1);
	struct slice key = slice_of(bytes.bytes + 1, split);
	if (size > 0 && row_key_decode(key, slice_of(bytes.bytes + 1 + split, size - split), types,
				view->group_count, values)) {
		check_key(key, split == size, values, view->group_count);
		check_skips(key, types, view->group_count);
	}
}

static void check_cursor(const struct answering *answering, const struct scan_position *position)
{
	char *again = cursor_write(answering, position);
	fuzz_require(again != NULL);
	struct scan_position second;
	fuzz_require(cursor_read(answering, slice_of_text(again), &second));
	fuzz_require(slice_equal(row_key_slice(&position->key), row_key_slice(&second.key)));
	fuzz_require(slice_equal(row_key_slice(&position->to), row_key_slice(&second.to)));
	free(again);
}

/* A cursor of another's, and one of our own with a character changed. */
static void try_cursor(const struct view *view, struct slice bytes)
{
	const struct query query = {.type = QUERY_SCAN};
	const struct answering answering = {.view = view, .query = &query};
	struct scan_position position = {.key = {.size = 0}};
	size_t half = bytes.size / 2;

	if (cursor_read(&answering, bytes, &position)) {
		check_cursor(&answering, &position);
	}
	if (bytes.size < 2 || half > sizeof position.key.bytes) {
		return;
	}
	position.to.size = position.key.size = half;
	memcpy(position.to.bytes, bytes.bytes, half);
	memcpy(position.key.bytes, bytes.bytes + half, half);
	check_cursor(&answering, &position);
	char *changed = cursor_write(&answering, &position);
	fuzz_require(changed != NULL);
	changed[bytes.bytes[0] % strlen(changed)] = (char)bytes.bytes[1];
	if (cursor_read(&answering, slice_of_text(changed), &position)) {
		check_cursor(&answering, &position);
	}
	free(changed);
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
