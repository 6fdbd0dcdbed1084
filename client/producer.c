#include "client/producer.h"

#include "client/connection.h"
#include "proto/limits.h"
#include "runtime/clock.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { RESEND_AFTER_MS_DEFAULT = 5000 };
/* Nodes of a reply: a few dozen, and at most six for each error listed. */
enum { REPLY_NODES_MAX = 64 + REPLY_ERRORS_MAX * 16, REPLY_DEPTH_MAX = 6 };

struct producer {
	struct producer_options options; /* id points to our own copy */
	char id[PRODUCER_ID_SIZE_MAX + 1];
	struct connection *connection;
	struct window *window;
	struct document document;
	struct buffer header; /* of the frame on its way out */
	struct producer_counts counts;
	bool was_up;
	int64_t now_ms; /* of the last step: replies come within the same round */
	int64_t alive_ms; /* last answer, or when there was last nothing to wait for */
	struct reply_error errors[REPLY_ERRORS_MAX];
};

static int on_received(void *owner, const struct message *message);

static void on_lost(void *owner)
{
	struct producer *producer = owner;

	window_lost(producer->window);
}

int producer_new(const struct producer_options *options, struct producer **ret_producer)
{
	uint32_t lanes = options->lanes == 0 ? 1 : options->lanes;
	size_t id_size_max = lanes == 1 ? PRODUCER_ID_SIZE_MAX : PRODUCER_ID_SIZE_MAX - 3;

	if (options->id == NULL || options->id[0] == '\0' || strlen(options->id) > id_size_max) {
		return -EINVAL;
	}
	struct producer *producer = calloc(1, sizeof *producer);
	if (producer == NULL) {
		return -ENOMEM;
	}
	producer->options = *options;
	memcpy(producer->id, options->id, strlen(options->id) + 1);
	producer->options.id = producer->id;
	if (producer->options.resend_after_ms == 0) {
		producer->options.resend_after_ms = RESEND_AFTER_MS_DEFAULT;
	}
	producer->now_ms = clock_monotonic_ms();
	producer->alive_ms = producer->now_ms;
	buffer_init(&producer->header, HEADER_SIZE_MAX);
	struct connection_options connection = {.context = options->context,
		.loop = options->loop,
		.endpoint = options->endpoint,
		.keys = options->keys,
		.received = on_received,
		.lost = on_lost,
		.owner = producer};
	int r = document_init(&producer->document, REPLY_NODES_MAX);
	if (r == 0) {
		r = window_new(lanes, &producer->window);
	}
	if (r == 0) {
		r = connection_new(&connection, &producer->connection);
	}
	if (r != 0) {
		producer_free(producer);
		return r;
	}
	*ret_producer = producer;
	return 0;
}

struct producer *producer_free(struct producer *producer)
{
	if (producer == NULL) {
		return NULL;
	}
	connection_free(producer->connection);
	window_free(producer->window);
	document_deinit(&producer->document);
	buffer_deinit(&producer->header);
	free(producer);
	return NULL;
}

int producer_send(struct producer *producer, struct slice events, uint64_t n, uint64_t tag)
{
	if (events.size > FRAME_SIZE_MAX) {
		return -EMSGSIZE;
	}
	if (n != 0 && producer->options.lanes > 1) {
		return -EINVAL;
	}
	int r = window_put(producer->window, events, n, tag);
	return r == WINDOW_E_FULL ? PRODUCER_E_FULL : r;
}

static void settle_waiting(struct producer *producer, const struct reply *reply)
{
	producer->counts.waited++;
	snprintf(producer->counts.waiting_for, sizeof producer->counts.waiting_for, "%s",
		reply->refusal.message);
}

static int on_received(void *owner, const struct message *message)
{
	struct producer *producer = owner;
	struct window_frame frame;
	struct complaint complaint;
	struct reply reply;
	int r = WINDOW_E_STRAY;

	if (message->frame_count == 1) {
		struct slice bytes =
			slice_of(message->frames[0].iov_base, message->frames[0].iov_len);
		r = reply_decode(&producer->document, bytes, producer->errors, &reply, &complaint);
		r = r == 0 ? window_reply(producer->window, &reply, producer->now_ms, &frame)
			   : (r < 0 ? r : WINDOW_E_STRAY);
	}
	if (r == WINDOW_E_STRAY) {
		producer->counts.stray++;
		connection_drop(producer->connection);
		return 0;
	}
	if (r < 0) {
		return r;
	}
	producer->alive_ms = producer->now_ms;
	if (r == WINDOW_E_WAITING) {
		settle_waiting(producer, &reply);
		return 0;
	}
	producer->counts.waiting_for[0] = '\0';
	struct producer_result result = {.tag = frame.tag,
		.n = frame.n,
		.attempts = frame.attempts,
		.ack_ms = producer->now_ms - frame.first_sent_ms,
		.reply = &reply};
	return producer->options.settled(producer->options.owner, &result);
}

static int send_frame(struct producer *producer, const struct window_frame *frame)
{
	char id[PRODUCER_ID_SIZE_MAX + 8];
	enum encoding encoding = encoding_of(frame->events);

	if (producer->options.lanes > 1) {
		snprintf(id, sizeof id, "%s/%u", producer->options.id, (unsigned)frame->lane);
	} else {
		snprintf(id, sizeof id, "%s", producer->options.id);
	}
	struct producer_header header = {.producer = slice_of_text(id), .n = frame->n};
	buffer_clear(&producer->header);
	producer_header_encode(&header, encoding, &producer->header);
	if (producer->header.error != 0) {
		return producer->header.error;
	}
	struct iovec frames[2] = {{producer->header.bytes, producer->header.size},
		{(void *)(uintptr_t)frame->events.bytes, frame->events.size}};
	int r = connection_send(producer->connection, frames, 2);
	if (r == 0) {
		producer->counts.sent++;
		producer->counts.resent += frame->attempts > 0;
		window_sent(producer->window, frame->lane, producer->now_ms);
	}
	return r;
}

static int send_due(struct producer *producer)
{
	struct window_frame frame;
	int r = 0;

	while (r == 0 && window_next(producer->window, producer->now_ms, &frame)) {
		r = send_frame(producer, &frame);
	}
	return r < 0 ? r : 0; /* CONNECTION_E_AWAY: the frame stays due */
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* How long until the next thing to do, given what is in the air and what waits. */
static int64_t next_wait_ms(const struct producer *producer, int64_t connection_wait_ms)
{
	int64_t wait_ms = connection_wait_ms;
	int64_t silent_since_ms = window_silent_since_ms(producer->window);
	int64_t due_ms = window_due_ms(producer->window);

	if (silent_since_ms >= 0) {
		wait_ms = earlier(wait_ms,
			silent_since_ms + producer->options.resend_after_ms - producer->now_ms);
	}
	if (due_ms > producer->now_ms && due_ms != INT64_MAX) {
		wait_ms = earlier(wait_ms, due_ms - producer->now_ms);
	}
	return wait_ms < 0 ? 0 : wait_ms;
}

int producer_step(struct producer *producer, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t wait_ms = 0;
	int64_t silent_since_ms = window_silent_since_ms(producer->window);

	producer->now_ms = now_ms;
	if (silent_since_ms >= 0 && now_ms - silent_since_ms >= producer->options.resend_after_ms) {
		connection_drop(producer->connection);
	}
	int r = connection_step(producer->connection, now_ms, &wait_ms);
	if (r != 0) {
		return r;
	}
	bool up = connection_is_up(producer->connection);
	producer->counts.connections += up && !producer->was_up;
	producer->was_up = up;
	r = send_due(producer);
	if (r != 0) {
		return r;
	}
	if (window_count(producer->window) == 0) {
		producer->alive_ms = now_ms;
	}
	*ret_wait_ms = next_wait_ms(producer, wait_ms);
	if (producer->options.timeout_ms > 0) {
		int64_t left_ms = producer->alive_ms + producer->options.timeout_ms - now_ms;
		*ret_wait_ms = earlier(*ret_wait_ms, left_ms < 0 ? 0 : left_ms);
		return left_ms <= 0 ? PRODUCER_E_TIMEOUT : 0;
	}
	return 0;
}

uint32_t producer_in_flight(const struct producer *producer)
{
	return window_count(producer->window);
}

bool producer_is_full(const struct producer *producer)
{
	return window_is_full(producer->window);
}

bool producer_is_connected(const struct producer *producer)
{
	return connection_is_up(producer->connection);
}

enum client_refusal producer_refusal(const struct producer *producer)
{
	return connection_refusal(producer->connection);
}

const struct producer_counts *producer_counts(const struct producer *producer)
{
	return &producer->counts;
}
