#include "bridge/bridge_config.h"
#include "bridge/reception.h"
#include "proto/bridge_report.h"
#include "proto/utf8.h"
#include "runtime/kafka_options.h"
#include "runtime/program.h"
#include "runtime/security.h"
#include <errno.h>

enum {
	PARTITIONS_MAX = 10000,
	DRAIN_MS_MAX = 10 * 60 * 1000,
	INTERVAL_MS_MAX = 24 * 60 * 60 * 1000,
	LIMIT_MAX = 1000000000,
};

#define AT(member) offsetof(struct bridge_config, member)

static const struct config_option options[] = {
	{"bridge", "listen", CONFIG_LIST, AT(listen), "tcp://127.0.0.1:7171", 0, 0,
		"where edges connect: ZeroMQ endpoints"},
	{"bridge", "brokers", CONFIG_TEXT, AT(brokers), NULL, 0, 0,
		"Kafka's addresses: host:port, separated by commas"},
	{"bridge", "format", CONFIG_TEXT, AT(format), "msgpack", 0, 0,
		"what records hold: msgpack or json"},
	{"bridge", "headers", CONFIG_BOOL, AT(headers), "no", 0, 0,
		"give each record a content-type header (halves the producer's speed)"},
	{"bridge", "partitions", CONFIG_INTEGER, AT(partitions), "4", 1, PARTITIONS_MAX,
		"partitions of each topic that till uses; never change it while a topic lives"},
	{"bridge", "create_topics", CONFIG_BOOL, AT(create_topics), "yes", 0, 0,
		"create topics that are missing"},
	{"bridge", "compress", CONFIG_BOOL, AT(compress), "yes", 0, 0,
		"let edges send compressed batches"},
	{"bridge", "topic.order", CONFIG_TEXT, AT(topic_names[KIND_ORDER]), "orders", 0, 0,
		"topic of orders; its dead letters go to the same name with .dlq"},
	{"bridge", "topic.cart", CONFIG_TEXT, AT(topic_names[KIND_CART]), "cart_events", 0, 0,
		"topic of cart events"},
	{"bridge", "topic.view", CONFIG_TEXT, AT(topic_names[KIND_VIEW]), "page_views", 0, 0,
		"topic of page views"},
	{"bridge", "topic.telemetry", CONFIG_TEXT, AT(topic_telemetry), "telemetry", 0, 0,
		"topic of what edges and bridges report of themselves; empty: none, and no "
		"reports"},
	{"bridge", "telemetry_interval", CONFIG_DURATION, AT(telemetry_interval_ms), "10s", 0,
		INTERVAL_MS_MAX, "how often this bridge reports on itself; 0: never"},
	{"bridge", "name", CONFIG_TEXT, AT(name), "", 0, 0,
		"what this bridge is called in what it reports; empty: HOST:PORT of listen"},
	{"bridge", "drain", CONFIG_DURATION, AT(drain_ms), "5s", 0, DRAIN_MS_MAX,
		"how long a stop waits for Kafka to confirm what is in flight"},
	{"http", "listen", CONFIG_TEXT, AT(http_listen), "127.0.0.1:9171", 0, 0,
		"where /metrics, /livez and /readyz are served; empty: nowhere"},
	{"security", "key_file", CONFIG_TEXT, AT(key_file), "", 0, 0,
		"our own secret key, as \"till keygen\" makes it"},
	{"security", "authorized", CONFIG_TEXT, AT(authorized), "", 0, 0,
		"directory of the public keys of edges; each says which edges it may be"},
	{"security", "insecure", CONFIG_BOOL, AT(insecure), "no", 0, 0,
		"allow endpoints that other machines reach, without keys"},
	{"audit", "file", CONFIG_TEXT, AT(audit_file), "", 0, 0,
		"where starts are written down; empty: in the log"},
	{"limits", "frames", CONFIG_INTEGER, AT(edge.rates[EDGE_FRAMES]), "50000", 0, LIMIT_MAX,
		"frames a second that one key or address may send; 0: any"},
	{"limits", "sessions", CONFIG_INTEGER, AT(edge.held), "2000", 0, LIMIT_MAX,
		"edges that one key or address may be at once; 0: any"},
	{0},
};

static int set_kafka(void *target, const char *section, const char *key, const char *value,
	struct config_error *error)
{
	struct bridge_config *config = target;
	return kafka_properties_set(&config->kafka, section, key, value, error);
}

static void print_kafka(const void *target, FILE *out)
{
	const struct bridge_config *config = target;
	kafka_properties_print(&config->kafka, out);
}

static const struct config_section sections[] = {
	{.prefix = "kafka",
		.set = set_kafka,
		.is_secret = kafka_key_is_secret,
		.print = print_kafka,
		.help = "any property of librdkafka that leaves the guarantees alone; X_file = "
			"PATH for "
			"secrets"},
	{.prefix = "kafka.producer",
		.set = set_kafka,
		.is_secret = kafka_key_is_secret,
		.help = "the same, wins over [kafka]"},
	{0},
};

const struct config_schema bridge_config_schema = {
	.options = options,
	.sections = sections,
	.target_size = sizeof(struct bridge_config),
};

static int check_format(struct bridge_config *config, struct config_error *error)
{
	if (strcmp(config->format, "json") == 0) {
		config->encoding = ENCODING_JSON;
		return 0;
	}
	if (strcmp(config->format, "msgpack") == 0) {
		config->encoding = ENCODING_MSGPACK;
		return 0;
	}
	return config_fail(
		error, "[bridge] format: \"%s\" is neither msgpack nor json", config->format);
}

static int check_topics(struct bridge_config *config, struct config_error *error)
{
	const char *const *given = (const char *const *)config->topic_names;
	struct complaint complaint;

	config->topics.partitions = (int32_t)config->partitions;
	config->topics.may_create = config->create_topics;
	if (config->topic_telemetry != NULL && config->topic_telemetry[0] != '\0') {
		if (!topic_name_is_valid(config->topic_telemetry)) {
			return config_fail(error,
				"[bridge] topic.telemetry: \"%s\" is no name of a topic",
				config->topic_telemetry);
		}
		snprintf(config->topics.telemetry, TOPIC_NAME_SIZE, "%s", config->topic_telemetry);
	}
	return topic_names_fill(given, config->topics.names, &complaint) == 0
		       ? 0
		       : config_fail(error, "[bridge] %s", complaint.message);
}

static int check_name(const struct bridge_config *config, struct config_error *error)
{
	const char *name = config->name == NULL ? "" : config->name;

	return name[0] == '\0' || edge_id_is_valid(slice_of_text(name))
		       ? 0
		       : config_fail(error,
				 "[bridge] name: \"%s\" is none: at most %d bytes, no space at "
				 "either end, no control characters",
				 name, (int)BRIDGE_NAME_SIZE_MAX);
}

static int check_keys(const struct bridge_config *config, struct config_error *error)
{
	const struct security_options keys = {
		.key_file = config->key_file, .authorized = config->authorized};

	return security_check(&keys, error);
}

int bridge_config_check(void *target, struct config_error *error)
{
	struct bridge_config *config = target;
	int r = check_format(config, error);
	if (r == 0) {
		r = check_topics(config, error);
	}
	if (r == 0) {
		r = check_name(config, error);
	}
	if (r == 0) {
		r = kafka_options_check(&config->kafka, error);
	}
	if (r == 0) {
		r = program_check_endpoints("[bridge] listen", config->listen,
			config->insecure || security_has(config->authorized), error);
	}
	if (r == 0) {
		r = program_check_endpoints(
			"[http] listen", config->http_listen, config->insecure, error);
	}
	return r == 0 ? check_keys(config, error) : r;
}

void bridge_config_deinit(struct bridge_config *config)
{
	config_deinit(&bridge_config_schema, config);
	kafka_properties_deinit(&config->kafka);
}
