#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/keyboard.h"
#include "cli/monitor_bridges.h"
#include "cli/monitor_edges.h"
#include "cli/number_text.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "cli/text_table.h"
#include "cli/vital_signs.h"
#include "proto/timestamp.h"
#include "runtime/clock.h"
#include "runtime/program.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	WINDOW_MS = 60 * 1000,
	EVERY_MS_DEFAULT = 2000,
	EVERY_MS_MIN = 250,
	EVERY_MS_MAX = 3600000,
	PARTITION_ROWS_MAX = 12, /* those furthest behind */
	LINES_AROUND = 10, /* heads, numbers, keys */
	BRIDGE_ROWS_MAX = 6, /* those with trouble first */
	EDGE_ROWS_MIN = 4, /* before bridges have rows of their own */
};

struct monitor_options {
	struct key_files keys;
	const char *endpoint;
	const char *sort;
	int64_t every_ms;
	int64_t count; /* 0: until it is stopped */
};

struct monitor {
	struct ask ask;
	struct keyboard keyboard;
	struct monitor_edges edges;
	struct monitor_bridges bridges;
	struct vital_signs signs;
	enum monitor_sort sort;
	bool is_reversed;
	int64_t every_ms;
	bool is_screen; /* else plain lines */
	char state[32]; /* of the aggregator */
	char *partitions; /* their table, owned */
	size_t partition_lines;
	bool may_see_edges;
	bool knows_bridges; /* an older aggregator does not */
};

static int parse(int argc, char **argv, struct monitor_options *options, enum monitor_sort *sort)
{
	struct positionals positionals;
	const struct option table[] = {
		{"--every", 0, OPTION_DURATION, &options->every_ms, "TIME", "default 2s",
			EVERY_MS_MIN, EVERY_MS_MAX},
		{"--count", 0, OPTION_INTEGER, &options->count, "N",
			"N pictures, or lines, then end", 0, 0},
		{"--sort", 's', OPTION_TEXT, &options->sort, "COLUMN",
			"edges by state (default), edge, rate, waiting, heard or spool", 0, 0},
		KEY_OPTIONS(&options->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {"till monitor", "[ENDPOINT] [OPTIONS]",
		"Shows how everything runs: events a second, lag, latency from an edge's receipt "
		"to "
		"an answer, partitions, bridges, edges.\nKeys: s sorts by the next column, r turns "
		"the "
		"order "
		"round, + and - change how often, q ends. Where its output is no\nterminal: a line "
		"each time. ENDPOINT: the aggregator, default " AGGREGATOR_DEFAULT ".",
		table, 0, 1};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code < 0) {
		options->endpoint =
			positionals.count > 0 ? positionals.items[0] : AGGREGATOR_DEFAULT;
	}
	if (code < 0 && options->sort != NULL && !monitor_sort_find(options->sort, sort)) {
		say("till monitor",
			"there is no column \"%s\" to sort by: state, edge, rate, "
			"waiting, heard, spool",
			options->sort);
		return EXIT_USAGE;
	}
	return code;
}

/* ---- asking */

static int compare_lag(const void *a, const void *b)
{
	int64_t one = node_integer_at(*(const struct node *const *)a, "lag");
	int64_t other = node_integer_at(*(const struct node *const *)b, "lag");
	return (one < other) - (one > other);
}

static void add_partition(struct text_table *table, const struct node *partition)
{
	static const char *const columns[] = {"next", "lag", "read", "duplicates", "unreadable"};
	const struct node *topic = node_find(partition, "topic");
	char text[NUMBER_TEXT_SIZE];

	text_table_add(table,
		topic != NULL && topic->type == NODE_TEXT ? topic->text : slice_of_text("-"));
	snprintf(text, sizeof text, "%" PRId64, node_integer_at(partition, "partition"));
	text_table_add_text(table, text);
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
		text_table_add_text(
			table, number_text(text, node_integer_at(partition, columns[i])));
	}
}

/* Those that are furthest behind, of those that hold anything. 0 or -ENOMEM. */
static int fill_partitions(struct monitor *monitor, const struct node *list, FILE *out)
{
	static const char *const headings[] = {
		"topic", "partition", "offset", "lag", "read", "duplicates", "unreadable"};
	enum { COLUMN_COUNT = sizeof headings / sizeof headings[0] };
	const struct node **sorted = calloc(list->count + 1, sizeof *sorted);
	const struct node *partition = node_first(list);
	struct text_table table;
	size_t count = 0;

	if (sorted == NULL) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < list->count; i++, partition = node_next(partition)) {
		if (partition->type == NODE_MAP && (node_integer_at(partition, "read") > 0 ||
							   node_integer_at(partition, "lag") > 0)) {
			sorted[count++] = partition;
		}
	}
	qsort(sorted, count, sizeof *sorted, compare_lag);
	text_table_init(&table, COLUMN_COUNT);
	for (uint32_t i = 0; i < COLUMN_COUNT; i++) {
		table.right[i] = i >= 1;
		text_table_add_text(&table, headings[i]);
	}
	size_t shown = count < PARTITION_ROWS_MAX ? count : PARTITION_ROWS_MAX;
	for (size_t i = 0; i < shown; i++) {
		add_partition(&table, sorted[i]);
	}
	monitor->partition_lines = shown + 1 + (count > shown);
	int r = text_table_print(&table, out);
	if (count > shown) {
		fprintf(out, "and %zu more\n", count - shown);
	}
	text_table_deinit(&table);
	free(sorted);
	return r;
}

static int take_status(struct monitor *monitor, const struct node *root)
{
	const struct node *state = node_find(root, "state");
	const struct node *partitions = node_find(root, "partitions");
	size_t size = 0;

	snprintf(monitor->state, sizeof monitor->state, "%.*s",
		state != NULL && state->type == NODE_TEXT ? (int)state->text.size : 0,
		state != NULL && state->type == NODE_TEXT ? (const char *)state->text.bytes : "");
	free(monitor->partitions);
	monitor->partitions = NULL;
	if (!monitor->is_screen || partitions == NULL || partitions->type != NODE_ARRAY) {
		return 0;
	}
	FILE *out = open_memstream(&monitor->partitions, &size);
	if (out == NULL) {
		return -ENOMEM;
	}
	int r = fill_partitions(monitor, partitions, out);
	return fclose(out) == 0 ? r : -ENOMEM;
}

/* Who may not ask about edges sees the rest. */
static int take_edges(struct monitor *monitor)
{
	struct answer_view answer = {.ok = false};

	int r = query_client_ask(
		monitor->ask.client, slice_of_text("{\"query\":\"edges\"}"), &answer);
	monitor->may_see_edges = r == 0 && answer.ok;
	return monitor->may_see_edges ? monitor_edges_take(&monitor->edges, answer.root) : 0;
}

static int take_bridges(struct monitor *monitor)
{
	struct answer_view answer = {.ok = false};

	int r = query_client_ask(
		monitor->ask.client, slice_of_text("{\"query\":\"bridges\"}"), &answer);
	monitor->knows_bridges = r == 0 && answer.ok;
	return monitor->knows_bridges ? monitor_bridges_take(&monitor->bridges, answer.root) : 0;
}

/* -1 to go on, else the exit code. */
static int look(struct monitor *monitor)
{
	char request[VITAL_SIGNS_REQUEST_SIZE];
	struct answer_view answer;

	vital_signs_request(WINDOW_MS, request);
	int code = ask_text(&monitor->ask, request, &answer);
	if (code >= 0) {
		return code;
	}
	bool is_right = vital_signs_read_vitals(&monitor->signs, answer.root);
	code = ask_text(&monitor->ask, "{\"query\":\"status\"}", &answer);
	if (code >= 0) {
		return code;
	}
	if (!is_right || !vital_signs_read_status(&monitor->signs, answer.root)) {
		say("till monitor", "the aggregator's answer is none to this question");
		return EXIT_FAILED;
	}
	if (take_status(monitor, answer.root) < 0 || take_bridges(monitor) < 0 ||
		take_edges(monitor) < 0) {
		say("till monitor", "%s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	return -1;
}

/* ---- drawing */

static void print_latency(const struct vital_signs *signs)
{
	if (signs->latency_events == 0) {
		printf("latency -");
	} else {
		printf("latency avg %.1f ms  p50 %" PRId64 " ms  p99 %" PRId64 " ms",
			signs->latency_avg_ms, signs->latency_p50_ms, signs->latency_p99_ms);
	}
}

static void print_numbers(const struct monitor *monitor, const char *gap)
{
	const struct vital_signs *signs = &monitor->signs;
	char text[NUMBER_TEXT_SIZE];

	printf("events/s %.1f%slag %s%s", vital_signs_throughput(signs), gap,
		signs->lag < 0 ? "unknown" : number_text(text, signs->lag), gap);
	print_latency(signs);
	printf("%sprocessed %s", gap, number_text(text, signs->processed));
	printf("%serrors %s", gap, number_text(text, signs->errors));
	printf("%sduplicates %s", gap, number_text(text, signs->duplicates));
}

static void print_line(const struct monitor *monitor)
{
	char time[TIMESTAMP_TEXT_SIZE];

	printf("%.*s  %s  ", (int)timestamp_format(monitor->signs.now_ms, time), time,
		monitor->state);
	print_numbers(monitor, "  ");
	if (monitor->may_see_edges) {
		printf("  edges %zu  troubled %zu", monitor->edges.count + monitor->edges.left_out,
			monitor->edges.troubled);
	}
	if (monitor->knows_bridges) {
		printf("  bridges %zu  troubled_bridges %zu", monitor->bridges.count,
			monitor->bridges.troubled);
	}
	putchar('\n');
}

/* Where there is room, as a table. Returns how many lines that were. */
static size_t print_bridges(const struct monitor *monitor, size_t room)
{
	const struct monitor_bridges *bridges = &monitor->bridges;
	size_t rows = bridges->count < BRIDGE_ROWS_MAX ? bridges->count : BRIDGE_ROWS_MAX;
	size_t lines = rows + 2 + (bridges->count > rows); /* its heading, an empty one */

	if (!monitor->knows_bridges || bridges->count == 0) {
		return 0;
	}
	if (room < lines + EDGE_ROWS_MIN) {
		printf("bridges %zu, with trouble %zu\n", bridges->count, bridges->troubled);
		return 1;
	}
	monitor_bridges_print(bridges, rows, stdout);
	putchar('\n');
	return lines;
}

static void print_screen(struct monitor *monitor)
{
	char time[TIMESTAMP_TEXT_SIZE];
	int height = terminal_height();
	size_t used = LINES_AROUND + monitor->partition_lines;
	size_t room = (size_t)height > used ? (size_t)height - used : 0;

	terminal_clear();
	printf("%.*s  %s  %s  store %.1f MiB\n\n",
		(int)timestamp_format(monitor->signs.now_ms, time), time, monitor->ask.endpoint,
		monitor->state, (double)monitor->signs.store_bytes / (1024 * 1024));
	print_numbers(monitor, "   ");
	printf("\n\n%s\n", monitor->partitions != NULL ? monitor->partitions : "");
	size_t taken = print_bridges(monitor, room);
	size_t rows = room > taken + 1 ? room - taken : 1;
	if (monitor->may_see_edges) {
		monitor_edges_sort(&monitor->edges, monitor->sort, monitor->is_reversed);
		monitor_edges_print(&monitor->edges, rows, stdout);
	} else {
		printf("this key may not ask about edges\n");
	}
	if (monitor->keyboard.has_keys) {
		printf("\ns sort: %s%s   r reverse   +/- every %.1f s   q quit",
			monitor_sort_name(monitor->sort), monitor->is_reversed ? ", reversed" : "",
			(double)monitor->every_ms / 1000);
	}
}

static void draw(struct monitor *monitor)
{
	if (monitor->is_screen) {
		print_screen(monitor);
	} else {
		print_line(monitor);
	}
	fflush(stdout);
}

/* ---- keys */

/* false: it is to end. */
static bool press(struct monitor *monitor, char key)
{
	switch (key) {
	case 'q':
		return false;
	case 's':
		monitor->sort = (enum monitor_sort)((monitor->sort + 1) % MONITOR_SORT_COUNT);
		break;
	case 'r':
		monitor->is_reversed = !monitor->is_reversed;
		break;
	case '+':
		monitor->every_ms =
			monitor->every_ms / 2 < EVERY_MS_MIN ? EVERY_MS_MIN : monitor->every_ms / 2;
		break;
	case '-':
		monitor->every_ms =
			monitor->every_ms * 2 > EVERY_MS_MAX ? EVERY_MS_MAX : monitor->every_ms * 2;
		break;
	default:
		break;
	}
	return true;
}

/* Until it is time to look again; keys and a new size draw what is known. false: it is to end. */
static bool wait_for_turn(struct monitor *monitor, int64_t (*now_ms)(void))
{
	int64_t began_ms = now_ms();

	for (;;) {
		char key = '\0';
		int64_t left_ms = began_ms + monitor->every_ms - now_ms();
		if (left_ms <= 0) {
			return true;
		}
		switch (keyboard_wait(&monitor->keyboard, left_ms, &key)) {
		case KEYBOARD_STOPPED:
			return false;
		case KEYBOARD_KEY:
			if (!press(monitor, key)) {
				return false;
			}
			draw(monitor);
			break;
		case KEYBOARD_RESIZED:
			draw(monitor);
			break;
		case KEYBOARD_TIMEOUT:
			break;
		}
	}
}

/* Once there was a picture, an aggregator that is away for a while ends nothing. */
static int watch_on(struct monitor *monitor, int64_t count)
{
	int64_t drawn = 0;

	for (;;) {
		int code = look(monitor);
		if (code >= 0 && (code != EXIT_NOT_REACHED || drawn == 0)) {
			return code;
		}
		if (code < 0) {
			draw(monitor);
			drawn++;
		}
		if ((count > 0 && drawn >= count) || !wait_for_turn(monitor, clock_monotonic_ms)) {
			return EXIT_STOPPED;
		}
	}
}

int command_monitor(int argc, char **argv)
{
	struct monitor_options options = {.every_ms = EVERY_MS_DEFAULT};
	struct monitor monitor = {.keyboard = {.signals = -1}, .is_screen = terminal_is_out()};

	int code = parse(argc, argv, &options, &monitor.sort);
	if (code >= 0) {
		return code;
	}
	monitor.every_ms = options.every_ms;
	code = ask_open(&monitor.ask, &(struct ask_options){.command = "till monitor",
					      .endpoint = options.endpoint,
					      .timeout_ms = 10000,
					      .keys = options.keys});
	if (code < 0) {
		int r = keyboard_open(&monitor.keyboard);
		if (r < 0) {
			say("till monitor", "%s", strerror(-r));
			code = EXIT_FAILED;
		}
	}
	if (code < 0) {
		code = watch_on(&monitor, options.count);
	}
	if (monitor.is_screen) {
		putchar('\n');
	}
	keyboard_close(&monitor.keyboard);
	monitor_edges_deinit(&monitor.edges);
	monitor_bridges_deinit(&monitor.bridges);
	free(monitor.partitions);
	ask_close(&monitor.ask);
	return code;
}
