#include "proto/mapping.h"

#include "proto/utf8.h"
#include "proto/writer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { COLUMN_SHOWN_MAX = 80 };

/* A field of each event and the column that it comes from. */
struct output {
	struct slice name;
	uint32_t column;
};

struct mapping {
	struct pair_list map; /* field, column */
	struct pair_list set; /* field, value */
	struct pair_list where; /* column, value */
	uint32_t column_count;
	uint8_t *names; /* owned: the columns' names */
	struct slice *columns; /* owned; into names */
	struct output *outputs; /* owned */
	uint32_t output_count;
	uint32_t where_columns[PAIRS_MAX];
	struct slice missing; /* of the options, among the columns */
};

/* An option's name as the reader of an error knows it. */
struct option_name {
	char text[16];
};

static struct option_name name_option(const struct mapping_options *options, const char *word)
{
	struct option_name name;

	snprintf(name.text, sizeof name.text, "%s%s",
		options->prefix != NULL ? options->prefix : "", word);
	return name;
}

static int read_pairs(struct pair_list *list, struct option_name name, const char *const *texts,
	struct pairs_error *error)
{
	return texts != NULL ? pairs_add_all(list, name.text, texts, error) : 0;
}

static int read_options(
	struct mapping *mapping, const struct mapping_options *options, struct pairs_error *error)
{
	int r = 0;

	for (const char *const *map = options->map; r == 0 && map != NULL && *map != NULL; map++) {
		r = pairs_add_several(&mapping->map, name_option(options, "map").text, *map, error);
	}
	if (r == 0) {
		r = read_pairs(&mapping->set, name_option(options, "set"), options->set, error);
	}
	if (r == 0) {
		r = read_pairs(
			&mapping->where, name_option(options, "where"), options->where, error);
	}
	if (r == 0 && options->kind != NULL && mapping->set.count < PAIRS_MAX) {
		mapping->set.items[mapping->set.count++] =
			(struct pair){slice_of_text("kind"), slice_of_text(options->kind)};
	}
	return r;
}

/* A field that two options give would be refused by the edge in every event. */
static int check_fields(const struct mapping *mapping, struct pairs_error *error)
{
	for (size_t i = 0; i < mapping->map.count + mapping->set.count; i++) {
		bool is_map = i < mapping->map.count;
		const struct pair *pair = is_map ? &mapping->map.items[i]
						 : &mapping->set.items[i - mapping->map.count];
		bool twice = pairs_find_left(&mapping->map, pair->left) != (is_map ? pair : NULL) ||
			     (!is_map && pairs_find_left(&mapping->set, pair->left) != pair);
		if (twice) {
			snprintf(error->text, sizeof error->text, "field \"%.*s\" is given twice",
				(int)pair->left.size, (const char *)pair->left.bytes);
			return -EINVAL;
		}
	}
	return 0;
}

int mapping_new(const struct mapping_options *options, struct mapping **ret_mapping,
	struct pairs_error *error)
{
	struct mapping *mapping = calloc(1, sizeof *mapping);
	if (mapping == NULL) {
		return -ENOMEM;
	}
	int r = read_options(mapping, options, error);
	if (r == 0) {
		r = check_fields(mapping, error);
	}
	if (r != 0) {
		mapping_free(mapping);
		return r;
	}
	*ret_mapping = mapping;
	return 0;
}

struct mapping *mapping_free(struct mapping *mapping)
{
	if (mapping != NULL) {
		free(mapping->names);
		free(mapping->columns);
		free(mapping->outputs);
		free(mapping);
	}
	return NULL;
}

static int copy_names(struct mapping *mapping, const struct slice *names, uint32_t count)
{
	size_t size = 0;
	size_t at = 0;

	for (uint32_t i = 0; i < count; i++) {
		size += names[i].size + 16;
	}
	mapping->names = malloc(size);
	mapping->columns = calloc(count, sizeof *mapping->columns);
	mapping->outputs = calloc(count + mapping->map.count, sizeof *mapping->outputs);
	if (mapping->names == NULL || mapping->columns == NULL || mapping->outputs == NULL) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++) {
		char *name = (char *)mapping->names + at;
		size_t name_size = names[i].size;
		if (name_size == 0) { /* what it holds is carried all the same */
			name_size = (size_t)snprintf(name, 16, "column_%u", (unsigned)i + 1);
		} else {
			memcpy(name, names[i].bytes, name_size);
		}
		mapping->columns[i] = slice_of(name, name_size);
		at += name_size;
	}
	mapping->column_count = count;
	return 0;
}

static int find_column(
	struct mapping *mapping, struct slice name, uint32_t *ret_column, struct pairs_error *error)
{
	for (uint32_t i = 0; i < mapping->column_count; i++) {
		if (slice_equal(mapping->columns[i], name)) {
			*ret_column = i;
			return 0;
		}
	}
	mapping->missing = name;
	snprintf(error->text, sizeof error->text, "no column \"%.*s\"",
		name.size < COLUMN_SHOWN_MAX ? (int)name.size : COLUMN_SHOWN_MAX,
		(const char *)name.bytes);
	return -EINVAL;
}

static int add_output(
	struct mapping *mapping, struct slice name, uint32_t column, struct pairs_error *error)
{
	for (uint32_t i = 0; i < mapping->output_count; i++) {
		if (slice_equal(mapping->outputs[i].name, name)) {
			snprintf(error->text, sizeof error->text,
				"two columns give the field \"%.*s\"", (int)name.size,
				(const char *)name.bytes);
			return -EINVAL;
		}
	}
	mapping->outputs[mapping->output_count++] = (struct output){name, column};
	return 0;
}

static int bind_columns(struct mapping *mapping, struct pairs_error *error)
{
	uint32_t column = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < mapping->map.count; i++) {
		r = find_column(mapping, mapping->map.items[i].right, &column, error);
		if (r == 0) {
			r = add_output(mapping, mapping->map.items[i].left, column, error);
		}
	}
	for (size_t i = 0; r == 0 && i < mapping->where.count; i++) {
		r = find_column(
			mapping, mapping->where.items[i].left, &mapping->where_columns[i], error);
	}
	for (column = 0; r == 0 && column < mapping->column_count; column++) {
		struct slice name = mapping->columns[column];
		if (pairs_find_right(&mapping->map, name) == NULL &&
			pairs_find_left(&mapping->set, name) == NULL) {
			r = add_output(mapping, name, column, error);
		}
	}
	return r;
}

int mapping_bind(struct mapping *mapping, const struct slice *names, uint32_t count,
	struct pairs_error *error)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!utf8_is_valid(names[i])) {
			snprintf(error->text, sizeof error->text,
				"the name of column %u is not UTF-8", (unsigned)i + 1);
			return -EINVAL;
		}
	}
	int r = copy_names(mapping, names, count);
	return r == 0 ? bind_columns(mapping, error) : r;
}

struct slice mapping_missing(const struct mapping *mapping)
{
	return mapping->missing;
}

struct slice mapping_column(const struct mapping *mapping, uint32_t index)
{
	return mapping->columns[index];
}

uint32_t mapping_columns(const struct mapping *mapping)
{
	return mapping->column_count;
}

static uint32_t count_set(const struct mapping *mapping)
{
	uint32_t count = 0;

	for (size_t i = 0; i < mapping->set.count; i++) {
		count += mapping->set.items[i].right.size > 0;
	}
	return count;
}

static void write_set(const struct mapping *mapping, struct writer *writer)
{
	for (size_t i = 0; i < mapping->set.count; i++) {
		const struct pair *pair = &mapping->set.items[i];
		if (pair->right.size > 0) {
			write_text(writer, pair->left);
			write_text(writer, pair->right);
		}
	}
}

static bool row_is_wanted(const struct mapping *mapping, const struct slice *cells)
{
	for (size_t i = 0; i < mapping->where.count; i++) {
		if (!slice_equal(cells[mapping->where_columns[i]], mapping->where.items[i].right)) {
			return false;
		}
	}
	return true;
}

int mapping_row(const struct mapping *mapping, const struct slice *cells, uint32_t count,
	struct buffer *buffer)
{
	uint32_t pairs = count_set(mapping);
	struct writer writer;

	if (count != mapping->column_count) {
		return MAPPING_E_CELLS;
	}
	if (!row_is_wanted(mapping, cells)) {
		return MAPPING_E_UNWANTED;
	}
	for (uint32_t i = 0; i < mapping->output_count; i++) {
		pairs += cells[mapping->outputs[i].column].size > 0;
	}
	writer_init(&writer, ENCODING_MSGPACK, buffer);
	write_map(&writer, pairs);
	write_set(mapping, &writer);
	for (uint32_t i = 0; i < mapping->output_count; i++) {
		struct slice cell = cells[mapping->outputs[i].column];
		if (cell.size > 0) {
			write_text(&writer, mapping->outputs[i].name);
			write_text(&writer, cell);
		}
	}
	return buffer->error;
}

/* A key that `set` gives for all is left out. */
static bool key_is_kept(const struct mapping *mapping, const struct node *key)
{
	return pairs_find_left(&mapping->set, key->text) == NULL;
}

/* Text by its characters, everything else (numbers) by its JSON; absent is not equal to anything. */
static bool map_is_wanted(const struct mapping *mapping, const struct node *map)
{
	for (size_t i = 0; i < mapping->where.count; i++) {
		const struct pair *pair = &mapping->where.items[i];
		const struct node *key = node_first(map);
		bool equal = false;
		for (uint32_t k = 0; k < map->count; k++) {
			const struct node *value = node_next(key);
			int64_t number = 0;
			char digits[24] = "";
			if (value->type == NODE_INTEGER && node_integer(value, &number)) {
				snprintf(digits, sizeof digits, "%lld", (long long)number);
			}
			struct slice text = value->type == NODE_TEXT ? value->text
					    : digits[0] != '\0'      ? slice_of_text(digits)
								     : value->raw;
			if (slice_equal(key->text, pair->left)) {
				equal = slice_equal(text, pair->right);
			}
			key = node_next(value);
		}
		if (!equal) {
			return false;
		}
	}
	return true;
}

static void write_renamed(
	const struct mapping *mapping, const struct document *document, struct writer *writer)
{
	const struct node *map = document->nodes;
	const struct node *key = node_first(map);
	uint32_t pairs = count_set(mapping);

	for (uint32_t i = 0; i < map->count; i++, key = node_next(node_next(key))) {
		pairs += key_is_kept(mapping, key);
	}
	write_map(writer, pairs);
	write_set(mapping, writer);
	key = node_first(map);
	for (uint32_t i = 0; i < map->count; i++) {
		const struct node *value = node_next(key);
		const struct pair *pair = pairs_find_right(&mapping->map, key->text);
		if (key_is_kept(mapping, key)) {
			write_text(writer, pair != NULL ? pair->left : key->text);
			write_node(writer, value, document->encoding);
		}
		key = node_next(value);
	}
}

int mapping_map(
	const struct mapping *mapping, const struct document *document, struct buffer *buffer)
{
	const struct node *root = document->nodes;
	struct writer writer;

	if (root->type != NODE_MAP ||
		mapping->map.count + mapping->set.count + mapping->where.count == 0) {
		buffer_append(buffer, root->raw.bytes, root->raw.size);
		return buffer->error;
	}
	if (!map_is_wanted(mapping, root)) {
		return MAPPING_E_UNWANTED;
	}
	if (mapping->map.count + mapping->set.count == 0) {
		buffer_append(buffer, root->raw.bytes, root->raw.size);
		return buffer->error;
	}
	writer_init(&writer, document->encoding, buffer);
	write_renamed(mapping, document, &writer);
	return buffer->error;
}
