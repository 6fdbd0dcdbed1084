#include "cli/shop.h"

#include "cli/draw.h"
#include "cli/simulator.h"
#include "proto/timestamp.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	ORDERS_KEPT = 1024, /* that may still change */
	TRIES_MAX = 16, /* to find one of them that is not deleted */
	ORDER_LINES_MAX = 8, /* of an order */
	NEW_LINES_MAX = 5,
	PIECES_MAX = 6,
	SECONDS_PER_ORDER = 60,
	MICROS_PER_CENT = 10000,
	VISITORS_KEPT = 64,
};

/* 2026-01-01: orders are dated by their numbers, so that nothing hangs on when they were made. */
static const int64_t first_ms = INT64_C(1767225600000);
static const char *const countries[] = {
	"Germany", "France", "United Kingdom", "Österreich", "España"};
static const char *const statuses[] = {"new", "paid", "sent"};
enum {
	COUNTRIES = sizeof countries / sizeof countries[0],
	STATUSES = sizeof statuses / sizeof statuses[0]
};

struct line {
	uint32_t number; /* within the order, from 1; never used twice */
	uint32_t product;
	int32_t quantity;
	int64_t cents; /* of one */
};

struct order {
	int64_t id; /* 0: none, or deleted */
	uint32_t user;
	uint32_t number_last;
	uint32_t line_count;
	struct line lines[ORDER_LINES_MAX];
};

struct shop {
	struct shop_options options;
	uint64_t random;
	int64_t order_id; /* the last one */
	int64_t user_id;
	uint32_t visitor_count;
	int64_t visitors[VISITORS_KEPT];
	uint64_t orders_made;
	struct order orders[ORDERS_KEPT];
	struct shop_counts counts;
};

static void put(struct buffer *sql, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct buffer *sql, const char *format, ...)
{
	char text[512]; /* numbers and words of ours */
	va_list arguments;

	va_start(arguments, format);
	int size = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	buffer_append(sql, text, (size_t)size);
}

static void put_cents(struct buffer *sql, int64_t cents)
{
	int64_t size = cents < 0 ? -cents : cents;

	put(sql, "%s%lld.%02d", cents < 0 ? "-" : "", (long long)(size / 100), (int)(size % 100));
}

/* --- tables --------------------------------------------------------------------------------------------------------- */

void shop_write_tables(struct buffer *sql)
{
	buffer_append_text(sql, "CREATE TABLE IF NOT EXISTS customers (user_id bigint PRIMARY KEY, "
				"name text NOT NULL, "
				"country text NOT NULL);\n"
				"CREATE TABLE IF NOT EXISTS products (product_id text PRIMARY KEY, "
				"name text NOT NULL, "
				"category text NOT NULL, price numeric(10,2) NOT NULL);\n"
				"CREATE TABLE IF NOT EXISTS orders (order_id bigint PRIMARY KEY, "
				"user_id bigint NOT NULL, "
				"status text NOT NULL, amount numeric(12,2) NOT NULL, order_date "
				"timestamp NOT NULL);\n"
				"CREATE TABLE IF NOT EXISTS order_details (order_id bigint, line "
				"integer, product_id text NOT "
				"NULL, quantity integer NOT NULL, unit_price numeric(10,2) NOT "
				"NULL, PRIMARY KEY (order_id, "
				"line));\n");
}

static void put_countries(struct buffer *sql)
{
	for (size_t i = 0; i < COUNTRIES; i++) {
		put(sql, "%s'%s'", i > 0 ? "," : "", countries[i]);
	}
}

void shop_write_stock(const struct shop_options *options, struct buffer *sql)
{
	char name[PRODUCT_NAME_SIZE];

	put(sql, "INSERT INTO customers SELECT n, 'customer ' || n, (ARRAY[");
	put_countries(sql);
	put(sql, "])[1 + n %% %d] FROM generate_series(1, %u) n ON CONFLICT DO NOTHING;\n",
		(int)COUNTRIES, (unsigned)options->users);
	put(sql, "INSERT INTO products VALUES ");
	for (uint32_t i = 0; i < options->products; i++) {
		put(sql, "%s('%s','product %u','%s',", i > 0 ? "," : "",
			simulator_product_name(i, name), (unsigned)i + 1, simulator_category(i));
		put_cents(sql, simulator_price(options->seed, i) / MICROS_PER_CENT);
		buffer_append_byte(sql, ')');
	}
	put(sql, " ON CONFLICT DO NOTHING;\n");
}

/* --- orders and lines ----------------------------------------------------------------------------------------------- */

static struct order *pick_order(struct shop *shop)
{
	for (int tries = 0; tries < TRIES_MAX; tries++) {
		struct order *order = &shop->orders[draw_below(&shop->random, ORDERS_KEPT)];
		if (order->id != 0) {
			return order;
		}
	}
	return NULL;
}

static void draw_line(struct shop *shop, struct order *order)
{
	uint32_t product = draw_below(&shop->random, shop->options.products);
	int32_t quantity = 1 + (int32_t)draw_below(&shop->random, PIECES_MAX);

	order->lines[order->line_count++] = (struct line){.number = ++order->number_last,
		.product = product,
		.quantity = quantity,
		.cents = simulator_price(shop->options.seed, product) / MICROS_PER_CENT};
}

static int64_t sum_cents(const struct order *order)
{
	int64_t cents = 0;

	for (uint32_t i = 0; i < order->line_count; i++) {
		cents += order->lines[i].quantity * order->lines[i].cents;
	}
	return cents;
}

static void put_line(const struct order *order, const struct line *line, struct buffer *sql)
{
	char name[PRODUCT_NAME_SIZE];

	put(sql, "INSERT INTO order_details VALUES (%lld,%u,'%s',%d,", (long long)order->id,
		(unsigned)line->number, simulator_product_name(line->product, name),
		(int)line->quantity);
	put_cents(sql, line->cents);
	put(sql, ");\n");
}

static void put_order(const struct order *order, struct buffer *sql)
{
	char at[TIMESTAMP_TEXT_SIZE];

	timestamp_format(first_ms + order->id * SECONDS_PER_ORDER * 1000, at);
	put(sql, "INSERT INTO orders VALUES (%lld,%u,'%s',", (long long)order->id,
		(unsigned)order->user, statuses[0]);
	put_cents(sql, sum_cents(order));
	put(sql, ",'%.23s');\n", at); /* without its Z: the column has no zone */
	for (uint32_t i = 0; i < order->line_count; i++) {
		put_line(order, &order->lines[i], sql);
	}
}

static void put_amount(struct shop *shop, const struct order *order, struct buffer *sql)
{
	put(sql, "UPDATE orders SET amount = ");
	put_cents(sql, sum_cents(order));
	put(sql, " WHERE order_id = %lld;\n", (long long)order->id);
	shop->counts.updated++;
}

static void draw_order(struct shop *shop, struct order *order)
{
	uint32_t lines = 1 + draw_below(&shop->random, NEW_LINES_MAX);

	*order = (struct order){
		.id = ++shop->order_id, .user = 1 + draw_below(&shop->random, shop->options.users)};
	while (order->line_count < lines) {
		draw_line(shop, order);
	}
}

static void make_order(struct shop *shop, struct buffer *sql)
{
	struct order *order = &shop->orders[shop->orders_made++ % ORDERS_KEPT];

	draw_order(shop, order);
	put_order(order, sql);
	shop->counts.inserted += 1 + order->line_count;
}

/* What nobody else ever sees. */
static void give_up_order(struct shop *shop, struct buffer *sql)
{
	struct order order;

	draw_order(shop, &order);
	put_order(&order, sql);
}

static void delete_order(struct shop *shop, struct buffer *sql)
{
	struct order *order = pick_order(shop);

	if (order == NULL) {
		make_order(shop, sql);
		return;
	}
	put(sql, "DELETE FROM order_details WHERE order_id = %lld;\n", (long long)order->id);
	put(sql, "DELETE FROM orders WHERE order_id = %lld;\n", (long long)order->id);
	shop->counts.deleted += 1 + order->line_count;
	order->id = 0;
}

/* The key of the order and of its lines. */
static void renumber_order(struct shop *shop, struct buffer *sql)
{
	struct order *order = pick_order(shop);

	if (order == NULL) {
		make_order(shop, sql);
		return;
	}
	int64_t id = ++shop->order_id;
	static const char *const tables[] = {"orders", "order_details"};
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		put(sql, "UPDATE %s SET order_id = %lld WHERE order_id = %lld;\n", tables[i],
			(long long)id, (long long)order->id);
	}
	shop->counts.updated += 1 + order->line_count;
	order->id = id;
}

static void give_order(struct shop *shop, struct buffer *sql)
{
	struct order *order = pick_order(shop);

	if (order == NULL) {
		make_order(shop, sql);
		return;
	}
	order->user = 1 + draw_below(&shop->random, shop->options.users);
	put(sql, "UPDATE orders SET user_id = %u, status = '%s' WHERE order_id = %lld;\n",
		(unsigned)order->user, statuses[draw_below(&shop->random, STATUSES)],
		(long long)order->id);
	shop->counts.updated++;
}

/* Its quantity and, now and then, its product and price; or it becomes a return. */
static void change_line(struct shop *shop, struct buffer *sql)
{
	struct order *order = pick_order(shop);
	char name[PRODUCT_NAME_SIZE];

	if (order == NULL || order->line_count == 0) {
		make_order(shop, sql);
		return;
	}
	struct line *line = &order->lines[draw_below(&shop->random, order->line_count)];
	line->quantity = 1 + (int32_t)draw_below(&shop->random, PIECES_MAX);
	line->quantity = draw_percent(&shop->random, 10) ? -line->quantity : line->quantity;
	if (draw_percent(&shop->random, 30)) {
		line->product = draw_below(&shop->random, shop->options.products);
		line->cents += draw_below(&shop->random, 100);
	}
	put(sql, "UPDATE order_details SET quantity = %d, product_id = '%s', unit_price = ",
		(int)line->quantity, simulator_product_name(line->product, name));
	put_cents(sql, line->cents);
	put(sql, " WHERE order_id = %lld AND line = %u;\n", (long long)order->id,
		(unsigned)line->number);
	shop->counts.updated++;
	put_amount(shop, order, sql);
}

static void add_line(struct shop *shop, struct buffer *sql)
{
	struct order *order = pick_order(shop);

	if (order == NULL || order->line_count == ORDER_LINES_MAX) {
		make_order(shop, sql);
		return;
	}
	draw_line(shop, order);
	put_line(order, &order->lines[order->line_count - 1], sql);
	shop->counts.inserted++;
	put_amount(shop, order, sql);
}

static void delete_line(struct shop *shop, struct buffer *sql)
{
	struct order *order = pick_order(shop);

	if (order == NULL || order->line_count == 0) {
		make_order(shop, sql);
		return;
	}
	uint32_t index = draw_below(&shop->random, order->line_count);
	put(sql, "DELETE FROM order_details WHERE order_id = %lld AND line = %u;\n",
		(long long)order->id, (unsigned)order->lines[index].number);
	order->lines[index] = order->lines[--order->line_count];
	shop->counts.deleted++;
	put_amount(shop, order, sql);
}

/* --- customers and products ----------------------------------------------------------------------------------------- */

static const char *draw_country(struct shop *shop)
{
	return countries[draw_below(&shop->random, COUNTRIES)];
}

static void change_customer(struct shop *shop, struct buffer *sql)
{
	uint32_t user = 1 + draw_below(&shop->random, shop->options.users);

	put(sql, "UPDATE customers SET name = 'renamed %u', country = '%s' WHERE user_id = %u;\n",
		(unsigned)draw_below(&shop->random, 1000), draw_country(shop), (unsigned)user);
	shop->counts.updated++;
}

static void change_product(struct shop *shop, struct buffer *sql)
{
	char name[PRODUCT_NAME_SIZE];
	uint32_t product = draw_below(&shop->random, shop->options.products);

	put(sql,
		"UPDATE products SET price = price + 0.01, category = '%s' WHERE product_id = "
		"'%s';\n",
		simulator_category(draw_below(&shop->random, 1000)),
		simulator_product_name(product, name));
	shop->counts.updated++;
}

/* A customer who never orders comes, or the last of them goes. */
static void change_visitors(struct shop *shop, struct buffer *sql)
{
	bool comes = shop->visitor_count == 0 ||
		     (shop->visitor_count < VISITORS_KEPT && draw_percent(&shop->random, 60));

	if (comes) {
		int64_t user = ++shop->user_id;
		shop->visitors[shop->visitor_count++] = user;
		put(sql, "INSERT INTO customers VALUES (%lld,'visitor %lld','%s');\n",
			(long long)user, (long long)user, draw_country(shop));
		shop->counts.inserted++;
		return;
	}
	put(sql, "DELETE FROM customers WHERE user_id = %lld;\n",
		(long long)shop->visitors[--shop->visitor_count]);
	shop->counts.deleted++;
}

/* --- transactions --------------------------------------------------------------------------------------------------- */

static const struct {
	uint32_t percent;
	void (*write)(struct shop *shop, struct buffer *sql);
} changes[] = {
	{45, make_order}, {18, change_line}, {8, delete_order}, {5, add_line}, {5, give_order},
	{4, delete_line}, {4, renumber_order}, {3, change_customer}, {3, change_visitors},
	{2, change_product}, {0, give_up_order}, /* all that is left */
};

void shop_next(struct shop *shop, struct buffer *sql)
{
	uint32_t chance = draw_below(&shop->random, 100);
	size_t index = 0;

	while (chance >= changes[index].percent && changes[index].percent > 0) {
		chance -= changes[index++].percent;
	}
	bool is_given_up = changes[index].write == give_up_order;
	put(sql, "BEGIN;\n");
	changes[index].write(shop, sql);
	put(sql, is_given_up ? "ROLLBACK" : "COMMIT");
	*(is_given_up ? &shop->counts.rolled_back : &shop->counts.transactions) += 1;
}

const struct shop_counts *shop_counted(const struct shop *shop)
{
	return &shop->counts;
}

int shop_new(const struct shop_options *options, struct shop **ret_shop)
{
	struct shop *shop = calloc(1, sizeof *shop);

	if (shop == NULL) {
		return -ENOMEM;
	}
	shop->options = *options;
	shop->random = draw_mix(options->seed);
	shop->order_id = options->order_id;
	shop->user_id = options->user_id > options->users ? options->user_id : options->users;
	*ret_shop = shop;
	return 0;
}

struct shop *shop_free(struct shop *shop)
{
	free(shop);
	return NULL;
}
