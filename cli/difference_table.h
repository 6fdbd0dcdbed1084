/* difference_table.h - how rows of a staged view differ from the live ones, as a table for people. Pure. */
#pragma once
#include "cli/text_table.h"
#include "proto/document.h"

/* `difference`: that of an answer to `staged` with a view. Columns are the group fields, then the measures of both sides, as "live.n"
 * and "staged.n"; a side that has no such row is "-" in all of them. false where there are no rows. The caller ends the table. */
bool difference_table_fill(struct text_table *table, const struct node *difference);
