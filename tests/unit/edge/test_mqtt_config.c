#include "edge/mqtt_config.h"
#include "fixture.h"
#include <errno.h>

/* Reads `text` as the keys of one source, with what is required filled in. */
static void read_config(const char *text, struct mqtt_config *ret_config)
{
	struct config_error error;
	char lines[4096];
	int size = snprintf(lines, sizeof lines, "[source]\n%s", text);

	assert_int_equal(config_init(&mqtt_config_schema, ret_config, &error), 0);
	if (config_read_text(&mqtt_config_schema, ret_config, "test", lines, (size_t)size, &error) <
		0) {
		fail_msg("%s", error.text);
	}
}

#define BROKERS "brokers = tcp://127.0.0.1\n"
#define TOPICS "topics = stores/{store}/orders\n"

static void assert_refused(const char *text, const char *words)
{
	struct mqtt_config config;
	struct config_error error = {0};

	read_config(text, &config);
	assert_int_equal(mqtt_config_check(&config, false, &error), -EINVAL);
	if (strstr(error.text, words) == NULL) {
		fail_msg("\"%s\" says nothing of \"%s\"", error.text, words);
	}
	config_deinit(&mqtt_config_schema, &config);
}

static void test_brokers_are_cut_into_host_port_and_transport(void **state)
{
	struct mqtt_config config;
	struct mqtt_settings settings;
	struct config_error error;
	(void)state;

	read_config("brokers = tcp://localhost, mqtt://10.0.0.5:2883, ssl://broker.example, "
		    "mqtts://[fe80::1%eth0]:8884, tcp://[::1]\n" TOPICS,
		&config);
	assert_int_equal(mqtt_settings_read(&config, &settings, &error), 0);
	assert_int_equal(settings.broker_count, 5);
	assert_string_equal(settings.brokers[0].name, "tcp://localhost:1883");
	assert_string_equal(settings.brokers[1].name, "tcp://10.0.0.5:2883");
	assert_string_equal(settings.brokers[2].name, "ssl://broker.example:8883");
	assert_true(settings.brokers[2].tls);
	assert_string_equal(settings.brokers[3].host, "fe80::1%eth0");
	assert_string_equal(settings.brokers[3].port, "8884");
	assert_string_equal(settings.brokers[3].address, "[fe80::1%eth0]:8884");
	assert_string_equal(settings.brokers[4].address, "[::1]:1883");
	config_deinit(&mqtt_config_schema, &config);
}

static void test_what_is_no_broker_is_refused_with_an_example(void **state)
{
	static const char *const brokers[] = {"localhost:1883", "tcp://", "tcp://:1883",
		"tcp://a b", "tcp://host:0", "tcp://host:65536", "tcp://host:18x",
		"tcp://host:", "tcp://[::1", "tcp://host/path", "tcp://user@host", "http://host",
		"tcp://::1:1883"};
	char text[200];
	(void)state;

	for (size_t i = 0; i < sizeof brokers / sizeof brokers[0]; i++) {
		snprintf(text, sizeof text, "brokers = %s\n" TOPICS, brokers[i]);
		assert_refused(text, "is no broker, as tcp://host:1883 and ssl://host:8883 are");
	}
	assert_refused("brokers = ,\n" TOPICS, "brokers: at least one");
	assert_refused("brokers = tcp://a, tcp://b, tcp://a:1883\n" TOPICS,
		"brokers: a:1883 is listed twice");
	assert_refused(
		"brokers = "
		"tcp://a,tcp://b,tcp://c,tcp://d,tcp://e,tcp://f,tcp://g,tcp://h,tcp://i\n" TOPICS,
		"brokers: at most 8");
}

/* Sales and passwords would cross the network as they are. */
static void test_another_machine_is_reached_by_verified_tls_or_not_at_all(void **state)
{
	struct mqtt_config config;
	struct config_error error;
	(void)state;

	assert_refused("brokers = tcp://10.0.0.5\n" TOPICS, "use ssl://");
	assert_refused("brokers = ssl://10.0.0.5\ntls_verify = no\n" TOPICS, "tls_verify = yes");
	read_config("brokers = tcp://10.0.0.5, ssl://10.0.0.6\n" TOPICS, &config);
	assert_int_equal(mqtt_config_check(&config, true, &error), 0);
	config_deinit(&mqtt_config_schema, &config);
	read_config("brokers = tcp://127.0.0.1, ssl://10.0.0.6\n" TOPICS, &config);
	assert_int_equal(mqtt_config_check(&config, false, &error), 0);
	config_deinit(&mqtt_config_schema, &config);
}

static void test_words_and_numbers_have_their_meaning(void **state)
{
	struct mqtt_config config;
	struct mqtt_settings settings;
	struct config_error error;
	(void)state;

	read_config(BROKERS TOPICS
		"version = 3.1.1\nformat = json\nretained = new\n"
		"session_expiry = 7d\nkind = cart\nset = channel=store,note=a=b\n",
		&config);
	assert_int_equal(mqtt_settings_read(&config, &settings, &error), 0);
	assert_int_equal(settings.protocol, MQTT_PROTOCOL_3_1_1);
	assert_int_equal(settings.format, MQTT_FORMAT_JSON);
	assert_int_equal(settings.retained, MQTT_RETAINED_TAKE_NEW);
	assert_int_equal(settings.session_expiry_s, 7 * 24 * 60 * 60);
	assert_int_equal(settings.additions.count, 3);
	assert_true(slice_equals_text(settings.additions.of[0].name, "kind"));
	assert_true(slice_equals_text(settings.additions.of[0].value, "cart"));
	assert_true(slice_equals_text(settings.additions.of[2].value, "a=b"));
	assert_true(slice_equals_text(settings.event_id_property, "event_id"));
	config_deinit(&mqtt_config_schema, &config);

	assert_refused(BROKERS TOPICS "version = 4\n", "is none of auto, 5, 3.1.1");
	assert_refused(BROKERS TOPICS "format = xml\n", "is none of auto, json, msgpack");
	assert_refused(BROKERS TOPICS "retained = yes\n", "is none of skip, new, all");
	assert_refused(BROKERS TOPICS "session_expiry = 10s\n", "neither never nor a time");
	assert_refused(BROKERS TOPICS "kind = order.dlq\n", "is none of order, cart, view");
	assert_refused(BROKERS TOPICS "set = channel\n", "set");
	assert_refused(BROKERS TOPICS "set = seq=1\n", "set: seq is for the edge alone to set");
	assert_refused(BROKERS TOPICS "kind = cart\nset = kind=view\n", "set: kind is given twice");
	assert_refused(BROKERS TOPICS "password = secret\n", "version = 5");
}

static void test_topics_give_fields_once(void **state)
{
	struct mqtt_config config;
	struct mqtt_settings settings;
	struct config_error error;
	(void)state;

	read_config(BROKERS "topics = stores/{store}/orders , carts/+/{kind}\n", &config);
	assert_int_equal(mqtt_settings_read(&config, &settings, &error), 0);
	assert_int_equal(settings.pattern_count, 2);
	assert_true(slice_equals_text(settings.patterns[0].text, "stores/{store}/orders"));
	assert_true(slice_equals_text(settings.patterns[1].text, "carts/+/{kind}"));
	config_deinit(&mqtt_config_schema, &config);

	assert_refused(BROKERS "topics = ,\n", "topics: at least one");
	assert_refused(BROKERS "topics = a/#/b\n", "topics: pattern \"a/#/b\"");
	assert_refused(BROKERS "topics = {edge}/a\n", "{edge} is for the edge alone");
	assert_refused(BROKERS "topics = {a}/x, {b}/x\n", "topics: +/x is subscribed twice");
	assert_refused(
		BROKERS "topics = {channel}/x\nset = channel=store\n", "also given by kind or set");
	assert_refused(BROKERS "topics = {kind}/x\nkind = cart\n", "also given by kind or set");
}

/* Two edges whose names differ only in what a client id can't hold must not throw each other out of the broker. */
static void test_a_default_client_id_is_plain_and_tells_edges_apart(void **state)
{
	struct mqtt_config config;
	char id[MQTT_CLIENT_ID_SIZE_MAX + 1], other[MQTT_CLIENT_ID_SIZE_MAX + 1];
	char longest[EDGE_ID_SIZE_MAX + 1];
	(void)state;

	read_config(BROKERS TOPICS, &config);
	mqtt_client_id(&config, "berlin-1", "shop", id);
	assert_string_equal(id, "till-berlin-1-shop");
	mqtt_client_id(&config, "United Kingdom", "shop", id);
	mqtt_client_id(&config, "United_Kingdom", "shop", other);
	assert_string_not_equal(id, other);
	assert_null(strchr(id, ' '));
	assert_memory_equal(id, "till-United-Kingdom-shop-", 25);
	mqtt_client_id(&config, "United-Kingdom", "shop", other);
	assert_string_not_equal(id, other);
	memset(longest, 'e', EDGE_ID_SIZE_MAX);
	longest[EDGE_ID_SIZE_MAX] = '\0';
	mqtt_client_id(&config, longest, "a-name-of-forty-characters-which-is-most", id);
	assert_int_equal(strlen(id), strlen("till--") + EDGE_ID_SIZE_MAX + 40);
	config_deinit(&mqtt_config_schema, &config);

	read_config(BROKERS TOPICS "client_id = till 7\n", &config);
	mqtt_client_id(&config, "berlin-1", "shop", id);
	assert_string_equal(id, "till 7");
	config_deinit(&mqtt_config_schema, &config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_brokers_are_cut_into_host_port_and_transport),
		cmocka_unit_test(test_what_is_no_broker_is_refused_with_an_example),
		cmocka_unit_test(test_another_machine_is_reached_by_verified_tls_or_not_at_all),
		cmocka_unit_test(test_words_and_numbers_have_their_meaning),
		cmocka_unit_test(test_topics_give_fields_once),
		cmocka_unit_test(test_a_default_client_id_is_plain_and_tells_edges_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
