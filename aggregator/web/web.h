/* web.h - the second front of queries: HTTP (docs/HTTP.md). POST /query and GET /views, answered as over the ROUTER, GET /events,
 * which answers anew for as long as somebody looks, and the console's files. It lives beside /metrics, /livez and /readyz: http_new is given its site. The loop's thread. */
#pragma once
#include "aggregator/web/web_rules.h"
#include "runtime/http.h"

struct buffer;
struct loop;
struct metrics;
struct queries;
struct web;

/* Borrowed, all of it. */
struct web_options {
	struct loop *loop;
	struct metrics *metrics;
	struct queries *queries;
	const struct web_access *access;
	const struct http_tls_files *tls; /* NULL: none */
	size_t watchers_max; /* of /events, at once */
	/* As in struct watchers_options. */
	int (*write_alive)(void *owner, struct buffer *out);
	void *owner;
};

int web_new(const struct web_options *options, struct web **ret_web);
/* After the server that has its site. */
struct web *web_free(struct web *web);
/* Totals may be others than before. Takes NULL. */
void web_moved(struct web *web);
const struct http_site *web_site(const struct web *web);
