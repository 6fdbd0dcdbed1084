/* What an operator may declare of topics that others write, and what their records become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "aggregator/declared_source.h"
#include <errno.h>

struct fixture {
	struct source_declaration declaration;
	struct source_reader *reader;
	struct document document;
	struct reading reading;
};

static const char *const shop[] = {"topic", "till_slips, more_slips", "format", "plain", "kind",
	"order", "fields", "bon:order_id, sku : product_id, qty:quantity, eur:unit_price, at:ts",
	NULL};

static int declare(struct source_declaration *declaration, const char *const *pairs)
{
	struct config_error error = {0};
	int r = 0;

	snprintf(declaration->name, sizeof declaration->name, "shop");
	for (; r == 0 && *pairs != NULL; pairs += 2) {
		r = source_declaration_set(declaration, pairs[0], pairs[1], &error);
	}
	return r == 0 ? source_declaration_check(declaration, &error) : r;
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	*state = fixture;
	assert_int_equal(declare(&fixture->declaration, shop), 0);
	assert_int_equal(source_reader_new(&fixture->declaration, &fixture->reader), 0);
	return document_init(&fixture->document, EVENT_NODES_MAX);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	source_reader_free(fixture->reader);
	source_declaration_deinit(&fixture->declaration);
	document_deinit(&fixture->document);
	free(fixture);
	return 0;
}

static enum record_class read_value(
	struct fixture *fixture, const char *topic, int32_t partition, const char *value)
{
	const struct record record = {.topic = KIND_COUNT,
		.partition = partition,
		.offset = 41,
		.timestamp_ms = 1291191999000,
		.value = slice_of_text(value)};

	assert_int_equal(source_read(fixture->reader, &fixture->document, topic, 7, &record,
				 &fixture->reading),
		0);
	return fixture->reading.class;
}

static void a_record_becomes_an_event_under_tills_names(void **state)
{
	struct fixture *fixture = *state;
	const struct event *event = &fixture->reading.event;

	assert_int_equal(read_value(fixture, "till_slips", 3,
				 "{\"bon\":536365,\"sku\":\"85123A\",\"qty\":\"6\",\"eur\":2.55,"
				 "\"other\":{}}"),
		RECORD_EVENT);
	assert_int_equal(event->kind, KIND_ORDER);
	assert_true(slice_equals_text(event->text[FIELD_ORDER_ID], "536365"));
	assert_true(slice_equals_text(event->text[FIELD_PRODUCT_ID], "85123A"));
	assert_int_equal(event->quantity, 6);
	assert_int_equal(event->unit_price, 2550000);
	assert_int_equal(event->ts_ms, 1291191999000);
	assert_int_equal(event->extra_count, 0);
}

/* Everything that counts certificates counts these, too. */
static void a_partition_of_a_topic_is_a_run_and_its_records_are_numbered(void **state)
{
	struct fixture *fixture = *state;
	static const char value[] = "{\"bon\":1,\"sku\":2,\"eur\":3}";

	assert_int_equal(read_value(fixture, "till_slips", 3, value), RECORD_EVENT);
	uint64_t run = fixture->reading.stream.run;
	assert_true(run > 0 && run <= RUN_MAX);
	assert_int_equal(fixture->reading.seq, 7);
	assert_int_equal(fixture->reading.event.certificate.seq, 7);
	assert_true(slice_equals_text(fixture->reading.stream.edge, "shop"));
	assert_int_equal(fixture->reading.stream.kind, stream_kind_of(KIND_ORDER, false));
	read_value(fixture, "till_slips", 3, value);
	assert_true(fixture->reading.stream.run == run);
	read_value(fixture, "till_slips", 4, value);
	assert_true(fixture->reading.stream.run != run);
	read_value(fixture, "more_slips", 3, value);
	assert_true(fixture->reading.stream.run != run);
}

static void what_is_no_event_is_set_aside_with_a_sentence(void **state)
{
	struct fixture *fixture = *state;
	static const char *const values[] = {"{", "[]", "{}", "x",
		"{\"bon\":1,\"sku\":2,\"eur\":\"2,55\"}", "{\"bon\":1,\"bon\":1}"};

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		assert_int_equal(
			read_value(fixture, "till_slips", 0, values[i]), RECORD_UNREADABLE);
		assert_int_not_equal(fixture->reading.complaint.message[0], '\0');
	}
	assert_int_equal(read_value(fixture, "till_slips", 0, ""), RECORD_FOREIGN);
}

static void assert_refused(const char *key, const char *value, const char *says)
{
	struct source_declaration declaration = {.name = "shop"};
	struct config_error error = {0};

	assert_int_equal(source_declaration_set(&declaration, key, value, &error), -EINVAL);
	if (strstr(error.text, says) == NULL) {
		fail_msg("%s: does not say %s", error.text, says);
	}
	source_declaration_deinit(&declaration);
}

static void a_bad_declaration_is_refused_with_what_was_meant(void **state)
{
	(void)state;
	assert_refused("topics", "x", "a source has topic, format, kind and fields");
	assert_refused("topic", "", "no topic");
	assert_refused("topic", "a b", "letters, digits");
	assert_refused("topic", "a,b,c,d,e,f,g,h,i", "at most 8");
	assert_refused("format", "json", "plain");
	assert_refused("kind", "ordre", "did you mean \"order\"?");
	assert_refused("kind", "order.dlq", "order, cart or view");
	assert_refused("fields", "bon", "COLUMN:NAME");
	assert_refused("fields", "bon:ordr_id", "did you mean \"order_id\"?");
	assert_refused("fields", "a:order_id, b:order_id", "two");
}

static void a_source_that_is_not_whole_is_refused(void **state)
{
	(void)state;
	for (size_t left_out = 0; shop[left_out] != NULL; left_out += 2) {
		const char *pairs[sizeof shop / sizeof *shop];
		size_t count = 0;
		for (size_t i = 0; shop[i] != NULL; i++) {
			if (i / 2 != left_out / 2) {
				pairs[count++] = shop[i];
			}
		}
		pairs[count] = NULL;
		struct source_declaration declaration = {.name = ""};
		assert_int_equal(declare(&declaration, pairs), -EINVAL);
		source_declaration_deinit(&declaration);
	}
}

static void a_kind_wants_its_fields(void **state)
{
	(void)state;
	static const struct {
		const char *kind, *fields;
		int wanted;
	} cases[] = {
		{"order", "a:order_id, b:product_id, c:amount", 0},
		{"order", "a:order_id, b:product_id", -EINVAL},
		{"order", "b:product_id, c:amount", -EINVAL},
		{"cart", "a:product_id, b:action", 0},
		{"cart", "a:product_id", -EINVAL},
		{"view", "a:user_id", 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *pairs[] = {"topic", "t", "format", "plain", "kind", cases[i].kind,
			"fields", cases[i].fields, NULL};
		struct source_declaration declaration = {.name = ""};
		assert_int_equal(declare(&declaration, pairs), cases[i].wanted);
		source_declaration_deinit(&declaration);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_record_becomes_an_event_under_tills_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_partition_of_a_topic_is_a_run_and_its_records_are_numbered, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_no_event_is_set_aside_with_a_sentence, set_up, tear_down),
		cmocka_unit_test(a_bad_declaration_is_refused_with_what_was_meant),
		cmocka_unit_test(a_source_that_is_not_whole_is_refused),
		cmocka_unit_test(a_kind_wants_its_fields),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
