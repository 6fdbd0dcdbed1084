/* drop_folder.h - the folder that files are dropped into, with done/ and failed/ in it: listing, opening, and moving what is
 * through, each step durable before the next. Never follows a symlink. Blocks for a disk's fsync at most. One thread. */
#pragma once
#include "proto/slice.h"

struct drop_folder;

enum drop_place { DROP_INBOX, DROP_PLACE_DONE, DROP_PLACE_FAILED, DROP_PLACES };

struct drop_stat {
	uint64_t device, inode, size;
	int64_t mtime_ns;
	int64_t ctime_ns; /* the last change of anything about it */
};

/* done/ and failed/ are made when they are missing. 0 or -errno. */
int drop_folder_new(const char *path, struct drop_folder **ret_folder);
struct drop_folder *drop_folder_free(struct drop_folder *folder);

/* Looks at up to `most` more names and shows what is a regular file. 0: go on; 1: that was the end; -errno. */
int drop_folder_list(struct drop_folder *folder, uint32_t most, void *to,
	int (*show)(void *to, const char *name, const struct drop_stat *stat));
/* From the beginning again. */
int drop_folder_rewind(struct drop_folder *folder);

/* A descriptor, or -errno; -EINVAL: no regular file. */
int drop_folder_open(const struct drop_folder *folder, const char *name);
int drop_folder_stat(int fd, struct drop_stat *ret_stat);
bool drop_folder_has(const struct drop_folder *folder, enum drop_place place, const char *name);
/* Whether this very file stands there. */
bool drop_folder_holds(const struct drop_folder *folder, enum drop_place place, const char *name,
	uint64_t device, uint64_t inode);
/* Writes a file whole or not at all, over one of that name. 0 or -errno. */
int drop_folder_write(const struct drop_folder *folder, enum drop_place place, const char *name,
	struct slice bytes);
/* From the inbox. -EEXIST: the name is taken. */
int drop_folder_move(const struct drop_folder *folder, const char *name, enum drop_place place,
	const char *target);
/* What was moved stays moved. */
int drop_folder_sync(const struct drop_folder *folder, enum drop_place place);

struct drop_census {
	uint64_t files, bytes;
};
/* Counts what is in done/ and failed/, up to `most` more names. 0: go on; 1: ret_census is whole; -errno. */
int drop_folder_count(
	struct drop_folder *folder, uint32_t most, struct drop_census ret_census[DROP_PLACES]);
