#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/bridge_config.h"
#include <cmocka.h>
#include <errno.h>

static struct bridge_config config;
static struct config_error error;

static int set_up(void **state)
{
	(void)state;
	error.text[0] = '\0';
	return config_init(&bridge_config_schema, &config, &error);
}

static int tear_down(void **state)
{
	(void)state;
	bridge_config_deinit(&config);
	return 0;
}

static int read_config(const char *text)
{
	int r = config_read_text(
		&bridge_config_schema, &config, "test.conf", text, strlen(text), &error);
	if (r == 0) {
		r = config_finish(&bridge_config_schema, &config, &error);
	}
	return r == 0 ? bridge_config_check(&config, &error) : r;
}

static void assert_refused(const char *text, const char *words)
{
	assert_int_equal(read_config(text), -EINVAL);
	if (strstr(error.text, words) == NULL) {
		fail_msg("\"%s\" does not say \"%s\"", error.text, words);
	}
}

static void test_brokers_are_all_that_is_required(void **state)
{
	(void)state;
	assert_int_equal(read_config("[bridge]\nbrokers = k1:9092,k2:9092\n"), 0);
	assert_int_equal(config.topics.partitions, 4);
	assert_true(config.topics.may_create);
	assert_string_equal(config.topics.names[KIND_CART_DLQ], "cart_events.dlq");
	assert_int_equal(config.encoding, ENCODING_MSGPACK);
	assert_int_equal(config.drain_ms, 5000);
}

static void test_without_brokers_there_is_no_bridge(void **state)
{
	(void)state;
	assert_refused("[bridge]\nformat = json\n", "brokers");
}

static void test_formats_are_msgpack_and_json(void **state)
{
	(void)state;
	assert_int_equal(read_config("[bridge]\nbrokers = k\nformat = json\n"), 0);
	assert_int_equal(config.encoding, ENCODING_JSON);
}

static void test_another_format_is_refused(void **state)
{
	(void)state;
	assert_refused("[bridge]\nbrokers = k\nformat = xml\n", "\"xml\"");
}

static void test_topics_that_collide_are_refused(void **state)
{
	(void)state;
	assert_refused("[bridge]\nbrokers = k\ntopic.cart = orders.dlq\n", "topic.*");
}

static void test_a_name_is_as_an_edges_id(void **state)
{
	(void)state;
	assert_int_equal(read_config("[bridge]\nbrokers = k:9092\nname = kafka 1\n"), 0);
	assert_string_equal(config.name, "kafka 1");
	assert_int_equal(config.telemetry_interval_ms, 10000);
	assert_refused("[bridge]\nbrokers = k:9092\nname = a\001b\n", "[bridge] name");
	assert_refused(
		"[bridge]\nbrokers = k:9092\nname = "
		"a23456789b23456789c23456789d23456789e23456789f23456789g2345678901234567890\n",
		"[bridge] name");
}

static void test_an_empty_topic_is_refused(void **state)
{
	(void)state;
	assert_refused("[bridge]\nbrokers = k\ntopic.view =\n", "topic.view");
}

static void test_an_open_address_needs_a_word_for_it(void **state)
{
	(void)state;
	assert_refused("[bridge]\nbrokers = k\nlisten = tcp://0.0.0.0:7171\n", "[bridge] listen");
	assert_int_equal(read_config("[security]\ninsecure = yes\n"), 0);
}

static void test_librdkafkas_properties_pass_and_guarantees_stay(void **state)
{
	(void)state;
	assert_int_equal(
		read_config("[bridge]\nbrokers = k\n[kafka.producer]\nlinger.ms = 1\n"), 0);
	assert_string_equal(kafka_properties_find(&config.kafka, KAFKA_PRODUCER, "linger.ms"), "1");
	assert_refused("[kafka]\nacks = 1\n", "acks");
	assert_refused("[kafka]\nlinger = 1\n", "linger");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(test_brokers_are_all_that_is_required),
		CASE(test_without_brokers_there_is_no_bridge),
		CASE(test_formats_are_msgpack_and_json),
		CASE(test_another_format_is_refused),
		CASE(test_topics_that_collide_are_refused),
		CASE(test_a_name_is_as_an_edges_id),
		CASE(test_an_empty_topic_is_refused),
		CASE(test_an_open_address_needs_a_word_for_it),
		CASE(test_librdkafkas_properties_pass_and_guarantees_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
