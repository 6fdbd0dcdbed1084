/* Names, types and rows of a table as SQL writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/sql_table.h"
#include <string.h>

static void assert_text(struct buffer *buffer, const char *text)
{
	assert_int_equal(buffer->error, 0);
	assert_int_equal(buffer->size, strlen(text));
	assert_memory_equal(buffer->bytes, text, buffer->size);
	buffer_clear(buffer);
}

static void test_a_name_needs_no_quotes_and_can_hold_none(void **state)
{
	(void)state;
	char name[SQL_NAME_SIZE];
	char long_name[SQL_NAME_SIZE + 1];

	assert_true(sql_name("Customer ID", name));
	assert_string_equal(name, "customer_id");
	assert_true(sql_name("2nd\"; DROP TABLE x; --", name));
	assert_string_equal(name, "_2nd___drop_table_x____");
	assert_true(sql_name("größe", name));
	assert_string_equal(name, "größe");
	assert_false(sql_name("", name));
	memset(long_name, 'a', sizeof long_name);
	long_name[SQL_NAME_SIZE] = '\0';
	assert_false(sql_name(long_name, name));
	long_name[SQL_NAME_SIZE - 1] = '\0';
	assert_true(sql_name(long_name, name));
}

static void test_a_table_is_written_with_its_types_and_key(void **state)
{
	(void)state;
	struct slice cells[] = {
		slice_of_text("17"), slice_of_text("a\tb\\\n\r"), slice_of_text("")};
	struct csv_record record = {.cells = cells, .count = 3, .line = 2};
	struct sql_table_error error;
	struct sql_table table;
	struct buffer sql;
	uint32_t index = 9;

	buffer_init(&sql, 4096);
	assert_int_equal(sql_table_init(&table, "Orders", &error), 0);
	assert_int_equal(sql_table_add_column(&table, "Order ID", &error), 0);
	assert_int_equal(sql_table_add_column(&table, "note", &error), 0);
	assert_int_equal(sql_table_add_column(&table, "total", &error), 0);
	assert_int_equal(sql_table_add_column(&table, "order_id", &error), SQL_TABLE_E_NAME);
	assert_string_equal(error.text, "two columns would be order_id");
	assert_true(sql_table_find(&table, "TOTAL", &index));
	assert_int_equal(index, 2);
	assert_true(sql_table_declare(&table, 2, "numeric(10,2)"));
	assert_false(sql_table_declare(&table, 2, "numeric(10,2); --"));
	assert_false(sql_table_declare(&table, 2, "numeric(2,10)"));
	assert_false(sql_table_declare(&table, 2, "money"));
	table.key[table.key_count++] = 0;
	sql_table_note(&table, &record);
	sql_table_write_create(&table, &sql);
	assert_text(&sql, "CREATE TABLE \"orders\" (\"order_id\" integer, \"note\" text, \"total\" "
			  "numeric(10,2), "
			  "PRIMARY KEY (\"order_id\"))");
	sql_table_write_copy(&table, &sql);
	assert_text(&sql, "COPY \"orders\" (\"order_id\", \"note\", \"total\") FROM STDIN");
	sql_table_write_row(&record, &sql);
	assert_text(&sql, "17\ta\\tb\\\\\\n\\r\t\\N\n");
	sql_table_deinit(&table);
	buffer_deinit(&sql);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_name_needs_no_quotes_and_can_hold_none),
		cmocka_unit_test(test_a_table_is_written_with_its_types_and_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
