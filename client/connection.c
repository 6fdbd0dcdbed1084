#include "client/connection.h"

#include "runtime/loop.h"
#include <errno.h>
#include <stdlib.h>

/* How long an attempt to connect may take before the next one. It doubles, so that a slow link gets the time it
 * needs, and an edge that comes back after a restart is found within PATIENCE_MS_MAX. */
enum { PATIENCE_MS_MIN = 100, PATIENCE_MS_MAX = 3200 };

/* A server that ends in the middle of a handshake looks like one with another key, but not so often. */
enum { REFUSALS_BY_CHANCE = 3 };

struct connection {
	struct connection_options options;
	struct socket *socket; /* NULL: none, the next step opens one */
	struct socket *monitor;
	bool up;
	enum client_refusal refusal; /* of the last attempt */
	unsigned refusals; /* attempts without a handshake, one after the other */
	int64_t patience_ms;
	int64_t give_up_ms; /* while not up */
};

static void close_socket(struct connection *connection)
{
	if (connection->monitor != NULL) {
		loop_remove_socket(connection->options.loop, connection->monitor);
	}
	if (connection->socket != NULL) {
		loop_remove_socket(connection->options.loop, connection->socket);
	}
	connection->socket = socket_free(connection->socket); /* before its monitor */
	connection->monitor = socket_free(connection->monitor);
	connection->up = false;
}

int connection_new(const struct connection_options *options, struct connection **ret_connection)
{
	struct connection *connection = calloc(1, sizeof *connection);
	if (connection == NULL) {
		return -ENOMEM;
	}
	connection->options = *options;
	connection->patience_ms = PATIENCE_MS_MIN;
	*ret_connection = connection;
	return 0;
}

struct connection *connection_free(struct connection *connection)
{
	if (connection != NULL) {
		close_socket(connection);
		free(connection);
	}
	return NULL;
}

bool connection_is_up(const struct connection *connection)
{
	return connection->up;
}

enum client_refusal connection_refusal(const struct connection *connection)
{
	bool may_be_chance = connection->refusal == CLIENT_NO_HANDSHAKE &&
			     connection->refusals < REFUSALS_BY_CHANCE;

	return may_be_chance ? CLIENT_NOT_REFUSED : connection->refusal;
}

void connection_drop(struct connection *connection)
{
	close_socket(connection);
	connection->options.lost(connection->options.owner);
}

static int on_readable(void *owner)
{
	struct connection *connection = owner;
	struct message message = {0};
	int r = 0;

	while (r == 0 && connection->socket != NULL) {
		r = socket_receive(connection->socket, &message);
		if (r == 0) {
			r = connection->options.received(connection->options.owner, &message);
		} else if (r == SOCKET_E_TOO_MANY_FRAMES) {
			r = 0; /* no reply of ours: whoever waits for one will send again */
		}
	}
	message_clear(&message);
	return r < 0 ? r : 0;
}

/* Who was not let in is disconnected, too: the next attempt then waits until this one's time is over. */
static void take_event(struct connection *connection, enum socket_event event)
{
	switch (event) {
	case SOCKET_KEY_REFUSED:
		connection->refusal = CLIENT_KEY_REFUSED;
		break;
	case SOCKET_HANDSHAKE_FAILED:
		connection->refusal = CLIENT_NO_HANDSHAKE;
		connection->refusals++;
		break;
	case SOCKET_CONNECTED:
		connection->up = true;
		connection->refusal = CLIENT_NOT_REFUSED;
		connection->refusals = 0;
		connection->patience_ms = PATIENCE_MS_MIN;
		break;
	case SOCKET_DISCONNECTED:
		if (connection->up) {
			connection_drop(connection);
		}
		break;
	default:
		break;
	}
}

static int on_monitor(void *owner)
{
	struct connection *connection = owner;
	enum socket_event event;
	int r = 0;

	while (connection->monitor != NULL) {
		r = socket_monitor_next(connection->monitor, &event);
		if (r != 0) {
			break;
		}
		take_event(connection, event);
	}
	return r < 0 ? r : 0;
}

static int open_socket(struct connection *connection)
{
	const struct connection_options *options = &connection->options;
	struct socket_options socket_options = {.immediate = true,
		.one_connection = true,
		.frame_size_max = options->frame_size_max};

	client_keys_use(options->keys, &socket_options);
	int r = socket_new(options->context, options->topic.size > 0 ? SOCKET_SUB : SOCKET_DEALER,
		&socket_options, &connection->socket);
	if (r == 0 && options->topic.size > 0) {
		r = socket_subscribe(connection->socket, options->topic.bytes, options->topic.size);
	}
	if (r == 0) {
		r = socket_monitor(connection->socket, &connection->monitor);
	}
	if (r == 0) {
		r = loop_add_socket(options->loop, connection->monitor, on_monitor, connection);
	}
	if (r == 0) {
		r = loop_add_socket(options->loop, connection->socket, on_readable, connection);
	}
	if (r == 0) {
		r = socket_connect(connection->socket, options->endpoint);
	}
	if (r != 0) {
		close_socket(connection);
	}
	return r;
}

int connection_step(struct connection *connection, int64_t now_ms, int64_t *ret_wait_ms)
{
	if (connection->socket != NULL && !connection->up && now_ms >= connection->give_up_ms) {
		close_socket(connection);
		connection->patience_ms *= 2;
		if (connection->patience_ms > PATIENCE_MS_MAX) {
			connection->patience_ms = PATIENCE_MS_MAX;
		}
	}
	if (connection->socket == NULL) {
		int r = open_socket(connection);
		if (r != 0) {
			return r;
		}
		connection->give_up_ms = now_ms + connection->patience_ms;
	}
	*ret_wait_ms = connection->up ? INT64_MAX : connection->give_up_ms - now_ms;
	return 0;
}

int connection_send(struct connection *connection, const struct iovec *frames, size_t frame_count)
{
	if (!connection->up) {
		return CONNECTION_E_AWAY;
	}
	int r = socket_send(connection->socket, frames, frame_count);
	return r == SOCKET_E_AGAIN || r == SOCKET_E_UNREACHABLE ? CONNECTION_E_AWAY : r;
}
