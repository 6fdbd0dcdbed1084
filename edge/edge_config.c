#include "edge/edge_config.h"
#include "edge/pseudonym_ssl.h"
#include "edge/sender.h"
#include "proto/compression.h"
#include "proto/utf8.h"
#include "proto/zone.h"
#include "runtime/program.h"
#include "runtime/security.h"
#include "runtime/zonefile.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define AT(member) offsetof(struct edge_config, member)
#define SPOOL_MIN (INT64_C(4) << 20)
#define SPOOL_MAX (INT64_C(1) << 44)
#define YEAR_MS INT64_C(31536000000)
#define LIMIT_MAX INT64_C(1000000000000)

enum {
	NEVER_MS = 1000, /* sync = never: the kernel is asked, but nobody waits for it */
	INTERVAL_MS_MIN = 1,
	INTERVAL_MS_MAX = 60000,
	EVENT_ID_WINDOW_MAX = 100000000,
	/* Below what makes a block old (BACKLOG_LIVE_MS). */
	GATHER_MS_MAX = 5000,
	DRAIN_MS_MAX = 10 * 60 * 1000,
	TELEMETRY_MS_MAX = 24 * 60 * 60 * 1000,
};

static const struct config_option options[] = {
	{"edge", "id", CONFIG_TEXT, AT(id), NULL, 0, 0,
		"who this edge is: in every event, for good; 1-64 bytes"},
	{"edge", "data", CONFIG_TEXT, AT(data), NULL, 0, 0, "directory of the spool"},
	{"edge", "bridges", CONFIG_LIST, AT(bridges), "tcp://127.0.0.1:7171", 0, 0,
		"till-bridges, tried in this order"},
	{"edge", "listen", CONFIG_LIST, AT(listen), "tcp://127.0.0.1:7170", 0, 0,
		"where producers connect: ZeroMQ endpoints"},
	{"edge", "listen_push", CONFIG_LIST, AT(listen_push), "", 0, 0,
		"where producers push without an answer; empty: nowhere"},
	{"edge", "spool_max", CONFIG_SIZE, AT(spool_max), "1GiB", SPOOL_MIN, SPOOL_MAX,
		"bytes of events that may wait on disk; then producers are told to wait"},
	{"edge", "spool_max.order", CONFIG_PERCENT, AT(share_percent[KIND_ORDER]), "100%", 1, 100,
		"share of spool_max that orders may use"},
	{"edge", "spool_max.cart", CONFIG_PERCENT, AT(share_percent[KIND_CART]), "10%", 1, 100,
		"the same for cart events"},
	{"edge", "spool_max.view", CONFIG_PERCENT, AT(share_percent[KIND_VIEW]), "10%", 1, 100,
		"the same for page views"},
	{"edge", "spool_max.order.dlq", CONFIG_PERCENT, AT(share_percent[KIND_ORDER_DLQ]), "10%", 1,
		100, "the same for invalid orders"},
	{"edge", "spool_max.cart.dlq", CONFIG_PERCENT, AT(share_percent[KIND_CART_DLQ]), "10%", 1,
		100, "the same for invalid cart events"},
	{"edge", "spool_max.view.dlq", CONFIG_PERCENT, AT(share_percent[KIND_VIEW_DLQ]), "10%", 1,
		100, "the same for invalid page views"},
	{"edge", "sync", CONFIG_TEXT, AT(sync), "always", 0, 0,
		"when events are on disk: always (before the reply), interval:100ms, never"},
	{"edge", "timezone", CONFIG_TEXT, AT(timezone), "UTC", 0, 0,
		"of times without an offset: an IANA name"},
	{"edge", "currency", CONFIG_TEXT, AT(currency), "XXX", 0, 0,
		"of orders that name none: ISO 4217"},
	{"edge", "producer_ttl", CONFIG_DURATION, AT(producer_ttl_ms), "30d", 60000, 10 * YEAR_MS,
		"how long a producer's last number is remembered after its last use"},
	{"edge", "event_id_window", CONFIG_INTEGER, AT(event_id_window), "1000000", 0,
		EVENT_ID_WINDOW_MAX, "how many event_ids are remembered"},
	{"edge", "drain", CONFIG_DURATION, AT(drain_ms), "5s", 0, DRAIN_MS_MAX,
		"how long a stop waits for acknowledgements"},
	{"edge", "live_first", CONFIG_BOOL, AT(live_first), "yes", 0, 0,
		"send what comes in before what has waited; no: in the order of its coming"},
	{"edge", "drain_rate", CONFIG_SIZE, AT(drain_rate), "0", 0, THROTTLE_RATE_MAX,
		"bytes a second of what has waited, such as 64KiB; 0: as fast as it goes"},
	{"edge", "gather", CONFIG_DURATION, AT(gather_ms), "0s", 0, GATHER_MS_MAX,
		"how long new events wait for others after a small batch; for thin links"},
	{"edge", "compress", CONFIG_TEXT, AT(compress), "no", 0, 0,
		"for thin links: batches to bridges that take it so: no, zstd, zstd:LEVEL (1-9)"},
	{"edge", "telemetry_interval", CONFIG_DURATION, AT(telemetry_ms), "30s", 0,
		TELEMETRY_MS_MAX,
		"how often the edge reports on itself, for till ledger and till trace; 0: never"},
	{"http", "listen", CONFIG_TEXT, AT(http_listen), "127.0.0.1:9170", 0, 0,
		"where /metrics, /livez and /readyz are served; empty: nowhere"},
	{"security", "key_file", CONFIG_TEXT, AT(key_file), "", 0, 0,
		"our own secret key, as \"till keygen\" makes it"},
	{"security", "authorized", CONFIG_TEXT, AT(authorized), "", 0, 0,
		"directory of the public keys of producers; without it listen asks for none"},
	{"security", "bridge_keys", CONFIG_LIST, AT(bridge_keys), "", 0, 0,
		"files of the bridges' public keys: one for all, or one each in the order of "
		"bridges"},
	{"security", "insecure", CONFIG_BOOL, AT(insecure), "no", 0, 0,
		"allow endpoints that other machines reach, without keys"},
	{"privacy", "pseudonym_key", CONFIG_SECRET, AT(pseudonym_key), "", 0, 0,
		"gives each user_id a pseudonym; at least 16 characters, the same at all edges"},
	{"privacy", "pseudonym_fields", CONFIG_TEXT, AT(pseudonym_fields), "user_id", 0, 0,
		"what gets one: user_id"},
	{"audit", "file", CONFIG_TEXT, AT(audit_file), "", 0, 0,
		"where starts and an operator's decisions are written down; empty: in the log"},
	{"limits", "frames", CONFIG_INTEGER, AT(producer.rates[PRODUCER_FRAMES]), "50000", 0,
		LIMIT_MAX, "frames a second that one producer may send over ZeroMQ; 0: any"},
	{"limits", "bytes", CONFIG_SIZE, AT(producer.rates[PRODUCER_BYTES]), "512MiB", 0, LIMIT_MAX,
		"bytes of them a second; 0: any"},
	{"limits", "events", CONFIG_INTEGER, AT(producer.rates[PRODUCER_EVENTS]), "2000000", 0,
		LIMIT_MAX, "events in them a second; 0: any"},
	{0},
};

static int set_source(void *target, const char *section, const char *key, const char *value,
	struct config_error *error)
{
	struct edge_config *config = target;
	return source_declare(&config->sources, section, key, value, error);
}

static bool source_key_is_secret(const void *target, const char *section, const char *key)
{
	const struct edge_config *config = target;
	return source_declared_is_secret(&config->sources, section, key);
}

static void print_sources(const void *target, FILE *out)
{
	const struct edge_config *config = target;
	source_declarations_print(&config->sources, out);
}

static const struct config_section sections[] = {
	{.prefix = "source.",
		.set = set_source,
		.is_secret = source_key_is_secret,
		.print = print_sources,
		.help = "another way in beside ZeroMQ; its first key is `type`",
		.print_help = source_types_print_help},
	{0},
};

const struct config_schema edge_config_schema = {
	.options = options,
	.sections = sections,
	.target_size = sizeof(struct edge_config),
};

static int check_id(const struct edge_config *config, struct config_error *error)
{
	if (!edge_id_is_valid(slice_of_text(config->id))) {
		return config_fail(error,
			"[edge] id: 1 to %d bytes of UTF-8, no control characters, no space at "
			"either end",
			EDGE_ID_SIZE_MAX);
	}
	return 0;
}

static int check_sync(struct edge_config *config, struct config_error *error)
{
	static const char interval[] = "interval:";

	if (strcmp(config->sync, "always") == 0) {
		config->sync_interval_ms = 0;
		return 0;
	}
	if (strcmp(config->sync, "never") == 0) {
		config->sync_interval_ms = NEVER_MS;
		return 0;
	}
	if (strncmp(config->sync, interval, sizeof interval - 1) == 0 &&
		config_parse_duration(
			config->sync + sizeof interval - 1, &config->sync_interval_ms) &&
		config->sync_interval_ms >= INTERVAL_MS_MIN &&
		config->sync_interval_ms <= INTERVAL_MS_MAX) {
		return 0;
	}
	return config_fail(error,
		"[edge] sync: \"%s\" is none of always, interval:100ms (1ms to 60s), never",
		config->sync);
}

int edge_config_zone(const char *name, struct zone **ret_zone)
{
	uint8_t *bytes = NULL;
	size_t size = 0;

	if (strcmp(name, "UTC") == 0) {
		*ret_zone = NULL;
		return 0;
	}
	int r = zonefile_read(name, &bytes, &size);
	if (r == 0) {
		r = zone_new(name, slice_of(bytes, size), ret_zone);
		r = r == ZONE_E_MALFORMED ? -EINVAL : r;
	}
	free(bytes);
	return r;
}

/* "zstd:6": 6; 0 where it is no level. */
static int read_level(const char *text)
{
	static const char prefix[] = "zstd:";
	char *end = NULL;

	if (strcmp(text, "zstd") == 0) {
		return COMPRESSION_LEVEL_DEFAULT;
	}
	if (strncmp(text, prefix, sizeof prefix - 1) != 0 ||
		!isdigit((unsigned char)text[sizeof prefix - 1])) {
		return 0;
	}
	long level = strtol(text + sizeof prefix - 1, &end, 10);
	bool good =
		*end == '\0' && level >= COMPRESSION_LEVEL_MIN && level <= COMPRESSION_LEVEL_MAX;
	return good ? (int)level : 0;
}

static int check_compress(struct edge_config *config, struct config_error *error)
{
	config->compression_level = read_level(config->compress);
	if (config->compression_level > 0 || strcmp(config->compress, "no") == 0) {
		return 0;
	}
	return config_fail(error,
		"[edge] compress: \"%s\" is none of no, zstd, zstd:LEVEL (%d to %d)",
		config->compress, COMPRESSION_LEVEL_MIN, COMPRESSION_LEVEL_MAX);
}

static int check_timezone(const struct edge_config *config, struct config_error *error)
{
	char meant[ZONE_NAME_SIZE_MAX + 1];
	struct zone *zone = NULL;

	int r = edge_config_zone(config->timezone, &zone);
	zone_free(zone);
	if (r == 0) {
		return 0;
	}
	return zonefile_suggest(config->timezone, meant)
		       ? config_fail(error,
				 "[edge] timezone: \"%s\" is no time zone of this system; did you "
				 "mean \"%s\"?",
				 config->timezone, meant)
		       : config_fail(error,
				 "[edge] timezone: \"%s\" is no time zone of this system, as "
				 "Europe/Berlin is",
				 config->timezone);
}

static int check_currency(const struct edge_config *config, struct config_error *error)
{
	return currency_is_valid(slice_of_text(config->currency))
		       ? 0
		       : config_fail(error,
				 "[edge] currency: \"%s\" is no code of ISO 4217, as EUR is",
				 config->currency);
}

static int check_bridges(const struct edge_config *config, struct config_error *error)
{
	const char *cursor = config->bridges;
	char bridge[256];
	int count = 0;

	while (config_list_next(&cursor, bridge, sizeof bridge)) {
		count++;
	}
	if (count == 0 || count > SENDER_BRIDGES_MAX) {
		return config_fail(error, "[edge] bridges: 1 to %d endpoints", SENDER_BRIDGES_MAX);
	}
	return 0;
}

static int check_endpoints(const struct edge_config *config, struct config_error *error)
{
	bool guards = config->insecure || security_has(config->authorized);
	bool shows_key = config->insecure || security_has(config->bridge_keys);

	int r = program_check_endpoints("[edge] listen", config->listen, guards, error);
	if (r == 0) {
		r = program_check_endpoints(
			"[edge] listen_push", config->listen_push, guards, error);
	}
	if (r == 0) {
		r = program_check_endpoints("[edge] bridges", config->bridges, shows_key, error);
	}
	if (r == 0) {
		r = program_check_endpoints(
			"[http] listen", config->http_listen, config->insecure, error);
	}
	return r;
}

static int check_keys(const struct edge_config *config, struct config_error *error)
{
	const struct security_options keys = {
		.key_file = config->key_file,
		.authorized = config->authorized,
		.peer_keys = config->bridge_keys,
		.peers = config->bridges,
	};

	return security_check(&keys, error);
}

static int check_privacy(const struct edge_config *config, struct config_error *error)
{
	if (strcmp(config->pseudonym_fields, "user_id") != 0) {
		return config_fail(error,
			"[privacy] pseudonym_fields: only user_id can be hidden, not \"%.80s\"",
			config->pseudonym_fields);
	}
	if (config->pseudonym_key != NULL &&
		strlen(config->pseudonym_key) < PSEUDONYM_KEY_SIZE_MIN) {
		return config_fail(error, "[privacy] pseudonym_key: fewer than %d characters",
			PSEUDONYM_KEY_SIZE_MIN);
	}
	return 0;
}

int edge_config_check(void *target, struct config_error *error)
{
	struct edge_config *config = target;

	int r = check_id(config, error);
	if (r == 0) {
		r = check_sync(config, error);
	}
	if (r == 0) {
		r = check_compress(config, error);
	}
	if (r == 0) {
		r = check_timezone(config, error);
	}
	if (r == 0) {
		r = check_currency(config, error);
	}
	if (r == 0) {
		r = check_bridges(config, error);
	}
	if (r == 0) {
		r = check_endpoints(config, error);
	}
	if (r == 0) {
		r = check_keys(config, error);
	}
	if (r == 0) {
		r = check_privacy(config, error);
	}
	return r == 0 ? source_declarations_check(&config->sources, config->insecure, error) : r;
}

void edge_config_deinit(struct edge_config *config)
{
	source_declarations_deinit(&config->sources);
	config_deinit(&edge_config_schema, config);
}
