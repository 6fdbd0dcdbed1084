/* What one peer may ask of a bridge. */
#include "reception_bench.h"

/* An edge of its own: called like its connection. */
static void say_hello_of(const char *peer, uint64_t session)
{
	const struct wire_message hello = {
		.type = WIRE_HELLO,
		.session = session,
		.hello = {WIRE_VERSION, slice_of_text(peer), 7, slice_of_text("test"), 0},
	};
	say(peer, &hello);
}

static void limit(int64_t frames, int64_t held)
{
	const struct peer_allowance allowance = {.rates = {[EDGE_FRAMES] = frames}, .held = held};
	assert_int_equal(peer_limits_new(&allowance, &reception.limits), 0);
}

static void test_one_address_holds_no_more_sessions_than_it_may(void **state)
{
	(void)state;
	limit(0, 2);
	address = "192.0.2.1";
	for (uint64_t run = 1; run <= 3; run++) {
		char peer[2] = {(char)('0' + run), '\0'};
		say_hello_of(peer, 100 + run);
	}
	hear("1", WIRE_WELCOME);
	hear("2", WIRE_WELCOME);
	hear_bye("3", 103, BYE_NOT_READY);
	assert_int_equal((int)metric_value(numbers.sessions_limited), 1);
	address = "192.0.2.2"; /* another's are its own */
	say_hello_of("4", 104);
	hear("4", WIRE_WELCOME);
	address = "192.0.2.1";
	reception_forget(&reception, sessions_of_peer(sessions, slice_of_text("1")));
	say_hello_of("3", 105);
	hear("3", WIRE_WELCOME);
	reception.limits = peer_limits_free(reception.limits);
}

static void test_an_edge_that_floods_loses_its_session_and_no_other_s(void **state)
{
	(void)state;
	limit(10, 0); /* and a burst of 20 */
	say_hello_of("good", 1);
	hear("good", WIRE_WELCOME);
	for (int i = 0; i < 100; i++) {
		say_hello_of("bad", 2);
	}
	for (int i = 0; i < 20; i++) {
		hear("bad", WIRE_WELCOME);
	}
	hear_bye("bad", 2, BYE_NOT_READY);
	assert_int_equal(sent_count, read_count); /* the rest is counted, not answered */
	assert_int_equal((int)metric_value(numbers.frames_limited), 80);
	assert_int_equal(sessions_count(sessions), 1);
	assert_non_null(sessions_of_peer(sessions, slice_of_text("good")));
	pipeline.now_ms += 1000;
	say_hello_of("bad", 3);
	hear("bad", WIRE_WELCOME);
	reception.limits = peer_limits_free(reception.limits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_one_address_holds_no_more_sessions_than_it_may, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_an_edge_that_floods_loses_its_session_and_no_other_s, set_up,
			tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
