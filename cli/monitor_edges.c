#include "cli/monitor_edges.h"
#include "cli/number_text.h"
#include "cli/text_table.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

void monitor_edges_deinit(struct monitor_edges *edges)
{
	free(edges->items);
	*edges = (struct monitor_edges){0};
}

static void copy_text(char *out, size_t size, const struct node *text)
{
	bool is_text = text != NULL && text->type == NODE_TEXT;

	snprintf(out, size, "%.*s", is_text ? (int)text->text.size : 0,
		is_text ? (const char *)text->text.bytes : "");
}

static void join_problems(char out[MONITOR_PROBLEMS_SIZE], const struct node *problems)
{
	size_t at = 0;

	out[0] = '\0';
	if (problems == NULL || problems->type != NODE_ARRAY) {
		return;
	}
	const struct node *problem = node_first(problems);
	for (uint32_t i = 0; i < problems->count; i++, problem = node_next(problem)) {
		if (problem->type == NODE_TEXT && at < MONITOR_PROBLEMS_SIZE) {
			int size = snprintf(out + at, MONITOR_PROBLEMS_SIZE - at, "%s%.*s",
				at > 0 ? ", " : "", (int)problem->text.size,
				(const char *)problem->text.bytes);
			at += (size_t)size;
		}
	}
}

static const struct monitor_edge *find(const struct monitor_edges *edges, const char *name)
{
	for (size_t i = 0; i < edges->count; i++) {
		if (strcmp(edges->items[i].name, name) == 0) {
			return &edges->items[i];
		}
	}
	return NULL;
}

/* Between two reports of one run; until the next report what was known stays. */
static double rate_of(const struct monitor_edge *now, const struct monitor_edge *before)
{
	if (before == NULL || before->run != now->run || before->accepted > now->accepted) {
		return -1;
	}
	if (before->reported_ms >= now->reported_ms) {
		return before->rate;
	}
	return (double)(now->accepted - before->accepted) * 1000 /
	       (double)(now->reported_ms - before->reported_ms);
}

static void read_edge(
	struct monitor_edge *edge, const struct node *report, const struct monitor_edges *before)
{
	int64_t max = node_integer_at(report, "spool_max");

	copy_text(edge->name, sizeof edge->name, node_find(report, "edge"));
	join_problems(edge->problems, node_find(report, "problems"));
	edge->run = node_integer_at(report, "run");
	edge->reported_ms = node_integer_at(report, "reported_ms");
	edge->accepted = node_integer_at(report, "accepted");
	edge->waiting = node_integer_at(report, "waiting");
	edge->heard_ms = node_integer_at(report, "heard_ms");
	edge->skew_ms = node_integer_at(report, "clock_skew_ms");
	edge->spool_permille =
		max < 1000 ? 0 : node_integer_at(report, "spool_bytes") / (max / 1000);
	edge->rate = rate_of(edge, find(before, edge->name));
}

int monitor_edges_take(struct monitor_edges *edges, const struct node *root)
{
	const struct node *reports = node_find(root, "reports");
	uint32_t count = reports != NULL && reports->type == NODE_ARRAY ? reports->count : 0;
	struct monitor_edges fresh = {0};

	fresh.items = calloc(
		count < MONITOR_EDGES_MAX ? count + 1 : MONITOR_EDGES_MAX, sizeof *fresh.items);
	if (fresh.items == NULL) {
		return -ENOMEM;
	}
	const struct node *report = count > 0 ? node_first(reports) : NULL;
	for (uint32_t i = 0; i < count; i++, report = node_next(report)) {
		if (report->type != NODE_MAP || fresh.count == MONITOR_EDGES_MAX) {
			fresh.left_out++;
			continue;
		}
		struct monitor_edge *edge = &fresh.items[fresh.count++];
		read_edge(edge, report, edges);
		fresh.troubled += edge->problems[0] != '\0';
	}
	free(edges->items);
	*edges = fresh;
	return 0;
}

/* ---- order */

static int compare_numbers(double a, double b)
{
	return (a < b) - (a > b); /* the largest first */
}

static int by_edge(const void *a, const void *b)
{
	return strcmp(
		((const struct monitor_edge *)a)->name, ((const struct monitor_edge *)b)->name);
}

static int by_state(const void *a, const void *b)
{
	const struct monitor_edge *one = a, *other = b;
	int order = (other->problems[0] != '\0') - (one->problems[0] != '\0');
	return order != 0 ? order : by_edge(a, b);
}

static int by_rate(const void *a, const void *b)
{
	int order = compare_numbers(
		((const struct monitor_edge *)a)->rate, ((const struct monitor_edge *)b)->rate);
	return order != 0 ? order : by_edge(a, b);
}

static int by_waiting(const void *a, const void *b)
{
	int order = compare_numbers((double)((const struct monitor_edge *)a)->waiting,
		(double)((const struct monitor_edge *)b)->waiting);
	return order != 0 ? order : by_edge(a, b);
}

static int by_heard(const void *a, const void *b)
{
	int order = compare_numbers((double)((const struct monitor_edge *)a)->heard_ms,
		(double)((const struct monitor_edge *)b)->heard_ms);
	return order != 0 ? order : by_edge(a, b);
}

static int by_spool(const void *a, const void *b)
{
	int order = compare_numbers((double)((const struct monitor_edge *)a)->spool_permille,
		(double)((const struct monitor_edge *)b)->spool_permille);
	return order != 0 ? order : by_edge(a, b);
}

static const struct {
	const char *name;
	int (*compare)(const void *, const void *);
} orders[MONITOR_SORT_COUNT] = {
	[MONITOR_BY_STATE] = {"state", by_state},
	[MONITOR_BY_EDGE] = {"edge", by_edge},
	[MONITOR_BY_RATE] = {"rate", by_rate},
	[MONITOR_BY_WAITING] = {"waiting", by_waiting},
	[MONITOR_BY_HEARD] = {"heard", by_heard},
	[MONITOR_BY_SPOOL] = {"spool", by_spool},
};

void monitor_edges_sort(struct monitor_edges *edges, enum monitor_sort by, bool is_reversed)
{
	if (edges->count == 0) {
		return;
	}
	qsort(edges->items, edges->count, sizeof *edges->items, orders[by].compare);
	for (size_t i = 0, j = edges->count - 1; is_reversed && i < j; i++, j--) {
		struct monitor_edge kept = edges->items[i];
		edges->items[i] = edges->items[j];
		edges->items[j] = kept;
	}
}

const char *monitor_sort_name(enum monitor_sort by)
{
	return orders[by].name;
}

bool monitor_sort_find(const char *name, enum monitor_sort *ret_by)
{
	for (int by = 0; by < MONITOR_SORT_COUNT; by++) {
		if (strcmp(orders[by].name, name) == 0) {
			*ret_by = (enum monitor_sort)by;
			return true;
		}
	}
	return false;
}

/* ---- the table */

static void add_edge(struct text_table *table, const struct monitor_edge *edge)
{
	char text[NUMBER_TEXT_SIZE];

	text_table_add_text(table, edge->name);
	text_table_add_text(table, edge->problems[0] == '\0' ? "well" : edge->problems);
	if (edge->rate < 0) {
		text_table_add_text(table, "-");
	} else {
		snprintf(text, sizeof text, "%.1f", edge->rate);
		text_table_add_text(table, text);
	}
	text_table_add_text(table, number_text(text, edge->waiting));
	snprintf(text, sizeof text, "%" PRId64 " s", edge->heard_ms / 1000);
	text_table_add_text(table, text);
	snprintf(text, sizeof text, "%" PRId64 ".%" PRId64 " %%", edge->spool_permille / 10,
		edge->spool_permille % 10);
	text_table_add_text(table, text);
	snprintf(text, sizeof text, "%" PRId64 " ms", edge->skew_ms);
	text_table_add_text(table, text);
}

int monitor_edges_print(const struct monitor_edges *edges, size_t rows_max, FILE *out)
{
	static const char *const headings[] = {
		"edge", "state", "events/s", "waiting", "heard", "spool", "clock"};
	enum { COLUMN_COUNT = sizeof headings / sizeof headings[0] };
	size_t shown = edges->count < rows_max ? edges->count : rows_max;
	struct text_table table;

	text_table_init(&table, COLUMN_COUNT);
	for (uint32_t i = 0; i < COLUMN_COUNT; i++) {
		table.right[i] = i >= 2;
		text_table_add_text(&table, headings[i]);
	}
	for (size_t i = 0; i < shown; i++) {
		add_edge(&table, &edges->items[i]);
	}
	int r = text_table_print(&table, out);
	text_table_deinit(&table);
	if (edges->count + edges->left_out > shown) {
		fprintf(out, "and %zu more\n", edges->count + edges->left_out - shown);
	}
	return r;
}
