#include "cli/simulator.h"

#include "cli/draw.h"
#include "proto/writer.h"
#include <stdio.h>

enum {
	LINES_MAX = 5, /* of an order */
	RETURN_PERCENT = 3,
	CART_PERCENT = 12,
	VIEW_PERCENT = 25,
	UNKNOWN_USER_PERCENT = 30,
	PRICE_CENTS_MIN = 20,
	PRICE_CENTS_SPAN = 19980,
	MICROS_PER_CENT = 10000,
};

static const char *const channels[] = {"store", "online", "phone"};
static const char *const payments[] = {"card", "cash", "voucher", "invoice"};
static const char *const categories[] = {
	"bakery", "books", "drinks", "garden", "home", "kitchen", "toys", "textiles"};

/* Some products sell far better than others: the square of a uniform draw. */
static uint32_t draw_product(struct simulator *simulator)
{
	uint64_t uniform = draw_next(&simulator->random) >> 32;

	return (uint32_t)((uniform * uniform >> 32) * simulator->options.products >> 32);
}

void simulator_init(
	struct simulator *simulator, const struct simulator_options *options, uint32_t store)
{
	*simulator = (struct simulator){.options = *options,
		.store = store,
		.random = draw_mix(options->seed) ^ draw_mix(~(uint64_t)store)};
}

int64_t simulator_price(uint64_t seed, uint32_t product)
{
	uint64_t cents = draw_mix(draw_mix(seed) + product) % PRICE_CENTS_SPAN;

	return (PRICE_CENTS_MIN + (int64_t)cents) * MICROS_PER_CENT;
}

const char *simulator_product_name(uint32_t product, char out[PRODUCT_NAME_SIZE])
{
	snprintf(out, PRODUCT_NAME_SIZE, "sku-%05u", (unsigned)product + 1);
	return out;
}

const char *simulator_category(uint32_t product)
{
	return categories[product % (sizeof categories / sizeof categories[0])];
}

static void begin_order(struct simulator *simulator)
{
	bool known = !draw_percent(&simulator->random, UNKNOWN_USER_PERCENT);

	simulator->order++;
	simulator->lines_left = 1 + draw_below(&simulator->random, LINES_MAX);
	simulator->line = (struct sale){.kind = KIND_ORDER,
		.store = simulator->store,
		.order = simulator->order,
		.user = known ? 1 + draw_below(&simulator->random, simulator->options.users) : 0,
		.channel = draw_below(&simulator->random, sizeof channels / sizeof channels[0]),
		.payment = draw_below(&simulator->random, sizeof payments / sizeof payments[0])};
}

static void draw_line(struct simulator *simulator, struct sale *sale)
{
	*sale = simulator->line;
	simulator->lines_left--;
	sale->product = draw_product(simulator);
	sale->quantity = 1 + draw_below(&simulator->random, 6);
	if (draw_percent(&simulator->random, RETURN_PERCENT)) {
		sale->quantity = -sale->quantity;
	}
	sale->unit_price = simulator_price(simulator->options.seed, sale->product);
}

static void draw_visit(struct simulator *simulator, bool cart, struct sale *sale)
{
	*sale = (struct sale){.kind = cart ? KIND_CART : KIND_VIEW,
		.store = simulator->store,
		.product = draw_product(simulator),
		.user = 1 + draw_below(&simulator->random, simulator->options.users),
		.quantity = 1,
		.channel = 1,
		.removed = draw_percent(&simulator->random, 20)};
}

static enum flaw draw_flaw(struct simulator *simulator, enum kind kind)
{
	double uniform = (double)(draw_next(&simulator->random) >> 11) / 9007199254740992.0;

	if (uniform >= simulator->options.invalid_share) {
		return FLAW_NONE;
	}
	if (kind != KIND_ORDER) { /* prices and orders are not theirs */
		return draw_percent(&simulator->random, 50) ? FLAW_BAD_TIME : FLAW_UNKNOWN_KIND;
	}
	return (enum flaw)(1 + draw_below(&simulator->random, FLAW_COUNT - 1));
}

void simulator_next(struct simulator *simulator, int64_t now_ms, struct sale *ret_sale)
{
	uint32_t percent = draw_below(&simulator->random, 100);

	if (simulator->lines_left == 0 && percent < CART_PERCENT + VIEW_PERCENT) {
		draw_visit(simulator, percent < CART_PERCENT, ret_sale);
	} else {
		if (simulator->lines_left == 0) {
			begin_order(simulator);
		}
		draw_line(simulator, ret_sale);
	}
	ret_sale->flaw = draw_flaw(simulator, ret_sale->kind);
	ret_sale->ts_ms = now_ms;
}

static void write_pair(struct writer *writer, const char *key, const char *value)
{
	write_key(writer, key);
	write_key(writer, value);
}

static void write_price(struct writer *writer, const struct sale *sale)
{
	char text[MONEY_TEXT_SIZE + 1];

	write_key(writer, "unit_price");
	if (sale->flaw == FLAW_PRICE_NEGATIVE) {
		write_money(writer, -sale->unit_price);
		return;
	}
	size_t size = money_format(sale->unit_price, text);
	char *point = memchr(text, '.', size);
	if (sale->flaw == FLAW_PRICE_WITH_COMMA) {
		*point = ',';
	}
	write_text(writer, slice_of(text, size));
}

static void write_order(struct writer *writer, const struct sale *sale)
{
	char text[48];

	if (sale->flaw != FLAW_NO_ORDER_ID) {
		snprintf(text, sizeof text, "%02u-%06llu", (unsigned)sale->store + 1,
			(unsigned long long)sale->order);
		write_pair(writer, "order_id", text);
	}
	write_price(writer, sale);
	write_pair(writer, "currency", "EUR");
	write_pair(writer, "payment", payments[sale->payment]);
}

static void write_what_all_have(struct writer *writer, const struct sale *sale)
{
	char text[PRODUCT_NAME_SIZE];

	write_pair(
		writer, "kind", sale->flaw == FLAW_UNKNOWN_KIND ? "refund" : kind_name(sale->kind));
	write_key(writer, "ts");
	if (sale->flaw == FLAW_BAD_TIME) {
		write_key(writer, "yesterday");
	} else {
		write_integer(writer, sale->ts_ms);
	}
	write_pair(writer, "product_id", simulator_product_name(sale->product, text));
	write_pair(writer, "category", simulator_category(sale->product));
	write_pair(writer, "channel", channels[sale->channel]);
	snprintf(text, sizeof text, "store-%02u", (unsigned)sale->store + 1);
	write_pair(writer, "store", text);
}

void sale_encode(const struct sale *sale, struct buffer *buffer)
{
	enum { COMMON_PAIRS = 6, ORDER_PAIRS = 4 };
	bool order = sale->kind == KIND_ORDER;
	bool counts = sale->kind != KIND_VIEW;
	uint32_t pairs = COMMON_PAIRS + (sale->user > 0) + 1;
	struct writer writer;
	char user[24];

	pairs += order ? ORDER_PAIRS - (sale->flaw == FLAW_NO_ORDER_ID) : 0;
	pairs += sale->kind == KIND_CART; /* action; a view has its page instead of a quantity */
	writer_init(&writer, ENCODING_MSGPACK, buffer);
	write_map(&writer, pairs);
	write_what_all_have(&writer, sale);
	if (sale->user > 0) {
		snprintf(user, sizeof user, "user-%06u", (unsigned)sale->user);
		write_pair(&writer, "user_id", user);
	}
	if (counts) {
		write_key(&writer, "quantity");
		write_integer(&writer, sale->flaw == FLAW_QUANTITY_ZERO ? 0 : sale->quantity);
	} else {
		write_pair(&writer, "page", "/product");
	}
	if (order) {
		write_order(&writer, sale);
	} else if (sale->kind == KIND_CART) {
		write_pair(&writer, "action", sale->removed ? "remove" : "add");
	}
}
