#include "aggregator/view/row_key.h"
#include "proto/checksum.h"

enum { TEXT_END = 0x00, TEXT_HASHED = 0xff, INTEGER_SIZE = 8, IS_ABSENT = 0x00, IS_THERE = 0x01 };

static bool append_short(struct row_key *key, struct slice text)
{
	uint8_t *end = key->bytes + key->size;

	if (text.size == 0 || key->size + text.size + 1 > ROW_KEY_CAPACITY ||
		memccpy(end, text.bytes, TEXT_END, text.size) != NULL) {
		return false;
	}
	end[text.size] = TEXT_END;
	key->size += text.size + 1;
	return true;
}

static bool append_long(struct row_key *key, struct slice text)
{
	size_t size = ROW_TEXT_PREFIX_SIZE + 1 + ROW_TEXT_HASH_SIZE;
	uint8_t *end = key->bytes + key->size;

	if (key->size + size > ROW_KEY_CAPACITY || text.size > ROW_TEXT_LONG_MAX ||
		memchr(text.bytes, TEXT_END, text.size) != NULL) {
		return false;
	}
	memcpy(end, text.bytes, ROW_TEXT_PREFIX_SIZE);
	end[ROW_TEXT_PREFIX_SIZE] = TEXT_HASHED;
	checksum_hash128(text, end + ROW_TEXT_PREFIX_SIZE + 1);
	key->size += size;
	return true;
}

static bool append_integer(struct row_key *key, int64_t value)
{
	uint64_t bits = (uint64_t)value ^ UINT64_C(1) << 63;

	if (key->size + INTEGER_SIZE > ROW_KEY_CAPACITY) {
		return false;
	}
	for (int i = INTEGER_SIZE - 1; i >= 0; i--) {
		key->bytes[key->size++] = (uint8_t)(bits >> 8 * i);
	}
	return true;
}

bool row_key_append(struct row_key *key, const struct group_value *value)
{
	if (value->type == GROUP_ABSENT) {
		return false;
	}
	if (value->type != GROUP_TEXT) {
		return append_integer(key, value->integer);
	}
	return row_text_is_long(value->text) ? append_long(key, value->text)
					     : append_short(key, value->text);
}

static bool append_byte(struct row_key *key, uint8_t byte)
{
	if (key->size == ROW_KEY_CAPACITY) {
		return false;
	}
	key->bytes[key->size++] = byte;
	return true;
}

bool row_key_append_of(struct row_key *key, enum group_type type, const struct group_value *value)
{
	size_t size_before = key->size;

	if (value->type == GROUP_ABSENT) {
		return (type == GROUP_TEXT && append_byte(key, TEXT_END)) ||
		       (type == GROUP_OPTIONAL && append_byte(key, IS_ABSENT));
	}
	if ((type == GROUP_OPTIONAL && !append_byte(key, IS_THERE)) ||
		!row_key_append(key, value)) {
		key->size = size_before;
		return false;
	}
	return true;
}

static struct slice slice_rest(struct slice slice, size_t offset)
{
	return slice_of(slice.bytes + offset, slice.size - offset);
}

bool row_key_take_integer(struct slice *key, int64_t *ret_value)
{
	uint64_t bits = 0;

	if (key->size < INTEGER_SIZE) {
		return false;
	}
	for (size_t i = 0; i < INTEGER_SIZE; i++) {
		bits = bits << 8 | key->bytes[i];
	}
	*ret_value = (int64_t)(bits ^ UINT64_C(1) << 63);
	*key = slice_rest(*key, INTEGER_SIZE);
	return true;
}

bool row_key_skip(struct slice *key, enum group_type type)
{
	int64_t ignored;
	size_t size = 0;

	if (type != GROUP_TEXT) {
		return row_key_take_integer(key, &ignored);
	}
	while (size < key->size && key->bytes[size] != TEXT_END &&
		key->bytes[size] != TEXT_HASHED) {
		size++;
	}
	if (size < key->size) {
		size += key->bytes[size] == TEXT_HASHED ? 1 + ROW_TEXT_HASH_SIZE : 1;
	} else {
		size++;
	}
	if (size > key->size) {
		return false;
	}
	*key = slice_rest(*key, size);
	return true;
}

/* One whole text from the longs. */
static bool take_long(struct slice *longs, struct slice *ret_text)
{
	if (longs->size < 2) {
		return false;
	}
	size_t size = (size_t)(longs->bytes[0] | longs->bytes[1] << 8);
	if (longs->size - 2 < size) {
		return false;
	}
	*ret_text = slice_of(longs->bytes + 2, size);
	*longs = slice_rest(*longs, 2 + size);
	return true;
}

static bool take_text(struct slice *key, struct slice *longs, struct slice *ret_text)
{
	size_t size = 0;

	while (size < key->size && key->bytes[size] != TEXT_END &&
		key->bytes[size] != TEXT_HASHED) {
		size++;
	}
	if (size == key->size) {
		return false;
	}
	if (key->bytes[size] == TEXT_END) {
		*ret_text = slice_of(key->bytes, size);
		*key = slice_rest(*key, size + 1);
		return true;
	}
	if (key->size - size < 1 + ROW_TEXT_HASH_SIZE) {
		return false;
	}
	*key = slice_rest(*key, size + 1 + ROW_TEXT_HASH_SIZE);
	return take_long(longs, ret_text);
}

/* An integer behind the byte that says whether it is there. */
static bool take_optional(struct slice *key, struct group_value *value)
{
	if (key->size == 0 || key->bytes[0] > IS_THERE) {
		return false;
	}
	bool is_there = key->bytes[0] == IS_THERE;
	*key = slice_rest(*key, 1);
	value->type = is_there ? GROUP_INTEGER : GROUP_ABSENT;
	return !is_there || row_key_take_integer(key, &value->integer);
}

static bool take_value(struct slice *key, struct slice *longs, struct group_value *value)
{
	switch (value->type) {
	case GROUP_TEXT:
		if (!take_text(key, longs, &value->text)) {
			return false;
		}
		value->type = value->text.size > 0 ? GROUP_TEXT : GROUP_ABSENT;
		return true;
	case GROUP_OPTIONAL:
		return take_optional(key, value);
	default:
		return row_key_take_integer(key, &value->integer);
	}
}

bool row_key_decode(struct slice key, struct slice longs, const enum group_type *types,
	size_t count, struct group_value *ret_values)
{
	for (size_t i = 0; i < count; i++) {
		ret_values[i] = (struct group_value){.type = types[i]};
		if (!take_value(&key, &longs, &ret_values[i])) {
			return false;
		}
	}
	return key.size == 0 && longs.size == 0;
}

bool row_key_successor(struct row_key *key)
{
	while (key->size > 0) {
		if (++key->bytes[key->size - 1] != 0) {
			return true;
		}
		key->size--;
	}
	return false;
}

int row_key_compare(struct slice a, struct slice b)
{
	size_t size = a.size < b.size ? a.size : b.size;
	int order = size == 0 ? 0 : memcmp(a.bytes, b.bytes, size);

	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

void row_key_narrow_end(struct row_key *end, const struct row_key *other)
{
	if (end->size == 0 || (other->size > 0 && row_key_compare(row_key_slice(other),
							  row_key_slice(end)) < 0)) {
		*end = *other;
	}
}
