/* boards.h - the leaders (leaders.h) that a shard keeps, of the views and measures by which somebody asked for the first rows. Each
 * commit leads them on: the committing thread makes the next from those that were handed to it. The loop's thread. */
#pragma once
#include "aggregator/store/succession.h"

enum {
	BOARDS_MAX =
		16, /* then the one goes that nobody has asked for longest: half a megabyte each */
};

struct board {
	struct leaders *leaders; /* one of its holders */
	uint64_t commit; /* whose rows they are */
	uint64_t asked; /* when, in questions */
	/* What the rows of the commit behind it add at most; 0: not known, else its number. */
	uint64_t greatest_of;
	money greatest;
};

struct boards {
	struct board items[BOARDS_MAX];
	size_t count;
	size_t kept; /* of each board: LEADERS_KEPT, or fewer in a test */
	uint64_t questions;
	/* Handed over, until it is known what became of the commit. */
	struct succession successions[BOARDS_MAX];
	size_t handed_count;
};

void boards_deinit(struct boards *boards); /* takes a zeroed one; no commit may be under way */
/* NULL: none is known whose rows are those of this commit, or of the one behind it where that is under way. Borrowed
 * until anything else is done with the boards. */
struct board *boards_find(struct boards *boards, uint32_t view_id, size_t measure,
	uint64_t committed, bool is_handed);
/* `leaders` as commit `commit` leaves them: taken over. */
void boards_keep(struct boards *boards, struct leaders *leaders, uint64_t commit);
void boards_drop(struct boards *boards, struct board *board);
/* Those that this commit leads on: they are read by whoever writes it, until boards_committed. */
void boards_hand_over(struct boards *boards, uint64_t commit);
/* It is on disk. */
void boards_committed(struct boards *boards, uint64_t commit);
