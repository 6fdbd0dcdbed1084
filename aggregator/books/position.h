/* position.h - how far one partition was read, and what of it the log must still hold to go on from there. The anchor
 * is a record that was read, the last one if that was proven (proof.h): after a restart it must be found unchanged before
 * the stored offset, because a topic that was deleted and made again has other records at the same offsets. Pure. */
#pragma once
#include "aggregator/books/books.h"

struct anchor {
	int64_t offset; /* -1: none */
	int64_t timestamp_ms; /* the broker's */
	uint32_t checksum; /* CRC32C of key and value */
};

struct position {
	int64_t next; /* offset of the first record that was not read */
	struct anchor anchor;
	struct anchor candidate, last; /* behind it or the same; see proof.h */
	struct books books;
};

#define POSITION_START                                                                             \
	((struct position){                                                                        \
		.anchor = {.offset = -1}, .candidate = {.offset = -1}, .last = {.offset = -1}})

struct anchor anchor_of(int64_t offset, int64_t timestamp_ms, struct slice key, struct slice value);
bool anchor_equal(const struct anchor *a, const struct anchor *b);

/* What to do at start with a partition that the log says holds the offsets low … high - 1. */
enum position_verdict {
	POSITION_READ, /* from `offset`; nothing is missing */
	POSITION_CHECK, /* from `offset`, which is the anchor: it must be the first record to come */
	POSITION_ANCHOR_GONE, /* from `offset`: nothing is missing, but nothing proves that it is the same log */
	POSITION_MISSING, /* the offsets next … low - 1 are gone for good */
	POSITION_RECREATED, /* the log ends before what was read: it is another log, or it was cut */
};
enum position_verdict position_judge(
	const struct position *position, int64_t low, int64_t high, int64_t *ret_offset);

/* One row of the store: topic and partition are its key. */
enum { POSITION_KEY_SIZE_MAX = 249 + 1 + 4 };
size_t position_key(const char *topic, int32_t partition, uint8_t ret_key[POSITION_KEY_SIZE_MAX]);
/* The topic is borrowed from the key, without a terminator. false when malformed. */
bool position_key_parse(struct slice key, struct slice *ret_topic, int32_t *ret_partition);
void position_encode(const struct position *position, struct buffer *buffer);
bool position_decode(struct slice bytes, struct position *ret_position);
