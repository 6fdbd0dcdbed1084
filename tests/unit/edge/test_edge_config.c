#include "edge/edge_config.h"
#include "fixture.h"

static int check(
	const char *const *assignments, struct edge_config *config, struct config_error *error)
{
	*config = (struct edge_config){0};
	assert_int_equal(config_init(&edge_config_schema, config, error), 0);
	for (size_t i = 0; assignments[i] != NULL; i++) {
		int r = config_set(&edge_config_schema, config, assignments[i], error);
		if (r != 0) {
			return r;
		}
	}
	int r = config_finish(&edge_config_schema, config, error);
	return r == 0 ? edge_config_check(config, error) : r;
}

static void expect_refused(const char *assignment, const char *words)
{
	const char *const assignments[] = {"edge.id=uk", "edge.data=/d", assignment, NULL};
	struct edge_config config;
	struct config_error error = {.text = ""};

	assert_true(check(assignments, &config, &error) < 0);
	if (strstr(error.text, words) == NULL) {
		fail_msg("%s: \"%s\" lacks \"%s\"", assignment, error.text, words);
	}
	config_deinit(&edge_config_schema, &config);
}

static void test_the_defaults_are_the_contracts(void **state)
{
	const char *const assignments[] = {"edge.id=United Kingdom", "edge.data=/d", NULL};
	struct edge_config config;
	struct config_error error = {.text = ""};

	(void)state;
	assert_int_equal(check(assignments, &config, &error), 0);
	assert_string_equal(config.listen, "tcp://127.0.0.1:7170");
	assert_string_equal(config.bridges, "tcp://127.0.0.1:7171");
	assert_string_equal(config.http_listen, "127.0.0.1:9170");
	assert_int_equal(config.spool_max, INT64_C(1) << 30);
	assert_int_equal(config.share_percent[KIND_ORDER], 100);
	assert_int_equal(config.share_percent[KIND_VIEW_DLQ], 10);
	assert_int_equal(config.sync_interval_ms, 0);
	assert_int_equal(config.producer_ttl_ms, INT64_C(30) * 86400000);
	assert_int_equal(config.event_id_window, 1000000);
	assert_string_equal(config.currency, "XXX");
	assert_int_equal(config.compression_level, 0);
	config_deinit(&edge_config_schema, &config);
}

static void test_sync_has_three_forms(void **state)
{
	const char *const interval[] = {
		"edge.id=a", "edge.data=/d", "edge.sync=interval:250ms", NULL};
	const char *const never[] = {"edge.id=a", "edge.data=/d", "edge.sync=never", NULL};
	struct edge_config config;
	struct config_error error = {.text = ""};

	(void)state;
	assert_int_equal(check(interval, &config, &error), 0);
	assert_int_equal(config.sync_interval_ms, 250);
	config_deinit(&edge_config_schema, &config);
	assert_int_equal(check(never, &config, &error), 0);
	assert_int_equal(config.sync_interval_ms, 1000);
	config_deinit(&edge_config_schema, &config);
	expect_refused("edge.sync=sometimes", "sync");
	expect_refused("edge.sync=interval:", "sync");
	expect_refused("edge.sync=interval:2h", "sync");
}

static void test_compress_is_off_or_a_level(void **state)
{
	static const struct {
		const char *assignment;
		int level;
	} cases[] = {{"edge.compress=no", 0}, {"edge.compress=zstd", 3},
		{"edge.compress=zstd:1", 1}, {"edge.compress=zstd:9", 9}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *const assignments[] = {
			"edge.id=a", "edge.data=/d", cases[i].assignment, NULL};
		struct edge_config config;
		struct config_error error = {.text = ""};
		assert_int_equal(check(assignments, &config, &error), 0);
		assert_int_equal(config.compression_level, cases[i].level);
		config_deinit(&edge_config_schema, &config);
	}
	expect_refused("edge.compress=yes", "compress");
	expect_refused("edge.compress=zstd:", "compress");
	expect_refused("edge.compress=zstd:0", "compress");
	expect_refused("edge.compress=zstd:10", "compress");
	expect_refused("edge.compress=zstd:-1", "compress");
	expect_refused("edge.compress=zstd:3x", "compress");
	expect_refused("edge.compress=lz4", "compress");
}

static void test_what_makes_no_sense_is_refused_by_name(void **state)
{
	(void)state;
	expect_refused("edge.id= x ", "id");
	expect_refused("edge.currency=euro", "currency");
	expect_refused("edge.timezone=Europe/Atlantis", "timezone");
	expect_refused("edge.timezone=Europe/Berln", "did you mean \"Europe/Berlin\"?");
	expect_refused("edge.bridges=", "bridges");
	expect_refused("edge.spool_max=1KiB", "spool_max");
	expect_refused("edge.spool_max.cart=0%", "spool_max.cart");
	expect_refused("edge.colour=red", "colour");
}

static void test_endpoints_that_others_reach_need_keys(void **state)
{
	const char *const insecure[] = {"edge.id=a", "edge.data=/d",
		"edge.listen=tcp://0.0.0.0:7170", "security.insecure=yes", NULL};
	struct edge_config config;
	struct config_error error = {.text = ""};

	(void)state;
	expect_refused("edge.listen=tcp://0.0.0.0:7170", "listen");
	expect_refused("edge.listen_push=tcp://*:7172", "listen_push");
	expect_refused("edge.bridges=tcp://127.0.0.1:1,tcp://bridge.example:7171", "bridges");
	expect_refused("http.listen=0.0.0.0:9170", "http");
	assert_int_equal(check(insecure, &config, &error), 0);
	config_deinit(&edge_config_schema, &config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_defaults_are_the_contracts),
		cmocka_unit_test(test_sync_has_three_forms),
		cmocka_unit_test(test_compress_is_off_or_a_level),
		cmocka_unit_test(test_what_makes_no_sense_is_refused_by_name),
		cmocka_unit_test(test_endpoints_that_others_reach_need_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
