/* http_config.h - what an operator sets for a source of type http. Pure. */
#pragma once
#include "edge/additions.h"

/* Keys of [source.NAME]. */
struct http_config {
	char *listen;
	char *path;
	char *kind; /* this one and the next five: NULL where they are not set */
	char *set;
	char *token;
	char *tls_cert;
	char *tls_key;
	char *tls_client_ca;
	int64_t body_max;
	int64_t timeout_ms;
	int64_t connections_max;
};

extern const struct config_schema http_config_schema;

/* struct source_type's `check`. */
int http_config_check(void *target, bool insecure, struct config_error *error);
