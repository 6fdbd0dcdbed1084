/* loop.h - the one event loop of a process, over zmq_poll (level-triggered: no ZMQ_FD trap).
 * SIGTERM and SIGINT arrive as a signalfd and end loop_run. Handlers borrow their owner; they return 0 or a
 * negative errno that ends the loop with it. Every add can fail with -ENOSPC or -ENOMEM. One thread, except
 * where a function says otherwise. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct socket;

typedef int (*loop_ready_fn)(void *owner);
/* Called after each round and whenever the shortest wait is over. Gives how long it may sleep at most, in ms. */
typedef int (*loop_tick_fn)(void *owner, int64_t now_ms, int64_t *ret_wait_ms);

/* An edge's 32 sources may have three connections, watches or listeners each. */
enum { LOOP_SOURCES_MAX = 160, LOOP_TICKS_MAX = 64 };

/* Blocks SIGTERM, SIGINT, SIGHUP (for good, children inherit it) and ignores SIGPIPE: call it before any thread starts. */
int loop_new(struct loop **ret_loop);
struct loop *loop_free(struct loop *loop);
int loop_add_socket(struct loop *loop, struct socket *socket, loop_ready_fn readable, void *owner);
/* Watches for what can be read; loop_set_fd_interest changes that. Errors and hang-ups call `ready` too. */
int loop_add_fd(struct loop *loop, int fd, loop_ready_fn ready, void *owner);
void loop_remove_socket(
	struct loop *loop, const struct socket *socket); /* also from within a handler */
void loop_remove_fd(struct loop *loop, int fd);
/* What an fd is watched for from now on; neither: it is paused, errors included. One handler for both: it tries. */
void loop_set_fd_interest(struct loop *loop, int fd, bool reads, bool writes);
/* Stops or starts reading a source, without removing it: back-pressure. */
void loop_pause_socket(struct loop *loop, const struct socket *socket, bool paused);
int loop_add_tick(struct loop *loop, loop_tick_fn tick, void *owner);
void loop_remove_tick(struct loop *loop, loop_tick_fn tick, const void *owner);
/* Every tick runs once more before the loop sleeps: for work that one of them leaves to another. */
void loop_wake(struct loop *loop);
/* SIGTERM or SIGINT call this instead of ending the loop at once; it drains, then loop_stop ends it. A second such
 * signal ends the loop at once: whoever asks twice will not wait. */
void loop_on_terminate(struct loop *loop, loop_ready_fn terminate, void *owner);
void loop_on_hangup(struct loop *loop, loop_ready_fn hangup, void *owner); /* SIGHUP */
/* Runs until loop_stop, a signal, or a handler's error. 0 or that negative errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* CLOCK_MONOTONIC in ms, read once a round. */
int64_t loop_now_ms(const struct loop *loop);
