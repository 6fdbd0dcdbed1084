/* watchers.h - those who look at standing queries over HTTP, as server-sent events: each new answer to each of them, the
 * newest where one is slow, and a sign of life each quiet second. The loop's thread. */
#pragma once
#include "aggregator/web/standing.h"
#include "runtime/http_server.h"

struct buffer;
struct watchers;

enum {
	WATCHED_MAX = 32, /* queries of one: the panels of a page */
	WATCHERS_ALIVE_MS = 1000,
	WATCHERS_STATE_MS =
		3000, /* a sign of life comes so often even where answers come all the time */
};

struct watchers_options {
	struct standing *standing; /* borrowed */
	size_t watchers_max;
	/* Writes {"as_of":…,"state":…,"problems":[…]}: how fresh the totals are, and what the aggregator is at. 0 or -errno. */
	int (*write_alive)(void *owner, struct buffer *out);
	void *owner;
};

struct watchers_counts {
	size_t watchers; /* now */
	uint64_t sent; /* answers that were begun */
	uint64_t conflated; /* that were overtaken by newer ones before they were begun */
};

/* What one wants to see. */
struct watch {
	const struct key_holder *holder;
	const char *const *queries; /* JSON */
	size_t count;
	const struct http_header *headers;
	size_t header_count;
};

int watchers_new(const struct watchers_options *options, struct watchers **ret_watchers);
/* After the server whose requests it has. */
struct watchers *watchers_free(struct watchers *watchers);
/* Streams. WATCHERS_E_FULL, WATCHERS_E_QUERIES or -ENOMEM: nothing was done. */
enum { WATCHERS_E_FULL = 1, WATCHERS_E_QUERIES };
int watchers_add(struct watchers *watchers, struct http_request *request, const struct watch *watch,
	int64_t now_ms);
/* After standing_turn. */
int watchers_turn(
	struct watchers *watchers, bool has_changed, int64_t now_ms, int64_t *ret_wait_ms);
struct watchers_counts watchers_counts(const struct watchers *watchers);
