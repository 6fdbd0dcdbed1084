/* text_table.h - columns for people: as wide as needed, numbers to the right. Pure. Cells are copied. One thread. */
#pragma once
#include "proto/buffer.h"
#include <stdio.h>

enum {
	TEXT_TABLE_COLUMNS_MAX = 80 /* a view's row with a table's, compared */,
	TEXT_TABLE_CELL_WIDTH_MAX = 40
};

struct text_table {
	uint32_t column_count;
	uint32_t cell_count;
	int cell_width_max; /* set it after text_table_init when TEXT_TABLE_CELL_WIDTH_MAX is not right */
	bool right[TEXT_TABLE_COLUMNS_MAX]; /* aligned to the right; set them before printing */
	struct buffer cells; /* texts, each ended by a NUL */
};

void text_table_init(struct text_table *table, uint32_t column_count);
void text_table_deinit(struct text_table *table);
/* Row by row, the headings first. Control characters become '?'. */
void text_table_add(struct text_table *table, struct slice cell);
void text_table_add_text(struct text_table *table, const char *cell);
/* What is wider than cell_width_max is cut and ends in "…". 0 or -ENOMEM, when a cell found no room. */
int text_table_print(const struct text_table *table, FILE *out);
