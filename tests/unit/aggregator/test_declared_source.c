/* What an operator may declare of topics that others write, and what their records become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "aggregator/log/source_reader.h"
#include "aggregator/store/row_change.h"
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
	assert_refused("topics", "x", "unknown key; did you mean \"topic\"?");
	assert_refused("colour", "x",
		"unknown key; a source has topic, format, kind, table, fields, key, types, "
		"uncertified");
	assert_refused("topic", "", "no topic");
	assert_refused("topic", "a b", "letters, digits");
	assert_refused("topic", "a,b,c,d,e,f,g,h,i", "at most 8");
	assert_refused("format", "json", "plain");
	assert_refused("kind", "ordre", "did you mean \"order\"?");
	assert_refused("kind", "order.dlq", "order, cart or view");
	assert_refused("fields", "bon", "COLUMN:NAME");
	assert_refused("key", "id,,x", "separated by commas");
	assert_refused("key", "id, id", "given twice");
	assert_refused("types", "price:decimal", "decimal(SCALE)");
	assert_refused("uncertified", "cuont", "did you mean \"count\"?");
	assert_refused("table", "", "names no table");
	assert_refused("fields", "a:order_id, b:order_id", "two");
}

static void assert_not_whole(const char *const *pairs, const char *says)
{
	struct source_declaration declaration = {.name = "shop"};
	struct config_error error = {.place = "till.conf:7"};

	for (; *pairs != NULL; pairs += 2) {
		assert_int_equal(
			source_declaration_set(&declaration, pairs[0], pairs[1], &error), 0);
	}
	assert_int_equal(source_declaration_check(&declaration, &error), -EINVAL);
	if (strstr(error.text, says) == NULL) {
		fail_msg("%s: does not say %s", error.text, says);
	}
	source_declaration_deinit(&declaration);
}

#define PAIRS(...)                                                                                 \
	(const char *const[])                                                                      \
	{                                                                                          \
		"topic", "t", __VA_ARGS__, NULL                                                    \
	}

static void what_does_not_go_together_is_refused_with_its_line(void **state)
{
	(void)state;
	assert_not_whole(
		PAIRS("format", "debezium"), "till.conf:7: [source.shop] kind: wanted is kind");
	assert_not_whole(PAIRS("kind", "order"), "till.conf:7: [source.shop] format: is missing");
	assert_not_whole(PAIRS("format", "plain", "kind", "order"), "fields: is missing");
	assert_not_whole(PAIRS("format", "debezium", "kind", "order", "fields",
				 "order:order_id, sku:product_id, price:unit_price", "types",
				 "prise:decimal(2)"),
		"till.conf:7: [source.shop] types: column \"prise\" is not read; did you mean "
		"\"price\"?");
	assert_not_whole(PAIRS("format", "debezium", "kind", "order", "types", "cost:decimal(2)"),
		"column \"cost\" is not read");
	assert_not_whole(
		PAIRS("format", "debezium", "kind", "order", "table", "x"), "one of the two");
	assert_not_whole(PAIRS("format", "debezium", "kind", "order", "uncertified", "count"),
		"till.conf:7: [source.shop] uncertified: a source with format = debezium has none");
	assert_not_whole(PAIRS("format", "debezium", "kind", "order", "fields", "bon:ordr_id"),
		"till.conf:7: [source.shop] fields: events have no field \"ordr_id\"; did you mean "
		"\"order_id\"?");
	assert_not_whole(PAIRS("format", "debezium", "kind", "order", "fields", "bon:order_id"),
		"nothing gives product_id");
	assert_not_whole(PAIRS("format", "plain", "kind", "view", "fields", "a:page", "key", "a"),
		"each is itself by its offset");
	assert_not_whole(
		PAIRS("format", "plain", "table", "x", "key", "id"), "says what names a row");
	assert_not_whole(PAIRS("format", "plain", "table", "x", "fields", "n:name"),
		"says which columns a row has");
	assert_not_whole(PAIRS("format", "till", "kind", "order", "key", "a"), "has none");
	assert_not_whole(PAIRS("format", "till"), "[source.shop] kind: is missing");
}

static void rows_of_tables_and_till_need_no_fields(void **state)
{
	(void)state;
	const char *const *const all[] = {
		PAIRS("format", "debezium", "table", "users", "key", "id", "types", "x:decimal(2)"),
		PAIRS("format", "debezium", "kind", "order"),
		PAIRS("format", "plain", "table", "users"),
		PAIRS("format", "till", "kind", "cart", "uncertified", "count"),
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct source_declaration declaration = {.name = ""};
		assert_int_equal(declare(&declaration, all[i]), 0);
		assert_int_equal(source_takes_back(&declaration), i == 1);
		source_declaration_deinit(&declaration);
	}
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
		{"order", "a:order_id, c:amount", 0},
		{"order", "a:order_id, c:unit_price", -EINVAL},
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

/* ---- formats that are not plain */

static struct fixture *fixture_of(const char *const *pairs)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_int_equal(declare(&fixture->declaration, pairs), 0);
	assert_int_equal(source_reader_new(&fixture->declaration, &fixture->reader), 0);
	assert_int_equal(document_init(&fixture->document, EVENT_NODES_MAX), 0);
	return fixture;
}

static enum record_class read_keyed(struct fixture *fixture, const char *key, const char *value)
{
	const struct record record = {.topic = KIND_COUNT,
		.timestamp_ms = 1291191999000,
		.key = slice_of_text(key),
		.value = slice_of_text(value)};

	assert_int_equal(source_read(fixture->reader, &fixture->document, "t", 7, &record,
				 &fixture->reading),
		0);
	return fixture->reading.class;
}

#define ORDERS                                                                                     \
	PAIRS("format", "debezium", "kind", "order", "fields",                                     \
		"order:order_id, sku:product_id, eur:amount, n:quantity", "types",                 \
		"eur:decimal(2)")
#define SOURCE(LSN)                                                                                \
	"\"source\":{\"connector\":\"postgresql\",\"lsn\":" LSN ",\"ts_ms\":1291191000000}"

static void a_changed_row_is_read_with_its_key_and_its_event(void **state)
{
	struct fixture *fixture = fixture_of(ORDERS);
	const struct row_change *change = NULL;
	const struct event *event = &fixture->reading.event;

	(void)state;
	assert_int_equal(read_keyed(fixture, "{\"id\":5}",
				 "{\"op\":\"u\",\"after\":{\"id\":5,\"order\":17,\"sku\":\"a\","
				 "\"eur\":\"A+c=\",\"n\":2}," SOURCE("77") "}"),
		RECORD_CHANGE);
	change = fixture->reading.row_change;
	assert_int_equal(change->change.op, CHANGE_UPDATE);
	assert_int_equal(change->change.position.log, 77);
	assert_false(change->is_unfit);
	assert_int_equal(change->table.size, 0);
	assert_true(slice_equals_text(change->source, "shop"));
	assert_true(slice_equal(change->change.key, slice_of("\x81\xa2id\x05", 5)));
	assert_int_equal(event->amount, 9990000);
	assert_int_equal(event->ts_ms, 1291191000000);
	assert_true(slice_equals_text(event->text[FIELD_ORDER_ID], "17"));
	assert_true(slice_equals_text(event->certificate.edge, "shop"));
	tear_down((void **)&fixture);
}

static void a_deleted_row_a_tombstone_and_a_message_are_told_apart(void **state)
{
	struct fixture *fixture = fixture_of(ORDERS);

	(void)state;
	assert_int_equal(read_keyed(fixture, "{\"id\":5}", "{\"op\":\"d\"," SOURCE("78") "}"),
		RECORD_CHANGE);
	assert_int_equal(fixture->reading.row_change->change.op, CHANGE_DELETE);
	assert_int_equal(read_keyed(fixture, "{\"id\":5}", ""), RECORD_CHANGE);
	assert_int_equal(fixture->reading.row_change->change.op, CHANGE_TOMBSTONE);
	assert_int_equal(read_keyed(fixture, "", "{\"op\":\"t\"," SOURCE("79") "}"), RECORD_CHANGE);
	assert_int_equal(fixture->reading.row_change->change.op, CHANGE_TRUNCATE);
	assert_int_equal(
		read_keyed(fixture, "{\"prefix\":\"x\"}", "{\"op\":\"m\"," SOURCE("80") "}"),
		RECORD_FOREIGN);
	assert_int_equal(read_keyed(fixture, "{\"id\":5}", "{\"op\":"), RECORD_UNREADABLE);
	tear_down((void **)&fixture);
}

static void a_row_that_is_no_event_says_why(void **state)
{
	struct fixture *fixture = fixture_of(ORDERS);

	(void)state;
	assert_int_equal(read_keyed(fixture, "{\"id\":5}",
				 "{\"op\":\"u\",\"after\":{\"order\":17,\"sku\":\"a\","
				 "\"eur\":\"A+c=\",\"n\":0}," SOURCE("77") "}"),
		RECORD_CHANGE);
	assert_true(fixture->reading.row_change->is_unfit);
	assert_non_null(strstr(fixture->reading.complaint.message, "quantity"));
	tear_down((void **)&fixture);
}

static void an_orders_total_needs_no_product(void **state)
{
	static const char row[] =
		"{\"op\":\"u\",\"after\":{\"order\":17,\"eur\":\"9.99\"}," SOURCE("77") "}";
	struct fixture *totals = fixture_of(PAIRS("format", "debezium", "kind", "order", "fields",
		"order:order_id, eur:amount", "types", "eur:text"));
	struct fixture *lines = fixture_of(PAIRS("format", "debezium", "kind", "order", "fields",
		"order:order_id, sku:product_id, eur:amount", "types", "eur:text"));

	(void)state;
	assert_int_equal(read_keyed(totals, "{\"id\":5}", row), RECORD_CHANGE);
	assert_false(totals->reading.row_change->is_unfit);
	assert_int_equal(totals->reading.event.amount, 9990000);
	assert_false(event_has(&totals->reading.event, FIELD_PRODUCT_ID));
	assert_int_equal(read_keyed(lines, "{\"id\":5}", row), RECORD_CHANGE);
	assert_true(lines->reading.row_change->is_unfit);
	tear_down((void **)&totals);
	tear_down((void **)&lines);
}

static void a_row_of_a_table_is_left_as_it_is(void **state)
{
	struct fixture *fixture = fixture_of(
		PAIRS("format", "debezium", "table", "users", "fields", "n:name", "key", "id"));
	const struct row_change *change = NULL;

	(void)state;
	assert_int_equal(
		read_keyed(fixture, "",
			"{\"op\":\"r\",\"after\":{\"id\":5,\"n\":\"Anna\"}," SOURCE("77") "}"),
		RECORD_CHANGE);
	change = fixture->reading.row_change;
	assert_true(slice_equals_text(change->table, "users"));
	assert_true(slice_equals_text(change->change.row, "{\"name\":\"Anna\"}"));
	tear_down((void **)&fixture);
}

static const char certified[] = "{\"kind\":\"order\",\"edge\":\"uk\",\"run\":4,\"seq\":9,\"ts\":1,"
				"\"order_id\":\"a\",\"product_id\":\"b\",\"quantity\":1,"
				"\"unit_price\":2.50,\"currency\":\"GBP\"}";
static const char bare[] = "{\"order_id\":\"a\",\"product_id\":\"b\",\"unit_price\":2.50}";

static void tills_own_records_count_by_their_certificates(void **state)
{
	struct fixture *fixture = fixture_of(PAIRS("format", "till", "kind", "order"));

	(void)state;
	assert_int_equal(read_keyed(fixture, "uk", certified), RECORD_EVENT);
	assert_true(slice_equals_text(fixture->reading.stream.edge, "uk"));
	assert_int_equal(fixture->reading.seq, 9);
	assert_int_equal(read_keyed(fixture, "de", certified), RECORD_FOREIGN);
	assert_int_equal(read_keyed(fixture, "uk", bare), RECORD_FOREIGN);
	assert_int_equal(read_keyed(fixture, "uk", ""), RECORD_FOREIGN);
	tear_down((void **)&fixture);
}

static void records_without_certificate_count_by_their_place_where_asked(void **state)
{
	struct fixture *fixture =
		fixture_of(PAIRS("format", "till", "kind", "order", "uncertified", "count"));

	(void)state;
	assert_int_equal(read_keyed(fixture, "uk", bare), RECORD_EVENT);
	assert_true(slice_equals_text(fixture->reading.stream.edge, "shop"));
	assert_int_equal(fixture->reading.seq, 7);
	assert_int_equal(fixture->reading.event.unit_price, 2500000);
	assert_int_equal(read_keyed(fixture, "uk", certified), RECORD_EVENT);
	assert_true(slice_equals_text(fixture->reading.stream.edge, "uk"));
	assert_int_equal(read_keyed(fixture, "de", certified), RECORD_FOREIGN);
	assert_int_equal(read_keyed(fixture, "uk", "{\"kind\":\"view\"}"), RECORD_UNREADABLE);
	tear_down((void **)&fixture);
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
		cmocka_unit_test(what_does_not_go_together_is_refused_with_its_line),
		cmocka_unit_test(rows_of_tables_and_till_need_no_fields),
		cmocka_unit_test(a_changed_row_is_read_with_its_key_and_its_event),
		cmocka_unit_test(a_deleted_row_a_tombstone_and_a_message_are_told_apart),
		cmocka_unit_test(a_row_that_is_no_event_says_why),
		cmocka_unit_test(an_orders_total_needs_no_product),
		cmocka_unit_test(a_row_of_a_table_is_left_as_it_is),
		cmocka_unit_test(tills_own_records_count_by_their_certificates),
		cmocka_unit_test(records_without_certificate_count_by_their_place_where_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
