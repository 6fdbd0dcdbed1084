#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/kafka_options.h"
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct kafka_properties properties;
static struct config_error error;

static int begin(void **state)
{
	(void)state;
	properties = (struct kafka_properties){0};
	error.text[0] = '\0';
	return 0;
}

static int end(void **state)
{
	(void)state;
	kafka_properties_deinit(&properties);
	return 0;
}

static int set(const char *section, const char *key, const char *value)
{
	return kafka_properties_set(&properties, section, key, value, &error);
}

static void test_every_property_that_carries_a_guarantee_is_refused_by_name(void **state)
{
	(void)state;
	static const char *const names[] = {"enable.idempotence", "acks", "request.required.acks",
		"message.timeout.ms", "delivery.timeout.ms", "retries", "message.send.max.retries",
		"max.in.flight", "max.in.flight.requests.per.connection",
		"enable.gapless.guarantee", "transactional.id", "partitioner", "enable.auto.commit",
		"enable.auto.offset.store", "auto.offset.reset", "isolation.level", "group.id",
		"delivery.report.only.error", "bootstrap.servers"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_int_equal(set("kafka", names[i], "1"), -EINVAL);
		assert_non_null(strstr(error.text, names[i]));
		assert_int_equal(set("kafka.producer", names[i], "1"), -EINVAL);
	}
	assert_int_equal(properties.count, 0);
}

static void test_the_clients_own_section_wins_over_the_common_one(void **state)
{
	(void)state;
	assert_int_equal(set("kafka", "linger.ms", "1"), 0);
	assert_int_equal(set("kafka.producer", "linger.ms", "2"), 0);
	assert_string_equal(kafka_properties_find(&properties, KAFKA_PRODUCER, "linger.ms"), "2");
	assert_string_equal(kafka_properties_find(&properties, KAFKA_CONSUMER, "linger.ms"), "1");
	assert_null(kafka_properties_find(&properties, KAFKA_CONSUMER, "client.id"));
}

static void test_a_dotted_role_is_the_same_place_as_its_section(void **state)
{
	(void)state;
	assert_int_equal(set("kafka", "producer.linger.ms", "3"), 0);
	assert_string_equal(kafka_properties_find(&properties, KAFKA_PRODUCER, "linger.ms"), "3");
	assert_int_equal(set("kafka", "producer.acks", "0"), -EINVAL);
}

static void test_a_role_without_a_property_is_refused(void **state)
{
	(void)state;
	assert_int_equal(set("kafka", "consumer.", "5"), -EINVAL);
}

static void test_setting_again_replaces(void **state)
{
	(void)state;
	assert_int_equal(set("kafka", "client.id", "a"), 0);
	assert_int_equal(set("kafka", "client.id", "b"), 0);
	assert_int_equal(properties.count, 1);
	assert_string_equal(kafka_properties_find(&properties, KAFKA_BOTH, "client.id"), "b");
}

static void test_an_unknown_section_is_refused(void **state)
{
	(void)state;
	assert_int_equal(set("kafka.admin", "client.id", "a"), -EINVAL);
	assert_non_null(strstr(error.text, "kafka.admin"));
}

static void test_secrets_are_read_from_files_and_never_printed(void **state)
{
	(void)state;
	char path[] = "/tmp/till-test-secret-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "tea4two\n", 8), 8);
	close(fd);

	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(set("kafka", "sasl.password_file", path), -EINVAL);
	assert_non_null(strstr(error.text, "chmod 600"));

	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(set("kafka", "sasl.password_file", path), 0);
	assert_string_equal(
		kafka_properties_find(&properties, KAFKA_PRODUCER, "sasl.password"), "tea4two");
	unlink(path);

	assert_int_equal(set("kafka.consumer", "sasl.username", "till"), 0);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	kafka_properties_print(&properties, out);
	fclose(out);
	assert_string_equal(text, "[kafka]\n# sasl.password = (hidden)\n"
				  "[kafka.consumer]\nsasl.username = till\n");
	free(text);
}

static void test_a_secret_file_that_is_not_there_is_named(void **state)
{
	(void)state;
	assert_int_equal(set("kafka", "sasl.password_file", "/nonexistent/secret"), -EINVAL);
	assert_non_null(strstr(error.text, "/nonexistent/secret"));
	assert_int_equal(properties.count, 0);
}

static void test_what_librdkafka_does_not_know_is_refused(void **state)
{
	(void)state;
	assert_int_equal(set("kafka", "socket.timeout.ms", "5000"), 0);
	assert_int_equal(kafka_options_check(&properties, &error), 0);
	assert_int_equal(set("kafka.producer", "lingger.ms", "5"), 0);
	assert_int_equal(kafka_options_check(&properties, &error), -EINVAL);
	assert_non_null(strstr(error.text, "lingger.ms"));
}

static void test_a_value_that_librdkafka_does_not_take_is_refused(void **state)
{
	(void)state;
	assert_int_equal(set("kafka", "socket.timeout.ms", "soon"), 0);
	assert_int_equal(kafka_options_check(&properties, &error), -EINVAL);
	assert_non_null(strstr(error.text, "socket.timeout.ms"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
		CASE(test_every_property_that_carries_a_guarantee_is_refused_by_name),
		CASE(test_the_clients_own_section_wins_over_the_common_one),
		CASE(test_a_dotted_role_is_the_same_place_as_its_section),
		CASE(test_a_role_without_a_property_is_refused),
		CASE(test_setting_again_replaces),
		CASE(test_an_unknown_section_is_refused),
		CASE(test_secrets_are_read_from_files_and_never_printed),
		CASE(test_a_secret_file_that_is_not_there_is_named),
		CASE(test_what_librdkafka_does_not_know_is_refused),
		CASE(test_a_value_that_librdkafka_does_not_take_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
