#include "aggregator/shard/stores.h"
#include "aggregator/store/commit.h"
#include "aggregator/store/data_dir.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	PATH_SIZE = 4096,
	DROP_ROWS = 10000,
};

/* Where the sentence goes. */
struct complaint_out {
	char *text;
	size_t size;
};

__attribute__((format(printf, 3, 4))) static int fail(
	const struct complaint_out *out, int code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(out->text, out->size, format, arguments);
	va_end(arguments);
	return code;
}

static int lock(struct stores *stores, const char *dir, const struct complaint_out *out)
{
	char path[PATH_SIZE];
	snprintf(path, sizeof path, "%.4000s/lock", dir);
	int r = data_dir_lock(path, &stores->lock_fd);
	if (r == -EBUSY) {
		return fail(out, r, "another aggregator is at work on %s", dir);
	}
	return r < 0 ? fail(out, r, "can't open %s: %s", path, strerror(-r)) : 0;
}

static int make_dir(const char *path, bool may_create, const struct complaint_out *out)
{
	int r = data_dir_make(path, may_create);
	if (r == -ENOENT && !may_create) {
		return fail(out, r, "there is no store at %s", path);
	}
	return r < 0 ? fail(out, r, "can't make the directory %s: %s", path, strerror(-r)) : 0;
}

static int explain(int r, const char *path, const struct complaint_out *out)
{
	switch (r) {
	case STORE_E_CORRUPT:
		return fail(out, STORES_E_DECISION,
			"the store %s is corrupt; move it away, and the aggregator counts the log "
			"anew",
			path);
	case STORE_E_FOREIGN:
		return fail(out, STORES_E_DECISION,
			"%s/data.mdb is not a till store of version %d; set [aggregator] data to "
			"another directory, or move the file away",
			path, STORE_VERSION);
	case STORE_E_FULL:
		return fail(out, -ENOSPC, "no room to open the store %s", path);
	default:
		return r >= 0 ? 0 : fail(out, r, "can't open the store %s: %s", path, strerror(-r));
	}
}

static int open_shard(struct stores *stores, const struct stores_options *options, size_t shard,
	const struct complaint_out *out)
{
	char path[PATH_SIZE];
	snprintf(path, sizeof path, "%.4000s/shard-%zu", options->dir, shard);
	int r = make_dir(path, options->may_create, out);
	if (r < 0) {
		return r;
	}
	struct store_options store = {.dir = path, .map_size = options->map_size};
	return explain(store_new(&store, &stores->items[shard]), path, out);
}

static int create(struct stores *stores, const struct stores_options *options, size_t shard,
	const struct store_root *first)
{
	struct store_root root = *first;
	root.shard = (uint32_t)shard;
	return store_create_generation(stores->items[shard], &root, options->views);
}

/* Shard 0 says how many shards there are; a new one is told. */
static int open_first(struct stores *stores, const struct stores_options *options,
	const struct complaint_out *out)
{
	int r = open_shard(stores, options, 0, out);
	if (r != 0) {
		return r;
	}
	if (stores_root(stores)->live == 0) {
		if (!options->may_create) {
			return fail(out, -ENOENT, "there is no store at %s", options->dir);
		}
		struct store_root root = {
			.shard_count = options->shard_count, .live = 1, .next = 2};
		snprintf(root.live_id, sizeof root.live_id, "%s", options->new_id);
		stores->is_new = true;
		r = create(stores, options, 0, &root);
		if (r != 0) {
			return fail(out, r > 0 ? -ENOSPC : r, "can't make the store %s: %s",
				options->dir, strerror(r > 0 ? ENOSPC : -r));
		}
	}
	uint32_t count = stores_root(stores)->shard_count;
	if (count == 0 || count > SHARDS_MAX ||
		(options->shard_count != 0 && count != options->shard_count)) {
		return fail(out, STORES_E_DECISION,
			"the store %s has %u shards, fixed when it was made; [aggregator] shards "
			"says %u",
			options->dir, count, options->shard_count);
	}
	return 0;
}

/* Empties and takes away what is dropped, here and now: only where the next step needs the place. */
static int drop_now(struct store *store)
{
	bool is_empty = false;
	int r = 0;
	while (r == 0 && !is_empty) {
		r = store_drop_step(store, DROP_ROWS, &is_empty);
	}
	return r == 0 ? store_finish_drop(store) : r;
}

/* Brings a shard to where shard 0 is: a switch that shard 0 has made, a shadow that it never began. */
static int roll_forward(struct store *store, const struct store_root *first)
{
	const struct store_root *root = store_root(store);
	int r = 0;
	if (root->live != first->live && root->shadow == first->live) {
		r = store_switch(store);
	}
	if (r == 0 && root->shadow != 0 && root->shadow != first->shadow) {
		if (root->dropping != 0) {
			r = drop_now(store);
		}
		if (r == 0) {
			r = store_discard_shadow(store);
		}
	}
	return r;
}

static int open_other(struct stores *stores, const struct stores_options *options, size_t shard,
	const struct complaint_out *out)
{
	const struct store_root *first = stores_root(stores);
	int r = open_shard(stores, options, shard, out);
	if (r != 0) {
		return r;
	}
	struct store *store = stores->items[shard];
	if (store_root(store)->live == 0 && !first->is_complete) {
		r = create(stores, options, shard, first);
	}
	if (r == 0) {
		r = roll_forward(store, first);
	}
	if (r == 0) { /* who was forgotten in shard 0 is forgotten */
		struct forget_counts counts;
		r = store_forget(
			store, store_forgotten(stores->items[0]), slice_of(NULL, 0), &counts);
	}
	if (r != 0) {
		return fail(out, r > 0 ? -ENOSPC : r, "can't bring shard %zu of %s up to date",
			shard, options->dir);
	}
	const struct store_root *root = store_root(store);
	if (root->shard != shard || root->shard_count != first->shard_count ||
		root->live != first->live || strcmp(root->live_id, first->live_id) != 0) {
		return fail(out, STORES_E_DECISION,
			"%s/shard-%zu is missing or of another store; bring the right one back, or "
			"move the whole directory away to count the log anew",
			options->dir, shard);
	}
	return 0;
}

static int start_workers(struct stores *stores, const struct complaint_out *out)
{
	int r = 0;
	for (size_t i = 0; i < stores->count && r == 0; i++) {
		r = worker_new(&stores->workers[i]);
	}
	return r < 0 ? fail(out, r, "can't start the writing thread: %s", strerror(-r)) : 0;
}

static int open_all(struct stores *stores, const struct stores_options *options,
	const struct complaint_out *out)
{
	int r = make_dir(options->dir, options->may_create, out);
	if (r == 0) {
		r = lock(stores, options->dir, out);
	}
	if (r == 0) {
		r = open_first(stores, options, out);
	}
	if (r != 0) {
		return r;
	}
	stores->count = stores_root(stores)->shard_count;
	for (size_t i = 1; i < stores->count && r == 0; i++) {
		r = open_other(stores, options, i, out);
	}
	if (r == 0 && !stores_root(stores)->is_complete) {
		struct store_root root = *stores_root(stores);
		root.is_complete = true;
		r = store_set_root(stores->items[0], &root);
		if (r != 0) {
			r = fail(out, -EIO, "can't write to the store %s", options->dir);
		}
	}
	return r == 0 ? start_workers(stores, out) : r;
}

int stores_new(const struct stores_options *options, struct stores **ret_stores, char *error,
	size_t error_size)
{
	struct complaint_out out = {error, error_size};
	struct stores *stores = calloc(1, sizeof *stores);
	if (stores == NULL) {
		return fail(&out, -ENOMEM, "no memory");
	}
	stores->lock_fd = -1;
	int r = open_all(stores, options, &out);
	if (r != 0) {
		stores_free(stores);
		return r;
	}
	*ret_stores = stores;
	return 0;
}

struct stores *stores_free(struct stores *stores)
{
	if (stores == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < SHARDS_MAX; i++) {
		worker_free(stores->workers[i]);
		store_free(stores->items[i]);
	}
	if (stores->lock_fd >= 0) {
		close(stores->lock_fd);
	}
	free(stores);
	return NULL;
}

int stores_begin_shadow(struct stores *stores, const struct view_set *views, const char *new_id)
{
	/* One that no shard has used: a shadow that only some had begun may still be dropping there. */
	uint32_t number = 0;
	for (size_t i = 0; i < stores->count; i++) {
		uint32_t next = store_root(stores->items[i])->next;
		number = next > number ? next : number;
	}
	/* Shard 0 comes last: a shadow is begun when it says so. */
	for (size_t i = stores->count; i-- > 0;) {
		struct store_root root = *store_root(stores->items[i]);
		root.shadow = number;
		root.next = number + 1;
		snprintf(root.shadow_id, sizeof root.shadow_id, "%s", new_id);
		int r = store_create_generation(stores->items[i], &root, views);
		if (r != 0) {
			return r;
		}
	}
	return 0;
}

int stores_switch(struct stores *stores)
{
	int r = 0;
	for (size_t i = 0; i < stores->count && r == 0; i++) {
		r = store_switch(stores->items[i]);
	}
	return r;
}

int stores_discard_shadow(struct stores *stores)
{
	int r = 0;
	for (size_t i = 0; i < stores->count && r == 0; i++) {
		if (store_root(stores->items[i])->dropping != 0) {
			r = drop_now(stores->items[i]);
		}
		if (r == 0) {
			r = store_discard_shadow(stores->items[i]);
		}
	}
	return r;
}

bool stores_are_idle(struct stores *stores)
{
	for (size_t i = 0; i < stores->count; i++) {
		if (!worker_is_idle(stores->workers[i])) {
			return false;
		}
	}
	return true;
}

int64_t stores_disk_room(const struct stores *stores)
{
	struct statvfs disk;

	/* The lock lies beside the shards. */
	return fstatvfs(stores->lock_fd, &disk) < 0 ? -1 : (int64_t)(disk.f_bavail * disk.f_frsize);
}

uint64_t stores_size(struct stores *stores)
{
	uint64_t size = 0;
	for (size_t i = 0; i < stores->count; i++) {
		size += store_size(stores->items[i]);
	}
	return size;
}
