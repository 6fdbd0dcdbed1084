#include "cli/sql_table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sql_name(const char *text, char out[SQL_NAME_SIZE])
{
	size_t size = 0;

	if (text[0] >= '0' && text[0] <= '9') {
		out[size++] = '_'; /* no name begins with a digit */
	}
	for (; *text != '\0' && size < SQL_NAME_SIZE; text++) {
		char byte = *text;
		bool is_large = byte >= 'A' && byte <= 'Z';
		bool is_kept = is_large || (byte >= 'a' && byte <= 'z') ||
			       (byte >= '0' && byte <= '9') || (byte & 0x80) != 0;
		out[size++] = (char)(!is_kept ? '_' : is_large ? byte - 'A' + 'a' : byte);
	}
	if (size == SQL_NAME_SIZE || size == 0) {
		return false;
	}
	out[size] = '\0';
	return true;
}

static int fail(struct sql_table_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int fail(struct sql_table_error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->text, sizeof error->text, format, arguments);
	va_end(arguments);
	return SQL_TABLE_E_NAME;
}

int sql_table_init(struct sql_table *table, const char *name, struct sql_table_error *error)
{
	*table = (struct sql_table){.column_count = 0};
	if (!sql_name(name, table->name)) {
		return fail(error, "\"%.100s\" is no name of a table: 1 to 63 bytes", name);
	}
	return 0;
}

void sql_table_deinit(struct sql_table *table)
{
	free(table->columns);
	*table = (struct sql_table){.column_count = 0};
}

int sql_table_add_column(struct sql_table *table, const char *name, struct sql_table_error *error)
{
	struct sql_column column = {.types = CELL_TYPES_ALL};
	size_t count = table->column_count;

	if (!sql_name(name, column.name)) {
		return fail(error, "\"%.100s\" is no name of a column: 1 to 63 bytes", name);
	}
	for (uint32_t i = 0; i < count; i++) {
		if (strcmp(table->columns[i].name, column.name) == 0) {
			return fail(error, "two columns would be %s", column.name);
		}
	}
	struct sql_column *columns = realloc(table->columns, (count + 1) * sizeof *columns);
	if (columns == NULL) {
		return -ENOMEM;
	}
	table->columns = columns;
	columns[table->column_count++] = column;
	return 0;
}

bool sql_table_find(const struct sql_table *table, const char *column, uint32_t *ret_index)
{
	char name[SQL_NAME_SIZE];

	if (!sql_name(column, name)) {
		return false;
	}
	for (uint32_t i = 0; i < table->column_count; i++) {
		if (strcmp(table->columns[i].name, name) == 0) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

/* numeric(10,2) */
static bool is_scaled_numeric(const char *type)
{
	unsigned precision = 0;
	unsigned scale = 0;
	int end = 0;

	int count = sscanf(type, "numeric(%4u,%4u)%n", &precision, &scale, &end);
	return count == 2 && end > 0 && type[end] == '\0' && precision >= 1 && precision <= 1000 &&
	       scale <= precision;
}

static bool is_type(const char *type)
{
	for (enum cell_type each = CELL_BOOLEAN; each < CELL_TYPE_COUNT; each++) {
		if (strcmp(type, cell_type_name(each)) == 0) {
			return true;
		}
	}
	return is_scaled_numeric(type);
}

bool sql_table_declare(struct sql_table *table, uint32_t column, const char *type)
{
	char *declared = table->columns[column].declared;

	if (!is_type(type) || strlen(type) >= SQL_TYPE_SIZE) {
		return false;
	}
	snprintf(declared, SQL_TYPE_SIZE, "%s", type);
	return true;
}

void sql_table_note(struct sql_table *table, const struct csv_record *record)
{
	for (uint32_t i = 0; i < table->column_count; i++) {
		struct sql_column *column = &table->columns[i];
		if (column->declared[0] == '\0' && column->types != 1u << CELL_TEXT) {
			column->types &= cell_types(record->cells[i]);
		}
	}
}

static void write_name(const char *name, struct buffer *sql)
{
	buffer_append_byte(
		sql, '"'); /* it may be one of SQL's own words; of quotes sql_name left none */
	buffer_append_text(sql, name);
	buffer_append_byte(sql, '"');
}

static void write_key(const struct sql_table *table, struct buffer *sql)
{
	buffer_append_text(sql, ", PRIMARY KEY (");
	for (uint32_t i = 0; i < table->key_count; i++) {
		buffer_append_text(sql, i > 0 ? ", " : "");
		write_name(table->columns[table->key[i]].name, sql);
	}
	buffer_append_byte(sql, ')');
}

void sql_table_write_create(const struct sql_table *table, struct buffer *sql)
{
	buffer_append_text(sql, "CREATE TABLE ");
	write_name(table->name, sql);
	for (uint32_t i = 0; i < table->column_count; i++) {
		const struct sql_column *column = &table->columns[i];
		const char *inferred = cell_type_name(cell_type_choose(column->types));
		buffer_append_text(sql, i > 0 ? ", " : " (");
		write_name(column->name, sql);
		buffer_append_byte(sql, ' ');
		buffer_append_text(sql, column->declared[0] != '\0' ? column->declared : inferred);
	}
	if (table->key_count > 0) {
		write_key(table, sql);
	}
	buffer_append_byte(sql, ')');
}

void sql_table_write_copy(const struct sql_table *table, struct buffer *sql)
{
	buffer_append_text(sql, "COPY ");
	write_name(table->name, sql);
	for (uint32_t i = 0; i < table->column_count; i++) {
		buffer_append_text(sql, i > 0 ? ", " : " (");
		write_name(table->columns[i].name, sql);
	}
	buffer_append_text(sql, ") FROM STDIN");
}

static const char *escape_of(uint8_t byte)
{
	switch (byte) {
	case '\\':
		return "\\\\";
	case '\t':
		return "\\t";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	default:
		return NULL;
	}
}

static void write_cell(struct slice cell, struct buffer *rows)
{
	size_t start = 0;

	if (cell.size == 0) {
		buffer_append_text(rows, "\\N");
	}
	for (size_t i = 0; i < cell.size; i++) {
		const char *escape = escape_of(cell.bytes[i]);
		if (escape != NULL) {
			buffer_append(rows, cell.bytes + start, i - start);
			buffer_append_text(rows, escape);
			start = i + 1;
		}
	}
	buffer_append(rows, cell.bytes + start, cell.size - start);
}

void sql_table_write_row(const struct csv_record *record, struct buffer *rows)
{
	for (uint32_t i = 0; i < record->count; i++) {
		if (i > 0) {
			buffer_append_byte(rows, '\t');
		}
		write_cell(record->cells[i], rows);
	}
	buffer_append_byte(rows, '\n');
}
