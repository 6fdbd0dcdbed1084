/* The first look at a store's file, in a child process: a disk that can't be read kills who maps it, and whatever a broken file
 * does to the one that looks, the aggregator goes on and says so. Every page that is in use is read, and every row (store_content.h),
 * as fast as the disk gives them. */
#include "aggregator/store/store_content.h"
#include "runtime/file_map.h"
#include "runtime/look_child.h"
#include "runtime/page_walk.h"
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
	CHILD_ERRNO = 64, /* and an errno: its exit code when it could not see the file */
	CONTENT = 100, /* what store_content.h says, behind what page_walk.h says */
};

static int take_table(void *owner, struct page_bytes name)
{
	return store_content_table(owner, slice_of(name.bytes, name.size));
}

static int take_row(void *owner, struct page_bytes key, struct page_bytes value)
{
	int r = store_content_row(
		owner, slice_of(key.bytes, key.size), slice_of(value.bytes, value.size));
	return r > 0 ? r + CONTENT : r;
}

static int take_note(void *owner, struct page_bytes key, struct page_bytes value)
{
	int r = store_content_note(
		owner, slice_of(key.bytes, key.size), slice_of(value.bytes, value.size));
	return r > 0 ? r + CONTENT : r;
}

static uint64_t newest_transaction(const struct file_map *map)
{
	struct page_walk_newest newest = {0};
	size_t size = map->size < PAGE_WALK_HEAD_SIZE ? map->size : PAGE_WALK_HEAD_SIZE;

	return page_walk_newest(map->bytes, size, &newest) ? newest.transaction : 0;
}

static int look_at(const struct file_map *map, uint64_t *ret_damaged_views)
{
	static struct store_content content;
	const struct page_visitor visitor = {
		.owner = &content, .table = take_table, .row = take_row, .note = take_note};
	const struct page_walk_file file = {
		.bytes = map->bytes, .size = map->size, .transaction = PAGE_WALK_NEWEST};
	const char *why = "";

	content.transaction = newest_transaction(map);
	int r = page_walk(&file, &visitor, &why);
	switch (r) {
	case 0:
		return store_content_end(&content, ret_damaged_views);
	case PAGE_WALK_E_FOREIGN:
		return STORE_E_FOREIGN;
	case PAGE_WALK_E_DAMAGED:
		return STORE_E_CORRUPT;
	default:
		return r > CONTENT ? r - CONTENT : r;
	}
}

static int look(const char *path, uint64_t *ret_damaged_views)
{
	struct file_map map;

	int r = file_map_open(path, &map);
	if (r == 0) {
		r = look_at(&map, ret_damaged_views);
		file_map_close(&map);
	}
	return r;
}

struct place {
	const char *path;
	uint64_t *ret_damaged_views; /* shared with the parent */
};

static int look_in_child(void *owner)
{
	const struct place *place = owner;
	int r = look(place->path, place->ret_damaged_views);
	return r >= 0 ? r : CHILD_ERRNO - r;
}

static bool is_unborn(const char *path)
{
	struct stat status;
	return stat(path, &status) != 0 ? errno == ENOENT : status.st_size == 0;
}

static int finding_of(int code)
{
	if (code == LOOK_CRASHED) {
		return STORE_E_CORRUPT;
	}
	return code > CHILD_ERRNO ? CHILD_ERRNO - code : code;
}

int store_look(const char *dir, uint64_t *ret_damaged_views)
{
	char path[4096];

	if (snprintf(path, sizeof path, "%s/data.mdb", dir) >= (int)sizeof path) {
		return -ENAMETOOLONG;
	}
	if (is_unborn(path)) {
		return STORE_E_ABSENT;
	}
	uint64_t *found = mmap(
		NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (found == MAP_FAILED) {
		return -errno;
	}
	int r = finding_of(look_child_run(look_in_child, &(struct place){path, found}));
	if (r == 0) {
		*ret_damaged_views = *found;
	}
	munmap(found, sizeof *found);
	return r;
}
