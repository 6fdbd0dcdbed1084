/* column_value.h - one column of a changed row, written as an event's field: decimals as their digits, times as text, the
 * rest as it is. What might be read in two ways is refused with the name of the setting that says which. Pure. */
#pragma once
#include "proto/column_type.h"
#include "proto/writer.h"

/* What the field that the column becomes is to till. */
enum column_use {
	COLUMN_CARRIED, /* a foreign field, an id, text */
	COLUMN_AS_MONEY,
	COLUMN_AS_QUANTITY,
	COLUMN_AS_TIME,
};
enum column_use column_use_of(struct slice field_name);

struct column {
	struct slice name; /* as the table has it */
	enum column_use use;
	struct column_type type;
	const struct node *value; /* JSON; not nil */
};

/* 0 or a reason with the complaint; after a reason the buffer's new bytes mean nothing. */
int column_write(const struct column *column, struct writer *writer, struct complaint *complaint);
