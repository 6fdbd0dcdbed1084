#include "runtime/http.h"
#include "runtime/http_server.h"
#include "runtime/metrics.h"
#include "runtime/process_metrics.h"
#include <errno.h>
#include <stdlib.h>

enum {
	CONNECTIONS_MAX = 64, /* scrapers and probes */
	REQUEST_MS_MAX = 10000,
	ROUTE_COUNT = 3,
};

struct http {
	struct metrics *metrics;
	int (*ready)(void *owner, FILE *out);
	void *owner;
	struct http_route *routes; /* owned */
	struct http_server *server; /* NULL: none */
};

/* Writes the body, returns the HTTP status. */
typedef unsigned (*answer_fn)(struct http *http, FILE *out);

static void answer(
	struct http *http, struct http_request *request, const char *type, answer_fn write)
{
	struct http_response response = {.type = type};
	char *body = NULL;

	FILE *out = open_memstream(&body, &response.body_size);
	if (out == NULL) {
		http_request_refuse(request, 500, "out of memory", NULL);
		return;
	}
	response.status = write(http, out);
	if (fclose(out) != 0) {
		http_request_refuse(request, 500, "out of memory", NULL);
	} else {
		response.body = body;
		http_request_answer(request, &response);
	}
	free(body);
}

static unsigned write_metrics(struct http *http, FILE *out)
{
	if (http->metrics != NULL) {
		metrics_render(http->metrics, out);
	}
	process_metrics_write(out);
	return 200;
}

/* The loop runs, else there would be no answer. */
static unsigned write_livez(struct http *http, FILE *out)
{
	(void)http;
	fputs("ok\n", out);
	return 200;
}

static unsigned write_readyz(struct http *http, FILE *out)
{
	if (http->ready == NULL) {
		fputs("ready\n", out);
		return 200;
	}
	return http->ready(http->owner, out) ? 200 : 503;
}

static void on_metrics(void *owner, struct http_request *request)
{
	answer(owner, request, "text/plain; version=0.0.4; charset=utf-8", write_metrics);
}

static void on_livez(void *owner, struct http_request *request)
{
	answer(owner, request, "text/plain; charset=utf-8", write_livez);
}

static void on_readyz(void *owner, struct http_request *request)
{
	answer(owner, request, "text/plain; charset=utf-8", write_readyz);
}

/* Scrapers and probes, and whoever else comes. */
static struct http_server_options server_options(
	const struct http *http, const struct http_options *options)
{
	const struct http_site *site = options->site;
	struct http_server_options server = {
		.listen = options->listen,
		.loop = options->loop,
		.routes = http->routes,
		.route_count = ROUTE_COUNT,
		.connections_max = CONNECTIONS_MAX,
		.request_ms_max = REQUEST_MS_MAX,
	};

	if (site != NULL) {
		server.route_count += site->route_count;
		server.tls = site->tls;
		server.connections_max += site->connections_max;
		server.connections_per_address_max = site->connections_per_address_max;
		server.request_ms_max = site->request_ms_max;
		server.bodies_size_max = site->bodies_size_max;
		server.refusal_type = site->refusal_type;
		server.write_refusal = site->write_refusal;
		server.answered = site->answered;
		server.owner = site->owner;
	}
	return server;
}

static int start(struct http *http, const struct http_options *options)
{
	const struct http_server_options server = server_options(http, options);
	struct http_server_error error;

	int r = http_server_new(&server, &http->server, &error);
	if (r < 0 && options->error != NULL) {
		*options->error = error;
	}
	return r;
}

static int make_routes(struct http *http, const struct http_site *site)
{
	size_t more = site != NULL ? site->route_count : 0;

	http->routes = calloc(ROUTE_COUNT + more, sizeof *http->routes);
	if (http->routes == NULL) {
		return -ENOMEM;
	}
	http->routes[0] = (struct http_route){
		.method = "GET", .path = "/metrics", .handle = on_metrics, .owner = http};
	http->routes[1] = (struct http_route){
		.method = "GET", .path = "/livez", .handle = on_livez, .owner = http};
	http->routes[2] = (struct http_route){
		.method = "GET", .path = "/readyz", .handle = on_readyz, .owner = http};
	for (size_t i = 0; i < more; i++) {
		http->routes[ROUTE_COUNT + i] = site->routes[i];
	}
	return 0;
}

int http_new(const struct http_options *options, struct http **ret_http)
{
	struct http *http = calloc(1, sizeof *http);
	if (http == NULL) {
		return -ENOMEM;
	}
	http->metrics = options->metrics;
	http->ready = options->ready;
	http->owner = options->owner;
	int r = make_routes(http, options->site);
	if (r == 0 && options->listen != NULL && *options->listen != '\0') {
		r = start(http, options);
	}
	if (r < 0) {
		http_free(http);
		return r;
	}
	*ret_http = http;
	return 0;
}

struct http *http_free(struct http *http)
{
	if (http == NULL) {
		return NULL;
	}
	http_server_free(http->server);
	free(http->routes);
	free(http);
	return NULL;
}

struct http_server_counts http_counts(const struct http *http)
{
	return http->server != NULL ? http_server_counts(http->server)
				    : (struct http_server_counts){0};
}

const char *http_address(const struct http *http)
{
	return http->server != NULL ? http_server_address(http->server) : "";
}
