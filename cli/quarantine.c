/* till quarantine: what the aggregator set aside, where it lies in Kafka, and why. */
#include "cli/answer_table.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "runtime/program.h"
#include <inttypes.h>
#include <stdio.h>

static const char name[] = "till quarantine";

enum { PLACE_SIZE = 320, REASON_WIDTH = 100 };

struct quarantine_options {
	struct key_files keys;
	const char *endpoint;
	int64_t limit;
	bool json;
	int64_t timeout_ms;
};

static int parse(int argc, char **argv, struct quarantine_options *quarantine)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--limit", 'n', OPTION_INTEGER, &quarantine->limit, "N", "records, default 100", 1,
			LIST_LIMIT_MAX},
		{"--json", 0, OPTION_FLAG, &quarantine->json, NULL, "the answer as it came", 0, 0},
		{"--timeout", 0, OPTION_DURATION, &quarantine->timeout_ms, "TIME",
			"wait so long for the answer, default 10s", 0, 0},
		KEY_OPTIONS(&quarantine->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {name, "[ENDPOINT] [OPTIONS]",
		"Lists the records that the aggregator at ENDPOINT (default " AGGREGATOR_DEFAULT
		") set aside instead of counting\n"
		"them, the oldest of the last 10,000 first: where each lies in Kafka, and why. "
		"Their "
		"bytes: till tail TOPIC\n"
		"--partition N --from OFFSET --count 1 --json. Needs the right admin.",
		options, 0, 1};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code < 0) {
		quarantine->endpoint =
			positionals.count > 0 ? positionals.items[0] : AGGREGATOR_DEFAULT;
	}
	return code;
}

static void add_cell(struct text_table *table, const struct node *row, const char *key)
{
	const struct node *node = node_find(row, key);
	char text[ANSWER_CELL_SIZE];

	if (node == NULL) {
		text_table_add_text(table, "-");
	} else {
		text_table_add(table, answer_cell(node, false, text));
	}
}

static void add_row(struct text_table *table, const struct node *row)
{
	static const char *const keys[] = {
		"appended", "edge", "run", "kind", "seq", "size", "reason"};
	struct slice topic = node_text_at(row, "topic");
	char place[PLACE_SIZE];

	snprintf(place, sizeof place, "%.*s/%" PRId64 "/%" PRId64, (int)topic.size,
		(const char *)topic.bytes, node_integer_at(row, "partition"),
		node_integer_at(row, "offset"));
	text_table_add_text(table, place);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		add_cell(table, row, keys[i]);
	}
}

static void print_table(const struct node *rows)
{
	static const char *const headings[] = {
		"record", "appended", "edge", "run", "kind", "seq", "size", "reason"};
	enum { COLUMNS = sizeof headings / sizeof headings[0] };
	struct text_table table;

	text_table_init(&table, COLUMNS);
	table.cell_width_max = REASON_WIDTH;
	for (size_t i = 0; i < COLUMNS; i++) {
		text_table_add_text(&table, headings[i]);
	}
	const struct node *row = node_first(rows);
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		add_row(&table, row);
	}
	text_table_print(&table, stdout);
	text_table_deinit(&table);
}

static void print(const struct quarantine_options *quarantine, const struct answer_view *answer)
{
	const struct node *rows = node_find(answer->root, "quarantine");

	if (quarantine->json) {
		printf("%.*s\n", (int)answer->bytes.size, (const char *)answer->bytes.bytes);
		return;
	}
	if (rows != NULL && rows->type == NODE_ARRAY && rows->count > 0) {
		print_table(rows);
	}
	say(name, "%" PRId64 " set aside%s", node_integer_at(answer->root, "set_aside"),
		node_find(answer->root, "next") != NULL ? "; not all are shown: -n" : "");
}

int command_quarantine(int argc, char **argv)
{
	struct quarantine_options quarantine = {.limit = LIST_LIMIT_DEFAULT, .timeout_ms = 10000};
	struct answer_view answer;
	char request[64];
	struct ask ask;

	int code = parse(argc, argv, &quarantine);
	if (code >= 0) {
		return code;
	}
	snprintf(request, sizeof request, "{\"query\":\"quarantine\",\"limit\":%" PRId64 "}",
		quarantine.limit);
	code = ask_open(&ask, &(struct ask_options){.command = name,
				      .endpoint = quarantine.endpoint,
				      .timeout_ms = quarantine.timeout_ms,
				      .keys = quarantine.keys});
	if (code < 0) {
		code = ask_text(&ask, request, &answer);
	}
	if (code < 0) {
		print(&quarantine, &answer);
		code = EXIT_STOPPED;
	}
	ask_close(&ask);
	return code;
}
