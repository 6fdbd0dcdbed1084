/* leaders.h - the rows of a view that have most of a sum or a count, as one commit left them: every row that has more than `floor` is
 * among them, and no other. Filled by one thread, in whatever order; once finished it does not change. Pure. */
#pragma once
#include "proto/buffer.h"
#include "proto/money.h"

enum {
	/* A quarter of a megabyte. Far more than anybody asks for: a row from below must pass many before it matters. */
	LEADERS_KEPT = 2048,
};

struct leader {
	money number;
	size_t key_at; /* in `keys` */
	size_t key_size;
};

struct leaders {
	uint32_t view_id;
	size_t measure;
	money floor; /* at least 0, as what is in no row */
	size_t kept; /* at twice as many they are cut to so many, which raises the floor */
	size_t count;
	struct leader *rows; /* owned; the first has most, once finished */
	struct buffer keys;
	size_t holders; /* the loop's count of who looks at them */
};

/* `kept`: LEADERS_KEPT, or fewer in a test. 0 or -ENOMEM. */
int leaders_new(
	uint32_t view_id, size_t measure, money floor, size_t kept, struct leaders **ret_leaders);
struct leaders *leaders_free(struct leaders *leaders);
/* A row, once. What does not reach above the floor is left out. The keys' error tells of failure. */
void leaders_add(struct leaders *leaders, struct slice key, money number);
/* 0, or -ENOMEM when not all that were added are there. */
int leaders_finish(struct leaders *leaders);
struct slice leaders_key(const struct leaders *leaders, size_t index);
