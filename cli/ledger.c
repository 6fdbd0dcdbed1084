/* till ledger: does everything add up? Per edge, run and kind: what was numbered, and where each of that is. */
#include "cli/answer_table.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/edge_health.h"
#include "cli/options.h"
#include "cli/ranking.h"
#include "proto/event.h"
#include "proto/timestamp.h"
#include "proto/writer.h"
#include "runtime/program.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char name[] = "till ledger";

struct ledger_options {
	struct key_files keys;
	const char *endpoint;
	const char *edge; /* NULL: all */
	const char *kind;
	int64_t run; /* 0: all */
	bool json;
	int64_t timeout_ms;
};

/* The columns: a stream's names, then numbers that are added up. `numbered` is the sum of those behind it. */
enum column {
	COLUMN_NUMBERED,
	COLUMN_COUNTED,
	COLUMN_REJECTED,
	COLUMN_UNREAD,
	COLUMN_ON_DISK,
	COLUMN_DAMAGED,
	COLUMN_MISSING,
	COLUMN_COUNT,
};

static const char *const keys[COLUMN_COUNT] = {
	[COLUMN_NUMBERED] = "numbered",
	[COLUMN_COUNTED] = "counted",
	[COLUMN_REJECTED] = "rejected",
	[COLUMN_UNREAD] = "unread",
	[COLUMN_ON_DISK] = "on_disk",
	[COLUMN_DAMAGED] = "damaged",
	[COLUMN_MISSING] = "missing_count",
};

static int parse(int argc, char **argv, struct ledger_options *ledger)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--run", 0, OPTION_INTEGER, &ledger->run, "RUN", "only this run", 1,
			(int64_t)RUN_MAX},
		{"--kind", 0, OPTION_TEXT, &ledger->kind, "KIND",
			"only this one: order, cart, view, or one of them with .dlq", 0, 0},
		{"--at", 0, OPTION_TEXT, &ledger->endpoint, "ENDPOINT",
			"the aggregator, default " AGGREGATOR_DEFAULT, 0, 0},
		{"--json", 0, OPTION_FLAG, &ledger->json, NULL, "the answer as it came", 0, 0},
		{"--timeout", 0, OPTION_DURATION, &ledger->timeout_ms, "TIME",
			"wait so long for an answer, default 10s", 0, 0},
		KEY_OPTIONS(&ledger->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {name, "[EDGE] [OPTIONS]",
		"Shows the books of each edge, run and kind: what the edge numbered, and how much "
		"of that is counted,\nrejected, in Kafka and not yet read, on the edge's disk, "
		"damaged there, or missing; and names what is\nmissing. Edges that need a look "
		"come first: silent ones, and such as are buffering, full, damaged,\nor skewed "
		"(their clock is off). Exit code: 1 when something is missing, or nothing was "
		"heard of the edge.",
		options, 0, 1};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code < 0 && positionals.count > 0) {
		ledger->edge = positionals.items[0];
	}
	if (code < 0 && ledger->edge != NULL && is_address(ledger->edge)) {
		say(name, "%s is no edge; --at %s names the aggregator", ledger->edge,
			ledger->edge);
		return EXIT_USAGE;
	}
	return code;
}

static void write_request(const struct ledger_options *ledger, struct buffer *request)
{
	struct writer writer;

	writer_init(&writer, ENCODING_JSON, request);
	write_map(
		&writer, 1 + (ledger->edge != NULL) + (ledger->run != 0) + (ledger->kind != NULL));
	write_key(&writer, "query");
	write_key(&writer, "ledger");
	if (ledger->edge != NULL) {
		write_key(&writer, "edge");
		write_key(&writer, ledger->edge);
	}
	if (ledger->run != 0) {
		write_key(&writer, "run");
		write_integer(&writer, ledger->run);
	}
	if (ledger->kind != NULL) {
		write_key(&writer, "kind");
		write_key(&writer, ledger->kind);
	}
}

static void add_cell(struct text_table *table, const struct node *node, bool group)
{
	char text[ANSWER_CELL_SIZE];

	if (node == NULL) {
		text_table_add_text(table, "-");
	} else {
		text_table_add(table, answer_cell(node, group, text));
	}
}

static void add_number(struct text_table *table, int64_t number)
{
	const struct node node = {.type = NODE_INTEGER, .span = 1, .integer = number};

	add_cell(table, &node, true);
}

static void add_headings(struct text_table *table)
{
	static const char *const headings[] = {"edge", "run", "kind", "numbered", "counted",
		"rejected", "unread", "on disk", "damaged", "missing"};

	text_table_init(table, sizeof headings / sizeof *headings);
	for (size_t i = 0; i < sizeof headings / sizeof *headings; i++) {
		table->right[i] = i >= 3;
		text_table_add_text(table, headings[i]);
	}
}

/* Of a stream whose edge has said nothing, as much was numbered as is known of. */
static void add_row(struct text_table *table, const struct node *row, int64_t sums[COLUMN_COUNT])
{
	int64_t numbers[COLUMN_COUNT];
	const struct node *numbered = node_find(row, keys[COLUMN_NUMBERED]);
	bool is_reported = numbered != NULL && numbered->type != NODE_NIL;
	int64_t sum = 0;

	for (int i = COLUMN_COUNTED; i < COLUMN_COUNT; i++) {
		numbers[i] = node_integer_at(row, keys[i]);
		sum += numbers[i];
	}
	numbers[COLUMN_NUMBERED] = is_reported ? node_integer_at(row, keys[COLUMN_NUMBERED]) : sum;
	add_cell(table, node_find(row, "edge"), false);
	add_cell(table, node_find(row, "run"), false);
	add_cell(table, node_find(row, "kind"), false);
	for (int i = 0; i < COLUMN_COUNT; i++) {
		sums[i] += numbers[i];
		if (i == COLUMN_NUMBERED && !is_reported) {
			text_table_add_text(table, "-");
		} else {
			add_number(table, numbers[i]);
		}
	}
}

static void add_sums(struct text_table *table, const int64_t sums[COLUMN_COUNT])
{
	text_table_add_text(table, "all");
	text_table_add_text(table, "");
	text_table_add_text(table, "");
	for (int i = 0; i < COLUMN_COUNT; i++) {
		add_number(table, sums[i]);
	}
}

/* Who says so, where it is not the run itself: its events may lie on a disk that no report is about. */
static void print_judge(const struct node *row)
{
	char since[TIMESTAMP_TEXT_SIZE];
	int64_t run = node_integer_at(row, "run"), judge = node_integer_at(row, "judged_by");
	int64_t reported_ms = node_integer_at(row, "reported_ms");

	if (judge == 0) {
		fputs("; the edge has never reported what lies on its disk", stdout);
	} else if (judge != run && reported_ms > 0) {
		timestamp_format(reported_ms, since);
		printf("; not on the disk of run %" PRId64 "; run %" PRId64
		       " has not reported since %s",
			judge, run, since);
	}
}

static void print_missing(const struct node *row)
{
	const struct node *list = node_find(row, "missing");
	const struct node *range = list == NULL ? NULL : node_first(list);
	char edge[ANSWER_CELL_SIZE];
	struct slice id = answer_cell(node_find(row, "edge"), false, edge);
	struct slice kind = node_find(row, "kind")->text;

	for (uint32_t i = 0; list != NULL && i < list->count; i++, range = node_next(range)) {
		int64_t first = 0, last = 0;
		if (range->type == NODE_ARRAY && range->count == 2 &&
			node_integer(node_first(range), &first) &&
			node_integer(node_next(node_first(range)), &last)) {
			printf("missing: %.*s %" PRId64 " %.*s %" PRId64 "-%" PRId64 " (%" PRId64
			       ")",
				(int)id.size, (const char *)id.bytes, node_integer_at(row, "run"),
				(int)kind.size, (const char *)kind.bytes, first, last,
				last - first + 1);
			print_judge(row);
			putchar('\n');
		}
	}
}

static bool is_row(const struct node *row)
{
	const struct node *edge = node_find(row, "edge");
	const struct node *kind = node_find(row, "kind");

	return edge != NULL && edge->type == NODE_TEXT && kind != NULL && kind->type == NODE_TEXT;
}

static void print_table(const struct node *rows, int64_t sums[COLUMN_COUNT])
{
	struct text_table table;
	const struct node *row = node_first(rows);

	add_headings(&table);
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		if (is_row(row)) {
			add_row(&table, row, sums);
		}
	}
	add_sums(&table, sums);
	text_table_print(&table, stdout);
	text_table_deinit(&table);
	row = node_first(rows);
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		if (is_row(row)) {
			print_missing(row);
		}
	}
}

static bool misses_something(const struct node *rows)
{
	const struct node *row = node_first(rows);

	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		if (node_integer_at(row, keys[COLUMN_MISSING]) > 0) {
			return true;
		}
	}
	return false;
}

/* What is wrong with edges comes before what is counted of them. */
static void print_health(const struct node *root)
{
	if (edge_health_of(root).troubled_count > 0) {
		edge_health_print(root, stdout);
		putchar('\n');
	}
}

/* A name that is misspelt must not look as if nothing were missing. */
static bool is_unheard(const struct node *root, const struct node *rows)
{
	const struct node *reports = node_find(root, "reports");

	return rows->count == 0 &&
	       (reports == NULL || reports->type != NODE_ARRAY || reports->count == 0);
}

static int show(const struct ledger_options *ledger, const struct answer_view *answer)
{
	const struct node *rows = node_find(answer->root, "ledger");
	int64_t sums[COLUMN_COUNT] = {0};
	char text[128];

	if (ledger->json) {
		printf("%.*s\n", (int)answer->bytes.size, (const char *)answer->bytes.bytes);
	}
	if (rows == NULL || rows->type != NODE_ARRAY) {
		say(name, "the answer has no ledger");
		return EXIT_FAILED;
	}
	if ((ledger->edge != NULL || ledger->run != 0) && is_unheard(answer->root, rows)) {
		say(name, "nothing was heard of %s%s: is it written so?",
			ledger->edge != NULL ? "edge " : "this run",
			ledger->edge != NULL ? ledger->edge : "");
		return EXIT_FAILED;
	}
	if (!ledger->json) {
		print_health(answer->root);
		print_table(rows, sums);
	}
	if (node_find(answer->root, "cut") != NULL) {
		say(name, "there are more streams than one answer holds: name an edge");
	}
	if (freshness_text(answer, text) != NULL) {
		say(name, "%s", text);
	}
	return misses_something(rows) ? EXIT_FAILED : EXIT_STOPPED;
}

int command_ledger(int argc, char **argv)
{
	struct ledger_options ledger = {.endpoint = AGGREGATOR_DEFAULT, .timeout_ms = 10000};
	struct answer_view answer;
	struct buffer request;
	struct ask ask;

	int code = parse(argc, argv, &ledger);
	if (code >= 0) {
		return code;
	}
	buffer_init(&request, QUERY_SIZE_MAX);
	write_request(&ledger, &request);
	code = ask_open(&ask, &(struct ask_options){.command = name,
				      .endpoint = ledger.endpoint,
				      .timeout_ms = ledger.timeout_ms,
				      .keys = ledger.keys});
	if (code < 0) {
		code = ask_question(&ask, buffer_slice(&request), &answer);
	}
	if (code < 0) {
		code = show(&ledger, &answer);
	}
	ask_close(&ask);
	buffer_deinit(&request);
	return code;
}
