/* producer.h - brings frames of events to an edge: each is counted once, whatever happens to the way between.
 *
 * A frame stays here until the edge has answered for it. After silence or a lost connection it is sent again on a
 * new socket under its first number, so the edge knows it for a repeat; while the spool is full it waits as long as
 * the edge asks. A producer lives on the caller's loop: it adds its sockets itself, and wants producer_step called from
 * the loop's tick. One thread. An int result is 0, a PRODUCER_E_* to handle, or a negative errno to pass up. */
#pragma once
#include "client/client_keys.h"
#include "client/window.h"

struct loop;
struct producer;

enum {
	PRODUCER_E_FULL = 1, /* as many frames in flight as there are lanes; wait for a result */
	PRODUCER_E_TIMEOUT, /* no sign of life from the edge for timeout_ms while frames wait for it */
};

/* One frame's end. Borrowed for the call. */
struct producer_result {
	uint64_t tag; /* as given to producer_send */
	uint64_t n;
	uint32_t attempts; /* 1: sent once */
	int64_t ack_ms; /* from the first sending to the answer */
	/* reply->refusal.reason is REASON_NONE when the edge took the frame (its invalid events are listed),
	 * else the frame was refused for good: nothing of it was counted and it will not be sent again. */
	const struct reply *reply;
};

struct producer_options {
	struct context *context; /* borrowed, as is the loop */
	struct loop *loop;
	const char *endpoint; /* "tcp://127.0.0.1:7170"; borrowed for the life of the producer */
	const struct client_keys *keys; /* the same; NULL: the edge asks for none */
	const char *
		id; /* the producer's name at this edge, copied; with lanes at most PRODUCER_ID_SIZE_MAX - 3 bytes */
	uint32_t
		lanes; /* frames in flight: 1 … WINDOW_LANES_MAX; 0: 1. Own numbers (n) need 1: window.h says why */
	int64_t resend_after_ms; /* of silence; 0: 5,000 */
	int64_t timeout_ms; /* 0: tries for ever */
	/* Called once for each frame, inside the loop. May call producer_send. A negative errno ends the loop. */
	int (*settled)(void *owner, const struct producer_result *result);
	void *owner;
};

/* What happened beside results; all count from 0 at producer_new. */
struct producer_counts {
	uint64_t connections; /* that came up */
	uint64_t sent; /* frames on their way, each time */
	uint64_t resent; /* frames sent a second or further time */
	uint64_t waited; /* refusals for the moment: spool_full, shutting_down */
	uint64_t stray; /* replies that answered nothing of ours */
	char waiting_for
		[COMPLAINT_SIZE_MAX]; /* the edge's words while it refuses for the moment, else "" */
};

int producer_new(const struct producer_options *options, struct producer **ret_producer);
struct producer *producer_free(struct producer *producer);

/* Hands over one events frame (one map or an array of maps, msgpack or JSON, at most FRAME_SIZE_MAX); copied. n must
 * rise from frame to frame; 0: the next number. 0, PRODUCER_E_FULL, -EINVAL (n), -EMSGSIZE. */
int producer_send(struct producer *producer, struct slice events, uint64_t n, uint64_t tag);
/* Sends, sends again, opens and closes. Call it from the loop's tick; *ret_wait_ms: call again by then.
 * PRODUCER_E_TIMEOUT comes back as often as it is called, until the edge answers. */
int producer_step(struct producer *producer, int64_t now_ms, int64_t *ret_wait_ms);

uint32_t producer_in_flight(const struct producer *producer); /* frames without a result */
bool producer_is_full(const struct producer *producer);
bool producer_is_connected(const struct producer *producer);
/* An edge is there and yet there is no connection: the producer tries on, but a person has to do something. */
enum client_refusal producer_refusal(const struct producer *producer);
const struct producer_counts *producer_counts(const struct producer *producer);
