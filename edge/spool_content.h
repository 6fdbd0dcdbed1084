/* spool_content.h - what a spool's tables must hold, row by row as a walk over the file meets them (runtime/page_walk.h). Events'
 * bytes are not looked at: they are checked when they are sent, and set aside one block at a time. What can't be set aside must
 * be right: a producer whose name is damaged would be taken for a new one, and what it repeats would be counted twice. Pure. */
#pragma once
#include "proto/slice.h"
#include <stdbool.h>
#include <stdint.h>

enum spool_table {
	SPOOL_TABLE_META,
	SPOOL_TABLE_BLOCKS,
	SPOOL_TABLE_CORRUPT,
	SPOOL_TABLE_PRODUCERS,
	SPOOL_TABLE_EVENT_IDS,
	SPOOL_TABLE_EVENT_ID_ORDER,
	SPOOL_TABLE_MARKS,
	SPOOL_TABLE_COUNT,
};

enum {
	SPOOL_CONTENT_E_FOREIGN = 1, /* no spool of till */
	SPOOL_CONTENT_E_VERSION, /* of a later till */
	SPOOL_CONTENT_E_DAMAGED,
};

/* Zero-initialised. */
struct spool_content {
	bool is_read_only; /* a tool looks at blocks: what producers sent before does not matter */
	bool has[SPOOL_TABLE_COUNT];
	bool has_identity;
	int table; /* of the rows to come; -1: not one of ours */
	/* Event ids lie in two tables; both must name the same. */
	uint64_t ids, id_sum, orders, order_sum;
};

int spool_content_table(struct spool_content *content, struct slice name);
int spool_content_row(struct spool_content *content, struct slice key, struct slice value);
/* After all rows. */
int spool_content_end(const struct spool_content *content);
