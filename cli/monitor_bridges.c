#include "cli/monitor_bridges.h"
#include "cli/number_text.h"
#include "cli/text_table.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

void monitor_bridges_deinit(struct monitor_bridges *bridges)
{
	free(bridges->items);
	*bridges = (struct monitor_bridges){0};
}

static void copy_text(char *out, size_t size, struct slice text)
{
	snprintf(out, size, "%.*s", (int)text.size, (const char *)text.bytes);
}

/* Of an array under this key, wherever an element is a map. */
static int64_t sum_of(const struct node *map, const char *key, const char *part)
{
	const struct node *list = node_find(map, key);
	uint32_t count = list != NULL && list->type == NODE_ARRAY ? list->count : 0;
	const struct node *node = count > 0 ? node_first(list) : NULL;
	int64_t sum = 0;

	for (uint32_t i = 0; i < count; i++, node = node_next(node)) {
		int64_t number = node->type == NODE_MAP ? node_integer_at(node, part) : 0;
		sum = number > INT64_MAX - sum ? INT64_MAX : sum + number;
	}
	return sum;
}

static void join_problems(struct monitor_bridge *bridge, const struct node *problems)
{
	uint32_t count = problems != NULL && problems->type == NODE_ARRAY ? problems->count : 0;
	const struct node *problem = count > 0 ? node_first(problems) : NULL;
	size_t at = 0;

	for (uint32_t i = 0; i < count; i++, problem = node_next(problem)) {
		if (problem->type == NODE_TEXT && at < sizeof bridge->problems) {
			at += (size_t)snprintf(bridge->problems + at, sizeof bridge->problems - at,
				"%s%.*s", at > 0 ? ", " : "", (int)problem->text.size,
				(const char *)problem->text.bytes);
		}
	}
}

/* One that says nothing does nobody knows what. */
static double rate_of(const struct monitor_bridge *bridge, const struct node *recent)
{
	int64_t over_ms =
		recent != NULL && recent->type == NODE_MAP ? node_integer_at(recent, "over_ms") : 0;
	bool speaks = strcmp(bridge->state, "silent") != 0 && strcmp(bridge->state, "stopped") != 0;

	return over_ms <= 0 || !speaks
		       ? -1
		       : (double)node_integer_at(recent, "events") * 1000 / (double)over_ms;
}

static void read_bridge(struct monitor_bridge *bridge, const struct node *row)
{
	copy_text(bridge->name, sizeof bridge->name, node_text_at(row, "bridge"));
	copy_text(bridge->state, sizeof bridge->state, node_text_at(row, "state"));
	join_problems(bridge, node_find(row, "problems"));
	bridge->edges = node_integer_at(row, "edges");
	bridge->waiting = node_integer_at(row, "waiting_batches");
	bridge->waiting_ms = node_integer_at(row, "waiting_ms");
	bridge->errors = sum_of(row, "errors", "count");
	bridge->heard_ms = node_integer_at(row, "heard_ms");
	bridge->rate = rate_of(bridge, node_find(row, "recent"));
}

static bool is_troubled(const struct monitor_bridge *bridge)
{
	return strcmp(bridge->state, "ok") != 0 && strcmp(bridge->state, "stopped") != 0;
}

static int compare(const void *a, const void *b)
{
	const struct monitor_bridge *one = a, *other = b;
	int order = is_troubled(other) - is_troubled(one);

	return order != 0 ? order : strcmp(one->name, other->name);
}

int monitor_bridges_take(struct monitor_bridges *bridges, const struct node *root)
{
	const struct node *rows = node_find(root, "bridges");
	uint32_t count = rows != NULL && rows->type == NODE_ARRAY ? rows->count : 0;
	struct monitor_bridges fresh = {0};

	fresh.items = calloc(
		count < MONITOR_BRIDGES_MAX ? count + 1 : MONITOR_BRIDGES_MAX, sizeof *fresh.items);
	if (fresh.items == NULL) {
		return -ENOMEM;
	}
	const struct node *row = count > 0 ? node_first(rows) : NULL;
	for (uint32_t i = 0; i < count && fresh.count < MONITOR_BRIDGES_MAX;
		i++, row = node_next(row)) {
		if (row->type == NODE_MAP) {
			struct monitor_bridge *bridge = &fresh.items[fresh.count++];
			read_bridge(bridge, row);
			fresh.troubled += is_troubled(bridge);
		}
	}
	qsort(fresh.items, fresh.count, sizeof *fresh.items, compare);
	free(bridges->items);
	*bridges = fresh;
	return 0;
}

static void add_bridge(struct text_table *table, const struct monitor_bridge *bridge)
{
	char text[NUMBER_TEXT_SIZE];

	text_table_add_text(table, bridge->name);
	text_table_add_text(table, bridge->problems[0] != '\0'        ? bridge->problems
				   : strcmp(bridge->state, "ok") == 0 ? "well"
								      : bridge->state);
	snprintf(text, sizeof text, "%.1f", bridge->rate);
	text_table_add_text(table, bridge->rate < 0 ? "-" : text);
	text_table_add_text(table, number_text(text, bridge->edges));
	text_table_add_text(table, number_text(text, bridge->waiting));
	snprintf(text, sizeof text, "%" PRId64 " ms", bridge->waiting_ms);
	text_table_add_text(table, text);
	text_table_add_text(table, number_text(text, bridge->errors));
	snprintf(text, sizeof text, "%" PRId64 " s", bridge->heard_ms / 1000);
	text_table_add_text(table, text);
}

int monitor_bridges_print(const struct monitor_bridges *bridges, size_t rows_max, FILE *out)
{
	static const char *const headings[] = {
		"bridge", "state", "events/s", "edges", "waiting", "oldest", "errors", "heard"};
	enum { COLUMN_COUNT = sizeof headings / sizeof headings[0] };
	size_t shown = bridges->count < rows_max ? bridges->count : rows_max;
	struct text_table table;

	text_table_init(&table, COLUMN_COUNT);
	for (uint32_t i = 0; i < COLUMN_COUNT; i++) {
		table.right[i] = i >= 2;
		text_table_add_text(&table, headings[i]);
	}
	for (size_t i = 0; i < shown; i++) {
		add_bridge(&table, &bridges->items[i]);
	}
	int r = text_table_print(&table, out);
	text_table_deinit(&table);
	if (bridges->count > shown) {
		fprintf(out, "and %zu more\n", bridges->count - shown);
	}
	return r;
}
