/* A shop's transactions: the same seed, the same statements, and all kinds of changes among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/shop.h"
#include <string.h>

enum { TRANSACTIONS = 5000, SQL_LIMIT = 16 * 1024 * 1024 };

static const struct shop_options small = {
	.seed = 7, .products = 50, .users = 20, .order_id = 0, .user_id = 20};

static struct shop_counts write_all(const struct shop_options *options, struct buffer *sql)
{
	struct shop *shop = NULL;

	buffer_init(sql, SQL_LIMIT);
	assert_int_equal(shop_new(options, &shop), 0);
	for (int i = 0; i < TRANSACTIONS; i++) {
		shop_next(shop, sql);
		buffer_append_byte(sql, '\n');
	}
	assert_int_equal(sql->error, 0);
	struct shop_counts counts = *shop_counted(shop);
	shop_free(shop);
	return counts;
}

static void test_the_same_seed_writes_the_same_statements(void **state)
{
	(void)state;
	struct shop_options another = small;
	struct buffer a;
	struct buffer b;
	struct buffer other;

	another.seed = 8;
	write_all(&small, &a);
	write_all(&small, &b);
	write_all(&another, &other);
	assert_true(slice_equal(buffer_slice(&a), buffer_slice(&b)));
	assert_false(slice_equal(buffer_slice(&a), buffer_slice(&other)));
	buffer_deinit(&a);
	buffer_deinit(&b);
	buffer_deinit(&other);
}

static void test_every_kind_of_change_is_among_them_and_is_counted(void **state)
{
	(void)state;
	static const char *const changes[] = {"INSERT INTO orders ", "DELETE FROM orders ",
		"DELETE FROM customers", "UPDATE orders SET order_id",
		"UPDATE order_details SET order_id", "UPDATE order_details SET quantity = -",
		"UPDATE orders SET user_id", "UPDATE customers", "UPDATE products", "ROLLBACK"};
	struct buffer sql;

	struct shop_counts counts = write_all(&small, &sql);
	buffer_append_byte(&sql, '\0');
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		assert_non_null(strstr((const char *)sql.bytes, changes[i]));
	}
	assert_int_equal(counts.transactions + counts.rolled_back, TRANSACTIONS);
	assert_true(counts.rolled_back > 0 && counts.updated > 0);
	assert_true(counts.deleted > 0 && counts.deleted < counts.inserted);
	buffer_deinit(&sql);
}

/* A second run in the same database must not use numbers that the first one used. */
static void test_numbers_go_on_where_the_database_ends(void **state)
{
	(void)state;
	struct shop_options later = small;
	struct buffer sql;

	later.order_id = 1000000;
	later.user_id = 5000;
	write_all(&later, &sql);
	buffer_append_byte(&sql, '\0');
	const char *text = (const char *)sql.bytes;
	assert_non_null(strstr(text, "INSERT INTO orders VALUES (1000001,"));
	assert_non_null(strstr(text, "INSERT INTO customers VALUES (5001,"));
	assert_null(strstr(text, "INSERT INTO orders VALUES (1,"));
	buffer_deinit(&sql);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_seed_writes_the_same_statements),
		cmocka_unit_test(test_every_kind_of_change_is_among_them_and_is_counted),
		cmocka_unit_test(test_numbers_go_on_where_the_database_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
