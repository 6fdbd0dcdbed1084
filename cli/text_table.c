#include "cli/text_table.h"

#include <string.h>

enum { TEXT_TABLE_SIZE_MAX = 16 * 1024 * 1024 };

void text_table_init(struct text_table *table, uint32_t column_count)
{
	*table = (struct text_table){.cell_width_max = TEXT_TABLE_CELL_WIDTH_MAX,
		.column_count = column_count < TEXT_TABLE_COLUMNS_MAX ? column_count
								      : TEXT_TABLE_COLUMNS_MAX};
	buffer_init(&table->cells, TEXT_TABLE_SIZE_MAX);
}

void text_table_deinit(struct text_table *table)
{
	buffer_deinit(&table->cells);
}

void text_table_add(struct text_table *table, struct slice cell)
{
	for (size_t i = 0; i < cell.size; i++) {
		bool control = cell.bytes[i] < ' ' || cell.bytes[i] == 0x7f;
		buffer_append_byte(&table->cells, control ? '?' : cell.bytes[i]);
	}
	buffer_append_byte(&table->cells, '\0');
	table->cell_count++;
}

void text_table_add_text(struct text_table *table, const char *cell)
{
	text_table_add(table, slice_of_text(cell));
}

static bool begins_character(char byte)
{
	return ((unsigned char)byte & 0xc0) != 0x80;
}

/* Characters, not bytes: near enough to columns for what ids and names hold. */
static int width_of(const char *text, int width_max)
{
	int width = 0;

	for (; *text != '\0'; text++) {
		width += begins_character(*text);
	}
	return width < width_max ? width : width_max;
}

/* Bytes of the first `width` characters. */
static int bytes_of(const char *text, int width)
{
	int at = 0;

	for (; text[at] != '\0'; at++) {
		if (begins_character(text[at]) && width-- == 0) {
			break;
		}
	}
	return at;
}

static void print_cell(
	const struct text_table *table, uint32_t column, int width, const char *cell, FILE *out)
{
	bool right = table->right[column];
	int bytes = (int)strlen(cell);
	int pad = width - width_of(cell, table->cell_width_max);
	const char *end = "";

	if (bytes_of(cell, table->cell_width_max) < bytes) {
		bytes = bytes_of(cell, table->cell_width_max - 1);
		end = "…";
	}
	fprintf(out, "%*s%.*s%s", right ? pad : 0, "", bytes, cell, end);
	if (column + 1 < table->column_count) {
		fprintf(out, "%*s", (right ? 0 : pad) + 2, "");
	} else {
		fputc('\n', out);
	}
}

int text_table_print(const struct text_table *table, FILE *out)
{
	int widths[TEXT_TABLE_COLUMNS_MAX] = {0};
	const char *cell = (const char *)table->cells.bytes;

	if (table->cells.error != 0) {
		return table->cells.error;
	}
	for (uint32_t i = 0; i < table->cell_count; i++, cell += strlen(cell) + 1) {
		int width = width_of(cell, table->cell_width_max);
		int *widest = &widths[i % table->column_count];
		*widest = width > *widest ? width : *widest;
	}
	cell = (const char *)table->cells.bytes;
	for (uint32_t i = 0; i < table->cell_count; i++, cell += strlen(cell) + 1) {
		uint32_t column = i % table->column_count;
		print_cell(table, column, widths[column], cell, out);
	}
	return 0;
}
