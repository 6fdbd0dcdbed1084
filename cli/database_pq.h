/* database_pq.h - one connection to PostgreSQL, for commands that a person runs: every call waits for the server's answer.
 * Whatever libpq's environment says holds (PGPASSFILE, PGSERVICE, PGSSLMODE, …). No text that comes from here holds a
 * password. One thread. An int result is 0, a DATABASE_E_* with the error set, or -ENOMEM. */
#pragma once
#include "proto/slice.h"

struct database;

enum {
	DATABASE_E_ADDRESS = 1, /* it can't be read as one */
	DATABASE_E_AWAY, /* not reached, or the connection broke: what was asked last may have been done */
	DATABASE_E_REFUSED, /* the server said no; an open transaction is as good as rolled back */
};

struct database_error {
	char text[768];
	uint64_t copy_row; /* of a COPY, from 1: the row that was refused; 0: not told */
};

enum { DATABASE_NAME_SIZE = 320 };

/* Does it begin like one: postgresql:// or postgres://? */
bool database_is_address(const char *text);
int database_open(
	const char *address, struct database **ret_database, struct database_error *error);
/* Whatever transaction is open is rolled back. */
struct database *database_free(struct database *database);
/* "shop at db.example:5432", for people. */
const char *database_name(const struct database *database);

/* One statement or several; several outside BEGIN … COMMIT are one transaction. */
int database_run(struct database *database, const char *sql, struct database_error *error);
/* The first cell of the first row, which must be a whole number or null (0). */
int database_ask_number(struct database *database, const char *sql, int64_t *ret_number,
	struct database_error *error);

/* `sql` is a COPY … FROM STDIN. Between begin and end only rows, in pieces of any size. */
int database_copy_begin(struct database *database, const char *sql, struct database_error *error);
int database_copy_put(struct database *database, struct slice rows, struct database_error *error);
int database_copy_end(struct database *database, uint64_t *ret_rows, struct database_error *error);
