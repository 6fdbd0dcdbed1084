/* store_content.h - what a store's tables must hold, row by row as a walk over the file meets them (runtime/page_walk.h): every
 * checksum; of each view as many rows, members, events and hashes as its summary says; of each other table what the sums of the last
 * transaction say (store_sums.h), where there are any; in the counted sets as many events as the ledger says. A view that does not fit
 * is named, and the rest can be used. Records of the quarantine, by which nothing is counted, are left to the slow walk. Anything else
 * that does not fit condemns the store. Pure. */
#pragma once
#include "aggregator/books/ledger.h"
#include "aggregator/store/store_layout.h"

struct view_content {
	bool is_damaged;
	struct table_sum rows, members;
	struct table_sum told_rows, told_members; /* by its summary */
	uint64_t matched, told_matched;
};

struct generation_content {
	uint32_t number; /* 0: this place is free */
	bool has_ledger;
	struct view_content views[VIEWS_MAX];
	struct tally sets[STREAM_KIND_COUNT],
		told[STREAM_KIND_COUNT]; /* by the counted sets, by the ledger */
	struct table_sum tables[TABLE_COUNT]; /* as they are */
};

/* Zero-initialised but for `transaction`. */
struct store_content {
	uint64_t transaction; /* the file's newest */
	struct store_root root;
	bool has_tables, has_root, has_sums;
	struct store_sums told;
	struct table_sum meta;
	bool is_meta; /* the table whose rows come */
	enum store_table table;
	struct generation_content *generation; /* of these rows; NULL: nobody reads them */
	struct generation_content generations[GENERATIONS_MAX];
};

int store_content_table(struct store_content *content, struct slice name);
/* 0, STORE_E_CORRUPT, STORE_E_FOREIGN, -errno. */
int store_content_row(struct store_content *content, struct slice key, struct slice sealed);
/* A row among the names of tables. 0 or STORE_E_CORRUPT. */
int store_content_note(struct store_content *content, struct slice key, struct slice sealed);
/* After all rows: 0 with a bit for each damaged view of the live generation, STORE_E_ABSENT (nothing was ever written),
 * STORE_E_CORRUPT, STORE_E_FOREIGN. */
int store_content_end(struct store_content *content, uint64_t *ret_damaged_views);
