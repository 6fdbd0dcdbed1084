/* entry_forget.h - what becomes of an entry (entries.h) when somebody is forgotten: each space has its owner's rule, for only he
 * knows where a name lies in it. Pure. */
#pragma once
#include "aggregator/books/forgotten.h"
#include "aggregator/store/entries.h"
#include "aggregator/view/view.h"

enum entry_fate {
	ENTRY_STAYS,
	ENTRY_CHANGES, /* ret_value has the new value, without his name */
	ENTRY_GOES,
	ENTRY_IS_MARKED, /* a row goes, and what stands in its place is in ret_value */
	ENTRY_IS_RECOUNTED, /* it says how many others there are, and ret_value how many are left */
	ENTRY_UNREADABLE, /* nobody knows whose it is */
};

/* One walk over all entries, in the order of their keys. */
struct entry_sweep {
	const struct forgotten *forgotten; /* borrowed */
	uint64_t table_rows_gone[VIEWS_MAX]; /* so far, by table */
};

/* Appends to ret_value, whose error tells of failure. */
enum entry_fate entry_forget(
	struct entry_sweep *sweep, struct slice key, struct slice value, struct buffer *ret_value);
