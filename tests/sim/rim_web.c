/* The rim of a simulated aggregator: its side of HTTP. Nobody connects. */
#include "aggregator/web/web.h"

int web_new(const struct web_options *options, struct web **ret_web)
{
	(void)options;
	*ret_web = NULL;
	return 0;
}

struct web *web_free(struct web *web)
{
	(void)web;
	return NULL;
}

void web_moved(struct web *web)
{
	(void)web;
}

const struct http_site *web_site(const struct web *web)
{
	(void)web;
	return NULL;
}
