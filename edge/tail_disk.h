/* tail_disk.h - what following files needs of a file system. tail_disk_posix.c is the real one; tests bring their own, whose
 * files are rotated, truncated and lost as a seed says. One thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file, whatever it is called at the moment, and how far it reaches. */
struct tail_stat {
	uint64_t device;
	uint64_t inode;
	uint64_t size;
	int64_t mtime_ns;
};

struct tail_sighting {
	const char *path; /* borrowed for the call */
	int error; /* 0, or -errno: it, or the folder it should be in, can't be looked at; -ENOENT: it is not there */
	struct tail_stat stat; /* when error is 0 */
};
/* 0 or a negative errno that ends the listing. */
typedef int (*tail_sight_fn)(void *to, const struct tail_sighting *sighting);

struct tail_disk {
	void *owner;
	/* Every path that is to be followed; one that is named and not there too. */
	int (*list_live)(void *owner, tail_sight_fn sight, void *to);
	/* Whether it is to be followed at all: positions of paths that are not configured any more are only kept. */
	bool (*wants)(void *owner, const char *path);
	/* What `path` was before it was rotated away. */
	int (*list_rotated)(void *owner, const char *path, tail_sight_fn sight, void *to);
	/* A handle ≥ 0, or -errno. */
	int (*open)(void *owner, const char *path);
	int (*stat)(void *owner, int handle, struct tail_stat *ret_stat);
	/* Fewer bytes only at the file's end. -errno. */
	int64_t (*read)(void *owner, int handle, uint64_t offset, void *bytes, size_t size);
	/* From `offset` on, where there are bytes and no hole; the file's size when nowhere. */
	uint64_t (*next_data)(void *owner, int handle, uint64_t offset);
	void (*close)(void *owner, int handle);
};
