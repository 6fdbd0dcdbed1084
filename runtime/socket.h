/* socket.h - ZeroMQ sockets. One context a process, linger 0, every operation non-blocking, every queue bounded.
 * One thread, the one that made the context. <zmq.h> stays behind this header. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct context;
struct socket;

enum {
	SOCKET_E_AGAIN = 1, /* nothing to read, or the peer's queue is full: nothing was sent */
	SOCKET_E_UNREACHABLE, /* ROUTER: that peer is gone */
	SOCKET_E_TOO_MANY_FRAMES, /* the message was read to its end and dropped; the caller counts it */
};

enum socket_type {
	SOCKET_ROUTER,
	SOCKET_DEALER,
	SOCKET_PULL,
	SOCKET_PUSH,
	SOCKET_PUB,
	SOCKET_XPUB,
	SOCKET_SUB,
	SOCKET_REQ
};

/* Zero means default. Keys are Z85 text (40 characters); NULL: no CURVE. */
struct socket_options {
	int send_queue_messages; /* ZMQ_SNDHWM, default 1000 */
	int receive_queue_messages; /* ZMQ_RCVHWM, default 1000 */
	int64_t frame_size_max; /* ZMQ_MAXMSGSIZE, default 8 MiB */
	int heartbeat_ms; /* ZMQ_HEARTBEAT_IVL; timeout is three of them; default off */
	int connect_timeout_ms;
	bool immediate; /* queue only to completed connections */
	/* Never connects a second time: what is sent can't end up on another connection than what went before. The
	 * owner opens a new socket, also after an attempt that failed. */
	bool one_connection;
	/* Own pair; a server when curve_server_key is NULL. A server lets nobody in without a ZAP handler. */
	const char *curve_secret_key;
	const char *curve_public_key;
	const char *curve_server_key; /* the peer's: we are a client */
	const char
		*curve_domain; /* a server's name in what its ZAP handler is asked; NULL: "till" */
};

/* Also raises the soft limit of open files to the hard one. */
int context_new(struct context **ret_context);
struct context *context_free(struct context *context); /* after its last socket */

int socket_new(struct context *context, enum socket_type type, const struct socket_options *options,
	struct socket **ret_socket);
struct socket *socket_free(struct socket *socket);
enum { ENDPOINT_SIZE = 256 };
/* tcp port 0 or * picks one; the endpoint that was bound comes back. -errno. */
int socket_bind(struct socket *socket, const char *endpoint, char ret_endpoint[ENDPOINT_SIZE]);
/* tcp://localhost is 127.0.0.1; other names prefer IPv6. Resolving and connecting go on in the background. */
int socket_connect(struct socket *socket, const char *endpoint);
/* SUB: receive what begins with these bytes; none: everything. */
int socket_subscribe(struct socket *socket, const void *prefix, size_t prefix_size);

enum { SOCKET_FRAMES_MAX = 16 };
/* A received message; owns its frames until message_clear or the next receive. Zero-initialise. */
struct message {
	size_t frame_count;
	struct iovec frames[SOCKET_FRAMES_MAX];
	char user_id[64]; /* CURVE: the name the key stands for, from a body frame; "" without */
	char peer_address
		[48]; /* the numeric address of a TCP peer, without port; "" where there is none */
	struct message_store *store; /* private */
};
int socket_receive(struct socket *socket, struct message *message);
void message_clear(struct message *message);
/* Sends all frames (at most SOCKET_FRAMES_MAX) as one message or nothing; bytes are copied. 0, SOCKET_E_AGAIN, SOCKET_E_UNREACHABLE, -errno. */
int socket_send(struct socket *socket, const struct iovec *frames, size_t frame_count);

/* XPUB: the same to all that have subscribed. SOCKET_E_AGAIN: some have a full queue and go without this message and what
 * follows until they read; all others get it. 0 or -errno. */
int socket_publish(struct socket *socket, const struct iovec *frames, size_t frame_count);
/* The descriptor of the connection that the message came by; -1: unknown. It may be another's by now. */
int message_connection(const struct message *message);

/* Connection events of this socket (its monitor): a readable source for the loop. */
enum socket_event {
	SOCKET_CONNECTED, /* usable: the handshake is through; on either side */
	SOCKET_DISCONNECTED,
	SOCKET_HANDSHAKE_FAILED, /* no common words: one has keys and the other none, or not the server's key */
	SOCKET_KEY_REFUSED, /* a handshake failed, too: the server does not let our key in */
	SOCKET_CONNECT_FAILED, /* one attempt: refused, or no answer */
	SOCKET_ACCEPTED /* a peer's TCP or ipc connection, before its handshake */
};
/* Free the monitor after the socket: libzmq's I/O thread waits for a reader of its events, and holds a lock meanwhile that
 * closing the socket needs. */
int socket_monitor(struct socket *socket, struct socket **ret_monitor);
int socket_monitor_next(
	struct socket *monitor, enum socket_event *ret_event); /* 0 or SOCKET_E_AGAIN */
