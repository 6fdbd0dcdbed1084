/* document_keys.c - duplicate keys. A map of a few keys is looked through with a filter of 64 bits in front; a
 * large one is sorted rather than hashed, for no choice of keys makes a merge sort quadratic. */
#include <errno.h>
#include <stdlib.h>

#include "proto/document_build.h"

enum { FEW_KEYS = 32 };

static int complain_duplicate(struct complaint *complaint, struct slice key)
{
	char text[64];
	size_t size = key.size < sizeof text ? key.size : sizeof text - 1;

	memcpy(text, key.bytes, size);
	text[size] = '\0';
	complaint_set(complaint, REASON_BAD_VALUE, text, "the key \"%.*s\" is there twice",
		(int)key.size, (const char *)key.bytes);
	return REASON_BAD_VALUE;
}

static const struct node *next_key(const struct node *key)
{
	return node_next(node_next(key));
}

/* Two of 64 bits: a key whose bits are not both seen is surely new. */
static uint64_t filter_bits(struct slice key)
{
	if (key.size == 0) {
		return 1;
	}
	uint32_t hash = key.bytes[0] | (uint32_t)key.bytes[key.size / 2] << 8 |
			(uint32_t)key.bytes[key.size - 1] << 16 | (uint32_t)key.size << 24;
	hash *= 0x9e3779b1; /* 2^32 over the golden ratio: the upper bits depend on all below */
	return UINT64_C(1) << (hash >> 26) | UINT64_C(1) << (hash >> 20 & 63);
}

static bool is_among_first(const struct node *map, uint32_t count, struct slice key)
{
	const struct node *at = node_first(map);

	for (uint32_t i = 0; i < count; i++, at = next_key(at)) {
		if (slice_equal(at->text, key)) {
			return true;
		}
	}
	return false;
}

static int check_few(const struct node *map, struct complaint *complaint)
{
	const struct node *key = node_first(map);
	uint64_t seen = 0;

	for (uint32_t i = 0; i < map->count; i++, key = next_key(key)) {
		uint64_t bits = filter_bits(key->text);
		if ((seen & bits) == bits && is_among_first(map, i, key->text)) {
			return complain_duplicate(complaint, key->text);
		}
		seen |= bits;
	}
	return 0;
}

/* A key with what decides nearly every comparison beside it: its first seven bytes and its size. */
struct entry {
	uint64_t prefix;
	struct slice key;
};

static struct entry entry_of(struct slice key)
{
	struct entry entry = {.prefix = key.size < UINT8_MAX ? key.size : UINT8_MAX, .key = key};
	size_t size = key.size < 7 ? key.size : 7;

	for (size_t i = 0; i < size; i++) {
		entry.prefix |= (uint64_t)key.bytes[i] << (8 * (i + 1));
	}
	return entry;
}

/* Any order will do that brings equal keys together. */
static bool precedes(const struct entry *a, const struct entry *b)
{
	if (a->prefix != b->prefix) {
		return a->prefix < b->prefix;
	}
	if (a->key.size != b->key.size) {
		return a->key.size < b->key.size;
	}
	return a->key.size > 7 && memcmp(a->key.bytes, b->key.bytes, a->key.size) < 0;
}

static void merge(const struct entry *a, size_t a_count, const struct entry *b, size_t b_count,
	struct entry *out)
{
	const struct entry *a_end = a + a_count;
	const struct entry *b_end = b + b_count;

	while (a < a_end && b < b_end) {
		bool is_b = precedes(b, a);
		*out++ = is_b ? *b : *a;
		b += is_b ? 1 : 0;
		a += is_b ? 0 : 1;
	}
	memcpy(out, a, (size_t)(a_end - a) * sizeof *out);
	out += a_end - a;
	memcpy(out, b, (size_t)(b_end - b) * sizeof *out);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Merges runs of one, two, four … entries to and fro between two arrays; returns the one that is sorted in the end. */
static struct entry *sort(struct entry *entries, struct entry *other, size_t count)
{
	for (size_t width = 1; width < count; width *= 2) {
		for (size_t left = 0; left < count; left += 2 * width) {
			size_t middle = least(left + width, count);
			size_t end = least(middle + width, count);
			merge(entries + left, middle - left, entries + middle, end - middle,
				other + left);
		}
		struct entry *sorted = other;
		other = entries;
		entries = sorted;
	}
	return entries;
}

static int check_many(const struct node *map, struct complaint *complaint)
{
	struct entry *entries = malloc(2 * (size_t)map->count * sizeof *entries);
	const struct node *key = node_first(map);
	int r = 0;

	if (entries == NULL) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < map->count; i++, key = next_key(key)) {
		entries[i] = entry_of(key->text);
	}
	const struct entry *sorted = sort(entries, entries + map->count, map->count);
	for (uint32_t i = 1; i < map->count && r == 0; i++) {
		if (!precedes(&sorted[i - 1], &sorted[i])) {
			r = complain_duplicate(complaint, sorted[i].key);
		}
	}
	free(entries);
	return r;
}

int document_check_keys(const struct document *document, struct complaint *complaint)
{
	for (uint32_t i = 0; i < document->count; i++) {
		const struct node *map = &document->nodes[i];
		if (map->type != NODE_MAP) {
			continue;
		}
		int r = map->count <= FEW_KEYS ? check_few(map, complaint)
					       : check_many(map, complaint);
		if (r != 0) {
			return r;
		}
	}
	return 0;
}
