/* query_client.h - asks an aggregator. A question is sent again on a fresh socket when no answer comes; a correlation
 * frame keeps late answers to earlier questions apart. One that is refused for now (`retry_after_ms`) is asked again when its time
 * has come, if that is within timeout_ms. On the caller's loop: either query_client_ask, which runs
 * the loop until the answer is there, or query_client_start, _step (from the loop's tick) and _result.
 * One question at a time. One thread. An int result is 0, a QUERY_E_* to handle, or a negative errno to pass up. */
#pragma once
#include "client/answer_view.h"
#include "client/client_keys.h"

struct loop;
struct query_client;

enum {
	QUERY_E_PENDING = 1, /* no answer yet */
	QUERY_E_TIMEOUT, /* none within timeout_ms */
	QUERY_E_MALFORMED, /* an answer that is no document with an "ok" */
	QUERY_E_KEY_REFUSED, /* the server does not let our key in: no use in waiting */
	QUERY_E_NO_HANDSHAKE, /* keys on one side only, or the server has another key */
	QUERY_E_INTERRUPTED, /* query_client_ask: the loop ended first (a signal) */
};

struct query_client_options {
	struct context *context; /* borrowed, as is the loop */
	struct loop *loop;
	const char *endpoint; /* "tcp://127.0.0.1:7172" */
	const struct client_keys
		*keys; /* borrowed for the life of the client; NULL: the server asks for none */
	int64_t timeout_ms; /* for a whole question; 0: 10,000 */
	int64_t retry_after_ms; /* of silence, above what the question allows by its own timeout_ms; 0: 3,000 */
};

int query_client_new(const struct query_client_options *options, struct query_client **ret_client);
struct query_client *query_client_free(struct query_client *client);

/* Forgets an earlier question. `request` (msgpack or JSON) is copied; -EMSGSIZE over QUERY_SIZE_MAX. */
int query_client_start(struct query_client *client, struct slice request, int64_t now_ms);
int query_client_step(struct query_client *client, int64_t now_ms, int64_t *ret_wait_ms);
/* 0 with the answer, borrowed until the next question; QUERY_E_PENDING, or why there is none. */
int query_client_result(const struct query_client *client, struct answer_view *ret_answer);

/* All of the above; must not be called from a handler of the loop. Its first call adds a tick: from then on the client
 * must live as long as the loop runs. */
int query_client_ask(
	struct query_client *client, struct slice request, struct answer_view *ret_answer);
