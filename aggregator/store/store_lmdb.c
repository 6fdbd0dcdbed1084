/* A store's life: the environment, its root, and its generations. */
#include "aggregator/books/ledger.h"
#include "aggregator/store/store_layout.h"
#include "runtime/file_birth.h"
#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

enum {
	/* Three generations of six tables, and meta. */
	TABLES_MAX = GENERATIONS_MAX * TABLE_COUNT + 1,
	FILE_MODE = 0640,
	VALUE_SIZE_MAX = 64 * 1024,
	/* More than one write of LMDB's, so less than what a full disk has left when it cut one short. */
	DISK_FULL_BELOW = 4 * 1024 * 1024,
};

static const char *const table_names[TABLE_COUNT] = {
	[TABLE_ROWS] = "rows",
	[TABLE_MEMBERS] = "members",
	[TABLE_STREAMS] = "streams",
	[TABLE_OFFSETS] = "offsets",
	[TABLE_SUMMARY] = "summary",
	[TABLE_QUARANTINE] = "quarantine",
	[TABLE_FINGERPRINTS] = "fingerprints",
	[TABLE_ENTRIES] = "entries",
};

void store_table_name(
	enum store_table table, uint32_t generation, char ret_name[STORE_TABLE_NAME_SIZE])
{
	snprintf(ret_name, STORE_TABLE_NAME_SIZE, "%s.%u", table_names[table], generation);
}

static size_t last_commit(const struct store *store)
{
	MDB_envinfo info;
	return mdb_env_info(store->env, &info) == 0 ? info.me_last_txnid : 0;
}

void store_distrust(const struct store *store)
{
	look_note_remove(&store->note);
}

static bool is_disk_full(const struct store *store)
{
	struct statvfs disk;
	const char *dir = NULL;
	return mdb_env_get_path(store->env, &dir) == 0 && statvfs(dir, &disk) == 0 &&
	       (uint64_t)disk.f_bavail * disk.f_frsize < DISK_FULL_BELOW;
}

int store_txn_begin(struct store *store, struct MDB_txn **ret_txn)
{
	store->pending = store->upheld;
	return store_from_lmdb(mdb_txn_begin(store->env, NULL, 0, ret_txn));
}

/* A disk that fills up takes the first part of a write, which LMDB calls EIO. As the meta page is the last thing that it
 * writes, nothing is written while the newest one is the old one; and if it was the meta page that failed, LMDB refuses
 * the next transaction, so that the one who tries again hears of it. */
int store_txn_commit(struct store *store, struct MDB_txn *txn)
{
	size_t before = last_commit(store);
	int r = store_sums_write(store, txn);
	if (r != 0) {
		mdb_txn_abort(txn);
		return r;
	}
	r = store_from_lmdb(mdb_txn_commit(txn));
	bool is_full = r == STORE_E_FULL || (r == -EIO && is_disk_full(store));
	if (is_full && last_commit(store) == before) {
		return STORE_E_FULL;
	}
	if (r == 0) {
		store->upheld = store->pending;
		return 0;
	}
	store_distrust(store); /* nobody knows what is on the disk */
	return is_full ? -EIO : r;
}

static void encode_root(const struct store_root *root, struct buffer *buffer)
{
	buffer_append_text(buffer, "till");
	pack_u32(buffer, root->is_forgetful ? STORE_VERSION_FORGETFUL : STORE_VERSION);
	pack_u32(buffer, root->shard);
	pack_u32(buffer, root->shard_count);
	pack_u8(buffer, root->is_complete);
	pack_u32(buffer, root->live);
	pack_u32(buffer, root->shadow);
	pack_u32(buffer, root->dropping);
	pack_u32(buffer, root->next);
	buffer_append(buffer, root->live_id, STORE_ID_SIZE);
	buffer_append(buffer, root->shadow_id, STORE_ID_SIZE);
}

static void unpack_id(struct unpack *unpack, char ret_id[STORE_ID_SIZE])
{
	struct slice id = unpack_take(unpack, STORE_ID_SIZE);
	if (id.size > 0) {
		memcpy(ret_id, id.bytes, STORE_ID_SIZE);
		ret_id[STORE_ID_SIZE - 1] = '\0';
	}
}

int store_root_decode(struct slice bytes, struct store_root *ret_root)
{
	struct unpack unpack = unpack_of(bytes);
	struct store_root root = {0};
	bool is_ours = slice_equals_text(unpack_take(&unpack, 4), "till");
	uint32_t version = unpack_u32(&unpack);
	if (!is_ours || version < STORE_VERSION_WITHOUT_SUMS || version > STORE_VERSION_FORGETFUL) {
		return STORE_E_FOREIGN;
	}
	root.is_forgetful = version == STORE_VERSION_FORGETFUL ||
			    version == STORE_VERSION_WITHOUT_SUMS_FORGETFUL;
	root.is_summed = version >= STORE_VERSION;
	root.shard = unpack_u32(&unpack);
	root.shard_count = unpack_u32(&unpack);
	root.is_complete = unpack_u8(&unpack) != 0;
	root.live = unpack_u32(&unpack);
	root.shadow = unpack_u32(&unpack);
	root.dropping = unpack_u32(&unpack);
	root.next = unpack_u32(&unpack);
	unpack_id(&unpack, root.live_id);
	unpack_id(&unpack, root.shadow_id);
	if (!unpack_is_whole(&unpack)) {
		return STORE_E_CORRUPT;
	}
	*ret_root = root;
	return 0;
}

int store_read_root(struct MDB_txn *txn, unsigned meta, struct store_root *ret_root)
{
	struct slice value;
	int r = sealed_get(txn, meta, slice_of("root", 4), &value);
	return r == 0 ? store_root_decode(value, ret_root) : r;
}

int store_put_root(struct store *store, struct MDB_txn *txn, const struct store_root *root)
{
	const struct summed_table meta = {.store = store, .txn = txn, .table = TABLE_META};
	struct buffer buffer;
	buffer_init(&buffer, VALUE_SIZE_MAX);
	encode_root(root, &buffer);
	int r = buffer.error;
	if (r == 0) {
		r = summed_put(&meta, slice_of("root", 4), buffer_slice(&buffer));
	}
	buffer_deinit(&buffer);
	return r;
}

static int open_tables(
	struct MDB_txn *txn, uint32_t number, unsigned flags, struct generation *ret_generation)
{
	struct generation generation = {.number = number};
	for (int table = 0; table < TABLE_COUNT; table++) {
		char name[STORE_TABLE_NAME_SIZE];
		store_table_name((enum store_table)table, number, name);
		int r = store_from_lmdb(mdb_dbi_open(txn, name, flags, &generation.tables[table]));
		if (r != 0) {
			return r == STORE_E_ABSENT ? STORE_E_CORRUPT : r;
		}
	}
	*ret_generation = generation;
	return 0;
}

/* What stores of before sums may lack. */
static int add_tables(struct MDB_txn *txn, uint32_t number)
{
	static const enum store_table later[] = {TABLE_FINGERPRINTS, TABLE_ENTRIES};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof later / sizeof later[0]; i++) {
		char name[STORE_TABLE_NAME_SIZE];
		unsigned table;
		store_table_name(later[i], number, name);
		r = store_from_lmdb(mdb_dbi_open(txn, name, MDB_CREATE, &table));
	}
	return r;
}

static int open_generations(struct store *store, struct MDB_txn *txn)
{
	const uint32_t numbers[GENERATIONS_MAX] = {
		store->root.live, store->root.shadow, store->root.dropping};
	for (int i = 0; i < GENERATIONS_MAX; i++) {
		int r = 0;
		if (numbers[i] != 0 && !store->root.is_summed) {
			r = add_tables(txn, numbers[i]);
		}
		if (numbers[i] != 0 && r == 0) {
			r = open_tables(txn, numbers[i], 0, &store->generations[i]);
		}
		if (r != 0) {
			return r;
		}
	}
	return 0;
}

/* *ret_changes: something is to be written. */
static int open_sums(struct store *store, struct MDB_txn *txn, bool *ret_changes)
{
	*ret_changes = *ret_changes || !store->root.is_summed;
	return store->root.is_summed ? store_sums_read(store, txn) : store_sums_make(store, txn);
}

/* Opens meta and whatever the root names. A file without a root is new, or of somebody else. */
static int open_root(struct store *store, bool is_new)
{
	MDB_txn *txn = NULL;
	bool changes = false;
	int r = store_txn_begin(store, &txn);
	if (r != 0) {
		return r;
	}
	r = store_from_lmdb(mdb_dbi_open(txn, "meta", is_new ? MDB_CREATE : 0, &store->meta));
	if (r == 0) {
		r = store_read_root(txn, store->meta, &store->root);
		r = r == STORE_E_ABSENT && is_new ? 0 : r;
	}
	if (r == 0) {
		r = open_generations(store, txn);
	}
	if (r == 0) {
		r = open_sums(store, txn, &changes);
	}
	if (r == 0) {
		r = store_load_forgotten(txn, store->meta, &store->forgotten);
	}
	if (r != 0) {
		mdb_txn_abort(txn);
		return r == STORE_E_ABSENT ? STORE_E_FOREIGN : r;
	}
	return changes ? store_txn_commit(store, txn) : store_from_lmdb(mdb_txn_commit(txn));
}

static int open_env(struct store *store, const struct store_options *options)
{
	int dead = 0;
	int r = file_birth(options->dir, FILE_MODE);
	if (r != 0) {
		return r == -ENOSPC ? STORE_E_FULL : r;
	}
	int rc = mdb_env_create(&store->env);
	if (rc == 0) {
		rc = mdb_env_set_mapsize(store->env, (size_t)options->map_size);
	}
	if (rc == 0) {
		rc = mdb_env_set_maxdbs(store->env, TABLES_MAX);
	}
	if (rc == 0) {
		/* Default flags but for NOTLS, which lets one thread hold several read transactions. */
		rc = mdb_env_open(store->env, options->dir, MDB_NOTLS, FILE_MODE);
	}
	if (rc == 0) {
		rc = mdb_reader_check(store->env, &dead);
	}
	return store_from_lmdb(rc);
}

/* *ret_is_new: there is no file yet. */
static int look_if_unknown(struct store *store, bool *ret_is_new)
{
	uint64_t damaged_views = 0;
	bool is_known = look_note_rely(&store->note);
	int r = is_known ? 0 : store_look(store->note.dir, &damaged_views);
	if (r != 0 && r != STORE_E_ABSENT) {
		return r;
	}
	*ret_is_new = r == STORE_E_ABSENT;
	store->damaged_views = damaged_views;
	look_note_remove(&store->note); /* until it is open */
	return 0;
}

static int open_store(struct store *store, const struct store_options *options)
{
	bool is_new = false;
	int r = look_note_init(&store->note, options->dir);
	if (r == 0) {
		r = look_if_unknown(store, &is_new);
	}
	if (r == 0) {
		r = open_env(store, options);
	}
	if (r == 0) {
		r = open_root(store, is_new);
	}
	if (r == 0 && store->damaged_views == 0) {
		look_note_write(&store->note, false);
	}
	return r;
}

int store_new(const struct store_options *options, struct store **ret_store)
{
	struct store *store = calloc(1, sizeof *store);
	if (store == NULL) {
		return -ENOMEM;
	}
	int r = open_store(store, options);
	if (r != 0) {
		store_free(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

/* What nobody has begun to distrust need not be looked at again after a stop in order. */
static void close_env(struct store *store)
{
	bool is_trusted = look_note_holds(&store->note);
	mdb_env_close(store->env);
	if (is_trusted) {
		look_note_write(&store->note, true);
	}
}

struct store *store_free(struct store *store)
{
	if (store == NULL) {
		return NULL;
	}
	if (store->spare != NULL) {
		mdb_txn_abort(store->spare->txn);
		free(store->spare);
	}
	if (store->env != NULL) {
		close_env(store);
	}
	forgotten_deinit(&store->forgotten);
	look_note_deinit(&store->note);
	free(store);
	return NULL;
}

const struct store_root *store_root(const struct store *store)
{
	return &store->root;
}

uint64_t store_size(struct store *store)
{
	MDB_envinfo info;
	MDB_stat stat;
	mdb_env_info(store->env, &info);
	mdb_env_stat(store->env, &stat);
	return (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
}

const struct generation *store_generation(const struct store *store, uint32_t number)
{
	for (int i = 0; i < GENERATIONS_MAX; i++) {
		if (number != 0 && store->generations[i].number == number) {
			return &store->generations[i];
		}
	}
	return NULL;
}

static int put_summary(const struct summed_table *table, const struct view *view)
{
	uint8_t key[5];
	struct buffer buffer;
	buffer_init(&buffer, VALUE_SIZE_MAX);
	view_summary_encode(
		&(struct view_summary){
			.name = slice_of_text(view_name(view)),
			.text = slice_of_text(view_text(view)),
		},
		&buffer);
	int r = buffer.error;
	if (r == 0) {
		r = summed_put(table, summary_key(view_id(view), key), buffer_slice(&buffer));
	}
	buffer_deinit(&buffer);
	return r;
}

static int fill_generation(struct store *store, struct MDB_txn *txn,
	const struct generation *generation, const struct view_set *views)
{
	const struct summed_table table = {store, txn, generation, TABLE_SUMMARY};
	struct ledger empty = {0};
	struct buffer buffer;
	int r = 0;

	*store_sums_find(&store->pending.sums, 0) =
		(struct generation_sums){.number = generation->number};
	for (size_t i = 0; i < view_set_count(views) && r == 0; i++) {
		r = put_summary(&table, view_set_at(views, i));
	}
	if (r != 0) {
		return r;
	}
	buffer_init(&buffer, VALUE_SIZE_MAX);
	ledger_encode(&empty, &buffer);
	r = buffer.error;
	if (r == 0) {
		r = summed_put(&table, SUMMARY_LEDGER, buffer_slice(&buffer));
	}
	buffer_deinit(&buffer);
	return r;
}

static struct generation *free_place(struct store *store)
{
	for (int i = 0; i < GENERATIONS_MAX; i++) {
		if (store->generations[i].number == 0) {
			return &store->generations[i];
		}
	}
	return NULL;
}

int store_create_generation(
	struct store *store, const struct store_root *root, const struct view_set *views)
{
	struct generation *place = free_place(store);
	struct generation generation;
	MDB_txn *txn = NULL;

	assert(place != NULL);
	int r = store_txn_begin(store, &txn);
	if (r != 0) {
		return r;
	}
	r = open_tables(
		txn, root->shadow != 0 ? root->shadow : root->live, MDB_CREATE, &generation);
	if (r == 0) {
		r = fill_generation(store, txn, &generation, views);
	}
	if (r == 0) {
		r = store_put_root(store, txn, root);
	}
	if (r != 0) {
		mdb_txn_abort(txn);
		return r;
	}
	r = store_txn_commit(store, txn);
	if (r == 0) {
		*place = generation;
		store->root = *root;
	}
	return r;
}

uint64_t store_damaged_views(const struct store *store)
{
	return store->damaged_views;
}

int store_set_root(struct store *store, const struct store_root *root)
{
	MDB_txn *txn = NULL;
	int r = store_txn_begin(store, &txn);
	if (r != 0) {
		return r;
	}
	r = store_put_root(store, txn, root);
	if (r != 0) {
		mdb_txn_abort(txn);
		return r;
	}
	r = store_txn_commit(store, txn);
	if (r == 0) {
		if (root->live != store->root.live) {
			store->damaged_views = 0; /* they are of rows that are gone */
		}
		store->root = *root;
	}
	return r;
}

int store_switch(struct store *store)
{
	struct store_root root = store->root;
	assert(root.shadow != 0 && root.dropping == 0);
	root.dropping = root.live;
	root.live = root.shadow;
	root.shadow = 0;
	memcpy(root.live_id, root.shadow_id, STORE_ID_SIZE);
	memset(root.shadow_id, 0, STORE_ID_SIZE);
	return store_set_root(store, &root);
}

int store_discard_shadow(struct store *store)
{
	struct store_root root = store->root;
	assert(root.shadow != 0 && root.dropping == 0);
	root.dropping = root.shadow;
	root.shadow = 0;
	memset(root.shadow_id, 0, STORE_ID_SIZE);
	return store_set_root(store, &root);
}

static void forget_sums(struct store_sums *sums, uint32_t generation)
{
	struct generation_sums *place = store_sums_find(sums, generation);
	if (place != NULL) {
		*place = (struct generation_sums){0};
	}
}

int store_finish_drop(struct store *store)
{
	struct generation *dropped =
		(struct generation *)store_generation(store, store->root.dropping);
	struct store_root root = store->root;
	MDB_txn *txn = NULL;

	root.dropping = 0;
	int r = store_txn_begin(store, &txn);
	for (int table = 0; table < TABLE_COUNT && r == 0; table++) {
		r = store_from_lmdb(mdb_drop(txn, dropped->tables[table], 1));
	}
	if (r == 0) {
		forget_sums(&store->pending.sums, dropped->number);
		r = store_put_root(store, txn, &root);
	}
	if (r != 0) {
		mdb_txn_abort(txn); /* takes NULL */
		return r;
	}
	r = store_txn_commit(store, txn);
	if (r == 0) {
		dropped->number = 0;
		store->root = root;
	}
	return r;
}

int store_load_views(struct store *store, uint32_t generation, struct view_set *views)
{
	struct snapshot *snapshot = NULL;
	int r = snapshot_begin(store, generation, &snapshot);
	for (uint32_t id = 0; r == 0 && id < VIEWS_MAX; id++) {
		uint8_t key[5];
		char error[512];
		struct slice value;
		struct view_summary summary;
		r = snapshot_get(snapshot, TABLE_SUMMARY, summary_key(id, key), &value);
		if (r == 0 && !view_summary_decode(value, &summary)) {
			r = STORE_E_CORRUPT;
		}
		if (r == 0) {
			r = view_set_add_text(
				views, summary.name, summary.text, error, sizeof error);
			r = r == -EINVAL ? STORE_E_CORRUPT : r;
		}
	}
	snapshot_end(snapshot);
	return r == STORE_E_ABSENT ? 0 : r;
}
