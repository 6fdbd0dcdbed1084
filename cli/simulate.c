#include "cli/commands.h"
#include "cli/database_pq.h"
#include "cli/json_text.h"
#include "cli/number_text.h"
#include "cli/options.h"
#include "cli/shop.h"
#include "cli/simulate_database.h"
#include "cli/simulation.h"
#include "cli/terminal.h"
#include "cli/text_table.h"
#include "proto/limits.h"
#include "runtime/clock.h"
#include "runtime/program.h"
#include <errno.h>
#include <string.h>

/* A ledger's text: a product's line is under 80 bytes. */
enum { LEDGER_SIZE_MAX = 64 * 1024 * 1024 };

enum { SIMULATE_E_KEYS = 1 /* they can't be read: said */ };

struct simulate_options {
	struct key_files keys;
	struct text_list to;
	int64_t stores, products, users, seed, rate, count, seconds_ms, timeout_ms;
	double invalid;
	const char *ledger;
	bool json;
};

/* One run. */
struct simulate {
	struct simulate_options options;
	struct session session;
	struct simulation *simulation;
	struct progress progress;
	int64_t started_ms;
	bool interrupted;
	bool silent;
};

/* Options that mean edges would be silent of a database. -1: go on. */
static int check_database(const struct simulate_options *simulate)
{
	if (simulate->stores > 0 || simulate->invalid > 0 || simulate->ledger != NULL) {
		say("till simulate",
			"--stores, --invalid and --ledger are of edges, not of a database");
		return EXIT_USAGE;
	}
	if (simulate->users > SHOP_USERS_MAX) {
		say("till simulate", "--users: at most %d of a database", SHOP_USERS_MAX);
		return EXIT_USAGE;
	}
	return -1;
}

static int run_database(const struct simulate_options *options)
{
	return simulate_database(
		&(struct simulate_database_options){.address = options->to.items[0],
			.seed = options->seed,
			.products = options->products,
			.users = options->users,
			.rate = options->rate,
			.count = options->count,
			.seconds_ms = options->seconds_ms,
			.json = options->json});
}

static int parse(int argc, char **argv, struct simulate_options *simulate)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--to", 0, OPTION_LIST, &simulate->to, "ENDPOINT",
			"an edge; may be repeated. Or one postgresql://user@host:5432/database", 0,
			0},
		{"--rate", 0, OPTION_INTEGER, &simulate->rate, "N",
			"events (of a database: transactions) a second over all, default 100; 0: "
			"as fast as "
			"it goes",
			0, 0},
		{"--count", 0, OPTION_INTEGER, &simulate->count, "N", "end after N of them", 0, 0},
		{"--seconds", 0, OPTION_DURATION, &simulate->seconds_ms, "TIME", "end after TIME",
			0, 0},
		{"--seed", 0, OPTION_INTEGER, &simulate->seed, "N",
			"the same seed, the same events; default 1", 0, 0},
		{"--stores", 0, OPTION_INTEGER, &simulate->stores, "N", "default one for each edge",
			1, SIMULATION_STORES_MAX},
		{"--products", 0, OPTION_INTEGER, &simulate->products, "N", "default 200", 1,
			SIMULATOR_PRODUCTS_MAX},
		{"--users", 0, OPTION_INTEGER, &simulate->users, "N", "default 1000", 1,
			SIMULATOR_USERS_MAX},
		{"--invalid", 0, OPTION_DECIMAL, &simulate->invalid, "SHARE",
			"share of events with a flaw, 0 to 1; default 0", 0, 1},
		{"--ledger", 0, OPTION_TEXT, &simulate->ledger, "FILE",
			"write exact totals of what the edges accepted, as JSON", 0, 0},
		{"--timeout", 0, OPTION_DURATION, &simulate->timeout_ms, "TIME",
			"give up after so much silence, default 30s; or forever", 0, 0},
		{"--json", 0, OPTION_FLAG, &simulate->json, NULL,
			"print the totals as one JSON object", 0, 0},
		KEY_OPTIONS(&simulate->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {"till simulate", "--to ENDPOINT|DATABASE [OPTIONS]",
		"Simulated stores sell at real edges: orders of several lines, returns, carts and "
		"page views. A product\n"
		"has one price. Without --count or --seconds it goes on until it is stopped.\n\n"
		"Of a database: makes the tables customers, products, orders and order_details "
		"where they "
		"are missing, and\n"
		"inserts, updates (keys too) and deletes in transactions, some of which are rolled "
		"back. All "
		"but the times of\n"
		"commits hangs on the seed and on the largest order and customer that were there "
		"before.",
		options, 0, 0};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code >= 0) {
		return code;
	}
	if (simulate->to.count == 1 && database_is_address(simulate->to.items[0])) {
		return check_database(simulate);
	}
	if (simulate->to.count == 0 || simulate->to.count > SIMULATION_ENDPOINTS_MAX) {
		say("till simulate", "--to ENDPOINT, 1 to %d times", SIMULATION_ENDPOINTS_MAX);
		return EXIT_USAGE;
	}
	if (simulate->stores < (int64_t)simulate->to.count) {
		simulate->stores = (int64_t)simulate->to.count;
	}
	return -1;
}

static void show_progress(struct simulate *simulate, int64_t now_ms)
{
	const struct simulate_options *options = &simulate->options;
	const struct sales_ledger *ledger = simulation_ledger(simulate->simulation);
	struct simulation_counts counts;
	char accepted[NUMBER_TEXT_SIZE];
	char rate[NUMBER_TEXT_SIZE];
	double share = -1;

	if (!progress_is_due(&simulate->progress, now_ms)) {
		return;
	}
	int64_t elapsed_ms = now_ms - simulate->started_ms;
	simulation_count(simulate->simulation, &counts);
	if (options->count > 0) {
		share = (double)counts.produced / (double)options->count;
	} else if (options->seconds_ms > 0) {
		share = (double)elapsed_ms / (double)options->seconds_ms;
	}
	int64_t answered = (int64_t)(sales_ledger_accepted(ledger) + sales_ledger_invalid(ledger));
	progress_draw(&simulate->progress, now_ms, share, "%s events  %s/s",
		number_text(accepted, answered),
		number_text(rate, elapsed_ms > 0 ? answered * 1000 / elapsed_ms : 0));
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct simulate *simulate = owner;
	int64_t seconds_ms = simulate->options.seconds_ms;

	if (seconds_ms > 0 && now_ms - simulate->started_ms >= seconds_ms) {
		simulation_stop(simulate->simulation);
	}
	int r = simulation_step(simulate->simulation, now_ms, ret_wait_ms);
	if (r < 0) {
		return r;
	}
	show_progress(simulate, now_ms);
	simulate->silent = r == PRODUCER_E_TIMEOUT;
	if (simulate->silent || simulation_is_over(simulate->simulation)) {
		loop_stop(simulate->session.loop);
	}
	return 0;
}

/* The first signal ends producing; what is under way is brought to its answer. The second ends at once. */
static int on_terminate(void *owner)
{
	struct simulate *simulate = owner;

	simulate->interrupted = true;
	simulation_stop(simulate->simulation);
	return 0;
}

static int write_ledger(const struct sales_ledger *ledger, const char *path)
{
	struct buffer buffer;

	buffer_init(&buffer, LEDGER_SIZE_MAX);
	sales_ledger_encode(ledger, &buffer);
	FILE *file = buffer.error == 0 ? fopen(path, "w") : NULL;
	int r = buffer.error != 0 ? buffer.error : file == NULL ? -errno : 0;
	if (file != NULL) {
		bool whole = fwrite(buffer.bytes, 1, buffer.size, file) == buffer.size &&
			     fputc('\n', file) != EOF;
		r = fclose(file) == 0 && whole ? 0 : -errno;
	}
	buffer_deinit(&buffer);
	if (r < 0) {
		say("till simulate", "%s: %s", path, strerror(-r));
	}
	return r;
}

static void print_table(const struct sales_ledger *ledger)
{
	char text[NUMBER_TEXT_SIZE];
	char sum[MONEY_TEXT_SIZE];
	struct text_table table;

	text_table_init(&table, 6);
	static const char *const headings[] = {
		"edge", "orders", "carts", "views", "invalid", "revenue"};
	for (size_t i = 0; i < 6; i++) {
		table.right[i] = i > 0;
		text_table_add_text(&table, headings[i]);
	}
	for (size_t i = 0; i < ledger->edge_count; i++) {
		const struct sales_ledger_edge *edge = &ledger->edges[i];
		text_table_add_text(&table, edge->id);
		for (int kind = 0; kind < KIND_EVENT_COUNT; kind++) {
			text_table_add_text(
				&table, number_text(text, (int64_t)edge->accepted[kind]));
		}
		text_table_add_text(&table, number_text(text, (int64_t)edge->invalid));
		size_t size = money_format(edge->total_revenue, sum);
		text_table_add_text(&table, number_text_group(text, slice_of(sum, size)));
	}
	text_table_print(&table, stdout);
	text_table_deinit(&table);
}

static void print_json(const struct simulate *simulate)
{
	const struct sales_ledger *ledger = simulation_ledger(simulate->simulation);
	struct simulation_counts counts;

	simulation_count(simulate->simulation, &counts);
	printf("{\"accepted\":%llu,\"invalid\":%llu,\"refused\":%llu,\"unanswered\":%llu,"
	       "\"surprises\":%llu,\"resent_frames\":%llu}\n",
		(unsigned long long)sales_ledger_accepted(ledger),
		(unsigned long long)sales_ledger_invalid(ledger),
		(unsigned long long)counts.refused, (unsigned long long)counts.in_flight,
		(unsigned long long)counts.surprises, (unsigned long long)counts.resent_frames);
}

/* Says how it ended and returns the exit code. */
static int conclude(struct simulate *simulate, int r)
{
	const struct sales_ledger *ledger = simulation_ledger(simulate->simulation);
	struct simulation_counts counts;

	simulation_count(simulate->simulation, &counts);
	progress_clear(&simulate->progress);
	if (r == -EINVAL || r == -EPROTONOSUPPORT) {
		say("till simulate", "an endpoint is no ZeroMQ address; it looks like "
				     "tcp://127.0.0.1:7170, and a "
				     "database like postgresql://user@host:5432/database");
		return EXIT_USAGE;
	}
	if (r < 0) {
		say("till simulate", "%s", strerror(-r));
		return EXIT_FAILED;
	}
	if (simulate->options.json) {
		print_json(simulate);
	} else {
		print_table(ledger);
	}
	if (simulate->options.ledger != NULL &&
		write_ledger(ledger, simulate->options.ledger) < 0) {
		return EXIT_FAILED;
	}
	if (simulate->silent) {
		say("till simulate", "could not reach %s: is the edge running?",
			simulation_silent_endpoint(simulate->simulation));
		return EXIT_NOT_REACHED;
	}
	if (counts.surprises > 0) {
		say("till simulate", "%llu events were judged otherwise than they were meant",
			(unsigned long long)counts.surprises);
	}
	return counts.refused + counts.surprises + counts.in_flight > 0 ? EXIT_FAILED
									: EXIT_STOPPED;
}

static int open_simulation(
	struct simulate *simulate, const char *endpoints[], char (*texts)[ENDPOINT_SIZE])
{
	const struct simulate_options *options = &simulate->options;

	for (size_t i = 0; i < options->to.count; i++) {
		endpoints[i] = endpoint_complete(options->to.items[i], texts[i]);
	}
	struct simulation_options simulation = {.session = &simulate->session,
		.endpoints = endpoints,
		.endpoint_count = options->to.count,
		.stores = (uint32_t)options->stores,
		.simulator = {.seed = (uint64_t)options->seed,
			.products = (uint32_t)options->products,
			.users = (uint32_t)options->users,
			.invalid_share = options->invalid},
		.rate = (double)options->rate,
		.count_max = (uint64_t)options->count,
		.timeout_ms = options->timeout_ms,
		.command = "till simulate",
		.progress = &simulate->progress,
		.wall_ms = clock_wall_ms};
	int r = session_open(&simulate->session);
	if (r == 0 && session_read_keys(&simulate->session, "till simulate", &options->keys) >= 0) {
		return SIMULATE_E_KEYS;
	}
	if (r == 0) {
		r = simulation_new(&simulation, &simulate->simulation);
	}
	if (r == 0) {
		r = loop_add_tick(simulate->session.loop, on_tick, simulate);
	}
	return r;
}

int command_simulate(int argc, char **argv)
{
	static char texts[SIMULATION_ENDPOINTS_MAX][ENDPOINT_SIZE];
	const char *endpoints[SIMULATION_ENDPOINTS_MAX];
	struct simulate simulate = {.options = {.products = 200,
					    .users = 1000,
					    .seed = 1,
					    .rate = 100,
					    .timeout_ms = 30000}};

	int code = parse(argc, argv, &simulate.options);
	if (code >= 0) {
		return code;
	}
	if (database_is_address(simulate.options.to.items[0])) {
		return run_database(&simulate.options);
	}
	int r = open_simulation(&simulate, endpoints, texts);
	if (r == SIMULATE_E_KEYS) {
		code = EXIT_USAGE;
	} else if (r < 0) {
		say("till simulate", "%s", strerror(-r));
		code = EXIT_FAILED;
	} else {
		simulate.started_ms = clock_monotonic_ms();
		loop_on_terminate(simulate.session.loop, on_terminate, &simulate);
		loop_on_hangup(simulate.session.loop, on_terminate, &simulate);
		r = loop_run(simulate.session.loop);
		code = conclude(&simulate, r);
	}
	simulation_free(simulate.simulation);
	session_close(&simulate.session);
	return code;
}
