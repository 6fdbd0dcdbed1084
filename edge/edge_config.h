/* edge_config.h - what an operator sets for till-edge, and the checks across keys. */
#pragma once
#include "edge/source_router.h"
#include "edge/sources.h"
#include "runtime/config.h"

struct zone;

struct edge_config {
	/* [edge] */
	char *id;
	char *data; /* directory of the spool */
	char *bridges; /* lists of endpoints */
	char *listen;
	char *listen_push;
	int64_t spool_max; /* bytes */
	int64_t share_percent[KIND_COUNT];
	char *sync; /* "always", "interval:100ms", "never" */
	char *timezone;
	char *currency;
	int64_t producer_ttl_ms;
	int64_t event_id_window;
	int64_t telemetry_ms; /* 0: no reports */
	int64_t drain_ms;
	bool live_first;
	int64_t drain_rate; /* bytes a second; 0: no bound */
	int64_t gather_ms;
	char *compress; /* "no", "zstd", "zstd:LEVEL" */
	/* [http] */
	char *http_listen;
	/* [security] */
	char *key_file;
	char *authorized; /* NULL: producers need no keys */
	char *bridge_keys; /* a list of files */
	bool insecure;
	/* [privacy] */
	char *pseudonym_key; /* NULL: users keep their ids */
	char *pseudonym_fields;
	/* [audit] */
	char *audit_file;
	/* [limits] */
	struct peer_allowance producer; /* by PRODUCER_FRAMES and so on */
	/* [source.NAME] */
	struct source_declarations sources;

	/* Filled by edge_config_check. */
	int64_t sync_interval_ms; /* 0: always */
	int compression_level; /* 0: no */
};

extern const struct config_schema edge_config_schema;
void edge_config_deinit(struct edge_config *config);

/* The zone of that name; NULL for UTC. 0, or -errno: -ENOENT where the system knows none of that name. */
int edge_config_zone(const char *name, struct zone **ret_zone);
/* For program_spec.validate: `target` is a struct edge_config. */
int edge_config_check(void *target, struct config_error *error);
