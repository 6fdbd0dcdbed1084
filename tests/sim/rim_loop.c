/* The rim of a simulated process: the loop, and what else a program asks of its surroundings. loop_run makes one round:
 * every handler once, then every tick; when the next one is due is the world's to say. */
#include "tests/sim/rim_loop.h"
#include "runtime/loop.h"
#include "runtime/program.h"
#include "tests/sim/world.h"
#include <errno.h>
#include <stdlib.h>

enum { HANDLERS_MAX = 16 };

enum { NO_FD = -1 };

struct handler {
	loop_ready_fn ready; /* neither this nor a tick: it was removed */
	loop_tick_fn tick;
	void *owner;
	const struct socket *socket;
	int fd;
};

struct loop {
	struct handler handlers[HANDLERS_MAX];
	size_t count;
	struct handler terminate;
	bool is_stopped;
};

static struct loop *newest;

struct loop *rim_loop_newest(void)
{
	return newest;
}

int loop_new(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof *loop);
	if (loop == NULL) {
		return -ENOMEM;
	}
	*ret_loop = newest = loop;
	return 0;
}

struct loop *loop_free(struct loop *loop)
{
	free(loop);
	return NULL;
}

static bool is_removed(const struct handler *handler)
{
	return handler->ready == NULL && handler->tick == NULL;
}

static int add(struct loop *loop, struct handler handler)
{
	for (size_t i = 0; i < HANDLERS_MAX; i++) {
		if (i == loop->count || is_removed(&loop->handlers[i])) {
			loop->handlers[i] = handler;
			loop->count += i == loop->count;
			return 0;
		}
	}
	return -ENOSPC;
}

int loop_add_socket(struct loop *loop, struct socket *socket, loop_ready_fn readable, void *owner)
{
	return add(loop,
		(struct handler){.ready = readable, .owner = owner, .socket = socket, .fd = NO_FD});
}

int loop_add_fd(struct loop *loop, int fd, loop_ready_fn ready, void *owner)
{
	return add(loop, (struct handler){.ready = ready, .owner = owner, .fd = fd});
}

void loop_remove_socket(struct loop *loop, const struct socket *socket)
{
	for (size_t i = 0; i < loop->count; i++) {
		if (loop->handlers[i].socket == socket) {
			loop->handlers[i] = (struct handler){.fd = NO_FD};
		}
	}
}

void loop_remove_fd(struct loop *loop, int fd)
{
	for (size_t i = 0; i < loop->count; i++) {
		if (fd != NO_FD && loop->handlers[i].fd == fd) {
			loop->handlers[i] = (struct handler){.fd = NO_FD};
		}
	}
}

int loop_add_tick(struct loop *loop, loop_tick_fn tick, void *owner)
{
	return add(loop, (struct handler){.tick = tick, .owner = owner, .fd = NO_FD});
}

void loop_on_terminate(struct loop *loop, loop_ready_fn terminate, void *owner)
{
	loop->terminate = (struct handler){.ready = terminate, .owner = owner};
}

/* Linked by what has keys, which no simulated part has. */
void loop_remove_tick(struct loop *loop, loop_tick_fn tick, const void *owner)
{
	(void)loop, (void)tick, (void)owner;
}

/* Every round runs every tick. */
void loop_wake(struct loop *loop)
{
	(void)loop;
}

void loop_on_hangup(struct loop *loop, loop_ready_fn hangup, void *owner)
{
	(void)loop, (void)hangup, (void)owner;
}

int rim_loop_terminate(struct loop *loop)
{
	return loop->terminate.ready(loop->terminate.owner);
}

bool rim_loop_is_stopped(const struct loop *loop)
{
	return loop->is_stopped;
}

int64_t loop_now_ms(const struct loop *loop)
{
	(void)loop;
	return world.now_ms;
}

int loop_run(struct loop *loop)
{
	int64_t wait_ms = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && !loop->is_stopped && i < loop->count; i++) {
		const struct handler *handler = &loop->handlers[i];
		if (is_removed(handler)) {
			continue;
		}
		r = handler->tick != NULL ? handler->tick(handler->owner, world.now_ms, &wait_ms)
					  : handler->ready(handler->owner);
	}
	return r;
}

void loop_stop(struct loop *loop)
{
	loop->is_stopped = true;
}

int program_ready(
	struct program *program, const char *name, const struct program_endpoints *endpoints)
{
	(void)program, (void)name, (void)endpoints;
	return 0;
}

void program_stopping(void)
{
}

int program_attach(struct loop *loop)
{
	(void)loop;
	return 0;
}
