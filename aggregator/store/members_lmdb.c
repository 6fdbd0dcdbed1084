/* The members of exact distinct counts: put into the flat set in key order, a page after the other, because members in
 * the order of rows would visit a large set's pages all over again for each row. */
#include "aggregator/store/store_layout.h"
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>

/* A member, and whose it is. */
struct place {
	uint64_t head; /* where it lies, as a number: most comparisons need no more */
	const uint8_t *key;
	uint32_t row; /* in the list of rows */
	uint8_t measure;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	if (left->head != right->head) {
		return left->head < right->head ? -1 : 1;
	}
	return memcmp(left->key, right->key, MEMBER_KEY_SIZE);
}

static size_t count_members(const struct row_list *rows)
{
	size_t count = 0;
	for (size_t i = 0; i < rows->count; i++) {
		count += delta_member_count(rows->items[i]);
	}
	return count;
}

static void list_members(const struct row_list *rows, struct place *places)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct delta *delta = rows->items[i];
		for (size_t j = 0; j < delta_member_count(delta); j++) {
			const uint8_t *key = delta_member_at(delta, j);
			struct unpack head = unpack_of(slice_of(key, MEMBER_PLACE_SIZE));
			*places++ = (struct place){
				.head = unpack_u64(&head),
				.key = key,
				.row = (uint32_t)i,
				.measure = (uint8_t)delta_member_measure(delta, j),
			};
		}
	}
}

/* The sums change with it. */
static void keep_sums(const struct summed_table *table, struct slice key, struct slice sealed,
	struct table_sum *sum)
{
	struct scrub *scrub = &table->store->pending.scrub;

	table_sum_add(sum, sealed);
	if (scrub_has_passed(scrub, table->generation, TABLE_MEMBERS, key)) {
		table_sum_add(&scrub->sum, sealed);
	}
}

/* The work on the members of one view. */
struct putting {
	const struct summed_table *table;
	MDB_cursor *cursor;
	uint32_t view_id;
	struct new_members *members;
};

/* *ret_is_new: it was not there. */
static int put_member(struct putting *putting, const uint8_t *member, bool *ret_is_new)
{
	uint8_t bytes[ROW_KEY_SIZE_MAX], seal[SEAL_SIZE];
	struct slice key;
	if (!row_key_of(putting->view_id, slice_of(member, MEMBER_KEY_SIZE), bytes, &key)) {
		return -EINVAL;
	}
	pack_big_endian(seal, seal_of(key, slice_of(NULL, 0)), SEAL_SIZE);
	MDB_val name = {key.size, bytes}, data = {SEAL_SIZE, seal};
	int rc = mdb_cursor_put(putting->cursor, &name, &data, MDB_NOOVERWRITE);
	if (rc == 0) {
		keep_sums(putting->table, key, slice_of(seal, SEAL_SIZE), &putting->members->sum);
	}
	*ret_is_new = rc == 0;
	return rc == MDB_KEYEXIST ? 0 : store_from_lmdb(rc);
}

static int put_members(struct putting *putting, const struct place *places, size_t count)
{
	const struct summed_table *table = putting->table;

	int r = store_from_lmdb(mdb_cursor_open(
		table->txn, table->generation->tables[TABLE_MEMBERS], &putting->cursor));
	for (size_t i = 0; i < count && r == 0; i++) {
		bool is_new = false;
		r = put_member(putting, places[i].key, &is_new);
		putting->members->counts[places[i].row][places[i].measure] += is_new;
	}
	if (putting->cursor != NULL) {
		mdb_cursor_close(putting->cursor);
	}
	return r;
}

int members_write(const struct summed_table *table, uint32_t view_id, const struct row_list *rows,
	struct new_members *ret_members)
{
	struct new_members members = {.counts = NULL};
	struct putting putting = {.table = table, .view_id = view_id, .members = &members};
	size_t count = count_members(rows);
	int r = 0;

	if (count > 0) {
		struct place *places = malloc(count * sizeof *places);
		members.counts = calloc(rows->count, sizeof *members.counts);
		if (places == NULL || members.counts == NULL) {
			r = -ENOMEM;
		} else {
			list_members(rows, places);
			qsort(places, count, sizeof *places, compare_places);
			r = put_members(&putting, places, count);
		}
		free(places);
	}
	if (r != 0) {
		free(members.counts);
		return r;
	}
	*ret_members = members;
	return 0;
}

void members_deinit(struct new_members *members)
{
	free(members->counts);
	members->counts = NULL;
}

void members_of_row(
	const struct new_members *members, size_t row, uint64_t ret_counts[VIEW_MEASURES_MAX])
{
	for (size_t i = 0; i < VIEW_MEASURES_MAX; i++) {
		ret_counts[i] = members->counts == NULL ? 0 : members->counts[row][i];
	}
}
