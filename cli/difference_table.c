#include "cli/difference_table.h"

#include "cli/answer_table.h"

enum { SIDE_COUNT = 2 };
static const char *const sides[SIDE_COUNT] = {"live", "staged"};

static bool is_list(const struct node *node)
{
	return node != NULL && node->type == NODE_ARRAY && node->count > 0;
}

/* The measures of a side, by the first row that it has; NULL: it has none of them. */
static const struct node *find_measures(const struct node *rows, const char *side)
{
	const struct node *row = node_first(rows);

	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		const struct node *measures = row->type == NODE_MAP ? node_find(row, side) : NULL;
		if (measures != NULL && measures->type == NODE_MAP) {
			return measures;
		}
	}
	return NULL;
}

static void add_headings(struct text_table *table, const struct node *group_by,
	const struct node *const models[SIDE_COUNT])
{
	const struct node *name = node_first(group_by);
	uint32_t column = 0;
	char heading[96];

	for (; column < group_by->count; column++, name = node_next(name)) {
		text_table_add(table, name->text);
	}
	for (int side = 0; side < SIDE_COUNT; side++) {
		const struct node *key = models[side] == NULL ? NULL : node_first(models[side]);
		for (uint32_t i = 0; key != NULL && i < models[side]->count; i++, column++) {
			snprintf(heading, sizeof heading, "%s.%.*s", sides[side],
				(int)key->text.size, (const char *)key->text.bytes);
			text_table_add_text(table, heading);
			table->right[column] = true;
			key = node_next(node_next(key));
		}
	}
}

static void add_side(
	struct text_table *table, const struct node *model, const struct node *measures)
{
	const struct node *key = model == NULL ? NULL : node_first(model);
	bool is_there = measures != NULL && measures->type == NODE_MAP;
	char out[ANSWER_CELL_SIZE];

	for (uint32_t i = 0; key != NULL && i < model->count;
		i++, key = node_next(node_next(key))) {
		const struct node *value = is_there ? node_find_slice(measures, key->text) : NULL;
		text_table_add(
			table, value == NULL ? slice_of_text("-") : answer_cell(value, true, out));
	}
}

static void add_row(struct text_table *table, const struct node *group_by, const struct node *row,
	const struct node *const models[SIDE_COUNT])
{
	const struct node *key = node_find(row, "key");
	const struct node *value = is_list(key) ? node_first(key) : NULL;
	char out[ANSWER_CELL_SIZE];

	for (uint32_t i = 0; i < group_by->count; i++) {
		bool is_there = value != NULL && i < key->count;
		text_table_add(
			table, is_there ? answer_cell(value, false, out) : slice_of_text("-"));
		value = is_there ? node_next(value) : NULL;
	}
	for (int side = 0; side < SIDE_COUNT; side++) {
		add_side(table, models[side], node_find(row, sides[side]));
	}
}

bool difference_table_fill(struct text_table *table, const struct node *difference)
{
	const struct node *rows = node_find(difference, "rows");
	const struct node *group_by = node_find(difference, "group_by");

	if (!is_list(rows) || !is_list(group_by)) {
		return false;
	}
	const struct node *const models[SIDE_COUNT] = {
		find_measures(rows, sides[0]), find_measures(rows, sides[1])};
	uint32_t count = group_by->count + (models[0] == NULL ? 0 : models[0]->count) +
			 (models[1] == NULL ? 0 : models[1]->count);
	if (count > TEXT_TABLE_COLUMNS_MAX) {
		return false; /* no view has so many */
	}
	text_table_init(table, count);
	add_headings(table, group_by, models);
	const struct node *row = node_first(rows);
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		if (row->type == NODE_MAP) {
			add_row(table, group_by, row, models);
		}
	}
	return true;
}
