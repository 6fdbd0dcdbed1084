#include "cli/database_pq.h"

#include "proto/utf8.h"
#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct database {
	PGconn *connection;
	char name[DATABASE_NAME_SIZE];
};

/* Texts and times are read as till reads them, whatever the server's own settings are. */
static const char settings[] = "SET client_encoding = 'UTF8'; SET standard_conforming_strings = "
			       "on; SET datestyle = 'ISO, YMD'; "
			       "SET timezone = 'UTC'; SET client_min_messages = warning";

bool database_is_address(const char *text)
{
	return strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0;
}

/* libpq cuts an address at the first @ and at every slash, and its complaints cite what it holds for a host or a port:
 * of a password with such characters that would be a part. */
static bool password_is_plain(const char *address)
{
	const char *authority = strstr(address, "://") + 3;
	size_t size = strcspn(authority, "/?");
	size_t before_options = strcspn(authority, "?");
	const char *at = memchr(authority, '@', before_options);

	if (at == NULL) {
		return true;
	}
	size_t behind = before_options - (size_t)(at - authority) - 1;
	return at < authority + size && memchr(at + 1, '@', behind) == NULL;
}

static void set_line(struct database_error *error, const char *text)
{
	size_t size = utf8_repair(slice_of_text(text), error->text, sizeof error->text - 1);

	while (size > 0 && error->text[size - 1] == '\n') {
		size--;
	}
	error->text[size] = '\0';
	for (char *at = error->text; *at != '\0'; at++) {
		*at = (unsigned char)*at < 0x20 ? ' ' : *at;
	}
	error->copy_row = 0;
}

static int fail_away(struct database *database, struct database_error *error)
{
	set_line(error, PQerrorMessage(database->connection));
	return DATABASE_E_AWAY;
}

/* "COPY orders, line 17, column total: …": the word for line is in the server's language. */
static uint64_t row_of_context(const char *context)
{
	const char *start = context != NULL ? strstr(context, "COPY ") : NULL;
	const char *comma = start != NULL ? strchr(start, ',') : NULL;

	return comma == NULL ? 0 : strtoull(comma + strcspn(comma, "0123456789"), NULL, 10);
}

static int fail_result(
	struct database *database, const PGresult *result, struct database_error *error)
{
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	char text[sizeof error->text];

	if (primary == NULL || PQstatus(database->connection) != CONNECTION_OK) {
		return fail_away(database, error);
	}
	snprintf(text, sizeof text, "%s%s%s", primary, detail != NULL ? ": " : "",
		detail != NULL ? detail : "");
	set_line(error, text);
	error->copy_row = row_of_context(PQresultErrorField(result, PG_DIAG_CONTEXT));
	return DATABASE_E_REFUSED;
}

static int check(struct database *database, const PGresult *result, ExecStatusType wanted,
	struct database_error *error)
{
	ExecStatusType status = PQresultStatus(result);

	if (status == wanted || (wanted == PGRES_COMMAND_OK && status == PGRES_TUPLES_OK)) {
		return 0;
	}
	return fail_result(database, result, error);
}

static void name_database(struct database *database)
{
	const PGconn *connection = database->connection;
	const char *host = PQhost(connection);

	if (host != NULL && host[0] == '/') {
		snprintf(database->name, sizeof database->name, "%s at %s", PQdb(connection), host);
	} else {
		snprintf(database->name, sizeof database->name, "%s at %s:%s", PQdb(connection),
			host != NULL ? host : "", PQport(connection));
	}
}

int database_open(const char *address, struct database **ret_database, struct database_error *error)
{
	struct database *database = NULL;
	PQconninfoOption *options =
		password_is_plain(address) ? PQconninfoParse(address, NULL) : NULL;

	if (options == NULL) { /* libpq's words might cite the password */
		set_line(error, "the address can't be read; it looks like "
				"postgresql://user@host:5432/database, and "
				"characters such as @ and / in a password are written %40 and %2F");
		return DATABASE_E_ADDRESS;
	}
	PQconninfoFree(options);
	database = calloc(1, sizeof *database);
	if (database == NULL) {
		return -ENOMEM;
	}
	database->connection = PQconnectdb(address);
	int r = database->connection == NULL ? -ENOMEM : 0;
	if (r == 0 && PQstatus(database->connection) != CONNECTION_OK) {
		r = fail_away(database, error);
	}
	if (r == 0) {
		name_database(database);
		r = database_run(database, settings, error);
	}
	if (r != 0) {
		return database_free(database), r;
	}
	*ret_database = database;
	return 0;
}

struct database *database_free(struct database *database)
{
	if (database != NULL) {
		PQfinish(database->connection);
		free(database);
	}
	return NULL;
}

const char *database_name(const struct database *database)
{
	return database->name;
}

int database_run(struct database *database, const char *sql, struct database_error *error)
{
	PGresult *result = PQexec(database->connection, sql);
	int r = check(database, result, PGRES_COMMAND_OK, error);

	PQclear(result);
	return r;
}

int database_ask_number(struct database *database, const char *sql, int64_t *ret_number,
	struct database_error *error)
{
	PGresult *result = PQexec(database->connection, sql);
	int r = check(database, result, PGRES_TUPLES_OK, error);

	if (r == 0) {
		*ret_number =
			PQntuples(result) > 0 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
	}
	PQclear(result);
	return r;
}

int database_copy_begin(struct database *database, const char *sql, struct database_error *error)
{
	PGresult *result = PQexec(database->connection, sql);
	int r = check(database, result, PGRES_COPY_IN, error);

	PQclear(result);
	return r;
}

int database_copy_put(struct database *database, struct slice rows, struct database_error *error)
{
	const char *bytes = (const char *)rows.bytes;

	return PQputCopyData(database->connection, bytes, (int)rows.size) == 1
		       ? 0
		       : fail_away(database, error);
}

int database_copy_end(struct database *database, uint64_t *ret_rows, struct database_error *error)
{
	PGresult *result = NULL;

	if (PQputCopyEnd(database->connection, NULL) != 1) {
		return fail_away(database, error);
	}
	result = PQgetResult(database->connection);
	int r = check(database, result, PGRES_COMMAND_OK, error);
	if (r == 0) {
		*ret_rows = strtoull(PQcmdTuples(result), NULL, 10);
	}
	PQclear(result);
	while ((result = PQgetResult(database->connection)) != NULL) {
		PQclear(result); /* ends the COPY */
	}
	return r;
}
