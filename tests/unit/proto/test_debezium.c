/* What the vectors (debezium.ndjson) can't say: declarations, rows that are no events, sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/debezium.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SOURCE "\"source\":{\"connector\":\"postgresql\",\"lsn\":5}"

static struct debezium *debezium;

static int tear_down(void **state)
{
	(void)state;
	debezium = debezium_free(debezium);
	return 0;
}

static int decode(const struct debezium_rules *rules, const char *key, const char *value,
	struct change *ret_change, struct complaint *complaint)
{
	debezium = debezium_free(debezium);
	assert_int_equal(debezium_new(rules, &debezium), 0);
	return debezium_decode(
		debezium, slice_of_text(key), slice_of_text(value), ret_change, complaint);
}

static void assert_row(const struct debezium_rules *rules, const char *value, const char *expected)
{
	struct complaint complaint = {0};
	struct change change;

	int r = decode(rules, "{\"id\":1}", value, &change, &complaint);
	if (r != 0) {
		fail_msg("%s", complaint.message);
	}
	assert_int_equal(change.row.size, strlen(expected));
	assert_memory_equal(change.row.bytes, expected, change.row.size);
}

static void a_row_of_a_table_keeps_every_column_under_its_name(void **state)
{
	(void)state;
	struct debezium_rules rules = {.kind = NULL};

	assert_row(&rules,
		"{\"op\":\"c\"," SOURCE
		",\"after\":{\"id\":1,\"quantity\":\"Aw==\",\"none\":null,\"x\":[true,1.50]}}",
		"{\"id\":1,\"quantity\":\"Aw==\",\"x\":[true,1.50]}");
}

static void a_date_of_birth_is_carried_as_a_date_or_as_its_number(void **state)
{
	(void)state;
	struct pairs_error error;
	struct column_types types;
	struct debezium_rules rules = {.types = &types};

	assert_int_equal(column_types_parse(&types, "types", "born:date", &error), 0);
	assert_row(&rules, "{\"op\":\"c\"," SOURCE ",\"after\":{\"born\":14944}}",
		"{\"born\":\"2010-12-01\"}");
	assert_row(&rules, "{\"op\":\"c\"," SOURCE ",\"after\":{\"born\":-14944}}",
		"{\"born\":-14944}");
}

/* The order of a key's columns is Debezium's to choose. */
static void one_row_has_one_key_whatever_the_order_of_its_columns(void **state)
{
	(void)state;
	static const char value[] = "{\"op\":\"d\"," SOURCE "}";
	struct debezium_rules rules = {.kind = "order"};
	struct complaint complaint;
	struct change change;
	uint8_t first[64];

	assert_int_equal(
		decode(&rules, "{\"a\":1,\"b\":\"x\\u0041\"}", value, &change, &complaint), 0);
	size_t size = change.key.size;
	memcpy(first, change.key.bytes, size);
	assert_int_equal(decode(&rules, "{\"b\":\"xA\",\"a\":1}", value, &change, &complaint), 0);
	assert_int_equal(change.key.size, size);
	assert_memory_equal(change.key.bytes, first, size);
}

static void keys_and_records_end_where_their_limits_are(void **state)
{
	(void)state;
	struct debezium_rules rules = {.kind = NULL};
	char *text = malloc(CHANGE_SIZE_MAX + 2);
	struct complaint complaint;
	struct change change;

	assert_non_null(text);
	snprintf(text, CHANGE_SIZE_MAX, "{\"id\":\"%*s\"}", CHANGE_KEY_SIZE_MAX, "x");
	assert_int_equal(decode(&rules, text, "{\"op\":\"d\"," SOURCE "}", &change, &complaint),
		REASON_TOO_LARGE);
	assert_non_null(strstr(complaint.message, "1,024"));
	memset(text, ' ', CHANGE_SIZE_MAX + 1);
	text[CHANGE_SIZE_MAX + 1] = '\0';
	assert_int_equal(decode(&rules, "{\"id\":1}", text, &change, &complaint), REASON_TOO_LARGE);
	assert_non_null(strstr(complaint.message, "value.converter.schemas.enable=false"));
	free(text);
}

static void a_key_has_sixteen_columns_at_most(void **state)
{
	(void)state;
	char key[512] = "{\"c0\":0";
	struct debezium_rules rules = {.kind = NULL};
	struct complaint complaint;
	struct change change;

	for (int i = 1; i <= CHANGE_KEY_COLUMNS_MAX; i++) {
		size_t size = strlen(key);
		snprintf(key + size, sizeof key - size, ",\"c%d\":0", i);
	}
	strcat(key, "}");
	assert_int_equal(decode(&rules, key, "{\"op\":\"d\"," SOURCE "}", &change, &complaint),
		REASON_TOO_LARGE);
}

static void a_declaration_is_a_column_and_a_known_type(void **state)
{
	(void)state;
	static const char *const bad[] = {"price", "price:", ":text", "price:decimal",
		"price:decimal()", "price:decimal(x)", "price:decimal(39)", "price:decimal(002)",
		"price:money", "a:text, a:date", "a:text,", ""};
	struct pairs_error error;
	struct column_types types;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(column_types_parse(&types, "types", bad[i], &error), -EINVAL);
		assert_non_null(strstr(error.text, "types"));
	}
	assert_int_equal(
		column_types_parse(&types, "types", " a : decimal(38) ,b:iso_date", &error), 0);
	struct column_type type = column_types_find(&types, slice_of_text("a"));
	assert_int_equal(type.kind, COLUMN_DECIMAL);
	assert_int_equal(type.scale, 38);
	assert_int_equal(column_types_find(&types, slice_of_text("b")).kind, COLUMN_ISO_DATE);
	assert_int_equal(column_types_find(&types, slice_of_text("c")).kind, COLUMN_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			a_row_of_a_table_keeps_every_column_under_its_name, tear_down),
		cmocka_unit_test_teardown(
			a_date_of_birth_is_carried_as_a_date_or_as_its_number, tear_down),
		cmocka_unit_test_teardown(
			one_row_has_one_key_whatever_the_order_of_its_columns, tear_down),
		cmocka_unit_test_teardown(keys_and_records_end_where_their_limits_are, tear_down),
		cmocka_unit_test_teardown(a_key_has_sixteen_columns_at_most, tear_down),
		cmocka_unit_test(a_declaration_is_a_column_and_a_known_type),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
