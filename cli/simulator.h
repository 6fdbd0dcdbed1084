/* simulator.h - one store's customers, drawn from a seed: the same seed gives the same events, whenever and however
 * fast they are sent. A product has one price, one name and one category in every store. Pure: time comes in. */
#pragma once
#include "proto/buffer.h"
#include "proto/event.h"

enum { SIMULATOR_PRODUCTS_MAX = 100000, SIMULATOR_USERS_MAX = 100000000 };

struct simulator_options {
	uint64_t seed;
	uint32_t products; /* 1 … SIMULATOR_PRODUCTS_MAX */
	uint32_t users;
	double invalid_share; /* 0 … 1 */
};

/* What is wrong with an event that is meant to be refused. */
enum flaw {
	FLAW_NONE,
	FLAW_PRICE_WITH_COMMA,
	FLAW_NO_ORDER_ID,
	FLAW_QUANTITY_ZERO,
	FLAW_PRICE_NEGATIVE,
	FLAW_BAD_TIME,
	FLAW_UNKNOWN_KIND,
	FLAW_COUNT,
};

struct sale {
	enum kind kind; /* KIND_ORDER, KIND_CART, KIND_VIEW */
	enum flaw flaw;
	uint32_t store;
	uint64_t order; /* number within the store; an order has several lines */
	uint32_t product;
	uint32_t user; /* 0: unknown */
	int64_t quantity; /* negative: a return */
	int64_t unit_price; /* micros */
	uint32_t channel;
	uint32_t payment;
	bool removed; /* cart: taken out again */
	int64_t ts_ms;
};

struct simulator {
	struct simulator_options options;
	uint32_t store;
	uint64_t random;
	uint64_t order; /* the last one */
	uint32_t lines_left; /* of it */
	struct sale line; /* what its lines have in common */
};

void simulator_init(
	struct simulator *simulator, const struct simulator_options *options, uint32_t store);
void simulator_next(struct simulator *simulator, int64_t now_ms, struct sale *ret_sale);
/* Appends the event as a producer sends it, msgpack. */
void sale_encode(const struct sale *sale, struct buffer *buffer);
/* Micros; the same for a product in every store under one seed: 0.20 … 199.99 in whole cents. */
int64_t simulator_price(uint64_t seed, uint32_t product);
enum { PRODUCT_NAME_SIZE = 24 };
/* "sku-00042" */
const char *simulator_product_name(uint32_t product, char out[PRODUCT_NAME_SIZE]);
const char *simulator_category(uint32_t product);
