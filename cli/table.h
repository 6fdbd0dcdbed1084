/* table.h - columns for people: as wide as needed, numbers to the right. Pure. Cells are copied. One thread. */
#pragma once
#include "proto/buffer.h"
#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 32, TABLE_CELL_WIDTH_MAX = 40 };

struct table {
	uint32_t column_count;
	uint32_t cell_count;
	bool right[TABLE_COLUMNS_MAX]; /* aligned to the right; set them before printing */
	struct buffer cells; /* texts, each ended by a NUL */
};

void table_init(struct table *table, uint32_t column_count);
void table_deinit(struct table *table);
/* Row by row, the headings first. Control characters become '?'. */
void table_add(struct table *table, struct slice cell);
void table_add_text(struct table *table, const char *cell);
/* What is wider than TABLE_CELL_WIDTH_MAX is cut and ends in "…". 0 or -ENOMEM, when a cell found no room. */
int table_print(const struct table *table, FILE *out);
