#include "tests/sim/aggregator_setup.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const char common[] =
	"[aggregator]\n"
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
	"fields = product_id:product_id, action:action, quantity:quantity, user_id:user_id\n"
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

/* Rows that are somebody's. */
static const char with_users[] =
	"[view.by_user]\n"
	"kind = order\n"
	"group_by = user_id, currency\n"
	"measures = order_count = count(), total_revenue = sum(revenue), "
	"baskets = distinct(basket)\n"
	"[view.by_product_and_user]\n" /* keys do not begin with him */
	"kind = order\n"
	"group_by = product_id, user_id\n"
	"measures = order_count = count(), baskets = distinct(basket)\n"
	"[view.by_last_user]\n"
	"kind = order\n"
	"group_by = product_id\n"
	"measures = first_user = first(user_id), last_user = last(user_id)\n"
	"[view.by_basket_and_user]\n"
	"kind = basket\n"
	"group_by = user_id, currency\n"
	"measures = order_count = count(), total_revenue = sum(amount)\n";
static const char with_users_of_database[] =
	"[view.by_line_and_user]\n"
	"kind = cart\n"
	"group_by = user_id\n"
	"measures = order_count = count(), total_quantity = sum(quantity)\n";

/* In the place of a view, and beside it. */
static const char staged[] =
	"[view.by_product]\n"
	"kind = order\n"
	"group_by = product_id, currency\n"
	"measures = order_count = count(), total_revenue = sum(revenue), dearest = max(revenue)\n"
	"[view.by_edge]\n"
	"kind = order\n"
	"group_by = edge, currency\n"
	"measures = order_count = count()\n";

/* A file of them that is in memory alone. */
static void name_staged(char *text, size_t text_size)
{
	int fd = memfd_create("staged", 0);

	if (fd < 0 || write(fd, staged, sizeof staged - 1) != (ssize_t)sizeof staged - 1) {
		abort();
	}
	snprintf(text, text_size, "[aggregator]\nstage = /proc/self/fd/%d\n", fd);
}

/* Where changed rows are published. */
static const char unpublished[] = "[aggregator]\npublish =\n";
static const char published[] = "[aggregator]\npublish = tcp://127.0.0.1:2\n";

static int read_all(struct aggregator_config *config,
	const struct aggregator_part_features *features, bool stages, struct config_error *error)
{
	char stage[64] = "";
	const char *const texts[] = {common, features->has_subscriber ? published : unpublished,
		features->has_database ? with_database : "", features->has_users ? with_users : "",
		features->has_database && features->has_users ? with_users_of_database : "", stage};
	int r = 0;

	if (stages) {
		name_staged(stage, sizeof stage);
	}
	for (size_t i = 0; r == 0 && i < sizeof texts / sizeof texts[0]; i++) {
		r = config_read_text(&aggregator_config_schema, config, "simulated", texts[i],
			strlen(texts[i]), error);
	}
	return r;
}

static void configure(struct aggregator_config *config,
	const struct aggregator_part_features *features, bool stages)
{
	struct config_error error = {0};

	int r = config_init(&aggregator_config_schema, config, &error);
	if (r == 0) {
		r = read_all(config, features, stages, &error);
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

struct aggregator_config *aggregator_setup(
	const struct aggregator_part_features *features, bool stages)
{
	static struct aggregator_config configs[2][2][2][2];
	struct aggregator_config *config = &configs[features->has_database][features->has_users]
						   [features->has_subscriber][stages];

	if (config->data == NULL) {
		configure(config, features, stages);
	}
	return config;
}
