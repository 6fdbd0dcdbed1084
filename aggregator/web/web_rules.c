#include "aggregator/web/web_rules.h"
#include "runtime/endpoint.h"
#include "runtime/http_token.h"
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum {
	HOST_SIZE = 256, /* a name in DNS has 253 */
	PORT_DIGITS_MAX = 5,
};

/* ---- names */

/* A colon and a number, which may be missing, or nothing: what a browser may send. */
static bool is_port(const char *text)
{
	size_t size = text[0] == ':' ? strspn(text + 1, "0123456789") : 0;

	return text[0] == '\0' ||
	       (text[0] == ':' && size <= PORT_DIGITS_MAX && text[1 + size] == '\0');
}

/* "[::1]:9172" → "[::1]", "localhost:9172" → "localhost". false: too long, or what follows is no port. */
static bool cut_port(const char *authority, char host[HOST_SIZE])
{
	const char *bracket = strrchr(authority, ']');
	const char *colon = strrchr(bracket != NULL ? bracket : authority, ':');
	size_t size = colon != NULL ? (size_t)(colon - authority) : strlen(authority);

	if (size == 0 || size >= HOST_SIZE || !is_port(authority + size)) {
		return false;
	}
	memcpy(host, authority, size);
	host[size] = '\0';
	return true;
}

/* No name server can lead a number elsewhere. */
static bool is_number(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];
	char bare[HOST_SIZE];
	size_t size = strlen(host);

	if (host[0] != '[' || host[size - 1] != ']') {
		return inet_pton(AF_INET, host, address) == 1;
	}
	memcpy(bare, host + 1, size - 2);
	bare[size - 2] = '\0';
	return inet_pton(AF_INET6, bare, address) == 1;
}

static bool is_in_list(const char *list, const char *host)
{
	char item[HOST_SIZE];

	while (list != NULL && config_list_next(&list, item, sizeof item)) {
		if (strcasecmp(item, host) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_our_name(const struct web_access *access, const char *authority)
{
	char host[HOST_SIZE];

	if (authority == NULL || !cut_port(authority, host)) {
		return false;
	}
	if (strcasecmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
		strcmp(host, "[::1]") == 0 || is_in_list(access->hosts, host)) {
		return true;
	}
	return is_number(host) && (endpoint_is_local(host) || !endpoint_is_local(access->listen));
}

/* Of the very host and port that it is sent to. */
static bool is_our_page(const char *origin, const char *authority)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		size_t size = strlen(schemes[i]);
		if (strncasecmp(origin, schemes[i], size) == 0) {
			return strcasecmp(origin + size, authority) == 0;
		}
	}
	return false;
}

static bool refuse(struct web_refusal *ret_refusal, const char *words)
{
	*ret_refusal = (struct web_refusal){403, REASON_FORBIDDEN, words, false};
	return false;
}

bool web_knows_host(const struct web_access *access, const struct web_said *said,
	struct web_refusal *ret_refusal)
{
	if (!is_our_name(access, said->host)) {
		return refuse(ret_refusal, "asked under a name that is not this server's: [http] "
					   "hosts lists those it goes by");
	}
	if (said->origin != NULL && !is_our_page(said->origin, said->host)) {
		return refuse(ret_refusal, "pages of other servers may not ask here");
	}
	return true;
}

/* ---- rights */

static char all[] = "*";
static const struct key_holder reader = {.name = "http token", .views = all, .stores = all};
static const struct key_holder administrator = {
	.name = "http admin_token", .views = all, .stores = all, .is_admin = true};

/* Without a token to tell them by, strangers are kept away by where we listen. */
static bool is_open(const struct web_access *access)
{
	if (access->token != NULL) {
		return false;
	}
	return access->demands_certificate ||
	       (!access->has_keys && (access->is_insecure || endpoint_is_local(access->listen)));
}

static const struct key_holder *ask_for_token(
	const struct web_access *access, struct web_refusal *ret_refusal)
{
	bool has_token = access->token != NULL || access->admin_token != NULL;
	*ret_refusal = (struct web_refusal){
		.status = has_token ? 401 : 403,
		.reason = REASON_FORBIDDEN,
		.words = has_token ? "who asks must say the token: Authorization: Bearer TOKEN"
				   : "over ZeroMQ only known keys may ask, so here nobody may: "
				     "[http] token_file names the token that may",
		.wants_token = has_token,
	};
	return NULL;
}

const struct key_holder *web_holder(const struct web_access *access, const struct web_said *said,
	struct web_refusal *ret_refusal)
{
	const char *authorization = said->authorization;

	/* A page of another server, or of another port, that sends no Origin: a picture, a link to a file. */
	if (said->site != NULL && strcmp(said->site, "same-origin") != 0 &&
		strcmp(said->site, "none") != 0) {
		refuse(ret_refusal, "pages of other servers may not ask here");
		return NULL;
	}
	if (access->admin_token != NULL && http_token_is(authorization, access->admin_token)) {
		return &administrator;
	}
	if (access->token != NULL && http_token_is(authorization, access->token)) {
		return &reader;
	}
	if (http_token_is_given(authorization)) {
		*ret_refusal =
			(struct web_refusal){401, REASON_FORBIDDEN, "this is not the token", true};
		return NULL;
	}
	return is_open(access) ? &reader : ask_for_token(access, ret_refusal);
}

/* ---- settings */

int web_access_check(const struct web_access *access, bool has_tls, struct config_error *error)
{
	bool knows_clients = access->token != NULL || access->demands_certificate;

	if (access->token != NULL && access->admin_token != NULL &&
		strcmp(access->token, access->admin_token) == 0) {
		return config_fail(error, "[http] admin_token: is the same as token: who may read "
					  "would be an administrator");
	}
	if (access->listen[0] == '\0' || access->is_insecure || endpoint_is_local(access->listen) ||
		(has_tls && knows_clients)) {
		return 0;
	}
	return config_fail(error,
		"[http] listen: %s can be reached from other machines: use 127.0.0.1, or set "
		"tls_cert and tls_key, and token_file or tls_client_ca, or say [security] insecure "
		"= yes",
		access->listen);
}

/* ---- answers */

unsigned web_status_of(enum reason reason)
{
	switch (reason) {
	case REASON_NONE:
		return 200;
	case REASON_FORBIDDEN:
		return 403;
	case REASON_UNKNOWN_VIEW:
		return 404;
	case REASON_TOO_LARGE:
		return 413;
	case REASON_BUSY:
		return 429;
	case REASON_INTERNAL:
		return 500;
	case REASON_REBUILDING:
	case REASON_NOT_READY:
		return 503;
	case REASON_TIMEOUT:
		return 504;
	default:
		return 400;
	}
}
