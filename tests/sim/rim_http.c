/* The rim of a simulated process: HTTP. Nobody connects; now and then somebody reads whether it is ready, and its metrics. */
#include "runtime/http.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include "tests/sim/world.h"
#include <errno.h>
#include <stdlib.h>

enum { ROUNDS_A_VISIT = 500 };

struct http {
	struct http_options options;
};

static int visit(void *owner, int64_t now_ms, int64_t *wait_ms)
{
	const struct http_options *options = &((struct http *)owner)->options;
	char *text = NULL;
	size_t size = 0;

	(void)now_ms, (void)wait_ms;
	if (world_draw(ROUNDS_A_VISIT) != 0) {
		return 0;
	}
	FILE *out = open_memstream(&text, &size);
	if (out == NULL) {
		abort();
	}
	options->ready(options->owner, out);
	metrics_render(options->metrics, out);
	fclose(out);
	free(text);
	return 0;
}

int http_new(const struct http_options *options, struct http **ret_http)
{
	struct http *http = calloc(1, sizeof *http);

	if (http == NULL) {
		return -ENOMEM;
	}
	http->options = *options;
	int r = loop_add_tick(options->loop, visit, http);
	if (r < 0) {
		free(http);
		return r;
	}
	*ret_http = http;
	return 0;
}

struct http *http_free(struct http *http)
{
	free(http);
	return NULL;
}

struct http_server_counts http_counts(const struct http *http)
{
	(void)http;
	return (struct http_server_counts){0};
}

const char *http_address(const struct http *http)
{
	(void)http;
	return "";
}
