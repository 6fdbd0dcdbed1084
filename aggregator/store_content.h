/* store_content.h - what a store's tables must hold, row by row as a walk over the file meets them (runtime/page_walk.h): every
 * checksum; of each view as many rows, events and hashes as its summary says, and so of entries and positions; in the counted sets as many events as the ledger
 * says. A view that does not fit is named, and the rest can be used; anything else that does not condemns the store. Pure. */
#pragma once
#include "aggregator/ledger.h"
#include "aggregator/store_layout.h"

struct view_content {
	bool is_damaged;
	bool has_summary;
	uint64_t row_count, matched, hash_sum; /* of its rows */
	uint64_t told_row_count, told_matched, told_hash_sum; /* by its summary */
};

struct generation_content {
	uint32_t number; /* 0: this place is free */
	bool has_ledger;
	struct view_content views[VIEWS_MAX];
	struct tally sets[STREAM_KIND_COUNT],
		told[STREAM_KIND_COUNT]; /* by the counted sets, by the ledger */
	struct entry_sums entries, told_entries; /* as they are, by their sums */
	struct entry_sums offsets, told_offsets;
	bool has_offset_sums; /* an older store has none */
};

/* Zero-initialised. */
struct store_content {
	struct store_root root;
	bool has_tables, has_root;
	bool is_meta; /* the table whose rows come */
	enum store_table table;
	struct generation_content *generation; /* of these rows; NULL: nobody reads them */
	struct generation_content generations[GENERATIONS_MAX];
};

int store_content_table(struct store_content *content, struct slice name);
/* 0, STORE_E_CORRUPT, STORE_E_FOREIGN, -errno. */
int store_content_row(struct store_content *content, struct slice key, struct slice sealed);
/* After all rows: 0 with a bit for each damaged view of the live generation, STORE_E_ABSENT (nothing was ever written),
 * STORE_E_CORRUPT, STORE_E_FOREIGN. */
int store_content_end(const struct store_content *content, uint64_t *ret_damaged_views);
