/* expiry.h - how far one shard has got in deleting rows that have ended (view_retain.h). Each commit deletes some, so that
 * no transaction grows with what has piled up; until then they are hidden from answers. Lost with the process: the
 * next one looks through the views again. */
#pragma once
#include "aggregator/view/row_key.h"
#include "aggregator/view/view.h"

enum {
	/* Rows and members that one commit looks at: with what it writes itself it stays well below the changed pages that
	 * LMDB can keep (pipeline.c), and takes some 50 ms. */
	EXPIRY_STEPS_MAX = 20000,
};

struct expiry {
	bool is_behind; /* there may be more to delete: another commit, please */
	uint64_t damaged; /* a bit for each view with rows that can't be read: left alone */
	uint32_t view_id; /* of the walk under way */
	int64_t cutoff; /* what it began with */
	struct row_key key; /* where it goes on; size 0: no walk is under way */
	int64_t done[VIEWS_MAX]; /* by view: everything before this is deleted */
};

void expiry_init(struct expiry *expiry, const struct view_set *views);
