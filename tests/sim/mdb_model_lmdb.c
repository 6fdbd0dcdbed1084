/* As much of lmdb.h as the product uses, in memory: tables are sorted arrays, a transaction that is aborted is undone. A read
 * transaction is the present, for in a run nothing is committed while one is open. */
#include "tests/sim/mdb_model.h"
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 4, TABLES_MAX = 240, NAME_SIZE = 40, PAGE_SIZE = 4096 };
/* LMDB's own two tables, without what it keeps in them: its free pages, and the names of tables. */
enum { TABLE_OF_FREE_PAGES, TABLE_OF_NAMES };

/* A key and its value; changed by nobody once its transaction has ended. */
struct blob {
	uint32_t references;
	uint32_t key_size, value_size;
	uint8_t bytes[];
};

struct table {
	char name[NAME_SIZE]; /* "": this place is free */
	struct blob **blobs; /* owned; sorted */
	size_t count, capacity;
};

struct file {
	char path[NAME_SIZE];
	struct table tables[TABLES_MAX];
	size_t last_txn;
};

struct mdb_files {
	struct file files[FILES_MAX];
	size_t count;
};

/* What takes a change back. */
struct undo {
	struct table *table;
	struct blob *added; /* takes the place of `old`; NULL: `old` was deleted */
	struct blob *old; /* NULL: there was none */
};

struct MDB_env {
	struct file *file; /* of what was mounted when it was opened */
	char path[NAME_SIZE];
};

struct MDB_txn {
	struct MDB_env *env;
	bool is_writing;
	struct undo *undos; /* owned */
	size_t undo_count, undo_capacity;
};

struct MDB_cursor {
	struct MDB_txn *txn;
	struct table *table;
	bool is_placed; /* it stands somewhere; before, the next one is the first */
	size_t at;
	bool has_deleted; /* what it stands at is already the next one */
};

static struct mdb_files *mounted;

static void *must(void *memory)
{
	if (memory == NULL) {
		abort();
	}
	return memory;
}

/* ---- tables */

static struct blob *blob_new(const MDB_val *key, const MDB_val *value)
{
	struct blob *blob = must(malloc(sizeof *blob + key->mv_size + value->mv_size));

	blob->references = 1;
	blob->key_size = (uint32_t)key->mv_size;
	blob->value_size = (uint32_t)value->mv_size;
	memcpy(blob->bytes, key->mv_data, key->mv_size);
	if (value->mv_data != NULL && value->mv_size > 0) {
		memcpy(blob->bytes + key->mv_size, value->mv_data, value->mv_size);
	}
	return blob;
}

static void blob_drop(struct blob *blob)
{
	if (blob != NULL && --blob->references == 0) {
		free(blob);
	}
}

static int compare(const struct blob *blob, const void *key, size_t size)
{
	size_t common = blob->key_size < size ? blob->key_size : size;
	int order = common == 0 ? 0 : memcmp(blob->bytes, key, common);

	return order != 0 ? order : (blob->key_size > size) - (blob->key_size < size);
}

/* Where the first blob with this key or a later one lies. */
static size_t place_of(const struct table *table, const void *key, size_t size, bool *ret_is_there)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (compare(table->blobs[middle], key, size) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	*ret_is_there = low < table->count && compare(table->blobs[low], key, size) == 0;
	return low;
}

static void table_insert(struct table *table, size_t at, struct blob *blob)
{
	if (table->count == table->capacity) {
		table->capacity = table->capacity * 2 + 16;
		table->blobs = must(realloc(table->blobs, table->capacity * sizeof *table->blobs));
	}
	memmove(table->blobs + at + 1, table->blobs + at,
		(table->count - at) * sizeof *table->blobs);
	table->blobs[at] = blob;
	table->count++;
}

static void table_remove(struct table *table, size_t at)
{
	table->count--;
	memmove(table->blobs + at, table->blobs + at + 1,
		(table->count - at) * sizeof *table->blobs);
}

static void table_empty(struct table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		blob_drop(table->blobs[i]);
	}
	free(table->blobs);
	*table = (struct table){0};
}

/* ---- files */

struct mdb_files *mdb_files_new(void)
{
	return must(calloc(1, sizeof(struct mdb_files)));
}

static void table_copy(struct table *to, const struct table *from)
{
	*to = *from;
	to->capacity = from->count;
	to->blobs = must(malloc((from->count + 1) * sizeof(struct blob *)));
	for (size_t i = 0; i < from->count; i++) {
		to->blobs[i] = from->blobs[i];
		to->blobs[i]->references++;
	}
}

struct mdb_files *mdb_files_copy(const struct mdb_files *files)
{
	struct mdb_files *copy = mdb_files_new();

	copy->count = files->count;
	for (size_t i = 0; i < files->count; i++) {
		memcpy(copy->files[i].path, files->files[i].path, NAME_SIZE);
		copy->files[i].last_txn = files->files[i].last_txn;
		for (size_t j = 0; j < TABLES_MAX; j++) {
			if (files->files[i].tables[j].name[0] != '\0') {
				table_copy(&copy->files[i].tables[j], &files->files[i].tables[j]);
			}
		}
	}
	return copy;
}

struct mdb_files *mdb_files_free(struct mdb_files *files)
{
	for (size_t i = 0; files != NULL && i < files->count; i++) {
		for (size_t j = 0; j < TABLES_MAX; j++) {
			table_empty(&files->files[i].tables[j]);
		}
	}
	free(files);
	return NULL;
}

void mdb_model_mount(struct mdb_files *files)
{
	mounted = files;
}

static struct file *find_file(const char *path)
{
	for (size_t i = 0; i < mounted->count; i++) {
		if (strcmp(mounted->files[i].path, path) == 0) {
			return &mounted->files[i];
		}
	}
	return NULL;
}

bool mdb_model_has(const char *path)
{
	const struct file *file = find_file(path);
	return file != NULL && file->last_txn > 0;
}

/* ---- environments */

int mdb_env_create(MDB_env **env)
{
	*env = must(calloc(1, sizeof **env));
	return 0;
}

int mdb_env_set_mapsize(MDB_env *env, size_t size)
{
	(void)env, (void)size;
	return 0;
}

int mdb_env_set_maxdbs(MDB_env *env, MDB_dbi dbs)
{
	(void)env;
	return dbs <= TABLES_MAX ? 0 : EINVAL;
}

int mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
	(void)flags, (void)mode;
	snprintf(env->path, sizeof env->path, "%s", path);
	env->file = find_file(path);
	if (env->file == NULL) {
		if (mounted->count == FILES_MAX) {
			abort();
		}
		env->file = &mounted->files[mounted->count++];
		memcpy(env->file->path, env->path, NAME_SIZE);
		snprintf(env->file->tables[TABLE_OF_FREE_PAGES].name, NAME_SIZE, "(free pages)");
		snprintf(env->file->tables[TABLE_OF_NAMES].name, NAME_SIZE, "(names)");
	}
	return 0;
}

void mdb_env_close(MDB_env *env)
{
	free(env);
}

int mdb_env_get_path(MDB_env *env, const char **path)
{
	*path = env->path;
	return 0;
}

int mdb_env_info(MDB_env *env, MDB_envinfo *info)
{
	*info = (MDB_envinfo){.me_last_txnid = env->file->last_txn};
	return 0;
}

int mdb_env_stat(MDB_env *env, MDB_stat *stat)
{
	(void)env;
	*stat = (MDB_stat){.ms_psize = PAGE_SIZE};
	return 0;
}

int mdb_reader_check(MDB_env *env, int *dead)
{
	(void)env;
	*dead = 0;
	return 0;
}

/* ---- transactions */

int mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **ret_txn)
{
	(void)parent;
	*ret_txn = must(calloc(1, sizeof **ret_txn));
	(*ret_txn)->env = env;
	(*ret_txn)->is_writing = (flags & MDB_RDONLY) == 0;
	return 0;
}

static void txn_free(MDB_txn *txn)
{
	for (size_t i = 0; i < txn->undo_count; i++) {
		blob_drop(txn->undos[i].old);
	}
	free(txn->undos);
	free(txn);
}

static void take_back(struct undo *undo)
{
	const struct blob *blob = undo->added != NULL ? undo->added : undo->old;
	bool is_there = false;
	size_t at = place_of(undo->table, blob->bytes, blob->key_size, &is_there);

	if (undo->added == NULL) {
		table_insert(undo->table, at, undo->old);
	} else if (undo->old == NULL) {
		table_remove(undo->table, at);
	} else {
		undo->table->blobs[at] = undo->old;
	}
	undo->old = NULL; /* the table has it again */
	blob_drop(undo->added);
}

void mdb_txn_abort(MDB_txn *txn)
{
	if (txn == NULL) {
		return;
	}
	for (size_t i = txn->undo_count; i-- > 0;) {
		take_back(&txn->undos[i]);
	}
	txn_free(txn);
}

/* What a commit does that is none: the offsets go ahead of what they are of. */
static void tear(MDB_txn *txn)
{
	for (size_t i = txn->undo_count; i-- > 0;) {
		if (strncmp(txn->undos[i].table->name, "offsets", 7) != 0) {
			take_back(&txn->undos[i]);
		}
	}
}

int mdb_txn_commit(MDB_txn *txn)
{
	enum mdb_fate fate =
		txn->undo_count == 0 ? MDB_FATE_WRITTEN : mdb_model_fate(txn->env->path);

	if (fate == MDB_FATE_FULL || fate == MDB_FATE_LOST) {
		mdb_txn_abort(txn);
		return fate == MDB_FATE_FULL ? ENOSPC : EIO;
	}
	if (fate == MDB_FATE_TORN) {
		tear(txn);
	}
	txn->env->file->last_txn += txn->undo_count > 0;
	txn_free(txn);
	return fate == MDB_FATE_WRITTEN ? 0 : EIO;
}

size_t mdb_txn_id(MDB_txn *txn)
{
	return txn->env->file->last_txn + txn->is_writing;
}

void mdb_txn_reset(MDB_txn *txn)
{
	(void)txn;
}

int mdb_txn_renew(MDB_txn *txn)
{
	(void)txn;
	return 0;
}

static void note_change(MDB_txn *txn, struct table *table, struct blob *added, struct blob *old)
{
	if (!txn->is_writing) {
		abort();
	}
	if (txn->undo_count == txn->undo_capacity) {
		txn->undo_capacity = txn->undo_capacity * 2 + 16;
		txn->undos = must(realloc(txn->undos, txn->undo_capacity * sizeof *txn->undos));
	}
	txn->undos[txn->undo_count++] = (struct undo){table, added, old};
}

/* ---- tables of an environment */

int mdb_dbi_open(MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *dbi)
{
	struct file *file = txn->env->file;
	struct table *free_place = NULL;

	for (MDB_dbi i = 0; i < TABLES_MAX; i++) {
		if (strcmp(file->tables[i].name, name) == 0) {
			*dbi = i;
			return 0;
		}
		if (file->tables[i].name[0] ==
			'\0') { /* none is ever given back: nothing lies behind */
			free_place = &file->tables[i];
			break;
		}
	}
	if ((flags & MDB_CREATE) == 0) {
		return MDB_NOTFOUND;
	}
	if (free_place == NULL) {
		return MDB_DBS_FULL;
	}
	snprintf(free_place->name, sizeof free_place->name, "%s", name);
	*dbi = (MDB_dbi)(free_place - file->tables);
	return 0;
}

static void delete_at(MDB_txn *txn, struct table *table, size_t at)
{
	note_change(txn, table, NULL, table->blobs[at]);
	table_remove(table, at);
}

/* A table that was taken away is an empty one: its name is never used again. */
int mdb_drop(MDB_txn *txn, MDB_dbi dbi, int del)
{
	struct table *table = &txn->env->file->tables[dbi];

	(void)del;
	while (table->count > 0) {
		delete_at(txn, table, table->count - 1);
	}
	return 0;
}

int mdb_stat(MDB_txn *txn, MDB_dbi dbi, MDB_stat *stat)
{
	*stat = (MDB_stat){.ms_psize = PAGE_SIZE, .ms_entries = txn->env->file->tables[dbi].count};
	return 0;
}

/* ---- pairs */

static void show(struct blob *blob, MDB_val *key, MDB_val *data)
{
	*key = (MDB_val){blob->key_size, blob->bytes};
	*data = (MDB_val){blob->value_size, blob->bytes + blob->key_size};
}

int mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data)
{
	const struct table *table = &txn->env->file->tables[dbi];
	bool is_there = false;
	size_t at = place_of(table, key->mv_data, key->mv_size, &is_there);
	MDB_val found;

	if (!is_there) {
		return MDB_NOTFOUND;
	}
	show(table->blobs[at], &found, data);
	return 0;
}

static int put(MDB_txn *txn, struct table *table, MDB_val *key, MDB_val *data, unsigned flags)
{
	bool is_there = false;
	size_t at = place_of(table, key->mv_data, key->mv_size, &is_there);
	MDB_val reserved = {data->mv_size, NULL}, found;

	if (is_there && (flags & MDB_NOOVERWRITE) != 0) {
		show(table->blobs[at], &found, data);
		return MDB_KEYEXIST;
	}
	struct blob *blob = blob_new(key, (flags & MDB_RESERVE) != 0 ? &reserved : data);
	note_change(txn, table, blob, is_there ? table->blobs[at] : NULL);
	if (is_there) {
		table->blobs[at] = blob;
	} else {
		table_insert(table, at, blob);
	}
	if ((flags & MDB_RESERVE) != 0) {
		data->mv_data = blob->bytes + blob->key_size;
	}
	return 0;
}

int mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags)
{
	return put(txn, &txn->env->file->tables[dbi], key, data, flags);
}

int mdb_del(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data)
{
	struct table *table = &txn->env->file->tables[dbi];
	bool is_there = false;
	size_t at = place_of(table, key->mv_data, key->mv_size, &is_there);

	(void)data;
	if (!is_there) {
		return MDB_NOTFOUND;
	}
	delete_at(txn, table, at);
	return 0;
}

/* ---- cursors */

int mdb_cursor_open(MDB_txn *txn, MDB_dbi dbi, MDB_cursor **ret_cursor)
{
	*ret_cursor = must(malloc(sizeof **ret_cursor));
	**ret_cursor = (MDB_cursor){.txn = txn, .table = &txn->env->file->tables[dbi]};
	return 0;
}

void mdb_cursor_close(MDB_cursor *cursor)
{
	free(cursor);
}

int mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op)
{
	const struct table *table = cursor->table;
	bool is_there = true;

	switch (op) {
	case MDB_FIRST:
		cursor->at = 0;
		break;
	case MDB_LAST:
		cursor->at = table->count == 0 ? 0 : table->count - 1;
		break;
	case MDB_NEXT:
		cursor->at += cursor->is_placed && !cursor->has_deleted;
		break;
	case MDB_SET:
	case MDB_SET_RANGE:
		cursor->at = place_of(table, key->mv_data, key->mv_size, &is_there);
		is_there = is_there || op == MDB_SET_RANGE;
		break;
	default:
		abort(); /* the product uses no other */
	}
	cursor->is_placed = true;
	cursor->has_deleted = false;
	if (!is_there || cursor->at >= table->count) {
		return MDB_NOTFOUND;
	}
	show(table->blobs[cursor->at], key, data);
	return 0;
}

int mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data, unsigned flags)
{
	return put(cursor->txn, cursor->table, key, data, flags);
}

int mdb_cursor_del(MDB_cursor *cursor, unsigned flags)
{
	(void)flags;
	if (cursor->at >= cursor->table->count) {
		return EINVAL;
	}
	delete_at(cursor->txn, cursor->table, cursor->at);
	cursor->has_deleted = true;
	return 0;
}
