#include "aggregator/view/table.h"
#include "aggregator/view/view_scan.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PREFIX_SIZE = sizeof TABLE_PREFIX - 1, TABLE_TEXT_TOTAL_MAX = 64 * 1024 };

static const char *const type_words[] = {
	[TYPE_INTEGER] = "integer",
	[TYPE_MONEY] = "money",
	[TYPE_TIME] = "time",
	[TYPE_TEXT] = "text",
};
enum { TYPE_WORDS = sizeof type_words / sizeof type_words[0] };

/* One of the two lists being read. */
struct list {
	struct table_column *columns;
	size_t *count;
	size_t max;
	bool has_types;
};

void table_declaration_deinit(struct table_declaration *declaration)
{
	free(declaration->key);
	free(declaration->columns);
	*declaration = (struct table_declaration){.name = ""};
}

/* ---- the declaration */

static bool has_name(const struct table_column *columns, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(columns[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static int take_source(struct scanner *scanner, struct table_column *column)
{
	bool is_word = scanner->token == TOKEN_WORD || scanner->token == TOKEN_QUOTED;

	if (!is_word || scanner->word[0] == '\0') {
		return scanner_fail_expected(scanner, "a column of the record");
	}
	snprintf(column->source, sizeof column->source, "%s", scanner->word);
	scanner_next(scanner);
	return 0;
}

static int take_type(struct scanner *scanner, const struct list *list, struct table_column *column)
{
	column->type = TYPE_TEXT;
	if (scanner->token != TOKEN_WORD || scanner_is(scanner, TOKEN_WORD, "as")) {
		return 0;
	}
	if (!list->has_types) {
		return scanner_fail(scanner,
			"\"%s\" is too much: the columns of a key are text, as ids are",
			scanner->word);
	}
	int type = scanner_choose(scanner, "type", type_words, TYPE_WORDS);
	if (type < 0) {
		return type;
	}
	column->type = (enum operand_type)type;
	scanner_next(scanner);
	return 0;
}

static int take_name(struct scanner *scanner, struct table_column *column)
{
	const char *name = column->source;

	if (scanner_is(scanner, TOKEN_WORD, "as")) {
		scanner_next(scanner);
		name = scanner->word;
		if (scanner->token != TOKEN_WORD || !name_is_valid(name)) {
			return scanner_fail_expected(
				scanner, "a name (letters, digits and _; at most 40)");
		}
	}
	if (!name_is_valid(name)) {
		return scanner_fail(scanner,
			"\"%s\" is no name (letters, digits and _; at most 40): give one, \"%s\" "
			"as NAME",
			name, name);
	}
	snprintf(column->name, sizeof column->name, "%.*s", VIEW_NAME_SIZE_MAX, name);
	if (name != column->source) {
		scanner_next(scanner);
	}
	return 0;
}

static int parse_column(struct scanner *scanner, struct table_plan *table, const struct list *list)
{
	struct table_column column;

	if (*list->count == list->max) {
		return scanner_fail(scanner, "at most %zu columns", list->max);
	}
	int r = take_source(scanner, &column);
	if (r == 0) {
		r = take_type(scanner, list, &column);
	}
	if (r == 0) {
		r = take_name(scanner, &column);
	}
	if (r < 0) {
		return r;
	}
	if (has_name(table->keys, table->key_count, column.name) ||
		has_name(table->columns, table->column_count, column.name)) {
		return scanner_fail(scanner, "\"%s\" is there twice", column.name);
	}
	list->columns[(*list->count)++] = column;
	return 0;
}

static int parse_list(
	struct scanner *scanner, const char *key, const char *value, struct table_plan *table)
{
	bool is_key = strcmp(key, "key") == 0;
	const struct list list = {is_key ? table->keys : table->columns,
		is_key ? &table->key_count : &table->column_count,
		is_key ? TABLE_KEY_COLUMNS_MAX : TABLE_COLUMNS_MAX, !is_key};
	int r;

	if (value == NULL) {
		return scanner_fail(scanner, "%s is missing", key);
	}
	scanner_start(scanner, key, value);
	do {
		r = parse_column(scanner, table, &list);
	} while (r == 0 && scanner_take_sign(scanner, ","));
	return r == 0 && scanner->token != TOKEN_END
		       ? scanner_fail_expected(scanner, "\",\" or the end")
		       : r;
}

/* ---- the view that it is */

static void fill_view(struct view *view)
{
	static const enum operand_source sources[] = {
		[TYPE_INTEGER] = OPERAND_COLUMN_INTEGER,
		[TYPE_MONEY] = OPERAND_COLUMN_MONEY,
		[TYPE_TIME] = OPERAND_COLUMN_TIME,
		[TYPE_TEXT] = OPERAND_COLUMN_TEXT,
	};
	const struct table_plan *table = view->table;

	view->kind = VIEW_KIND_TABLE;
	view->group_count = table->key_count;
	for (size_t i = 0; i < table->key_count; i++) {
		view->groups[i] = (struct group_field){
			.name = table->keys[i].name, .source = GROUP_BY_COLUMN, .type = TYPE_TEXT};
	}
	view->measure_count = table->column_count;
	for (size_t i = 0; i < table->column_count; i++) {
		struct measure *measure = &view->measures[i];
		*measure = (struct measure){.op = MEASURE_COLUMN,
			.operand.source = sources[table->columns[i].type],
			.offset = sizeof(uint64_t)};
		memcpy(measure->name, table->columns[i].name, sizeof measure->name);
	}
	view->has_stamps = table->column_count > 0;
}

static void write_quoted(struct buffer *text, const char *word)
{
	buffer_append_byte(text, '"');
	for (; *word != '\0'; word++) {
		buffer_append_text(text, *word == '"' ? "\"" : "");
		buffer_append_byte(text, (uint8_t)*word);
	}
	buffer_append_byte(text, '"');
}

static void write_list(
	struct buffer *text, const char *key, const struct table_column *columns, size_t count)
{
	buffer_append_text(text, key);
	for (size_t i = 0; i < count; i++) {
		buffer_append_text(text, i == 0 ? " = " : ", ");
		write_quoted(text, columns[i].source);
		if (strcmp(key, "columns") == 0) {
			buffer_append_byte(text, ' ');
			buffer_append_text(text, type_words[columns[i].type]);
		}
		buffer_append_text(text, " as ");
		buffer_append_text(text, columns[i].name);
	}
	buffer_append_byte(text, '\n');
}

static char *write_text_of(const struct table_plan *table)
{
	struct buffer text;
	char *result = NULL;

	buffer_init(&text, TABLE_TEXT_TOTAL_MAX);
	write_list(&text, "key", table->keys, table->key_count);
	if (table->column_count > 0) {
		write_list(&text, "columns", table->columns, table->column_count);
	}
	if (text.error == 0) {
		result = strndup((const char *)text.bytes, text.size);
	}
	buffer_deinit(&text);
	return result;
}

int table_parse(const struct table_declaration *declaration, struct view *view, char *error,
	size_t error_size)
{
	struct scanner scanner = {.subject = "table",
		.view_name = declaration->name,
		.error = error,
		.error_size = error_size};

	if (!name_is_valid(declaration->name)) {
		return scanner_fail(&scanner,
			"a table's name begins with a letter, has letters, digits and _, and at "
			"most "
			"%d of them",
			TABLE_NAME_SIZE_MAX);
	}
	view->table = calloc(1, sizeof *view->table);
	if (view->table == NULL) {
		return -ENOMEM;
	}
	int r = parse_list(&scanner, "key", declaration->key, view->table);
	if (r == 0 && declaration->columns != NULL) {
		r = parse_list(&scanner, "columns", declaration->columns, view->table);
	}
	if (r < 0) {
		return r;
	}
	fill_view(view);
	snprintf(view->name, sizeof view->name, TABLE_PREFIX "%s", declaration->name);
	view->text = write_text_of(view->table);
	return view->text == NULL ? -ENOMEM : 0;
}

/* ---- in a set of views */

int view_set_add_table(struct view_set *set, const struct table_declaration *declaration,
	char *error, size_t error_size)
{
	struct view *view = calloc(1, sizeof *view);

	if (view == NULL) {
		return -ENOMEM;
	}
	int r = table_parse(declaration, view, error, error_size);
	if (r < 0) {
		view_deinit(view);
		free(view);
		return r;
	}
	return view_set_take(set, view, error, error_size);
}

/* The value of a line "key = value\n" that the canonical text may have. -ENOMEM. */
static int find_value(struct slice text, const char *key, char **ret_value)
{
	size_t key_size = strlen(key);

	while (text.size > 0) {
		const uint8_t *end = memchr(text.bytes, '\n', text.size);
		size_t size = end == NULL ? text.size : (size_t)(end - text.bytes);
		if (size > key_size + 3 && memcmp(text.bytes, key, key_size) == 0 &&
			memcmp(text.bytes + key_size, " = ", 3) == 0) {
			*ret_value = strndup(
				(const char *)text.bytes + key_size + 3, size - key_size - 3);
			return *ret_value == NULL ? -ENOMEM : 0;
		}
		size += end != NULL;
		text = slice_of(text.bytes + size, text.size - size);
	}
	return 0;
}

int view_set_add_table_text(
	struct view_set *set, struct slice name, struct slice text, char *error, size_t error_size)
{
	struct table_declaration declaration = {.name = ""};
	int r = -EINVAL;

	if (name.size > PREFIX_SIZE && name.size <= VIEW_NAME_SIZE_MAX) {
		memcpy(declaration.name, name.bytes + PREFIX_SIZE, name.size - PREFIX_SIZE);
		r = find_value(text, "key", &declaration.key);
	}
	if (r == 0) {
		r = find_value(text, "columns", &declaration.columns);
	}
	if (r == 0) {
		r = view_set_add_table(set, &declaration, error, error_size);
	}
	table_declaration_deinit(&declaration);
	return r;
}

const char *view_short_name(const struct view *view)
{
	return view->kind == VIEW_KIND_TABLE ? view->name + PREFIX_SIZE : view->name;
}

const struct view *view_set_find_table(const struct view_set *set, struct slice name)
{
	for (size_t i = 0; i < view_set_count(set); i++) {
		const struct view *view = view_set_at(set, i);
		if (view->kind == VIEW_KIND_TABLE &&
			slice_equals_text(name, view_short_name(view))) {
			return view;
		}
	}
	return NULL;
}
