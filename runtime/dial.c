#include "runtime/dial.h"
#include "runtime/loop.h"
#include "runtime/resolve.h"
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* A peer that is gone without a word is noticed by the kernel after 30 + 3 × 10 s, whatever the protocol does. */
	KEEPALIVE_IDLE_S = 30,
	KEEPALIVE_INTERVAL_S = 10,
	KEEPALIVE_PROBES = 3,
	USER_TIMEOUT_MS = 60000, /* the same while something is written that nobody acknowledges */
	ERROR_SIZE = 320,
	ADDRESS_SIZE = 64,
};

struct dial {
	struct dial_options options;
	enum dial_state state;
	struct resolve *resolve;
	const struct addrinfo *addresses; /* the resolve's: those that are not yet tried */
	int fd; /* the present attempt's, -1 without */
	int64_t until_ms; /* all of it */
	int64_t attempt_until_ms;
	char address[ADDRESS_SIZE]; /* of the present attempt */
	char error[ERROR_SIZE];
};

static int on_resolved(void *owner);
static int on_connected(void *owner);

/* ---- one address */

static void set_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
		{IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
		{IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS},
	};

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			sizeof options[i].value);
	}
}

static void name_address(struct dial *dial, const struct addrinfo *info)
{
	char host[ADDRESS_SIZE - 10] = "?", port[8] = "?";

	(void)getnameinfo(info->ai_addr, info->ai_addrlen, host, sizeof host, port, sizeof port,
		NI_NUMERICHOST | NI_NUMERICSERV);
	bool brackets = strchr(host, ':') != NULL;
	snprintf(dial->address, sizeof dial->address, "%s%s%s:%s", brackets ? "[" : "", host,
		brackets ? "]" : "", port);
}

static void forget_attempt(struct dial *dial)
{
	if (dial->fd >= 0) {
		loop_remove_fd(dial->options.loop, dial->fd);
		close(dial->fd);
		dial->fd = -1;
	}
}

static void note_failure(struct dial *dial, const char *words)
{
	snprintf(dial->error, sizeof dial->error, "can't connect to %s: %s", dial->address, words);
	forget_attempt(dial);
}

/* Starts to connect: on_connected hears how it went. 0 or -errno. */
static int open_attempt(struct dial *dial, const struct addrinfo *info)
{
	dial->fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (dial->fd < 0) {
		return -errno;
	}
	set_options(dial->fd);
	if (connect(dial->fd, info->ai_addr, info->ai_addrlen) == 0 || errno == EINPROGRESS ||
		errno == EINTR) {
		return 0;
	}
	return -errno;
}

static int64_t count_addresses(const struct addrinfo *info)
{
	int64_t count = 0;

	for (; info != NULL; info = info->ai_next) {
		count++;
	}
	return count;
}

/* Goes on to the next address that can be tried. 0, or a negative errno of the loop. */
static int try_next(struct dial *dial, int64_t now_ms)
{
	while (dial->addresses != NULL) {
		const struct addrinfo *info = dial->addresses;
		dial->attempt_until_ms = now_ms + (dial->until_ms - now_ms) / count_addresses(info);
		dial->addresses = info->ai_next;
		name_address(dial, info);
		int r = open_attempt(dial, info);
		if (r < 0) {
			note_failure(dial, strerror(-r));
			continue;
		}
		r = loop_add_fd(dial->options.loop, dial->fd, on_connected, dial);
		loop_set_fd_interest(dial->options.loop, dial->fd, false, true);
		return r;
	}
	dial->state = DIAL_FAILED;
	return 0;
}

/* ---- what the loop tells */

static int on_connected(void *owner)
{
	struct dial *dial = owner;
	int error = 0;
	socklen_t size = sizeof error;

	if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
		error = errno;
	}
	if (error == EINPROGRESS) {
		return 0;
	}
	if (error != 0) {
		note_failure(dial, strerror(error));
		int r = try_next(dial, loop_now_ms(dial->options.loop));
		return r < 0 || dial->state == DIAL_TRYING
			       ? r
			       : dial->options.ready(dial->options.owner);
	}
	loop_remove_fd(dial->options.loop, dial->fd);
	dial->state = DIAL_CONNECTED;
	return dial->options.ready(dial->options.owner);
}

static int on_resolved(void *owner)
{
	struct dial *dial = owner;
	int r = resolve_result(dial->resolve, &dial->addresses);

	if (r == RESOLVE_E_AGAIN) {
		return 0;
	}
	loop_remove_fd(dial->options.loop, resolve_fd(dial->resolve));
	if (r == RESOLVE_E_FAILED) {
		snprintf(dial->error, sizeof dial->error, "can't look up %.200s: %s",
			dial->options.host, resolve_error(dial->resolve));
		dial->state = DIAL_FAILED;
	} else {
		r = try_next(dial, loop_now_ms(dial->options.loop));
	}
	return r < 0 || dial->state == DIAL_TRYING ? r : dial->options.ready(dial->options.owner);
}

/* ---- outside */

int dial_new(const struct dial_options *options, int64_t now_ms, struct dial **ret_dial)
{
	struct dial *dial = calloc(1, sizeof *dial);
	if (dial == NULL) {
		return -ENOMEM;
	}
	dial->options = *options;
	dial->fd = -1;
	dial->until_ms = now_ms + options->timeout_ms;
	dial->attempt_until_ms = dial->until_ms;
	int r = resolve_new(options->host, options->port, &dial->resolve);
	if (r == 0) {
		r = loop_add_fd(options->loop, resolve_fd(dial->resolve), on_resolved, dial);
	}
	if (r < 0) {
		dial_free(dial);
		return r;
	}
	*ret_dial = dial;
	return 0;
}

struct dial *dial_free(struct dial *dial)
{
	if (dial == NULL) {
		return NULL;
	}
	forget_attempt(dial);
	if (dial->resolve != NULL) {
		loop_remove_fd(dial->options.loop, resolve_fd(dial->resolve));
	}
	resolve_free(dial->resolve);
	free(dial);
	return NULL;
}

enum dial_state dial_state(const struct dial *dial)
{
	return dial->state;
}

static void give_up_attempt(struct dial *dial)
{
	if (dial->fd >= 0) {
		note_failure(dial, "no answer in time");
		return;
	}
	loop_remove_fd(dial->options.loop, resolve_fd(dial->resolve));
	snprintf(dial->error, sizeof dial->error, "can't look up %.200s: no answer in time",
		dial->options.host);
}

int dial_poll(struct dial *dial, int64_t now_ms, int64_t *ret_wait_ms)
{
	if (dial->state == DIAL_TRYING && now_ms >= dial->attempt_until_ms) {
		give_up_attempt(dial);
		int r = try_next(dial, now_ms);
		if (r < 0) {
			return r;
		}
	}
	*ret_wait_ms = dial->state == DIAL_TRYING ? dial->attempt_until_ms - now_ms : 0;
	return 0;
}

int dial_take_fd(struct dial *dial)
{
	assert(dial->state == DIAL_CONNECTED && dial->fd >= 0);
	int fd = dial->fd;
	dial->fd = -1;
	return fd;
}

const char *dial_error(const struct dial *dial)
{
	return dial->error;
}
