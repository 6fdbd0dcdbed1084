/* sql_table.h - a table of PostgreSQL that shall hold a CSV file: its name and columns as SQL writes them, and its rows as
 * COPY takes them. A name is what an unquoted one would be: A to Z become small, whatever is neither a letter, a digit nor an
 * underscore becomes one ("Customer ID": customer_id), and no quotes are needed to ask for it. Pure. One thread. */
#pragma once
#include "cli/cell_type.h"
#include "proto/buffer.h"
#include "proto/csv.h"

enum {
	SQL_NAME_SIZE = 64, /* with its NUL; PostgreSQL cuts at 63 bytes */
	SQL_TYPE_SIZE = 32,
	SQL_KEY_COLUMNS_MAX = 32, /* PostgreSQL's, of an index */
};

enum { SQL_TABLE_E_NAME = 1 /* the error says which */ };

struct sql_column {
	char name[SQL_NAME_SIZE];
	char declared[SQL_TYPE_SIZE]; /* "": the cells decide */
	unsigned types; /* what every cell so far can be */
};

struct sql_table {
	char name[SQL_NAME_SIZE];
	struct sql_column *columns; /* owned */
	uint32_t column_count;
	uint32_t key[SQL_KEY_COLUMNS_MAX]; /* of the columns */
	uint32_t key_count;
};

struct sql_table_error {
	char text[256];
};

/* false: nothing is left of it, or it is over 63 bytes. */
bool sql_name(const char *text, char out[SQL_NAME_SIZE]);

int sql_table_init(struct sql_table *table, const char *name, struct sql_table_error *error);
void sql_table_deinit(struct sql_table *table); /* takes a zeroed one */
/* -ENOMEM too. */
int sql_table_add_column(struct sql_table *table, const char *name, struct sql_table_error *error);
/* `column` as the file or as SQL has it. false: there is none. */
bool sql_table_find(const struct sql_table *table, const char *column, uint32_t *ret_index);
/* boolean, integer, bigint, numeric, numeric(P,S), date, timestamp, timestamptz, text. */
bool sql_table_declare(struct sql_table *table, uint32_t column, const char *type);
/* Learns from a record what its columns can be. */
void sql_table_note(struct sql_table *table, const struct csv_record *record);

void sql_table_write_create(const struct sql_table *table, struct buffer *sql);
/* COPY "t" ("a", "b") FROM STDIN */
void sql_table_write_copy(const struct sql_table *table, struct buffer *sql);
/* One line of it; an empty cell is null. */
void sql_table_write_row(const struct csv_record *record, struct buffer *rows);
