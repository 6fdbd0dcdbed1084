/* What libzmq 4.3.4 does silently is made loud here: an unroutable or full peer is an answer of socket_send, a message of
 * too many frames an answer of socket_receive. Routing ids are never set: a duplicate one is swallowed without a word. */
#include "runtime/socket.h"
#include "runtime/context.h"
#include "runtime/guard_internal.h"
#include "runtime/socket_internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum {
	FRAME_SIZE_MAX_DEFAULT = 8 * 1024 * 1024,
	HANDSHAKE_MS = 10000, /* a peer that connects and says nothing is dropped after this */
	RECONNECT_MS = 100,
	RECONNECT_MS_MAX = 2000, /* a bridge that is back is found again within seconds */
	BACKLOG = 512, /* all stores of a chain come back at once after a power cut */
	KEEPALIVE_IDLE_S = 60,
	KEEPALIVE_INTERVAL_S = 10,
	KEEPALIVE_COUNT = 3,
	/* In zmq.h only with the draft API, in the library always: without a ZAP handler nobody gets in. */
	ZAP_ENFORCE_DOMAIN = 93,
};

struct message_store {
	size_t count;
	zmq_msg_t frames[SOCKET_FRAMES_MAX];
};

static const int type_codes[] = {
	[SOCKET_ROUTER] = ZMQ_ROUTER,
	[SOCKET_DEALER] = ZMQ_DEALER,
	[SOCKET_PULL] = ZMQ_PULL,
	[SOCKET_PUSH] = ZMQ_PUSH,
	[SOCKET_PUB] = ZMQ_PUB,
	[SOCKET_XPUB] = ZMQ_XPUB,
	[SOCKET_SUB] = ZMQ_SUB,
	[SOCKET_REQ] = ZMQ_REQ,
};

int socket_error(int code)
{
	switch (code) {
	case EFSM:
		return -EBUSY;
	case ETERM:
		return -ECANCELED;
	case ENOCOMPATPROTO:
		return -EPROTONOSUPPORT;
	case EMTHREAD:
		return -EMFILE;
	default:
		return code > 0 ? -code : -EIO;
	}
}

/* Collects the first failure, so that a list of options reads as a list. */
static void set_int(struct socket *socket, int option, int value, int *r)
{
	if (*r == 0 && zmq_setsockopt(socket->handle, option, &value, sizeof value) < 0) {
		*r = socket_error(errno);
	}
}

static void set_int64(struct socket *socket, int option, int64_t value, int *r)
{
	if (*r == 0 && zmq_setsockopt(socket->handle, option, &value, sizeof value) < 0) {
		*r = socket_error(errno);
	}
}

static void set_text(struct socket *socket, int option, const char *value, int *r)
{
	if (*r == 0 && zmq_setsockopt(socket->handle, option, value, strlen(value)) < 0) {
		*r = socket_error(errno);
	}
}

static int set_queues(struct socket *socket, const struct socket_options *options)
{
	int r = 0;

	set_int(socket, ZMQ_LINGER, 0, &r);
	if (options->send_queue_messages > 0) {
		set_int(socket, ZMQ_SNDHWM, options->send_queue_messages, &r);
	}
	if (options->receive_queue_messages > 0) {
		set_int(socket, ZMQ_RCVHWM, options->receive_queue_messages, &r);
	}
	int64_t size_max = options->frame_size_max;
	set_int64(socket, ZMQ_MAXMSGSIZE, size_max > 0 ? size_max : FRAME_SIZE_MAX_DEFAULT, &r);
	return r;
}

static int set_connection(struct socket *socket, const struct socket_options *options)
{
	int r = 0;

	set_int(socket, ZMQ_BACKLOG, BACKLOG, &r);
	set_int(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS, &r);
	set_int(socket, ZMQ_RECONNECT_IVL, options->one_connection ? -1 : RECONNECT_MS, &r);
	set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX, &r);
	set_int(socket, ZMQ_TCP_KEEPALIVE, 1, &r);
	set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S, &r);
	set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_INTERVAL_S, &r);
	set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_COUNT, &r);
	set_int(socket, ZMQ_IMMEDIATE, options->immediate ? 1 : 0, &r);
	if (options->connect_timeout_ms > 0) {
		set_int(socket, ZMQ_CONNECT_TIMEOUT, options->connect_timeout_ms, &r);
	}
	if (options->heartbeat_ms > 0) {
		set_int(socket, ZMQ_HEARTBEAT_IVL, options->heartbeat_ms, &r);
		set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, 3 * options->heartbeat_ms, &r);
		set_int(socket, ZMQ_HEARTBEAT_TTL, 3 * options->heartbeat_ms, &r);
	}
	return r;
}

static int set_type(struct socket *socket, enum socket_type type)
{
	int r = 0;

	if (type == SOCKET_ROUTER) {
		set_int(socket, ZMQ_ROUTER_MANDATORY, 1, &r);
	}
	if (type == SOCKET_XPUB) { /* each subscription is told; a full queue is an answer */
		set_int(socket, ZMQ_XPUB_VERBOSE, 1, &r);
		set_int(socket, ZMQ_XPUB_NODROP, 1, &r);
	}
	if (type == SOCKET_REQ) { /* a lost reply must not wedge it, nor a late one be taken */
		set_int(socket, ZMQ_REQ_RELAXED, 1, &r);
		set_int(socket, ZMQ_REQ_CORRELATE, 1, &r);
	}
	return r;
}

static int set_curve(struct socket *socket, const struct socket_options *options)
{
	int r = 0;

	if (options->curve_secret_key == NULL) {
		return 0;
	}
	set_text(socket, ZMQ_CURVE_SECRETKEY, options->curve_secret_key, &r);
	if (options->curve_server_key != NULL) {
		if (options->curve_public_key == NULL) {
			return -EINVAL;
		}
		set_text(socket, ZMQ_CURVE_PUBLICKEY, options->curve_public_key, &r);
		set_text(socket, ZMQ_CURVE_SERVERKEY, options->curve_server_key, &r);
		return r;
	}
	set_int(socket, ZMQ_CURVE_SERVER, 1, &r);
	set_text(socket, ZMQ_ZAP_DOMAIN,
		options->curve_domain != NULL ? options->curve_domain : "till", &r);
	set_int(socket, ZAP_ENFORCE_DOMAIN, 1, &r);
	return r;
}

int socket_open(struct context *context, int code, struct socket **ret_socket)
{
	struct socket *socket = calloc(1, sizeof *socket);
	if (socket == NULL) {
		return -ENOMEM;
	}
	socket->handle = zmq_socket(context->handle, code);
	if (socket->handle == NULL) {
		int r = socket_error(errno);
		free(socket);
		return r;
	}
	socket->context = context;
	context->socket_count++;
	*ret_socket = socket;
	return 0;
}

int socket_new(struct context *context, enum socket_type type, const struct socket_options *options,
	struct socket **ret_socket)
{
	static const struct socket_options defaults = {0};
	struct socket *socket = NULL;

	options = options != NULL ? options : &defaults;
	int r = socket_open(context, type_codes[type], &socket);
	if (r < 0) {
		return r;
	}
	r = set_queues(socket, options);
	r = r == 0 ? set_connection(socket, options) : r;
	r = r == 0 ? set_type(socket, type) : r;
	r = r == 0 ? set_curve(socket, options) : r;
	if (r < 0) {
		socket_free(socket);
		return r;
	}
	*ret_socket = socket;
	return 0;
}

struct socket *socket_free(struct socket *socket)
{
	if (socket == NULL) {
		return NULL;
	}
	guard_forget(socket->context->guard, socket);
	if (socket->monitored) {
		(void)zmq_socket_monitor(socket->handle, NULL, 0);
	}
	(void)zmq_close(socket->handle);
	socket->context->socket_count--;
	free(socket);
	return NULL;
}

/* libzmq takes one family per address: with IPv6 on, a name with an AAAA record never falls back to IPv4, and an IPv4
 * literal comes back mapped. So: literals as they are written, "*" both, names IPv6 first. */
static bool wants_ipv6(const char *endpoint)
{
	char host[INET_ADDRSTRLEN];
	struct in_addr v4;

	const char *start = strstr(endpoint, "://");
	start = start != NULL ? start + 3 : endpoint;
	const char *end = strrchr(start, ':');
	size_t size = end != NULL ? (size_t)(end - start) : strlen(start);
	if (size >= sizeof host) {
		return true;
	}
	memcpy(host, start, size);
	host[size] = '\0';
	return inet_pton(AF_INET, host, &v4) != 1;
}

/* libzmq binds to addresses and interfaces, never to names: localhost is 127.0.0.1 here, for bind and connect alike. */
static int prepare_endpoint(
	struct socket *socket, const char *endpoint, char ret_endpoint[ENDPOINT_SIZE])
{
	static const char local[] = "tcp://localhost:";
	bool is_local = strncmp(endpoint, local, sizeof local - 1) == 0;
	int r = 0;

	int size = snprintf(ret_endpoint, ENDPOINT_SIZE, "%s%s", is_local ? "tcp://127.0.0.1:" : "",
		endpoint + (is_local ? sizeof local - 1 : 0));
	if (size >= ENDPOINT_SIZE) {
		return -ENAMETOOLONG;
	}
	if (strncmp(ret_endpoint, "tcp://", 6) == 0) {
		set_int(socket, ZMQ_IPV6, wants_ipv6(ret_endpoint) ? 1 : 0, &r);
	}
	return r;
}

int socket_bind(struct socket *socket, const char *endpoint, char ret_endpoint[ENDPOINT_SIZE])
{
	char bound[ENDPOINT_SIZE];
	size_t size = sizeof bound;

	int r = prepare_endpoint(socket, endpoint, bound);
	if (r < 0) {
		return r;
	}
	if (zmq_bind(socket->handle, bound) < 0 ||
		zmq_getsockopt(socket->handle, ZMQ_LAST_ENDPOINT, bound, &size) < 0) {
		return socket_error(errno);
	}
	guard_watch(socket->context->guard, socket, bound);
	if (ret_endpoint != NULL) {
		memcpy(ret_endpoint, bound, size);
	}
	return 0;
}

int socket_connect(struct socket *socket, const char *endpoint)
{
	char address[ENDPOINT_SIZE];

	int r = prepare_endpoint(socket, endpoint, address);
	if (r < 0) {
		return r;
	}
	return zmq_connect(socket->handle, address) < 0 ? socket_error(errno) : 0;
}

int socket_subscribe(struct socket *socket, const void *prefix, size_t prefix_size)
{
	int r = zmq_setsockopt(socket->handle, ZMQ_SUBSCRIBE, prefix, prefix_size);
	return r < 0 ? socket_error(errno) : 0;
}

static void close_frames(struct message *message)
{
	if (message->store != NULL) {
		for (size_t i = 0; i < message->store->count; i++) {
			(void)zmq_msg_close(&message->store->frames[i]);
		}
		message->store->count = 0;
	}
	message->frame_count = 0;
	message->user_id[0] = '\0';
	message->peer_address[0] = '\0';
}

void message_clear(struct message *message)
{
	close_frames(message);
	free(message->store);
	message->store = NULL;
}

static int receive_frame(struct socket *socket, zmq_msg_t *frame)
{
	int r;

	zmq_msg_init(frame);
	do {
		r = zmq_msg_recv(frame, socket->handle, ZMQ_DONTWAIT);
	} while (r < 0 && errno == EINTR);
	if (r < 0) {
		int code = errno;
		(void)zmq_msg_close(frame);
		socket->is_read_out = socket->is_read_out || code == EAGAIN;
		return code == EAGAIN ? SOCKET_E_AGAIN : socket_error(code);
	}
	return 0;
}

/* libzmq shows a message only when all of it is there, so the rest can be read without waiting. */
static int drain_rest(struct socket *socket)
{
	bool more = true;

	while (more) {
		zmq_msg_t frame;
		int r = receive_frame(socket, &frame);
		if (r != 0) {
			return r < 0 ? r : SOCKET_E_TOO_MANY_FRAMES;
		}
		more = zmq_msg_more(&frame) != 0;
		(void)zmq_msg_close(&frame);
	}
	return SOCKET_E_TOO_MANY_FRAMES;
}

/* Fills the store up to the message's last frame. */
static int receive_frames(struct socket *socket, struct message_store *store)
{
	bool more = true;

	while (more) {
		if (store->count == SOCKET_FRAMES_MAX) {
			return drain_rest(socket);
		}
		zmq_msg_t *frame = &store->frames[store->count];
		int r = receive_frame(socket, frame);
		if (r != 0) {
			return r < 0 || store->count == 0 ? r : -EPROTO;
		}
		store->count++;
		more = zmq_msg_more(frame) != 0;
	}
	return 0;
}

/* On a polled ROUTER the frame of the routing id lacks the property (fixed after 4.3.4): take the last frame's. */
static void read_peer(struct message *message)
{
	zmq_msg_t *last = &message->store->frames[message->store->count - 1];
	const char *user_id = zmq_msg_gets(last, "User-Id");
	const char *address = zmq_msg_gets(last, "Peer-Address");

	/* A name that does not fit must not become another's: it stays empty, and so has no rights. */
	if (user_id != NULL && strlen(user_id) < sizeof message->user_id) {
		memcpy(message->user_id, user_id, strlen(user_id) + 1);
	}
	if (address != NULL && strlen(address) < sizeof message->peer_address) {
		memcpy(message->peer_address, address, strlen(address) + 1);
	}
}

/* Which connection a message came by, and how many bytes it was there, roughly. Properties are in the last frame. */
static void tell_guard(const struct socket *socket, struct message_store *store)
{
	enum { FRAME_OVERHEAD = 64 }; /* ZMTP's and CURVE's, at most */
	uint64_t bytes = 0;

	if (socket->context->guard == NULL || store->count == 0) {
		return;
	}
	for (size_t i = 0; i < store->count; i++) {
		bytes += zmq_msg_size(&store->frames[i]) + FRAME_OVERHEAD;
	}
	const char *fd = zmq_msg_gets(&store->frames[store->count - 1], "__fd");
	if (fd != NULL) {
		guard_heard(socket->context->guard, atoi(fd), bytes);
	}
}

int socket_receive(struct socket *socket, struct message *message)
{
	close_frames(message);
	if (message->store == NULL) {
		message->store = calloc(1, sizeof *message->store);
		if (message->store == NULL) {
			return -ENOMEM;
		}
	}
	int r = receive_frames(socket, message->store);
	tell_guard(socket, message->store);
	if (r != 0) {
		close_frames(message);
		return r;
	}
	message->frame_count = message->store->count;
	for (size_t i = 0; i < message->frame_count; i++) {
		zmq_msg_t *frame = &message->store->frames[i];
		message->frames[i] = (struct iovec){zmq_msg_data(frame), zmq_msg_size(frame)};
	}
	read_peer(message);
	return 0;
}

static int send_frame(struct socket *socket, zmq_msg_t *frame, bool more)
{
	int r;

	do {
		r = zmq_msg_send(frame, socket->handle, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
	} while (r < 0 && errno == EINTR);
	if (r >= 0) {
		return 0; /* the frame is libzmq's now, and empty here */
	}
	if (errno == EAGAIN) {
		return SOCKET_E_AGAIN;
	}
	return errno == EHOSTUNREACH ? SOCKET_E_UNREACHABLE : socket_error(errno);
}

static int copy_frame(const struct iovec *bytes, zmq_msg_t *frame)
{
	if (zmq_msg_init_size(frame, bytes->iov_len) < 0) {
		return socket_error(errno);
	}
	if (bytes->iov_len > 0) {
		memcpy(zmq_msg_data(frame), bytes->iov_base, bytes->iov_len);
	}
	return 0;
}

/* When a connection ends between two frames of a message, libzmq rolls back the first ones, answers EAGAIN and drops
 * what follows up to the message's last frame. So the rest is given to it all the same, else it would drop the next message. */
static int send_frames(struct socket *socket, zmq_msg_t *frames, size_t frame_count)
{
	int result = 0;

	for (size_t i = 0; i < frame_count; i++) {
		int r = send_frame(socket, &frames[i], i + 1 < frame_count);
		result = result == 0 ? r : result;
		if (i == 0 && r != 0) {
			break;
		}
	}
	return result;
}

typedef int (*send_fn)(struct socket *socket, zmq_msg_t *frames, size_t frame_count);

static int send_copies(
	struct socket *socket, const struct iovec *frames, size_t frame_count, send_fn send)
{
	zmq_msg_t copies[SOCKET_FRAMES_MAX];
	size_t copied = 0;
	int r = 0;

	if (frame_count == 0 || frame_count > SOCKET_FRAMES_MAX) {
		return -EINVAL;
	}
	while (r == 0 && copied < frame_count) {
		r = copy_frame(&frames[copied], &copies[copied]);
		copied += r == 0;
	}
	if (r == 0) {
		r = send(socket, copies, frame_count);
	}
	for (size_t i = 0; i < copied; i++) {
		(void)zmq_msg_close(&copies[i]); /* of a frame that was sent: nothing */
	}
	return r;
}

int socket_send(struct socket *socket, const struct iovec *frames, size_t frame_count)
{
	return send_copies(socket, frames, frame_count, send_frames);
}

/* Without dropping a full queue keeps the message from all; so it is asked first, and then told to drop. */
static int publish_frames(struct socket *socket, zmq_msg_t *frames, size_t frame_count)
{
	int r = send_frames(socket, frames, frame_count);
	if (r != SOCKET_E_AGAIN) {
		return r;
	}
	int dropped = 0;
	set_int(socket, ZMQ_XPUB_NODROP, 0, &dropped);
	if (dropped == 0) {
		dropped = send_frames(socket, frames, frame_count);
	}
	set_int(socket, ZMQ_XPUB_NODROP, 1, &dropped);
	return dropped == 0 ? SOCKET_E_AGAIN : dropped;
}

int socket_publish(struct socket *socket, const struct iovec *frames, size_t frame_count)
{
	return send_copies(socket, frames, frame_count, publish_frames);
}

int message_connection(const struct message *message)
{
	const struct message_store *store = message->store;
	const char *fd = store == NULL || store->count == 0
				 ? NULL
				 : zmq_msg_gets(&store->frames[store->count - 1], "__fd");

	return fd != NULL ? atoi(fd) : -1;
}
