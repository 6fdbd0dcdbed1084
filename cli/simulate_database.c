#include "cli/simulate_database.h"

#include "cli/database_pq.h"
#include "cli/number_text.h"
#include "cli/pace.h"
#include "cli/session.h"
#include "cli/shop.h"
#include "cli/terminal.h"
#include "cli/text_table.h"
#include "runtime/clock.h"
#include "runtime/program.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char command[] = "till simulate";

enum {
	SQL_LIMIT = 16 * 1024 * 1024, /* 100,000 products of 60 bytes */
	ROUND_MS = 50, /* between two looks at signals */
};

struct simulation_run {
	const struct simulate_database_options *options;
	struct session session;
	struct database *database;
	struct database_error error;
	struct shop *shop;
	struct buffer sql;
	struct pace pace;
	struct progress progress;
	int64_t started_ms;
	int64_t ended_ms;
	int result; /* as database_pq.h has it: why the loop was stopped */
};

static int run_sql(struct simulation_run *run)
{
	buffer_append_byte(&run->sql, '\0');
	if (run->sql.error != 0) {
		return -ENOMEM;
	}
	int r = database_run(run->database, (const char *)run->sql.bytes, &run->error);
	buffer_clear(&run->sql);
	return r;
}

static uint64_t transactions(const struct simulation_run *run)
{
	const struct shop_counts *counts = shop_counted(run->shop);

	return counts->transactions + counts->rolled_back;
}

static bool is_over(const struct simulation_run *run, int64_t now_ms)
{
	const struct simulate_database_options *options = run->options;

	return (options->count > 0 && transactions(run) >= (uint64_t)options->count) ||
	       (options->seconds_ms > 0 && now_ms - run->started_ms >= options->seconds_ms);
}

static void show_progress(struct simulation_run *run, int64_t now_ms)
{
	const struct simulate_database_options *options = run->options;
	int64_t elapsed_ms = now_ms - run->started_ms;
	int64_t count = (int64_t)transactions(run);
	char text[NUMBER_TEXT_SIZE];
	double share = -1;

	if (!progress_is_due(&run->progress, now_ms)) {
		return;
	}
	if (options->count > 0) {
		share = (double)count / (double)options->count;
	} else if (options->seconds_ms > 0) {
		share = (double)elapsed_ms / (double)options->seconds_ms;
	}
	progress_draw(&run->progress, now_ms, share, "%s transactions", number_text(text, count));
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct simulation_run *run = owner;
	int64_t end_ms = now_ms + ROUND_MS;

	pace_fill(&run->pace, now_ms);
	while (!is_over(run, now_ms) && now_ms < end_ms && pace_take(&run->pace)) {
		shop_next(run->shop, &run->sql);
		run->result = run_sql(run);
		if (run->result != 0) {
			loop_stop(run->session.loop);
			return 0;
		}
		now_ms = clock_monotonic_ms();
	}
	if (is_over(run, now_ms)) {
		loop_stop(run->session.loop);
	}
	show_progress(run, now_ms);
	*ret_wait_ms = pace_wait_ms(&run->pace);
	return 0;
}

/* Tables and stock, in one transaction; then where the numbers go on. */
static int prepare(struct simulation_run *run)
{
	const struct simulate_database_options *options = run->options;
	struct shop_options shop = {.seed = (uint64_t)options->seed,
		.products = (uint32_t)options->products,
		.users = (uint32_t)options->users};

	shop_write_tables(&run->sql);
	shop_write_stock(&shop, &run->sql);
	int r = run_sql(run);
	if (r == 0) {
		r = database_ask_number(run->database,
			"SELECT greatest((SELECT max(order_id) FROM orders), (SELECT max(order_id) "
			"FROM order_details))",
			&shop.order_id, &run->error);
	}
	if (r == 0) {
		r = database_ask_number(run->database, "SELECT max(user_id) FROM customers",
			&shop.user_id, &run->error);
	}
	return r == 0 ? shop_new(&shop, &run->shop) : r;
}

static int work(struct simulation_run *run)
{
	int r = database_open(run->options->address, &run->database, &run->error);

	if (r == 0) {
		r = prepare(run);
	}
	if (r != 0) {
		return r;
	}
	run->started_ms = clock_monotonic_ms();
	pace_init(&run->pace, (double)run->options->rate, run->started_ms);
	r = loop_add_tick(run->session.loop, on_tick, run);
	if (r == 0) {
		r = loop_run(run->session.loop);
	}
	run->ended_ms = clock_monotonic_ms();
	return r == 0 ? run->result : r;
}

static void print_json(const struct simulation_run *run, int64_t elapsed_ms)
{
	const struct shop_counts *counts = shop_counted(run->shop);

	printf("{\"transactions\":%llu,\"rolled_back\":%llu,\"inserted\":%llu,\"updated\":%llu,"
	       "\"deleted\":%llu,"
	       "\"seconds\":%lld.%03d}\n",
		(unsigned long long)counts->transactions, (unsigned long long)counts->rolled_back,
		(unsigned long long)counts->inserted, (unsigned long long)counts->updated,
		(unsigned long long)counts->deleted, (long long)(elapsed_ms / 1000),
		(int)(elapsed_ms % 1000));
}

static void print_table(const struct simulation_run *run, int64_t elapsed_ms)
{
	const struct shop_counts *counts = shop_counted(run->shop);
	const struct {
		const char *what;
		uint64_t count;
	} rows[] = {{"transactions", counts->transactions}, {"rolled back", counts->rolled_back},
		{"rows inserted", counts->inserted}, {"rows updated", counts->updated},
		{"rows deleted", counts->deleted}};
	char text[NUMBER_TEXT_SIZE];
	struct text_table table;

	text_table_init(&table, 2);
	table.right[1] = true;
	text_table_add_text(&table, "in");
	text_table_add_text(&table, database_name(run->database));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		text_table_add_text(&table, rows[i].what);
		text_table_add_text(&table, number_text(text, (int64_t)rows[i].count));
	}
	text_table_add_text(&table, "a second");
	text_table_add_text(&table, number_text(text, (int64_t)transactions(run) * 1000 /
							      (elapsed_ms > 0 ? elapsed_ms : 1)));
	text_table_print(&table, stdout);
	text_table_deinit(&table);
}

static int conclude(struct simulation_run *run, int r)
{
	progress_clear(&run->progress);
	if (run->shop != NULL &&
		run->ended_ms > 0) { /* also of a run that broke off: so much is there */
		int64_t elapsed_ms = run->ended_ms - run->started_ms;
		(run->options->json ? print_json : print_table)(run, elapsed_ms);
	}
	if (r == 0) {
		return EXIT_STOPPED;
	}
	say(command, "%s", r < 0 ? strerror(-r) : run->error.text);
	if (r > 0 && run->ended_ms > 0) {
		say(command, "the last of these transactions may not have been committed");
	}
	return r == DATABASE_E_AWAY      ? EXIT_NOT_REACHED
	       : r == DATABASE_E_ADDRESS ? EXIT_USAGE
					 : EXIT_FAILED;
}

int simulate_database(const struct simulate_database_options *options)
{
	struct simulation_run run = {.options = options};

	buffer_init(&run.sql, SQL_LIMIT);
	int r = session_open(&run.session);
	if (r == 0) {
		r = work(&run);
	}
	int code = conclude(&run, r);
	shop_free(run.shop);
	database_free(run.database);
	session_close(&run.session);
	buffer_deinit(&run.sql);
	return code;
}
