/* answer_table.h - rows of an answer as a table for people. Pure. */
#pragma once
#include "cli/text_table.h"
#include "proto/document.h"

/* An array of maps, or a map of maps (whose keys become the first column, headed `name`). Columns are those of the row
 * that has most of them; a map in a row is columns of its own, as "previous.order_count". Numbers get separators and go to the right: integers, and text of the columns named in `measures` (an array of
 * texts; NULL: none), for ids may look like numbers. false when there are no rows of that form. */
bool answer_table_fill(struct text_table *table, const struct node *rows, const char *name,
	const struct node *measures);
/* A value on one line: text as it is, nothing as "-". Borrows from the node or writes to `out`. */
enum { ANSWER_CELL_SIZE = 96 };
struct slice answer_cell(const struct node *node, bool group, char out[ANSWER_CELL_SIZE]);
/* Is `text` among the texts of the array? */
bool answer_list_has(const struct node *list, struct slice text);
