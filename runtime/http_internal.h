/* http_internal.h - what the files of the HTTP server share: the server (http_server.c), its connections with their
 * deadlines (http_connection.c), requests on them (http_request.c), answers (http_answer.c), TLS (http_tls.c). */
#pragma once
#include "runtime/http_server.h"
#include "runtime/listener.h"
#include <sys/queue.h>
#include <sys/socket.h>

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

enum {
	/* Head of a request and of its answer, and as much of a body as is read in one go. */
	HTTP_CONNECTION_MEMORY = 32 * 1024,
	/* A refused body is read over so far, that the connection can be kept; longer ones are not waited for. */
	HTTP_DISCARD_SIZE_MAX = 1024 * 1024,
	HTTP_BODY_SIZE_MIN = 16 * 1024, /* the first piece of memory for a body */
	HTTP_PEER_SIZE = 64,
	/* Of a stream, that waits in the kernel beside what is on its way. */
	HTTP_STREAM_UNSENT_MAX = 64 * 1024,
};

/* ---- an answer, ready to be sent; zeroed: none yet */

struct answer {
	unsigned status;
	struct MHD_Response *response;
	const void *body; /* of `response` */
	size_t body_size;
};

bool answer_is_set(const struct answer *answer);
/* Stays unset without memory. */
void answer_set(struct answer *answer, const struct http_response *response);
/* One that goes on: `read` is libmicrohttpd's. */
void answer_set_stream(struct answer *answer, const struct http_stream *stream,
	ssize_t (*read)(void *owner, uint64_t position, char *bytes, size_t size), void *owner);
/* As options->write_refusal says. `header`: one more, or NULL. */
void answer_refuse(struct answer *answer, const struct http_server_options *options,
	unsigned status, const char *words, const struct http_header *header);
void answer_clear(struct answer *answer);
/* The whole of it as HTTP/1.1 that ends its connection. NULL without memory; the caller frees. */
char *answer_text(const struct answer *answer, size_t *ret_size);

/* ---- connections */

struct connection {
	struct http_server *server;
	struct MHD_Connection *mhd;
	struct http_request *request; /* the one at hand; NULL between two */
	int64_t deadline_ms; /* 0: it is we who let it wait */
	uint64_t heard_size; /* bytes that had come when the last request ended */
	/* It was told that it is over: what still comes is read over, so that it can read why. */
	bool is_over;
	struct sockaddr_storage address;
	char peer[HTTP_PEER_SIZE];
	LIST_ENTRY(connection) siblings;
	TAILQ_ENTRY(connection) deadlines;
};

LIST_HEAD(connection_list, connection);
TAILQ_HEAD(deadline_list, connection); /* the same time for all: in order of their beginning */

struct http_server {
	struct http_server_options options;
	struct MHD_Daemon *daemon;
	int epoll_fd;
	struct http_tls *tls;
	struct connection_list connections;
	struct deadline_list deadlines;
	size_t bodies_size; /* memory held */
	size_t read_size; /* of bodies, in this round */
	unsigned connection_count; /* after the last run */
	bool has_resumed; /* connections that libmicrohttpd has not looked at since */
	bool is_quiescing;
	bool is_ending; /* `handle` is called no more */
	struct http_server_counts counts;
	char address[LISTENER_ADDRESS_SIZE];
};

/* Libmicrohttpd's callbacks. */
struct connection *connection_open(struct http_server *server, struct MHD_Connection *mhd);
struct connection *connection_close(struct connection *connection);
struct connection *connection_of(struct MHD_Connection *mhd);
/* A new connection from there is within its address's limit. */
bool connection_may_open(const struct http_server *server, const struct sockaddr *address);
/* One more is coming: past the limit the one that has had no request at hand for the longest time is ended. */
void connections_make_room(struct http_server *server);
/* The time for a request, or for taking an answer, begins anew. */
void connection_hurry(struct connection *connection);
void connection_rest(struct connection *connection);
/* So little waits for the way to its client that what is pulled next is new. */
void connection_keep_short(const struct connection *connection);
/* A request ended; the next may come. */
void connection_renew(struct connection *connection);
/* Its client sends no more, and most likely reads no more. */
bool connection_is_hung_up(const struct connection *connection);
/* Past libmicrohttpd, which answers only whole requests: says it at once and ends the connection. */
void connection_tell(struct connection *connection, const struct answer *answer);
/* Ends those whose time is over. The ms to the next one, -1: none. */
int64_t connections_expire(struct http_server *server, int64_t now_ms);

/* ---- requests */

/* What libmicrohttpd calls for: the head, pieces of the body, the end. */
struct request_step {
	const char *method;
	const char *path;
	const char *bytes;
	size_t *size; /* taken is set to 0 */
};
/* MHD_YES to go on, MHD_NO to end the connection. */
int request_step(struct connection *connection, const struct request_step *step, void **request);
void request_free(struct http_request *request, bool is_answered);
/* Drops all that wait for their handlers, and those that come from now on. */
void requests_drop(struct http_server *server);
/* 408 where a body is being sent. false: there is no request, or it is whole. */
bool request_expire(struct http_request *request);

/* ---- TLS */

/* Reads and checks the files. 0 or a negative errno with the error's text. */
int http_tls_load(const struct http_tls_files *files, struct http_tls **ret_tls,
	struct http_server_error *error);
struct http_tls *http_tls_free(struct http_tls *tls);
const char *http_tls_cert(const struct http_tls *tls); /* PEM text */
const char *http_tls_key(const struct http_tls *tls);
const char *http_tls_client_ca(const struct http_tls *tls); /* NULL: none */
const char *http_tls_priorities(void);
/* `session` is GnuTLS's: no handshake without a certificate of the CA. */
void http_tls_demand_certificate(void *session);
void http_tls_send(void *session, const void *bytes, size_t size);
