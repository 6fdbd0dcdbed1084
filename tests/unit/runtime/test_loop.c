#include "runtime/loop.h"
#include "runtime/socket.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* What the handlers of these tests share. */
struct probe {
	struct loop *loop;
	struct socket *socket;
	int fd[2];
	int fd_other[2];
	int calls;
	int calls_other;
	int result;
	int64_t wait_ms;
};

static int open_probe(void **state)
{
	static struct probe probe;

	probe = (struct probe){.wait_ms = 1000};
	assert_int_equal(loop_new(&probe.loop), 0);
	assert_int_equal(pipe(probe.fd), 0);
	assert_int_equal(pipe(probe.fd_other), 0);
	*state = &probe;
	return 0;
}

static int close_probe(void **state)
{
	struct probe *probe = *state;
	for (int i = 0; i < 2; i++) {
		close(probe->fd[i]);
		close(probe->fd_other[i]);
	}
	assert_null(loop_free(probe->loop));
	return 0;
}

static void poke(int fd)
{
	assert_int_equal(write(fd, "x", 1), 1);
}

static int read_and_stop(void *owner)
{
	struct probe *probe = owner;
	char byte;

	assert_int_equal(read(probe->fd[0], &byte, 1), 1);
	probe->calls++;
	loop_stop(probe->loop);
	return probe->result;
}

static int read_other_and_stop(void *owner)
{
	struct probe *probe = owner;
	char byte;

	assert_int_equal(read(probe->fd_other[0], &byte, 1), 1);
	probe->calls_other++;
	loop_stop(probe->loop);
	return 0;
}

static void test_a_readable_file_calls_its_handler(void **state)
{
	struct probe *probe = *state;

	assert_int_equal(loop_add_fd(probe->loop, probe->fd[0], read_and_stop, probe), 0);
	poke(probe->fd[1]);
	assert_int_equal(loop_run(probe->loop), 0);
	assert_int_equal(probe->calls, 1);
}

static void test_a_handlers_error_ends_the_loop_with_it(void **state)
{
	struct probe *probe = *state;

	probe->result = -EIO;
	assert_int_equal(loop_add_fd(probe->loop, probe->fd[0], read_and_stop, probe), 0);
	poke(probe->fd[1]);
	assert_int_equal(loop_run(probe->loop), -EIO);
}

static int remove_other(void *owner)
{
	struct probe *probe = owner;

	loop_remove_fd(probe->loop, probe->fd_other[0]);
	return read_and_stop(owner) < 0 ? -1 : 0;
}

/* Both files are readable in one round; the first handler takes the second source away. */
static void test_a_source_removed_within_a_handler_is_not_called_any_more(void **state)
{
	struct probe *probe = *state;

	assert_int_equal(loop_add_fd(probe->loop, probe->fd[0], remove_other, probe), 0);
	assert_int_equal(
		loop_add_fd(probe->loop, probe->fd_other[0], read_other_and_stop, probe), 0);
	poke(probe->fd[1]);
	poke(probe->fd_other[1]);
	assert_int_equal(loop_run(probe->loop), 0);
	assert_int_equal(probe->calls, 1);
	assert_int_equal(probe->calls_other, 0);
}

static int never_called(void *owner)
{
	struct probe *probe = owner;
	probe->calls_other += 100;
	return -EDOM;
}

/* The slot of the removed source is taken by one that is not readable: it must not get the old one's event. */
static int replace_other(void *owner)
{
	struct probe *probe = owner;
	char byte;

	assert_int_equal(read(probe->fd[0], &byte, 1), 1);
	probe->calls++;
	loop_remove_fd(probe->loop, probe->fd_other[0]);
	return loop_add_fd(probe->loop, probe->fd[0] + 1000, never_called, probe);
}

static int stop_at_once(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct probe *probe = owner;
	(void)now_ms;
	*ret_wait_ms = probe->wait_ms;
	if (probe->calls > 0) {
		loop_stop(probe->loop);
	}
	return 0;
}

static void test_a_source_that_took_a_slot_does_not_get_the_old_ones_event(void **state)
{
	struct probe *probe = *state;

	assert_int_equal(loop_add_fd(probe->loop, probe->fd[0], replace_other, probe), 0);
	assert_int_equal(loop_add_fd(probe->loop, probe->fd_other[0], never_called, probe), 0);
	assert_int_equal(loop_add_tick(probe->loop, stop_at_once, probe), 0);
	poke(probe->fd[1]);
	poke(probe->fd_other[1]);
	assert_int_equal(loop_run(probe->loop), 0);
	assert_int_equal(probe->calls, 1);
	assert_int_equal(probe->calls_other, 0);
}

static void test_more_sources_than_there_is_room_for_are_refused(void **state)
{
	struct probe *probe = *state;
	int added = 0;

	while (added < 1000 && loop_add_fd(probe->loop, 100 + added, never_called, probe) == 0) {
		added++;
	}
	assert_int_equal(added, LOOP_SOURCES_MAX - 1); /* one is the loop's own, for signals */
	assert_int_equal(loop_add_fd(probe->loop, 99, never_called, probe), -ENOSPC);
	loop_remove_fd(probe->loop, 100);
	assert_int_equal(loop_add_fd(probe->loop, 99, never_called, probe), 0);
}

static int count_ticks(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct probe *probe = owner;

	assert_int_equal(now_ms, loop_now_ms(probe->loop));
	*ret_wait_ms = 5;
	if (++probe->calls == 4) {
		loop_stop(probe->loop);
	}
	return 0;
}

/* The other tick would sleep for a second; the shortest wait decides. */
static void test_ticks_run_when_the_shortest_wait_is_over(void **state)
{
	struct probe *probe = *state;

	assert_int_equal(loop_add_tick(probe->loop, stop_at_once, probe), 0);
	loop_remove_tick(probe->loop, stop_at_once, probe);
	assert_int_equal(loop_add_tick(probe->loop, count_ticks, probe), 0);
	int64_t before_ms = loop_now_ms(probe->loop);
	assert_int_equal(loop_run(probe->loop), 0);
	assert_int_equal(probe->calls, 4);
	assert_in_range(loop_now_ms(probe->loop) - before_ms, 15, 900);
}

static int failing_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	(void)owner;
	(void)now_ms;
	(void)ret_wait_ms;
	return -ENODATA;
}

static void test_a_ticks_error_ends_the_loop_and_too_many_ticks_are_refused(void **state)
{
	struct probe *probe = *state;

	for (int i = 0; i < LOOP_TICKS_MAX; i++) {
		assert_int_equal(loop_add_tick(probe->loop, failing_tick, probe), 0);
	}
	assert_int_equal(loop_add_tick(probe->loop, failing_tick, probe), -ENOSPC);
	assert_int_equal(loop_run(probe->loop), -ENODATA);
}

static int drain(void *owner)
{
	struct probe *probe = owner;
	probe->calls++;
	return 0;
}

static int hang_up(void *owner)
{
	struct probe *probe = owner;
	probe->calls_other++;
	return kill(getpid(), SIGTERM);
}

static int stop_after_drain(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct probe *probe = owner;
	(void)now_ms;
	(void)ret_wait_ms;
	if (probe->calls > 0) {
		loop_stop(probe->loop);
	}
	return 0;
}

static void test_sigterm_drains_and_sighup_has_its_own_handler(void **state)
{
	struct probe *probe = *state;

	loop_on_terminate(probe->loop, drain, probe);
	loop_on_hangup(probe->loop, hang_up, probe);
	assert_int_equal(loop_add_tick(probe->loop, stop_after_drain, probe), 0);
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	assert_int_equal(loop_run(probe->loop), 0);
	assert_int_equal(probe->calls_other, 1);
	assert_int_equal(probe->calls, 1);
}

static int ask_again(void *owner)
{
	struct probe *probe = owner;
	probe->calls++;
	return kill(getpid(), SIGINT);
}

/* The handler never stops the loop: the second signal does. */
static void test_a_second_signal_ends_the_loop_at_once(void **state)
{
	struct probe *probe = *state;

	loop_on_terminate(probe->loop, ask_again, probe);
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	assert_int_equal(loop_run(probe->loop), 0);
	assert_int_equal(probe->calls, 1);
}

static void test_without_a_handler_a_signal_ends_the_loop(void **state)
{
	struct probe *probe = *state;

	assert_int_equal(kill(getpid(), SIGINT), 0);
	assert_int_equal(loop_run(probe->loop), 0);
}

static int receive_and_stop(void *owner)
{
	struct probe *probe = owner;
	struct message message = {0};

	assert_int_equal(socket_receive(probe->socket, &message), 0);
	message_clear(&message);
	probe->calls++;
	loop_stop(probe->loop);
	return 0;
}

static void test_a_paused_socket_is_read_only_when_it_goes_on(void **state)
{
	struct probe *probe = *state;
	struct context *context = NULL;
	struct socket *sender = NULL;
	const struct iovec frame = {"sale", 4};

	assert_int_equal(context_new(&context), 0);
	assert_int_equal(socket_new(context, SOCKET_PULL, NULL, &probe->socket), 0);
	assert_int_equal(socket_new(context, SOCKET_PUSH, NULL, &sender), 0);
	assert_int_equal(socket_bind(probe->socket, "inproc://loop", NULL), 0);
	assert_int_equal(socket_connect(sender, "inproc://loop"), 0);
	assert_int_equal(loop_add_socket(probe->loop, probe->socket, receive_and_stop, probe), 0);
	assert_int_equal(
		loop_add_fd(probe->loop, probe->fd_other[0], read_other_and_stop, probe), 0);

	assert_int_equal(socket_send(sender, &frame, 1), 0);
	loop_pause_socket(probe->loop, probe->socket, true);
	poke(probe->fd_other[1]);
	assert_int_equal(loop_run(probe->loop), 0);
	assert_int_equal(probe->calls, 0);
	assert_int_equal(probe->calls_other, 1);

	loop_pause_socket(probe->loop, probe->socket, false);
	assert_int_equal(loop_run(probe->loop), 0);
	assert_int_equal(probe->calls, 1);

	loop_remove_socket(probe->loop, probe->socket);
	socket_free(sender);
	socket_free(probe->socket);
	context_free(context);
}

static int fill_and_stop(void *owner)
{
	struct probe *probe = owner;

	probe->calls++;
	loop_stop(probe->loop);
	return write(probe->fd[1], "x", 1) == 1 ? 0 : -errno;
}

static void test_a_file_is_watched_for_what_its_owner_wants(void **state)
{
	struct probe *probe = *state;

	assert_int_equal(loop_add_fd(probe->loop, probe->fd[1], fill_and_stop, probe), 0);
	assert_int_equal(
		loop_add_fd(probe->loop, probe->fd_other[0], read_other_and_stop, probe), 0);

	poke(probe->fd_other[1]); /* the pipe has room, but nobody asked */
	assert_int_equal(loop_run(probe->loop), 0);
	assert_int_equal(probe->calls, 0);
	assert_int_equal(probe->calls_other, 1);

	loop_set_fd_interest(probe->loop, probe->fd[1], false, true);
	assert_int_equal(loop_run(probe->loop), 0);
	assert_int_equal(probe->calls, 1);
}

/* poll reports a hang-up whether it is asked or not: a paused file would keep the loop busy with it. */
static void test_a_paused_file_is_not_even_told_of_its_end(void **state)
{
	struct probe *probe = *state;

	assert_int_equal(loop_add_fd(probe->loop, probe->fd[0], never_called, probe), 0);
	assert_int_equal(
		loop_add_fd(probe->loop, probe->fd_other[0], read_other_and_stop, probe), 0);
	loop_set_fd_interest(probe->loop, probe->fd[0], false, false);
	close(probe->fd[1]);
	poke(probe->fd_other[1]);
	assert_int_equal(loop_run(probe->loop), 0);
	assert_int_equal(probe->calls_other, 1);
	probe->fd[1] = -1;
}

static int stop_on_end(void *owner)
{
	struct probe *probe = owner;
	probe->calls++;
	loop_stop(probe->loop);
	return 0;
}

/* A connection that nobody reads from right now, but that has something to write, must hear that its peer is gone. */
static void test_a_file_watched_for_writing_hears_of_an_error(void **state)
{
	struct probe *probe = *state;

	assert_int_equal(loop_add_fd(probe->loop, probe->fd[1], stop_on_end, probe), 0);
	loop_set_fd_interest(probe->loop, probe->fd[1], false, true);
	while (fcntl(probe->fd[1], F_SETFL, O_NONBLOCK) == 0 &&
		write(probe->fd[1], probe, sizeof *probe) > 0) {
	}
	close(probe->fd[0]);
	assert_int_equal(loop_run(probe->loop), 0);
	assert_int_equal(probe->calls, 1);
	probe->fd[0] = -1;
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, open_probe, close_probe)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_a_readable_file_calls_its_handler),
		LOOP_TEST(test_a_handlers_error_ends_the_loop_with_it),
		LOOP_TEST(test_a_source_removed_within_a_handler_is_not_called_any_more),
		LOOP_TEST(test_a_source_that_took_a_slot_does_not_get_the_old_ones_event),
		LOOP_TEST(test_more_sources_than_there_is_room_for_are_refused),
		LOOP_TEST(test_ticks_run_when_the_shortest_wait_is_over),
		LOOP_TEST(test_a_ticks_error_ends_the_loop_and_too_many_ticks_are_refused),
		LOOP_TEST(test_sigterm_drains_and_sighup_has_its_own_handler),
		LOOP_TEST(test_a_second_signal_ends_the_loop_at_once),
		LOOP_TEST(test_without_a_handler_a_signal_ends_the_loop),
		LOOP_TEST(test_a_paused_socket_is_read_only_when_it_goes_on),
		LOOP_TEST(test_a_file_is_watched_for_what_its_owner_wants),
		LOOP_TEST(test_a_paused_file_is_not_even_told_of_its_end),
		LOOP_TEST(test_a_file_watched_for_writing_hears_of_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
