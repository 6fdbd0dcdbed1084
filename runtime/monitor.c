/* A socket's connection events, as one more socket: libzmq's I/O thread writes them to an inproc PAIR. */
#include "runtime/context.h"
#include "runtime/socket.h"
#include "runtime/socket_internal.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

enum {
	EVENTS = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED |
		 ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
		 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
	/* A full queue makes the I/O thread wait for us; one event is about 100 bytes. */
	QUEUE_MESSAGES = 100000,
	EVENT_FRAME_SIZE = 6, /* u16 event, u32 value, in the host's order */
};

static int connect_monitor(struct socket *monitor, const char *endpoint)
{
	int linger_ms = 0;
	int queue = QUEUE_MESSAGES;

	if (zmq_setsockopt(monitor->handle, ZMQ_LINGER, &linger_ms, sizeof linger_ms) < 0 ||
		zmq_setsockopt(monitor->handle, ZMQ_RCVHWM, &queue, sizeof queue) < 0 ||
		zmq_connect(monitor->handle, endpoint) < 0) {
		return socket_error(errno);
	}
	return 0;
}

int socket_monitor(struct socket *socket, struct socket **ret_monitor)
{
	struct context *context = socket->context;
	struct socket *monitor = NULL;
	char endpoint[ENDPOINT_SIZE];

	snprintf(endpoint, sizeof endpoint, "inproc://monitor-%u", context->monitor_count++);
	if (zmq_socket_monitor(socket->handle, endpoint, EVENTS) < 0) {
		return socket_error(errno);
	}
	socket->monitored = true;
	int r = socket_open(context, ZMQ_PAIR, &monitor);
	if (r < 0) {
		return r;
	}
	r = connect_monitor(monitor, endpoint);
	if (r < 0) {
		socket_free(monitor);
		return r;
	}
	*ret_monitor = monitor;
	return 0;
}

static bool event_of(const struct iovec *frame, enum socket_event *ret_event)
{
	uint16_t code = 0;

	if (frame->iov_len < EVENT_FRAME_SIZE) {
		return false;
	}
	memcpy(&code, frame->iov_base, sizeof code);
	switch (code) {
	case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
		*ret_event = SOCKET_CONNECTED;
		return true;
	case ZMQ_EVENT_DISCONNECTED:
		*ret_event = SOCKET_DISCONNECTED;
		return true;
	case ZMQ_EVENT_CLOSED: /* the connecting fd's end; one that got through ends with DISCONNECTED */
		*ret_event = SOCKET_CONNECT_FAILED;
		return true;
	case ZMQ_EVENT_ACCEPTED:
		*ret_event = SOCKET_ACCEPTED;
		return true;
	case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
	case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
		*ret_event = SOCKET_HANDSHAKE_FAILED;
		return true;
	case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
		*ret_event = SOCKET_KEY_REFUSED;
		return true;
	default: /* the monitor's own end */
		return false;
	}
}

int socket_monitor_next(struct socket *monitor, enum socket_event *ret_event)
{
	struct message message = {0};
	bool known = false;
	int r = 0;

	while (r == 0 && !known) {
		r = socket_receive(monitor, &message);
		known = r == 0 && event_of(&message.frames[0], ret_event);
	}
	message_clear(&message);
	return r;
}
