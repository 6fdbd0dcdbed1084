/* connection.h - one DEALER (or, with a topic, SUB) to one peer, on the caller's loop. It never lives over a reconnect: when the peer is gone,
 * or the owner finds it silent, the socket is closed with all that is queued in it and a new one opened, so nothing
 * old can arrive behind something new. Handlers run inside the loop's round; a new socket is made in
 * connection_step only. One thread. An int result is 0, a CONNECTION_E_* or a negative errno. */
#pragma once
#include "client/client_keys.h"
#include "proto/slice.h"

struct loop;
struct connection;

enum { CONNECTION_E_AWAY = 1 }; /* no connection now; connection_step goes on trying */

struct connection_options {
	struct context *context; /* borrowed, as is the loop */
	struct loop *loop;
	const char *endpoint; /* borrowed for the life of the connection */
	const struct client_keys *keys; /* borrowed for the life of the connection; NULL: none */
	int64_t frame_size_max; /* the largest frame taken from the peer, bytes; 0: socket.h's default */
	struct slice
		topic; /* a SUB that subscribes to it; borrowed for the life of the connection. {NULL, 0}: a DEALER */
	/* A message came. Its frames live until the handler returns. A negative errno ends the loop. */
	int (*received)(void *owner, const struct message *message);
	/* The socket and all in flight on it are gone. */
	void (*lost)(void *owner);
	void *owner;
};

int connection_new(const struct connection_options *options, struct connection **ret_connection);
struct connection *connection_free(struct connection *connection);

/* Opens what has to be opened. Call it from the loop's tick; *ret_wait_ms: call again by then. */
int connection_step(struct connection *connection, int64_t now_ms, int64_t *ret_wait_ms);
bool connection_is_up(const struct connection *connection);
/* What the last attempts met; CLIENT_NOT_REFUSED once one got through. */
enum client_refusal connection_refusal(const struct connection *connection);
int connection_send(struct connection *connection, const struct iovec *frames, size_t frame_count);
/* The peer is silent: `lost` is called, the next step opens a new socket. */
void connection_drop(struct connection *connection);
