/* bridge_config.h - what an operator sets for till-bridge, and the checks across keys. */
#pragma once
#include "bridge/topics.h"
#include "proto/document.h"
#include "runtime/kafka_properties.h"
#include "runtime/peer_limits.h"

struct bridge_config {
	/* [bridge] */
	char *listen; /* list of endpoints */
	char *brokers;
	char *format; /* "msgpack", "json" */
	bool headers;
	int64_t partitions;
	bool create_topics;
	bool compress;
	char *topic_names[KIND_EVENT_COUNT];
	char *topic_telemetry; /* NULL or "": none */
	char *name; /* "": HOST:PORT */
	int64_t telemetry_interval_ms; /* 0: this bridge does not report on itself */
	int64_t drain_ms;
	/* [http] */
	char *http_listen;
	/* [audit] */
	char *audit_file;
	/* [limits] */
	struct peer_allowance edge; /* by EDGE_FRAMES; held: sessions */
	/* [security] */
	char *key_file;
	char *authorized; /* NULL: whoever connects is served */
	bool insecure;

	struct kafka_properties kafka;
	/* Filled by bridge_config_check. */
	struct topics topics;
	enum encoding encoding;
};

extern const struct config_schema bridge_config_schema;

/* For program_spec.validate: `target` is a struct bridge_config. */
int bridge_config_check(void *target, struct config_error *error);
void bridge_config_deinit(struct bridge_config *config);
