#include "cli/audit.h"
#include "cli/commands.h"
#include "cli/number_text.h"
#include "cli/options.h"
#include "cli/plant.h"
#include "cli/ranking.h"
#include "cli/terminal.h"
#include "proto/checksum.h"
#include "runtime/clock.h"
#include "runtime/program.h"
#include <string.h>

enum {
	DRAW_MS_TERMINAL = 500,
	DRAW_MS_PIPE = 2000,
	SETTLE_TIMEOUT_MS = 30000,
	SETTLE_PAUSE_MS = 100,
	EDGE_TIMEOUT_MS = 30000,
	PRODUCTS = 120,
	USERS = 2000,
	PRODUCTS_SHOWN = 10,
	/* The broker in memory keeps about 4.7 MiB of a partition. What the certificate and Kafka add to an event as
	 * it was produced, headers of a dead letter included: */
	PARTITION_BYTES_MAX = 4 * 1024 * 1024,
	EVENT_EXTRA_BYTES = 128,
};

static const char name[] = "till demo";

struct demo_options {
	int64_t seconds_ms, rate, stores, seed;
	double invalid;
	const char *folder;
};

enum { PANEL_STORES, PANEL_PRODUCTS, PANEL_COUNT };

struct demo {
	struct demo_options options;
	struct plant plant;
	struct ask ask;
	bool asking; /* between ask_open and ask_close */
	struct simulation *simulation;
	int64_t bytes[KIND_EVENT_COUNT][PLANT_PARTITIONS];
	bool broker_full;
	int64_t started_ms;
	int64_t draw_ms; /* when to draw next */
	bool drawing; /* the loop runs for a question */
	bool interrupted;
	int result; /* of the simulation: not 0 ended it */
	struct ranking rankings[PANEL_COUNT];
	struct ranking_view views[PANEL_COUNT];
};

static int parse(int argc, char **argv, struct demo_options *demo)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--seconds", 0, OPTION_DURATION, &demo->seconds_ms, "TIME",
			"stop after TIME, compare and end", 0, 0},
		{"--rate", 0, OPTION_INTEGER, &demo->rate, "N",
			"events a second over all stores, default 300", 1, 20000},
		{"--stores", 0, OPTION_INTEGER, &demo->stores, "N", "default 2", 1,
			PLANT_EDGES_MAX},
		{"--seed", 0, OPTION_INTEGER, &demo->seed, "N", "default 1", 0, 0},
		{"--invalid", 0, OPTION_DECIMAL, &demo->invalid, "SHARE",
			"share of events with a flaw, default 0.01", 0, 1},
		{"--dir", 0, OPTION_TEXT, &demo->folder, "DIR",
			"keep spools, store and logs there; else a temporary folder", 0, 0},
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {"till demo", "[OPTIONS]",
		"Starts a whole till on this machine (a broker in memory, a bridge, an edge for "
		"each store, an aggregator),\n"
		"lets simulated stores sell, shows the totals, and at the end compares every total "
		"with a ledger of what\n"
		"the edges accepted: \"equal\" and exit code 0, or the differences and 1. Ctrl-C "
		"ends it.",
		options, 0, 0};

	return options_or_exit(&spec, argc, argv, &positionals);
}

/* Keeps every partition within what the broker in memory holds. */
static bool may_produce(void *owner, size_t edge, enum kind kind, size_t size)
{
	struct demo *demo = owner;
	int32_t partition =
		checksum_partition(slice_of_text(plant_edge_id(edge)), PLANT_PARTITIONS);
	int64_t *bytes = &demo->bytes[kind][partition];

	*bytes += (int64_t)size + EVENT_EXTRA_BYTES;
	demo->broker_full = demo->broker_full || *bytes > PARTITION_BYTES_MAX;
	return !demo->broker_full;
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct demo *demo = owner;
	int64_t seconds_ms = demo->options.seconds_ms;

	if (seconds_ms > 0 && now_ms - demo->started_ms >= seconds_ms) {
		simulation_stop(demo->simulation);
	}
	int r = simulation_step(demo->simulation, now_ms, ret_wait_ms);
	demo->result = r != 0 ? r : demo->result;
	if (r < 0) {
		return r;
	}
	int64_t left_ms = demo->draw_ms - now_ms;
	if (!demo->drawing && (left_ms <= 0 || r != 0)) {
		loop_stop(demo->ask.session.loop);
	} else if (!demo->drawing && left_ms < *ret_wait_ms) {
		*ret_wait_ms = left_ms;
	}
	return 0;
}

static int on_terminate(void *owner)
{
	struct demo *demo = owner;

	demo->interrupted = true;
	simulation_stop(demo->simulation);
	loop_stop(demo->ask.session.loop);
	return 0;
}

static int open_simulation(struct demo *demo)
{
	static const char *endpoints[PLANT_EDGES_MAX];

	for (size_t i = 0; i < demo->plant.edge_count; i++) {
		endpoints[i] = plant_edge(&demo->plant, i)->listen;
	}
	struct simulation_options simulation = {.session = &demo->ask.session,
		.endpoints = endpoints,
		.endpoint_count = demo->plant.edge_count,
		.stores = (uint32_t)demo->plant.edge_count,
		.simulator = {.seed = (uint64_t)demo->options.seed,
			.products = PRODUCTS,
			.users = USERS,
			.invalid_share = demo->options.invalid},
		.rate = (double)demo->options.rate,
		.timeout_ms = EDGE_TIMEOUT_MS,
		.wall_ms = clock_wall_ms,
		.may_produce = may_produce,
		.owner = demo};
	int r = simulation_new(&simulation, &demo->simulation);
	if (r == 0) {
		r = loop_add_tick(demo->ask.session.loop, on_tick, demo);
	}
	return r;
}

static void print_addresses(const struct demo *demo)
{
	const struct plant *plant = &demo->plant;

	printf("queries  %s\n", plant_aggregator(plant)->listen);
	printf("console  http://%s/\n", plant_aggregator(plant)->http);
	printf("admin    the token is in %s/" PLANT_ADMIN_TOKEN "\n", plant->folder);
	printf("metrics  http://%s/metrics\n", plant_aggregator(plant)->http);
	printf("kafka    %s (in memory)\n", plant_broker(plant)->bootstrap);
	for (size_t i = 0; i < plant->edge_count; i++) {
		printf("edge     %s  %s  http://%s/metrics\n", plant_edge(plant, i)->listen,
			plant_edge_id(i), plant_edge(plant, i)->http);
	}
}

static void print_progress(const struct demo *demo, const struct answer_view *stores)
{
	const struct sales_ledger *ledger = simulation_ledger(demo->simulation);
	const struct node *rows = node_find(stores->root, "rows");
	const struct node *row = rows != NULL && rows->count > 0 ? node_first(rows) : NULL;
	char accepted[NUMBER_TEXT_SIZE];
	char orders[NUMBER_TEXT_SIZE];
	char counted[NUMBER_TEXT_SIZE];
	char invalid[NUMBER_TEXT_SIZE];
	int64_t sum = 0;

	for (uint32_t i = 0; row != NULL && i < rows->count; i++, row = node_next(row)) {
		const struct node *count = node_find(row, "order_count");
		int64_t value = 0;
		sum += count != NULL && node_integer(count, &value) ? value : 0;
	}
	printf("%3lld s  accepted %s events, %s of them orders; %s invalid; orders counted %s%s\n",
		(long long)(clock_monotonic_ms() - demo->started_ms) / 1000,
		number_text(accepted, (int64_t)sales_ledger_accepted(ledger)),
		number_text(orders, (int64_t)ledger->accepted[KIND_ORDER]),
		number_text(invalid, (int64_t)sales_ledger_invalid(ledger)),
		number_text(counted, sum),
		demo->broker_full ? "; the broker in memory is full: nothing more is produced"
				  : "");
}

static void draw_head(const struct demo *demo)
{
	if (terminal_is_out()) {
		terminal_clear();
		printf("till demo: %zu store%s -> edges -> bridge -> Kafka (in memory) -> "
		       "aggregator\n",
			demo->plant.edge_count, demo->plant.edge_count == 1 ? "" : "s");
		printf("console: http://%s/   ask it yourself: till top %s   Ctrl-C ends\n\n",
			plant_aggregator(&demo->plant)->http,
			plant_aggregator(&demo->plant)->listen);
	}
}

/* Both tables on a terminal, a line elsewhere. -1 to go on, else the exit code. */
static int draw(struct demo *demo)
{
	struct answer_view answer;
	int code = -1;

	demo->drawing = true;
	for (int i = 0; i < PANEL_COUNT && code < 0; i++) {
		if (demo->views[i].by[0] == '\0') {
			code = ranking_learn(&demo->ask, &demo->rankings[i], &demo->views[i]);
		}
		if (code < 0) {
			code = ranking_ask(
				&demo->ask, &demo->rankings[i], &demo->views[i], &answer);
		}
		if (code >= 0) {
			break;
		}
		if (i == PANEL_STORES) {
			draw_head(demo);
			print_progress(demo, &answer);
		}
		if (terminal_is_out()) {
			fputc('\n', stdout);
			ranking_print(&answer, &demo->views[i], stdout);
		}
	}
	fflush(stdout);
	demo->drawing = false;
	return code;
}

static int say_ended(const struct child *child)
{
	say(name, "%s ended by itself; the end of its log:", child->name);
	child_show_log(child);
	return EXIT_FAILED;
}

/* Sells and draws until it is time to settle (-1), or something is broken. */
static int sell(struct demo *demo)
{
	while (!demo->interrupted) {
		int64_t now_ms = clock_monotonic_ms();
		demo->draw_ms = now_ms + (terminal_is_out() ? DRAW_MS_TERMINAL : DRAW_MS_PIPE);
		int r = loop_run(demo->ask.session.loop);
		if (r < 0) {
			say(name, "%s", strerror(-r));
			return EXIT_FAILED;
		}
		const struct child *ended = plant_find_ended(&demo->plant);
		if (ended != NULL) {
			return say_ended(ended);
		}
		if (demo->result == PRODUCER_E_TIMEOUT) {
			say(name, "%s is silent", simulation_silent_endpoint(demo->simulation));
			return EXIT_FAILED;
		}
		int code = demo->interrupted ? -1 : draw(demo);
		if (code >= 0 && !demo->interrupted) {
			return code;
		}
		bool bounded = demo->options.seconds_ms > 0;
		if (bounded && simulation_is_over(demo->simulation)) {
			return -1;
		}
	}
	return -1;
}

/* Brings what is under way to its answer. */
static int finish_selling(struct demo *demo, int64_t deadline_ms)
{
	int r = 0;

	simulation_stop(demo->simulation);
	demo->drawing = false;
	while (r == 0 && !simulation_is_over(demo->simulation) &&
		clock_monotonic_ms() < deadline_ms) {
		demo->draw_ms = clock_monotonic_ms() + SETTLE_PAUSE_MS;
		r = loop_run(demo->ask.session.loop);
	}
	demo->drawing = true;
	return r;
}

/* Is everything in the totals, as far as the programs say? */
static bool has_arrived(struct demo *demo)
{
	struct answer_view answer;
	int64_t lag = -1;

	if (plant_unsent_events(&demo->plant) != 0 ||
		ask_text(&demo->ask, "{\"query\":\"status\"}", &answer) >= 0) {
		return false;
	}
	const struct node *as_of = node_find(answer.root, "as_of");
	const struct node *node = as_of != NULL ? node_find(as_of, "lag") : NULL;
	return node != NULL && node_integer(node, &lag) && lag == 0;
}

/* The aggregator knows of a record only once it has fetched its partition's end, so a first difference is looked
 * at again until the time is over. */
static int compare(struct demo *demo)
{
	const struct sales_ledger *ledger = simulation_ledger(demo->simulation);
	int64_t deadline_ms = clock_monotonic_ms() + SETTLE_TIMEOUT_MS;
	struct audit audit = {.differences = 1};
	int code = -1;

	if (finish_selling(demo, deadline_ms) < 0 || !simulation_is_over(demo->simulation)) {
		say(name, "the edges did not answer for everything");
		return EXIT_FAILED;
	}
	while (code < 0 && audit.differences > 0 && clock_monotonic_ms() < deadline_ms) {
		if (has_arrived(demo)) {
			code = audit_run(&demo->ask, ledger, true, &audit);
		}
		if (audit.differences > 0 && !ask_sleep(SETTLE_PAUSE_MS)) {
			say(name, "interrupted before everything was compared");
			return EXIT_FAILED;
		}
	}
	if (code < 0 && audit.differences > 0) {
		code = audit_run(&demo->ask, ledger, false, &audit);
	}
	if (code >= 0) {
		return code;
	}
	if (audit.differences > 0) {
		say(name, "%llu differences", (unsigned long long)audit.differences);
		return EXIT_FAILED;
	}
	struct simulation_counts counts;
	simulation_count(demo->simulation, &counts);
	if (counts.refused + counts.surprises > 0) {
		say(name, "%llu events were refused, %llu judged otherwise than they were meant",
			(unsigned long long)counts.refused, (unsigned long long)counts.surprises);
		return EXIT_FAILED;
	}
	printf("%llu totals compared with what the edges accepted\nequal\n",
		(unsigned long long)audit.compared);
	return EXIT_STOPPED;
}

static int run(struct demo *demo)
{
	int code = ask_open(&demo->ask, &(struct ask_options){.command = name,
						.endpoint = plant_aggregator(&demo->plant)->listen,
						.timeout_ms = 5000});
	demo->asking = true;
	if (code >= 0) {
		return code;
	}
	int r = open_simulation(demo);
	if (r < 0) {
		say(name, "%s", strerror(-r));
		return EXIT_FAILED;
	}
	print_addresses(demo);
	fflush(stdout);
	demo->started_ms = clock_monotonic_ms();
	loop_on_terminate(demo->ask.session.loop, on_terminate, demo);
	loop_on_hangup(demo->ask.session.loop, on_terminate, demo);
	code = sell(demo);
	return code < 0 ? compare(demo) : code;
}

static void close_demo(struct demo *demo)
{
	for (int i = 0; i < PANEL_COUNT; i++) {
		ranking_view_deinit(&demo->views[i]);
	}
	simulation_free(demo->simulation);
	if (demo->asking) {
		ask_close(&demo->ask);
	}
	plant_stop(&demo->plant);
}

int command_demo(int argc, char **argv)
{
	static struct demo demo; /* large: a path for every child */

	demo.options = (struct demo_options){.rate = 300, .stores = 2, .seed = 1, .invalid = 0.01};
	demo.rankings[PANEL_STORES] = (struct ranking){.view = "stores", .limit = PLANT_EDGES_MAX};
	demo.rankings[PANEL_PRODUCTS] =
		(struct ranking){.view = "products", .limit = PRODUCTS_SHOWN};
	int code = parse(argc, argv, &demo.options);
	if (code >= 0) {
		return code;
	}
	int r = plant_start(&demo.plant, name, demo.options.folder, (size_t)demo.options.stores);
	code = r == 0 ? run(&demo) : EXIT_FAILED;
	close_demo(&demo);
	return code;
}
