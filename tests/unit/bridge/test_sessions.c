#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bridge/sessions.h"
#include <cmocka.h>

static struct sessions *sessions;
static struct tracker tracker;

static int set_up(void **state)
{
	(void)state;
	tracker_init(&tracker);
	return sessions_new(&sessions);
}

static int tear_down(void **state)
{
	(void)state;
	sessions = sessions_free(sessions);
	tracker_deinit(&tracker);
	return 0;
}

static struct session *begin(const char *peer, const char *edge, uint64_t run)
{
	const struct session_start start = {
		.peer = slice_of_text(peer),
		.edge = slice_of_text(edge),
		.run = run,
		.id = run * 10,
		.now_ms = 1000,
	};
	struct session *session = NULL;
	assert_int_equal(sessions_open(sessions, &start, &session), 0);
	return session;
}

static void test_a_session_is_found_by_its_connection_and_by_its_run(void **state)
{
	(void)state;
	struct session *uk = begin("p1", "United Kingdom", 1), *fr = begin("p2", "France", 1);
	assert_ptr_equal(sessions_of_peer(sessions, slice_of_text("p1")), uk);
	assert_ptr_equal(sessions_of_peer(sessions, slice_of_text("p2")), fr);
	assert_null(sessions_of_peer(sessions, slice_of_text("p3")));
	assert_ptr_equal(sessions_of_run(sessions, slice_of_text("France"), 1), fr);
	assert_null(sessions_of_run(sessions, slice_of_text("France"), 2));
	assert_int_equal(sessions_count(sessions), 2);
	assert_int_equal(uk->heard_ms, 1000);
}

static void test_another_run_of_an_edge_lives_beside_the_first(void **state)
{
	(void)state;
	struct session *first = begin("p1", "uk", 1);
	assert_null(sessions_of_other_run(sessions, slice_of_text("uk"), 1));
	assert_ptr_equal(sessions_of_other_run(sessions, slice_of_text("uk"), 2), first);
	begin("p3", "fr", 2);
	assert_int_equal(sessions_conflict_count(sessions), 0);
	struct session *second = begin("p2", "uk", 2);
	assert_int_equal(sessions_conflict_count(sessions), 2);
	assert_ptr_equal(sessions_of_run(sessions, slice_of_text("uk"), 1), first);
	assert_ptr_equal(sessions_of_run(sessions, slice_of_text("uk"), 2), second);
	assert_ptr_equal(sessions_of_other_run(sessions, slice_of_text("uk"), 2), first);
}

static void test_a_closed_session_is_gone_from_every_list(void **state)
{
	(void)state;
	struct session *uk = begin("p1", "uk", 1), *fr = begin("p2", "fr", 1);
	sessions_mark(sessions, uk);
	sessions_mark(sessions, fr);
	sessions_close(sessions, &tracker, uk);
	assert_null(sessions_of_peer(sessions, slice_of_text("p1")));
	assert_null(sessions_of_run(sessions, slice_of_text("uk"), 1));
	assert_ptr_equal(sessions_first(sessions), fr);
	assert_null(sessions_next(fr));
	assert_ptr_equal(sessions_take_marked(sessions), fr);
	assert_null(sessions_take_marked(sessions));
}

static void test_what_a_closed_session_had_in_flight_is_nobodys(void **state)
{
	(void)state;
	struct session *uk = begin("p1", "uk", 1);
	const struct sending_start start = {.number = 1, .bytes = 5};
	struct sending *sending = NULL;
	struct sending_end end;
	assert_int_equal(tracker_open(&tracker, &uk->outbox, &start, &sending), 0);
	assert_ptr_equal(session_of_outbox(sending->outbox), uk);
	sessions_close(sessions, &tracker, uk);
	assert_true(tracker_release(&tracker, sending, &end));
	assert_null(end.outbox);
}

static void test_a_session_is_marked_once_and_taken_in_order(void **state)
{
	(void)state;
	struct session *uk = begin("p1", "uk", 1), *fr = begin("p2", "fr", 1);
	sessions_mark(sessions, fr);
	sessions_mark(sessions, uk);
	sessions_mark(sessions, fr);
	assert_ptr_equal(sessions_take_marked(sessions), fr);
	assert_ptr_equal(sessions_take_marked(sessions), uk);
	assert_null(sessions_take_marked(sessions));
}

static void test_thousands_of_edges_are_kept_apart(void **state)
{
	(void)state;
	char peer[16], edge[16];
	for (uint64_t i = 0; i < SESSIONS_MAX; i++) {
		snprintf(peer, sizeof peer, "p%u", (unsigned)i);
		snprintf(edge, sizeof edge, "e%u", (unsigned)i);
		begin(peer, edge, i + 1);
	}
	for (uint64_t i = 0; i < SESSIONS_MAX; i += 97) {
		snprintf(peer, sizeof peer, "p%u", (unsigned)i);
		assert_int_equal(sessions_of_peer(sessions, slice_of_text(peer))->run, i + 1);
	}
	const struct session_start more = {
		.peer = slice_of_text("x"), .edge = slice_of_text("x"), .run = 1};
	struct session *session = NULL;
	assert_int_equal(sessions_open(sessions, &more, &session), SESSIONS_E_FULL);
	assert_null(session);
}

static void test_a_routing_id_that_is_too_long_is_refused(void **state)
{
	(void)state;
	uint8_t peer[ROUTING_ID_SIZE_MAX + 1] = {0};
	const struct session_start start = {
		.peer = slice_of(peer, sizeof peer), .edge = slice_of_text("uk"), .run = 1};
	struct session *session = NULL;
	assert_int_equal(sessions_open(sessions, &start, &session), SESSIONS_E_FULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(test_a_session_is_found_by_its_connection_and_by_its_run),
		CASE(test_another_run_of_an_edge_lives_beside_the_first),
		CASE(test_a_closed_session_is_gone_from_every_list),
		CASE(test_what_a_closed_session_had_in_flight_is_nobodys),
		CASE(test_a_session_is_marked_once_and_taken_in_order),
		CASE(test_thousands_of_edges_are_kept_apart),
		CASE(test_a_routing_id_that_is_too_long_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
