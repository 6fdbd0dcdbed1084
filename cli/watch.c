#include "cli/commands.h"
#include "cli/options.h"
#include "cli/ranking.h"
#include "cli/terminal.h"
#include "cli/watch_live.h"
#include "runtime/program.h"
#include <time.h>

enum { STORES_SHOWN = 20 };

struct watch_options {
	struct key_files keys;
	const char *endpoint;
	struct ranking ranking;
	struct text_list rows; /* only those */
	const char *table;
	char table_view[TABLE_VIEW_SIZE];
	bool json;
	int64_t every_ms; /* 0: by the live socket */
	int64_t count; /* 0: until it is stopped */
};

enum { EVERY_MS_DEFAULT = 2000 };

static int parse(int argc, char **argv, struct watch_options *watch)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--view", 'v', OPTION_TEXT, &watch->ranking.view, "VIEW", "default products", 0,
			0},
		{"--table", 0, OPTION_TEXT, &watch->table, "TABLE",
			"a table in the place of a view", 0, 0},
		{"--by", 'b', OPTION_TEXT, &watch->ranking.by, "MEASURE",
			"default total_revenue, or the view's first measure", 0, 0},
		{"--limit", 'n', OPTION_INTEGER, &watch->ranking.limit, "N", "rows, default 10", 1,
			TOP_LIMIT_MAX},
		{"--row", 'r', OPTION_LIST, &watch->rows, "VALUE",
			"only rows that have this among their group values; repeatable", 0, 0},
		{"--json", 0, OPTION_FLAG, &watch->json, NULL,
			"a line for every row and every change: {\"view\",\"row\"} or {…,\"gone\"}",
			0, 0},
		{"--every", 0, OPTION_DURATION, &watch->every_ms, "TIME",
			"ask again and again, in place of listening", 100, 3600000},
		{"--count", 0, OPTION_INTEGER, &watch->count, "N", "N pictures, or lines, then end",
			0, 0},
		KEY_OPTIONS(&watch->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {"till watch", "[ENDPOINT] [OPTIONS]",
		"Shows the totals of every store and a view's leading rows, and draws them anew "
		"when they change. Where its output is no terminal: a line for every row of the "
		"view, and for every change. ENDPOINT: the aggregator, "
		"default " AGGREGATOR_DEFAULT ".",
		options, 0, 1};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code < 0) {
		watch->endpoint = positionals.count > 0 ? positionals.items[0] : AGGREGATOR_DEFAULT;
		ranking_take_table(&watch->ranking, watch->table, watch->table_view);
		code = ranking_check_endpoint("till watch", watch->endpoint);
	}
	return code;
}

/* One table of the picture. */
struct panel {
	struct ranking ranking;
	struct ranking_view view;
};

enum { PANEL_STORES, PANEL_RANKING, PANEL_COUNT };

static void print_head(
	const struct ask *ask, const struct panel *panel, const struct answer_view *answer)
{
	char clock[16];
	char fresh[128];
	time_t now = time(NULL);
	struct tm local;

	localtime_r(&now, &local);
	strftime(clock, sizeof clock, "%H:%M:%S", &local);
	const char *text = freshness_text(answer, fresh);
	printf("%s  %s%s%s\n\n%s by %s\n", clock, ask->endpoint, text != NULL ? "  " : "",
		text != NULL ? text : "", panel->ranking.view, panel->view.by);
}

/* One picture: the stores, then the leading rows. -1 to go on, else the exit code. */
static int draw(struct ask *ask, struct panel panels[PANEL_COUNT])
{
	struct answer_view answer;
	int code = -1;

	for (int i = 0; i < PANEL_COUNT && code < 0; i++) {
		struct panel *panel = &panels[i];
		if (panel->view.by[0] == '\0') {
			code = ranking_learn(ask, &panel->ranking, &panel->view);
		}
		if (code < 0) {
			code = ranking_ask(ask, &panel->ranking, &panel->view, &answer);
		}
		if (code >= 0) {
			return code;
		}
		if (i == 0 && terminal_is_out()) {
			terminal_clear();
		}
		if (i == 0) {
			print_head(ask, panel, &answer);
		} else {
			printf("\n%s by %s\n", panel->ranking.view, panel->view.by);
		}
		ranking_print(&answer, &panel->view, stdout);
	}
	fputs(terminal_is_out() ? "" : "\n", stdout);
	fflush(stdout);
	return code;
}

/* Until a signal comes, or all pictures are drawn. Once there was a picture, an aggregator that is away for a
 * while ends nothing. */
static int watch_on(struct ask *ask, const struct watch_options *watch, struct panel *panels)
{
	int64_t drawn = 0;

	for (;;) {
		int code = draw(ask, panels);
		if (code >= 0 && (code != EXIT_NOT_REACHED || drawn == 0)) {
			return code;
		}
		drawn += code < 0;
		if ((watch->count > 0 && drawn >= watch->count) || !ask_sleep(watch->every_ms)) {
			return EXIT_STOPPED;
		}
	}
}

/* By asking: where it was wished so, or nothing is published. */
static int watch_by_asking(struct ask *ask, struct watch_options *watch)
{
	struct panel panels[PANEL_COUNT] = {
		[PANEL_STORES] = {.ranking = {.view = "stores", .limit = STORES_SHOWN}},
		[PANEL_RANKING] = {.ranking = watch->ranking}};

	if (watch->json || watch->rows.count > 0) {
		say("till watch", "--json and --row need an aggregator that publishes to this key, "
				  "and no --every");
		return EXIT_USAGE;
	}
	watch->every_ms = watch->every_ms > 0 ? watch->every_ms : EVERY_MS_DEFAULT;
	int code = watch_on(ask, watch, panels);
	for (int i = 0; i < PANEL_COUNT; i++) {
		ranking_view_deinit(&panels[i].view);
	}
	return code;
}

/* -1: nothing is published. */
static int watch_by_listening(struct ask *ask, const struct watch_options *watch)
{
	const struct ranking rankings[] = {
		{.view = "stores", .limit = STORES_SHOWN}, watch->ranking};
	const struct watch_live_options live = {.rankings = rankings,
		.ranking_count = 2,
		.rows = &watch->rows,
		.json = watch->json,
		.count = watch->count};

	return watch_live(ask, &live);
}

int command_watch(int argc, char **argv)
{
	struct watch_options watch = {.ranking = {.view = "products", .limit = TOP_LIMIT_DEFAULT}};
	struct ask ask;

	int code = parse(argc, argv, &watch);
	if (code >= 0) {
		return code;
	}
	code = ask_open(&ask, &(struct ask_options){.command = "till watch",
				      .endpoint = watch.endpoint,
				      .timeout_ms = 10000,
				      .keys = watch.keys});
	if (code < 0 && watch.every_ms == 0) {
		code = watch_by_listening(&ask, &watch);
	}
	if (code < 0) {
		code = watch_by_asking(&ask, &watch);
	}
	ask_close(&ask);
	return code;
}
