/* http_server.h - a small HTTP/1.1 server on the loop (libmicrohttpd, no thread of its own). Routes are exact paths; a
 * handler answers at once, or keeps the request and answers later.
 *
 * Who asks is a stranger: the head, each body, all bodies together, connections, and the time that a request may take to
 * come in are bounded. What no handler answers the server does, in words: 400, 404, 405, 408, 413, 503.
 * One thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct http_request;
struct http_server;
struct loop;

struct http_header {
	const char *name;
	const char *value;
};

/* Everything is copied. Without a Cache-Control of its own it is not to be stored. */
struct http_response {
	unsigned status;
	const char *type; /* Content-Type */
	const struct http_header *headers;
	size_t header_count;
	const void *body;
	size_t body_size;
};

/* An answer that goes on until it is ended or its client goes. Headers are copied. */
struct http_stream {
	const char *type; /* Content-Type */
	const struct http_header *headers;
	size_t header_count;
	/* Its client has taken nearly all of what came before: writes up to `size` bytes and returns how many. 0: nothing now;
	 * it is asked again after http_request_wake. */
	size_t (*pull)(void *owner, void *bytes, size_t size);
	/* The last call: it was ended, or its client is gone, took nothing for request_ms_max, or the server ends. The request
	 * is not to be touched any more. */
	void (*ended)(void *owner);
	void *owner;
};

struct http_route {
	const char *method; /* "POST"; "GET" answers HEAD too */
	const char *path;
	size_t body_max; /* 0: takes none; what comes is read over */
	/* The head is in, and nothing of the body: may answer, then no body is kept. May be NULL. */
	void (*admit)(void *owner, struct http_request *request);
	/* The whole request: to be answered exactly once, now or later. It lives until then, also when its client is
	 * gone. */
	void (*handle)(void *owner, struct http_request *request);
	void *owner;
	bool is_unlisted; /* not named to those who ask for a path that there is not */
};

/* PEM files. */
struct http_tls_files {
	const char *cert; /* the chain, the server's own first */
	const char *key;
	const char *
		client_ca; /* NULL: anybody; else clients need a certificate that this one signed */
};

/* One answer, for metrics. */
struct http_exchange {
	const char *path; /* its route's; "": it has none */
	unsigned status;
	size_t body_size; /* of the request, as received */
	int64_t duration_us; /* from its head to the answer */
};

struct http_server_options {
	const char *listen; /* "127.0.0.1:7180", "[::1]:0" */
	struct loop *loop;
	const struct http_route *routes; /* borrowed, as long as the server lives */
	size_t route_count;
	const struct http_tls_files *tls; /* NULL: none */
	/* Past it the one that has been silent longest goes for each new one; where none is silent they wait. */
	unsigned connections_max;
	unsigned connections_per_address_max; /* of other machines; 0: no limit of its own */
	/* From a connection's beginning, or the last answer, to a whole request; and for taking the answer. */
	int64_t request_ms_max;
	size_t bodies_size_max; /* memory for bodies, all requests together */
	/* How the server's own refusals read; NULL: plain text, the words and a line end. */
	const char *refusal_type;
	void (*write_refusal)(void *owner, unsigned status, const char *words, FILE *out);
	void (*answered)(void *owner, const struct http_exchange *exchange); /* may be NULL */
	void *owner;
};

struct http_server_counts {
	unsigned connections; /* open now */
	uint64_t accepted;
	uint64_t refused; /* connections past the limit of their address */
	uint64_t displaced; /* silent connections that made room for others */
	uint64_t gone; /* clients that had hung up before their answer, or did within it */
	uint64_t
		broken; /* connections that ended within a request: malformed, cut off, or too slow */
};

struct http_server_error {
	char text[320]; /* "can't listen at …: Address already in use" */
};

int http_server_new(const struct http_server_options *options, struct http_server **ret_server,
	struct http_server_error *error);
/* Sends what can be sent at once; requests that nobody answered are dropped, and their handles with them. */
struct http_server *http_server_free(struct http_server *server);
const char *http_server_address(const struct http_server *server); /* "127.0.0.1:40002" */
struct http_server_counts http_server_counts(const struct http_server *server);
/* Accepts no more connections, and ends each with its next answer. */
void http_server_quiesce(struct http_server *server);

/* Borrowed until the request is answered; of one that streams until it ended. */
const char *http_request_method(const struct http_request *request);
const char *http_request_path(const struct http_request *request);
/* Case does not matter; the first of that name; NULL: there is none. */
const char *http_request_header(const struct http_request *request, const char *name);
/* ?name=value, decoded; "" for ?name; NULL: there is none. */
const char *http_request_argument(const struct http_request *request, const char *name);
/* All of that name, in their order: the first `max` of them, and how many there are. */
size_t http_request_arguments(
	const struct http_request *request, const char *name, const char **ret_values, size_t max);
const void *http_request_body(const struct http_request *request, size_t *ret_size);
/* It is not needed any more: its memory is others'. */
void http_request_drop_body(struct http_request *request);
const char *http_request_peer(const struct http_request *request); /* "192.0.2.1:40002" */
void http_request_answer(struct http_request *request, const struct http_response *response);
/* As the server's own refusals are written. `header`: one more, or NULL. */
void http_request_refuse(struct http_request *request, unsigned status, const char *words,
	const struct http_header *header);
/* Instead of an answer, from within `handle`: status 200, of unknown length. */
void http_request_stream(struct http_request *request, const struct http_stream *stream);
/* `pull` has something. Costs little where it is asked anyhow. */
void http_request_wake(struct http_request *request);
/* `pull` is asked no more; what it gave is sent. */
void http_request_end(struct http_request *request);
