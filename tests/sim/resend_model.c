/* The way from an aggregator to an edge, which no simulated administrator asks for: there is none. */
#include "client/resend.h"
#include <errno.h>

int resend_new(const struct resend_options *options, struct resend **ret_resend)
{
	(void)options, (void)ret_resend;
	return -ENOTSUP;
}

struct resend *resend_free(struct resend *resend)
{
	return resend;
}

int resend_start(struct resend *resend, struct slice event, int64_t now_ms)
{
	(void)resend, (void)event, (void)now_ms;
	return -ENOTSUP;
}

int resend_step(struct resend *resend, int64_t now_ms, int64_t *ret_wait_ms)
{
	(void)resend, (void)now_ms, (void)ret_wait_ms;
	return -ENOTSUP;
}

bool resend_result(const struct resend *resend, struct resend_answer *ret_answer)
{
	(void)resend, (void)ret_answer;
	return false;
}
