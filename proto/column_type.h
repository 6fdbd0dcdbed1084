/* column_type.h - what a column's JSON value means: by the schema that Kafka Connect's JsonConverter sends along, or, where
 * schemas are off, by a declaration. Pure. */
#pragma once
#include "proto/document.h"
#include "proto/pairs.h"

enum column_kind {
	COLUMN_UNKNOWN, /* no schema, nothing declared */
	COLUMN_PLAIN, /* text, integers, booleans, …: as JSON has them */
	COLUMN_TEXT, /* declared: money is written as decimal text */
	COLUMN_BYTES, /* base64 of bytes that are no number */
	COLUMN_FLOAT, /* 32 bits */
	COLUMN_DOUBLE,
	COLUMN_DECIMAL, /* base64 of the unscaled integer, big-endian, two's complement */
	COLUMN_VARIABLE_DECIMAL, /* {"scale": n, "value": base64} */
	COLUMN_DATE, /* days since 1970-01-01 */
	COLUMN_TIMESTAMP_MS, /* since 1970-01-01T00:00 by the local clock that the column means */
	COLUMN_TIMESTAMP_US,
	COLUMN_TIMESTAMP_NS,
	COLUMN_ZONED, /* text with offset */
	COLUMN_ISO_DATE, /* text; a local date, though it ends with Z */
	COLUMN_ISO_TIMESTAMP, /* text; local, though it ends with Z */
	COLUMN_TIME_OF_DAY,
};

struct column_type {
	enum column_kind kind;
	int32_t scale; /* COLUMN_DECIMAL */
};

/* `schema` is the column's own schema: {"type":"bytes","name":"org.apache.kafka.connect.data.Decimal", …}. */
struct column_type column_type_of_schema(const struct node *schema);
/* A declaration's words: "decimal(2)", "timestamp_us", …; false for others. */
bool column_type_from_words(struct slice words, struct column_type *ret_type);
/* "decimal(SCALE), variable_decimal, …": every word, for an error. */
extern const char column_type_words[];

/* Declared types: COLUMN:TYPE, … */
struct column_types {
	struct {
		struct slice column;
		struct column_type type;
	} items[PAIRS_MAX];
	size_t count;
};
/* Texts are borrowed. 0 or -EINVAL with the error set. */
int column_types_parse(struct column_types *types, const char *option, const char *text,
	struct pairs_error *error);
/* COLUMN_UNKNOWN for a column that is not declared; `types` may be NULL. */
struct column_type column_types_find(const struct column_types *types, struct slice column);
