/* link.h - the DEALER to a bridge, and its monitor. A link is one connection: it is opened, used and closed, and never
 * connects again by itself (what libzmq had queued would go out under the old session). One thread. */
#pragma once
#include "proto/slice.h"
#include "runtime/socket.h"
#include <sys/uio.h>

struct link;
struct loop;

struct security;

enum {
	LINK_E_AGAIN = 1, /* its queue is full: later */
};

/* Why a link is no more, or never was. */
enum link_end {
	LINK_LOST, /* or not reached */
	LINK_NO_HANDSHAKE, /* somebody is there, and no handshake came about: keys on one side only, or another server's */
	LINK_KEY_REFUSED, /* the bridge does not let our key in */
};

struct link_options {
	struct context *context;
	struct loop *loop;
	const struct security
		*security; /* our key and the bridges'; NULL: none. All three borrowed */
	void *owner;
	/* The handlers may close the link. They return 0 or a negative errno that ends the loop. */
	int (*connected)(void *owner);
	int (*disconnected)(void *owner, enum link_end end); /* also: the attempt failed */
	int (*frame)(void *owner, struct slice frame);
};

int link_new(const struct link_options *options, struct link **ret_link);
struct link *link_free(struct link *link);
/* Closes the one before. `bridge` is its place among those configured: which key it must have. */
int link_open(struct link *link, const char *endpoint, uint32_t bridge);
void link_close(struct link *link);
int link_send(struct link *link, const struct iovec *frame);
