/* A link that is closed at every moment of its life, over a real context. */
#include "edge/link.h"
#include "fixture.h"
#include "runtime/clock.h"
#include "runtime/context.h"
#include "runtime/loop.h"
#include <errno.h>
#include <sched.h>

enum { ROUNDS = 1500, SPREAD_US = 400, ROOM_MS_MAX = 20 * 1000 };

static int on_nothing(void *owner)
{
	(void)owner;
	return 0;
}

static int on_end(void *owner, enum link_end end)
{
	(void)end;
	return on_nothing(owner);
}

static int on_frame(void *owner, struct slice frame)
{
	(void)owner;
	(void)frame;
	return 0;
}

/* A closed socket counts until libzmq's reaper has had its turn, which on a busy machine may be a thousand sockets late. */
static void open_when_there_is_room(struct link *link)
{
	int64_t until_ms = clock_monotonic_ms() + ROOM_MS_MAX;
	int r = link_open(link, "tcp://127.0.0.1:1", 0);
	while (r == -EMFILE && clock_monotonic_ms() < until_ms) {
		sched_yield();
		r = link_open(link, "tcp://127.0.0.1:1", 0);
	}
	assert_int_equal(r, 0);
}

/* libzmq's I/O thread tells of the refused connection while the link goes: whoever waits for it must not be who it waits
 * for. A deadlock here was an edge that could not be stopped. */
static void test_a_link_can_be_closed_while_its_connection_is_refused(void **state)
{
	struct link_options options = {
		.connected = on_nothing, .disconnected = on_end, .frame = on_frame};
	struct link *link = NULL;
	(void)state;

	assert_int_equal(loop_new(&options.loop), 0);
	assert_int_equal(context_new(&options.context), 0);
	assert_int_equal(link_new(&options, &link), 0);
	for (int i = 0; i < ROUNDS; i++) {
		open_when_there_is_room(link);
		int64_t until_us = clock_monotonic_us() + i % SPREAD_US;
		while (clock_monotonic_us() < until_us) {
		}
		link_close(link);
	}
	link_free(link);
	context_free(options.context);
	loop_free(options.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_link_can_be_closed_while_its_connection_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
