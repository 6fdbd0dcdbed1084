/* Sections [source.NAME] of the edge's configuration, with the types that there are. */
#include "edge/edge_config.h"
#include "edge/source_table.h"
#include "fixture.h"

enum { TEXT_SIZE = 64 * 1024 };

static const char edge_part[] = "[edge]\nid = uk\ndata = /d\n";

/* What each type demands. */
static const struct {
	const char *type;
	const char *lines;
} least[] = {
	{"mqtt", "brokers = tcp://127.0.0.1\ntopics = stores/+/orders\n"},
	{"http", ""},
	{"tail", "path = /d/pos.ndjson\n"},
	{"drop", "dir = /d/in\n"},
};

static const char *least_of(const struct source_type *type)
{
	for (size_t i = 0; i < sizeof least / sizeof least[0]; i++) {
		if (strcmp(least[i].type, type->name) == 0) {
			return least[i].lines;
		}
	}
	fail_msg("what does a source of type %s demand?", type->name);
	return "";
}

/* The file's text after edge_part, then an assignment of the command line, or NULL. */
static int read_config(const char *text, const char *assignment, struct edge_config *config,
	struct config_error *error)
{
	static char file[TEXT_SIZE];

	snprintf(file, sizeof file, "%s%s", edge_part, text);
	*config = (struct edge_config){0};
	assert_int_equal(config_init(&edge_config_schema, config, error), 0);
	int r = config_read_text(
		&edge_config_schema, config, "edge.conf", file, strlen(file), error);
	if (r == 0 && assignment != NULL) {
		r = config_set(&edge_config_schema, config, assignment, error);
	}
	if (r == 0) {
		r = config_finish(&edge_config_schema, config, error);
	}
	return r == 0 ? edge_config_check(config, error) : r;
}

static void expect_refused(const char *text, const char *assignment, const char *words)
{
	struct edge_config config;
	struct config_error error = {.text = ""};

	if (read_config(text, assignment, &config, &error) >= 0) {
		fail_msg("taken: %s %s", text, assignment == NULL ? "" : assignment);
	}
	if (strstr(error.text, words) == NULL) {
		fail_msg("\"%s\" lacks \"%s\"", error.text, words);
	}
	edge_config_deinit(&config);
}

static void expect_taken(const char *text, const char *assignment, struct edge_config *ret_config)
{
	struct config_error error = {.text = ""};

	if (read_config(text, assignment, ret_config, &error) < 0) {
		fail_msg("refused: %s: %s", text, error.text);
	}
}

static void test_the_type_comes_first_and_is_one_that_there_is(void **state)
{
	(void)state;
	expect_refused("[source.x]\ntype = mqqt\n", NULL,
		"edge.conf:5: [source.x] type: \"mqqt\" is no type of source: mqtt");
	expect_refused("[source.x]\ntype =\n", NULL, "\"\" is no type of source");
	expect_refused("[source.x]\nlisten = 127.0.0.1:0\ntype = http\n", NULL,
		"a source's first key is `type`: mqtt");
	expect_refused(
		"[source.x]\ntype = http\n", "source.x.type=tail", "this source has the type http");
	expect_refused("[source.x]\ntype = http\n[source.x]\ntype = http\n", NULL, "already");
}

static void test_keys_are_those_of_the_type(void **state)
{
	(void)state;
	expect_refused("[source.x]\ntype = mqtt\nbrokrs = a\n", NULL,
		"edge.conf:6: [source.x] brokrs: unknown key; did you mean \"brokers\"?");
	expect_refused("[source.x]\ntype = http\nbrokers = a\n", NULL, "unknown key");
	expect_refused("[source.x]\ntype = tail\n", NULL, "path is required");
	expect_refused("[source.x]\ntype = http\nlisten = 0.0.0.0:80\n", NULL, "[source.x] listen");
}

/* All but the first event would count as repeated. */
static void test_no_type_gives_one_event_id_to_all_events(void **state)
{
	char text[2000];

	(void)state;
	for (size_t i = 0; source_types[i] != NULL; i++) {
		const struct source_type *type = source_types[i];
		snprintf(text, sizeof text, "[source.x]\ntype = %s\n%sset = event_id=a\n",
			type->name, least_of(type));
		expect_refused(text, NULL, "set: event_id can't be the same for all events");
	}
}

static void test_a_setting_that_is_too_long_is_not_cut(void **state)
{
	char text[2000];

	(void)state;
	snprintf(text, sizeof text, "[source.x]\ntype = tail\npath = /a.csv\nset = note=%01100d\n",
		0);
	expect_refused(text, NULL, "has more than 1023 bytes");
}

static void test_a_name_can_stand_in_keys_labels_and_file_names(void **state)
{
	static const char *const bad[] = {"a b", "a.b", "a/b", "\xc3\xa4", "a:b", "a\"b"};
	struct edge_config config;
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(text, sizeof text, "[source.%s]\ntype = http\n", bad[i]);
		expect_refused(text, NULL, "name");
	}
	expect_refused("[source.]\ntype = http\n", NULL, "[source.]");
	snprintf(text, sizeof text, "[source.%041d]\ntype = http\n", 0);
	expect_refused(text, NULL, "40");
	snprintf(text, sizeof text, "[source.%040d]\ntype = http\n", 0);
	expect_taken(text, NULL, &config);
	assert_int_equal(strlen(config.sources.of[0].name), 40);
	edge_config_deinit(&config);
}

static void test_there_may_be_so_many(void **state)
{
	struct edge_config config;
	char text[4096] = "";
	size_t size = 0;

	(void)state;
	for (int i = 0; i < SOURCES_DECLARED_MAX; i++) {
		size += (size_t)snprintf(
			text + size, sizeof text - size, "[source.s%d]\ntype = http\n", i);
	}
	expect_taken(text, NULL, &config);
	assert_int_equal(config.sources.count, SOURCES_DECLARED_MAX);
	edge_config_deinit(&config);
	snprintf(text + size, sizeof text - size, "[source.more]\ntype = http\n");
	expect_refused(text, NULL, "more than 32 sources");
}

static void test_the_command_line_wins_over_the_file(void **state)
{
	static char printed[TEXT_SIZE];
	struct edge_config config;

	(void)state;
	expect_taken("[source.x]\ntype = http\npath = /a\n", "source.x.path=/b", &config);
	FILE *out = fmemopen(printed, sizeof printed, "w");
	source_declarations_print(&config.sources, out);
	fclose(out);
	assert_non_null(strstr(printed, "\npath = /b\n"));
	edge_config_deinit(&config);
	expect_refused("", "source.y.path=/b", "a source's first key is `type`");
	expect_taken("", "source.y.type=http", &config);
	assert_int_equal(config.sources.count, 1);
	edge_config_deinit(&config);
}

static void print(const struct edge_config *config, char text[TEXT_SIZE])
{
	FILE *out = fmemopen(text, TEXT_SIZE, "w");

	assert_non_null(out);
	config_print(&edge_config_schema, config, out);
	fclose(out);
}

static void test_what_is_printed_can_be_read_again(void **state)
{
	static char text[TEXT_SIZE], first[TEXT_SIZE], second[TEXT_SIZE];
	struct edge_config config;
	struct config_error error = {.text = ""};
	size_t size = 0;

	(void)state;
	for (size_t i = 0; source_types[i] != NULL; i++) {
		size += (size_t)snprintf(text + size, sizeof text - size,
			"[source.a-%s]\ntype = %s\n%s", source_types[i]->name,
			source_types[i]->name, least_of(source_types[i]));
	}
	expect_taken(text, NULL, &config);
	print(&config, first);
	edge_config_deinit(&config);
	assert_int_equal(config_init(&edge_config_schema, &config, &error), 0);
	if (config_read_text(
		    &edge_config_schema, &config, "printed", first, strlen(first), &error) < 0) {
		fail_msg("%s", error.text);
	}
	assert_int_equal(config_finish(&edge_config_schema, &config, &error), 0);
	assert_int_equal(edge_config_check(&config, &error), 0);
	print(&config, second);
	assert_string_equal(first, second);
	edge_config_deinit(&config);
}

/* Taken or refused, but never taken for a text that is there. */
static void test_each_key_may_be_emptied(void **state)
{
	struct edge_config config;
	struct config_error error;
	char text[2000], assignment[200];

	(void)state;
	for (size_t i = 0; source_types[i] != NULL; i++) {
		const struct source_type *type = source_types[i];
		snprintf(
			text, sizeof text, "[source.x]\ntype = %s\n%s", type->name, least_of(type));
		for (const struct config_option *key = type->schema->options; key->section != NULL;
			key++) {
			snprintf(assignment, sizeof assignment, "source.x.%s=", key->key);
			error = (struct config_error){.text = ""};
			int r = read_config(text, assignment, &config, &error);
			assert_true(r == 0 || error.text[0] != '\0');
			edge_config_deinit(&config);
		}
	}
	for (const struct config_option *key = edge_config_schema.options; key->section != NULL;
		key++) {
		snprintf(assignment, sizeof assignment, "%s.%s=", key->section, key->key);
		(void)read_config("", assignment, &config, &error);
		edge_config_deinit(&config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_type_comes_first_and_is_one_that_there_is),
		cmocka_unit_test(test_keys_are_those_of_the_type),
		cmocka_unit_test(test_no_type_gives_one_event_id_to_all_events),
		cmocka_unit_test(test_a_setting_that_is_too_long_is_not_cut),
		cmocka_unit_test(test_a_name_can_stand_in_keys_labels_and_file_names),
		cmocka_unit_test(test_there_may_be_so_many),
		cmocka_unit_test(test_the_command_line_wins_over_the_file),
		cmocka_unit_test(test_what_is_printed_can_be_read_again),
		cmocka_unit_test(test_each_key_may_be_emptied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
