#include "tests/sim/aggregator_setup.h"
#include <stdio.h>
#include <stdlib.h>

static const char common[] =
	"[aggregator]\n"
	"publish =\n"
	"data = store\n"
	"brokers = kafka\n"
	"listen = tcp://127.0.0.1:1\n"
	"commit_interval = 200ms\n"
	"basket_horizon = 3s\n" /* so that links are down for longer now and then */
	"basket_memory = 60s\n"
	"[http]\n"
	"listen = \n"
	"[view.by_order]\n"
	"kind = order\n"
	"group_by = order_id, currency\n"
	"measures = order_count = count(), total_revenue = sum(revenue)\n"
	"[view.by_product]\n"
	"kind = order\n"
	"group_by = product_id, currency\n"
	"measures = order_count = count(), total_revenue = sum(revenue)\n"
	"[view.by_shape]\n" /* one measure of each sort */
	"kind = order\n"
	"group_by = product_id, currency\n"
	"measures = order_count = distinct(basket), total_revenue = sum(revenue), least = "
	"min(revenue), most = max(revenue), "
	"mean = average(revenue), first_order = first(order_id), last_price = last(unit_price), "
	"half = quantile(revenue, 0.5), most_of = quantile(revenue, 0.95), cheap = count() where "
	"unit_price < 500\n"
	"where = quantity > 0\n"
	"[view.by_basket]\n" /* what is in it depends on when each partition got each line */
	"kind = basket\n"
	"group_by = edge, currency\n"
	"measures = order_count = count(), total_revenue = sum(amount), least = min(amount), half "
	"= quantile(amount, 0.5), "
	"first_order = first(order_id), lines = sum(lines)\n"
	"[view.by_letter]\n"
	"kind = dead_letter\n"
	"group_by = code\n"
	"measures = order_count = count()\n";

/* What others write: a database's rows, which are counted; such rows, which are kept; and people (database.h). */
static const char with_database[] =
	"[source.lines]\n"
	"topic = shop.lines\n"
	"format = debezium\n"
	"kind = cart\n"
	"fields = product_id:product_id, action:action, quantity:quantity\n"
	"[source.stock]\n"
	"topic = shop.stock\n"
	"format = debezium\n"
	"table = stock\n"
	"[table.stock]\n"
	"key = id\n"
	"columns = product_id as product, quantity integer as total_quantity\n"
	"[source.people]\n"
	"topic = people\n"
	"format = plain\n"
	"table = people\n"
	"[table.people]\n"
	"key = user_id\n"
	"columns = points integer as total_quantity\n"
	"[view.by_line]\n" /* only what can be taken back */
	"kind = cart\n"
	"group_by = product_id\n"
	"measures = order_count = count(), total_quantity = sum(quantity), mean = "
	"average(quantity), "
	"half = quantile(quantity, 0.5), large = count() where quantity > 4\n";

static int read_text(struct aggregator_config *config, const char *text, struct config_error *error)
{
	return config_read_text(
		&aggregator_config_schema, config, "simulated", text, strlen(text), error);
}

static void configure(struct aggregator_config *config, bool has_database)
{
	struct config_error error = {0};

	int r = config_init(&aggregator_config_schema, config, &error);
	if (r == 0) {
		r = read_text(config, common, &error);
	}
	if (r == 0 && has_database) {
		r = read_text(config, with_database, &error);
	}
	if (r == 0) {
		r = config_finish(&aggregator_config_schema, config, &error);
	}
	if (r == 0) {
		r = aggregator_config_check(config, &error);
	}
	if (r != 0) {
		fprintf(stderr, "the aggregator's configuration: %s\n", error.text);
		abort();
	}
}

struct aggregator_config *aggregator_setup(bool has_database)
{
	static struct aggregator_config configs[2];
	struct aggregator_config *config = &configs[has_database];

	if (config->data == NULL) {
		configure(config, has_database);
	}
	return config;
}
