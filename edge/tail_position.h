/* tail_position.h - how far a file was read, and how to know it again: its first bytes and those before the position. A file
 * that has been emptied and written anew, or that got another's inode, does not have them. One thread. */
#pragma once
#include "edge/tail_disk.h"
#include "proto/buffer.h"

enum {
	TAIL_HEAD_SIZE_MAX = 256,
	TAIL_ANCHOR_SIZE_MAX = 256,
	TAIL_PATH_SIZE_MAX = 1024, /* a position is a mark, and marks end at 4 KiB */
};

struct tail_position {
	uint64_t offset;
	uint64_t names_hash; /* CSV: of the line that names the columns; 0: not read */
	uint32_t head_size; /* min(offset, TAIL_HEAD_SIZE_MAX) */
	uint32_t anchor_checksum; /* of the min(offset, TAIL_ANCHOR_SIZE_MAX) bytes before offset */
	uint8_t head[TAIL_HEAD_SIZE_MAX];
};

/* At `offset` of an open file. 0, -EIO when the file is shorter, -errno. */
int tail_position_take(const struct tail_disk *disk, int handle, uint64_t offset,
	struct tail_position *ret_position);
/* 0: what was read before the position is still there. TAIL_E_OTHER: the file holds something else. -errno. */
enum { TAIL_E_OTHER = 1 };
int tail_position_check(
	const struct tail_disk *disk, int handle, const struct tail_position *position);
/* What is remembered of a file. */
struct tail_mark {
	const char *path; /* of the group; borrowed */
	uint64_t size; /* when it was seen last */
	int64_t mtime_ns;
	int64_t vanished_ms; /* wall clock; 0: it is there */
	bool compressed; /* seen, and never to be read */
	struct tail_position position;
};
void tail_mark_encode(const struct tail_mark *mark, struct buffer *buffer);
/* false: none of ours. `path` is copied. */
bool tail_mark_decode(
	struct slice bytes, struct tail_mark *ret_mark, char path[TAIL_PATH_SIZE_MAX]);

enum { TAIL_KEY_SIZE = 25 };
void tail_key(const char *path, uint64_t device, uint64_t inode, uint8_t ret_key[TAIL_KEY_SIZE]);
bool tail_key_read(struct slice key, uint64_t *ret_device, uint64_t *ret_inode);
