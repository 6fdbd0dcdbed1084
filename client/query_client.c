#include "client/query_client.h"

#include "client/connection.h"
#include "proto/buffer.h"
#include "proto/limits.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include <errno.h>
#include <stdlib.h>

enum { TIMEOUT_MS_DEFAULT = 10000, RETRY_AFTER_MS_DEFAULT = 3000 };

enum question_state {
	QUESTION_NONE,
	QUESTION_TO_SEND,
	QUESTION_SENT,
	QUESTION_BUSY, /* refused for now; the next step says until when */
	QUESTION_WAITING, /* until again_ms */
	QUESTION_ENDED,
};

struct query_client {
	struct query_client_options options;
	struct connection *connection;
	enum question_state state;
	int result; /* once ended */
	struct buffer request; /* owned copy */
	uint64_t correlation; /* of the question; drawn anew for each */
	int64_t deadline_ms;
	int64_t sent_ms;
	int64_t again_ms;
	struct buffer answer; /* owned copy: the document borrows from it */
	struct document document;
	struct answer_view view; /* of both, once the result is 0 */
	bool ticking;
	bool asking;
};

static int on_received(void *owner, const struct message *message);

static void on_lost(void *owner)
{
	struct query_client *client = owner;

	if (client->state == QUESTION_SENT) {
		client->state = QUESTION_TO_SEND;
	}
}

int query_client_new(const struct query_client_options *options, struct query_client **ret_client)
{
	struct query_client *client = calloc(1, sizeof *client);
	if (client == NULL) {
		return -ENOMEM;
	}
	client->options = *options;
	if (client->options.timeout_ms == 0) {
		client->options.timeout_ms = TIMEOUT_MS_DEFAULT;
	}
	if (client->options.retry_after_ms == 0) {
		client->options.retry_after_ms = RETRY_AFTER_MS_DEFAULT;
	}
	buffer_init(&client->request, QUERY_SIZE_MAX);
	buffer_init(&client->answer, ANSWER_FRAME_SIZE_MAX);
	struct connection_options connection = {.context = options->context,
		.loop = options->loop,
		.endpoint = options->endpoint,
		.keys = options->keys,
		.frame_size_max = ANSWER_FRAME_SIZE_MAX,
		.received = on_received,
		.lost = on_lost,
		.owner = client};
	int r = document_init(&client->document, ANSWER_FRAME_SIZE_MAX);
	if (r == 0) {
		r = connection_new(&connection, &client->connection);
	}
	if (r != 0) {
		query_client_free(client);
		return r;
	}
	*ret_client = client;
	return 0;
}

struct query_client *query_client_free(struct query_client *client)
{
	if (client == NULL) {
		return NULL;
	}
	connection_free(client->connection);
	buffer_deinit(&client->request);
	buffer_deinit(&client->answer);
	document_deinit(&client->document);
	free(client);
	return NULL;
}

static void end(struct query_client *client, int result)
{
	client->state = QUESTION_ENDED;
	client->result = result;
	if (client->asking) {
		client->asking = false;
		loop_stop(client->options.loop);
	}
}

int query_client_start(struct query_client *client, struct slice request, int64_t now_ms)
{
	buffer_clear(&client->request);
	buffer_append(&client->request, request.bytes, request.size);
	if (client->request.error != 0) {
		return client->request.error;
	}
	client->correlation++;
	client->state = QUESTION_TO_SEND;
	client->deadline_ms = now_ms + client->options.timeout_ms;
	return 0;
}

/* An answer of another question is dropped: it was late. */
static bool is_ours(const struct query_client *client, const struct message *message)
{
	const struct iovec *tag = &message->frames[0];

	return client->state == QUESTION_SENT && message->frame_count == 2 &&
	       tag->iov_len == sizeof client->correlation &&
	       memcmp(tag->iov_base, &client->correlation, sizeof client->correlation) == 0;
}

static int on_received(void *owner, const struct message *message)
{
	struct query_client *client = owner;

	if (!is_ours(client, message)) {
		return 0;
	}
	buffer_clear(&client->answer);
	buffer_append(&client->answer, message->frames[1].iov_base, message->frames[1].iov_len);
	if (client->answer.error != 0) {
		return client->answer.error;
	}
	int r = answer_view_read(&client->document, buffer_slice(&client->answer), &client->view);
	if (r < 0) {
		return r;
	}
	if (r == 0 && !client->view.ok && client->view.retry_after_ms > 0) {
		client->state = QUESTION_BUSY;
	} else {
		end(client, r == 0 ? 0 : QUERY_E_MALFORMED);
	}
	return 0;
}

/* A server that is busy says when to come again; where that is after the deadline, its refusal is the answer. */
static void wait_while_busy(struct query_client *client, int64_t now_ms)
{
	if (client->state == QUESTION_BUSY &&
		client->view.retry_after_ms >= client->deadline_ms - now_ms) {
		end(client, 0);
	} else if (client->state == QUESTION_BUSY) {
		client->again_ms = now_ms + client->view.retry_after_ms;
		client->state = QUESTION_WAITING;
	}
	if (client->state == QUESTION_WAITING && now_ms >= client->again_ms) {
		client->state = QUESTION_TO_SEND;
	}
}

static int send_question(struct query_client *client, int64_t now_ms)
{
	struct iovec frames[2] = {{&client->correlation, sizeof client->correlation},
		{client->request.bytes, client->request.size}};

	int r = connection_send(client->connection, frames, 2);
	if (r == 0) {
		client->state = QUESTION_SENT;
		client->sent_ms = now_ms;
	}
	return r < 0 ? r : 0; /* CONNECTION_E_AWAY: the next step tries again */
}

static void end_if_refused(struct query_client *client)
{
	switch (connection_refusal(client->connection)) {
	case CLIENT_KEY_REFUSED:
		end(client, QUERY_E_KEY_REFUSED);
		break;
	case CLIENT_NO_HANDSHAKE:
		end(client, QUERY_E_NO_HANDSHAKE);
		break;
	default:
		break;
	}
}

int query_client_step(struct query_client *client, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t wait_ms = 0;
	int64_t retry_after_ms = client->options.retry_after_ms;

	if (client->state == QUESTION_SENT && now_ms - client->sent_ms >= retry_after_ms) {
		connection_drop(client->connection);
	}
	wait_while_busy(client, now_ms);
	int r = connection_step(client->connection, now_ms, &wait_ms);
	if (r == 0 && client->state == QUESTION_TO_SEND) {
		r = send_question(client, now_ms);
	}
	if (r != 0) {
		return r;
	}
	if (client->state == QUESTION_SENT) {
		int64_t retry_ms = client->sent_ms + retry_after_ms - now_ms;
		wait_ms = retry_ms < wait_ms ? retry_ms : wait_ms;
	}
	if (client->state == QUESTION_WAITING) {
		int64_t again_ms = client->again_ms - now_ms;
		wait_ms = again_ms < wait_ms ? again_ms : wait_ms;
	}
	if (client->state == QUESTION_SENT || client->state == QUESTION_TO_SEND) {
		int64_t left_ms = client->deadline_ms - now_ms;
		wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
		if (left_ms <= 0) {
			end(client, QUERY_E_TIMEOUT);
		} else {
			end_if_refused(client);
		}
	}
	*ret_wait_ms = wait_ms < 0 ? 0 : wait_ms;
	return 0;
}

int query_client_result(const struct query_client *client, struct answer_view *ret_answer)
{
	if (client->state != QUESTION_ENDED) {
		return QUERY_E_PENDING;
	}
	if (client->result != 0) {
		return client->result;
	}
	*ret_answer = client->view;
	return 0;
}

/* Stays on the loop for good, so it must be harmless while nothing is asked. */
static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct query_client *client = owner;

	return client->asking ? query_client_step(client, now_ms, ret_wait_ms) : 0;
}

int query_client_ask(
	struct query_client *client, struct slice request, struct answer_view *ret_answer)
{
	if (!client->ticking) {
		int r = loop_add_tick(client->options.loop, on_tick, client);
		if (r != 0) {
			return r;
		}
		client->ticking = true;
	}
	int r = query_client_start(client, request, clock_monotonic_ms());
	if (r != 0) {
		return r;
	}
	client->asking = true;
	r = loop_run(client->options.loop);
	if (r == 0 && client->asking) {
		r = QUERY_E_INTERRUPTED;
	}
	client->asking = false;
	return r != 0 ? r : query_client_result(client, ret_answer);
}
