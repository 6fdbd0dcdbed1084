/* One round: sleep in zmq_poll, read the clock, run the handlers of what is ready, run the ticks.
 * Handlers may add and remove sources at will: a source is known by slot and generation, so that one that was removed in
 * this round is not called any more, and one that took its slot is not called for the other's event. */
#include "runtime/loop.h"
#include "runtime/clock.h"
#include "runtime/socket_internal.h"
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

/* With nothing to do a process still wakes now and then: a lost wake-up heals itself. */
enum { WAIT_MS_MAX = 60000 };

struct source {
	bool used;
	unsigned generation;
	const struct socket *socket; /* NULL: an fd */
	int fd;
	short events; /* what is watched: ZMQ_POLLIN, ZMQ_POLLOUT; 0: paused */
	loop_ready_fn ready;
	void *owner;
};

struct tick {
	loop_tick_fn run; /* NULL: a free slot */
	void *owner;
};

struct handler {
	loop_ready_fn run;
	void *owner;
};

struct loop {
	struct source sources[LOOP_SOURCES_MAX];
	struct tick ticks[LOOP_TICKS_MAX];
	struct handler terminate;
	struct handler hangup;
	int signal_fd;
	int64_t now_ms;
	bool stopped;
	bool terminating;
	bool awake; /* the next round does not sleep */
};

/* What zmq_poll was asked, and whose answer it is. */
struct round {
	int count;
	zmq_pollitem_t items[LOOP_SOURCES_MAX];
	int slots[LOOP_SOURCES_MAX];
	unsigned generations[LOOP_SOURCES_MAX];
};

static int on_signal(void *owner);

static int open_signals(struct loop *loop)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	int r = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (r != 0) {
		return -r;
	}
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
		return -errno;
	}
	loop->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (loop->signal_fd < 0) {
		return -errno;
	}
	return loop_add_fd(loop, loop->signal_fd, on_signal, loop);
}

int loop_new(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof *loop);
	if (loop == NULL) {
		return -ENOMEM;
	}
	loop->signal_fd = -1;
	loop->now_ms = clock_monotonic_ms();
	int r = open_signals(loop);
	if (r < 0) {
		loop_free(loop);
		return r;
	}
	*ret_loop = loop;
	return 0;
}

/* The signals stay blocked: a second SIGTERM must not turn an orderly end into a death by signal. */
struct loop *loop_free(struct loop *loop)
{
	if (loop == NULL) {
		return NULL;
	}
	if (loop->signal_fd >= 0) {
		close(loop->signal_fd);
	}
	free(loop);
	return NULL;
}

static int add_source(struct loop *loop, const struct source *source)
{
	for (int i = 0; i < LOOP_SOURCES_MAX; i++) {
		struct source *slot = &loop->sources[i];
		if (!slot->used) {
			unsigned generation = slot->generation + 1;
			*slot = *source;
			slot->used = true;
			slot->generation = generation;
			return 0;
		}
	}
	return -ENOSPC;
}

static struct source *find_source(struct loop *loop, const struct socket *socket, int fd)
{
	for (int i = 0; i < LOOP_SOURCES_MAX; i++) {
		struct source *source = &loop->sources[i];
		if (source->used && source->socket == socket && source->fd == fd) {
			return source;
		}
	}
	return NULL;
}

int loop_add_socket(struct loop *loop, struct socket *socket, loop_ready_fn readable, void *owner)
{
	assert(socket != NULL);
	return add_source(loop, &(struct source){.socket = socket,
					.fd = -1,
					.events = ZMQ_POLLIN,
					.ready = readable,
					.owner = owner});
}

int loop_add_fd(struct loop *loop, int fd, loop_ready_fn ready, void *owner)
{
	assert(fd >= 0);
	return add_source(loop,
		&(struct source){.fd = fd, .events = ZMQ_POLLIN, .ready = ready, .owner = owner});
}

void loop_remove_socket(struct loop *loop, const struct socket *socket)
{
	struct source *source = socket == NULL ? NULL : find_source(loop, socket, -1);
	if (source != NULL) {
		source->used = false;
	}
}

void loop_remove_fd(struct loop *loop, int fd)
{
	struct source *source = fd < 0 ? NULL : find_source(loop, NULL, fd);
	if (source != NULL) {
		source->used = false;
	}
}

void loop_pause_socket(struct loop *loop, const struct socket *socket, bool paused)
{
	struct source *source = find_source(loop, socket, -1);
	if (source != NULL) {
		source->events = paused ? 0 : ZMQ_POLLIN;
	}
}

void loop_set_fd_interest(struct loop *loop, int fd, bool reads, bool writes)
{
	struct source *source = find_source(loop, NULL, fd);
	if (source != NULL) {
		source->events = (short)((reads ? ZMQ_POLLIN : 0) | (writes ? ZMQ_POLLOUT : 0));
	}
}

int loop_add_tick(struct loop *loop, loop_tick_fn tick, void *owner)
{
	for (int i = 0; i < LOOP_TICKS_MAX; i++) {
		if (loop->ticks[i].run == NULL) {
			loop->ticks[i] = (struct tick){tick, owner};
			return 0;
		}
	}
	return -ENOSPC;
}

void loop_remove_tick(struct loop *loop, loop_tick_fn tick, const void *owner)
{
	for (int i = 0; i < LOOP_TICKS_MAX; i++) {
		if (loop->ticks[i].run == tick && loop->ticks[i].owner == owner) {
			loop->ticks[i] = (struct tick){NULL, NULL};
			return;
		}
	}
}

void loop_wake(struct loop *loop)
{
	loop->awake = true;
}

void loop_on_terminate(struct loop *loop, loop_ready_fn terminate, void *owner)
{
	loop->terminate = (struct handler){terminate, owner};
}

void loop_on_hangup(struct loop *loop, loop_ready_fn hangup, void *owner)
{
	loop->hangup = (struct handler){hangup, owner};
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

int64_t loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

static int handle_signal(struct loop *loop, uint32_t number)
{
	if (number == SIGHUP) {
		return loop->hangup.run != NULL ? loop->hangup.run(loop->hangup.owner) : 0;
	}
	if (loop->terminate.run == NULL || loop->terminating) {
		loop_stop(loop);
		return 0;
	}
	loop->terminating = true;
	return loop->terminate.run(loop->terminate.owner);
}

static int on_signal(void *owner)
{
	struct loop *loop = owner;
	struct signalfd_siginfo info;

	ssize_t got = read(loop->signal_fd, &info, sizeof info);
	if (got != sizeof info) {
		return got < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
	}
	return handle_signal(loop, info.ssi_signo);
}

static void collect_items(const struct loop *loop, struct round *round)
{
	round->count = 0;
	for (int i = 0; i < LOOP_SOURCES_MAX; i++) {
		const struct source *source = &loop->sources[i];
		if (!source->used || source->events == 0) {
			continue;
		}
		void *handle = source->socket != NULL ? source->socket->handle : NULL;
		round->items[round->count] =
			(zmq_pollitem_t){handle, source->fd, source->events, 0};
		round->slots[round->count] = i;
		round->generations[round->count] = source->generation;
		round->count++;
	}
}

static int run_handlers(struct loop *loop, const struct round *round)
{
	for (int i = 0; i < round->count && !loop->stopped; i++) {
		const struct source *source = &loop->sources[round->slots[i]];
		bool same = source->used && source->generation == round->generations[i];
		/* An error or a hang-up that poll reports unasked is for any handler that still watches. */
		int wanted = source->events | ZMQ_POLLERR;
		if (!same || source->events == 0 || (round->items[i].revents & wanted) == 0) {
			continue;
		}
		int r = source->ready(source->owner);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int run_ticks(struct loop *loop, int64_t *ret_wait_ms)
{
	int64_t shortest_ms = WAIT_MS_MAX;

	loop->awake = false;
	for (int i = 0; i < LOOP_TICKS_MAX; i++) {
		if (loop->ticks[i].run == NULL) {
			continue;
		}
		int64_t wait_ms = WAIT_MS_MAX;
		int r = loop->ticks[i].run(loop->ticks[i].owner, loop->now_ms, &wait_ms);
		if (r < 0) {
			return r;
		}
		shortest_ms = wait_ms < shortest_ms ? wait_ms : shortest_ms;
	}
	*ret_wait_ms = shortest_ms > 0 && !loop->awake ? shortest_ms : 0;
	return 0;
}

static int run_round(struct loop *loop, int64_t wait_ms)
{
	struct round round;

	collect_items(loop, &round);
	int ready = zmq_poll(round.items, round.count, (long)wait_ms);
	loop->now_ms = clock_monotonic_ms();
	if (ready < 0) {
		return errno == EINTR ? 0 : -errno;
	}
	return ready > 0 ? run_handlers(loop, &round) : 0;
}

int loop_run(struct loop *loop)
{
	int r = 0;

	loop->now_ms = clock_monotonic_ms();
	while (r == 0 && !loop->stopped) {
		int64_t wait_ms = 0;
		r = run_ticks(loop, &wait_ms);
		if (r == 0 && !loop->stopped) {
			r = run_round(loop, wait_ms);
		}
	}
	loop->stopped = false;
	return r;
}
