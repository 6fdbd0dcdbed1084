/* Simulated customers: the same seed, the same events, and one price a product. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/sales_ledger.h"
#include "cli/simulator.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { EVENTS = 3000 };

static const struct simulator_options calm = {.seed = 7, .products = 50, .users = 20};

static void draw(const struct simulator_options *options, uint32_t store, struct buffer *buffer)
{
	struct simulator simulator;
	struct sale sale;

	buffer_init(buffer, 8 * 1024 * 1024);
	simulator_init(&simulator, options, store);
	for (int64_t i = 0; i < EVENTS; i++) {
		simulator_next(&simulator, 1000 + i, &sale);
		sale_encode(&sale, buffer);
	}
	assert_int_equal(buffer->error, 0);
}

static void test_the_same_seed_gives_the_same_bytes(void **state)
{
	(void)state;
	struct buffer a;
	struct buffer b;
	struct buffer other;
	struct simulator_options another = calm;

	another.seed = 8;
	draw(&calm, 0, &a);
	draw(&calm, 0, &b);
	assert_true(slice_equal(buffer_slice(&a), buffer_slice(&b)));
	draw(&calm, 1, &other);
	assert_false(slice_equal(buffer_slice(&a), buffer_slice(&other)));
	buffer_deinit(&other);
	draw(&another, 0, &other);
	assert_false(slice_equal(buffer_slice(&a), buffer_slice(&other)));
	buffer_deinit(&a);
	buffer_deinit(&b);
	buffer_deinit(&other);
}

static void test_a_product_has_one_price_in_every_store(void **state)
{
	(void)state;
	int64_t prices[50] = {0};
	uint32_t returns = 0;
	uint32_t kinds[KIND_EVENT_COUNT] = {0};

	for (uint32_t store = 0; store < 3; store++) {
		struct simulator simulator;
		struct sale sale;
		simulator_init(&simulator, &calm, store);
		for (int i = 0; i < EVENTS; i++) {
			simulator_next(&simulator, 0, &sale);
			kinds[sale.kind]++;
			if (sale.kind != KIND_ORDER) {
				continue;
			}
			int64_t *price = &prices[sale.product];
			assert_true(*price == 0 || *price == sale.unit_price);
			*price = sale.unit_price;
			returns += sale.quantity < 0;
			assert_true(sale.quantity != 0);
			assert_int_equal(sale.unit_price % 10000, 0);
			assert_in_range(sale.unit_price, 200000, 199990000);
		}
	}
	assert_true(returns > 0);
	for (int kind = 0; kind < KIND_EVENT_COUNT; kind++) {
		assert_true(kinds[kind] > EVENTS / 20);
	}
}

/* The edge's own rules are the judge of what the simulator calls valid. */
static void test_exactly_the_flawed_events_are_refused(void **state)
{
	(void)state;
	struct simulator_options options = calm;
	struct simulator simulator;
	struct document document;
	struct buffer buffer;
	struct event_rules rules = {.default_currency = "XXX", .received_ms = 1};
	uint32_t seen[FLAW_COUNT] = {0};

	options.invalid_share = 0.3;
	buffer_init(&buffer, EVENT_SIZE_MAX);
	assert_int_equal(document_init(&document, EVENT_NODES_MAX), 0);
	simulator_init(&simulator, &options, 3);
	for (int i = 0; i < EVENTS; i++) {
		struct sale sale;
		struct event event;
		struct complaint complaint;
		enum kind kind;
		simulator_next(&simulator, 1291191960000, &sale);
		buffer_clear(&buffer);
		sale_encode(&sale, &buffer);
		int r = event_normalise(&document, ENCODING_MSGPACK, buffer_slice(&buffer), &rules,
			&event, &kind, &complaint);
		assert_int_equal(r != 0, sale.flaw != FLAW_NONE);
		if (r == 0 && kind == KIND_ORDER) {
			assert_true(
				event_revenue(&event) == (money)sale.quantity * sale.unit_price);
		}
		seen[sale.flaw]++;
	}
	for (int flaw = 0; flaw < FLAW_COUNT; flaw++) {
		assert_true(seen[flaw] > 0);
	}
	assert_in_range(seen[FLAW_NONE], EVENTS * 65 / 100, EVENTS * 75 / 100);
	document_deinit(&document);
	buffer_deinit(&buffer);
}

static void test_an_order_keeps_its_customer_over_its_lines(void **state)
{
	(void)state;
	struct simulator simulator;
	struct sale last = {.order = 0};
	struct sale sale;
	uint32_t together = 0;

	simulator_init(&simulator, &calm, 0);
	for (int i = 0; i < EVENTS; i++) {
		simulator_next(&simulator, 0, &sale);
		if (sale.kind == KIND_ORDER && sale.order == last.order) {
			assert_int_equal(sale.user, last.user);
			assert_int_equal(sale.payment, last.payment);
			together++;
		}
		last = sale.kind == KIND_ORDER ? sale : last;
	}
	assert_true(together > 0);
}

static void test_the_ledger_adds_up_to_the_cent(void **state)
{
	(void)state;
	struct sales_ledger ledger;
	struct buffer buffer;
	struct sale sale = {.kind = KIND_ORDER, .product = 1, .quantity = 3, .unit_price = 2550000};

	assert_int_equal(sales_ledger_init(&ledger, 3), 0);
	assert_int_equal(sales_ledger_accept(&ledger, slice_of_text("a"), &sale), 0);
	sale.quantity = -1;
	assert_int_equal(sales_ledger_accept(&ledger, slice_of_text("b"), &sale), 0);
	sale.kind = KIND_VIEW;
	assert_int_equal(sales_ledger_accept(&ledger, slice_of_text("b"), &sale), 0);
	assert_int_equal(sales_ledger_refuse(&ledger, slice_of_text("b"), REASON_BAD_VALUE), 0);
	assert_int_equal(sales_ledger_accepted(&ledger), 3);
	assert_int_equal(sales_ledger_invalid(&ledger), 1);
	buffer_init(&buffer, 4096);
	sales_ledger_encode(&ledger, &buffer);
	buffer_append_byte(&buffer, '\0');
	assert_string_equal((const char *)buffer.bytes,
		"{\"accepted\":{\"order\":2,\"cart\":0,\"view\":1},\"invalid\":{\"bad_value\":1},"
		"\"total_revenue\":\"5.10\",\"edges\":{"
		"\"a\":{\"accepted\":{\"order\":1,\"cart\":0,\"view\":0},\"invalid\":0,\"total_"
		"revenue\":\"7.65\"},"
		"\"b\":{\"accepted\":{\"order\":1,\"cart\":0,\"view\":1},\"invalid\":1,\"total_"
		"revenue\":\"-2.55\"}},"
		"\"products\":{\"sku-00002\":[2,2,\"5.10\"]}}");
	buffer_deinit(&buffer);
	sales_ledger_deinit(&ledger);
}

static void test_the_ledger_has_a_bound_of_edges(void **state)
{
	(void)state;
	struct sales_ledger ledger;
	char id[16];

	assert_int_equal(sales_ledger_init(&ledger, 1), 0);
	for (int i = 0; i < SALES_LEDGER_EDGES_MAX; i++) {
		snprintf(id, sizeof id, "e%d", i);
		assert_int_equal(
			sales_ledger_refuse(&ledger, slice_of_text(id), REASON_BAD_VALUE), 0);
	}
	assert_int_equal(
		sales_ledger_refuse(&ledger, slice_of_text("one more"), REASON_BAD_VALUE), -ENOSPC);
	sales_ledger_deinit(&ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_seed_gives_the_same_bytes),
		cmocka_unit_test(test_a_product_has_one_price_in_every_store),
		cmocka_unit_test(test_exactly_the_flawed_events_are_refused),
		cmocka_unit_test(test_an_order_keeps_its_customer_over_its_lines),
		cmocka_unit_test(test_the_ledger_adds_up_to_the_cent),
		cmocka_unit_test(test_the_ledger_has_a_bound_of_edges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
