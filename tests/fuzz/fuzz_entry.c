/* Any bytes as what a shard keeps by key beside rows of views: an open basket, a row of a source whose rows change, a row of a
 * table. Refused, or within its limits and written again to what means the same. The first byte says as which. */
#include "aggregator/store/basket.h"
#include "aggregator/store/changed_row.h"
#include "aggregator/store/table_row.h"
#include "tests/fuzz/sample_view.h"
#include <errno.h>

enum { ENTRY_SIZE_MAX = 1 << 20 };

/* ---- baskets */

static void check_events(const struct basket *basket, struct slice bytes)
{
	static const uint8_t key[] = "bo12345678uk\0o1";
	struct event event;

	fuzz_require(basket->sum_count <= BASKET_CURRENCIES_MAX);
	for (size_t i = 0; i < basket->sum_count; i++) {
		fuzz_require(basket_event(basket, i, slice_of(key, sizeof key - 1), &event));
		fuzz_require(slice_equals_text(event.text[FIELD_ORDER_ID], "o1"));
		fuzz_require(event.basket_amount == basket->sums[i].amount);
		fuzz_require(!basket_event(basket, i, slice_of(key, 10), &event));
		/* Any bytes as a key: none, or with an edge and an order. */
		if (basket_event(basket, i, bytes, &event)) {
			fuzz_require(event.text[FIELD_ORDER_ID].size < bytes.size);
		}
	}
}

static void try_basket(struct slice bytes)
{
	struct basket basket, again;
	struct buffer first, second;

	if (!basket_decode(bytes, &basket)) {
		return;
	}
	check_events(&basket, bytes);
	buffer_init(&first, ENTRY_SIZE_MAX);
	buffer_init(&second, ENTRY_SIZE_MAX);
	basket_encode(&basket, &first);
	fuzz_require(first.error == 0 && basket_decode(buffer_slice(&first), &again));
	basket_encode(&again, &second);
	fuzz_require(slice_equal(buffer_slice(&first), buffer_slice(&second)));
	buffer_deinit(&first);
	buffer_deinit(&second);
}

/* ---- changed rows */

static void try_changed_row(struct slice bytes)
{
	struct slice source = slice_of_text("shop");
	struct changed_row row, again;
	struct buffer buffer;

	if (!changed_row_decode(bytes, source, &row)) {
		return;
	}
	if (row.state == CHANGED_ROW_COUNTED) {
		fuzz_require(slice_equal(row.event.certificate.edge, source));
		for (int field = 0; field < FIELD_COUNT; field++) {
			fuzz_require(row.event.text[field].size <= TEXT_SIZE_MAX);
		}
	}
	buffer_init(&buffer, ENTRY_SIZE_MAX);
	changed_row_encode(&row, &buffer);
	fuzz_require(buffer.error == 0);
	fuzz_require(changed_row_decode(buffer_slice(&buffer), source, &again));
	fuzz_require(changed_row_counts_as(&row, &again));
	fuzz_require(again.position.offset == row.position.offset);
	buffer_deinit(&buffer);
}

/* ---- rows of tables */

static const struct view *sample_table(void)
{
	static char key[] = "user_id", columns[] = "name, credit money, since time, visits integer";
	static const struct table_declaration declaration = {"users", key, columns};
	static struct view_set *set;

	if (set == NULL) {
		set = fuzz_make_table(&declaration);
	}
	return view_set_at(set, 0);
}

static void check_columns(const struct view *table, const struct row *a, const struct row *b)
{
	fuzz_require(slice_equal(a->longs, b->longs));
	for (size_t i = 0; i < table->measure_count; i++) {
		const struct cell *one = &a->cells[i], *other = &b->cells[i];
		fuzz_require(one->count == other->count && one->number == other->number);
		if (one->count > 0) {
			fuzz_require(slice_equal(one->stamp->text, other->stamp->text));
		}
	}
}

/* Written and read again it stands where it stood; beside another it stands somewhere. */
static void check_stands(const struct table_row *row, const struct table_row *again)
{
	const struct table_stand other = {.is_of_database = row->stand.is_of_database,
		.topic = 7,
		.position.database = row->stand.position.database};
	struct table_stand next = table_stand_follow(&row->stand, &other);

	fuzz_require(table_stand_order(&row->stand, &again->stand) ==
		     table_stand_order(&row->stand, &row->stand));
	fuzz_require(table_stand_order(&row->stand, &other) <= CHANGE_UNORDERED);
	fuzz_require(next.is_of_database == other.is_of_database);
}

static void try_table_row(struct slice bytes)
{
	const struct view *table = sample_table();
	struct table_row row, again;
	struct row columns, columns_again;
	struct buffer buffer;

	int r = table_row_read(table, bytes, &row, &columns);
	fuzz_require(r == 0 || r == -EBADMSG);
	if (r != 0) {
		return;
	}
	buffer_init(&buffer, ENTRY_SIZE_MAX);
	table_row_write(table, &row, &columns, &buffer);
	fuzz_require(buffer.error == 0);
	fuzz_require(table_row_read(table, buffer_slice(&buffer), &again, &columns_again) == 0);
	fuzz_require(again.is_there == row.is_there && slice_equal(again.user, row.user));
	check_stands(&row, &again);
	if (row.is_there) {
		check_columns(table, &columns, &columns_again);
	}
	/* Without its columns. */
	fuzz_require(table_row_read(NULL, bytes, &again, NULL) == 0);
	buffer_deinit(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct slice bytes) = {
		try_basket, try_changed_row, try_table_row};

	if (size > 0) {
		struct slice bytes = fuzz_copy(data + 1, size - 1);
		tries[data[0] % (sizeof tries / sizeof tries[0])](bytes);
		fuzz_free(bytes);
	}
	return 0;
}
