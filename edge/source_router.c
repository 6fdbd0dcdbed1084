#include "edge/source_router.h"
#include "edge/desk.h"
#include "edge/endpoints.h"
#include "edge/rights.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include "runtime/security.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SOCKET_NAME "producers" /* in logs and metrics of keys */

enum {
	/* A round's replies to one client that pipelines must all fit, whether it reads already or not. */
	QUEUE_MESSAGES = DESK_ROUND_FRAMES + 1000,
	/* A routing id has 5 bytes, a correlation id 4; what proxies add stays far below this. */
	ENVELOPE_SIZE_MAX = 4096,
};

/* The frames before the header: routing id, whatever a client put before its empty frame, the empty frame. */
struct envelope {
	size_t offset; /* in envelope_bytes, one frame after the other */
	size_t frame_count;
	uint32_t sizes[SOCKET_FRAMES_MAX];
	struct peer_name peer;
};

struct source_router {
	struct port *port; /* borrowed */
	struct loop *loop;
	struct security *security; /* borrowed; NULL: producers need no keys */
	struct peer_limits *limits;
	struct metric *replies_dropped;
	struct socket *socket;
	struct message message;
	struct endpoints endpoints;
	struct envelope envelopes[DESK_ROUND_FRAMES]; /* of this round's submissions */
	size_t envelope_count;
	size_t open_count; /* of them, not yet answered */
	struct buffer envelope_bytes;
};

/* ---- limits */

static int64_t charge_frame(
	struct source_router *source, const struct envelope *envelope, size_t bytes)
{
	const int64_t costs[PEER_RATES_MAX] = {
		[PRODUCER_FRAMES] = 1, [PRODUCER_BYTES] = (int64_t)bytes};
	return peer_limits_take(source->limits, &envelope->peer, costs, loop_now_ms(source->loop));
}

/* How many events there were is known when they have been read. */
static void charge_events(struct source_router *source, const struct envelope *envelope,
	const struct submission_result *result)
{
	int64_t events = (int64_t)result->accepted + result->invalid + result->repeated_events;
	peer_limits_spend(source->limits, &envelope->peer, PRODUCER_EVENTS, events,
		loop_now_ms(source->loop));
}

/* ---- answering */

static void acknowledge(void *owner, uint64_t ticket, const struct submission_result *result)
{
	struct source_router *source = owner;
	const struct envelope *envelope = &source->envelopes[ticket];
	struct iovec frames[SOCKET_FRAMES_MAX + 1];
	uint8_t *at = source->envelope_bytes.bytes + envelope->offset;

	charge_events(source, envelope, result);
	if (result->refusal == REASON_FORBIDDEN) {
		security_forbidden(source->security, SOCKET_NAME, peer_name_key(&envelope->peer),
			result->missing_right);
	}
	for (size_t i = 0; i < envelope->frame_count; i++) {
		frames[i] = (struct iovec){at, envelope->sizes[i]};
		at += envelope->sizes[i];
	}
	frames[envelope->frame_count] =
		(struct iovec){(void *)(uintptr_t)result->reply.bytes, result->reply.size};
	if (socket_send(source->socket, frames, envelope->frame_count + 1) != 0) {
		metric_add(source->replies_dropped, 1);
	}
	if (--source->open_count == 0) {
		source->envelope_count = 0;
		buffer_clear(&source->envelope_bytes);
	}
}

/* ---- reading */

/* The index of the first frame after the envelope. An empty frame ends it, but the last frame is never part of it. */
static size_t envelope_size(const struct message *message)
{
	for (size_t i = message->frame_count - 1; i > 1; i--) {
		if (message->frames[i - 1].iov_len == 0) {
			return i;
		}
	}
	return 1;
}

static bool is_too_long(const struct message *message, size_t frame_count)
{
	size_t size = 0;

	for (size_t i = 0; i < frame_count; i++) {
		size += message->frames[i].iov_len;
	}
	return size > ENVELOPE_SIZE_MAX;
}

static int keep_envelope(struct source_router *source, size_t frame_count)
{
	struct envelope *envelope = &source->envelopes[source->envelope_count];

	envelope->offset = source->envelope_bytes.size;
	envelope->frame_count = frame_count;
	envelope->peer = peer_name_of(&source->message);
	for (size_t i = 0; i < frame_count; i++) {
		const struct iovec *frame = &source->message.frames[i];
		envelope->sizes[i] = (uint32_t)frame->iov_len;
		buffer_append(&source->envelope_bytes, frame->iov_base, frame->iov_len);
	}
	return source->envelope_bytes.error;
}

static struct slice slice_of_frame(const struct iovec *frame)
{
	return slice_of(frame->iov_base, frame->iov_len);
}

static int take_message(struct source_router *source)
{
	const struct message *message = &source->message;
	size_t first = message->frame_count > 1 ? envelope_size(message) : 1;
	size_t body = message->frame_count - first;
	struct submission submission = {0};

	if (is_too_long(message, first)) {
		return port_refuse(source->port, NULL);
	}
	int r = keep_envelope(source, first);
	if (r < 0) {
		return r;
	}
	submission.ticket = source->envelope_count++;
	source->open_count++;
	submission.reply = SUBMISSION_REPLY_MSGPACK;
	if (body != 1 && body != 2) {
		return port_refuse(source->port, &submission);
	}
	submission.events = slice_of_frame(&message->frames[message->frame_count - 1]);
	if (encoding_of(submission.events) == ENCODING_JSON) {
		submission.reply = SUBMISSION_REPLY_JSON;
	}
	if (charge_frame(source, &source->envelopes[submission.ticket], submission.events.size) >
		0) {
		return port_refuse_busy(source->port, &submission);
	}
	if (body == 2) {
		submission.header = slice_of_frame(&message->frames[first]);
	}
	submission.sender = rights_of(security_keyring(source->security), message->user_id);
	return port_submit(source->port, &submission, clock_wall_ms());
}

static int on_readable(void *owner)
{
	struct source_router *source = owner;

	/* Some messages leave no trace in the round (too many frames): they are counted too. */
	for (int i = 0; i < DESK_ROUND_FRAMES && port_takes_more(source->port); i++) {
		int r = socket_receive(source->socket, &source->message);
		if (r == SOCKET_E_AGAIN) {
			return 0;
		}
		if (r == 0) {
			r = take_message(source);
		} else if (r == SOCKET_E_TOO_MANY_FRAMES) {
			r = port_refuse(source->port, NULL);
		}
		if (r < 0) {
			return r;
		}
	}
	return 0; /* the rest waits in libzmq until the next round */
}

/* ---- making */

static void *close_router(void *owner)
{
	struct source_router *source = owner;

	if (source == NULL) {
		return NULL;
	}
	if (source->socket != NULL) {
		loop_remove_socket(source->loop, source->socket);
	}
	message_clear(&source->message);
	socket_free(source->socket);
	peer_limits_free(source->limits);
	buffer_deinit(&source->envelope_bytes);
	free(source);
	return NULL;
}

static int open_router(
	const struct source_options *options, void **ret_source, struct source_error *error)
{
	const struct source_router_config *config = options->config;
	struct socket_options socket = {
		.send_queue_messages = QUEUE_MESSAGES,
		.frame_size_max = TRANSPORT_FRAME_SIZE_MAX,
	};
	struct source_router *source = calloc(1, sizeof *source);
	if (source == NULL) {
		return -ENOMEM;
	}
	source->port = options->port;
	source->loop = options->loop;
	source->security = options->security;
	source->replies_dropped =
		metrics_add(options->metrics, METRIC_COUNTER, "till_edge_replies_dropped_total", "",
			"replies to producers that were gone or did not read");
	buffer_init(&source->envelope_bytes, (size_t)DESK_ROUND_FRAMES * ENVELOPE_SIZE_MAX);
	security_guard(options->security, SOCKET_NAME, &socket);
	int r = socket_new(options->context, SOCKET_ROUTER, &socket, &source->socket);
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
		close_router(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

static const char *const *router_endpoints(const void *owner)
{
	const struct source_router *source = owner;

	return source->endpoints.names;
}

/* While the edge ends, frames are still answered: shutting_down. */
const struct source_type source_router_type = {
	.name = "zmq",
	.open = open_router,
	.acknowledge = acknowledge,
	.close = close_router,
	.endpoints = router_endpoints,
};
