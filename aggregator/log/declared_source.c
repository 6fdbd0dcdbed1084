#include "aggregator/log/declared_source.h"

#include "aggregator/view/view_suggest.h"
#include "proto/pairs.h"
#include "runtime/suggest.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void source_declaration_deinit(struct source_declaration *declaration)
{
	free(declaration->topic);
	free(declaration->format);
	free(declaration->kind);
	free(declaration->table);
	free(declaration->fields);
	free(declaration->key);
	free(declaration->types);
	free(declaration->uncertified);
	free(declaration->field_list);
	free(declaration->key_list);
	free(declaration->type_list);
	*declaration = (struct source_declaration){.name = ""};
}

/* ---- what is set */

static int set_topics(struct source_declaration *declaration, struct config_error *error)
{
	const char *cursor = declaration->topic;
	char item[TOPIC_NAME_SIZE + 1]; /* one that is too long stays too long */

	declaration->topic_count = 0;
	while (config_list_next(&cursor, item, sizeof item)) {
		if (declaration->topic_count == SOURCE_TOPICS_MAX) {
			return config_fail(
				error, "a source has at most %d topics", SOURCE_TOPICS_MAX);
		}
		if (!topic_name_is_valid(item)) {
			return config_fail(error,
				"\"%s\" is no topic's name: letters, digits, dots, _ and -, at "
				"most 249 of them",
				item);
		}
		memcpy(declaration->topics[declaration->topic_count++], item, TOPIC_NAME_SIZE);
	}
	return declaration->topic_count > 0 ? 0 : config_fail(error, "topic names no topic");
}

/* The index of a word in a list; else -EINVAL with `what` in front of the word and the nearest behind it. */
static int find_word(const char *word, const char *const *words, size_t count, const char *what,
	struct config_error *error)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(word, words[i]) == 0) {
			return (int)i;
		}
	}
	const char *near = suggest_word(slice_of_text(word), words, count);
	return config_fail(error, "%s, not \"%s\"%s%s%s", what, word,
		near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
		near != NULL ? "\"?" : "");
}

static const char *const formats[] = {"plain", "debezium", "till"};

static int set_format(struct source_declaration *declaration, struct config_error *error)
{
	int r = find_word(declaration->format, formats, sizeof formats / sizeof *formats,
		"format is plain (JSON records, each a map), debezium (changes of rows) or till",
		error);

	declaration->format_type = r < 0 ? SOURCE_PLAIN : (enum source_format)r;
	return r < 0 ? r : 0;
}

static int set_kind(struct source_declaration *declaration, struct config_error *error)
{
	static const char *const kinds[] = {"order", "cart", "view"};
	int r = find_word(declaration->kind, kinds, sizeof kinds / sizeof *kinds,
		"kind is order, cart or view", error);

	declaration->event_kind = r < 0 ? KIND_ORDER : (enum kind)r;
	return r < 0 ? r : 0;
}

static int set_uncertified(struct source_declaration *declaration, struct config_error *error)
{
	static const char *const words[] = {"refuse", "count"};
	int r = find_word(declaration->uncertified, words, sizeof words / sizeof *words,
		"uncertified is count or refuse", error);

	declaration->counts_uncertified = r == 1;
	return r < 0 ? r : 0;
}

static int set_table(struct source_declaration *declaration, struct config_error *error)
{
	return declaration->table[0] != '\0' ? 0 : config_fail(error, "table names no table");
}

/* What is read by other programs' options, too, begins with the key, which stands in front already. */
static int fail_pairs(struct config_error *error, const char *key, const struct pairs_error *pairs)
{
	size_t size = strlen(key);
	bool has_key = strncmp(pairs->text, key, size) == 0 && pairs->text[size] == ':';

	return config_fail(error, "%s", has_key ? pairs->text + size + 2 : pairs->text);
}

static int set_fields(struct source_declaration *declaration, struct config_error *error)
{
	struct pairs_error pairs_error = {""};
	struct pair_list *list = calloc(1, sizeof *list);

	free(declaration->field_list);
	declaration->field_list = list;
	if (list == NULL) {
		return -ENOMEM;
	}
	if (pairs_add_columns(list, "fields", declaration->fields, &pairs_error) != 0) {
		return fail_pairs(error, "fields", &pairs_error);
	}
	for (size_t i = 0; i < list->count; i++) {
		if (pairs_find_right(list, list->items[i].right) != &list->items[i]) {
			return config_fail(error, "two of the record's fields give \"%.*s\"",
				(int)list->items[i].right.size,
				(const char *)list->items[i].right.bytes);
		}
	}
	return 0;
}

static int add_key_column(
	struct pair_list *list, const char *begin, const char *end, struct config_error *error)
{
	while (begin < end && *begin == ' ') {
		begin++;
	}
	while (begin < end && end[-1] == ' ') {
		end--;
	}
	struct slice column = slice_of(begin, (size_t)(end - begin));
	if (column.size == 0 || list->count == CHANGE_KEY_COLUMNS_MAX) {
		return config_fail(error,
			"key is a list of columns, separated by commas, at most %d",
			CHANGE_KEY_COLUMNS_MAX);
	}
	if (pairs_find_left(list, column) != NULL) {
		return config_fail(error, "column \"%.*s\" is given twice", (int)column.size,
			(const char *)column.bytes);
	}
	list->items[list->count++].left = column;
	return 0;
}

static int set_key(struct source_declaration *declaration, struct config_error *error)
{
	struct pair_list *list = calloc(1, sizeof *list);
	const char *at = declaration->key;
	int r = 0;

	free(declaration->key_list);
	declaration->key_list = list;
	if (list == NULL) {
		return -ENOMEM;
	}
	for (bool is_last = false; r == 0 && !is_last;) {
		size_t size = strcspn(at, ",");
		r = add_key_column(list, at, at + size, error);
		is_last = at[size] == '\0';
		at += size + 1;
	}
	return r;
}

static int set_types(struct source_declaration *declaration, struct config_error *error)
{
	struct pairs_error pairs_error = {""};
	struct column_types *types = calloc(1, sizeof *types);

	free(declaration->type_list);
	declaration->type_list = types;
	if (types == NULL) {
		return -ENOMEM;
	}
	return column_types_parse(types, "types", declaration->types, &pairs_error) == 0
		       ? 0
		       : fail_pairs(error, "types", &pairs_error);
}

static const struct source_key {
	const char *key;
	size_t offset;
	int (*set)(struct source_declaration *declaration, struct config_error *error);
} keys[] = {
	{"topic", offsetof(struct source_declaration, topic), set_topics},
	{"format", offsetof(struct source_declaration, format), set_format},
	{"kind", offsetof(struct source_declaration, kind), set_kind},
	{"table", offsetof(struct source_declaration, table), set_table},
	{"fields", offsetof(struct source_declaration, fields), set_fields},
	{"key", offsetof(struct source_declaration, key), set_key},
	{"types", offsetof(struct source_declaration, types), set_types},
	{"uncertified", offsetof(struct source_declaration, uncertified), set_uncertified},
};
_Static_assert(sizeof keys / sizeof *keys == SOURCE_KEYS, "a place for each key");

static const char *value_of(const struct source_declaration *declaration, size_t key)
{
	return *(char *const *)((const char *)declaration + keys[key].offset);
}

static size_t find_key(const char *name)
{
	size_t i = 0;

	while (i < SOURCE_KEYS && strcmp(keys[i].key, name) != 0) {
		i++;
	}
	return i;
}

int source_declaration_set(struct source_declaration *declaration, const char *key,
	const char *value, struct config_error *error)
{
	size_t index = find_key(key);

	if (index == SOURCE_KEYS) {
		const char *names[SOURCE_KEYS];
		for (size_t i = 0; i < SOURCE_KEYS; i++) {
			names[i] = keys[i].key;
		}
		return config_fail_unknown(error, key, "a source", names, SOURCE_KEYS);
	}
	char **place = (char **)((char *)declaration + keys[index].offset);
	char *copy = strdup(value);
	if (copy == NULL) {
		return -ENOMEM;
	}
	free(*place);
	*place = copy;
	memcpy(declaration->places[index], error->place, sizeof error->place);
	return keys[index].set(declaration, error);
}

/* ---- is it whole? */

/* The line of the key, else of the first that was given. */
static const char *place_of(const struct source_declaration *declaration, size_t key)
{
	for (size_t i = 0; declaration->places[key][0] == '\0' && i < SOURCE_KEYS; i++) {
		key = declaration->places[i][0] != '\0' ? i : key;
	}
	return declaration->places[key];
}

int source_declaration_refuse(const struct source_declaration *declaration, const char *key,
	const char *why, struct config_error *error)
{
	const char *place = place_of(declaration, find_key(key));

	return config_fail(error, "%s%s[source.%s] %s: %s", place, place[0] != '\0' ? ": " : "",
		declaration->name, key, why);
}

/* Which keys a format has: n none, o may have, w wants; in the order of `keys`. A kind or a table is wanted besides. */
static const char *const has_keys[] = {
	[SOURCE_PLAIN] = "wwoooonn",
	[SOURCE_DEBEZIUM] = "wwooooon",
	[SOURCE_TILL] = "wwwnnnno",
};

static int check_keys(const struct source_declaration *declaration, struct config_error *error)
{
	char why[128];

	for (size_t i = 0; i < SOURCE_KEYS; i++) {
		bool is_given = value_of(declaration, i) != NULL;
		char rule = has_keys[declaration->format_type][i];
		if (rule == 'w' && !is_given) {
			return source_declaration_refuse(
				declaration, keys[i].key, "is missing", error);
		}
		if (rule == 'n' && is_given) {
			snprintf(why, sizeof why, "a source with format = %s has none",
				formats[declaration->format_type]);
			return source_declaration_refuse(declaration, keys[i].key, why, error);
		}
	}
	if ((declaration->kind != NULL) == (declaration->table != NULL)) {
		return source_declaration_refuse(declaration, "kind",
			"wanted is kind, whose events its records are, or table, whose rows they "
			"are: one of the two",
			error);
	}
	return 0;
}

static bool has_field(const struct source_declaration *declaration, const char *name)
{
	return pairs_find_right(declaration->field_list, slice_of_text(name)) != NULL;
}

bool source_has_order_totals(const struct source_declaration *declaration)
{
	return declaration->event_kind == KIND_ORDER && declaration->field_list != NULL &&
	       has_field(declaration, "amount") && !has_field(declaration, "product_id");
}

/* What every event of the kind must have, its defaults aside. */
static const char *missing_field(const struct source_declaration *declaration)
{
	if (declaration->event_kind == KIND_VIEW) {
		return NULL;
	}
	if (!has_field(declaration, "product_id") && !source_has_order_totals(declaration)) {
		return declaration->event_kind == KIND_ORDER
			       ? "product_id (or amount, and records are whole orders)"
			       : "product_id";
	}
	if (declaration->event_kind == KIND_CART) {
		return has_field(declaration, "action") ? NULL : "action";
	}
	if (!has_field(declaration, "order_id")) {
		return "order_id";
	}
	return has_field(declaration, "unit_price") || has_field(declaration, "amount")
		       ? NULL
		       : "unit_price (or amount)";
}

static int check_field(
	const struct source_declaration *declaration, struct slice name, struct config_error *error)
{
	const char *names[FIELD_COUNT];
	char why[192];
	enum field field;

	if (field_from_name(name, &field)) {
		return 0;
	}
	for (int i = 0; i < FIELD_COUNT; i++) {
		names[i] = field_name((enum field)i);
	}
	const char *near = suggest_word(name, names, FIELD_COUNT);
	snprintf(why, sizeof why, "events have no field \"%.*s\"%s%s%s",
		(int)(name.size < 64 ? name.size : 64), (const char *)name.bytes,
		near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
		near != NULL ? "\"?" : "");
	return source_declaration_refuse(declaration, "fields", why, error);
}

static int check_fields(const struct source_declaration *declaration, struct config_error *error)
{
	const struct pair_list *fields = declaration->field_list;
	char why[192];
	int r = 0;

	for (size_t i = 0; r == 0 && i < fields->count; i++) {
		r = check_field(declaration, fields->items[i].right, error);
	}
	const char *missing = r == 0 ? missing_field(declaration) : NULL;
	if (missing != NULL) {
		snprintf(why, sizeof why, "nothing gives %s, which every event of kind %s has",
			missing, declaration->kind);
		r = source_declaration_refuse(declaration, "fields", why, error);
	}
	return r;
}

static bool is_read(const struct source_declaration *declaration, struct slice column)
{
	enum field field;

	if (declaration->key_list != NULL && pairs_find_left(declaration->key_list, column)) {
		return true;
	}
	return declaration->field_list != NULL
		       ? pairs_find_left(declaration->field_list, column) != NULL
		       : field_from_name(column, &field);
}

static int refuse_type(const struct source_declaration *declaration, struct slice column,
	struct config_error *error)
{
	const struct pair_list *fields = declaration->field_list;
	struct suggestion suggestion = {
		.word = (const char *)column.bytes, .word_size = column.size};
	char why[256];

	for (size_t i = 0; fields != NULL && i < fields->count; i++) {
		struct slice name = fields->items[i].left;
		suggestion_offer_bytes(&suggestion, (const char *)name.bytes, name.size);
	}
	bool is_near = suggestion.best != NULL;
	snprintf(why, sizeof why, "column \"%.*s\" is not read%s%.*s%s", (int)column.size,
		(const char *)column.bytes, is_near ? "; did you mean \"" : "",
		(int)suggestion.best_size, is_near ? suggestion.best : "", is_near ? "\"?" : "");
	return source_declaration_refuse(declaration, "types", why, error);
}

/* A type for a column that is not read was meant for another one. A table's columns are looked at where they are known. */
static int check_types(const struct source_declaration *declaration, struct config_error *error)
{
	const struct column_types *types = declaration->type_list;

	for (size_t i = 0; types != NULL && i < types->count; i++) {
		if (!is_read(declaration, types->items[i].column)) {
			return refuse_type(declaration, types->items[i].column, error);
		}
	}
	return 0;
}

int source_declaration_check(
	const struct source_declaration *declaration, struct config_error *error)
{
	bool is_plain = declaration->format_type == SOURCE_PLAIN;
	int r = check_keys(declaration, error);

	if (r == 0 && is_plain && declaration->kind != NULL && declaration->fields == NULL) {
		r = source_declaration_refuse(declaration, "fields", "is missing", error);
	}
	if (r == 0 && is_plain && declaration->kind != NULL && declaration->key != NULL) {
		r = source_declaration_refuse(declaration, "key",
			"plain records that are events have none: each is itself by its offset",
			error);
	}
	if (r == 0 && is_plain && declaration->table != NULL && declaration->key != NULL) {
		r = source_declaration_refuse(
			declaration, "key", "[table.NAME] says what names a row", error);
	}
	if (r == 0 && is_plain && declaration->table != NULL && declaration->fields != NULL) {
		r = source_declaration_refuse(declaration, "fields",
			"[table.NAME] says which columns a row has, and their names", error);
	}
	if (r == 0 && declaration->kind != NULL && declaration->field_list != NULL) {
		r = check_fields(declaration, error);
	}
	return r == 0 && declaration->kind != NULL ? check_types(declaration, error) : r;
}

void source_declaration_print(const struct source_declaration *declaration, FILE *out)
{
	fprintf(out, "\n[source.%s]\n", declaration->name);
	for (size_t i = 0; i < SOURCE_KEYS; i++) {
		const char *value = value_of(declaration, i);
		if (value != NULL) {
			fprintf(out, "%s = %s\n", keys[i].key, value);
		}
	}
}
