#include "runtime/keyring.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What tells that a file is another than before: a rename brings another inode, a write another time. */
struct stamp {
	ino_t inode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
};

struct key_file {
	char *name; /* owned */
	struct stamp stamp;
	struct key_holder *holder; /* what it said when it was last good; NULL: never */
	bool is_bad; /* as it is now */
	/* It was read for the first time so: two writes within one tick of the clock look the same, so it is read again. */
	bool is_fresh;
};

struct keyring {
	char *dir;
	struct key_file *files; /* by name */
	size_t file_count;
	struct key_holder **by_key; /* borrowed from `files` */
	size_t key_count;
	bool is_dir_bad; /* said already */
	struct stamp dir_stamp;
	bool is_dir_fresh; /* as a file's */
	size_t next_file; /* the first that the next short look looks at */
};

/* ---- the directory */

static bool is_key_file(const struct dirent *entry)
{
	static const char suffix[] = ".pub";
	size_t size = strlen(entry->d_name);

	return entry->d_name[0] != '.' && size >= sizeof suffix &&
	       strcmp(entry->d_name + size - (sizeof suffix - 1), suffix) == 0;
}

static int is_wanted(const struct dirent *entry)
{
	return is_key_file(entry);
}

static void free_names(struct dirent **names, int count)
{
	for (int i = 0; i < count; i++) {
		free(names[i]);
	}
	free(names);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Whoever can write the directory lets people in. */
static int check_dir(const char *dir, struct config_error *error)
{
	struct stat status;

	if (stat(dir, &status) < 0) {
		return config_fail(error, "%s: %s", dir, strerror(errno));
	}
	if (!S_ISDIR(status.st_mode)) {
		return config_fail(error, "%s is not a directory of keys", dir);
	}
	if ((status.st_mode & (S_IWOTH | S_IWGRP)) != 0) {
		return config_fail(error,
			"%s says who may do what, and others may write it: chmod go-w %s", dir,
			dir);
	}
	return 0;
}

static int list_dir(const char *dir, struct dirent ***ret_names, struct config_error *error)
{
	int r = check_dir(dir, error);
	if (r < 0) {
		return r;
	}
	int count = scandir(dir, ret_names, is_wanted, by_name);
	if (count < 0) {
		return config_fail(error, "%s: %s", dir, strerror(errno));
	}
	if (count > KEYRING_KEYS_MAX) {
		free_names(*ret_names, count);
		return config_fail(error, "%s: more than %d keys", dir, KEYRING_KEYS_MAX);
	}
	return count;
}

/* ---- one file */

static void take_stamp(const char *path, struct stamp *ret_stamp)
{
	struct stat status;

	if (stat(path, &status) == 0) {
		*ret_stamp = (struct stamp){
			status.st_ino, status.st_size, status.st_mtim, status.st_ctim};
	}
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
	return a->inode == b->inode && a->size == b->size &&
	       same_time(&a->modified, &b->modified) && same_time(&a->changed, &b->changed);
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_holder(const struct key_holder *a, const struct key_holder *b)
{
	return same_text(a->key.text, b->key.text) && same_text(a->edges, b->edges) &&
	       same_text(a->views, b->views) && same_text(a->stores, b->stores) &&
	       same_text(a->producers, b->producers) && same_text(a->kinds, b->kinds) &&
	       a->sends == b->sends && a->is_admin == b->is_admin;
}

static bool replace_holder(
	struct key_file *file, struct key_holder *holder, const struct keyring_listener *listener)
{
	if (file->holder != NULL && same_holder(file->holder, holder)) {
		key_holder_free(holder);
		return false;
	}
	if (file->holder == NULL) {
		listener->added(listener->owner, holder);
	} else {
		listener->changed(listener->owner, holder);
	}
	key_holder_free(file->holder);
	file->holder = holder;
	return true;
}

/* Reads the file where it is another than before. Returns whether its key or rights changed. */
static bool refresh_file(
	const char *dir, struct key_file *file, const struct keyring_listener *listener)
{
	struct key_holder *holder = NULL;
	struct config_error error;
	struct stamp stamp = {0}; /* stays so for a link to nowhere: reading it says so */
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", dir, file->name);
	take_stamp(path, &stamp);
	bool is_same = same_stamp(&stamp, &file->stamp);
	if (is_same && !file->is_fresh) {
		return false;
	}
	bool was_told = is_same && file->is_bad;
	file->stamp = stamp;
	file->is_fresh = !is_same;
	int r = key_holder_read(path, &holder, &error);
	file->is_bad = r < 0;
	if (r == 0) {
		return replace_holder(file, holder, listener);
	}
	if (!was_told) {
		listener->ignored(listener->owner, error.text, file->holder != NULL);
	}
	return false;
}

static void forget_file(struct key_file *file)
{
	free(file->name);
	key_holder_free(file->holder);
}

/* ---- all of them */

static int by_key_text(const void *a, const void *b)
{
	const struct key_holder *const *left = a;
	const struct key_holder *const *right = b;
	int order = strcmp((*left)->key.text, (*right)->key.text);

	return order != 0 ? order : strcmp((*left)->name, (*right)->name);
}

/* Of two files with one key the first by name counts: which rights hold must not depend on chance. */
static void drop_doubles(struct keyring *keyring, const struct keyring_listener *listener)
{
	char why[3 * PATH_MAX];
	size_t kept = 0;

	for (size_t i = 0; i < keyring->key_count; i++) {
		struct key_holder *holder = keyring->by_key[i];
		struct key_holder *before = kept > 0 ? keyring->by_key[kept - 1] : NULL;
		if (before == NULL || strcmp(before->key.text, holder->key.text) != 0) {
			keyring->by_key[kept++] = holder;
			continue;
		}
		snprintf(why, sizeof why, "%s/%s.pub: [key] public: %s.pub has the same key",
			keyring->dir, holder->name, before->name);
		listener->ignored(listener->owner, why, false);
	}
	keyring->key_count = kept;
}

static int index_keys(struct keyring *keyring, const struct keyring_listener *listener)
{
	struct key_holder **by_key = calloc(keyring->file_count + 1, sizeof(struct key_holder *));
	if (by_key == NULL) {
		return -ENOMEM;
	}
	free(keyring->by_key);
	keyring->by_key = by_key;
	keyring->key_count = 0;
	for (size_t i = 0; i < keyring->file_count; i++) {
		if (keyring->files[i].holder != NULL) {
			by_key[keyring->key_count++] = keyring->files[i].holder;
		}
	}
	qsort(by_key, keyring->key_count, sizeof *by_key, by_key_text);
	drop_doubles(keyring, listener);
	return 0;
}

/* Takes over what was known of the files that are still there; both lists are sorted by name. */
static bool merge(struct keyring *keyring, struct dirent **names, size_t count,
	struct key_file *files, const struct keyring_listener *listener)
{
	bool changed = false;
	size_t old = 0;

	for (size_t i = 0; i < count || old < keyring->file_count;) {
		struct key_file *known = old < keyring->file_count ? &keyring->files[old] : NULL;
		int order = known == NULL ? -1
			    : i == count  ? 1
					  : strcmp(names[i]->d_name, known->name);
		if (order > 0) {
			changed |= known->holder != NULL;
			if (known->holder != NULL) {
				listener->removed(listener->owner, known->holder);
			}
			forget_file(known);
			old++;
			continue;
		}
		if (order == 0) {
			files[i] = *known;
			old++;
		} else {
			files[i].name = strdup(names[i]->d_name);
			files[i].is_fresh = true;
		}
		i++;
	}
	return changed;
}

static bool has_all_names(const struct key_file *files, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (files[i].name == NULL) {
			return false;
		}
	}
	return true;
}

static int look(struct keyring *keyring, const struct keyring_listener *listener, bool *ret_changed,
	struct config_error *error)
{
	struct dirent **names = NULL;

	int count = list_dir(keyring->dir, &names, error);
	if (count < 0) {
		return count;
	}
	struct key_file *files = calloc((size_t)count + 1, sizeof *files);
	if (files == NULL) {
		free_names(names, count);
		config_fail(error, "out of memory");
		return -ENOMEM;
	}
	bool changed = merge(keyring, names, (size_t)count, files, listener);
	free_names(names, count);
	free(keyring->files);
	keyring->files = files;
	keyring->file_count = (size_t)count;
	if (!has_all_names(files, keyring->file_count)) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < keyring->file_count; i++) {
		changed |= refresh_file(keyring->dir, &files[i], listener);
	}
	*ret_changed = changed;
	return changed ? index_keys(keyring, listener) : 0;
}

/* The same files as before, then: the next of them that may have been written in place. */
static int look_shortly(
	struct keyring *keyring, const struct keyring_listener *listener, bool *ret_changed)
{
	size_t count =
		keyring->file_count < KEYRING_LOOK_FILES ? keyring->file_count : KEYRING_LOOK_FILES;
	bool changed = false;

	for (size_t i = 0; i < count; i++) {
		struct key_file *file = &keyring->files[keyring->next_file++ % keyring->file_count];
		changed |= refresh_file(keyring->dir, file, listener);
	}
	*ret_changed = changed;
	return changed ? index_keys(keyring, listener) : 0;
}

/* Every file that comes, goes or is renamed changes the directory's own time. */
static bool dir_is_as_before(struct keyring *keyring)
{
	struct stamp stamp = {0};

	take_stamp(keyring->dir, &stamp);
	bool is_same = same_stamp(&stamp, &keyring->dir_stamp);
	bool is_settled = is_same && !keyring->is_dir_fresh && !keyring->is_dir_bad;
	keyring->dir_stamp = stamp;
	keyring->is_dir_fresh = !is_same;
	return is_settled;
}

int keyring_refresh(
	struct keyring *keyring, bool all_files, const struct keyring_listener *listener)
{
	struct config_error error;
	bool changed = false;

	bool is_short = dir_is_as_before(keyring) && !all_files;
	int r = is_short ? look_shortly(keyring, listener, &changed)
			 : look(keyring, listener, &changed, &error);
	if (r == -ENOMEM) {
		return r;
	}
	if (r < 0 && !keyring->is_dir_bad) {
		listener->ignored(listener->owner, error.text, true);
	}
	keyring->is_dir_bad = r < 0;
	return r == 0 && changed ? KEYRING_E_CHANGED : 0;
}

/* ---- opening: the first complaint is an error */

struct opening {
	struct config_error *error;
	bool has_failed;
};

static void take_silently(void *owner, const struct key_holder *holder)
{
	(void)owner, (void)holder;
}

static void fail_on_complaint(void *owner, const char *why, bool is_old_kept)
{
	struct opening *opening = owner;

	(void)is_old_kept;
	if (!opening->has_failed) {
		config_fail(opening->error, "%s", why);
	}
	opening->has_failed = true;
}

int keyring_open(const char *dir, struct keyring **ret_keyring, struct config_error *error)
{
	struct opening opening = {.error = error};
	const struct keyring_listener listener = {
		&opening, take_silently, take_silently, take_silently, fail_on_complaint};
	struct keyring *keyring = calloc(1, sizeof *keyring);
	bool changed = false;

	int r = keyring == NULL || (keyring->dir = strdup(dir)) == NULL ? -ENOMEM : 0;
	if (r == 0) {
		r = look(keyring, &listener, &changed, error);
	}
	if (r == 0 && opening.has_failed) {
		r = -EINVAL;
	}
	if (r < 0) {
		keyring_free(keyring);
		return r;
	}
	*ret_keyring = keyring;
	return 0;
}

struct keyring *keyring_free(struct keyring *keyring)
{
	if (keyring == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < keyring->file_count; i++) {
		forget_file(&keyring->files[i]);
	}
	free(keyring->files);
	free(keyring->by_key);
	free(keyring->dir);
	free(keyring);
	return NULL;
}

/* ---- asking */

static int compare_key(const void *key, const void *entry)
{
	const struct key_holder *const *holder = entry;

	return strcmp(key, (*holder)->key.text);
}

const struct key_holder *keyring_find(const struct keyring *keyring, const char *key)
{
	struct key_holder *const *found =
		keyring->key_count == 0 ? NULL
					: bsearch(key, keyring->by_key, keyring->key_count,
						  sizeof *keyring->by_key, compare_key);
	return found != NULL ? *found : NULL;
}

const struct key_holder *keyring_holder(const struct keyring *keyring, const char *user_id)
{
	static char all[] = "*";
	static const struct key_holder anybody = {.name = "anybody",
		.edges = all,
		.views = all,
		.stores = all,
		.sends = true,
		.is_admin = true};

	return keyring == NULL ? &anybody : keyring_find(keyring, user_id);
}

size_t keyring_count(const struct keyring *keyring)
{
	return keyring->key_count;
}

size_t keyring_bad_count(const struct keyring *keyring)
{
	size_t count = 0;

	for (size_t i = 0; i < keyring->file_count; i++) {
		count += keyring->files[i].is_bad;
	}
	return count;
}
