/* writer.h - writes one value as msgpack or JSON through the same calls, into a buffer. Errors stick in the
 * buffer. Map and array sizes are declared first (msgpack needs them) and asserted in debug builds.
 * Depth is at most WRITER_DEPTH_MAX. */
#pragma once
#include "proto/buffer.h"
#include "proto/document.h"
#include "proto/money.h"

enum { WRITER_DEPTH_MAX = 16 };

struct writer {
	enum encoding encoding;
	struct buffer *buffer; /* borrowed */
	uint32_t depth;
	struct {
		uint32_t left; /* values still to come in this container, keys counted too */
		bool is_map;
		bool is_key; /* the next value is a key */
		bool is_first;
	} stack[WRITER_DEPTH_MAX];
};

void writer_init(struct writer *writer, enum encoding encoding, struct buffer *buffer);
void write_map(struct writer *writer, uint32_t pairs); /* then key, value, … */
void write_array(struct writer *writer, uint32_t elements);
void write_nil(struct writer *writer);
void write_bool(struct writer *writer, bool value);
void write_integer(struct writer *writer, int64_t value);
void write_unsigned(struct writer *writer, uint64_t value);
void write_double(
	struct writer *writer, double value); /* JSON: shortest digits that read back the same */
void write_text(struct writer *writer, struct slice text);
void write_key(struct writer *writer, const char *key); /* also any literal text */
void write_bin(struct writer *writer, struct slice bytes); /* JSON: base64 text */
void write_money(struct writer *writer, money amount); /* decimal text in both encodings */
/* A decoded value again, in this writer's encoding: same-encoding values go through byte for byte; a JSON number
 * becomes an integer where it is one and fits, else a float64; ext becomes nil in JSON, integers past 2^53 text. */
void write_node(struct writer *writer, const struct node *node, enum encoding encoding);
/* Already encoded in this writer's encoding: one value. */
void write_raw(struct writer *writer, struct slice encoded);
