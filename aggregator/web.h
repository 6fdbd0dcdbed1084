/* web.h - the second front of queries: HTTP (docs/HTTP.md). POST /query and GET /views, answered as over the ROUTER, and the
 * console's files. It lives beside /metrics, /livez and /readyz: http_new is given its site. The loop's thread. */
#pragma once
#include "aggregator/web_rules.h"
#include "runtime/http.h"

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
};

int web_new(const struct web_options *options, struct web **ret_web);
/* After the server that has its site. */
struct web *web_free(struct web *web);
const struct http_site *web_site(const struct web *web);
