#include "proto/document.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "proto/decimal.h"
#include "proto/document_build.h"

enum { NODES_MIN = 64 }; /* an order of twenty fields without a second allocation */

int document_init(struct document *document, uint32_t nodes_max)
{
	uint32_t capacity = nodes_max < NODES_MIN ? nodes_max : NODES_MIN;
	struct node *nodes = malloc(capacity * sizeof *nodes);

	if (nodes == NULL) {
		return -ENOMEM;
	}
	*document = (struct document){.nodes = nodes, .capacity = capacity, .nodes_max = nodes_max};
	return 0;
}

void document_deinit(struct document *document)
{
	free(document->nodes);
	free(document->text);
	*document = (struct document){0};
}

int document_grow(struct document *document, struct complaint *complaint)
{
	if (document->capacity >= document->nodes_max) {
		complaint_set(complaint, REASON_TOO_LARGE, "", "more than %u values in one message",
			document->nodes_max);
		return REASON_TOO_LARGE;
	}
	uint32_t capacity = document->capacity > document->nodes_max / 2 ? document->nodes_max
									 : document->capacity * 2;
	struct node *nodes = realloc(document->nodes, capacity * sizeof *nodes);
	if (nodes == NULL) {
		return -ENOMEM;
	}
	document->nodes = nodes;
	document->capacity = capacity;
	return 0;
}

enum encoding encoding_of(struct slice bytes)
{
	if (bytes.size == 0) {
		return ENCODING_MSGPACK;
	}
	switch (bytes.bytes[0]) {
	case '{':
	case '[':
	case ' ':
	case '\t':
	case '\n':
	case '\r':
		return ENCODING_JSON;
	default:
		return ENCODING_MSGPACK;
	}
}

int complain_too_deep(struct complaint *complaint, uint32_t depth_max)
{
	complaint_set(complaint, REASON_TOO_DEEP, "",
		"more than %u arrays and maps within one another", depth_max);
	return REASON_TOO_DEEP;
}

int complain_not_text(struct complaint *complaint, size_t at)
{
	complaint_set(complaint, REASON_BAD_VALUE, "",
		"the text at byte %zu is not UTF-8 without NUL", at);
	return REASON_BAD_VALUE;
}

int document_decode(struct document *document, enum encoding encoding, struct slice bytes,
	uint32_t depth_max, struct complaint *complaint)
{
	document->encoding = encoding;
	document->count = 0;
	document->text_size = 0;
	depth_max = depth_max > DOCUMENT_DEPTH_MAX ? DOCUMENT_DEPTH_MAX : depth_max;

	if (bytes.size == 0) {
		complaint_set(complaint, REASON_BAD_FRAME, "", "there are no bytes");
		return REASON_BAD_FRAME;
	}
	int r = encoding == ENCODING_JSON ? json_decode(document, bytes, depth_max, complaint)
					  : msgpack_decode(document, bytes, depth_max, complaint);
	return r != 0 ? r : document_check_keys(document, complaint);
}

int document_add_pair(struct document *document, struct slice key, struct slice value,
	struct complaint *complaint)
{
	const struct slice texts[] = {key, value};

	assert(document->count > 0 && document->nodes->type == NODE_MAP);
	for (size_t i = 0; i < 2; i++) {
		int r = 0;
		struct node *node = document_add(document, NODE_TEXT, NULL, complaint, &r);
		if (node == NULL) {
			return r;
		}
		node->raw.size = 0;
		node->text = texts[i];
	}
	document->nodes->count++;
	document->nodes->span += 2;
	return 0;
}

const struct node *node_find(const struct node *map, const char *key)
{
	return node_find_slice(map, slice_of_text(key));
}

const struct node *node_find_slice(const struct node *map, struct slice wanted)
{
	if (map->type != NODE_MAP) {
		return NULL;
	}
	const struct node *at = node_first(map);
	for (uint32_t i = 0; i < map->count; i++) {
		const struct node *value = node_next(at);
		if (slice_equal(at->text, wanted)) {
			return value;
		}
		at = node_next(value);
	}
	return NULL;
}

static const struct node *find_typed(const struct node *map, const char *key, enum node_type type)
{
	const struct node *node = map == NULL ? NULL : node_find(map, key);

	return node != NULL && node->type == type ? node : NULL;
}

struct slice node_text_at(const struct node *map, const char *key)
{
	const struct node *node = find_typed(map, key, NODE_TEXT);

	return node == NULL ? slice_of(NULL, 0) : node->text;
}

int64_t node_integer_at(const struct node *map, const char *key)
{
	const struct node *node = map == NULL ? NULL : node_find(map, key);
	int64_t value = 0;

	return node != NULL && node_integer(node, &value) ? value : 0;
}

bool node_flag_at(const struct node *map, const char *key)
{
	const struct node *node = find_typed(map, key, NODE_BOOL);

	return node != NULL && node->boolean;
}

static bool apply_sign(uint64_t magnitude, bool is_negative, int64_t *ret_value)
{
	if (magnitude > (uint64_t)INT64_MAX + (is_negative ? 1 : 0)) {
		return false;
	}
	*ret_value = is_negative ? (int64_t)-magnitude : (int64_t)magnitude;
	return true;
}

static bool integer_from_real(double real, int64_t *ret_value)
{
	/* 2^63 itself is a double and does not fit; NaN fails both comparisons */
	if (!(real >= -0x1p63 && real < 0x1p63) || real != trunc(real)) {
		return false;
	}
	*ret_value = (int64_t)real;
	return true;
}

static bool integer_from_number(struct slice digits, int64_t *ret_value)
{
	struct decimal decimal;
	uint64_t magnitude = 0;

	return decimal_parse(digits, &decimal) && decimal_scale(&decimal, 0, &magnitude) &&
	       apply_sign(magnitude, decimal.is_negative, ret_value);
}

/* [+-]?[0-9]+ */
static bool integer_from_text(struct slice text, int64_t *ret_value)
{
	bool is_negative = text.size > 0 && text.bytes[0] == '-';
	size_t at = is_negative || (text.size > 0 && text.bytes[0] == '+') ? 1 : 0;
	uint64_t magnitude = 0;

	if (at == text.size) {
		return false;
	}
	for (; at < text.size; at++) {
		unsigned digit = text.bytes[at] - (unsigned)'0';
		if (digit > 9 || __builtin_mul_overflow(magnitude, 10, &magnitude) ||
			__builtin_add_overflow(magnitude, digit, &magnitude)) {
			return false;
		}
	}
	return apply_sign(magnitude, is_negative, ret_value);
}

bool node_integer(const struct node *node, int64_t *ret_value)
{
	switch (node->type) {
	case NODE_INTEGER:
		*ret_value = node->integer;
		return true;
	case NODE_FLOAT32:
	case NODE_FLOAT64:
		return integer_from_real(node->real, ret_value);
	case NODE_NUMBER:
		return integer_from_number(node->text, ret_value);
	case NODE_TEXT:
		return integer_from_text(node->text, ret_value);
	default:
		return false;
	}
}

bool node_real(const struct node *node, double *ret_value)
{
	char digits[JSON_NUMBER_SIZE_MAX + 1];

	switch (node->type) {
	case NODE_INTEGER:
		*ret_value = (double)node->integer;
		return true;
	case NODE_UNSIGNED:
		*ret_value = (double)node->unsigned_integer;
		return true;
	case NODE_FLOAT32:
	case NODE_FLOAT64:
		*ret_value = node->real;
		return true;
	case NODE_NUMBER:
		memcpy(digits, node->text.bytes, node->text.size);
		digits[node->text.size] = '\0';
		*ret_value = strtod(digits, NULL);
		return true;
	default:
		return false;
	}
}

const char *node_type_name(enum node_type type)
{
	static const char *const names[] = {
		[NODE_NIL] = "nil",
		[NODE_BOOL] = "a boolean",
		[NODE_INTEGER] = "an integer",
		[NODE_UNSIGNED] = "an integer past 2^63",
		[NODE_FLOAT32] = "a float32",
		[NODE_FLOAT64] = "a float64",
		[NODE_NUMBER] = "a number",
		[NODE_TEXT] = "text",
		[NODE_BIN] = "bytes",
		[NODE_EXT] = "an extension",
		[NODE_ARRAY] = "an array",
		[NODE_MAP] = "a map",
	};
	return names[type];
}
