/* spool_content.h - what a spool's tables must hold, row by row as a walk over the file meets them (runtime/page_walk.h). Events'
 * bytes are not looked at: they are checked when they are sent, and set aside one block at a time. What can't be set aside must
 * be right: a producer whose name is damaged would be taken for a new one, and what it repeats would be counted twice. Pure. */
#pragma once
#include "edge/spool_sums.h"

enum {
	SPOOL_CONTENT_E_FOREIGN = 1, /* no spool of till */
	SPOOL_CONTENT_E_VERSION, /* of a later till */
	SPOOL_CONTENT_E_DAMAGED,
	SPOOL_CONTENT_E_LOST, /* rows are missing, or are as they were earlier: spool_content_lost says of which tables */
};

/* Zero-initialised. */
struct spool_content {
	bool is_read_only; /* a tool looks at blocks: what producers sent before does not matter */
	uint64_t transaction; /* LMDB's number of the state that is looked at */
	bool has[SPOOL_TABLE_COUNT];
	bool has_identity, has_sums;
	uint32_t version; /* the identity's */
	int table; /* of the rows to come; -1: not one of ours */
	/* Event ids lie in two tables; both must name the same. */
	uint64_t ids, id_sum, orders, order_sum;
	struct spool_sums told;
	struct spool_sum found[SPOOL_TABLES_SUMMED];
};

int spool_content_table(struct spool_content *content, struct slice name);
/* A row among the names of tables. */
int spool_content_note(struct spool_content *content, struct slice key, struct slice value);
int spool_content_row(struct spool_content *content, struct slice key, struct slice value);
/* After all rows. */
int spool_content_end(const struct spool_content *content);
/* A bit for each enum spool_table whose rows don't add up. */
uint32_t spool_content_lost(const struct spool_content *content);
