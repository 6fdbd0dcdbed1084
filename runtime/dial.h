/* dial.h - gets a TCP connection to a host: looks the name up, tries its addresses one after the other, never blocks.
 * One thread; time comes in. */
#pragma once
#include <stdint.h>

struct dial;
struct loop;

enum dial_state { DIAL_TRYING, DIAL_CONNECTED, DIAL_FAILED };

struct dial_options {
	struct loop *loop; /* borrowed */
	const char *host; /* a name, or an address without brackets; borrowed, as `port` is */
	const char *port; /* a number */
	/* For all of it. Each address gets its share, so that one that never answers leaves time for the others. */
	int64_t timeout_ms;
	int (*ready)(
		void *owner); /* the state may have changed; not called from within dial_poll */
	void *owner;
};

int dial_new(const struct dial_options *options, int64_t now_ms, struct dial **ret_dial);
struct dial *dial_free(struct dial *dial);
enum dial_state dial_state(const struct dial *dial);
/* What is due by time. */
int dial_poll(struct dial *dial, int64_t now_ms, int64_t *ret_wait_ms);
/* The connected socket is the caller's from now on: non-blocking, TCP_NODELAY, keepalive. */
int dial_take_fd(struct dial *dial);
const char *dial_error(const struct dial *dial); /* of the last attempt */
