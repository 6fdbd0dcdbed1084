/* msgpack.c - decodes msgpack with msgpack-c's own parser template (`msgpack/unpack_template.h`) and callbacks of ours,
 * which write nodes. Its object API would allocate by declared lengths; this allocates by what was read. */
#include <errno.h>
#include <msgpack/unpack.h>

#include "proto/document_build.h"
#include "proto/utf8.h"

/* The template calls back once for each value, in the order of the input, and names neither where a value begins nor,
 * for a container, where it ends. `at` follows the input by the size of each head; `left` counts what is to come. */
struct reader {
	struct document *document;
	struct complaint *complaint;
	const uint8_t *begin;
	const uint8_t *at; /* the head of the next value */
	const uint8_t *end;
	int error;
	uint32_t depth;
	uint32_t depth_max;
	uint32_t left[DOCUMENT_DEPTH_MAX]; /* elements or pairs still to come, by depth */
};

/* Bytes of the head, lengths and ext types included; a scalar is all head. */
static const uint8_t HEAD_SIZE[64] = {
	/* 0xc0 nil, -, false, true; bin 8-32 */ 1, 0, 1, 1, 2, 3, 5,
	/* 0xc7 ext 8-32; float, double */ 3, 4, 6, 5, 9,
	/* 0xcc uint 8-64, int 8-64 */ 2, 3, 5, 9, 2, 3, 5, 9,
	/* 0xd4 fixext 1-16 */ 2, 2, 2, 2, 2,
	/* 0xd9 str 8-32; array 16, 32; map 16, 32 */ 2, 3, 5, 3, 5, 3, 5,
	/* 0xe0 negative fixint */ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static uint32_t head_size(uint8_t head)
{
	return head < 0xc0 ? 1 : HEAD_SIZE[head - 0xc0];
}

static int fail(struct reader *reader, int error)
{
	reader->error = error;
	return -1;
}

static int fail_frame(struct reader *reader, const char *what)
{
	complaint_set(reader->complaint, REASON_BAD_FRAME, "", "msgpack: %s at byte %zu", what,
		(size_t)(reader->at - reader->begin));
	return fail(reader, REASON_BAD_FRAME);
}

/* A node for the value at `at`, which is `size` bytes long; NULL once `error` is set. */
static inline struct node *take(struct reader *reader, enum node_type type, size_t size)
{
	struct node *node =
		document_add(reader->document, type, reader->at, reader->complaint, &reader->error);

	if (node != NULL) {
		node->raw.size = size;
		reader->at += size;
	}
	return node;
}

/* What the template carries between callbacks: the index of a node. */
typedef uint32_t node_index;

static inline int done(const struct reader *reader, const struct node *node, node_index *ret_index)
{
	*ret_index = reader->document->count - 1;
	return node == NULL ? -1 : 0;
}

static inline int take_integer(
	struct reader *reader, int64_t value, size_t size, node_index *ret_index)
{
	struct node *node = take(reader, NODE_INTEGER, size);

	if (node != NULL) {
		node->integer = value;
	}
	return done(reader, node, ret_index);
}

static inline int take_real(
	struct reader *reader, enum node_type type, double value, node_index *ret_index)
{
	struct node *node = take(reader, type, type == NODE_FLOAT32 ? 5 : 9);

	if (node != NULL) {
		node->real = value;
	}
	return done(reader, node, ret_index);
}

static inline int take_bool(struct reader *reader, bool value, node_index *ret_index)
{
	struct node *node = take(reader, NODE_BOOL, 1);

	if (node != NULL) {
		node->boolean = value;
	}
	return done(reader, node, ret_index);
}

/* `bytes` is what the template found after the head; for size 0 it says nothing. */
static inline int take_bytes(
	struct reader *reader, enum node_type type, struct slice bytes, node_index *ret_index)
{
	if (bytes.size == 0) {
		bytes.bytes = reader->at + head_size(*reader->at);
	}
	struct node *node = take(reader, type, (size_t)(bytes.bytes - reader->at) + bytes.size);
	if (node != NULL) {
		node->text = bytes;
	}
	return done(reader, node, ret_index);
}

static int take_container(
	struct reader *reader, enum node_type type, size_t count, node_index *ret_index)
{
	size_t least = type == NODE_MAP ? 2 * count : count; /* a byte for each value */
	size_t head = head_size(*reader->at);

	if (reader->depth == reader->depth_max) {
		return fail(reader, complain_too_deep(reader->complaint, reader->depth_max));
	}
	if (least > (size_t)(reader->end - reader->at) - head) {
		return fail_frame(reader, "more elements declared than bytes are left");
	}
	struct node *node = take(reader, type, head);
	if (node != NULL) {
		node->count = (uint32_t)count;
	}
	if (node != NULL && count > 0) {
		reader->left[reader->depth++] = (uint32_t)count;
	}
	return done(reader, node, ret_index);
}

/* An element or a pair of `container` is complete. */
static inline int close_item(struct reader *reader, node_index container)
{
	if (--reader->left[reader->depth - 1] == 0) {
		struct node *node = &reader->document->nodes[container];
		reader->depth--;
		node->span = reader->document->count - container;
		node->raw.size = (size_t)(reader->at - node->raw.bytes);
	}
	return 0;
}

/* The callbacks, by the names that the template asks for. */

static node_index on_root(struct reader *reader)
{
	(void)reader;
	return 0;
}

static inline int on_uint8(struct reader *reader, uint8_t value, node_index *ret_index)
{
	return take_integer(reader, value, *reader->at == 0xcc ? 2 : 1, ret_index);
}

static inline int on_uint16(struct reader *reader, uint16_t value, node_index *ret_index)
{
	return take_integer(reader, value, 3, ret_index);
}

static inline int on_uint32(struct reader *reader, uint32_t value, node_index *ret_index)
{
	return take_integer(reader, value, 5, ret_index);
}

static int on_uint64(struct reader *reader, uint64_t value, node_index *ret_index)
{
	if (value <= INT64_MAX) {
		return take_integer(reader, (int64_t)value, 9, ret_index);
	}
	struct node *node = take(reader, NODE_UNSIGNED, 9);
	if (node != NULL) {
		node->unsigned_integer = value;
	}
	return done(reader, node, ret_index);
}

static inline int on_int8(struct reader *reader, int8_t value, node_index *ret_index)
{
	return take_integer(reader, value, *reader->at == 0xd0 ? 2 : 1, ret_index);
}

static inline int on_int16(struct reader *reader, int16_t value, node_index *ret_index)
{
	return take_integer(reader, value, 3, ret_index);
}

static inline int on_int32(struct reader *reader, int32_t value, node_index *ret_index)
{
	return take_integer(reader, value, 5, ret_index);
}

static inline int on_int64(struct reader *reader, int64_t value, node_index *ret_index)
{
	return take_integer(reader, value, 9, ret_index);
}

static inline int on_float(struct reader *reader, float value, node_index *ret_index)
{
	return take_real(reader, NODE_FLOAT32, (double)value, ret_index);
}

static inline int on_double(struct reader *reader, double value, node_index *ret_index)
{
	return take_real(reader, NODE_FLOAT64, value, ret_index);
}

static inline int on_nil(struct reader *reader, node_index *ret_index)
{
	return done(reader, take(reader, NODE_NIL, 1), ret_index);
}

static inline int on_true(struct reader *reader, node_index *ret_index)
{
	return take_bool(reader, true, ret_index);
}

static inline int on_false(struct reader *reader, node_index *ret_index)
{
	return take_bool(reader, false, ret_index);
}

static int on_array(struct reader *reader, size_t count, node_index *ret_index)
{
	return take_container(reader, NODE_ARRAY, count, ret_index);
}

static int on_map(struct reader *reader, size_t count, node_index *ret_index)
{
	return take_container(reader, NODE_MAP, count, ret_index);
}

static inline int on_array_item(struct reader *reader, node_index *array, node_index item)
{
	(void)item;
	return close_item(reader, *array);
}

static inline int on_map_item(
	struct reader *reader, node_index *map, node_index key, node_index value)
{
	enum node_type type = reader->document->nodes[key].type;

	(void)value;
	if (type != NODE_TEXT) {
		complaint_set(reader->complaint, REASON_BAD_VALUE, "", "a map key is %s, not text",
			node_type_name(type));
		return fail(reader, REASON_BAD_VALUE);
	}
	return close_item(reader, *map);
}

static inline int on_str(struct reader *reader, const char *data, const char *text, unsigned size,
	node_index *ret_index)
{
	size_t at = (size_t)(reader->at - reader->begin);

	(void)data;
	if (!utf8_is_valid(slice_of(text, size))) {
		return fail(reader, complain_not_text(reader->complaint, at));
	}
	return take_bytes(reader, NODE_TEXT, slice_of(text, size), ret_index);
}

static int on_bin(struct reader *reader, const char *data, const char *bin, unsigned size,
	node_index *ret_index)
{
	(void)data;
	return take_bytes(reader, NODE_BIN, slice_of(bin, size), ret_index);
}

/* `ext` is at the type byte, which `size` counts. */
static int on_ext(struct reader *reader, const char *data, const char *ext, unsigned size,
	node_index *ret_index)
{
	(void)data;
	if (size == 0) { /* 2^32-1 bytes and the type: the template's sum wraps round */
		return fail_frame(reader, "more bytes declared than are left");
	}
	return take_bytes(reader, NODE_EXT, slice_of(ext + 1, size - 1), ret_index);
}

#define msgpack_unpack_struct(name) struct parser##name
#define msgpack_unpack_func(type, name) __attribute__((unused)) static type parser##name
#define msgpack_unpack_callback(name) on##name
#define msgpack_unpack_object node_index
#define msgpack_unpack_user struct reader

#include <msgpack/unpack_define.h>
#include <msgpack/unpack_template.h>

_Static_assert(DOCUMENT_DEPTH_MAX <= MSGPACK_EMBED_STACK_SIZE, "the template's stack holds ours");

int msgpack_decode(struct document *document, struct slice bytes, uint32_t depth_max,
	struct complaint *complaint)
{
	struct parser_context parser;
	struct reader *reader = &parser.user;
	size_t used = 0;

	reader->document = document;
	reader->complaint = complaint;
	reader->begin = bytes.bytes;
	reader->at = bytes.bytes;
	reader->end = bytes.bytes + bytes.size;
	reader->error = 0;
	reader->depth = 0;
	reader->depth_max = depth_max;
	parser_init(&parser);
	int r = parser_execute(&parser, (const char *)bytes.bytes, bytes.size, &used);
	if (r == 1 && used == bytes.size) {
		return 0;
	}
	if (r == 1) {
		fail_frame(reader, "more bytes after the value");
	} else if (r == 0) {
		fail_frame(reader, "cut short");
	} else if (reader->error == 0) {
		fail_frame(reader, "no msgpack");
	}
	return reader->error;
}
