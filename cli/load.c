/* till load: two passes over each file - the first checks it and infers types, so that a broken file never touches the
 * database - and one transaction over all of them. */
#include "cli/commands.h"
#include "cli/database_pq.h"
#include "cli/load_plan.h"
#include "cli/number_text.h"
#include "cli/session.h"
#include "cli/text_table.h"
#include "proto/writer.h"
#include "runtime/clock.h"
#include "runtime/program.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char command[] = "till load";

enum {
	PUT_SIZE = 64 * 1024, /* rows gathered for one put */
	ROWS_LIMIT = 8 * CSV_RECORD_SIZE_MAX, /* every byte of a record may be escaped */
	SQL_LIMIT = 1024 * 1024, /* 1,024 names of columns */
};

enum if_exists { IF_EXISTS_FAIL, IF_EXISTS_REPLACE, IF_EXISTS_APPEND };

struct load {
	const char *to, *table, *if_exists, *delimiter;
	struct text_list types, keys;
	bool json;
	enum if_exists existing;
	struct load_plan plan;
	struct progress progress;
	struct database *database;
	struct database_error error;
	struct buffer sql;
	struct buffer rows;
	int64_t started_ms;
};

static bool choose_existing(struct load *load)
{
	static const char *const words[] = {"fail", "replace", "append"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(load->if_exists, words[i]) == 0) {
			load->existing = (enum if_exists)i;
			return true;
		}
	}
	say(command, "--if-exists is fail, replace or append, not \"%s\"", load->if_exists);
	return false;
}

static int parse(int argc, char **argv, struct load *load, struct positionals *paths)
{
	const struct option options[] = {
		{"--to", 0, OPTION_TEXT, &load->to, "ADDRESS",
			"postgresql://user@host:5432/database", 0, 0},
		{"--table", 0, OPTION_TEXT, &load->table, "NAME",
			"the table's name; default the file's, before its first point", 0, 0},
		{"--types", 0, OPTION_LIST, &load->types, "COLUMN:TYPE,...",
			"instead of what the cells are", 0, 0},
		{"--key", 0, OPTION_LIST, &load->keys, "COLUMN,...", "the primary key", 0, 0},
		{"--if-exists", 0, OPTION_TEXT, &load->if_exists, "WHAT",
			"of a table that is there: fail (default), replace, append", 0, 0},
		{"--delimiter", 0, OPTION_TEXT, &load->delimiter, "C",
			"between cells, default a comma, of FILE.tsv a tab; \"tab\" is one", 0, 0},
		{"--json", 0, OPTION_FLAG, &load->json, NULL, "print the counts as one JSON object",
			0, 0},
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {command, "--to ADDRESS [OPTIONS] FILE|FOLDER...",
		"Makes a table of each CSV file (of a folder: of every .csv and .tsv file) in a "
		"PostgreSQL "
		"database and fills it,\n"
		"all in one transaction: it is there whole or not at all. The first line names the "
		"columns; "
		"names become small\n"
		"letters, digits and underscores; an empty cell is null. A column's type is the "
		"first that "
		"all its cells are:\n"
		"boolean, integer, bigint, numeric, date, timestamp, timestamptz, text. --types "
		"takes these "
		"and numeric(P,S); of\n"
		"several files --types and --key say TABLE.COLUMN. A password belongs into a "
		"password file "
		"(PGPASSFILE, ~/.pgpass).",
		options, 1, POSITIONALS_MAX};

	int code = options_or_exit(&spec, argc, argv, paths);
	if (code >= 0) {
		return code;
	}
	if (load->to == NULL || !database_is_address(load->to)) {
		say(command, "--to ADDRESS: the database, such as "
			     "--to postgresql://user@127.0.0.1:5432/shop");
		return EXIT_USAGE;
	}
	return choose_existing(load) ? -1 : EXIT_USAGE;
}

/* Prints why the database did not do it, and returns the exit code. */
static int complain(struct load *load, int r, struct load_file *file)
{
	const char *text = r == -ENOMEM ? strerror(ENOMEM) : load->error.text;
	uint64_t row = r == DATABASE_E_REFUSED ? load->error.copy_row : 0;
	uint64_t line = file != NULL ? load_file_line(file, row) : 0;

	progress_clear(&load->progress);
	if (line > 0) {
		say(command, "%s:%llu: %s", file->path, (unsigned long long)line, text);
	} else if (file != NULL) {
		say(command, "%s: %s", file->path, text);
	} else {
		say(command, "%s", text);
	}
	return r == DATABASE_E_AWAY      ? EXIT_NOT_REACHED
	       : r == DATABASE_E_ADDRESS ? EXIT_USAGE
					 : EXIT_FAILED;
}

static const char *sql_text(struct buffer *sql)
{
	buffer_append_byte(sql, '\0');
	return sql->error == 0 ? (const char *)sql->bytes : NULL;
}

/* Runs what was written to load->sql. */
static int run_sql(struct load *load)
{
	const char *sql = sql_text(&load->sql);

	return sql == NULL ? -ENOMEM : database_run(load->database, sql, &load->error);
}

/* -1: go on. */
static int make_table(struct load *load, struct load_file *file)
{
	char question[SQL_NAME_SIZE + 64];
	int64_t is_there = 0;

	snprintf(question, sizeof question, "SELECT (to_regclass('\"%s\"') IS NOT NULL)::int",
		file->table.name);
	int r = database_ask_number(load->database, question, &is_there, &load->error);
	if (r == 0 && is_there && load->existing == IF_EXISTS_FAIL) {
		say(command,
			"table %s is there already; --if-exists replace makes it anew, --if-exists "
			"append "
			"adds rows",
			file->table.name);
		return EXIT_FAILED;
	}
	if (r == 0 && is_there && load->existing == IF_EXISTS_APPEND) {
		return -1;
	}
	buffer_clear(&load->sql);
	if (is_there) {
		buffer_append_text(&load->sql, "DROP TABLE \"");
		buffer_append_text(&load->sql, file->table.name);
		buffer_append_text(&load->sql, "\"; ");
	}
	sql_table_write_create(&file->table, &load->sql);
	r = r == 0 ? run_sql(load) : r;
	return r == 0 ? -1 : complain(load, r, file);
}

static void show_progress(struct load *load, const struct load_file *file, uint64_t rows)
{
	int64_t now_ms = clock_monotonic_ms();
	char text[NUMBER_TEXT_SIZE];

	if (progress_is_due(&load->progress, now_ms)) {
		progress_draw(&load->progress, now_ms, (double)rows / (double)file->rows,
			"%s: loading  %s rows", file->table.name, number_text(text, (int64_t)rows));
	}
}

static int put(struct load *load)
{
	if (load->rows.error != 0) {
		return -ENOMEM;
	}
	int r = database_copy_put(load->database, buffer_slice(&load->rows), &load->error);
	buffer_clear(&load->rows);
	return r;
}

/* Copies as many rows as the first pass counted; a file that is another by now is refused. */
static int copy_rows(struct load *load, struct load_file *file)
{
	struct csv_file_error error;
	struct csv_record record;
	uint64_t rows = 0;

	int r = csv_file_rewind(file->file, &error);
	while (r == 0 && (r = csv_file_next(file->file, &record, &error)) == 0) {
		sql_table_write_row(&record, &load->rows);
		rows++;
		if (load->rows.size >= PUT_SIZE) {
			r = put(load);
			if (r != 0) {
				return complain(load, r, file);
			}
			show_progress(load, file, rows);
		}
	}
	if (r != CSV_FILE_E_END || rows != file->rows) {
		say(command, "%s: it was changed while it was being read; nothing was loaded",
			file->path);
		return EXIT_FAILED;
	}
	r = put(load);
	return r == 0 ? -1 : complain(load, r, file);
}

static int fill_table(struct load *load, struct load_file *file)
{
	uint64_t rows = 0;

	buffer_clear(&load->sql);
	sql_table_write_copy(&file->table, &load->sql);
	const char *sql = sql_text(&load->sql);
	int r = sql == NULL ? -ENOMEM : database_copy_begin(load->database, sql, &load->error);
	if (r != 0) {
		return complain(load, r, file);
	}
	int code = copy_rows(load, file);
	if (code >= 0) {
		return code;
	}
	r = database_copy_end(load->database, &rows, &load->error);
	return r == 0 ? -1 : complain(load, r, file);
}

static int commit(struct load *load)
{
	int r = database_run(load->database, "COMMIT", &load->error);

	if (r == DATABASE_E_AWAY) {
		say(command,
			"the connection broke at the very end: look whether the tables are there");
	}
	return r == 0 ? -1 : complain(load, r, NULL);
}

static int load_all(struct load *load)
{
	int r = database_run(load->database, "BEGIN", &load->error);
	int code = r == 0 ? -1 : complain(load, r, NULL);

	for (size_t i = 0; i < load->plan.count && code < 0; i++) {
		code = make_table(load, &load->plan.files[i]);
		if (code < 0) {
			code = fill_table(load, &load->plan.files[i]);
		}
	}
	return code < 0 ? commit(load) : code;
}

/* --- what was done ---------------------------------------------------------------------------------------------- */

static uint64_t count_rows(const struct load_plan *plan)
{
	uint64_t rows = 0;

	for (size_t i = 0; i < plan->count; i++) {
		rows += plan->files[i].rows;
	}
	return rows;
}

static void print_json(const struct load_plan *plan, int64_t elapsed_ms)
{
	uint64_t rows = count_rows(plan);

	printf("{\"tables\":[");
	for (size_t i = 0; i < plan->count;
		i++) { /* sql_name leaves nothing in a name that JSON would escape */
		printf("%s{\"table\":\"%s\",\"rows\":%llu}", i > 0 ? "," : "",
			plan->files[i].table.name, (unsigned long long)plan->files[i].rows);
	}
	printf("],\"rows\":%llu,\"seconds\":%lld.%03d,\"throughput_rps\":%llu}\n",
		(unsigned long long)rows, (long long)(elapsed_ms / 1000), (int)(elapsed_ms % 1000),
		(unsigned long long)(rows * 1000 / (uint64_t)elapsed_ms));
}

static void print_table(const struct load_plan *plan, const char *where, int64_t elapsed_ms)
{
	uint64_t rows = count_rows(plan);
	char text[NUMBER_TEXT_SIZE];
	char rate[NUMBER_TEXT_SIZE];
	struct text_table table;

	text_table_init(&table, 2);
	table.right[1] = true;
	text_table_add_text(&table, "table");
	text_table_add_text(&table, "rows");
	for (size_t i = 0; i < plan->count; i++) {
		text_table_add_text(&table, plan->files[i].table.name);
		text_table_add_text(&table, number_text(text, (int64_t)plan->files[i].rows));
	}
	text_table_print(&table, stdout);
	text_table_deinit(&table);
	printf("\n%s rows into %s in %lld.%01d s, %s rows/s\n", number_text(text, (int64_t)rows),
		where, (long long)(elapsed_ms / 1000), (int)(elapsed_ms % 1000 / 100),
		number_text(rate, (int64_t)(rows * 1000 / (uint64_t)elapsed_ms)));
}

static int run(struct load *load)
{
	int code = load_plan_read(&load->plan, &load->progress);

	if (code >= 0) {
		return code;
	}
	int r = database_open(load->to, &load->database, &load->error);
	if (r != 0) {
		return complain(load, r, NULL);
	}
	code = load_all(load);
	progress_clear(&load->progress);
	if (code >= 0) {
		return code;
	}
	int64_t elapsed_ms = clock_monotonic_ms() - load->started_ms;
	elapsed_ms = elapsed_ms > 0 ? elapsed_ms : 1;
	if (load->json) {
		print_json(&load->plan, elapsed_ms);
	} else {
		print_table(&load->plan, database_name(load->database), elapsed_ms);
	}
	return EXIT_STOPPED;
}

int command_load(int argc, char **argv)
{
	static struct load load = {.if_exists = "fail"}; /* 64 files' tables */
	struct positionals paths;

	int code = parse(argc, argv, &load, &paths);
	if (code >= 0) {
		return code;
	}
	struct load_plan_options options = {
		&paths, load.table, load.delimiter, &load.types, &load.keys};
	signal(SIGPIPE, SIG_IGN);
	load.started_ms = clock_monotonic_ms();
	buffer_init(&load.sql, SQL_LIMIT);
	buffer_init(&load.rows, ROWS_LIMIT);
	code = load_plan_make(&load.plan, &options);
	if (code < 0) {
		code = run(&load);
	}
	load_plan_free(&load.plan);
	database_free(load.database);
	buffer_deinit(&load.sql);
	buffer_deinit(&load.rows);
	return code;
}
