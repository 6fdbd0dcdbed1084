/* http.h - what every daemon answers over HTTP (http_server.h): /metrics, /livez, /readyz (GET and HEAD), and what one serves
 * beside them. */
#pragma once
#include "runtime/http_server.h"

struct http;
struct loop;
struct metrics;

/* What a program serves beside the three. As in struct http_server_options; borrowed, as long as it lives. */
struct http_site {
	const struct http_route *routes;
	size_t route_count;
	const struct http_tls_files *tls;
	unsigned connections_max;
	unsigned connections_per_address_max;
	int64_t request_ms_max;
	size_t bodies_size_max;
	const char *refusal_type;
	void (*write_refusal)(void *owner, unsigned status, const char *words, FILE *out);
	void (*answered)(void *owner, const struct http_exchange *exchange);
	void *owner;
};

struct http_options {
	const char *listen; /* "127.0.0.1:9170", "[::1]:0"; "" or NULL: no server */
	struct loop *loop;
	struct metrics *metrics;
	/* Writes why to `out` and returns true when ready. A program that buffers says so and is ready. */
	int (*ready)(void *owner, FILE *out);
	void *owner;
	const struct http_site *site; /* NULL: nothing more */
	struct http_server_error *error; /* said here where http_new fails; may be NULL */
};

int http_new(const struct http_options *options, struct http **ret_http);
struct http *http_free(struct http *http);
/* Zeros without a server. */
struct http_server_counts http_counts(const struct http *http);
const char *http_address(const struct http *http); /* "127.0.0.1:40002", "" without */
