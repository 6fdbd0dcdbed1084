/* http_get.h - one small GET: for what the daemons say about themselves. Blocks for at most timeout_ms. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { HTTP_BODY_SIZE_MAX = 64 * 1024 };

struct http_answer {
	int status; /* 200, 503, … */
	size_t size;
	char body[HTTP_BODY_SIZE_MAX + 1]; /* ended by a NUL; cut at HTTP_BODY_SIZE_MAX */
};

/* `address`: "127.0.0.1:9170", "[::1]:9170", perhaps with http:// in front. 0, -EINVAL (address), -EPROTO (no HTTP),
 * -ETIMEDOUT, or another negative errno. */
int http_get(
	const char *address, const char *path, int64_t timeout_ms, struct http_answer *ret_answer);
