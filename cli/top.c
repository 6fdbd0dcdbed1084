#include "cli/commands.h"
#include "cli/options.h"
#include "cli/ranking.h"
#include "runtime/program.h"

struct top_options {
	struct key_files keys;
	const char *endpoint;
	struct ranking ranking;
	struct refining refining;
	const char *table;
	char table_view[TABLE_VIEW_SIZE];
	bool json;
	int64_t timeout_ms;
};

static int parse(int argc, char **argv, struct top_options *top)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--view", 'v', OPTION_TEXT, &top->ranking.view, "VIEW", "default products", 0, 0},
		{"--table", 0, OPTION_TEXT, &top->table, "TABLE", "a table in the place of a view",
			0, 0},
		{"--by", 'b', OPTION_TEXT, &top->ranking.by, "MEASURE",
			"default total_revenue, or the view's first measure", 0, 0},
		{"--limit", 'n', OPTION_INTEGER, &top->ranking.limit, "N",
			"rows, default 10, or until the share", 1, TOP_LIMIT_MAX},
		{"--cumulative", 0, OPTION_FLAG, &top->ranking.cumulative, NULL,
			"beside each row its share of all rows, and that of all up to it", 0, 0},
		{"--until-share", 0, OPTION_TEXT, &top->ranking.until_share, "SHARE",
			"rows until they make up so much of the whole, such as 0.80", 0, 0},
		{"--ascending", 0, OPTION_FLAG, &top->ranking.ascending, NULL, "smallest first", 0,
			0},
		REFINING_OPTIONS(&top->refining),
		{"--json", 0, OPTION_FLAG, &top->json, NULL, "the answer as it came", 0, 0},
		{"--timeout", 0, OPTION_DURATION, &top->timeout_ms, "TIME",
			"wait so long for an answer, default 10s", 0, 0},
		KEY_OPTIONS(&top->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {"till top", "[ENDPOINT] [OPTIONS]",
		"Shows the rows of a view that lead by a measure. ENDPOINT: the aggregator, "
		"default " AGGREGATOR_DEFAULT ".",
		options, 0, 1};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code >= 0) {
		return code;
	}
	top->endpoint = positionals.count > 0 ? positionals.items[0] : AGGREGATOR_DEFAULT;
	code = ranking_check_endpoint("till top", top->endpoint);
	if (code >= 0) {
		return code;
	}
	top->ranking.refining = &top->refining;
	ranking_take_table(&top->ranking, top->table, top->table_view);
	return refining_check(&top->refining, "till top") < 0 ? EXIT_USAGE : -1;
}

static void print(const struct top_options *top, const struct answer_view *answer,
	const struct ranking_view *view)
{
	char text[128];

	if (top->json) {
		printf("%.*s\n", (int)answer->bytes.size, (const char *)answer->bytes.bytes);
		return;
	}
	ranking_print(answer, view, stdout);
	if (node_find(answer->root, "cut") != NULL) {
		say("till top", "that is not the share yet: -n shows more rows");
	}
	if (freshness_text(answer, text) != NULL) {
		say("till top", "%s", text);
	}
}

int command_top(int argc, char **argv)
{
	struct top_options top = {.ranking = {.view = "products"}, .timeout_ms = 10000};
	struct ranking_view view = {.measures = NULL};
	struct answer_view answer;
	struct ask ask;

	int code = parse(argc, argv, &top);
	if (code >= 0) {
		return code;
	}
	code = ask_open(&ask, &(struct ask_options){.command = "till top",
				      .endpoint = top.endpoint,
				      .timeout_ms = top.timeout_ms,
				      .keys = top.keys});
	if (code < 0) {
		code = ranking_learn(&ask, &top.ranking, &view);
	}
	if (code < 0) {
		code = ranking_ask(&ask, &top.ranking, &view, &answer);
	}
	if (code < 0) {
		print(&top, &answer, &view);
		code = EXIT_STOPPED;
	}
	ranking_view_deinit(&view);
	ask_close(&ask);
	return code;
}
