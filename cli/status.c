#include "cli/answer_table.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/edge_health.h"
#include "cli/http_get.h"
#include "cli/options.h"
#include "proto/timestamp.h"
#include "runtime/program.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { HTTP_TIMEOUT_MS = 3000 };

struct status_options {
	struct key_files keys;
	const char *endpoint; /* NULL: only --http was asked for */
	struct text_list http;
	bool json;
	int64_t timeout_ms;
};

static int parse(int argc, char **argv, struct status_options *status)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--http", 0, OPTION_LIST, &status->http, "ADDRESS",
			"a daemon's HTTP address (its /readyz); may be repeated", 0, 0},
		{"--json", 0, OPTION_FLAG, &status->json, NULL,
			"the aggregator's answer as it came", 0, 0},
		{"--timeout", 0, OPTION_DURATION, &status->timeout_ms, "TIME",
			"wait so long for an answer, default 10s", 0, 0},
		KEY_OPTIONS(&status->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {"till status", "[ENDPOINT] [--http ADDRESS]...",
		"Shows how the aggregator at ENDPOINT is (default " AGGREGATOR_DEFAULT
		"), which edges need a look, and whether\ndaemons are ready. "
		"With --http alone only those are asked. Exit code: 1 when something is not well, "
		"3 when it is silent.",
		options, 0, 1};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code >= 0) {
		return code;
	}
	if (positionals.count > 0) {
		status->endpoint = positionals.items[0];
	} else if (status->http.count == 0) {
		status->endpoint = AGGREGATOR_DEFAULT;
	}
	return -1;
}

static bool is_table(const struct node *value)
{
	return (value->type == NODE_MAP || value->type == NODE_ARRAY) && value->count > 0;
}

static struct slice scalar_text(
	struct slice name, const struct node *value, char out[ANSWER_CELL_SIZE])
{
	int64_t ts_ms = 0;

	if (value->type == NODE_ARRAY || value->type == NODE_MAP) {
		return slice_of_text("none");
	}
	if (slice_equals_text(name, "event_ts") && node_integer(value, &ts_ms)) {
		return slice_of(out, timestamp_format(ts_ms, out));
	}
	return answer_cell(value, value->type != NODE_TEXT, out);
}

/* First what is one value, as two columns; as_of's values among them. */
static void add_scalars(struct text_table *table, const struct node *map)
{
	char out[ANSWER_CELL_SIZE];
	const struct node *key = node_first(map);

	for (uint32_t i = 0; i < map->count; i++) {
		const struct node *value = node_next(key);
		if (slice_equals_text(key->text, "as_of") && value->type == NODE_MAP) {
			add_scalars(table, value);
		} else if (!is_table(value) && !slice_equals_text(key->text, "ok")) {
			text_table_add(table, key->text);
			text_table_add(table, scalar_text(key->text, value, out));
		}
		key = node_next(value);
	}
}

static void print_list(const struct node *list)
{
	char out[ANSWER_CELL_SIZE];
	const struct node *item = node_first(list);

	for (uint32_t i = 0; i < list->count; i++, item = node_next(item)) {
		struct slice cell = answer_cell(item, false, out);
		printf("  %.*s\n", (int)cell.size, (const char *)cell.bytes);
	}
}

/* A map of single values: its columns are its names; of a map within a map "held.users". */
static void print_values(const struct node *map)
{
	char out[ANSWER_CELL_SIZE];
	struct text_table table;
	const struct node *key = node_first(map);

	text_table_init(&table, 2);
	table.right[1] = true;
	for (uint32_t i = 0; i < map->count; i++) {
		const struct node *value = node_next(key);
		const struct node *inner = value->type == NODE_MAP ? node_first(value) : NULL;
		for (uint32_t j = 0; inner != NULL && j < value->count; j++) {
			char name[96];
			snprintf(name, sizeof name, "%.*s.%.*s", (int)key->text.size,
				(const char *)key->text.bytes, (int)inner->text.size,
				(const char *)inner->text.bytes);
			text_table_add_text(&table, name);
			text_table_add(&table, answer_cell(node_next(inner), true, out));
			inner = node_next(node_next(inner));
		}
		if (inner == NULL && value->type != NODE_MAP) {
			text_table_add(&table, key->text);
			text_table_add(&table, answer_cell(value, true, out));
		}
		key = node_next(value);
	}
	text_table_print(&table, stdout);
	text_table_deinit(&table);
}

static bool has_single_values(const struct node *value)
{
	const struct node *key = node_first(value);

	for (uint32_t i = 0; value->type == NODE_MAP && i < value->count; i++) {
		if (node_next(key)->type != NODE_MAP) {
			return true;
		}
		key = node_next(node_next(key));
	}
	return false;
}

/* Then what is rows. */
static void print_tables(const struct node *map)
{
	const struct node *key = node_first(map);

	for (uint32_t i = 0; i < map->count; i++) {
		const struct node *value = node_next(key);
		struct text_table table;
		if (is_table(value) && !slice_equals_text(key->text, "as_of")) {
			printf("\n%.*s\n", (int)key->text.size, (const char *)key->text.bytes);
			if (has_single_values(value)) {
				print_values(value);
			} else if (answer_table_fill(&table, value, "", NULL)) {
				text_table_print(&table, stdout);
				text_table_deinit(&table);
			} else if (value->type == NODE_ARRAY) {
				print_list(value);
			}
		}
		key = node_next(value);
	}
}

static bool has_problems(const struct node *root)
{
	const struct node *problems = node_find(root, "problems");

	return problems != NULL && problems->type == NODE_ARRAY && problems->count > 0;
}

static void print_status(const struct node *root)
{
	struct text_table table;

	text_table_init(&table, 2);
	add_scalars(&table, root);
	text_table_print(&table, stdout);
	text_table_deinit(&table);
	print_tables(root);
}

/* Who may not ask about edges sees the rest. */
static void ask_edges(struct ask *ask)
{
	struct answer_view answer = {.ok = false};

	if (query_client_ask(ask->client, slice_of_text("{\"query\":\"edges\"}"), &answer) != 0 ||
		!answer.ok) {
		return;
	}
	struct edge_health health = edge_health_of(answer.root);
	if (health.edge_count > 0) {
		printf("\nedges\n  %zu report, %zu of them need a look\n", health.edge_count,
			health.troubled_count);
		edge_health_print(answer.root, stdout);
	}
}

static int ask_status(const struct status_options *status)
{
	struct answer_view answer;
	struct ask ask;

	int code = ask_open(&ask, &(struct ask_options){.command = "till status",
					  .endpoint = status->endpoint,
					  .timeout_ms = status->timeout_ms,
					  .keys = status->keys});
	if (code < 0) {
		code = ask_text(&ask, "{\"query\":\"status\"}", &answer);
	}
	if (code < 0 && status->json) {
		printf("%.*s\n", (int)answer.bytes.size, (const char *)answer.bytes.bytes);
	} else if (code < 0) {
		print_status(answer.root);
	}
	if (code < 0) {
		code = has_problems(answer.root) ? EXIT_FAILED : EXIT_STOPPED;
		if (!status->json) {
			ask_edges(&ask); /* the answer before is no more */
		}
	}
	ask_close(&ask);
	return code;
}

/* "127.0.0.1:9170  ready", then the daemon's own words. */
static int ask_ready(const char *address)
{
	static struct http_answer answer; /* large */

	int r = http_get(address, "/readyz", HTTP_TIMEOUT_MS, &answer);
	if (r == -EINVAL) {
		say("till status", "\"%s\" is no address; it looks like 127.0.0.1:9170", address);
		return EXIT_USAGE;
	}
	if (r < 0) {
		say("till status", "could not reach http://%s: %s", address, strerror(-r));
		return EXIT_NOT_REACHED;
	}
	bool ready = answer.status == 200;
	printf("%s  %s\n", address, ready ? "ready" : "NOT READY");
	for (char *line = strtok(answer.body, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		printf("  %s\n", line);
	}
	return ready ? EXIT_STOPPED : EXIT_FAILED;
}

int command_status(int argc, char **argv)
{
	struct status_options status = {.timeout_ms = 10000};

	int code = parse(argc, argv, &status);
	if (code >= 0) {
		return code;
	}
	code = status.endpoint != NULL ? ask_status(&status) : EXIT_STOPPED;
	for (size_t i = 0; i < status.http.count; i++) {
		int ready = ask_ready(status.http.items[i]);
		code = ready > code ? ready : code;
	}
	return code;
}
