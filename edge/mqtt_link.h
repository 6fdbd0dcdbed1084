/* mqtt_link.h - one connection to a broker, plain or TLS. Certificates are read anew for each, so that renewed ones need
 * no restart. One thread. */
#pragma once
#include "edge/mqtt_config.h"
#include "runtime/stream.h"
#include "runtime/tls.h"

struct loop;

struct mqtt_link {
	struct stream *stream;
	struct tls *tls; /* NULL: plain */
};

struct mqtt_link_options {
	struct loop *loop; /* all borrowed, for as long as the link lives */
	const struct mqtt_config *config;
	const struct mqtt_endpoint *broker;
	int (*ready)(void *owner); /* as struct stream_options has it */
	void *owner;
};

enum {
	MQTT_LINK_E_FILES = 1
}; /* certificates or keys can't be used: the error says which, and why */

/* Starts to connect. 0, MQTT_LINK_E_FILES or -errno. */
int mqtt_link_open(struct mqtt_link *link, const struct mqtt_link_options *options, int64_t now_ms,
	struct tls_error *error);
/* Takes one that was never opened. */
void mqtt_link_close(struct mqtt_link *link);
/* What every connection would read: 0, or -EINVAL or -ENOMEM with the error set. */
int mqtt_link_check_files(const struct mqtt_config *config, struct tls_error *error);
