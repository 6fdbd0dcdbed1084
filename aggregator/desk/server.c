#include "aggregator/desk/server.h"
#include "aggregator/desk/queries.h"
#include "runtime/clock.h"
#include "runtime/config.h"
#include "runtime/loop.h"
#include "runtime/security.h"
#include "runtime/socket.h"
#include <errno.h>
#include <stdlib.h>

enum {
	/* Requests of one round, so that records come in between however many ask. */
	REQUESTS_PER_ROUND = 64,
	ROUND_MS = 10,
	ENDPOINTS_MAX = 8,
	ADDRESS_SIZE_MAX = SOCKET_FRAMES_MAX * (TRANSPORT_FRAME_SIZE_MAX + 4),
};

struct server {
	struct server_options options;
	struct query_front front;
	struct socket *socket;
	struct message message;
	struct buffer address; /* of the request at hand: the frames before it */
	char endpoints[ENDPOINTS_MAX][ENDPOINT_SIZE];
	const char *endpoint_list[ENDPOINTS_MAX + 1];
};

static void pack_address(struct server *server, const struct iovec *frames, size_t count)
{
	buffer_clear(&server->address);
	for (size_t i = 0; i < count; i++) {
		uint32_t size = (uint32_t)frames[i].iov_len;
		buffer_append(&server->address, &size, sizeof size);
		buffer_append(&server->address, frames[i].iov_base, size);
	}
}

static size_t unpack_address(struct slice packed, struct iovec frames[SOCKET_FRAMES_MAX])
{
	size_t count = 0;
	for (size_t at = 0; at < packed.size; count++) {
		uint32_t size;
		memcpy(&size, packed.bytes + at, sizeof size);
		frames[count] = (struct iovec){(void *)(packed.bytes + at + sizeof size), size};
		at += sizeof size + size;
	}
	return count;
}

static int reply(void *owner, struct slice address, const struct query_reply *reply)
{
	struct server *server = owner;
	struct iovec frames[SOCKET_FRAMES_MAX];
	size_t count = unpack_address(address, frames);
	frames[count] = (struct iovec){(void *)(uintptr_t)reply->bytes.bytes, reply->bytes.size};
	int r = socket_send(server->socket, frames, count + 1);
	if (r > 0) {
		server->options.lost(server->options.owner); /* it went away, or reads nothing */
	}
	return r < 0 ? r : 0;
}

/* Takes one message. 0, SOCKET_E_AGAIN when there is none, -errno. */
static int take_message(struct server *server)
{
	struct message *message = &server->message;
	int r = socket_receive(server->socket, message);
	if (r == SOCKET_E_TOO_MANY_FRAMES) {
		queries_note_unreadable(server->options.queries);
		return 0; /* nobody to answer: the frames that name him are cut */
	}
	if (r != 0) {
		return r;
	}
	if (message->frame_count < 2 || message->frame_count > SOCKET_FRAMES_MAX) {
		return 0;
	}
	size_t before = message->frame_count - 1;
	const struct iovec *last = &message->frames[before];
	const struct asker asker = {.user_id = message->user_id, .peer = peer_name_of(message)};
	pack_address(server, message->frames, before);
	if (server->address.error != 0) {
		return server->address.error;
	}
	const struct asked asked = {
		.front = &server->front,
		.asker = &asker,
		.address = buffer_slice(&server->address),
		.request = slice_of(last->iov_base, last->iov_len),
	};
	return queries_take(server->options.queries, &asked, loop_now_ms(server->options.loop));
}

static int readable(void *owner)
{
	struct server *server = owner;
	int64_t end_ms = clock_monotonic_ms() + ROUND_MS;
	int r = 0;
	for (int i = 0; i < REQUESTS_PER_ROUND && r == 0 && clock_monotonic_ms() < end_ms; i++) {
		r = take_message(server);
	}
	return r < 0 ? r : 0;
}

static int bind_all(struct server *server)
{
	const char *cursor = server->options.listen;
	char endpoint[ENDPOINT_SIZE];
	size_t count = 0;
	while (config_list_next(&cursor, endpoint, sizeof endpoint)) {
		if (count == ENDPOINTS_MAX) {
			return -ENOSPC;
		}
		int r = socket_bind(server->socket, endpoint, server->endpoints[count]);
		if (r < 0) {
			return r;
		}
		server->endpoint_list[count] = server->endpoints[count];
		count++;
	}
	return 0;
}

int server_new(const struct server_options *options, struct server **ret_server)
{
	struct socket_options socket = {.frame_size_max = TRANSPORT_FRAME_SIZE_MAX};
	struct server *server = calloc(1, sizeof *server);
	if (server == NULL) {
		return -ENOMEM;
	}
	server->options = *options;
	server->front = (struct query_front){reply, server};
	buffer_init(&server->address, ADDRESS_SIZE_MAX);
	security_guard(options->security, "queries", &socket);
	int r = socket_new(options->context, SOCKET_ROUTER, &socket, &server->socket);
	if (r == 0) {
		r = bind_all(server);
	}
	if (r == 0) {
		r = loop_add_socket(options->loop, server->socket, readable, server);
	}
	if (r < 0) {
		server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

struct server *server_free(struct server *server)
{
	if (server == NULL) {
		return NULL;
	}
	if (server->socket != NULL) {
		loop_remove_socket(server->options.loop, server->socket);
	}
	message_clear(&server->message);
	socket_free(server->socket);
	buffer_deinit(&server->address);
	free(server);
	return NULL;
}

const char *const *server_endpoints(const struct server *server)
{
	return server->endpoint_list;
}
