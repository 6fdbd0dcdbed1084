/* document_keys.c - duplicate keys. A map of a few keys is looked through with a filter of 64 bits in front; a
 * large one is sorted in place of being hashed, for no choice of keys makes heapsort quadratic. */
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

static int compare(struct slice a, struct slice b)
{
	if (a.size != b.size) {
		return a.size < b.size ? -1 : 1;
	}
	return a.size == 0 ? 0 : memcmp(a.bytes, b.bytes, a.size);
}

static void sift_down(struct slice *keys, uint32_t root, uint32_t count)
{
	for (uint32_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
		if (child + 1 < count && compare(keys[child], keys[child + 1]) < 0) {
			child++;
		}
		if (compare(keys[root], keys[child]) >= 0) {
			return;
		}
		struct slice key = keys[root];
		keys[root] = keys[child];
		keys[child] = key;
		root = child;
	}
}

static void sort_keys(struct slice *keys, uint32_t count)
{
	for (uint32_t root = count / 2; root > 0; root--) {
		sift_down(keys, root - 1, count);
	}
	for (uint32_t end = count - 1; end > 0; end--) {
		struct slice last = keys[end];
		keys[end] = keys[0];
		keys[0] = last;
		sift_down(keys, 0, end);
	}
}

static int check_many(const struct node *map, struct complaint *complaint)
{
	struct slice *keys = malloc(map->count * sizeof *keys);
	const struct node *key = node_first(map);
	int r = 0;

	if (keys == NULL) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < map->count; i++, key = next_key(key)) {
		keys[i] = key->text;
	}
	sort_keys(keys, map->count);
	for (uint32_t i = 1; i < map->count && r == 0; i++) {
		if (slice_equal(keys[i - 1], keys[i])) {
			r = complain_duplicate(complaint, keys[i]);
		}
	}
	free(keys);
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
