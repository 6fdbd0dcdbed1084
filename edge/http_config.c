#include "edge/http_config.h"
#include "runtime/endpoint.h"

#define AT(member) offsetof(struct http_config, member)

enum {
	BODY_SIZE_MIN = 1024,
	/* Each may hold 32 KiB beside its body. */
	CONNECTIONS_MAX = 10000,
	TIMEOUT_MS_MIN = 100,
	TIMEOUT_MS_MAX = 10 * 60 * 1000,
};

static const struct config_option options[] = {
	{"source", "listen", CONFIG_TEXT, AT(listen), "127.0.0.1:7180", 0, 0,
		"address and port for POST requests"},
	{"source", "path", CONFIG_TEXT, AT(path), "/events", 0, 0, "where events are posted to"},
	{"source", "kind", CONFIG_TEXT, AT(kind), "", 0, 0,
		"of the events: order, cart, view; empty: as they, or ?kind=, say"},
	{"source", "set", CONFIG_TEXT, AT(set), "", 0, 0,
		"fields that every event gets: channel=web,currency=EUR"},
	{"source", "token", CONFIG_SECRET, AT(token), "", 0, 0,
		"what Authorization: Bearer must say; empty: nothing"},
	{"source", "tls_cert", CONFIG_TEXT, AT(tls_cert), "", 0, 0,
		"PEM file of this edge's certificate and its chain; empty: no TLS"},
	{"source", "tls_key", CONFIG_TEXT, AT(tls_key), "", 0, 0,
		"PEM file of its key, closed to others (chmod 600)"},
	{"source", "tls_client_ca", CONFIG_TEXT, AT(tls_client_ca), "", 0, 0,
		"PEM file of who signs clients' certificates; empty: clients need none"},
	{"source", "body_max", CONFIG_SIZE, AT(body_max), "4MiB", BODY_SIZE_MIN, FRAME_SIZE_MAX,
		"of a request"},
	{"source", "timeout", CONFIG_DURATION, AT(timeout_ms), "10s", TIMEOUT_MS_MIN,
		TIMEOUT_MS_MAX,
		"for a request's body to come in whole, or its head to come at all"},
	{"source", "connections_max", CONFIG_INTEGER, AT(connections_max), "256", 1,
		CONNECTIONS_MAX, "open at a time; half of them for any one other machine"},
	{0},
};

const struct config_schema http_config_schema = {
	.options = options,
	.target_size = sizeof(struct http_config),
};

static int check_path(const char *path, struct config_error *error)
{
	if (path[0] != '/' || strpbrk(path, " ?#%") != NULL) {
		return config_fail(error,
			"path: \"%s\" is no path: /events is one, without ?, # and %%", path);
	}
	return 0;
}

static int check_tls(const struct http_config *config, struct config_error *error)
{
	bool has_key = config->tls_key != NULL;

	if ((config->tls_cert != NULL) != has_key) {
		return config_fail(error, "%s: TLS needs tls_cert and tls_key",
			has_key ? "tls_key" : "tls_cert");
	}
	if (config->tls_client_ca != NULL && !has_key) {
		return config_fail(error, "tls_client_ca: TLS needs tls_cert and tls_key too");
	}
	return 0;
}

/* Sales don't cross a network that others read, and strangers don't make any. */
static int check_safety(const struct http_config *config, struct config_error *error)
{
	bool knows_clients = config->token != NULL || config->tls_client_ca != NULL;

	if (endpoint_is_local(config->listen) || (config->tls_cert != NULL && knows_clients)) {
		return 0;
	}
	return config_fail(error,
		"listen: %s is reached by other machines: set tls_cert and tls_key, and token_file "
		"or tls_client_ca; or [security] insecure = yes",
		config->listen);
}

int http_config_check(void *target, bool insecure, struct config_error *error)
{
	const struct http_config *config = target;
	struct additions additions;

	if (*config->listen == '\0') {
		return config_fail(error, "listen: 127.0.0.1:7180 would be an address");
	}
	int r = check_path(config->path, error);
	if (r == 0) {
		r = additions_read(&additions, config->kind, config->set, error);
	}
	if (r == 0) {
		r = check_tls(config, error);
	}
	return r == 0 && !insecure ? check_safety(config, error) : r;
}
