#include "edge/link.h"
#include "proto/limits.h"
#include "runtime/loop.h"
#include "runtime/security.h"
#include <errno.h>
#include <stdlib.h>

enum {
	/* Credit bounds the bytes; this bounds libzmq's copies of them when a bridge gives a lot. */
	QUEUE_MESSAGES = 256,
	HEARTBEAT_MS = 1000, /* a half-open connection is noticed within four of them */
	CONNECT_TIMEOUT_MS = 3000,
	FRAMES_A_ROUND = 1000, /* an ACK a frame: other sources get their turn */
};

struct link {
	struct link_options options;
	struct socket *socket;
	struct socket *monitor;
	struct message message;
	uint64_t
		generation; /* of the connection: a handler may have closed the one it was called for */
};

static int on_event(void *owner);
static int on_readable(void *owner);

int link_new(const struct link_options *options, struct link **ret_link)
{
	struct link *link = calloc(1, sizeof *link);
	if (link == NULL) {
		return -ENOMEM;
	}
	link->options = *options;
	*ret_link = link;
	return 0;
}

struct link *link_free(struct link *link)
{
	if (link == NULL) {
		return NULL;
	}
	link_close(link);
	message_clear(&link->message);
	free(link);
	return NULL;
}

void link_close(struct link *link)
{
	loop_remove_socket(link->options.loop, link->monitor);
	loop_remove_socket(link->options.loop, link->socket);
	link->socket = socket_free(link->socket); /* before its monitor */
	link->monitor = socket_free(link->monitor);
	link->generation++;
}

static int watch(struct link *link)
{
	int r = socket_monitor(link->socket, &link->monitor);
	if (r == 0) {
		r = loop_add_socket(link->options.loop, link->monitor, on_event, link);
	}
	if (r == 0) {
		r = loop_add_socket(link->options.loop, link->socket, on_readable, link);
	}
	return r;
}

int link_open(struct link *link, const char *endpoint, uint32_t bridge)
{
	struct socket_options options = {
		.send_queue_messages = QUEUE_MESSAGES,
		.frame_size_max = WIRE_FRAME_SIZE_MAX,
		.heartbeat_ms = HEARTBEAT_MS,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.one_connection = true,
	};

	link_close(link);
	security_dial(link->options.security, bridge, &options);
	int r = socket_new(link->options.context, SOCKET_DEALER, &options, &link->socket);
	if (r == 0) {
		r = watch(link);
	}
	if (r == 0) {
		r = socket_connect(link->socket, endpoint);
	}
	if (r < 0) {
		link_close(link);
	}
	return r;
}

static int tell_event(struct link *link, enum socket_event event)
{
	switch (event) {
	case SOCKET_CONNECTED:
		return link->options.connected(link->options.owner);
	case SOCKET_HANDSHAKE_FAILED:
		return link->options.disconnected(link->options.owner, LINK_NO_HANDSHAKE);
	case SOCKET_KEY_REFUSED:
		return link->options.disconnected(link->options.owner, LINK_KEY_REFUSED);
	case SOCKET_DISCONNECTED:
	case SOCKET_CONNECT_FAILED:
		return link->options.disconnected(link->options.owner, LINK_LOST);
	default:
		return 0;
	}
}

static int on_event(void *owner)
{
	struct link *link = owner;
	uint64_t generation = link->generation;
	enum socket_event event;

	while (link->generation == generation) {
		int r = socket_monitor_next(link->monitor, &event);
		if (r != 0) {
			return r < 0 ? r : 0;
		}
		r = tell_event(link, event);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int on_readable(void *owner)
{
	struct link *link = owner;
	uint64_t generation = link->generation;

	for (int i = 0; i < FRAMES_A_ROUND && link->generation == generation; i++) {
		int r = socket_receive(link->socket, &link->message);
		if (r == SOCKET_E_AGAIN) {
			return 0;
		}
		if (r < 0) {
			return r;
		}
		/* One frame a message; more are garbage, which the decoder calls by its name. */
		struct slice frame = {NULL, 0};
		if (r == 0 && link->message.frame_count == 1) {
			frame = slice_of(
				link->message.frames[0].iov_base, link->message.frames[0].iov_len);
		}
		r = link->options.frame(link->options.owner, frame);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int link_send(struct link *link, const struct iovec *frame)
{
	if (link->socket == NULL) {
		return -ENOTCONN;
	}
	int r = socket_send(link->socket, frame, 1);
	return r == SOCKET_E_AGAIN ? LINK_E_AGAIN : r;
}
