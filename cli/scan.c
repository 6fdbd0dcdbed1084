#include "cli/commands.h"
#include "cli/options.h"
#include "cli/ranking.h"
#include "cli/refining.h"
#include "runtime/program.h"
#include <errno.h>
#include <string.h>

struct scan_options {
	struct key_files keys;
	const char *endpoint;
	const char *view;
	struct refining refining;
	int64_t limit;
	const char *cursor;
	bool json;
	int64_t timeout_ms;
};

static int parse(int argc, char **argv, struct scan_options *scan)
{
	struct positionals positionals;
	const struct option options[] = {
		REFINING_OPTIONS(&scan->refining),
		{"--order-by", 0, OPTION_TEXT, &scan->refining.order_by, "COLUMNS",
			"the first rows by these, such as total_revenue:desc,edge; default: by key",
			0, 0},
		{"--limit", 'n', OPTION_INTEGER, &scan->limit, "N", "rows, default 100", 1,
			SCAN_LIMIT_MAX},
		{"--cursor", 0, OPTION_TEXT, &scan->cursor, "TEXT",
			"go on where a scan of the same ended", 0, 0},
		{"--json", 0, OPTION_FLAG, &scan->json, NULL, "the answer as it came", 0, 0},
		{"--timeout", 0, OPTION_DURATION, &scan->timeout_ms, "TIME",
			"wait so long for an answer, default 10s", 0, 0},
		KEY_OPTIONS(&scan->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {"till scan", "[ENDPOINT] VIEW [OPTIONS]",
		"Shows the rows of a view, or of a table (table.NAME). ENDPOINT: the aggregator, "
		"default " AGGREGATOR_DEFAULT ".\n"
		"  till scan stores_per_day --group-by edge --last 7d --compare 7d --where "
		"'total_revenue>=100.00'",
		options, 1, 2};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code >= 0) {
		return code;
	}
	scan->endpoint = positionals.count == 2 ? positionals.items[0] : AGGREGATOR_DEFAULT;
	scan->view = positionals.items[positionals.count - 1];
	if (is_address(scan->view)) {
		return say_no_view("till scan", scan->view);
	}
	return refining_check(&scan->refining, "till scan") < 0 ? EXIT_USAGE : -1;
}

static void write_request(const struct scan_options *scan, struct buffer *request)
{
	struct writer writer;

	writer_init(&writer, ENCODING_JSON, request);
	write_map(&writer, 3 + (scan->cursor != NULL) + refining_count(&scan->refining));
	write_key(&writer, "query");
	write_key(&writer, "scan");
	write_key(&writer, "view");
	write_key(&writer, scan->view);
	write_key(&writer, "limit");
	write_integer(&writer, scan->limit);
	if (scan->cursor != NULL) {
		write_key(&writer, "cursor");
		write_key(&writer, scan->cursor);
	}
	refining_write(&scan->refining, &writer);
}

static void print(const struct scan_options *scan, const struct answer_view *answer,
	const struct ranking_view *view)
{
	const struct node *next = node_find(answer->root, "next");
	char text[128];

	if (scan->json) {
		printf("%.*s\n", (int)answer->bytes.size, (const char *)answer->bytes.bytes);
		return;
	}
	ranking_print(answer, view, stdout);
	if (next != NULL && next->type == NODE_TEXT) {
		say("till scan", "there are more rows: --cursor %.*s", (int)next->text.size,
			(const char *)next->text.bytes);
	} else if (node_find(answer->root, "cut") != NULL) {
		say("till scan", "there are more rows: -n shows more");
	}
	if (freshness_text(answer, text) != NULL) {
		say("till scan", "%s", text);
	}
}

/* -1 when it is printed, else the exit code. */
static int ask_rows(
	struct ask *ask, const struct scan_options *scan, const struct ranking_view *view)
{
	struct answer_view answer;
	struct buffer request;

	buffer_init(&request, QUERY_SIZE_MAX);
	write_request(scan, &request);
	int code = EXIT_USAGE;
	if (request.error == 0) {
		code = ask_question(ask, buffer_slice(&request), &answer);
	} else {
		say(ask->command, "%s",
			request.error == -ENOMEM ? strerror(ENOMEM) : "the question is too long");
	}
	if (code < 0) {
		print(scan, &answer, view);
	}
	buffer_deinit(&request);
	return code;
}

int command_scan(int argc, char **argv)
{
	struct scan_options scan = {.limit = SCAN_LIMIT_DEFAULT, .timeout_ms = 10000};
	struct ranking_view view = {.measures = NULL};
	struct ask ask;

	int code = parse(argc, argv, &scan);
	if (code >= 0) {
		return code;
	}
	code = ask_open(&ask, &(struct ask_options){.command = "till scan",
				      .endpoint = scan.endpoint,
				      .timeout_ms = scan.timeout_ms,
				      .keys = scan.keys});
	if (code < 0) { /* numbers go to the right */
		code = ranking_learn(&ask, &(struct ranking){.view = scan.view}, &view);
	}
	if (code < 0) {
		code = ask_rows(&ask, &scan, &view);
	}
	ranking_view_deinit(&view);
	ask_close(&ask);
	return code < 0 ? EXIT_STOPPED : code;
}
