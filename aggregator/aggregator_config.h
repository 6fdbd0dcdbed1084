/* aggregator_config.h - what an operator sets for till-aggregator, and the checks across keys. */
#pragma once
#include "aggregator/log/pipeline.h"
#include "aggregator/view/declared_tables.h"
#include "aggregator/view/view_config.h"
#include "aggregator/web/web_rules.h"
#include "proto/topic.h"
#include "runtime/config.h"
#include "runtime/kafka_properties.h"
#include "runtime/peer_limits.h"

struct aggregator_config {
	/* [aggregator] */
	char *data;
	char *brokers;
	char *listen; /* list of endpoints */
	char *publish; /* one endpoint; "": nowhere */
	int64_t live_rate;
	char *own; /* "0-7, 9"; NULL: all partitions */
	int64_t shards;
	int64_t commit_interval_ms;
	int64_t overlay_bytes;
	int64_t map_size;
	int64_t check_interval_ms;
	struct basket_spans baskets;
	char *stage; /* NULL: nothing is staged */
	char *topic_names[KIND_EVENT_COUNT];
	char *topic_telemetry; /* NULL or "": none is read */
	char *replay_to; /* NULL: letters are not sent again here */
	char *audit_file;
	struct peer_allowance reader; /* by QUERY_COUNT and so on; held: queries that wait */
	/* [http]: all but the first are NULL where they are not set */
	char *http_listen; /* "": nowhere */
	char *http_hosts;
	char *http_token;
	char *http_admin_token;
	char *http_tls_cert;
	char *http_tls_key;
	char *http_tls_client_ca;
	int64_t http_live_clients;
	/* [security] */
	char *key_file;
	char *edge_key; /* of replay_to; NULL: it asks for none */
	char *authorized; /* NULL: whoever connects is served */
	bool insecure;

	struct kafka_properties kafka;
	struct view_config views; /* as declared, or the shipped ones */
	struct view_config
		staged; /* filled by aggregator_config_check from `stage`: all views, as they would be */
	struct source_declaration sources[DECLARED_SOURCES_MAX];
	size_t source_count;
	struct declared_tables tables;
	/* Filled by aggregator_config_check. */
	char topics[KIND_COUNT][TOPIC_NAME_SIZE];
	bool owns_all;
	bool owned[OWN_MAX];
};

extern const struct config_schema aggregator_config_schema;

/* For program_spec.validate: `target` is a struct aggregator_config. */
int aggregator_config_check(void *target, struct config_error *error);
/* Its [http] settings; borrows their texts. */
struct web_access aggregator_config_access(const struct aggregator_config *config);
void aggregator_config_deinit(struct aggregator_config *config);
