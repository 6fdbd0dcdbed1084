#include "edge/mqtt_config.h"
#include "proto/checksum.h"
#include "proto/utf8.h"
#include "runtime/endpoint.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define AT(member) offsetof(struct mqtt_config, member)

static const struct config_option options[] = {
	{"source", "brokers", CONFIG_LIST, AT(brokers), NULL, 0, 0,
		"MQTT brokers, tried in turn: tcp://host:1883, ssl://host:8883"},
	{"source", "topics", CONFIG_LIST, AT(topics), NULL, 0, 0,
		"what is subscribed; a level in braces gives a field: stores/{store}/orders"},
	{"source", "qos", CONFIG_INTEGER, AT(qos), "2", 0, 2,
		"the highest QoS that is asked for: 0, 1, 2"},
	{"source", "version", CONFIG_TEXT, AT(version), "auto", 0, 0, "of MQTT: auto, 5, 3.1.1"},
	{"source", "client_id", CONFIG_TEXT, AT(client_id), "", 0, 0,
		"who the broker keeps the session for; empty: till-EDGE-NAME"},
	{"source", "username", CONFIG_TEXT, AT(username), "", 0, 0, "for the broker"},
	{"source", "password", CONFIG_SECRET, AT(password), "", 0, 0, "for the broker"},
	{"source", "keep_alive", CONFIG_DURATION, AT(keep_alive_ms), "30s",
		MQTT_KEEP_ALIVE_S_MIN * 1000, MQTT_KEEP_ALIVE_S_MAX * 1000,
		"a connection that is silent for so long is asked for a sign of life"},
	{"source", "session_expiry", CONFIG_TEXT, AT(session_expiry), "never", 0, 0,
		"how long the broker keeps messages while the edge is away (MQTT 5): never, 7d"},
	{"source", "receive_maximum", CONFIG_INTEGER, AT(receive_maximum), "1000", 1,
		MQTT_RECEIVE_MAXIMUM_MAX, "messages that may be unacknowledged at a time"},
	{"source", "kind", CONFIG_TEXT, AT(kind), "", 0, 0,
		"of the events: order, cart, view; empty: as they say"},
	{"source", "format", CONFIG_TEXT, AT(format), "auto", 0, 0,
		"of the messages: auto, json, msgpack"},
	{"source", "event_id_property", CONFIG_TEXT, AT(event_id_property), "event_id", 0, 0,
		"the user property of MQTT 5 that holds the event_id; empty: none does"},
	{"source", "set", CONFIG_TEXT, AT(set), "", 0, 0,
		"fields that every event gets: channel=store,currency=EUR"},
	{"source", "retained", CONFIG_TEXT, AT(retained), "skip", 0, 0,
		"retained messages at subscribing: skip, new (with a new session), all"},
	{"source", "tls_ca", CONFIG_TEXT, AT(tls_ca), "", 0, 0,
		"PEM file of whom to trust; empty: the system's store"},
	{"source", "tls_cert", CONFIG_TEXT, AT(tls_cert), "", 0, 0,
		"PEM file of this edge's certificate"},
	{"source", "tls_key", CONFIG_TEXT, AT(tls_key), "", 0, 0,
		"PEM file of its key, closed to others (chmod 600)"},
	{"source", "tls_verify", CONFIG_BOOL, AT(tls_verify), "yes", 0, 0,
		"check the broker's certificate and that it is for this host"},
	{0},
};

const struct config_schema mqtt_config_schema = {
	.options = options,
	.target_size = sizeof(struct mqtt_config),
};

/* What is empty is NULL. */
static const char *given(const char *text)
{
	return text == NULL ? "" : text;
}

/* ---- words with a meaning */

struct word {
	const char *text;
	int value;
};

static int read_word(const char *key, const char *text, const struct word *words, int *ret_value,
	struct config_error *error)
{
	char known[100] = "";

	for (const struct word *word = words; word->text != NULL; word++) {
		if (strcmp(word->text, text) == 0) {
			*ret_value = word->value;
			return 0;
		}
		size_t size = strlen(known);
		snprintf(known + size, sizeof known - size, "%s%s", size > 0 ? ", " : "",
			word->text);
	}
	return config_fail(error, "%s: \"%s\" is none of %s", key, text, known);
}

static int read_words(const struct mqtt_config *config, struct mqtt_settings *settings,
	struct config_error *error)
{
	static const struct word versions[] = {{"auto", MQTT_PROTOCOL_AUTO}, {"5", MQTT_PROTOCOL_5},
		{"3.1.1", MQTT_PROTOCOL_3_1_1}, {0}};
	static const struct word formats[] = {{"auto", MQTT_FORMAT_AUTO},
		{"json", MQTT_FORMAT_JSON}, {"msgpack", MQTT_FORMAT_MSGPACK}, {0}};
	static const struct word retained[] = {{"skip", MQTT_RETAINED_SKIP},
		{"new", MQTT_RETAINED_TAKE_NEW}, {"all", MQTT_RETAINED_TAKE_ALL}, {0}};
	int protocol = 0, format = 0, kept = 0;

	int r = read_word("version", given(config->version), versions, &protocol, error);
	if (r == 0) {
		r = read_word("format", given(config->format), formats, &format, error);
	}
	if (r == 0) {
		r = read_word("retained", given(config->retained), retained, &kept, error);
	}
	settings->protocol = (enum mqtt_protocol)protocol;
	settings->format = (enum mqtt_format)format;
	settings->retained = (enum mqtt_retained)kept;
	return r;
}

static int read_session_expiry(const struct mqtt_config *config, struct mqtt_settings *settings,
	struct config_error *error)
{
	const char *text = given(config->session_expiry);
	int64_t ms = 0;

	if (strcmp(text, "never") == 0) {
		settings->session_expiry_s = MQTT_NEVER_EXPIRES;
		return 0;
	}
	if (!config_parse_duration(text, &ms) || ms < 60 * 1000 ||
		ms / 1000 >= MQTT_NEVER_EXPIRES) {
		return config_fail(error,
			"session_expiry: \"%s\" is neither never nor a time of at least 1m", text);
	}
	settings->session_expiry_s = (uint32_t)(ms / 1000);
	return 0;
}

/* ---- brokers */

static const struct scheme {
	const char *prefix;
	bool tls;
	const char *port;
} schemes[] = {
	{"tcp://", false, "1883"},
	{"mqtt://", false, "1883"},
	{"ssl://", true, "8883"},
	{"mqtts://", true, "8883"},
};

static const struct scheme *find_scheme(const char *text)
{
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		if (strncmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) == 0) {
			return &schemes[i];
		}
	}
	return NULL;
}

static bool is_port(const char *text)
{
	long number = 0;

	for (const char *at = text; *at != '\0'; at++) {
		if (!isdigit((unsigned char)*at) || at - text >= 5) {
			return false;
		}
		number = number * 10 + (*at - '0');
	}
	return number >= 1 && number <= 65535;
}

static bool is_host(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];
		if (!isalnum(c) && strchr(".-_:%", c) == NULL) {
			return false;
		}
	}
	return size > 0 && size < MQTT_HOST_SIZE;
}

/* "host", "host:1883", "[::1]", "[::1]:1883" */
static bool cut_address(const char *text, struct mqtt_endpoint *broker)
{
	bool brackets = text[0] == '[';
	const char *host = text + (brackets ? 1 : 0);
	const char *end = brackets ? strchr(host, ']') : strchr(host, ':');
	if (end == NULL && brackets) {
		return false;
	}
	size_t size = end == NULL ? strlen(host) : (size_t)(end - host);
	const char *rest = host + size + (brackets ? 1 : 0);

	if (!is_host(host, size) || (*rest != '\0' && (*rest != ':' || !is_port(rest + 1)))) {
		return false;
	}
	memcpy(broker->host, host, size);
	broker->host[size] = '\0';
	if (*rest == ':') {
		snprintf(broker->port, sizeof broker->port, "%.5s", rest + 1);
	}
	char address[MQTT_ADDRESS_SIZE];
	snprintf(address, sizeof address, "%s%s%s:%s", brackets ? "[" : "", broker->host,
		brackets ? "]" : "", broker->port);
	memcpy(broker->address, address, sizeof address);
	return true;
}

static int read_broker(const char *text, struct mqtt_endpoint *broker, struct config_error *error)
{
	const struct scheme *scheme = find_scheme(text);

	if (scheme != NULL) {
		broker->tls = scheme->tls;
		snprintf(broker->port, sizeof broker->port, "%s", scheme->port);
	}
	if (scheme == NULL || !cut_address(text + strlen(scheme->prefix), broker)) {
		return config_fail(error,
			"brokers: \"%s\" is no broker, as tcp://host:1883 and ssl://host:8883 are",
			text);
	}
	char name[MQTT_BROKER_NAME_SIZE];
	snprintf(name, sizeof name, "%s%s", broker->tls ? "ssl://" : "tcp://", broker->address);
	memcpy(broker->name, name, sizeof name);
	return 0;
}

/* Packet ids belong to an address: two of the same would each know half of them. */
static bool is_listed(const struct mqtt_settings *settings, const struct mqtt_endpoint *broker)
{
	for (const struct mqtt_endpoint *before = settings->brokers; before < broker; before++) {
		if (strcmp(before->address, broker->address) == 0) {
			return true;
		}
	}
	return false;
}

static int read_brokers(const struct mqtt_config *config, struct mqtt_settings *settings,
	struct config_error *error)
{
	const char *cursor = config->brokers;
	char text[MQTT_BROKER_NAME_SIZE + 8];
	int r = 0;

	settings->broker_count = 0;
	while (r == 0 && config_list_next(&cursor, text, sizeof text)) {
		if (settings->broker_count == MQTT_BROKERS_MAX) {
			return config_fail(error, "brokers: at most %d", MQTT_BROKERS_MAX);
		}
		struct mqtt_endpoint *broker = &settings->brokers[settings->broker_count++];
		r = read_broker(text, broker, error);
		if (r == 0 && is_listed(settings, broker)) {
			r = config_fail(error, "brokers: %s is listed twice", broker->address);
		}
	}
	if (r == 0 && settings->broker_count == 0) {
		return config_fail(error, "brokers: at least one");
	}
	return r;
}

/* ---- topics and fields */

/* The next item of a list, in place: patterns borrow from the configuration. */
static bool next_item(const char **cursor, struct slice *ret_item)
{
	const char *at = *cursor;

	while (*at != '\0') {
		size_t size = strcspn(at, ",");
		const char *next = at + size + (at[size] == ',' ? 1 : 0);
		while (size > 0 && (at[0] == ' ' || at[0] == '\t')) {
			at++;
			size--;
		}
		while (size > 0 && (at[size - 1] == ' ' || at[size - 1] == '\t')) {
			size--;
		}
		if (size > 0) {
			*ret_item = slice_of(at, size);
			*cursor = next;
			return true;
		}
		at = next;
	}
	*cursor = at;
	return false;
}

/* A name must be a field that may be added, and must not be set for all events too. */
static int check_names(const struct mqtt_settings *settings, const struct mqtt_pattern *pattern,
	struct config_error *error)
{
	for (uint32_t i = 0; i < pattern->level_count; i++) {
		const struct mqtt_level *level = &pattern->levels[i];
		if (level->type != MQTT_LEVEL_NAMED) {
			continue;
		}
		if (!event_addition_is_allowed(level->text)) {
			return config_fail(error, "topics: {%.*s} is for the edge alone to set",
				(int)level->text.size, (const char *)level->text.bytes);
		}
		if (additions_has(&settings->additions, level->text)) {
			return config_fail(error,
				"topics: {%.*s} is also given by kind or set: one of the two",
				(int)level->text.size, (const char *)level->text.bytes);
		}
	}
	return 0;
}

static int add_pattern(
	struct mqtt_settings *settings, struct slice text, struct config_error *error)
{
	struct mqtt_pattern *pattern = &settings->patterns[settings->pattern_count];
	char why[MQTT_TOPIC_ERROR_SIZE];
	char filter[MQTT_FILTER_SIZE_MAX + 1], other[MQTT_FILTER_SIZE_MAX + 1];

	if (mqtt_pattern_parse(text, pattern, why) < 0) {
		return config_fail(error, "topics: %s", why);
	}
	mqtt_pattern_filter(pattern, filter);
	for (uint32_t i = 0; i < settings->pattern_count; i++) {
		mqtt_pattern_filter(&settings->patterns[i], other);
		if (strcmp(filter, other) == 0) {
			return config_fail(error, "topics: %.100s is subscribed twice", filter);
		}
	}
	settings->pattern_count++;
	return check_names(settings, pattern, error);
}

static int read_topics(const struct mqtt_config *config, struct mqtt_settings *settings,
	struct config_error *error)
{
	const char *cursor = given(config->topics);
	struct slice item;
	int r = 0;

	settings->pattern_count = 0;
	while (r == 0 && next_item(&cursor, &item)) {
		if (settings->pattern_count == MQTT_FILTERS_MAX) {
			return config_fail(error, "topics: at most %d", MQTT_FILTERS_MAX);
		}
		r = add_pattern(settings, item, error);
	}
	if (r == 0 && settings->pattern_count == 0) {
		return config_fail(error, "topics: at least one");
	}
	return r;
}

/* ---- the whole */

int mqtt_settings_read(const struct mqtt_config *config, struct mqtt_settings *ret_settings,
	struct config_error *error)
{
	*ret_settings = (struct mqtt_settings){
		.event_id_property = slice_of_text(config->event_id_property)};
	int r = read_words(config, ret_settings, error);
	if (r == 0) {
		r = read_session_expiry(config, ret_settings, error);
	}
	if (r == 0) {
		r = read_brokers(config, ret_settings, error);
	}
	if (r == 0) {
		r = additions_read(&ret_settings->additions, config->kind, config->set, error);
	}
	return r == 0 ? read_topics(config, ret_settings, error) : r;
}

static int check_texts(const struct mqtt_config *config, struct config_error *error)
{
	const struct {
		const char *key, *text;
		size_t size_max;
	} texts[] = {
		{"client_id", config->client_id, MQTT_CLIENT_ID_SIZE_MAX},
		{"username", config->username, UINT16_MAX},
		{"password", config->password, UINT16_MAX},
		{"event_id_property", config->event_id_property, UINT16_MAX},
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct slice text = slice_of_text(texts[i].text);
		if (text.size > texts[i].size_max || !utf8_is_valid(text)) {
			return config_fail(error, "%s: at most %zu bytes of UTF-8", texts[i].key,
				texts[i].size_max);
		}
	}
	bool password_alone = config->password != NULL && config->username == NULL;
	if (password_alone && strcmp(given(config->version), "5") != 0) {
		return config_fail(
			error, "password: without a username only MQTT 5 takes it: version = 5");
	}
	return 0;
}

/* Sales, and passwords, don't cross a network that others read, unless the operator says so. */
static int check_safety(const struct mqtt_config *config, const struct mqtt_settings *settings,
	struct config_error *error)
{
	for (uint32_t i = 0; i < settings->broker_count; i++) {
		const struct mqtt_endpoint *broker = &settings->brokers[i];
		if (endpoint_is_local(broker->address) || (broker->tls && config->tls_verify)) {
			continue;
		}
		return config_fail(error,
			"%s: %s is another machine: use ssl:// with tls_verify = yes, or set "
			"[security] insecure = yes",
			broker->tls ? "tls_verify" : "brokers", broker->name);
	}
	return 0;
}

int mqtt_config_check(void *target, bool insecure, struct config_error *error)
{
	const struct mqtt_config *config = target;
	struct mqtt_settings settings;

	int r = mqtt_settings_read(config, &settings, error);
	if (r == 0) {
		r = check_texts(config, error);
	}
	return r == 0 && !insecure ? check_safety(config, &settings, error) : r;
}

static bool is_plain(char c)
{
	return isalnum((unsigned char)c) || strchr("-_.", c) != NULL;
}

void mqtt_client_id(const struct mqtt_config *config, const char *edge, const char *name,
	char ret_id[MQTT_CLIENT_ID_SIZE_MAX + 1])
{
	enum { SIZE = MQTT_CLIENT_ID_SIZE_MAX + 1, CHECKSUM_SIZE = 9 };
	bool changed = false;

	if (config->client_id != NULL) {
		snprintf(ret_id, SIZE, "%s", config->client_id);
		return;
	}
	int size = snprintf(ret_id, SIZE - CHECKSUM_SIZE, "till-%s-%s", edge, name);
	for (char *at = ret_id; *at != '\0'; at++) {
		if (!is_plain(*at)) {
			*at = '-';
			changed = true;
		}
	}
	if (changed || size >= SIZE - CHECKSUM_SIZE) {
		uint32_t crc = checksum_crc32c(0, edge, strlen(edge) + 1);
		crc = checksum_crc32c(crc, name, strlen(name));
		snprintf(ret_id + strlen(ret_id), CHECKSUM_SIZE + 1, "-%08x", crc);
	}
}
