/* subscription.h - a view followed live: its rows now, and every change of them, without a gap. It connects, reads the view,
 * applies what is published, notices what it missed and reads anew; it survives restarts of the aggregator and of the network.
 *
 * It lives on the caller's loop: it adds its sockets itself, and wants subscription_step called from the loop's tick. Rows are
 * JSON texts as `get` shows them, keys the JSON texts of their group values joined by commas; both belong to the
 * subscription and are borrowed for the call. One thread. An int result is 0, a SUBSCRIPTION_E_* or a negative errno.
 *
 *   subscription_new(&options, &subscription);
 *   loop_add_tick(loop, my_tick, me);      // calls subscription_step
 *   loop_run(loop);                        // changed() is called for each row that is new, other, or gone
 *   subscription_free(subscription);
 *
 * cli/watch.c is an example. */
#pragma once
#include "client/client_keys.h"
#include "client/live_table.h"

struct loop;
struct subscription;

enum {
	/* Each stands until subscription_free, with words in subscription_complaint. */
	SUBSCRIPTION_E_REFUSED = 1, /* there is no such view, or the key may not see it */
	SUBSCRIPTION_E_KEY_REFUSED, /* the server does not let our key in */
	SUBSCRIPTION_E_NO_HANDSHAKE, /* keys on one side only, or the server has another key */
	SUBSCRIPTION_E_MALFORMED, /* no aggregator answers there */
	SUBSCRIPTION_E_TOO_LARGE, /* more than rows_max rows */
};

struct subscription_options {
	struct context *context; /* borrowed, as is the loop */
	struct loop *loop;
	const char *
		publish; /* "tcp://127.0.0.1:7173"; borrowed for the life of the subscription, as are the next three */
	const char *queries; /* "tcp://127.0.0.1:7172" */
	const char *view;
	const struct client_keys *keys; /* for both; NULL: none */
	size_t rows_max; /* 0: a million */
	/* Within the loop: a row is new, other than before, or gone. While the view is read for the first time every row is
	 * new. A negative errno ends the loop. May be NULL. */
	int (*changed)(void *owner, const struct live_change *change);
	void *owner;
};

int subscription_new(
	const struct subscription_options *options, struct subscription **ret_subscription);
struct subscription *subscription_free(struct subscription *subscription);

/* Opens, asks, listens. Call it from the loop's tick; *ret_wait_ms: call again by then. */
int subscription_step(struct subscription *subscription, int64_t now_ms, int64_t *ret_wait_ms);

/* Is every row as the aggregator has it, but for what is on its way? */
bool subscription_is_whole(const struct subscription *subscription);
/* For how long nothing was heard; a live stream says something each second. */
int64_t subscription_silence_ms(const struct subscription *subscription, int64_t now_ms);
const char *subscription_complaint(const struct subscription *subscription);
const struct live_table *subscription_table(const struct subscription *subscription);
