#include "aggregator/aggregator_config.h"
#include "aggregator/desk/queries.h"
#include "proto/utf8.h"
#include "runtime/kafka_options.h"
#include "runtime/program.h"
#include "runtime/security.h"
#include <errno.h>
#include <stdlib.h>

enum {
	INTERVAL_MS_MIN = 10,
	INTERVAL_MS_MAX = 60 * 1000,
	ITEM_SIZE = 64,
	LIMIT_MAX = 1000000000,
	LIVE_CLIENTS_MAX = 4096, /* a second's signs of life take a tenth of it */
	BASKET_SPAN_MS_MAX = 24 * 24 * 60 * 60 * 1000, /* longer than any order is typed in */
	LIVE_RATE_MAX = 100, /* nobody sees more, and each message takes some milliseconds */
};

#define MIB (INT64_C(1) << 20)
#define TIB (INT64_C(1) << 40)
#define AT(member) offsetof(struct aggregator_config, member)

static const struct config_option options[] = {
	{"aggregator", "data", CONFIG_TEXT, AT(data), NULL, 0, 0,
		"directory of the store; one aggregator each"},
	{"aggregator", "brokers", CONFIG_TEXT, AT(brokers), NULL, 0, 0,
		"Kafka's addresses: host:port, separated by commas"},
	{"aggregator", "listen", CONFIG_LIST, AT(listen), "tcp://127.0.0.1:7172", 0, 0,
		"where queries are answered: ZeroMQ endpoints"},
	{"aggregator", "publish", CONFIG_TEXT, AT(publish), "tcp://127.0.0.1:7173", 0, 0,
		"where changed rows are published: a ZeroMQ endpoint; empty: nowhere"},
	{"aggregator", "live_rate", CONFIG_INTEGER, AT(live_rate), "10", 1, LIVE_RATE_MAX,
		"messages a second at most that are published of one view"},
	{"aggregator", "own", CONFIG_LIST, AT(own), "", 0, 0,
		"partitions to read, such as 0-7 or 0-3,9; empty: all"},
	{"aggregator", "shards", CONFIG_INTEGER, AT(shards), "1", 1, SHARDS_MAX,
		"environments that the store is made of; fixed when it is made"},
	{"aggregator", "commit_interval", CONFIG_DURATION, AT(commit_interval_ms), "1s",
		INTERVAL_MS_MIN, INTERVAL_MS_MAX,
		"how long changes wait at most before they are written; answers are fresh anyway"},
	{"aggregator", "overlay_size", CONFIG_SIZE, AT(overlay_bytes), "64MiB", MIB, TIB,
		"memory for changes that are not yet written, per shard; twice that at most"},
	{"aggregator", "map_size", CONFIG_SIZE, AT(map_size), "1TiB", 16 * MIB, 64 * TIB,
		"address space of each shard, and so its largest size"},
	{"aggregator", "check_interval", CONFIG_DURATION, AT(check_interval_ms), "1m",
		INTERVAL_MS_MIN, 24 * 60 * INTERVAL_MS_MAX,
		"how often the store's sums are held against the counted sets"},
	{"aggregator", "basket_horizon", CONFIG_DURATION, AT(baskets.horizon_ms), "30m", 1000,
		BASKET_SPAN_MS_MAX,
		"a basket closes so long after its last line, by the broker's append times"},
	{"aggregator", "basket_memory", CONFIG_DURATION, AT(baskets.memory_ms), "1d", 1000,
		BASKET_SPAN_MS_MAX,
		"how long after its last line a closed basket is known, so that lines for it are "
		"late"},
	{"aggregator", "stage", CONFIG_TEXT, AT(stage), "", 0, 0,
		"file of [view.NAME] sections, counted beside the live views until accepted; "
		"empty: none"},
	{"aggregator", "topic.order", CONFIG_TEXT, AT(topic_names[KIND_ORDER]), "orders", 0, 0,
		"topic of orders; its dead letters come from the same name with .dlq"},
	{"aggregator", "topic.cart", CONFIG_TEXT, AT(topic_names[KIND_CART]), "cart_events", 0, 0,
		"topic of cart events"},
	{"aggregator", "topic.view", CONFIG_TEXT, AT(topic_names[KIND_VIEW]), "page_views", 0, 0,
		"topic of page views"},
	{"aggregator", "topic.telemetry", CONFIG_TEXT, AT(topic_telemetry), "telemetry", 0, 0,
		"topic of what edges report of themselves; empty: none, and the ledger knows only "
		"what it counted"},
	{"aggregator", "replay_to", CONFIG_TEXT, AT(replay_to), "", 0, 0,
		"the edge to which administrators can have dead letters sent again: a ZeroMQ "
		"endpoint; empty: none"},
	{"limits", "queries", CONFIG_INTEGER, AT(reader.rates[QUERY_COUNT]), "100000", 0, LIMIT_MAX,
		"queries a second that one key, address or connection may ask; 0: any"},
	{"limits", "answer_bytes", CONFIG_SIZE, AT(reader.rates[QUERY_ANSWER_BYTES]), "512MiB", 0,
		LIMIT_MAX, "bytes of answers a second; 0: any"},
	{"limits", "waiting", CONFIG_INTEGER, AT(reader.held), "500", 0, LIMIT_MAX,
		"queries of it that may wait for fresher totals at once; 0: any"},
	{"audit", "file", CONFIG_TEXT, AT(audit_file), "", 0, 0,
		"where starts and an operator's decisions are written down; empty: in the log"},
	{"http", "listen", CONFIG_TEXT, AT(http_listen), "127.0.0.1:9172", 0, 0,
		"where the console, queries, /metrics, /livez and /readyz are served; empty: "
		"nowhere"},
	{"http", "hosts", CONFIG_LIST, AT(http_hosts), "", 0, 0,
		"names under which it is reached, beside this machine's own: till.example"},
	{"http", "token", CONFIG_SECRET, AT(http_token), "", 0, 0,
		"what Authorization: Bearer must say of who reads totals; empty: nothing"},
	{"http", "admin_token", CONFIG_SECRET, AT(http_admin_token), "", 0, 0,
		"the same of administrators; empty: nobody is one over HTTP"},
	{"http", "tls_cert", CONFIG_TEXT, AT(http_tls_cert), "", 0, 0,
		"PEM file of this server's certificate and its chain; empty: no TLS"},
	{"http", "tls_key", CONFIG_TEXT, AT(http_tls_key), "", 0, 0,
		"PEM file of its key, closed to others (chmod 600)"},
	{"http", "tls_client_ca", CONFIG_TEXT, AT(http_tls_client_ca), "", 0, 0,
		"PEM file of who signs clients' certificates; empty: clients need none"},
	{"http", "live_clients", CONFIG_INTEGER, AT(http_live_clients), "256", 0, LIVE_CLIENTS_MAX,
		"how many may look at live answers (/events) at once"},
	{"security", "key_file", CONFIG_TEXT, AT(key_file), "", 0, 0,
		"our own secret key, as \"till keygen\" makes it"},
	{"security", "authorized", CONFIG_TEXT, AT(authorized), "", 0, 0,
		"directory of the public keys that may ask; each says for which views"},
	{"security", "edge_key", CONFIG_TEXT, AT(edge_key), "", 0, 0,
		"file of the public key of the edge in replay_to; empty: it asks for no keys"},
	{"security", "insecure", CONFIG_BOOL, AT(insecure), "no", 0, 0,
		"allow endpoints that other machines reach, without keys"},
	{0},
};

static int set_kafka(void *target, const char *section, const char *key, const char *value,
	struct config_error *error)
{
	struct aggregator_config *config = target;
	if (strncmp(key, "producer.", strlen("producer.")) == 0) {
		return config_fail(error, "the aggregator has no producer; the bridge has one");
	}
	return kafka_properties_set(&config->kafka, section, key, value, error);
}

static void print_kafka(const void *target, FILE *out)
{
	const struct aggregator_config *config = target;
	kafka_properties_print(&config->kafka, out);
}

static int set_view(void *target, const char *section, const char *key, const char *value,
	struct config_error *error)
{
	struct aggregator_config *config = target;
	return view_config_set(&config->views, section, key, value, error);
}

static void print_views(const void *target, FILE *out)
{
	const struct aggregator_config *config = target;
	view_config_print(&config->views, out);
}

/* The declaration of this name, a new one where there is none. */
static struct source_declaration *declare_source(
	struct aggregator_config *config, const char *name, struct config_error *error)
{
	for (size_t i = 0; i < config->source_count; i++) {
		if (strcmp(config->sources[i].name, name) == 0) {
			return &config->sources[i];
		}
	}
	if (strlen(name) > SOURCE_NAME_SIZE_MAX || !edge_id_is_valid(slice_of_text(name))) {
		config_fail(error, "a source's name has 1 to %d characters", SOURCE_NAME_SIZE_MAX);
		return NULL;
	}
	if (config->source_count == DECLARED_SOURCES_MAX) {
		config_fail(error, "more than %d sources", DECLARED_SOURCES_MAX);
		return NULL;
	}
	struct source_declaration *declaration = &config->sources[config->source_count++];
	snprintf(declaration->name, sizeof declaration->name, "%s", name);
	return declaration;
}

static int set_source(void *target, const char *section, const char *key, const char *value,
	struct config_error *error)
{
	struct source_declaration *declaration =
		declare_source(target, section + strlen("source."), error);

	return declaration == NULL ? -EINVAL
				   : source_declaration_set(declaration, key, value, error);
}

static void print_sources(const void *target, FILE *out)
{
	const struct aggregator_config *config = target;
	for (size_t i = 0; i < config->source_count; i++) {
		source_declaration_print(&config->sources[i], out);
	}
}

static int set_table(void *target, const char *section, const char *key, const char *value,
	struct config_error *error)
{
	struct aggregator_config *config = target;

	return declared_tables_set(
		&config->tables, section + strlen(TABLE_PREFIX), key, value, error);
}

static void print_tables(const void *target, FILE *out)
{
	const struct aggregator_config *config = target;

	declared_tables_print(&config->tables, out);
}

static const struct config_section sections[] = {
	{.prefix = "kafka",
		.set = set_kafka,
		.is_secret = kafka_key_is_secret,
		.print = print_kafka,
		.help = "any property of librdkafka that leaves the guarantees alone; X_file = "
			"PATH for "
			"secrets"},
	{.prefix = "kafka.consumer",
		.set = set_kafka,
		.is_secret = kafka_key_is_secret,
		.help = "the same, wins over [kafka]"},
	{.prefix = "view.",
		.set = set_view,
		.print = print_views,
		.help = "a view's declaration; without any, the shipped ones"},
	{.prefix = "source.",
		.set = set_source,
		.print = print_sources,
		.help = "topics that others write: topic, format, kind, fields"},
	{.prefix = TABLE_PREFIX,
		.set = set_table,
		.print = print_tables,
		.help = "a table's declaration: key, columns; a source with table = NAME fills it"},
	{0},
};

const struct config_schema aggregator_config_schema = {
	.options = options,
	.sections = sections,
	.target_size = sizeof(struct aggregator_config),
};

/* "3" or "0-7". */
static bool own_range(struct aggregator_config *config, const char *item)
{
	char *end = NULL;
	if (item[0] < '0' || item[0] > '9') {
		return false;
	}
	long first = strtol(item, &end, 10), last = first;
	if (*end == '-' && end[1] >= '0' && end[1] <= '9') {
		last = strtol(end + 1, &end, 10);
	}
	if (*end != '\0' || first > last || last >= OWN_MAX) {
		return false;
	}
	for (long i = first; i <= last; i++) {
		config->owned[i] = true;
	}
	return true;
}

static int check_own(struct aggregator_config *config, struct config_error *error)
{
	const char *cursor = config->own;
	char item[ITEM_SIZE];

	config->owns_all = config->own == NULL || config->own[0] == '\0';
	while (!config->owns_all && config_list_next(&cursor, item, sizeof item)) {
		if (!own_range(config, item)) {
			return config_fail(error,
				"[aggregator] own: \"%s\" is no partition below %d and no range of "
				"them, such as 0-7",
				item, OWN_MAX);
		}
	}
	return 0;
}

static int check_topics(struct aggregator_config *config, struct config_error *error)
{
	const char *const *given = (const char *const *)config->topic_names;
	const char *telemetry = config->topic_telemetry;
	struct complaint complaint;

	if (telemetry != NULL && telemetry[0] != '\0' && !topic_name_is_valid(telemetry)) {
		return config_fail(error,
			"[aggregator] topic.telemetry: \"%s\" is no name of a topic", telemetry);
	}
	return topic_names_fill(given, config->topics, &complaint) == 0
		       ? 0
		       : config_fail(error, "[aggregator] %s", complaint.message);
}

/* Is the topic one of till's own, or a source's before this one? */
static bool topic_is_read(const struct aggregator_config *config, size_t source, const char *name)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		if (strcmp(config->topics[kind], name) == 0) {
			return true;
		}
	}
	for (size_t i = 0; i < source; i++) {
		for (uint32_t j = 0; j < config->sources[i].topic_count; j++) {
			if (strcmp(config->sources[i].topics[j], name) == 0) {
				return true;
			}
		}
	}
	return false;
}

static int check_source_topics(
	const struct aggregator_config *config, size_t source, struct config_error *error)
{
	const struct source_declaration *declaration = &config->sources[source];
	char why[TOPIC_NAME_SIZE + 64];

	for (uint32_t i = 0; i < declaration->topic_count; i++) {
		bool is_read = topic_is_read(config, source, declaration->topics[i]);
		for (uint32_t j = 0; j < i; j++) {
			is_read |= strcmp(declaration->topics[i], declaration->topics[j]) == 0;
		}
		if (is_read) {
			snprintf(why, sizeof why,
				"\"%s\" is read already, as one of till's own or of a source",
				declaration->topics[i]);
			return source_declaration_refuse(declaration, "topic", why, error);
		}
	}
	return 0;
}

/* Is the table that its rows are of declared? */
static int check_source_table(const struct aggregator_config *config,
	const struct source_declaration *source, struct config_error *error)
{
	const char *table = source->table;
	const char *near = table == NULL ? NULL : declared_tables_near(&config->tables, table);
	bool is_near = near != NULL;
	char why[192];

	if (table == NULL || (is_near && strcmp(near, table) == 0)) {
		return 0;
	}
	snprintf(why, sizeof why, "no [table.%.64s] is declared%s%s%s", table,
		is_near ? "; did you mean \"" : "", is_near ? near : "", is_near ? "\"?" : "");
	return source_declaration_refuse(source, "table", why, error);
}

static int check_sources(const struct aggregator_config *config, struct config_error *error)
{
	uint32_t topics = KIND_COUNT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->source_count; i++) {
		topics += config->sources[i].topic_count;
		r = source_declaration_check(&config->sources[i], error);
		if (r == 0) {
			r = check_source_topics(config, i, error);
		}
		if (r == 0) {
			r = check_source_table(config, &config->sources[i], error);
		}
	}
	return r == 0 && topics > TOPICS_MAX
		       ? config_fail(error, "[source.*] topic: more than %d topics in all",
				 TOPICS_MAX - KIND_COUNT)
		       : r;
}

static bool is_filled(const struct aggregator_config *config, const char *table)
{
	for (size_t i = 0; i < config->source_count; i++) {
		if (config->sources[i].table != NULL &&
			strcmp(config->sources[i].table, table) == 0) {
			return true;
		}
	}
	return false;
}

/* A table that is empty for ever would answer as if there were nobody. */
static int check_tables(const struct aggregator_config *config, struct config_error *error)
{
	for (size_t i = 0; i < config->tables.count; i++) {
		const char *name = config->tables.items[i].name;
		if (!is_filled(config, name)) {
			return config_fail(error,
				"%s: nothing fills [table.%s]: a [source.NAME] with table = %s "
				"does",
				config->tables.places[i][0], name, name);
		}
	}
	return 0;
}

static bool counts_of(const struct view *view, const struct source_declaration *source)
{
	return view_counts_kind(view, source->event_kind) ||
	       (view_counts_baskets(view) && source->event_kind == KIND_ORDER);
}

/* Rows of a database change and go; a view of their kind must be able to follow. */
static int check_takes_back(
	const void *owner, const struct view *view, char *complaint, size_t complaint_size)
{
	const struct aggregator_config *config = owner;
	const char *what = NULL;

	for (size_t i = 0; i < config->source_count; i++) {
		const struct source_declaration *source = &config->sources[i];
		if (!source_takes_back(source) || !counts_of(view, source) ||
			view_takes_back(view, &what)) {
			continue;
		}
		bool is_key = strcmp(what, "retain") == 0 || strcmp(what, "kind") == 0;
		snprintf(complaint, complaint_size,
			"view %s: %s: %s can't be taken back when a row changes, as those of "
			"[source.%s] do; without it, with count, sum, average and quantile alone, "
			"the view can stay; else let the source feed another kind, or a table",
			view_name(view), is_key ? what : "measures",
			!is_key                     ? what
			: strcmp(what, "kind") == 0 ? "a closed basket"
						    : "a row that has ended",
			source->name);
		return -EINVAL;
	}
	return 0;
}

/* Each view of kind basket says them, so that other ones make it another view. */
static int check_baskets(const struct aggregator_config *config, struct config_error *error)
{
	return config->baskets.memory_ms >= config->baskets.horizon_ms
		       ? 0
		       : config_fail(error, "[aggregator] basket_memory is shorter than "
					    "basket_horizon: lines that come after a basket "
					    "closed would open another one");
}

/* What they declare, not only that they can be read. */
static int finish_views(const struct aggregator_config *config, struct view_config *views,
	struct config_error *error)
{
	char text[BASKET_SPANS_TEXT_SIZE];

	basket_spans_write(config->baskets, text);
	int r = view_config_set_baskets(views, text);
	return r == 0 ? view_config_check(views, &config->tables, check_takes_back, config, error)
		      : r;
}

static int check_stage(struct aggregator_config *config, struct config_error *error)
{
	int r = view_config_stage(&config->views, config->stage, &config->staged, error);

	return r == 0 ? finish_views(config, &config->staged, error) : r;
}

static int check_views(struct aggregator_config *config, struct config_error *error)
{
	const char *text = view_shipped_text();
	int r = config->views.count > 0 ? 0
					: config_read_text(&aggregator_config_schema, config,
						  "the shipped views", text, strlen(text), error);

	if (r == 0) {
		r = check_baskets(config, error);
	}
	if (r == 0) {
		r = finish_views(config, &config->views, error);
	}
	return r == 0 && config->stage != NULL ? check_stage(config, error) : r;
}

/* tcp://HOST:PORT or ipc://PATH, one of them. */
static bool is_dialled(const char *endpoint)
{
	const char *colon = strrchr(endpoint, ':');
	char *end = NULL;

	if (strchr(endpoint, ',') != NULL || strchr(endpoint, ' ') != NULL) {
		return false;
	}
	if (strncmp(endpoint, "ipc://", 6) == 0) {
		return endpoint[6] != '\0';
	}
	long port = colon != NULL && colon[1] >= '0' && colon[1] <= '9'
			    ? strtol(colon + 1, &end, 10)
			    : 0;
	return strncmp(endpoint, "tcp://", 6) == 0 && colon > endpoint + 6 && port > 0 &&
	       port <= UINT16_MAX && *end == '\0';
}

static int check_replay(const struct aggregator_config *config, struct config_error *error)
{
	bool has_key = security_has(config->edge_key);

	if (!security_has(config->replay_to)) {
		return has_key ? config_fail(error, "[security] edge_key: [aggregator] replay_to "
						    "names no edge that has this key")
			       : 0;
	}
	if (!is_dialled(config->replay_to)) {
		return config_fail(error,
			"[aggregator] replay_to: \"%s\" is no endpoint of an edge, as "
			"tcp://127.0.0.1:7170 is",
			config->replay_to);
	}
	if (has_key && strchr(config->edge_key, ',') != NULL) {
		return config_fail(error, "[security] edge_key: one file, of one edge");
	}
	return program_check_endpoints(
		"[aggregator] replay_to", config->replay_to, has_key || config->insecure, error);
}

static int check_keys(const struct aggregator_config *config, struct config_error *error)
{
	const struct security_options keys = {
		.key_file = config->key_file,
		.authorized = config->authorized,
		.peer_keys = config->edge_key,
	};

	return security_check(&keys, error);
}

static int check_http(const struct aggregator_config *config, struct config_error *error)
{
	const struct web_access access = aggregator_config_access(config);
	bool has_key = config->http_tls_key != NULL;

	if ((config->http_tls_cert != NULL) != has_key) {
		return config_fail(error, "[http] %s: TLS needs tls_cert and tls_key",
			has_key ? "tls_key" : "tls_cert");
	}
	if (config->http_tls_client_ca != NULL && !has_key) {
		return config_fail(
			error, "[http] tls_client_ca: TLS needs tls_cert and tls_key too");
	}
	return web_access_check(&access, has_key, error);
}

struct web_access aggregator_config_access(const struct aggregator_config *config)
{
	return (struct web_access){
		.listen = config->http_listen,
		.hosts = config->http_hosts,
		.token = config->http_token,
		.admin_token = config->http_admin_token,
		.demands_certificate = config->http_tls_client_ca != NULL,
		.has_keys = security_has(config->authorized),
		.is_insecure = config->insecure,
	};
}

int aggregator_config_check(void *target, struct config_error *error)
{
	struct aggregator_config *config = target;
	int r = check_own(config, error);
	if (r == 0) {
		r = check_topics(config, error);
	}
	if (r == 0) {
		r = check_sources(config, error);
	}
	if (r == 0) {
		r = check_views(config, error);
	}
	if (r == 0) {
		r = check_tables(config, error);
	}
	if (r == 0) {
		r = kafka_options_check(&config->kafka, error);
	}
	if (r == 0) {
		r = program_check_endpoints("[aggregator] listen", config->listen,
			config->insecure || security_has(config->authorized), error);
	}
	if (r == 0) {
		r = program_check_endpoints("[aggregator] publish", config->publish,
			config->insecure || security_has(config->authorized), error);
	}
	if (r == 0) {
		r = check_replay(config, error);
	}
	if (r == 0) {
		r = check_http(config, error);
	}
	return r == 0 ? check_keys(config, error) : r;
}

void aggregator_config_deinit(struct aggregator_config *config)
{
	config_deinit(&aggregator_config_schema, config);
	kafka_properties_deinit(&config->kafka);
	view_config_deinit(&config->views);
	view_config_deinit(&config->staged);
	for (size_t i = 0; i < config->source_count; i++) {
		source_declaration_deinit(&config->sources[i]);
	}
	declared_tables_deinit(&config->tables);
}
