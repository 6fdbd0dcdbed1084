/* row_change.h - what a record says of one row of a declared source. A plain value. */
#pragma once
#include "proto/debezium.h"

struct row_change {
	struct slice source; /* the source's name */
	/* Whose row it is, by `change.row`; empty: the row is an event, the reading's. */
	struct slice table;
	struct change change;
	/* Of a plain record: it says nothing of its place, so its place in the log orders it. Its key and row are as they came. */
	bool is_placed_by_log;
	/* The row is no event, and the complaint says why: it counts no more than one that is deleted. */
	bool is_unfit;
};
