#include "cli/load_plan.h"

#include "cli/delimiter.h"
#include "cli/number_text.h"
#include "cli/session.h"
#include "runtime/clock.h"
#include "runtime/program.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char command[] = "till load";

enum {
	PROGRESS_ROWS = 4096, /* between two looks at the clock */
	WORD_SIZE = 160, /* of --types and --key: two names and a type */
};

static int fail_memory(void)
{
	say(command, "%s", strerror(ENOMEM));
	return EXIT_FAILED;
}

/* --- files ------------------------------------------------------------------------------------------------------ */

static int add_path(struct load_plan *plan, const char *folder, const char *name)
{
	struct load_file *file = &plan->files[plan->count];

	if (plan->count == LOAD_FILES_MAX) {
		say(command, "more than %d files; load them by several commands", LOAD_FILES_MAX);
		return EXIT_USAGE;
	}
	int size = asprintf(&file->path, "%s%s%s", folder, folder[0] != '\0' ? "/" : "", name);
	if (size < 0) {
		file->path = NULL;
		return fail_memory();
	}
	plan->count++;
	return -1;
}

static int is_table(const struct dirent *entry)
{
	return entry->d_name[0] != '.' &&
	       (text_ends_with(entry->d_name, ".csv") || text_ends_with(entry->d_name, ".tsv"));
}

static int add_folder(struct load_plan *plan, const char *path)
{
	struct dirent **entries = NULL;
	int code = -1;

	int count = scandir(path, &entries, is_table, alphasort);
	if (count < 0) {
		say(command, "%s: %s", path, strerror(errno));
		return EXIT_FAILED;
	}
	if (count == 0) {
		say(command, "%s: no .csv or .tsv file in this folder", path);
		code = EXIT_FAILED;
	}
	for (int i = 0; i < count; i++) {
		code = code < 0 ? add_path(plan, path, entries[i]->d_name) : code;
		free(entries[i]);
	}
	free(entries);
	return code;
}

static int add_paths(struct load_plan *plan, const struct positionals *paths)
{
	int code = -1;

	for (size_t i = 0; i < paths->count && code < 0; i++) {
		struct stat stat_of;
		const char *path = paths->items[i];
		bool is_folder = stat(path, &stat_of) == 0 && S_ISDIR(stat_of.st_mode);
		code = is_folder ? add_folder(plan, path) : add_path(plan, "", path);
	}
	return code;
}

/* --- tables ----------------------------------------------------------------------------------------------------- */

/* "in/Order Lines.csv": order_lines */
static int name_table(struct load_file *file, const char *given, struct sql_table_error *error)
{
	const char *slash = strrchr(file->path, '/');
	const char *base = slash != NULL ? slash + 1 : file->path;
	size_t size = strcspn(base, "."); /* of a file's name what stands before its first point */
	char name[256];

	snprintf(name, sizeof name, "%.*s", (int)size, base);
	return sql_table_init(&file->table, given != NULL ? given : name, error);
}

static int add_columns(struct load_file *file, struct sql_table_error *error)
{
	int r = 0;

	for (uint32_t i = 0; i < csv_file_column_count(file->file) && r == 0; i++) {
		r = sql_table_add_column(&file->table, csv_file_column(file->file, i), error);
	}
	return r;
}

static int open_file(struct load_file *file, const struct load_plan_options *options)
{
	struct sql_table_error error = {.text = "out of memory"};
	struct csv_file_error file_error;
	char delimiter;

	if (!delimiter_choose(options->delimiter, file->path, &delimiter)) {
		say(command, "--delimiter wants one character, not \"%s\"", options->delimiter);
		return EXIT_USAGE;
	}
	if (csv_file_open(file->path, delimiter, &file->file, &file_error) != 0) {
		say(command, "%s", file_error.text);
		return EXIT_FAILED;
	}
	int r = name_table(file, options->table, &error);
	if (r == 0) {
		r = add_columns(file, &error);
	}
	if (r != 0) {
		say(command, "%s: %s", file->path, error.text);
		return EXIT_FAILED;
	}
	return -1;
}

static int check_tables_differ(const struct load_plan *plan)
{
	for (size_t i = 1; i < plan->count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (strcmp(plan->files[i].table.name, plan->files[j].table.name) == 0) {
				say(command, "%s and %s would both be table %s",
					plan->files[j].path, plan->files[i].path,
					plan->files[i].table.name);
				return EXIT_USAGE;
			}
		}
	}
	return -1;
}

/* --- what the options say of columns ---------------------------------------------------------------------------- */

/* [TABLE.]COLUMN; the table may be left out where there is only one. */
static int find_column(struct load_plan *plan, const char *option, const char *word,
	struct sql_table **ret_table, uint32_t *ret_index)
{
	const char *point = strchr(word, '.');
	char table_word[WORD_SIZE];
	char table[SQL_NAME_SIZE];

	if (point == NULL && plan->count > 1) {
		say(command, "%s: say TABLE.%s, of several files", option, word);
		return EXIT_USAGE;
	}
	if (point != NULL) {
		snprintf(table_word, sizeof table_word, "%.*s", (int)(point - word), word);
	}
	bool is_named = point != NULL && sql_name(table_word, table);
	for (size_t i = 0; i < plan->count; i++) {
		struct sql_table *each = &plan->files[i].table;
		bool is_it = point == NULL || (is_named && strcmp(each->name, table) == 0);
		if (is_it && sql_table_find(each, point != NULL ? point + 1 : word, ret_index)) {
			*ret_table = each;
			return -1;
		}
	}
	say(command, "%s: no file has a column \"%s\"", option, word);
	return EXIT_USAGE;
}

static int declare(struct load_plan *plan, char *word)
{
	struct sql_table *table = NULL;
	uint32_t index = 0;
	char *colon = strchr(word, ':');

	if (colon == NULL) {
		say(command, "--types wants COLUMN:TYPE, not \"%s\"", word);
		return EXIT_USAGE;
	}
	*colon = '\0';
	int code = find_column(plan, "--types", word, &table, &index);
	if (code < 0 && !sql_table_declare(table, index, colon + 1)) {
		say(command,
			"--types: \"%s\" is none of integer, bigint, numeric, numeric(P,S), date, "
			"timestamp, "
			"timestamptz, boolean, text",
			colon + 1);
		code = EXIT_USAGE;
	}
	return code;
}

static int add_key(struct load_plan *plan, char *word)
{
	struct sql_table *table = NULL;
	uint32_t index = 0;

	int code = find_column(plan, "--key", word, &table, &index);
	if (code >= 0) {
		return code;
	}
	for (uint32_t i = 0; i < table->key_count; i++) {
		if (table->key[i] == index) {
			say(command, "--key names \"%s\" twice", word);
			return EXIT_USAGE;
		}
	}
	if (table->key_count == SQL_KEY_COLUMNS_MAX) {
		say(command, "--key: at most %d columns", SQL_KEY_COLUMNS_MAX);
		return EXIT_USAGE;
	}
	table->key[table->key_count++] = index;
	return -1;
}

/* Up to a comma that is not within parentheses: numeric(10,2) is one type. */
static size_t word_size(const char *text)
{
	bool is_within = false;
	size_t size = 0;

	for (; text[size] != '\0' && (text[size] != ',' || is_within); size++) {
		is_within = text[size] == '(' || (is_within && text[size] != ')');
	}
	return size;
}

static int for_each_word(struct load_plan *plan, const struct text_list *texts,
	int (*take)(struct load_plan *plan, char *word))
{
	char word[WORD_SIZE];
	int code = -1;

	for (size_t i = 0; i < texts->count; i++) {
		const char *at = texts->items[i];
		while (*at != '\0' && code < 0) {
			size_t size = word_size(at);
			snprintf(word, sizeof word, "%.*s", (int)size, at);
			code = take(plan, word);
			at += size;
			at += *at == ',';
		}
	}
	return code;
}

int load_plan_make(struct load_plan *plan, const struct load_plan_options *options)
{
	int code = add_paths(plan, options->paths);

	if (code < 0 && options->table != NULL && plan->count > 1) {
		say(command, "--table names one table, and there are %zu files", plan->count);
		code = EXIT_USAGE;
	}
	for (size_t i = 0; i < plan->count && code < 0; i++) {
		code = open_file(&plan->files[i], options);
	}
	code = code < 0 ? check_tables_differ(plan) : code;
	code = code < 0 ? for_each_word(plan, options->types, declare) : code;
	return code < 0 ? for_each_word(plan, options->keys, add_key) : code;
}

/* --- rows ------------------------------------------------------------------------------------------------------- */

static int check_key(
	const struct load_file *file, const struct csv_record *record, struct csv_file_error *error)
{
	for (uint32_t i = 0; i < file->table.key_count; i++) {
		if (record->cells[file->table.key[i]].size == 0) {
			snprintf(error->text, sizeof error->text,
				"%s:%llu: %s is part of the key and must not be empty", file->path,
				(unsigned long long)record->line,
				file->table.columns[file->table.key[i]].name);
			return CSV_FILE_E_BROKEN;
		}
	}
	return 0;
}

static void show_progress(const struct load_file *file, struct progress *progress)
{
	int64_t now_ms = clock_monotonic_ms();
	char rows[NUMBER_TEXT_SIZE];

	if (file->rows % PROGRESS_ROWS == 0 && progress_is_due(progress, now_ms)) {
		progress_draw(progress, now_ms, csv_file_share(file->file), "%s: reading  %s rows",
			file->table.name, number_text(rows, (int64_t)file->rows));
	}
}

static int read_file(struct load_file *file, struct progress *progress)
{
	struct csv_file_error error;
	struct csv_record record;
	int r;

	while ((r = csv_file_next(file->file, &record, &error)) == 0) {
		r = check_key(file, &record, &error);
		if (r != 0) {
			break;
		}
		sql_table_note(&file->table, &record);
		file->rows++;
		show_progress(file, progress);
	}
	progress_clear(progress);
	if (r == CSV_FILE_E_END) {
		return -1;
	}
	say(command, "%s", error.text);
	return EXIT_FAILED;
}

int load_plan_read(struct load_plan *plan, struct progress *progress)
{
	int code = -1;

	for (size_t i = 0; i < plan->count && code < 0; i++) {
		code = read_file(&plan->files[i], progress);
	}
	return code;
}

void load_plan_free(struct load_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct load_file *file = &plan->files[i];
		csv_file_free(file->file);
		sql_table_deinit(&file->table);
		free(file->path);
	}
	plan->count = 0;
}

uint64_t load_file_line(struct load_file *file, uint64_t row)
{
	struct csv_file_error error;
	struct csv_record record = {.line = 0};

	int r = row == 0 ? CSV_FILE_E_END : csv_file_rewind(file->file, &error);
	while (r == 0 && row-- > 0) {
		r = csv_file_next(file->file, &record, &error);
	}
	return r == 0 ? record.line : 0;
}
