#include "cli/answer_table.h"

#include "cli/number_text.h"

enum { NAME_SHOWN_MAX = 64 }; /* names of columns have at most 40 bytes */

static bool is_number(const struct node *node)
{
	return node->type == NODE_INTEGER || node->type == NODE_UNSIGNED ||
	       node->type == NODE_NUMBER || node->type == NODE_FLOAT64;
}

static struct slice number_cell(const struct node *node, char out[ANSWER_CELL_SIZE])
{
	if (node->type == NODE_NUMBER) {
		return node->text;
	}
	if (node->type == NODE_FLOAT64) {
		snprintf(out, ANSWER_CELL_SIZE, "%.6g", node->real);
	} else if (node->type == NODE_UNSIGNED) {
		snprintf(out, ANSWER_CELL_SIZE, "%llu", (unsigned long long)node->unsigned_integer);
	} else {
		snprintf(out, ANSWER_CELL_SIZE, "%lld", (long long)node->integer);
	}
	return slice_of_text(out);
}

struct slice answer_cell(const struct node *node, bool group, char out[ANSWER_CELL_SIZE])
{
	char digits[ANSWER_CELL_SIZE];

	switch (node->type) {
	case NODE_TEXT:
		return group ? slice_of_text(number_text_group(out, node->text)) : node->text;
	case NODE_NIL:
		return slice_of_text("-");
	case NODE_BOOL:
		return slice_of_text(node->boolean ? "yes" : "no");
	case NODE_ARRAY:
	case NODE_MAP:
	case NODE_BIN:
	case NODE_EXT:
		return slice_of_text(node_type_name(node->type));
	case NODE_INTEGER:
	case NODE_UNSIGNED:
	case NODE_NUMBER:
	case NODE_FLOAT32:
	case NODE_FLOAT64:
		break;
	}
	struct slice number = number_cell(node, digits);
	if (group) {
		return slice_of_text(number_text_group(out, number));
	}
	bool is_ours = number.bytes == (const uint8_t *)digits;
	return is_ours ? slice_of(memcpy(out, digits, sizeof digits), number.size) : number;
}

bool answer_list_has(const struct node *list, struct slice text)
{
	if (list == NULL || list->type != NODE_ARRAY) {
		return false;
	}
	const struct node *item = node_first(list);
	for (uint32_t i = 0; i < list->count; i++, item = node_next(item)) {
		if (item->type == NODE_TEXT && slice_equal(item->text, text)) {
			return true;
		}
	}
	return false;
}

/* The first of those rows, of an array or of a map's values, that have the most columns: others lack those of a joined table. */
static const struct node *widest_row(const struct node *rows)
{
	const struct node *row = rows == NULL ? NULL : node_first(rows), *widest = NULL;

	if (rows == NULL || (rows->type != NODE_ARRAY && rows->type != NODE_MAP)) {
		return NULL;
	}
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		row = rows->type == NODE_MAP ? node_next(row) : row;
		if (row->type == NODE_MAP && (widest == NULL || row->count > widest->count)) {
			widest = row;
		}
	}
	return widest;
}

/* A column of the widest row: its value, or one in a map that it holds. */
struct place {
	const struct node *outer; /* the key; NULL: before the first */
	const struct node *inner; /* the key in the map; NULL: there is none */
	uint32_t outer_left, inner_left;
};

static struct place before_first(const struct node *row)
{
	return (struct place){NULL, NULL, row->count, 0};
}

/* false behind the last column. */
static bool next_place(const struct node *row, struct place *place)
{
	if (place->inner_left > 0) {
		place->inner_left--;
		place->inner = node_next(node_next(place->inner));
		return true;
	}
	while (place->outer_left > 0) {
		place->outer =
			place->outer == NULL ? node_first(row) : node_next(node_next(place->outer));
		place->outer_left--;
		place->inner = NULL;
		const struct node *value = node_next(place->outer);
		if (value->type != NODE_MAP) {
			return true;
		}
		if (value->count > 0) {
			place->inner = node_first(value);
			place->inner_left = value->count - 1;
			return true;
		}
	}
	return false;
}

static uint32_t count_places(const struct node *row)
{
	struct place place = before_first(row);
	uint32_t count = 0;

	while (next_place(row, &place)) {
		count++;
	}
	return count;
}

static int shown_size(struct slice name)
{
	return name.size < NAME_SHOWN_MAX ? (int)name.size : NAME_SHOWN_MAX;
}

static void add_heading(struct text_table *table, const struct place *place,
	const struct node *measures, uint32_t column)
{
	const struct node *key = place->inner != NULL ? place->inner : place->outer;
	char name[2 * NAME_SHOWN_MAX + 2];

	table->right[column] = is_number(node_next(key)) || answer_list_has(measures, key->text);
	if (place->inner == NULL) {
		text_table_add(table, key->text);
		return;
	}
	snprintf(name, sizeof name, "%.*s.%.*s", shown_size(place->outer->text),
		(const char *)place->outer->text.bytes, shown_size(key->text),
		(const char *)key->text.bytes);
	text_table_add_text(table, name);
}

static void add_headings(struct text_table *table, const struct node *row,
	const struct node *measures, uint32_t column)
{
	struct place place = before_first(row);

	for (; column < table->column_count && next_place(row, &place); column++) {
		add_heading(table, &place, measures, column);
	}
}

/* By the widest row's columns: a row may have them in another order, or lack one. */
static void add_row(
	struct text_table *table, const struct node *first, const struct node *row, uint32_t column)
{
	struct place place = before_first(first);
	char out[ANSWER_CELL_SIZE];

	for (; column < table->column_count && next_place(first, &place); column++) {
		const struct node *value =
			row->type == NODE_MAP ? node_find_slice(row, place.outer->text) : NULL;
		if (value != NULL && place.inner != NULL) {
			value = value->type == NODE_MAP ? node_find_slice(value, place.inner->text)
							: NULL;
		}
		text_table_add(table, value != NULL ? answer_cell(value, table->right[column], out)
						    : slice_of_text("-"));
	}
}

bool answer_table_fill(struct text_table *table, const struct node *rows, const char *name,
	const struct node *measures)
{
	const struct node *first = widest_row(rows);
	if (first == NULL) {
		return false;
	}
	uint32_t lead = rows->type == NODE_MAP ? 1 : 0;
	const struct node *row = node_first(rows);

	text_table_init(table, lead + count_places(first));
	if (lead > 0) {
		text_table_add_text(table, name);
	}
	add_headings(table, first, measures, lead);
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		if (lead > 0) {
			text_table_add(table, row->text);
			row = node_next(row);
		}
		add_row(table, first, row, lead);
	}
	return true;
}
