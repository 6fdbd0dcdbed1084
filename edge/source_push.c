#include "edge/source_push.h"
#include "edge/desk.h"
#include "edge/endpoints.h"
#include "edge/rights.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include "runtime/security.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define SOCKET_NAME "push" /* in logs and metrics of keys */

enum {
	HELD_FRAMES_MAX = 1000,
	/* Frames held at once: what one round reads, and one frame more. */
	HELD_SIZE_MAX = 4 * TRANSPORT_FRAME_SIZE_MAX,
	HELD_SIZE_ENOUGH = 2 * TRANSPORT_FRAME_SIZE_MAX,
};

enum { PUSH_E_LIMITED = 2 /* beside PORT_E_FULL: its sender has had its share */ };

enum held_state { HELD_WAITING, HELD_IN_DRAFT, HELD_DONE };

struct held {
	enum held_state state;
	struct peer_name peer;
	bool is_charged; /* to its sender */
	size_t offset; /* header, then events */
	size_t header_size;
	size_t events_size;
};

struct source_push {
	struct port *port; /* borrowed */
	struct loop *loop;
	struct security *security; /* borrowed; NULL: producers need no keys */
	struct peer_limits *limits;
	struct metric *received, *delayed;
	struct socket *socket;
	struct message message;
	struct endpoints endpoints;
	struct held held[HELD_FRAMES_MAX];
	size_t held_count;
	size_t done_count;
	int64_t limit_wait_ms; /* for the last of them, 0: not for the sake of limits */
	struct buffer bytes; /* of the held frames */
	bool closed;
};

/* ---- limits: a PULL can't take one peer's frames and leave another's. The frame that is too much waits here, and all others in
 * the socket, which hands out one of each connection in turn: so whoever sends less than the share is served as often as
 * the one that sends more. */

static int charge_frame(struct source_push *source, struct held *held)
{
	int64_t size = (int64_t)(held->header_size + held->events_size);
	const int64_t costs[PEER_RATES_MAX] = {[PRODUCER_FRAMES] = 1, [PRODUCER_BYTES] = size};

	int64_t wait_ms = held->is_charged ? 0
					   : peer_limits_take(source->limits, &held->peer, costs,
						     loop_now_ms(source->loop));
	held->is_charged = wait_ms == 0;
	source->limit_wait_ms = wait_ms;
	return wait_ms == 0 ? 0 : PUSH_E_LIMITED;
}

static void charge_events(
	struct source_push *source, const struct held *held, const struct submission_result *result)
{
	int64_t events = (int64_t)result->accepted + result->invalid + result->repeated_events;

	peer_limits_spend(
		source->limits, &held->peer, PRODUCER_EVENTS, events, loop_now_ms(source->loop));
}

/* ---- handing in */

static void acknowledge(void *owner, uint64_t ticket, const struct submission_result *result)
{
	struct source_push *source = owner;
	struct held *held = &source->held[ticket];

	assert(held->state == HELD_IN_DRAFT);
	if (result->outcome == SUBMISSION_NOT_KEPT) {
		held->state = HELD_WAITING;
		return;
	}
	charge_events(source, held, result);
	if (result->refusal == REASON_FORBIDDEN) {
		security_forbidden(source->security, SOCKET_NAME, peer_name_key(&held->peer),
			result->missing_right);
	}
	held->state = HELD_DONE;
	if (++source->done_count == source->held_count) {
		source->held_count = 0;
		source->done_count = 0;
		buffer_clear(&source->bytes);
	}
}

/* 0, PORT_E_FULL, PUSH_E_LIMITED or -errno. */
static int submit(struct source_push *source, size_t index, int64_t wall_ms)
{
	struct held *held = &source->held[index];
	const uint8_t *at = source->bytes.bytes + held->offset;
	struct submission submission = {
		.header = slice_of(at, held->header_size),
		.events = slice_of(at + held->header_size, held->events_size),
		.sender = rights_of(security_keyring(source->security), peer_name_key(&held->peer)),
		.unattended = true,
		.ticket = index,
	};

	int r = charge_frame(source, held);
	if (r == 0) {
		r = port_takes_more(source->port) ? port_submit(source->port, &submission, wall_ms)
						  : PORT_E_FULL;
	}
	if (r == 0) {
		held->state = HELD_IN_DRAFT;
	}
	return r;
}

/* In the order of their coming: the first that finds no room ends it. */
static int submit_waiting(struct source_push *source, int64_t wall_ms, bool *ret_any_waits)
{
	*ret_any_waits = false;
	for (size_t i = 0; i < source->held_count; i++) {
		if (source->held[i].state != HELD_WAITING) {
			continue;
		}
		int r = submit(source, i, wall_ms);
		if (r != 0) {
			*ret_any_waits = true;
			return r < 0 ? r : 0;
		}
	}
	return 0;
}

static int poll_push(void *owner, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms)
{
	struct source_push *source = owner;
	bool any_waits = false;
	(void)now_ms;

	source->limit_wait_ms = 0;
	int r = submit_waiting(source, wall_ms, &any_waits);
	if (source->limit_wait_ms >
		0) { /* else it waits for the desk, which says itself when it is due */
		*ret_wait_ms = source->limit_wait_ms;
	}
	loop_pause_socket(source->loop, source->socket, any_waits || source->closed);
	return r;
}

/* What is held is still brought in. */
static void stop_push(void *owner)
{
	struct source_push *source = owner;

	source->closed = true;
	loop_pause_socket(source->loop, source->socket, true);
}

static int hold(struct source_push *source, size_t *ret_index)
{
	const struct message *message = &source->message;
	const struct iovec *events = &message->frames[message->frame_count - 1];
	struct held held = {.peer = peer_name_of_pulled(message),
		.offset = source->bytes.size,
		.events_size = events->iov_len};

	if (message->frame_count == 2) {
		held.header_size = message->frames[0].iov_len;
		buffer_append(&source->bytes, message->frames[0].iov_base, held.header_size);
	}
	buffer_append(&source->bytes, events->iov_base, events->iov_len);
	if (source->bytes.error != 0) {
		return source->bytes.error;
	}
	source->held[source->held_count] = held;
	*ret_index = source->held_count++;
	return 0;
}

static int take_message(struct source_push *source)
{
	size_t index;

	metric_add(source->received, 1);
	if (source->message.frame_count > 2) {
		return port_refuse(source->port, NULL);
	}
	int r = hold(source, &index);
	if (r == 0) {
		r = submit(source, index, clock_wall_ms());
	}
	if (r == PUSH_E_LIMITED) {
		metric_add(source->delayed, 1);
	}
	if (r > 0) { /* the tick tries again */
		loop_pause_socket(source->loop, source->socket, true);
	}
	return r;
}

static bool holds_enough(const struct source_push *source)
{
	return source->held_count == HELD_FRAMES_MAX || source->bytes.size >= HELD_SIZE_ENOUGH;
}

static int on_readable(void *owner)
{
	struct source_push *source = owner;

	for (int i = 0;
		i < DESK_ROUND_FRAMES && !holds_enough(source) && port_takes_more(source->port);
		i++) {
		int r = socket_receive(source->socket, &source->message);
		if (r == 0) {
			r = take_message(source);
		} else if (r == SOCKET_E_TOO_MANY_FRAMES) {
			r = port_refuse(source->port, NULL);
		}
		if (r != 0) { /* nothing more to read, no room, or an error */
			return r < 0 ? r : 0;
		}
	}
	return 0;
}

static void *close_push(void *owner)
{
	struct source_push *source = owner;

	if (source == NULL) {
		return NULL;
	}
	if (source->socket != NULL) {
		loop_remove_socket(source->loop, source->socket);
	}
	message_clear(&source->message);
	socket_free(source->socket);
	peer_limits_free(source->limits);
	buffer_deinit(&source->bytes);
	free(source);
	return NULL;
}

static int open_push(
	const struct source_options *options, void **ret_source, struct source_error *error)
{
	const struct source_push_config *config = options->config;
	struct socket_options socket = {.frame_size_max = TRANSPORT_FRAME_SIZE_MAX};
	struct source_push *source = calloc(1, sizeof *source);
	if (source == NULL) {
		return -ENOMEM;
	}
	source->port = options->port;
	source->loop = options->loop;
	source->security = options->security;
	source->received = metrics_add(options->metrics, METRIC_COUNTER,
		"till_edge_received_by_push_total", "", "frames read from listen_push");
	source->delayed =
		metrics_add(options->metrics, METRIC_COUNTER, "till_edge_push_delayed_total", "",
			"frames of listen_push that waited since their sender had its share");
	buffer_init(&source->bytes, HELD_SIZE_MAX);
	security_guard(options->security, SOCKET_NAME, &socket);
	int r = socket_new(options->context, SOCKET_PULL, &socket, &source->socket);
	if (r == 0) {
		r = peer_limits_new(&config->allowance, &source->limits);
	}
	if (r == 0) {
		r = endpoints_bind(&source->endpoints, source->socket, config->listen, error);
	}
	if (r == 0) {
		r = loop_add_socket(options->loop, source->socket, on_readable, source);
	}
	if (r < 0) {
		close_push(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

static const char *const *push_endpoints(const void *owner)
{
	const struct source_push *source = owner;

	return source->endpoints.names;
}

const struct source_type source_push_type = {
	.name = "push",
	.open = open_push,
	.poll = poll_push,
	.acknowledge = acknowledge,
	.stop = stop_push,
	.close = close_push,
	.endpoints = push_endpoints,
};
