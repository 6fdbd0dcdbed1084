#include "runtime/kafka_properties.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS "the addresses are `brokers`"
#define DELIVERY "an event is acknowledged when every in-sync replica has it, and never given up"
#define ONCE "the producer must be idempotent, or Kafka itself would repeat and reorder records"
#define PLACE "an edge lives in one partition for good, chosen by till"
#define OFFSETS "offsets are kept in the store, in the transaction of the totals"
#define GAPS "a missing offset must stop the aggregator, not move it"
#define REPORTS "till reads librdkafka's events and reports itself"
#define CREATION "topics are created with till's settings or not at all"

static const struct {
	const char *name;
	const char *why;
} refusals[] = {
	{"bootstrap.servers", ADDRESS},
	{"metadata.broker.list", ADDRESS},
	{"test.mock.num.brokers", ADDRESS},
	{"acks", DELIVERY},
	{"request.required.acks", DELIVERY},
	{"message.timeout.ms", DELIVERY},
	{"delivery.timeout.ms", DELIVERY},
	{"retries", DELIVERY},
	{"message.send.max.retries", DELIVERY},
	{"enable.idempotence", ONCE},
	{"max.in.flight", ONCE},
	{"max.in.flight.requests.per.connection", ONCE},
	{"enable.gapless.guarantee", ONCE},
	{"transactional.id", ONCE},
	{"queuing.strategy", ONCE},
	{"partitioner", PLACE},
	{"enable.auto.commit", OFFSETS},
	{"auto.commit.enable", OFFSETS},
	{"enable.auto.offset.store", OFFSETS},
	{"offset.store.method", OFFSETS},
	{"group.id", OFFSETS},
	{"group.instance.id", OFFSETS},
	{"auto.offset.reset", GAPS},
	{"isolation.level", GAPS},
	{"topic.blacklist", GAPS},
	{"delivery.report.only.error", REPORTS},
	{"enable.partition.eof", REPORTS},
	{"enabled_events", REPORTS},
	{"log.queue", REPORTS},
	{"allow.auto.create.topics", CREATION},
};

static const char *const secrets[] = {"sasl.password", "ssl.key.password", "ssl.keystore.password",
	"ssl.key.pem", "ssl_key", "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config"};

const char *kafka_property_refusal(const char *name)
{
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		if (strcmp(refusals[i].name, name) == 0) {
			return refusals[i].why;
		}
	}
	return NULL;
}

bool kafka_property_is_secret(const char *name)
{
	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
		if (strcmp(secrets[i], name) == 0) {
			return true;
		}
	}
	return false;
}

/* "kafka" and "producer.linger.ms" is the same place as "kafka.producer" and "linger.ms": -o knows no brackets. */
static bool split_role(
	const char *section, const char *key, enum kafka_role *ret_role, const char **ret_name)
{
	static const struct {
		const char *section, *prefix;
		enum kafka_role role;
	} places[] = {
		{"kafka.producer", "producer.", KAFKA_PRODUCER},
		{"kafka.consumer", "consumer.", KAFKA_CONSUMER},
	};
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		size_t size = strlen(places[i].prefix);
		bool is_prefixed =
			strcmp(section, "kafka") == 0 && strncmp(key, places[i].prefix, size) == 0;
		if (is_prefixed || strcmp(section, places[i].section) == 0) {
			*ret_role = places[i].role;
			*ret_name = is_prefixed ? key + size : key;
			return true;
		}
	}
	*ret_role = KAFKA_BOTH;
	*ret_name = key;
	return strcmp(section, "kafka") == 0;
}

bool kafka_key_is_secret(const void *target, const char *section, const char *key)
{
	enum kafka_role role;
	const char *name;

	(void)target;
	return split_role(section, key, &role, &name) && kafka_property_is_secret(name);
}

static struct kafka_property *slot_of(
	struct kafka_properties *properties, enum kafka_role role, const char *name)
{
	for (size_t i = 0; i < properties->count; i++) {
		struct kafka_property *item = &properties->items[i];
		if (item->role == role && strcmp(item->name, name) == 0) {
			return item;
		}
	}
	struct kafka_property *items =
		realloc(properties->items, (properties->count + 1) * sizeof *items);
	if (items == NULL) {
		return NULL;
	}
	properties->items = items;
	char *copy = strdup(name);
	if (copy == NULL) {
		return NULL;
	}
	items[properties->count] = (struct kafka_property){.role = role, .name = copy};
	return &items[properties->count++];
}

/* Takes `value`. */
static int store_take(struct kafka_properties *properties, enum kafka_role role, const char *name,
	char *value, bool secret)
{
	struct kafka_property *item = value == NULL ? NULL : slot_of(properties, role, name);
	if (item == NULL) {
		free(value);
		return -ENOMEM;
	}
	free(item->value);
	item->value = value;
	item->is_secret = secret;
	return 0;
}

int kafka_properties_set(struct kafka_properties *properties, const char *section, const char *key,
	const char *value, struct config_error *error)
{
	enum kafka_role role;
	const char *given;
	char name[128];
	char *owned = NULL;

	if (!split_role(section, key, &role, &given)) {
		return config_fail(error,
			"there is no [%s]; use [kafka], [kafka.producer], [kafka.consumer]",
			section);
	}
	size_t size = strlen(given);
	if (size == 0) {
		return config_fail(error, "a property's name follows \"%s\"", key);
	}
	bool from_file = size > 5 && strcmp(given + size - 5, "_file") == 0;
	snprintf(name, sizeof name, "%.*s", (int)(from_file ? size - 5 : size), given);
	const char *why = kafka_property_refusal(name);
	if (why != NULL) {
		return config_fail(error, "%s can not be set: %s", name, why);
	}
	if (!from_file) {
		return store_take(
			properties, role, name, strdup(value), kafka_property_is_secret(name));
	}
	int r = config_read_secret(value, &owned, error);
	return r < 0 ? r : store_take(properties, role, name, owned, true);
}

void kafka_properties_print(const struct kafka_properties *properties, FILE *out)
{
	static const char *const sections[] = {"kafka", "kafka.producer", "kafka.consumer"};
	for (int role = KAFKA_BOTH; role <= KAFKA_CONSUMER; role++) {
		bool has_heading = false;
		for (size_t i = 0; i < properties->count; i++) {
			const struct kafka_property *item = &properties->items[i];
			if ((int)item->role != role) {
				continue;
			}
			if (!has_heading) {
				fprintf(out, "[%s]\n", sections[role]);
				has_heading = true;
			}
			if (item->is_secret) { /* a comment: what is printed can be read again */
				fprintf(out, "# %s = (hidden)\n", item->name);
			} else {
				fprintf(out, "%s = %s\n", item->name, item->value);
			}
		}
	}
}

void kafka_properties_deinit(struct kafka_properties *properties)
{
	for (size_t i = 0; i < properties->count; i++) {
		free(properties->items[i].name);
		free(properties->items[i].value);
	}
	free(properties->items);
	*properties = (struct kafka_properties){0};
}

const char *kafka_properties_find(
	const struct kafka_properties *properties, enum kafka_role role, const char *name)
{
	const char *found = NULL;
	for (size_t i = 0; i < properties->count; i++) {
		const struct kafka_property *item = &properties->items[i];
		if (strcmp(item->name, name) != 0) {
			continue;
		}
		if (item->role == role) {
			return item->value;
		}
		if (item->role == KAFKA_BOTH) {
			found = item->value;
		}
	}
	return found;
}
