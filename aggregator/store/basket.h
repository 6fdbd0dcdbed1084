/* basket.h - an open basket: what the lines of one order, that is of one (edge, order_id), came to so far. A plain value, how it
 * lies in a shard's entries, and the events that views of kind basket count once it has closed. Pure. */
#pragma once
#include "aggregator/store/entry_forget.h"
#include "proto/event.h"
#include "proto/limits.h"

enum {
	BASKET_CURRENCIES_MAX =
		64, /* nobody pays in more; a line in one more is left out as a late one is */
	BASKET_PLACE_SIZE = 8,
	BASKET_KEY_SIZE_MAX = 2 + BASKET_PLACE_SIZE + EDGE_ID_SIZE_MAX + 1 + ID_SIZE_MAX,
};

/* What a key is of: its second byte. */
enum basket_space {
	BASKET_CLOSED = 'c', /* place, edge, NUL, order_id -> when its last line came */
	BASKET_CLOCK = 'k', /* place -> the append time that was read so far */
	BASKET_OPEN = 'o', /* as closed -> the basket */
};

struct basket_sum {
	struct slice currency;
	money amount;
	int64_t quantity;
	uint64_t lines;
};

/* Texts are borrowed. Those that a till says of a whole order are of the first line that has one. */
struct basket {
	int64_t last_ms; /* append time of the last line, as its partition's clock had it */
	int64_t ts_ms; /* the latest of its lines */
	uint64_t run, seq; /* of the last line */
	struct slice channel, payment, user;
	int64_t user_ms; /* append time of the line that named the user */
	bool is_hidden; /* its user was forgotten meanwhile, and is no longer named */
	size_t sum_count;
	struct basket_sum sums[BASKET_CURRENCIES_MAX]; /* by currency */
};

/* Which partition it lies in: a hash of the topic's name and the number, the same for ever. */
void basket_place(const char *topic, int32_t partition, uint8_t ret_place[BASKET_PLACE_SIZE]);
/* {NULL, 0} when edge or order_id are longer than they may be. */
struct slice basket_key(const uint8_t place[BASKET_PLACE_SIZE], struct slice edge,
	struct slice order_id, uint8_t ret_key[BASKET_KEY_SIZE_MAX]);
bool basket_key_parse(struct slice key, struct slice *ret_edge, struct slice *ret_order_id);

/* Begins an empty one. */
void basket_init(struct basket *basket);
/* Adds a line that was appended at `append_ms`; false: one currency too many, nothing was added. */
bool basket_add(struct basket *basket, const struct event *line, int64_t append_ms);
void basket_encode(const struct basket *basket, struct buffer *buffer);
/* Borrows from `bytes`; false: it is none. */
bool basket_decode(struct slice bytes, struct basket *ret_basket);

/* What the basket of this key came to in one of its currencies, as an event of its own. Borrows from both. false: the key is none. */
bool basket_event(
	const struct basket *basket, size_t sum, struct slice key, struct event *ret_event);
/* An open basket, or what else is kept of baskets: its user is not named any more. */
enum entry_fate basket_forget(const struct forgotten *forgotten, struct slice key,
	struct slice value, struct buffer *ret_value);
