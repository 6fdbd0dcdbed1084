/* The files that are known, by inode, and their groups, by path; which of them are open. */
#include "edge/tail_internal.h"
#include "proto/checksum.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* ---- files */

static struct tail_file **bucket_of(struct tail *tail, uint64_t device, uint64_t inode)
{
	return &tail->buckets[(inode ^ device * 31) % TAIL_BUCKETS];
}

struct tail_file *tail_find(const struct tail *tail, uint64_t device, uint64_t inode)
{
	struct tail_file *file = tail->buckets[(inode ^ device * 31) % TAIL_BUCKETS];

	while (file != NULL && (file->inode != inode || file->device != device)) {
		file = file->same_hash;
	}
	return file;
}

int tail_add_file(struct tail *tail, struct tail_group *group, const char *path,
	const struct tail_stat *stat, struct tail_file **ret_file)
{
	struct tail_file **bucket = bucket_of(tail, stat->device, stat->inode);
	struct tail_file *file = calloc(1, sizeof *file);
	char *copy = strdup(path);

	if (file == NULL || copy == NULL) {
		free(file);
		free(copy);
		return -ENOMEM;
	}
	*file = (struct tail_file){.next = group->files,
		.same_hash = *bucket,
		.group = group,
		.path = copy,
		.device = stat->device,
		.inode = stat->inode,
		.size = stat->size,
		.known_size = stat->size,
		.mtime_ns = stat->mtime_ns,
		.handle = -1,
		.grown_ms = tail->now_ms};
	*bucket = file;
	group->files = file;
	tail->file_count++;
	*ret_file = file;
	return 0;
}

int tail_drop_file(struct tail *tail, struct tail_file *file)
{
	struct tail_group *group = file->group;
	struct tail_file **at = &group->files;
	void *keys = realloc(group->dead_keys, (group->dead_count + 1) * TAIL_KEY_SIZE);

	assert(!file->in_flight);
	if (keys == NULL) {
		return -ENOMEM;
	}
	group->dead_keys = keys;
	tail_key(group->path, file->device, file->inode, group->dead_keys[group->dead_count++]);
	group->changed = true;
	while (*at != file) {
		at = &(*at)->next;
	}
	*at = file->next;
	at = bucket_of(tail, file->device, file->inode);
	while (*at != file) {
		at = &(*at)->same_hash;
	}
	*at = file->same_hash;
	tail_close_file(tail, file);
	free(file->path);
	free(file);
	tail->file_count--;
	return 0;
}

void tail_close_file(struct tail *tail, struct tail_file *file)
{
	if (file->handle >= 0) {
		tail->options.disk.close(tail->options.disk.owner, file->handle);
		file->handle = -1;
		tail->open_count--;
	}
}

/* What has a name can be opened again. */
static void close_one(struct tail *tail)
{
	struct tail_file *oldest = NULL;

	for (struct tail_group *group = tail->groups; group != NULL; group = group->next) {
		for (struct tail_file *file = group->files; file != NULL; file = file->next) {
			if (file->handle >= 0 && file->role != TAIL_GONE && file->sighted &&
				(oldest == NULL || file->read_ms < oldest->read_ms)) {
				oldest = file;
			}
		}
	}
	if (oldest != NULL) {
		tail_close_file(tail, oldest);
	}
}

int tail_open_file(struct tail *tail, struct tail_file *file)
{
	const struct tail_disk *disk = &tail->options.disk;
	struct tail_stat stat;

	if (file->handle >= 0) {
		return 0;
	}
	if (tail->open_count >= TAIL_OPEN_MAX) {
		close_one(tail);
	}
	int handle = disk->open(disk->owner, file->path);
	if (handle < 0) {
		return handle;
	}
	int r = disk->stat(disk->owner, handle, &stat);
	if (r == 0 && (stat.device != file->device || stat.inode != file->inode)) {
		tail->woken = true;
		r = -ESTALE;
	}
	if (r < 0) {
		disk->close(disk->owner, handle);
		return r;
	}
	file->handle = handle;
	tail->open_count++;
	return 0;
}

void tail_reset_file(struct tail_file *file)
{
	file->stage = TAIL_NEW;
	file->is_judged = false;
	file->is_found = false;
	file->position = (struct tail_position){0};
	file->idle_size = 0;
	file->skip_offset = 0;
	file->is_stuck = false;
	tail_mark_changed(file);
}

void tail_mark_changed(struct tail_file *file)
{
	file->changed = true;
	file->group->changed = true;
}

/* ---- groups */

static struct tail_group **group_bucket(struct tail *tail, const char *path)
{
	return &tail->group_buckets[checksum_crc32c(0, path, strlen(path)) % TAIL_GROUP_BUCKETS];
}

struct tail_group *tail_find_group(struct tail *tail, const char *path)
{
	struct tail_group *group = *group_bucket(tail, path);

	while (group != NULL && strcmp(group->path, path) != 0) {
		group = group->same_hash;
	}
	return group;
}

int tail_add_group(struct tail *tail, const char *path, struct tail_group **ret_group)
{
	const struct tail_disk *disk = &tail->options.disk;
	struct tail_group **bucket = group_bucket(tail, path);
	struct tail_group *group = calloc(1, sizeof *group);

	if (group == NULL) {
		return -ENOMEM;
	}
	assert(strlen(path) < sizeof group->path);
	strcpy(group->path, path);
	group->is_wanted = disk->wants(disk->owner, path);
	group->next = tail->groups;
	group->same_hash = *bucket;
	tail->groups = group;
	*bucket = group;
	tail->group_count++;
	*ret_group = group;
	return 0;
}
