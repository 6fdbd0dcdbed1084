/* entry_forget.h - what becomes of an entry (entries.h) when somebody is forgotten: each space has its owner's rule, for only he
 * knows where a name lies in it. Pure. */
#pragma once
#include "aggregator/entries.h"
#include "aggregator/forgotten.h"

enum entry_fate {
	ENTRY_STAYS,
	ENTRY_CHANGES, /* ret_value has the new value, without his name */
	ENTRY_GOES,
	ENTRY_UNREADABLE, /* nobody knows whose it is */
};

/* Appends to ret_value, whose error tells of failure. */
enum entry_fate entry_forget(const struct forgotten *forgotten, struct slice key,
	struct slice value, struct buffer *ret_value);
