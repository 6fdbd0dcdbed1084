/* web_rules.h - whom the aggregator answers over HTTP, and as what. A browser that is led here by another's page is not the
 * asker that it looks like: Host says under which name it came, Origin whose page sent it. Pure. */
#pragma once
#include "proto/reason.h"
#include "runtime/key_holder.h"

/* [http], as far as it is about rights; texts are NULL where they are not set. */
struct web_access {
	const char *listen; /* "": nowhere */
	const char *hosts; /* list: names beside this machine's own */
	const char *token;
	const char *admin_token;
	bool demands_certificate; /* tls_client_ca: nobody connects without one */
	bool has_keys; /* [security] authorized: over ZeroMQ nobody reads without a key */
	bool is_insecure;
};

/* Headers of a request; NULL where they did not come. */
struct web_said {
	const char *host;
	const char *origin;
	const char *site; /* Sec-Fetch-Site */
	const char *authorization;
};

struct web_refusal {
	unsigned status;
	enum reason reason;
	const char *words; /* a literal */
	bool wants_token; /* WWW-Authenticate: Bearer */
};

/* 0, -EINVAL with the error set: settings that contradict each other, or let strangers in. */
int web_access_check(const struct web_access *access, bool has_tls, struct config_error *error);
/* Is it asked under one of our names, and by no other's page? For pages and data alike. */
bool web_knows_host(const struct web_access *access, const struct web_said *said,
	struct web_refusal *ret_refusal);
/* What whoever asks may do; NULL: nothing, and why. Only where web_knows_host. It lives as long as the program. */
const struct key_holder *web_holder(const struct web_access *access, const struct web_said *said,
	struct web_refusal *ret_refusal);
/* Of an answer to a query. */
unsigned web_status_of(enum reason reason);
