/* The way of records into a real store: counted once, whole or not at all, and never from a log that lacks something. */
#include "log_world.h"

static int make(void **state)
{
	*state = new_log_world();
	return 0;
}

static int unmake(void **state)
{
	free_log_world(*state);
	return 0;
}

static void assert_tally(
	const struct log_world *world, uint64_t accepted, uint64_t rejected, uint64_t duplicates)
{
	assert_int_equal(tally_of(world)->accepted, accepted);
	assert_int_equal(tally_of(world)->rejected, rejected);
	assert_int_equal(tally_of(world)->duplicates, duplicates);
	assert_true(books_add_up(&position_of(world)->books));
}

/* ---- how much a commit holds */

/* Every record a run of its own, and all for one row: hardly an overlay, but a page of the store each. */
static void test_a_storm_of_runs_is_written_in_pieces(void **state)
{
	enum { PIECE_MAX = 100000 };
	struct log_world *world = *state;
	struct shard *shard;
	int64_t offset = 0, wait_ms = 0;

	open_store(world, INT64_C(1) << 30);
	assert_int_equal(observe_log(world), 0);
	shard = world->pipeline->shards[0];
	for (; offset < PIECE_MAX && !shard->is_frozen; offset++) {
		struct event event = sample_order(1, 1291191960000, "tea", 2, 2500000);
		struct buffer buffer;
		event.certificate.run = (uint64_t)offset + 1;
		buffer_init(&buffer, RECORD_MAX);
		event_encode(&event, ENCODING_MSGPACK, &buffer);
		struct record record = {.topic = KIND_ORDER,
			.offset = offset,
			.key = slice_of_text("berlin"),
			.value = buffer_slice(&buffer)};
		assert_int_equal(pipeline_take(world->pipeline, &record), 0);
		buffer_deinit(&buffer);
		assert_int_equal(pipeline_tick(world->pipeline, 1, &wait_ms), 0);
	}
	assert_in_range(offset, 1, PIECE_MAX - 1);
	commit_all(world);
	assert_int_equal(orders_counted(world), offset);
}

/* ---- counted once */

static void test_a_certificate_is_counted_once_whatever_comes_again(void **state)
{
	struct log_world *world = *state;
	static const uint64_t seqs[] = {1, 2, 2, 4, 3, 1, 4, 3, 6, 2};

	for (size_t i = 0; i < sizeof seqs / sizeof *seqs; i++) {
		log_order(world, seqs[i], "tea");
	}
	start_and_read(world);
	assert_int_equal(orders_counted(world), 5);
	assert_tally(world, 5, 0, 5);

	/* The set is on disk: after a restart it knows them still. */
	drop_store(world);
	log_order(world, 6, "tea");
	log_order(world, 5, "tea");
	log_order(world, 1, "tea");
	start_and_read(world);
	assert_int_equal(orders_counted(world), 6);
	assert_tally(world, 6, 0, 7);
	assert_int_equal(world->pipeline->shards[0]->uncompared, 0);
}

/* A machine that was set back to an older image of its memory gives out its certificates again. */
static void test_another_event_under_a_counted_certificate_is_set_aside_and_named(void **state)
{
	struct log_world *world = *state;

	for (uint64_t seq = 1; seq <= 200; seq++) {
		log_order(world, seq, "tea");
	}
	start_and_read(world);
	log_order(world, 70, "salt"); /* what the store remembers */
	log_order(world, 201, "tea");
	log_order(world, 201, "salt"); /* what only memory does */
	log_order(world, 70, "tea");
	read_log(world);
	drop_store(world);
	log_order(world, 3, "salt");
	start_and_read(world);

	const struct ledger *ledger = &world->pipeline->shards[0]->ledger;
	assert_int_equal(orders_counted(world), 201);
	assert_tally(world, 201, 0, 1);
	assert_int_equal(ledger->quarantined, 3);
	assert_int_equal(position_of(world)->books.fates[FATE_UNREADABLE], 3);
	assert_int_equal(ledger->streams_in_conflict.count, 1);
	assert_string_equal(ledger->streams_in_conflict.texts[0], "berlin/4711/order");
	assert_null(
		strstr(ask(world, "{\"query\":\"get\",\"view\":\"products\",\"key\":[\"salt\"]}"),
			"order_count"));
}

static void test_the_first_record_of_a_certificate_decides(void **state)
{
	struct log_world *world = *state;

	log_marker(world, 1);
	log_order(world, 1, "tea");
	log_order(world, 2, "tea");
	log_marker(world, 2);
	start_and_read(world);
	assert_int_equal(orders_counted(world), 1);
	assert_tally(world, 1, 1, 2);

	drop_store(world);
	log_order(world, 1, "tea");
	log_marker(world, 2);
	start_and_read(world);
	assert_int_equal(orders_counted(world), 1);
	assert_tally(world, 1, 1, 4);
}

static void test_what_is_not_ours_moves_the_offset_and_nothing_else(void **state)
{
	struct log_world *world = *state;

	log_order(world, 1, "tea");
	log_bytes(world, slice_of_text("{\"some\":\"json\"}"));
	log_bytes(world, slice_of_text("\xc1"));
	log_order(world, 2, "tea");
	start_and_read(world);
	assert_int_equal(orders_counted(world), 2);
	assert_tally(world, 2, 0, 0);
	assert_int_equal(position_of(world)->next, 4);
	assert_int_equal(position_of(world)->books.fates[FATE_FOREIGN], 1);
	assert_int_equal(position_of(world)->books.fates[FATE_UNREADABLE], 1);
	assert_int_equal(world->pipeline->shards[0]->ledger.quarantined, 1);
}

/* ---- one transaction */

static void assert_store_agrees_with_itself(struct log_world *world)
{
	int64_t counted = orders_counted(world);
	char error[256] = "";

	assert_int_equal(tally_of(world)->accepted, counted);
	assert_int_equal(position_of(world)->books.fates[FATE_COUNTED], counted);
	assert_int_equal(position_of(world)->next, position_of(world)->books.read);
	assert_int_equal(
		store_check_sums(world->stores->items[0], 1, world->views, error, sizeof error), 0);
}

static void test_a_commit_that_found_no_room_left_nothing_behind(void **state)
{
	struct log_world *world = *state;
	char product[32];

	open_store(world, 512 * 1024);
	assert_int_equal(observe_log(world), 0);
	for (uint64_t seq = 1; world->full == 0; seq++) {
		snprintf(product, sizeof product, "p%" PRIu64, seq);
		log_order(world, seq, product);
		if (seq % 500 == 0) {
			read_log(world);
			commit_all(world);
		}
	}
	assert_true(world->commits > 0);
	int64_t all = world->high;
	drop_store(world);

	open_store(world, ROOMY_MAP);
	assert_in_range(position_of(world)->next, 1, all - 1);
	assert_store_agrees_with_itself(world);
	assert_int_equal(observe_log(world), 0);
	read_log(world);
	commit_all(world);
	assert_int_equal(orders_counted(world), all);
	assert_tally(world, (uint64_t)all, 0, 0);
}

static void test_what_was_not_committed_is_read_again(void **state)
{
	struct log_world *world = *state;

	log_order(world, 1, "tea");
	start_and_read(world);
	log_order(world, 2, "tea");
	log_order(world, 3, "tea");
	read_log(world);
	assert_int_equal(orders_counted(world), 3);
	drop_store(world);

	open_store(world, ROOMY_MAP);
	assert_int_equal(position_of(world)->next, 1);
	assert_int_equal(orders_counted(world), 1);
	assert_store_agrees_with_itself(world);
	assert_int_equal(observe_log(world), 0);
	read_log(world);
	assert_int_equal(orders_counted(world), 3);
	assert_tally(world, 3, 0, 0);
}

/* ---- base + frozen + active */

struct gate {
	struct job job;
	int pipe[2];
};

static int wait_at_gate(struct job *job)
{
	struct gate *gate = (struct gate *)(void *)job;
	char byte;
	return read(gate->pipe[0], &byte, 1) == 1 ? 0 : -1;
}

static void pass_gate(struct job *job)
{
	(void)job;
}

/* What is counted with the frozen overlay in each state of its commit; asserted later, so that no failure leaves the worker
 * at the gate. */
struct shown {
	int64_t while_waiting, while_unheard, when_done;
	bool was_frozen, was_unheard;
};

static void wait_until_written(struct log_world *world, uint64_t number)
{
	struct snapshot *snapshot = NULL;
	uint64_t commit = 0;
	while (commit < number) {
		assert_int_equal(snapshot_begin(world->stores->items[0], 1, &snapshot), 0);
		commit = snapshot_commit(snapshot);
		snapshot_end(snapshot);
	}
}

static struct shown look_around_a_commit(struct log_world *world, struct gate *gate)
{
	const struct shard *shard = world->pipeline->shards[0];
	struct worker *worker = world->stores->workers[0];
	struct shown shown;
	int64_t wait_ms = 1000;

	worker_submit(worker, &gate->job);
	assert_int_equal(pipeline_tick(world->pipeline, 100000, &wait_ms), 0);
	shown.was_frozen = shard->is_frozen;
	log_order(world, 3, "tea");
	read_log(world);
	shown.while_waiting = orders_counted(world);
	assert_int_equal(write(gate->pipe[1], "x", 1), 1);
	wait_until_written(world, 2);
	shown.was_unheard = shard->is_frozen;
	shown.while_unheard = orders_counted(world);
	worker_drain(worker);
	shown.when_done = orders_counted(world);
	return shown;
}

static void test_a_frozen_overlay_is_shown_once_whenever_its_commit_ends(void **state)
{
	struct log_world *world = *state;
	struct gate gate = {.job = {.run = wait_at_gate, .done = pass_gate}};

	log_order(world, 1, "tea");
	start_and_read(world);
	log_order(world, 2, "tea");
	read_log(world);
	assert_int_equal(pipe(gate.pipe), 0);
	struct shown shown = look_around_a_commit(world, &gate);
	close(gate.pipe[0]);
	close(gate.pipe[1]);
	assert_true(shown.was_frozen && shown.was_unheard);
	assert_int_equal(shown.while_waiting, 3); /* base, frozen and active: one each */
	assert_int_equal(shown.while_unheard, 3);
	assert_int_equal(shown.when_done, 3);
	assert_false(world->pipeline->shards[0]->is_frozen);
}

/* ---- what the log must still have */

static void log_many(struct log_world *world, uint64_t first, uint64_t count)
{
	for (uint64_t seq = first; seq < first + count; seq++) {
		log_order(world, seq, "tea");
	}
}

static void test_reading_goes_on_behind_its_anchor(void **state)
{
	struct log_world *world = *state;

	log_many(world, 1, 10);
	start_and_read(world);
	drop_store(world);
	log_many(world, 11, 5);
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	assert_int_equal(
		world->started_at, 9); /* the last record read comes once more, to be compared */
	read_log(world);
	assert_int_equal(orders_counted(world), 15);
	assert_tally(world, 15, 0, 0);
}

static void replace_log(struct log_world *world, uint64_t first, uint64_t count)
{
	world->high = 0;
	log_many(world, first, count);
}

static void test_a_topic_created_anew_and_filled_again_is_seen_by_its_anchor(void **state)
{
	struct log_world *world = *state;

	log_many(world, 1, 10);
	start_and_read(world);
	drop_store(world);
	replace_log(world, 101, 20);
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	read_log(world);
	assert_int_equal(orders_counted(world), 10);
	assert_string_equal(text_set_list(&world->pipeline->missing)[0], "topic:orders re-created");

	drop_store(world);
	assert_int_equal(text_set_add(&world->accepted, "topic:orders re-created"), 0);
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	read_log(world);
	assert_true(world->pipeline->must_restart);
	pipeline_rewind(world->pipeline);
	assert_int_equal(observe_log(world), 0);
	assert_int_equal(world->started_at, 0);
	read_log(world);
	assert_int_equal(orders_counted(world), 30);
}

/* What a reader gets that stands at `next` when a topic is deleted, made anew and filled beyond that. */
static void read_on(struct log_world *world, int64_t next)
{
	for (int64_t offset = next; offset < world->high; offset++) {
		take_one(world, offset);
	}
}

static void begin_anew(struct log_world *world)
{
	assert_true(world->pipeline->must_restart);
	pipeline_rewind(world->pipeline);
	assert_int_equal(observe_log(world), 0);
}

static void assert_made_anew_is_refused(struct log_world *world)
{
	assert_int_equal(world->started_at, 9); /* the last one that is proven */
	read_log(world);
	assert_string_equal(text_set_list(&world->pipeline->missing)[0], "topic:orders re-created");
	commit_all(world);
	drop_store(world);
}

static void test_a_topic_created_anew_and_filled_while_it_is_read_is_seen(void **state)
{
	struct log_world *world = *state;

	log_many(world, 1, 10);
	start_and_read(world);
	world->later_ms = 60000;
	replace_log(world, 101, 20);
	read_on(world, 10);
	assert_int_equal(orders_counted(world), 20); /* nobody has noticed yet */
	commit_all(world);
	prove_log(world);
	begin_anew(world);
	assert_made_anew_is_refused(world);

	open_store(world, ROOMY_MAP); /* the next start does not forget it */
	assert_int_equal(observe_log(world), 0);
	assert_made_anew_is_refused(world);

	assert_int_equal(text_set_add(&world->accepted, "topic:orders re-created"), 0);
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	read_log(world);
	begin_anew(world);
	read_log(world);
	assert_int_equal(orders_counted(world), 30);
	assert_tally(world, 30, 0, 10);
}

static void test_a_kill_before_it_was_noticed_hides_nothing(void **state)
{
	struct log_world *world = *state;

	log_many(world, 1, 10);
	start_and_read(world);
	world->later_ms = 60000;
	replace_log(world, 101, 20);
	read_on(world, 10);
	commit_all(world);
	drop_store(world);
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	assert_made_anew_is_refused(world);
}

/* Its first half is as it was: the anchor can't tell, for the rest had not been proven yet. */
static void test_a_log_that_lost_its_end_and_was_filled_again_is_another_one(void **state)
{
	struct log_world *world = *state;

	log_many(world, 1, 10);
	start_and_read(world);
	log_many(world, 11, 10);
	read_on(world, 10);
	commit_all(world);
	drop_store(world);
	world->high = 15;
	world->later_ms = 60000;
	log_many(world, 101, 15);
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	assert_made_anew_is_refused(world);
}

static void test_the_same_while_it_is_read_and_at_the_next_start(void **state)
{
	struct log_world *world = *state;

	log_many(world, 1, 10);
	start_and_read(world);
	log_many(world, 11, 10);
	read_on(world, 10);
	assert_int_equal(observe_log(world), 0); /* asks, and Kafka goes away before it answers */
	world->high = 15;
	world->later_ms = 60000;
	log_many(world, 101, 15);
	read_on(world, 20);
	assert_int_equal(observe_log(world), 0);
	begin_anew(world);
	assert_made_anew_is_refused(world);
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	assert_made_anew_is_refused(world);
}

/* A broker whose clock was a day ahead: its records look like those of another log, and are found unchanged. */
static void test_a_clock_that_was_set_back_is_no_other_log(void **state)
{
	struct log_world *world = *state;
	int restarts = 0;

	world->later_ms = INT64_C(86400000);
	log_many(world, 1, 5);
	start_and_read(world);
	world->later_ms = 0;
	log_many(world, 6, 5);
	read_log(world);
	prove_log(world);
	assert_false(world->pipeline->must_restart); /* it remembers the latest */
	commit_all(world);
	drop_store(world);

	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	read_log(world);
	for (uint64_t seq = 11; seq < 60; seq++) {
		log_order(world, seq, "tea");
		read_log(world);
		prove_log(world);
		while (world->pipeline->must_restart) {
			restarts++;
			begin_anew(world);
			read_log(world);
		}
	}
	assert_in_range(restarts, 1, 12);
	assert_int_equal(position_of(world)->anchor.offset, 58);
	assert_int_equal(orders_counted(world), 59);
	assert_tally(world, 59, 0, 0);
}

static void test_the_same_bytes_at_another_time_are_another_log(void **state)
{
	struct log_world *world = *state;

	log_many(world, 1, 10);
	start_and_read(world);
	drop_store(world);
	world->log[9].timestamp_ms++;
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	read_log(world);
	assert_string_equal(text_set_list(&world->pipeline->missing)[0], "topic:orders re-created");
}

static void test_a_log_that_ends_before_what_was_read_is_another_one(void **state)
{
	struct log_world *world = *state;

	log_many(world, 1, 10);
	start_and_read(world);
	drop_store(world);
	replace_log(world, 1, 3);
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), PIPELINE_E_DECISION);
	assert_string_equal(world->missing, "topic:orders re-created");
	assert_int_equal(world->started_at, -1);
}

static void test_a_lost_anchor_with_nothing_missing_is_said_and_passed(void **state)
{
	struct log_world *world = *state;

	log_many(world, 1, 10);
	start_and_read(world);
	drop_store(world);
	log_many(world, 11, 2);
	world->low = 10;
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	assert_int_equal(world->started_at, 10);
	assert_string_equal(world->noticed, "anchor gone, nothing missing orders/0");
	read_log(world);
	assert_int_equal(orders_counted(world), 12);
}

static void test_a_gap_is_named_and_only_exactly_that_one_is_accepted(void **state)
{
	struct log_world *world = *state;

	log_many(world, 1, 10);
	start_and_read(world);
	drop_store(world);
	log_many(world, 11, 10);
	world->low = 15;
	assert_int_equal(text_set_add(&world->accepted, "orders/0:10-15"), 0);
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), PIPELINE_E_DECISION);
	assert_string_equal(world->missing, "orders/0:10-14");
	drop_store(world);

	assert_int_equal(text_set_add(&world->accepted, "orders/0:10-14"), 0);
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	assert_int_equal(world->started_at, 15);
	read_log(world);
	commit_all(world);
	assert_int_equal(orders_counted(world), 15);
	drop_store(world);

	text_set_deinit(&world->accepted); /* the store remembers it */
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	assert_true(text_set_have(&world->pipeline->shards[0]->ledger.gaps, "orders/0:10-14"));
}

static void test_another_cluster_is_named_and_reads_from_its_start_when_accepted(void **state)
{
	struct log_world *world = *state;

	log_many(world, 1, 10);
	start_and_read(world);
	drop_store(world);
	snprintf(world->cluster, sizeof world->cluster, "cluster-b");
	replace_log(world, 5, 3); /* shorter, which goes without saying of another cluster's */
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), PIPELINE_E_DECISION);
	assert_string_equal(world->missing, "cluster:cluster-a->cluster-b");
	assert_int_equal(world->pipeline->missing.count, 1);
	drop_store(world);

	replace_log(world, 5, 10); /* some of them again */
	assert_int_equal(text_set_add(&world->accepted, "cluster:cluster-a->cluster-b"), 0);
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	assert_int_equal(world->started_at, 0);
	read_log(world);
	assert_int_equal(orders_counted(world), 14);
	assert_tally(world, 14, 0, 6);
}

static void test_a_rebuild_asks_for_what_only_a_former_topic_had(void **state)
{
	struct log_world *live = *state;
	struct log_world *shadow = new_log_world();

	log_many(live, 1, 10);
	log_many(shadow, 1, 10);
	start_and_read(live);
	start_and_read(shadow);
	assert_int_equal(text_set_add(&live->pipeline->shards[0]->ledger.gaps, "orders/0:3-5"), 0);
	assert_int_equal(pipeline_ask_former(shadow->pipeline, live->pipeline), 0);

	const char *gap = "topic:orders re-created"; /* and the live store has what was in it */
	assert_int_equal(text_set_add(&live->pipeline->shards[0]->ledger.gaps, gap), 0);
	assert_int_equal(
		pipeline_ask_former(shadow->pipeline, live->pipeline), PIPELINE_E_DECISION);
	assert_string_equal(text_set_list(&shadow->pipeline->missing)[0], gap);

	drop_store(shadow);
	assert_int_equal(text_set_add(&shadow->accepted, gap), 0);
	open_store(shadow, ROOMY_MAP);
	assert_int_equal(pipeline_ask_former(shadow->pipeline, live->pipeline), 0);
	assert_true(text_set_have(&shadow->pipeline->shards[0]->ledger.gaps, gap));
	text_set_deinit(&shadow->accepted); /* the store remembers it */
	assert_int_equal(pipeline_ask_former(shadow->pipeline, live->pipeline), 0);
	free_log_world(shadow);
}

/* A topic that was made again and has more records than before looks well until the anchor comes. */
static void test_a_rebuild_has_not_reached_what_may_be_of_another_log(void **state)
{
	struct log_world *live = *state;
	struct log_world *shadow = new_log_world();

	log_many(live, 1, 10);
	start_and_read(live);
	drop_store(live);
	replace_log(live, 101, 20);
	log_many(shadow, 101, 20);
	start_and_read(shadow);
	open_store(live, ROOMY_MAP);
	assert_int_equal(observe_log(live), 0);
	assert_false(pipeline_reached(shadow->pipeline, live->pipeline));
	read_log(live);
	assert_int_equal(live->pipeline->missing.count, 1);
	assert_false(pipeline_reached(shadow->pipeline, live->pipeline));
	free_log_world(shadow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_storm_of_runs_is_written_in_pieces, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_certificate_is_counted_once_whatever_comes_again, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_another_event_under_a_counted_certificate_is_set_aside_and_named, make,
			unmake),
		cmocka_unit_test_setup_teardown(
			test_the_first_record_of_a_certificate_decides, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_what_is_not_ours_moves_the_offset_and_nothing_else, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_commit_that_found_no_room_left_nothing_behind, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_what_was_not_committed_is_read_again, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_frozen_overlay_is_shown_once_whenever_its_commit_ends, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_reading_goes_on_behind_its_anchor, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_topic_created_anew_and_filled_again_is_seen_by_its_anchor, make,
			unmake),
		cmocka_unit_test_setup_teardown(
			test_a_topic_created_anew_and_filled_while_it_is_read_is_seen, make,
			unmake),
		cmocka_unit_test_setup_teardown(
			test_a_kill_before_it_was_noticed_hides_nothing, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_log_that_lost_its_end_and_was_filled_again_is_another_one, make,
			unmake),
		cmocka_unit_test_setup_teardown(
			test_the_same_while_it_is_read_and_at_the_next_start, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_clock_that_was_set_back_is_no_other_log, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_the_same_bytes_at_another_time_are_another_log, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_log_that_ends_before_what_was_read_is_another_one, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_lost_anchor_with_nothing_missing_is_said_and_passed, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_gap_is_named_and_only_exactly_that_one_is_accepted, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_another_cluster_is_named_and_reads_from_its_start_when_accepted, make,
			unmake),
		cmocka_unit_test_setup_teardown(
			test_a_rebuild_asks_for_what_only_a_former_topic_had, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_rebuild_has_not_reached_what_may_be_of_another_log, make, unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
