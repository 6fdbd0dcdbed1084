#include "tests/lib/msgpack_oracle.h"

#include <msgpack/unpack.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/framing.h"
#include "proto/utf8.h"

static void require(bool condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "decoder and msgpack-c differ: %s\n", what);
		abort();
	}
}

static bool has_fault(const msgpack_object *object, uint32_t depth_left);

static bool is_bad_text(const msgpack_object *object)
{
	return object->type == MSGPACK_OBJECT_STR &&
	       !utf8_is_valid(slice_of(object->via.str.ptr, object->via.str.size));
}

static struct slice key_of(const msgpack_object_map *map, uint32_t index)
{
	return slice_of(map->ptr[index].key.via.str.ptr, map->ptr[index].key.via.str.size);
}

static bool map_has_fault(const msgpack_object_map *map, uint32_t depth_left)
{
	for (uint32_t i = 0; i < map->size; i++) {
		if (map->ptr[i].key.type != MSGPACK_OBJECT_STR || is_bad_text(&map->ptr[i].key) ||
			has_fault(&map->ptr[i].val, depth_left)) {
			return true;
		}
		for (uint32_t j = 0; j < i; j++) {
			if (slice_equal(key_of(map, i), key_of(map, j))) {
				return true;
			}
		}
	}
	return false;
}

/* What msgpack allows and we refuse. */
static bool has_fault(const msgpack_object *object, uint32_t depth_left)
{
	bool is_container =
		object->type == MSGPACK_OBJECT_ARRAY || object->type == MSGPACK_OBJECT_MAP;

	if (is_container && depth_left == 0) {
		return true;
	}
	if (object->type == MSGPACK_OBJECT_MAP) {
		return map_has_fault(&object->via.map, depth_left - 1);
	}
	if (object->type == MSGPACK_OBJECT_ARRAY) {
		for (uint32_t i = 0; i < object->via.array.size; i++) {
			if (has_fault(&object->via.array.ptr[i], depth_left - 1)) {
				return true;
			}
		}
	}
	return is_bad_text(object);
}

static const struct node *compare(const struct node *node, const msgpack_object *object);

static void compare_bytes(
	const struct node *node, enum node_type type, const char *bytes, uint32_t size)
{
	require(node->type == type, "bytes' type");
	require(slice_equal(node->text, slice_of(bytes, size)), "bytes");
}

static void compare_array(const struct node *node, const msgpack_object_array *array)
{
	const struct node *at = node_first(node);

	require(node->type == NODE_ARRAY && node->count == array->size, "an array");
	for (uint32_t i = 0; i < array->size; i++) {
		at = compare(at, &array->ptr[i]);
	}
	require(at == node_next(node), "an array's span");
}

static void compare_map(const struct node *node, const msgpack_object_map *map)
{
	const struct node *at = node_first(node);

	require(node->type == NODE_MAP && node->count == map->size, "a map");
	for (uint32_t i = 0; i < map->size; i++) {
		at = compare(at, &map->ptr[i].key);
		at = compare(at, &map->ptr[i].val);
	}
	require(at == node_next(node), "a map's span");
}

static void compare_unsigned(const struct node *node, uint64_t value)
{
	if (value > INT64_MAX) {
		require(node->type == NODE_UNSIGNED && node->unsigned_integer == value, "u64");
	} else {
		require(node->type == NODE_INTEGER && node->integer == (int64_t)value, "integer");
	}
}

static void compare_real(const struct node *node, enum node_type type, double value)
{
	require(node->type == type, "a float's width");
	require(memcmp(&node->real, &value, sizeof value) == 0 || value != value, "a float");
}

/* Returns the node after this one. */
static const struct node *compare(const struct node *node, const msgpack_object *object)
{
	require(framing_extent(node->raw) == node->raw.size && node->raw.size > 0, "raw");
	switch (object->type) {
	case MSGPACK_OBJECT_NIL:
		require(node->type == NODE_NIL, "nil");
		break;
	case MSGPACK_OBJECT_BOOLEAN:
		require(node->type == NODE_BOOL && node->boolean == object->via.boolean, "bool");
		break;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		compare_unsigned(node, object->via.u64);
		break;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		require(node->type == NODE_INTEGER && node->integer == object->via.i64, "negative");
		break;
	case MSGPACK_OBJECT_FLOAT32:
		compare_real(node, NODE_FLOAT32, object->via.f64);
		break;
	case MSGPACK_OBJECT_FLOAT64:
		compare_real(node, NODE_FLOAT64, object->via.f64);
		break;
	case MSGPACK_OBJECT_STR:
		compare_bytes(node, NODE_TEXT, object->via.str.ptr, object->via.str.size);
		break;
	case MSGPACK_OBJECT_BIN:
		compare_bytes(node, NODE_BIN, object->via.bin.ptr, object->via.bin.size);
		break;
	case MSGPACK_OBJECT_EXT:
		compare_bytes(node, NODE_EXT, object->via.ext.ptr, object->via.ext.size);
		break;
	case MSGPACK_OBJECT_ARRAY:
		compare_array(node, &object->via.array);
		break;
	case MSGPACK_OBJECT_MAP:
		compare_map(node, &object->via.map);
		break;
	}
	return node_next(node);
}

void msgpack_oracle_check(
	const struct document *document, struct slice bytes, uint32_t depth_max, int result)
{
	msgpack_unpacked unpacked;
	size_t used = 0;

	/* the object API reserves gigabytes for a few hostile bytes, so it only sees what lengths allow */
	if (framing_extent(bytes) != bytes.size || bytes.size == 0) {
		require(result != 0, "broken bytes were taken");
		return;
	}
	msgpack_unpacked_init(&unpacked);
	msgpack_unpack_return r =
		msgpack_unpack_next(&unpacked, (const char *)bytes.bytes, bytes.size, &used);
	if (r == MSGPACK_UNPACK_SUCCESS) {
		require(used == bytes.size, "extent");
		bool is_refused =
			result == REASON_TOO_LARGE || has_fault(&unpacked.data, depth_max);
		require((result != 0) == is_refused, is_refused ? "taken" : "refused");
		if (result == 0) {
			require(compare(document->nodes, &unpacked.data) ==
					document->nodes + document->count,
				"the end");
		}
	} else {
		/* whole, and yet refused by msgpack-c: nested deeper than its own stack of 32 */
		require(result == REASON_TOO_DEEP || result == REASON_BAD_VALUE, "depth");
	}
	msgpack_unpacked_destroy(&unpacked);
}
