/* The rim of a simulated bridge: its ROUTER, over the modelled net. */
#include "runtime/socket.h"
#include "tests/sim/bridge_part.h"
#include "tests/sim/net.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct socket {
	int bridge;
};

struct message_store {
	uint8_t peer[PEER_SIZE];
};

int socket_new(struct context *context, enum socket_type type, const struct socket_options *options,
	struct socket **ret_socket)
{
	struct socket *socket = calloc(1, sizeof *socket);

	(void)context, (void)type, (void)options;
	if (socket == NULL) {
		return -ENOMEM;
	}
	socket->bridge = bridge_part_current();
	*ret_socket = socket;
	return 0;
}

struct socket *socket_free(struct socket *socket)
{
	free(socket);
	return NULL;
}

int socket_bind(struct socket *socket, const char *endpoint, char ret_endpoint[ENDPOINT_SIZE])
{
	snprintf(ret_endpoint, ENDPOINT_SIZE, "%s", endpoint);
	net_bridge_listens(socket->bridge);
	return 0;
}

int socket_receive(struct socket *socket, struct message *message)
{
	const uint8_t *bytes;
	size_t size;

	if (message->store == NULL) {
		message->store = calloc(1, sizeof *message->store);
	}
	if (message->store == NULL) {
		return -ENOMEM;
	}
	if (!net_receive(socket->bridge, message->store->peer, &bytes, &size)) {
		return SOCKET_E_AGAIN;
	}
	message->frame_count = 2;
	message->user_id[0] = '\0';
	message->frames[0] = (struct iovec){message->store->peer, PEER_SIZE};
	message->frames[1] = (struct iovec){(void *)(uintptr_t)bytes, size};
	return 0;
}

void message_clear(struct message *message)
{
	free(message->store);
	*message = (struct message){0};
}

int socket_send(struct socket *socket, const struct iovec *frames, size_t frame_count)
{
	const struct iovec *frame = &frames[frame_count - 1];

	switch (bridge_part_send(
		socket->bridge, frames[0].iov_base, frame->iov_base, frame->iov_len)) {
	case NET_E_AGAIN:
		return SOCKET_E_AGAIN;
	case NET_E_UNREACHABLE:
		return SOCKET_E_UNREACHABLE;
	default:
		return 0;
	}
}
