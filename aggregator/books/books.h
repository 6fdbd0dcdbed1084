/* books.h - what became of every record that was read from one partition. They always add up:
 * read = counted + rejected + duplicates + foreign + unreadable. Pure. */
#pragma once
#include "aggregator/view/pack.h"

/* What one record became. */
enum fate {
	FATE_COUNTED, /* an event, for the first time */
	FATE_REJECTED, /* a marker that the bridge left instead of an event, for the first time */
	FATE_DUPLICATE, /* its certificate was counted or rejected before */
	FATE_FOREIGN, /* no certificate of ours: somebody else's record */
	FATE_UNREADABLE, /* broken, or of a stream in quarantine: it lies in the store's quarantine */
	FATE_COUNT,
};

struct books {
	uint64_t read;
	uint64_t fates[FATE_COUNT];
};

/* What became of the lines of orders, where views count baskets: lines + late = accepted orders. Of one shard, since its
 * generation began. */
struct basket_books {
	uint64_t lines; /* in a basket */
	uint64_t late; /* their basket had closed */
	uint64_t opened, closed; /* baskets */
	uint64_t
		given; /* events: one a currency of each closed basket; so many each view of kind basket counts */
};

const char *fate_name(enum fate fate);
void books_enter(struct books *books, enum fate fate);
bool books_add_up(const struct books *books);
void books_encode(const struct books *books, struct buffer *buffer);
void books_decode(struct unpack *unpack, struct books *ret_books);
void basket_books_add(struct basket_books *sum, const struct basket_books *books);
void basket_books_encode(const struct basket_books *books, struct buffer *buffer);
void basket_books_decode(struct unpack *unpack, struct basket_books *ret_books);
