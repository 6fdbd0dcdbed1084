/* A store's sums in its transactions: rows are put and deleted with them; they are read, written, and made where an older store
 * has none. */
#include "aggregator/store/store_layout.h"
#include <lmdb.h>

enum { SUMS_SIZE_MAX = 1024, SUMMARY_SIZE_MAX = 128 * 1024, OLD_SUM_SIZE = 16 };

static const struct slice name_of_sums = {(const uint8_t *)"sums", 4};

static struct slice slice_of_val(MDB_val value)
{
	return slice_of(value.mv_data, value.mv_size);
}

/* ---- rows */

static unsigned dbi_of(const struct summed_table *table)
{
	return table->generation == NULL ? table->store->meta
					 : table->generation->tables[table->table];
}

static struct table_sum *sum_of(const struct summed_table *table)
{
	struct store_sums *sums = &table->store->pending.sums;

	return table->generation == NULL
		       ? &sums->meta
		       : &store_sums_find(sums, table->generation->number)->tables[table->table];
}

/* The walk's sum, where it has seen the row; else NULL. */
static struct table_sum *passed_sum(const struct summed_table *table, struct slice key)
{
	struct scrub *scrub = &table->store->pending.scrub;

	return scrub_has_passed(scrub, table->generation, table->table, key) ? &scrub->sum : NULL;
}

static void add(const struct summed_table *table, struct slice key, struct slice sealed)
{
	struct table_sum *passed = passed_sum(table, key);

	table_sum_add(sum_of(table), sealed);
	if (passed != NULL) {
		table_sum_add(passed, sealed);
	}
}

static void subtract(const struct summed_table *table, struct slice key, struct slice sealed)
{
	struct table_sum *passed = passed_sum(table, key);

	table_sum_subtract(sum_of(table), sealed);
	if (passed != NULL) {
		table_sum_subtract(passed, sealed);
	}
}

int summed_put_at(const struct summed_table *table, struct MDB_cursor *cursor, struct slice key,
	struct slice value)
{
	MDB_val name = {key.size, (void *)key.bytes};
	MDB_val data = {value.size + SEAL_SIZE, NULL};

	int rc = mdb_cursor_put(cursor, &name, &data, MDB_RESERVE | MDB_NOOVERWRITE);
	if (rc == MDB_KEYEXIST) { /* the cursor stands there */
		subtract(table, key, slice_of_val(data));
		data = (MDB_val){value.size + SEAL_SIZE, NULL};
		rc = mdb_cursor_put(cursor, &name, &data, MDB_RESERVE | MDB_CURRENT);
	}
	if (rc != 0) {
		return store_from_lmdb(rc);
	}
	seal_write(key, value, data.mv_data);
	add(table, key, slice_of_val(data));
	return 0;
}

int summed_delete_at(const struct summed_table *table, struct MDB_cursor *cursor, struct slice key)
{
	MDB_val name = {key.size, (void *)key.bytes}, data;

	int r = store_from_lmdb(mdb_cursor_get(cursor, &name, &data, MDB_SET));
	if (r != 0) {
		return r == STORE_E_ABSENT ? 0 : r;
	}
	subtract(table, key, slice_of_val(data));
	return store_from_lmdb(mdb_cursor_del(cursor, 0));
}

int summed_cursor_open(const struct summed_table *table, struct MDB_cursor **ret_cursor)
{
	return store_from_lmdb(mdb_cursor_open(table->txn, dbi_of(table), ret_cursor));
}

int summed_put(const struct summed_table *table, struct slice key, struct slice value)
{
	MDB_cursor *cursor = NULL;

	int r = summed_cursor_open(table, &cursor);
	if (r == 0) {
		r = summed_put_at(table, cursor, key, value);
		mdb_cursor_close(cursor);
	}
	return r;
}

int summed_delete(const struct summed_table *table, struct slice key)
{
	MDB_cursor *cursor = NULL;

	int r = summed_cursor_open(table, &cursor);
	if (r == 0) {
		r = summed_delete_at(table, cursor, key);
		mdb_cursor_close(cursor);
	}
	return r;
}

/* ---- all rows of a table */

typedef int (*see_fn)(void *owner, struct slice key, struct slice sealed);

static int walk(MDB_txn *txn, unsigned dbi, see_fn see, void *owner)
{
	MDB_cursor *cursor = NULL;
	MDB_val key, data;

	int r = store_from_lmdb(mdb_cursor_open(txn, dbi, &cursor));
	while (r == 0) {
		r = store_from_lmdb(mdb_cursor_get(cursor, &key, &data, MDB_NEXT));
		if (r == 0) {
			r = see(owner, slice_of_val(key), slice_of_val(data));
		}
	}
	if (cursor != NULL) {
		mdb_cursor_close(cursor);
	}
	return r == STORE_E_ABSENT ? 0 : r;
}

static int see_sealed(void *owner, struct slice key, struct slice sealed)
{
	struct slice value;

	table_sum_add(owner, sealed);
	return seal_open(key, sealed, &value) ? 0 : STORE_E_CORRUPT;
}

/* A damaged record of the quarantine keeps nobody from anything. */
static int see_any(void *owner, struct slice key, struct slice sealed)
{
	(void)key;
	table_sum_add(owner, sealed);
	return 0;
}

static int find_sum(MDB_txn *txn, unsigned dbi, enum store_table table, struct table_sum *ret_sum)
{
	struct table_sum sum = {0};

	int r = walk(txn, dbi, table == TABLE_QUARANTINE ? see_any : see_sealed, &sum);
	if (r == 0) {
		*ret_sum = sum;
	}
	return r;
}

/* ---- read and written */

static int decode_sums(struct store *store, struct MDB_txn *txn, struct store_sums *sums)
{
	const struct store_root *root = &store->root;
	struct slice value;

	int r = sealed_get(txn, TABLE_OF_NAMES, name_of_sums, &value);
	if (r != 0 || !store_sums_decode(value, sums)) {
		return r < 0 ? r : STORE_E_CORRUPT;
	}
	bool is_whole = (root->live == 0 || store_sums_find(sums, root->live) != NULL) &&
			(root->shadow == 0 || store_sums_find(sums, root->shadow) != NULL);
	return is_whole ? 0 : STORE_E_CORRUPT;
}

int store_sums_read(struct store *store, struct MDB_txn *txn)
{
	struct store_sums sums;
	struct table_sum meta;

	int r = decode_sums(store, txn, &sums);
	if (r == 0) {
		r = find_sum(txn, store->meta, TABLE_META, &meta);
	}
	if (r == 0 && !table_sum_equal(&meta, &sums.meta)) {
		r = STORE_E_CORRUPT; /* a tombstone that is missing would bring a name back */
	}
	if (r == 0) {
		store->upheld.sums = sums;
	}
	return r;
}

int store_sums_write(struct store *store, struct MDB_txn *txn)
{
	struct buffer buffer;

	store->pending.sums.transaction = mdb_txn_id(txn);
	buffer_init(&buffer, SUMS_SIZE_MAX);
	store_sums_encode(&store->pending.sums, &buffer);
	int r = buffer.error;
	if (r == 0) {
		r = sealed_put(txn, TABLE_OF_NAMES, name_of_sums, buffer_slice(&buffer));
	}
	buffer_deinit(&buffer);
	return r;
}

/* ---- made */

static bool old_sum_fits(struct slice value, const struct table_sum *found)
{
	struct unpack unpack = unpack_of(value);
	struct table_sum told = {.count = unpack_u64(&unpack)};

	told.hash_sum = unpack_u64(&unpack);
	return unpack_is_whole(&unpack) && table_sum_equal(&told, found);
}

/* Before, two tables were summed up, and that lay in a third; of positions later than of entries. */
static int take_old_sum(MDB_txn *txn, const struct generation *generation, struct slice name,
	const struct table_sum *found)
{
	unsigned summary = generation->tables[TABLE_SUMMARY];
	MDB_val key = {name.size, (void *)name.bytes};
	struct slice value;

	int r = sealed_get(txn, summary, name, &value);
	if (r == STORE_E_ABSENT) {
		return found->count > 0 && slice_equal(name, SUMMARY_ENTRIES) ? STORE_E_CORRUPT : 0;
	}
	if (r != 0) {
		return r;
	}
	return old_sum_fits(value, found) ? store_from_lmdb(mdb_del(txn, summary, &key, NULL))
					  : STORE_E_CORRUPT;
}

static int see_member(void *owner, struct slice key, struct slice sealed)
{
	struct table_sum *sums = owner; /* by view */

	return key.bytes[0] < VIEWS_MAX ? see_sealed(&sums[key.bytes[0]], key, sealed)
					: STORE_E_CORRUPT;
}

static int tell_members(
	MDB_txn *txn, unsigned table, uint32_t view_id, const struct table_sum *members)
{
	uint8_t bytes[SUMMARY_KEY_SIZE];
	struct slice key = summary_key(view_id, bytes), value;
	struct view_summary summary;
	struct buffer buffer;

	if (members->count == 0) {
		return 0;
	}
	int r = sealed_get(txn, table, key, &value);
	if (r != 0 || !view_summary_decode(value, &summary)) {
		return r < 0 ? r : STORE_E_CORRUPT;
	}
	summary.member_count = members->count;
	summary.member_hash_sum = members->hash_sum;
	buffer_init(&buffer, SUMMARY_SIZE_MAX);
	view_summary_encode(&summary, &buffer);
	r = buffer.error != 0 ? buffer.error : sealed_put(txn, table, key, buffer_slice(&buffer));
	buffer_deinit(&buffer);
	return r;
}

static int make_members(MDB_txn *txn, const struct generation *generation)
{
	struct table_sum members[VIEWS_MAX] = {{0}};

	int r = walk(txn, generation->tables[TABLE_MEMBERS], see_member, members);
	for (uint32_t id = 0; id < VIEWS_MAX && r == 0; id++) {
		r = tell_members(txn, generation->tables[TABLE_SUMMARY], id, &members[id]);
	}
	return r;
}

/* The summary last: what it says of the others changes. */
static int make_generation(struct store *store, MDB_txn *txn, const struct generation *generation)
{
	struct generation_sums *sums = store_sums_find(&store->pending.sums, 0);
	int r = 0;

	sums->number = generation->number;
	for (int i = 0; i < TABLE_COUNT && r == 0; i++) {
		enum store_table table = (enum store_table)i;
		if (!table_is_of_views(table) && table != TABLE_SUMMARY) {
			r = find_sum(txn, generation->tables[table], table, &sums->tables[table]);
		}
	}
	if (r == 0) {
		r = take_old_sum(txn, generation, SUMMARY_ENTRIES, &sums->tables[TABLE_ENTRIES]);
	}
	if (r == 0) {
		r = take_old_sum(txn, generation, SUMMARY_OFFSETS, &sums->tables[TABLE_OFFSETS]);
	}
	if (r == 0) {
		r = make_members(txn, generation);
	}
	return r == 0 ? find_sum(txn, generation->tables[TABLE_SUMMARY], TABLE_SUMMARY,
				&sums->tables[TABLE_SUMMARY])
		      : r;
}

int store_sums_make(struct store *store, struct MDB_txn *txn)
{
	const uint32_t numbers[] = {store->root.live, store->root.shadow};
	int r = find_sum(txn, store->meta, TABLE_META, &store->pending.sums.meta);

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && r == 0; i++) {
		if (numbers[i] != 0) {
			r = make_generation(store, txn, store_generation(store, numbers[i]));
		}
	}
	return r == 0 ? store_put_root(store, txn, &store->root) : r;
}
