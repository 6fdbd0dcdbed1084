/* Without memory nothing happens by halves: every allocation fails once. Linked with --wrap for the allocating calls. */
#include "answer_world.h"
#include "failing_memory.h"

/* Did this call fail because an allocation was made to? */
static bool was_failed(int r)
{
	bool failed = r == -ENOMEM;

	assert_true(r == 0 || failed);
	assert_int_equal(failed, calls_left == 0);
	calls_left = 0;
	return failed;
}

/* Every total of both overlays is the same. */
static void assert_same(const struct view_set *views, struct overlay *a, struct overlay *b)
{
	assert_int_equal(overlay_sort(a), 0);
	assert_int_equal(overlay_sort(b), 0);
	for (uint32_t id = 0; id < view_set_count(views); id++) {
		assert_int_equal(overlay_matched(a, id), overlay_matched(b, id));
		assert_int_equal(overlay_unmatched(a, id), overlay_unmatched(b, id));
		assert_int_equal(overlay_row_count(a, id), overlay_row_count(b, id));
		for (size_t i = 0; i < overlay_row_count(a, id); i++) {
			const struct delta *x = overlay_row_at(a, id, i);
			const struct delta *y = overlay_row_at(b, id, i);
			assert_true(slice_equal(delta_key(x), delta_key(y)));
			assert_int_equal(delta_event_count(x), delta_event_count(y));
			assert_int_equal(delta_member_count(x), delta_member_count(y));
		}
	}
}

static void test_an_event_is_counted_in_all_views_or_in_none(void **state)
{
	struct world *world = new_world(1, true);
	struct overlay *tried = new_overlay(world->views);
	struct overlay *reference = new_overlay(world->views);
	int failures = 0;
	(void)state;

	for (size_t i = 0; i < ORDERS; i++) {
		for (int n = 1;; n++) {
			calls_left = n;
			if (!was_failed(
				    overlay_apply(tried, &world->events[i], slice_of(NULL, 0)))) {
				break;
			}
			failures++;
			assert_same(world->views, tried, reference);
		}
		apply(reference, &world->events[i]);
	}
	assert_same(world->views, tried, reference);
	assert_true(failures > 20);
	overlay_free(tried);
	overlay_free(reference);
	free_world(world);
}

static void test_an_overlay_without_memory_is_not_made(void **state)
{
	struct view_set *views = sample_views();
	struct overlay *overlay = NULL;
	int failures = 0;
	(void)state;

	for (int n = 1;; n++) {
		calls_left = n;
		if (!was_failed(overlay_new(views, sample_hash_key, &overlay))) {
			break;
		}
		failures++;
		assert_null(overlay);
	}
	assert_int_equal(failures, 2 + KIND_COUNT + 1); /* and the views of baskets */
	overlay_free(overlay);
	view_set_free(views);
}

static void test_a_sort_without_memory_can_be_tried_again(void **state)
{
	struct view_set *views = sample_views();
	struct overlay *overlay = new_overlay(views);
	struct event b = sample_order(1, 1, "b", 1, 1);
	struct event a = sample_order(2, 1, "a", 1, 1);
	(void)state;

	apply(overlay, &b);
	assert_int_equal(overlay_sort(overlay), 0);
	apply(overlay, &a);
	calls_left = 1;
	assert_true(was_failed(overlay_sort(overlay)));
	assert_int_equal(overlay_sort(overlay), 0);
	uint32_t id = view_id(view_set_find(views, slice_of_text("products")));
	assert_int_equal(delta_key(overlay_row_at(overlay, id, 0)).bytes[0], 'a');
	overlay_free(overlay);
	view_set_free(views);
}

static void test_a_list_of_rows_without_memory_can_be_made_again(void **state)
{
	struct view_set *views = sample_views();
	struct overlay *overlay = new_overlay(views);
	struct event a = sample_order(1, 1, "a", 1, 1);
	const struct delta *const *rows = NULL;
	uint32_t id = view_id(view_set_find(views, slice_of_text("products")));
	(void)state;

	apply(overlay, &a);
	for (int n = 1; n <= 2; n++) {
		calls_left = n;
		assert_true(was_failed(overlay_list_rows(overlay, id, &rows)));
		assert_null(rows);
	}
	assert_int_equal(overlay_list_rows(overlay, id, &rows), 0);
	assert_ptr_equal(rows[0], overlay_row_at(overlay, id, 0));
	free((void *)rows);
	overlay_free(overlay);
	view_set_free(views);
}

static void test_a_view_without_memory_is_not_added(void **state)
{
	static const char text[] = "kind = order\ngroup_by = edge\nmeasures = n = count()\nwhere = "
				   "page = x\nzone = UTC\n";
	struct view_set *views = NULL;
	char error[512];
	(void)state;

	calls_left = 1;
	assert_true(was_failed(view_set_new(NULL, NULL, &views)));
	views = new_view_set();
	for (int n = 1;; n++) {
		calls_left = n;
		if (!was_failed(view_set_add_text(
			    views, slice_of_text("v"), slice_of_text(text), error, sizeof error))) {
			break;
		}
		assert_int_equal(view_set_count(views), 0);
	}
	assert_int_equal(view_set_count(views), 1);
	view_set_free(views);
}

/* The asker hears of it, and the next question is answered. */
static void test_answers_without_memory_say_so(void **state)
{
	static const char *const requests[] = {
		"{\"query\":\"get\",\"view\":\"products\",\"key\":[\"p01\"]}",
		"{\"query\":\"top\",\"view\":\"products\",\"by\":\"order_count\"}",
		"{\"query\":\"scan\",\"view\":\"users\",\"limit\":2}",
	};
	struct world *world = new_world(1, true);
	struct complaint complaint;
	struct query query;
	int failures = 0;
	(void)state;

	buffer_append(
		&world->reply, requests[0], 1); /* its memory is there: the words can be written */
	for (size_t i = 0; i < 3; i++) {
		for (int n = 1;; n++) {
			assert_int_equal(query_decode(&world->request, slice_of_text(requests[i]),
						 &query, &complaint),
				0);
			buffer_clear(&world->reply);
			calls_left = n;
			int r = answer_query(&world->context, &query, &world->reply);
			bool failed = calls_left == 0;
			calls_left = 0;
			bool says_ok = r == 0 && memmem(world->reply.bytes, world->reply.size,
							 "\"ok\":true", 9) != NULL;
			assert_int_equal(says_ok, !failed);
			if (!failed) {
				break;
			}
			failures++;
		}
	}
	assert_true(failures > 10);
	free_world(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_event_is_counted_in_all_views_or_in_none),
		cmocka_unit_test(test_an_overlay_without_memory_is_not_made),
		cmocka_unit_test(test_a_sort_without_memory_can_be_tried_again),
		cmocka_unit_test(test_a_list_of_rows_without_memory_can_be_made_again),
		cmocka_unit_test(test_a_view_without_memory_is_not_added),
		cmocka_unit_test(test_answers_without_memory_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
