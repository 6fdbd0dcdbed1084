/* document.h - a decoded msgpack or JSON value: nodes in preorder in one bounded array.
 *
 * Bytes are borrowed: text, bin and raw slices point into the input, or, for JSON text with
 * escapes, into the document's own bounded text area. Both live until the next decode. Nothing is
 * allocated by a length that the input declares, and nothing recurses. Text is checked UTF-8
 * without NUL; duplicate keys of one map are refused; map keys must be text.
 * One thread at a time. */
#pragma once
#include "proto/reason.h"
#include "proto/slice.h"

enum node_type {
	NODE_NIL,
	NODE_BOOL,
	NODE_INTEGER, /* fits int64_t */
	NODE_UNSIGNED, /* past INT64_MAX; msgpack only */
	NODE_FLOAT32, /* msgpack only */
	NODE_FLOAT64, /* msgpack only */
	NODE_NUMBER, /* a JSON number, kept as its digits in `text` */
	NODE_TEXT,
	NODE_BIN,
	NODE_EXT, /* msgpack extension; carried, never read */
	NODE_ARRAY,
	NODE_MAP, /* key, value, key, value … as nodes */
};

struct node {
	enum node_type type;
	uint32_t count; /* elements of an array, pairs of a map */
	uint32_t span; /* nodes of this subtree, itself included: node + span is the next sibling */
	union {
		bool boolean;
		int64_t integer;
		uint64_t unsigned_integer;
		double real;
		struct slice text; /* NODE_TEXT, NODE_BIN, NODE_NUMBER */
	};
	struct slice
		raw; /* the value's encoding in the input; {NULL, 0}: text that was added to it */
};

enum encoding { ENCODING_MSGPACK, ENCODING_JSON };

struct document {
	enum encoding encoding;
	struct node *nodes; /* owned */
	uint32_t count;
	uint32_t capacity;
	uint32_t nodes_max;
	uint8_t *text; /* owned: unescaped JSON text */
	size_t text_size;
	size_t text_capacity;
};

/* nodes_max bounds what decode may use; memory grows towards it as the input really needs it. */
int document_init(struct document *document, uint32_t nodes_max);
void document_deinit(struct document *document);

/* JSON when the first byte is '{', '[' or ASCII white space, else msgpack. */
enum encoding encoding_of(struct slice bytes);

/* Decodes one value that must fill `bytes` wholly. Returns 0, or -ENOMEM, or a reason > 0 with its
 * complaint filled (REASON_BAD_FRAME, REASON_TOO_DEEP, REASON_TOO_LARGE, REASON_BAD_VALUE for a
 * duplicate key or text that is not UTF-8). depth_max counts containers; 32 is the most. */
int document_decode(struct document *document, enum encoding encoding, struct slice bytes,
	uint32_t depth_max, struct complaint *complaint);

/* The value of a key of a map; NULL when absent or `map` is no map. */
const struct node *node_find(const struct node *map, const char *key);
const struct node *node_find_slice(const struct node *map, struct slice key);
/* What a map has at a key, where another type or nothing at all means the same: {NULL, 0}, 0, false. `map` may be NULL. */
struct slice node_text_at(const struct node *map, const char *key);
int64_t node_integer_at(const struct node *map, const char *key);
bool node_flag_at(const struct node *map, const char *key);
static inline const struct node *node_next(const struct node *node)
{
	return node + node->span;
}
static inline const struct node *node_first(const struct node *container)
{
	return container + 1;
}
/* Integers in any spelling (10, 10.0, JSON 1e1, decimal integer text): false if it is none or does not fit. */
bool node_integer(const struct node *node, int64_t *ret_value);
/* Any number as the nearest double; false if it is none (text is none). */
bool node_real(const struct node *node, double *ret_value);
/* "an array", "a float32": for complaints. */
const char *node_type_name(enum node_type type);
