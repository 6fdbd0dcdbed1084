#include "cli/edge_health.h"
#include "cli/number_text.h"
#include "cli/text_table.h"
#include <inttypes.h>
#include <string.h>

enum { WORDS_SIZE = 80, MS_PER_SECOND = 1000 };

/* NULL: the answer has none, as of an older aggregator. */
static const struct node *reports_of(const struct node *root)
{
	const struct node *reports = node_find(root, "reports");

	return reports != NULL && reports->type == NODE_ARRAY ? reports : NULL;
}

static bool is_troubled(const struct node *report)
{
	const struct node *problems = node_find(report, "problems");

	return problems != NULL && problems->type == NODE_ARRAY && problems->count > 0;
}

struct edge_health edge_health_of(const struct node *root)
{
	const struct node *reports = reports_of(root);
	struct edge_health health = {0, 0};

	if (reports == NULL) {
		return health;
	}
	const struct node *report = node_first(reports);
	for (uint32_t i = 0; i < reports->count; i++, report = node_next(report)) {
		health.edge_count++;
		health.troubled_count += is_troubled(report);
	}
	return health;
}

/* "silent, buffering" */
static void add_problems(struct text_table *table, const struct node *report)
{
	const struct node *problems = node_find(report, "problems");
	const struct node *problem = node_first(problems);
	char words[WORDS_SIZE];
	size_t size = 0;

	for (uint32_t i = 0; i < problems->count && size < sizeof words;
		i++, problem = node_next(problem)) {
		if (problem->type == NODE_TEXT) {
			int n = snprintf(words + size, sizeof words - size, "%s%.*s",
				size == 0 ? "" : ", ", (int)problem->text.size,
				(const char *)problem->text.bytes);
			size += n > 0 ? (size_t)n : 0;
		}
	}
	text_table_add_text(table, size == 0 ? "-" : words);
}

/* "90 s", "12 min", "3 h", "5 d": whole units, the largest that there are two of. */
static void add_span(struct text_table *table, int64_t span_ms)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
	int64_t seconds = span_ms / MS_PER_SECOND;
	char words[WORDS_SIZE];
	size_t unit = 0;

	while (unit < 3 && seconds / units[unit].seconds < 2 &&
		seconds / units[unit].seconds > -2) {
		unit++;
	}
	snprintf(words, sizeof words, "%" PRId64 " %s", seconds / units[unit].seconds,
		units[unit].name);
	text_table_add_text(table, words);
}

static void add_oldest(struct text_table *table, const struct node *report)
{
	int64_t oldest_ms = node_integer_at(report, "oldest_ms");
	int64_t now_ms =
		node_integer_at(report, "reported_ms") + node_integer_at(report, "clock_skew_ms");

	if (oldest_ms == 0) {
		text_table_add_text(table, "-");
	} else {
		add_span(table, now_ms - oldest_ms);
	}
}

static void add_spool(struct text_table *table, const struct node *report)
{
	int64_t max = node_integer_at(report, "spool_max"),
		size = node_integer_at(report, "spool_bytes");
	char words[WORDS_SIZE];

	snprintf(words, sizeof words, "%" PRId64 " %%", max < 100 ? 0 : size / (max / 100));
	text_table_add_text(table, max == 0 ? "-" : words);
}

static void add_report(struct text_table *table, const struct node *report)
{
	const struct node *edge = node_find(report, "edge"),
			  *program = node_find(report, "program");
	char text[NUMBER_TEXT_SIZE];

	text_table_add(
		table, edge != NULL && edge->type == NODE_TEXT ? edge->text : slice_of_text("-"));
	add_problems(table, report);
	add_span(table, node_integer_at(report, "heard_ms"));
	text_table_add_text(table, number_text(text, node_integer_at(report, "waiting")));
	add_oldest(table, report);
	add_spool(table, report);
	text_table_add_text(
		table, number_text(text, node_integer_at(report, "disk_room") / (1024 * 1024)));
	add_span(table, node_integer_at(report, "clock_skew_ms"));
	text_table_add(table,
		program != NULL && program->type == NODE_TEXT ? program->text : slice_of_text("-"));
}

static int print_table(const struct node *reports, FILE *out)
{
	static const char *const headings[] = {"edge", "needs a look", "heard", "waiting", "oldest",
		"spool", "room MiB", "clock", "program"};
	enum { COLUMN_COUNT = sizeof headings / sizeof headings[0] };
	const struct node *report = node_first(reports);
	struct text_table table;

	text_table_init(&table, COLUMN_COUNT);
	for (uint32_t i = 0; i < COLUMN_COUNT; i++) {
		table.right[i] = i >= 2 && i + 1 < COLUMN_COUNT;
		text_table_add_text(&table, headings[i]);
	}
	for (uint32_t i = 0; i < reports->count; i++, report = node_next(report)) {
		if (is_troubled(report)) {
			add_report(&table, report);
		}
	}
	int r = text_table_print(&table, out);
	text_table_deinit(&table);
	return r;
}

int edge_health_print(const struct node *root, FILE *out)
{
	return edge_health_of(root).troubled_count > 0 ? print_table(reports_of(root), out) : 0;
}
