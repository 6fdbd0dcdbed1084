/* till staged: the views that are counted beside the live ones: how far they are, what they say otherwise, and what becomes of
 * them. */
#include "cli/answer_table.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/difference_table.h"
#include "cli/options.h"
#include "proto/limits.h"
#include "proto/writer.h"
#include "runtime/program.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char name[] = "till staged";

enum { CURSOR_SIZE = 2048, STORE_SIZE = 64, SWITCH_EVERY_MS = 100 };

struct staged_options {
	struct key_files keys;
	const char *endpoint;
	const char *view; /* NULL: all, without their rows */
	int64_t limit;
	bool accept, drop, json;
	int64_t timeout_ms;
};

static int parse(int argc, char **argv, struct staged_options *staged)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--view", 'v', OPTION_TEXT, &staged->view, "VIEW",
			"what this view says otherwise than the live one, row by row", 0, 0},
		{"--limit", 'n', OPTION_INTEGER, &staged->limit, "N",
			"rows that are shown, default 20; all are compared", 1, LIST_LIMIT_MAX},
		{"--accept", 0, OPTION_FLAG, &staged->accept, NULL,
			"they take the live ones' place", 0, 0},
		{"--drop", 0, OPTION_FLAG, &staged->drop, NULL, "they go", 0, 0},
		{"--json", 0, OPTION_FLAG, &staged->json, NULL, "the answers as they came", 0, 0},
		{"--timeout", 0, OPTION_DURATION, &staged->timeout_ms, "TIME",
			"wait so long for an answer, default 10s", 0, 0},
		KEY_OPTIONS(&staged->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {name,
		"[ENDPOINT] [--view VIEW] [OPTIONS]\n[ENDPOINT] --accept|--drop",
		"Shows the views that the aggregator at ENDPOINT (default " AGGREGATOR_DEFAULT
		") counts beside the live ones\n([aggregator] stage), and compares them. --accept "
		"and --drop need the right admin.",
		options, 0, 1};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code >= 0) {
		return code;
	}
	staged->endpoint = positionals.count > 0 ? positionals.items[0] : AGGREGATOR_DEFAULT;
	if (staged->accept + staged->drop + (staged->view != NULL) > 1) {
		say(name, "--view, --accept and --drop don't go together");
		return EXIT_USAGE;
	}
	return -1;
}

static void print_raw(const struct answer_view *answer)
{
	printf("%.*s\n", (int)answer->bytes.size, (const char *)answer->bytes.bytes);
}

static void print_rows(const struct node *rows)
{
	struct text_table table;

	if (rows != NULL && answer_table_fill(&table, rows, "", NULL)) {
		text_table_print(&table, stdout);
		text_table_deinit(&table);
	}
}

static void print_differences(const struct node *difference)
{
	struct text_table table;

	if (difference_table_fill(&table, difference)) {
		text_table_print(&table, stdout);
		text_table_deinit(&table);
		putchar('\n');
	}
}

/* Under load one is always a few records ahead: what they say otherwise may be no more than that. */
static void say_place(const struct node *place)
{
	int64_t live = node_integer_at(place, "live_ahead"),
		staged = node_integer_at(place, "staged_ahead");
	const struct node *progress = node_find(place, "progress");
	double done = 0;

	if (progress != NULL && node_real(progress, &done) && done < 1) {
		say(name, "%.0f %% of what the live views have read", 100 * done);
	}
	if (live > 0 || staged > 0) {
		say(name,
			"the live views have read %" PRId64 " records that these have not, these "
			"%" PRId64 " that those have not",
			live, staged);
	}
}

static int show_all(struct ask *ask, const struct staged_options *staged)
{
	struct answer_view answer;
	int code = ask_text(ask, "{\"query\":\"staged\"}", &answer);

	if (code >= 0) {
		return code;
	}
	const struct node *place = node_find(answer.root, "staged");
	if (staged->json) {
		print_raw(&answer);
	} else if (place != NULL) {
		print_rows(node_find(place, "views"));
		say_place(place);
	}
	return EXIT_STOPPED;
}

/* ---- one view */

struct comparison {
	int64_t equal, differing, only_live, only_staged;
	int64_t left; /* rows that may still be shown */
	char cursor[CURSOR_SIZE]; /* "": from the beginning */
};

static void write_request(const struct staged_options *staged, const struct comparison *comparison,
	struct buffer *request)
{
	bool goes_on = comparison->cursor[0] != '\0';
	struct writer writer;

	writer_init(&writer, ENCODING_JSON, request);
	write_map(&writer, 3 + goes_on);
	write_key(&writer, "query");
	write_key(&writer, "staged");
	write_key(&writer, "view");
	write_key(&writer, staged->view);
	write_key(&writer, "limit");
	write_integer(&writer, comparison->left > 0 ? comparison->left : 1);
	if (goes_on) {
		write_key(&writer, "cursor");
		write_key(&writer, comparison->cursor);
	}
}

static void take_page(const struct staged_options *staged, const struct answer_view *answer,
	struct comparison *comparison)
{
	const struct node *difference = node_find(answer->root, "difference");
	const struct node *next = node_find(answer->root, "next");

	comparison->cursor[0] = '\0';
	if (next != NULL && next->type == NODE_TEXT && next->text.size < CURSOR_SIZE) {
		snprintf(comparison->cursor, CURSOR_SIZE, "%.*s", (int)next->text.size,
			(const char *)next->text.bytes);
	}
	if (staged->json || difference == NULL) {
		print_raw(answer);
		return;
	}
	const struct node *rows = node_find(difference, "rows");
	if (comparison->left > 0 && rows != NULL && rows->type == NODE_ARRAY) {
		print_differences(difference);
		comparison->left -= rows->count;
	}
	print_rows(node_find(difference, "sums"));
	comparison->equal += node_integer_at(difference, "equal");
	comparison->differing += node_integer_at(difference, "differing");
	comparison->only_live += node_integer_at(difference, "only_live");
	comparison->only_staged += node_integer_at(difference, "only_staged");
	if (next == NULL) {
		say_place(difference);
	}
}

static int compare(struct ask *ask, const struct staged_options *staged)
{
	struct comparison comparison = {.left = staged->limit};
	struct answer_view answer;
	int code = -1;

	do {
		struct buffer request;
		buffer_init(&request, QUERY_SIZE_MAX);
		write_request(staged, &comparison, &request);
		code = request.error != 0 ? EXIT_FAILED
					  : ask_question(ask, buffer_slice(&request), &answer);
		buffer_deinit(&request);
		if (code < 0) {
			take_page(staged, &answer, &comparison);
		}
	} while (code < 0 && comparison.cursor[0] != '\0');
	if (code < 0 && !staged->json) {
		printf("%" PRId64 " rows equal, %" PRId64 " differing, %" PRId64
		       " only live, %" PRId64 " only staged\n",
			comparison.equal, comparison.differing, comparison.only_live,
			comparison.only_staged);
	}
	return code < 0 ? EXIT_STOPPED : code;
}

/* ---- what becomes of them */

static void copy_store(const struct node *map, char store[STORE_SIZE])
{
	const struct node *node = map == NULL ? NULL : node_find(map, "store");

	store[0] = '\0';
	if (node != NULL && node->type == NODE_TEXT) {
		snprintf(store, STORE_SIZE, "%.*s", (int)node->text.size,
			(const char *)node->text.bytes);
	}
}

/* Until the store that was accepted is the one that answers. */
static int wait_for_switch(struct ask *ask, const char *accepted)
{
	struct answer_view answer;
	char store[STORE_SIZE];

	for (;;) {
		int code = ask_text(ask, "{\"query\":\"status\"}", &answer);
		if (code >= 0) {
			return code;
		}
		copy_store(node_find(answer.root, "as_of"), store);
		if (strcmp(store, accepted) == 0) {
			say(name, "they are live; move them into the configuration");
			return EXIT_STOPPED;
		}
		if (!ask_sleep(SWITCH_EVERY_MS)) {
			return EXIT_FAILED;
		}
	}
}

static int decide(struct ask *ask, const struct staged_options *staged)
{
	struct answer_view answer;
	char store[STORE_SIZE];
	int code = ask_text(ask,
		staged->accept ? "{\"query\":\"accept_staged\"}" : "{\"query\":\"drop_staged\"}",
		&answer);

	if (code >= 0) {
		return code;
	}
	if (staged->json) {
		print_raw(&answer);
	}
	copy_store(node_find(answer.root, "accepted"), store);
	return staged->accept ? wait_for_switch(ask, store) : EXIT_STOPPED;
}

int command_staged(int argc, char **argv)
{
	struct staged_options staged = {.limit = 20, .timeout_ms = 10000};
	struct ask ask;

	int code = parse(argc, argv, &staged);
	if (code >= 0) {
		return code;
	}
	code = ask_open(&ask, &(struct ask_options){.command = name,
				      .endpoint = staged.endpoint,
				      .timeout_ms = staged.timeout_ms,
				      .keys = staged.keys});
	if (code < 0 && (staged.accept || staged.drop)) {
		code = decide(&ask, &staged);
	} else if (code < 0) {
		code = staged.view != NULL ? compare(&ask, &staged) : show_all(&ask, &staged);
	}
	ask_close(&ask);
	return code;
}
