/* mqtt_config.h - what an operator sets for a source of type mqtt, and what its texts mean. Pure. */
#pragma once
#include "edge/additions.h"
#include "edge/mqtt_session.h"
#include "proto/event.h"
#include "proto/mqtt_topic.h"
#include "runtime/config.h"

enum {
	MQTT_HOST_SIZE = 254, /* a DNS name has at most 253 characters */
	MQTT_ADDRESS_SIZE = MQTT_HOST_SIZE + 8, /* brackets, colon, port */
	MQTT_BROKER_NAME_SIZE = MQTT_ADDRESS_SIZE + 6, /* "ssl://" */
};

/* Keys of [source.NAME]. */
struct mqtt_config {
	char *brokers; /* a list */
	char *topics; /* a list of patterns */
	char *version;
	char *client_id;
	char *username;
	char *password;
	char *kind;
	char *format;
	char *retained;
	char *set; /* NAME=VALUE, … */
	char *event_id_property;
	char *session_expiry;
	char *tls_ca;
	char *tls_cert;
	char *tls_key;
	int64_t qos;
	int64_t keep_alive_ms;
	int64_t receive_maximum;
	bool tls_verify;
};

extern const struct config_schema mqtt_config_schema;

struct mqtt_endpoint {
	bool tls;
	char host[MQTT_HOST_SIZE]; /* without brackets */
	char port[6];
	char address[MQTT_ADDRESS_SIZE]; /* "host:port", "[::1]:1883": what marks are kept by */
	char name[MQTT_BROKER_NAME_SIZE]; /* "ssl://host:8883": for people */
};

enum mqtt_format { MQTT_FORMAT_AUTO, MQTT_FORMAT_JSON, MQTT_FORMAT_MSGPACK };

/* What the texts mean. Borrows from the configuration. */
struct mqtt_settings {
	struct mqtt_endpoint brokers[MQTT_BROKERS_MAX];
	uint32_t broker_count;
	struct mqtt_pattern patterns[MQTT_FILTERS_MAX];
	uint32_t pattern_count;
	enum mqtt_protocol protocol;
	enum mqtt_format format;
	enum mqtt_retained retained;
	uint32_t session_expiry_s;
	struct additions additions; /* `kind` and `set` */
	struct slice event_id_property; /* {NULL, 0}: none */
};

/* 0 or -EINVAL with the error set. */
int mqtt_settings_read(const struct mqtt_config *config, struct mqtt_settings *ret_settings,
	struct config_error *error);
/* For source_type.check: `config` is a struct mqtt_config. */
int mqtt_config_check(void *config, bool insecure, struct config_error *error);

/* As configured, else till-EDGE-NAME: what is neither letter, digit, '-', '_' nor '.' becomes '-', with a checksum of the
 * original behind it, so that edges that differ keep different ids. */
void mqtt_client_id(const struct mqtt_config *config, const char *edge, const char *name,
	char ret_id[MQTT_CLIENT_ID_SIZE_MAX + 1]);
