/* row_key.h - group values as bytes whose order (memcmp) is the order of the values, field by field.
 *
 *   text up to 96 bytes   its bytes, 0x00              (text has no NUL, so a prefix sorts before what it begins)
 *   longer text           its first 64 bytes, 0xff, 128-bit hash of the whole   (UTF-8 has no 0xff)
 *   integer, bucket       8 bytes big-endian, sign bit flipped
 *   that may be absent    0x01 in front of it, or 0x00 alone
 *
 * The whole of a long text is kept beside the key as "longs": for each long text of the key, in order, its size
 * (2 bytes little-endian) and bytes. Pure. */
#pragma once
#include "proto/slice.h"

enum {
	ROW_TEXT_SHORT_MAX = 96,
	ROW_TEXT_LONG_MAX = 4096, /* known text has at most 1 KiB */
	ROW_TEXT_PREFIX_SIZE = 64,
	ROW_TEXT_HASH_SIZE = 16,
	ROW_KEY_FIELDS_MAX = 5, /* four declared and the currency */
	ROW_LONGS_SIZE_MAX = ROW_KEY_FIELDS_MAX * (ROW_TEXT_LONG_MAX + 2),
	/* 5 x 97. LMDB's keys end at 511; the store puts at most 8 bytes in front. */
	ROW_KEY_CAPACITY = ROW_KEY_FIELDS_MAX * (ROW_TEXT_SHORT_MAX + 1),
};
_Static_assert(ROW_KEY_CAPACITY + 8 <= 511, "a row's key must fit LMDB's");

enum group_type {
	GROUP_TEXT,
	GROUP_INTEGER,
	GROUP_BUCKET,
	GROUP_OPTIONAL, /* a field of an answer's rows: an integer, a bucket or nothing; no value is of this type */
	GROUP_ABSENT, /* a value: nothing is there; of a text an empty one in the key, which is no value */
};

struct group_value {
	enum group_type type;
	struct slice text; /* GROUP_TEXT */
	int64_t integer; /* the others */
};

struct row_key {
	size_t size;
	uint8_t bytes[ROW_KEY_CAPACITY];
};

/* Appends one value. false, and the key as it was, for none, and for a text that is empty, has a NUL, or would not fit. */
bool row_key_append(struct row_key *key, const struct group_value *value);
/* true when this text is kept whole in the longs. */
static inline bool row_text_is_long(struct slice text)
{
	return text.size > ROW_TEXT_SHORT_MAX;
}
static inline struct slice row_key_slice(const struct row_key *key)
{
	return slice_of(key->bytes, key->size);
}
/* Appends the value of a field of this type, which may be absent of a text and of what is optional. Likewise. */
bool row_key_append_of(struct row_key *key, enum group_type type, const struct group_value *value);
/* Reads `count` values of these types back; texts point into key or longs. false when the bytes are no such key. */
bool row_key_decode(struct slice key, struct slice longs, const enum group_type *types,
	size_t count, struct group_value *ret_values);
/* Steps over the value at the front of a key, or takes an integer or bucket from there. false, and the key as it was: it
 * does not begin so. */
bool row_key_skip(struct slice *key, enum group_type type);
bool row_key_take_integer(struct slice *key, int64_t *ret_value);
/* The smallest key greater than every key that begins with this one; false when there is none. */
bool row_key_successor(struct row_key *key);
/* The smaller of two exclusive ends, of which an empty one is open: left in *end. */
void row_key_narrow_end(struct row_key *end, const struct row_key *other);
/* <0, 0, >0 as a sorts before, like or after b. */
int row_key_compare(struct slice a, struct slice b);
