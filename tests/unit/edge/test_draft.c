/* The draft, and what it is made of: idmap, and the room that the spool's index has for it. */
#include "edge/draft.h"
#include "edge/removals.h"
#include "edge/spool_index.h"
#include "fixture.h"
#include <errno.h>

static const uint8_t seed[16] = {1, 2, 3};

static int make_draft(void **state)
{
	static struct draft draft;
	*state = &draft;
	return draft_init(&draft, 4711, seed);
}

static int drop_draft(void **state)
{
	draft_deinit(*state);
	return 0;
}

static uint64_t add(struct draft *draft, enum kind lane, const char *bytes, int64_t received_ms)
{
	uint64_t seq = 0;
	buffer_append_text(draft_begin(draft, lane, &seq), bytes);
	assert_int_equal(draft_end(draft, lane, received_ms), 0);
	return seq;
}

static int add_sized(struct draft *draft, enum kind lane, size_t size)
{
	uint64_t seq;
	uint8_t *room = buffer_extend(draft_begin(draft, lane, &seq), size);
	assert_non_null(room);
	memset(room, 'x', size);
	return draft_end(draft, lane, 1);
}

static void test_each_lane_counts_from_one(void **state)
{
	struct draft *draft = *state;

	assert_true(draft_is_empty(draft));
	assert_int_equal(add(draft, KIND_ORDER, "a", 1), 1);
	assert_int_equal(add(draft, KIND_ORDER, "bc", 2), 2);
	assert_int_equal(add(draft, KIND_ORDER_DLQ, "d", 3), 1);
	assert_false(draft_is_empty(draft));
	const struct draft_lane *orders = &draft->lanes[KIND_ORDER];
	assert_int_equal(orders->block_count, 1);
	assert_int_equal(orders->blocks[0].first_seq, 1);
	assert_int_equal(orders->blocks[0].count, 2);
	assert_int_equal(orders->blocks[0].received_first_ms, 1);
	assert_int_equal(orders->blocks[0].received_last_ms, 2);
	assert_true(slice_equals_text(draft_block_events(orders, &orders->blocks[0]), "abc"));
}

static void test_seqs_go_on_after_a_commit_and_begin_again_in_a_new_run(void **state)
{
	struct draft *draft = *state;

	add(draft, KIND_CART, "a", 1);
	draft_clear(draft);
	assert_true(draft_is_empty(draft));
	assert_int_equal(add(draft, KIND_CART, "a", 1), 2);
	draft_clear(draft);
	draft_set_run(draft, 4712);
	assert_int_equal(add(draft, KIND_CART, "a", 1), 1);
	assert_int_equal(draft->run, 4712);
}

static void test_a_block_ends_before_it_is_too_large(void **state)
{
	struct draft *draft = *state;
	const struct draft_lane *lane = &draft->lanes[KIND_ORDER];

	for (int i = 0; i < 5; i++) {
		assert_int_equal(add_sized(draft, KIND_ORDER, 60 * 1024), 0);
	}
	assert_int_equal(lane->block_count, 3);
	assert_int_equal(lane->blocks[0].count, 2);
	assert_int_equal(lane->blocks[1].first_seq, 3);
	assert_int_equal(lane->blocks[2].first_seq, 5);
	assert_int_equal(lane->blocks[2].count, 1);
	assert_int_equal(lane->blocks[1].offset, 120 * 1024);
}

static void test_the_largest_event_fits_and_a_larger_one_is_taken_back(void **state)
{
	struct draft *draft = *state;

	assert_int_equal(add_sized(draft, KIND_ORDER, SPOOL_BLOCK_SIZE_MAX), 0);
	assert_int_equal(add_sized(draft, KIND_ORDER, SPOOL_BLOCK_SIZE_MAX + 1), -EMSGSIZE);
	assert_int_equal(add(draft, KIND_ORDER, "a", 1), 2);
	assert_int_equal(draft->lanes[KIND_ORDER].events.size, SPOOL_BLOCK_SIZE_MAX + 1);
	assert_int_equal(draft->event_count, 2);
}

static void test_a_rewind_leaves_no_trace(void **state)
{
	struct draft *draft = *state;
	struct draft_mark mark;

	add(draft, KIND_ORDER, "kept", 5);
	assert_int_equal(idmap_add(&draft->event_ids, slice_of_text("e1"), slice_of(NULL, 0)), 0);
	draft_mark(draft, &mark);
	add(draft, KIND_ORDER, "gone", 6);
	add_sized(draft, KIND_ORDER, SPOOL_BLOCK_SIZE_MAX);
	add(draft, KIND_VIEW, "gone", 6);
	assert_int_equal(idmap_add(&draft->event_ids, slice_of_text("e2"), slice_of(NULL, 0)), 0);
	assert_int_equal(idmap_add(&draft->producers, slice_of_text("p"), slice_of_text("row")), 0);
	draft_rewind(draft, &mark);

	const struct draft_lane *orders = &draft->lanes[KIND_ORDER];
	assert_int_equal(orders->block_count, 1);
	assert_int_equal(orders->blocks[0].count, 1);
	assert_int_equal(orders->blocks[0].received_last_ms, 5);
	assert_true(slice_equals_text(draft_block_events(orders, &orders->blocks[0]), "kept"));
	assert_int_equal(orders->next_seq, 2);
	assert_int_equal(draft->lanes[KIND_VIEW].block_count, 0);
	assert_int_equal(draft->lanes[KIND_VIEW].next_seq, 1);
	assert_non_null(idmap_find(&draft->event_ids, slice_of_text("e1")));
	assert_null(idmap_find(&draft->event_ids, slice_of_text("e2")));
	assert_null(idmap_find(&draft->producers, slice_of_text("p")));
	assert_int_equal(draft->event_count, 1);
}

static void test_ids_are_found_among_many_and_the_newest_hides_the_older(void **state)
{
	struct draft *draft = *state;
	struct idmap *map = &draft->producers;
	char id[32];

	for (int i = 0; i < 50000; i++) {
		snprintf(id, sizeof id, "id-%d", i);
		assert_int_equal(idmap_add(map, slice_of_text(id), slice_of(&i, sizeof i)), 0);
	}
	assert_int_equal(idmap_add(map, slice_of_text("id-7"), slice_of_text("new")), 0);
	const struct idmap_entry *entry = idmap_find(map, slice_of_text("id-7"));
	assert_true(slice_equals_text(idmap_value(map, entry), "new"));
	idmap_truncate(map, 50000);
	entry = idmap_find(map, slice_of_text("id-7"));
	assert_int_equal(idmap_value(map, entry).size, sizeof(int));
	assert_non_null(idmap_find(map, slice_of_text("id-49999")));
	assert_null(idmap_find(map, slice_of_text("id-50000")));
	idmap_truncate(map, 0);
	assert_null(idmap_find(map, slice_of_text("id-7")));
}

/* ---- room */

static struct spool_index an_index(uint64_t quota)
{
	static const uint32_t shares[KIND_COUNT] = {100, 10, 10, 10, 10, 10};
	struct spool_index index;
	spool_index_init(&index, quota, shares);
	return index;
}

static void test_a_full_lane_stops_no_other(void **state)
{
	struct draft *draft = *state;
	struct spool_index index = an_index(1000000);
	enum kind lane = KIND_ORDER;

	spool_index_add(&index, KIND_VIEW, 0, 1, 90000);
	add(draft, KIND_ORDER, "a", 1);
	assert_int_equal(spool_index_room(&index, draft, &lane), SPOOL_ROOM_OK);
	add_sized(draft, KIND_VIEW, 20000);
	assert_int_equal(spool_index_room(&index, draft, &lane), SPOOL_ROOM_LANE);
	assert_int_equal(lane, KIND_VIEW);
}

static void test_the_quota_holds_for_all_lanes_together(void **state)
{
	struct draft *draft = *state;
	struct spool_index index = an_index(1000000);
	enum kind lane = KIND_ORDER;

	for (uint64_t i = 0; i < 9; i++) {
		spool_index_add(&index, KIND_ORDER, i, 10, 100000);
	}
	assert_int_equal(spool_index_room(&index, draft, &lane), SPOOL_ROOM_OK);
	add_sized(draft, KIND_ORDER, 100000);
	assert_int_equal(spool_index_room(&index, draft, &lane), SPOOL_ROOM_LANE);
	draft_clear(draft);
	add_sized(draft, KIND_CART, 95000);
	assert_int_equal(spool_index_room(&index, draft, &lane), SPOOL_ROOM_QUOTA);
	index.short_of_pages = true;
	assert_int_equal(spool_index_room(&index, draft, &lane), SPOOL_ROOM_PAGES);
	index.short_of_disk = true;
	assert_int_equal(spool_index_room(&index, draft, &lane), SPOOL_ROOM_DISK);
}

static void test_the_index_adds_up_what_comes_and_goes(void **state)
{
	struct spool_index index = an_index(1000000);
	struct spool_lane taken[KIND_COUNT] = {0};

	(void)state;
	spool_index_add(&index, KIND_ORDER, 4, 10, 500);
	spool_index_add(&index, KIND_ORDER, 5, 20, 5000);
	assert_int_equal(index.lanes[KIND_ORDER].events, 30);
	assert_int_equal(index.lanes[KIND_ORDER].end, 6);
	taken[KIND_ORDER] = index.lanes[KIND_ORDER];
	spool_index_subtract(&index, taken);
	assert_int_equal(index.bytes, 0);
	assert_int_equal(index.lanes[KIND_ORDER].blocks, 0);
	assert_int_equal(index.lanes[KIND_ORDER].end, 6);
	spool_index_reserve(&index, KIND_ORDER, 3);
	assert_int_equal(index.lanes[KIND_ORDER].end, 6);
	spool_index_reset(&index);
	assert_int_equal(index.lanes[KIND_ORDER].end, 0);
}

/* ---- removals */

static void test_neighbouring_removals_become_one(void **state)
{
	struct removals removals = {0};

	(void)state;
	assert_int_equal(removals_add(&removals, KIND_ORDER, 1, 3), 0);
	assert_int_equal(removals_add(&removals, KIND_CART, 4, 4), 0);
	assert_int_equal(removals_add(&removals, KIND_ORDER, 4, 6), 0);
	assert_int_equal(removals_add(&removals, KIND_ORDER, 8, 8), 0);
	assert_int_equal(removals.count, 3);
	assert_int_equal(removals.ranges[0].last, 6);
	for (uint64_t i = 0; i < 200; i++) {
		assert_int_equal(removals_add(&removals, KIND_VIEW, 2 * i, 2 * i), 0);
	}
	assert_int_equal(removals.count, 203);
	struct removal head = removals_head(&removals, 4);
	assert_int_equal(head.first, 1);
	assert_int_equal(head.last, 4);
	removals_drop_head(&removals, &head);
	head = removals_head(&removals, 4);
	assert_int_equal(head.first, 5);
	assert_int_equal(head.last, 6);
	removals_drop_head(&removals, &head);
	assert_int_equal(removals_head(&removals, 1).lane, KIND_CART);
	removals_clear(&removals);
	assert_int_equal(removals.count, 0);
	removals_deinit(&removals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_each_lane_counts_from_one, make_draft, drop_draft),
		cmocka_unit_test_setup_teardown(
			test_seqs_go_on_after_a_commit_and_begin_again_in_a_new_run, make_draft,
			drop_draft),
		cmocka_unit_test_setup_teardown(
			test_a_block_ends_before_it_is_too_large, make_draft, drop_draft),
		cmocka_unit_test_setup_teardown(
			test_the_largest_event_fits_and_a_larger_one_is_taken_back, make_draft,
			drop_draft),
		cmocka_unit_test_setup_teardown(
			test_a_rewind_leaves_no_trace, make_draft, drop_draft),
		cmocka_unit_test_setup_teardown(
			test_ids_are_found_among_many_and_the_newest_hides_the_older, make_draft,
			drop_draft),
		cmocka_unit_test_setup_teardown(
			test_a_full_lane_stops_no_other, make_draft, drop_draft),
		cmocka_unit_test_setup_teardown(
			test_the_quota_holds_for_all_lanes_together, make_draft, drop_draft),
		cmocka_unit_test(test_the_index_adds_up_what_comes_and_goes),
		cmocka_unit_test(test_neighbouring_removals_become_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
