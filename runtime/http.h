/* http.h - what every daemon answers over HTTP (http_server.h): /metrics, /livez, /readyz. GET and HEAD. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct http;
struct loop;
struct metrics;

struct http_options {
	const char *listen; /* "127.0.0.1:9170", "[::1]:0"; "" or NULL: no server */
	struct loop *loop;
	struct metrics *metrics;
	/* Writes why to `out` and returns true when ready. A program that buffers says so and is ready. */
	int (*ready)(void *owner, FILE *out);
	void *owner;
};

int http_new(const struct http_options *options, struct http **ret_http);
struct http *http_free(struct http *http);
const char *http_address(const struct http *http); /* "127.0.0.1:40002", "" without */
