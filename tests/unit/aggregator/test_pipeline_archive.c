/* An archive's items on their way into a pipeline over a real store: with what follows in the log it comes to the same as a log that
 * was never cut, whenever the program is killed, and whatever the store has read by itself before. */
#include "aggregator/log/pipeline_archive.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "log_world.h"

/* ---- the archive of the world's log below `next` */

struct archived {
	struct pipeline_archive archive;
	int64_t next;
	bool is_left_out[64];
	uint64_t left_out[FATE_COUNT];
	int64_t from;
	struct archive_gap gap; /* last 0: none */
	int64_t told; /* how many records; -1: nothing */
	const char *cluster;
};

static struct archived archive_of(struct log_world *world, int64_t next)
{
	return (struct archived){.archive = {.pipeline = world->pipeline},
		.next = next,
		.told = -1,
		.cluster = world->cluster};
}

static void leave_out(struct archived *archived, int64_t offset, enum fate fate)
{
	archived->is_left_out[offset] = true;
	archived->left_out[fate]++;
}

static int give(struct archived *archived, const struct archive_item *item)
{
	bool is_taken = false;
	int r = pipeline_archive_take(&archived->archive, item, &is_taken);
	assert_true(r != 0 || is_taken);
	return r;
}

static struct archive_item place_of(int64_t offset)
{
	return (struct archive_item){
		.topic = slice_of_text("orders"), .offset = offset, .last_offset = -1};
}

static int give_head(struct archived *archived, const struct log_world *world)
{
	struct archive_item head = {
		.type = ARCHIVE_HEAD, .cluster_id = slice_of_text(archived->cluster)};
	struct archive_item part = place_of(archived->next);
	const struct logged *last = &world->log[archived->next - 1];

	int r = give(archived, &head);
	part.type = ARCHIVE_PARTITION;
	part.is_last_of_head = true;
	part.archived = archived->told;
	part.from = archived->from;
	part.gaps[0] = archived->gap;
	part.gap_count = archived->gap.last > 0;
	part.last_offset = archived->next - 1;
	part.value = slice_of(last->bytes, last->size);
	part.timestamp_ms = last->timestamp_ms;
	memcpy(part.left_out, archived->left_out, sizeof part.left_out);
	return r == 0 ? give(archived, &part) : r;
}

static struct archive_item record_at(const struct log_world *world, int64_t offset)
{
	const struct logged *logged = &world->log[offset];
	struct archive_item item = place_of(offset);
	item.type = ARCHIVE_RECORD;
	item.timestamp_ms = logged->timestamp_ms;
	item.key = slice_of_text("berlin");
	item.value = slice_of(logged->bytes, logged->size);
	return item;
}

static void give_records(
	struct archived *archived, const struct log_world *world, int64_t first, int64_t end)
{
	for (int64_t offset = first; offset < end; offset++) {
		struct archive_item item = record_at(world, offset);
		if (!archived->is_left_out[offset]) {
			assert_int_equal(give(archived, &item), 0);
		}
	}
}

static int give_end(struct archived *archived)
{
	return give(archived, &(struct archive_item){.type = ARCHIVE_END});
}

static void give_all(struct archived *archived, const struct log_world *world)
{
	assert_int_equal(give_head(archived, world), 0);
	give_records(archived, world, 0, archived->next);
	assert_int_equal(give_end(archived), 0);
	assert_true(archived->archive.is_over);
}

/* ---- a log of which an archive leaves out four records: the last is a repeated one */

enum { NEXT = 14, END = 18 };

static struct log_world *new_world(void)
{
	struct log_world *world = new_log_world();

	for (uint64_t seq = 1; seq <= 6; seq++) {
		log_order(world, seq, "tea"); /* 0 … 5 */
	}
	log_order(world, 2, "tea"); /* 6: a duplicate */
	log_bytes(world, slice_of_text("{\"somebody\":1}")); /* 7: foreign */
	log_bytes(world, slice_of_text("\xc1")); /* 8: unreadable */
	for (uint64_t seq = 7; seq <= 9; seq++) {
		log_order(world, seq, "salt"); /* 9 … 11 */
	}
	log_marker(world, 10); /* 12 */
	world->later_ms = 60000;
	log_order(world, 3, "tea"); /* 13: a duplicate, a minute later */
	for (uint64_t seq = 11; seq <= 14; seq++) {
		log_order(world, seq, "tea"); /* 14 … 17: in the log alone */
	}
	return world;
}

static struct archived archive_all(struct log_world *world)
{
	struct archived archived = archive_of(world, NEXT);
	leave_out(&archived, 6, FATE_DUPLICATE);
	leave_out(&archived, 7, FATE_FOREIGN);
	leave_out(&archived, 8, FATE_UNREADABLE);
	leave_out(&archived, 13, FATE_DUPLICATE);
	return archived;
}

static void check_books(const struct log_world *world, uint64_t counted, uint64_t duplicates)
{
	const struct books *books = &position_of(world)->books;
	assert_int_equal(books->fates[FATE_COUNTED], counted);
	assert_int_equal(books->fates[FATE_REJECTED], 1);
	assert_int_equal(books->fates[FATE_DUPLICATE], duplicates);
	assert_int_equal(books->fates[FATE_FOREIGN], 1);
	assert_int_equal(books->fates[FATE_UNREADABLE], 1);
	assert_true(books_add_up(books));
	assert_int_equal(
		world->pipeline->shards[0]->ledger.tallies[KIND_ORDER].duplicates, duplicates);
}

/* The log begins where the archive ends, and all of it is read. */
static void read_on(struct log_world *world)
{
	world->low = NEXT;
	assert_int_equal(observe_log(world), 0);
	assert_int_equal(world->started_at, NEXT);
	read_log(world);
	assert_int_equal(orders_counted(world), 13);
	assert_int_equal(position_of(world)->next, END);
	check_books(world, 13, 2);
}

static void test_an_archive_and_the_log_behind_it_are_a_log_that_was_never_cut(void **state)
{
	struct log_world *world = new_world();
	(void)state;

	start_and_read(world); /* of which nothing is missing: what follows is held against it */
	check_books(world, 13, 2);
	int64_t clock_ms = world->pipeline->clock_ms;
	drop_store(world);
	scratch_remove(world->dir);
	scratch_make(world->dir);

	open_store(world, ROOMY_MAP);
	struct archived archived = archive_all(world);
	give_all(&archived, world);
	assert_int_equal(archived.archive.taken, 10);
	assert_int_equal(position_of(world)->next, NEXT);
	check_books(world, 9, 2);
	/* The repeated one was certified: rows end by its time. */
	assert_int_equal(world->pipeline->clock_ms, clock_ms);
	read_on(world);
	pipeline_archive_deinit(&archived.archive);
	free_log_world(world);
}

static void test_a_kill_anywhere_in_an_archive_loses_and_doubles_nothing(void **state)
{
	(void)state;

	for (int64_t killed_at = 0; killed_at <= NEXT + 1; killed_at++) {
		struct log_world *world = new_world();
		open_store(world, ROOMY_MAP);
		struct archived first = archive_all(world);
		assert_int_equal(give_head(&first, world), 0);
		give_records(&first, world, 0, killed_at > NEXT ? NEXT : killed_at);
		if (killed_at > NEXT) {
			assert_int_equal(give_end(&first), 0);
		}
		commit_all(world);
		pipeline_archive_deinit(&first.archive);
		drop_store(world);

		open_store(world, ROOMY_MAP);
		struct archived again = archive_all(world);
		again.told = 10;
		give_all(&again, world);
		assert_int_equal(again.archive.taken + again.archive.passed_over, 10);
		read_on(world);
		pipeline_archive_deinit(&again.archive);
		free_log_world(world);
	}
}

/* It has entered into its books itself what the archive left out up to there. */
static void test_a_store_that_has_read_some_of_the_log_enters_the_rest(void **state)
{
	(void)state;

	for (int64_t read_to = 1; read_to <= END; read_to++) {
		struct log_world *world = new_world();
		world->high = read_to;
		start_and_read(world);
		drop_store(world);

		world->high = END;
		open_store(world, ROOMY_MAP);
		struct archived archived = archive_all(world);
		archived.told = 10;
		give_all(&archived, world);
		world->low = NEXT;
		assert_int_equal(observe_log(world), 0);
		read_log(world);
		assert_int_equal(orders_counted(world), 13);
		check_books(world, 13, 2);
		pipeline_archive_deinit(&archived.archive);
		free_log_world(world);
	}
}

static void expect_refused(struct archived *archived, int r, const char *why)
{
	assert_int_equal(r, PIPELINE_ARCHIVE_E_REFUSED);
	assert_string_equal(archived->archive.why, why);
	pipeline_archive_deinit(&archived->archive);
}

static void test_an_archive_that_is_not_of_the_stores_log_is_refused(void **state)
{
	struct log_world *world = new_world();
	(void)state;

	start_and_read(world);
	struct archived other = archive_all(world);
	other.cluster = "cluster-b";
	expect_refused(&other, give_head(&other, world),
		"it is of the Kafka cluster cluster-b, and the store has read cluster-a");

	struct archived changed = archive_of(world, END);
	assert_int_equal(give_head(&changed, world), 0);
	give_records(&changed, world, 0, END - 1);
	world->log[END - 1].bytes[0] ^= 1; /* the last record that the store has read */
	struct archive_item item = record_at(world, END - 1);
	expect_refused(&changed, give(&changed, &item),
		"orders/0 has another record at offset 17 than the store has read there: it is of "
		"another log");
	free_log_world(world);
}

static void test_records_that_do_not_fit_the_head_are_refused(void **state)
{
	struct log_world *world = new_world();
	(void)state;

	open_store(world, ROOMY_MAP);
	struct archived falling = archive_all(world);
	assert_int_equal(give_head(&falling, world), 0);
	give_records(&falling, world, 0, 5);
	struct archive_item item = record_at(world, 4);
	expect_refused(&falling, give(&falling, &item), "orders/0 has offset 4 behind 4");

	struct archived beyond = archive_all(world);
	assert_int_equal(give_head(&beyond, world), 0);
	item = record_at(world, NEXT);
	expect_refused(&beyond, give(&beyond, &item),
		"orders/0 has offset 14, and its head says that it ends at 14");

	struct archived absent = archive_all(world);
	assert_int_equal(give_head(&absent, world), 0);
	item.partition = 1;
	expect_refused(
		&absent, give(&absent, &item), "its head lacks orders/1, of which it has a record");

	struct archived few = archive_all(world);
	few.told = 11;
	assert_int_equal(give_head(&few, world), 0);
	give_records(&few, world, 0, NEXT);
	expect_refused(
		&few, give_end(&few), "it has 10 records of orders/0, and its head speaks of 11");
	assert_int_equal(position_of(world)->next, NEXT - 1);
	free_log_world(world);
}

static void test_a_stream_that_begins_behind_the_store_is_refused(void **state)
{
	struct log_world *world = new_world();
	(void)state;

	world->high = 5;
	start_and_read(world);
	struct archived late = archive_all(world);
	late.from = 6;
	expect_refused(&late, give_head(&late, world),
		"it begins with orders/0 at offset 6, and the store has read to 5; write it from "
		"there, or from its start");
	struct archived fits = archive_all(world);
	fits.from = 5;
	fits.told = 10;
	assert_int_equal(give_head(&fits, world), 0);
	give_records(&fits, world, 5, NEXT);
	assert_int_equal(give_end(&fits), 0);
	check_books(world, 9, 2);
	pipeline_archive_deinit(&fits.archive);
	free_log_world(world);
}

/* ---- the log behind it */

static int foresee(struct archived *archived, const char *cluster, int64_t low)
{
	struct watermarks marks = {.low = low, .high = END};
	struct log_report report = {
		.is_reachable = true, .partition_counts = {1}, .partitions = {&marks}};
	snprintf(report.cluster_id, sizeof report.cluster_id, "%s", cluster);
	return pipeline_archive_foresee(&archived->archive, &report);
}

static void expect_missing(struct log_world *world, const char *text)
{
	assert_string_equal(text_set_list(&world->pipeline->missing)[0], text);
	text_set_deinit(&world->pipeline->missing);
	world->pipeline->missing = (struct text_set){0};
}

static void test_what_the_log_will_lack_is_known_before_a_record_is_counted(void **state)
{
	struct log_world *world = new_world();
	(void)state;

	open_store(world, ROOMY_MAP);
	struct archived archived = archive_all(world);
	assert_int_equal(foresee(&archived, "cluster-z", 99), 0); /* nothing is known of it yet */
	assert_int_equal(give_head(&archived, world), 0);
	assert_int_equal(foresee(&archived, "cluster-a", NEXT), 0);
	assert_int_equal(foresee(&archived, "cluster-a", NEXT + 2), PIPELINE_E_DECISION);
	expect_missing(world, "orders/0:14-15");
	assert_int_equal(foresee(&archived, "cluster-z", 99), PIPELINE_E_DECISION);
	expect_missing(world, "cluster:cluster-a->cluster-z");

	assert_int_equal(text_set_add(&world->accepted, "orders/0:14-15"), 0);
	assert_int_equal(text_set_add(&world->accepted, "cluster:cluster-a->cluster-z"), 0);
	assert_int_equal(foresee(&archived, "cluster-a", NEXT + 2), 0);
	assert_int_equal(foresee(&archived, "cluster-z", 99), 0);
	assert_int_equal(world->pipeline->shards[0]->ledger.gaps.count, 0);
	pipeline_archive_deinit(&archived.archive);
	free_log_world(world);
}

/* A store without it says so, as if the log had lost it before its own eyes; one that has read it needs no word. */
static void test_what_the_archive_lacks_itself_is_missing_until_it_is_accepted(void **state)
{
	struct log_world *world = new_world();
	(void)state;

	open_store(world, ROOMY_MAP);
	struct archived archived = archive_all(world);
	archived.gap = (struct archive_gap){1, 3};
	for (int64_t offset = 1; offset <= 3; offset++) {
		archived.is_left_out[offset] = true;
	}
	assert_int_equal(give_head(&archived, world), 0);
	assert_int_equal(foresee(&archived, "cluster-a", NEXT), PIPELINE_E_DECISION);
	expect_missing(world, "orders/0:1-3");
	assert_int_equal(text_set_add(&world->accepted, "orders/0:1-3"), 0);
	assert_int_equal(foresee(&archived, "cluster-a", NEXT), 0);
	give_records(&archived, world, 0, NEXT);
	assert_int_equal(give_end(&archived), 0);
	assert_true(text_set_have(&world->pipeline->shards[0]->ledger.gaps, "orders/0:1-3"));
	assert_int_equal(orders_counted(world), 6);
	pipeline_archive_deinit(&archived.archive);
	text_set_deinit(&world->accepted);
	world->accepted = (struct text_set){0};
	struct archived again = archive_all(world);
	again.gap = (struct archive_gap){1, 3};
	assert_int_equal(give_head(&again, world), 0);
	assert_int_equal(foresee(&again, "cluster-a", NEXT), 0);
	pipeline_archive_deinit(&again.archive);
	free_log_world(world);
}

/* What was accepted is kept: the archive of the former cluster is in the store, and nothing of it is taken again. */
static void test_the_archive_of_a_former_cluster_is_counted_once(void **state)
{
	struct log_world *world = new_world();
	(void)state;

	assert_int_equal(text_set_add(&world->accepted, "cluster:cluster-a->cluster-b"), 0);
	open_store(world, ROOMY_MAP);
	for (int time = 0; time < 2; time++) {
		struct archived archived = archive_all(world);
		archived.cluster = "cluster-a";
		give_all(&archived, world);
		assert_int_equal(archived.archive.taken, time == 0 ? 10 : 0);
		pipeline_archive_deinit(&archived.archive);
		snprintf(world->cluster, sizeof world->cluster, "cluster-b");
		world->low = 0;
		assert_int_equal(observe_log(world), 0);
		assert_int_equal(position_of(world)->next, 0);
	}
	assert_int_equal(orders_counted(world), 9);
	free_log_world(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_an_archive_and_the_log_behind_it_are_a_log_that_was_never_cut),
		cmocka_unit_test(test_a_kill_anywhere_in_an_archive_loses_and_doubles_nothing),
		cmocka_unit_test(test_a_store_that_has_read_some_of_the_log_enters_the_rest),
		cmocka_unit_test(test_an_archive_that_is_not_of_the_stores_log_is_refused),
		cmocka_unit_test(test_records_that_do_not_fit_the_head_are_refused),
		cmocka_unit_test(test_a_stream_that_begins_behind_the_store_is_refused),
		cmocka_unit_test(test_what_the_log_will_lack_is_known_before_a_record_is_counted),
		cmocka_unit_test(
			test_what_the_archive_lacks_itself_is_missing_until_it_is_accepted),
		cmocka_unit_test(test_the_archive_of_a_former_cluster_is_counted_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
