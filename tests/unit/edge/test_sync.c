/* Not only written: on disk, and only then answered. */
#include "edge/desk.h"
#include "edge/spool.h"
#include "fixture.h"
#include "tests/lib/syncs.h"

enum { WALL_MS = 1700000000, NOW_MS = 5000 };

struct bench {
	char dir[FIXTURE_PATH_SIZE];
	struct spool *spool;
	struct desk *desk;
	struct port *port;
	int answered;
	unsigned long data_syncs, meta_syncs; /* when the first answer left */
};

static void on_done(void *owner, uint64_t ticket, const struct submission_result *result)
{
	struct bench *bench = owner;
	(void)ticket;
	(void)result;
	if (bench->answered++ == 0) {
		bench->data_syncs = data_syncs;
		bench->meta_syncs = meta_syncs;
	}
}

static void open_desk(struct bench *bench, int64_t sync_interval_ms)
{
	struct spool_error error;
	struct spool_options spool = {.dir = bench->dir,
		.edge = "berlin-1",
		.quota_bytes = 8 << 20,
		.share_percent = {100, 10, 10, 10, 10, 10},
		.event_id_window = 100,
		.producer_ttl_ms = 1000};
	struct desk_options desk = {.edge = "berlin-1",
		.default_currency = "EUR",
		.sync_interval_ms = sync_interval_ms,
		.run = 4711};

	assert_int_equal(spool_new(&spool, &bench->spool, &error), 0);
	desk.spool = bench->spool;
	assert_int_equal(desk_new(&desk, &bench->desk), 0);
	const struct port_options port = {.label = "zmq", .owner = bench, .acknowledge = on_done};
	assert_int_equal(desk_open_port(bench->desk, &port, &bench->port), 0);
	data_syncs = 0;
	meta_syncs = 0;
}

static int make_bench(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);
	make_temp_dir(bench->dir);
	*state = bench;
	return 0;
}

static int drop_bench(void **state)
{
	struct bench *bench = *state;
	desk_free(bench->desk);
	spool_free(bench->spool);
	remove_temp_dir(bench->dir);
	free(bench);
	return 0;
}

static void sell(struct bench *bench)
{
	struct submission order = {
		.events = slice_of_text("{\"order_id\":1,\"product_id\":\"tea\",\"unit_price\":2}"),
		.reply = SUBMISSION_REPLY_JSON};
	assert_int_equal(port_submit(bench->port, &order, WALL_MS), 0);
}

static void go_round(struct bench *bench, int64_t now_ms)
{
	int64_t wait_ms = 0;
	assert_int_equal(desk_round(bench->desk, now_ms, WALL_MS, &wait_ms), 0);
}

static void test_an_answer_leaves_after_data_and_meta_page_were_synced(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 0);
	for (int i = 0; i < 100; i++) {
		sell(bench);
	}
	assert_int_equal(bench->answered, 0);
	go_round(bench, NOW_MS);
	assert_int_equal(bench->answered, 100);
	assert_int_equal(bench->data_syncs, 1); /* once for all of them */
	assert_int_equal(bench->meta_syncs, 1);
}

static void test_an_interval_answers_before_the_sync_and_syncs_when_it_is_over(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 100);
	sell(bench);
	go_round(bench, NOW_MS);
	assert_int_equal(bench->answered, 1);
	assert_int_equal(bench->data_syncs, 0);
	go_round(bench, NOW_MS + 100);
	assert_int_equal(data_syncs, 1);
	assert_int_equal(meta_syncs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_an_answer_leaves_after_data_and_meta_page_were_synced, make_bench,
			drop_bench),
		cmocka_unit_test_setup_teardown(
			test_an_interval_answers_before_the_sync_and_syncs_when_it_is_over,
			make_bench, drop_bench),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
