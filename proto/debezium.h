/* debezium.h - a change of a row, as Debezium writes it to Kafka in JSON: with schemas (JsonConverter's default) or without,
 * with or without Confluent's five bytes in front. Avro and Protobuf are refused.
 *
 * A row comes out as a JSON map under till's field names, its decimals and times exact, ready for event_normalise (whose zone
 * is that of columns without one). `before` is not read as a row: under PostgreSQL's default replica identity it is null, or
 * holds the key alone. What was counted of a row is for the store to know.
 * Rules: PROTOCOL.md, 5.5. Pure. One thread. */
#pragma once
#include "proto/buffer.h"
#include "proto/change_position.h"
#include "proto/column_type.h"

enum change_op {
	CHANGE_CREATE, /* c */
	CHANGE_UPDATE, /* u */
	CHANGE_READ, /* r: a snapshot found the row */
	CHANGE_DELETE, /* d */
	CHANGE_TRUNCATE, /* t: every row of the table is gone; no key */
	CHANGE_MESSAGE, /* m: words of an application, no row */
	CHANGE_TOMBSTONE, /* no value: follows a delete, so that compaction forgets the key; says nothing new */
};

struct change {
	enum change_op op;
	struct change_position position; /* not of a tombstone */
	int64_t ts_ms; /* when the database made it: source.ts_ms; 0 where it is not said */
	/* The primary key as one msgpack map, names in order of their bytes: the same row has the same bytes. Empty for
	 * CHANGE_TRUNCATE and CHANGE_MESSAGE. */
	struct slice key;
	struct slice row; /* JSON; of CHANGE_CREATE, _UPDATE and _READ */
};

struct debezium_rules {
	/* column, field. NULL or empty: every column under its own name. A column that a row lacks is absent, as null is:
	 * tables change. */
	const struct pair_list *fields;
	const struct column_types *types; /* of columns that come without a schema; NULL for none */
	/* left: columns; the primary key in the place of the record's own. NULL or empty: the record's key. */
	const struct pair_list *key;
	const char *kind; /* the event's kind; NULL for a row that is no event */
};

struct debezium;

/* The rules are borrowed. -ENOMEM. */
int debezium_new(const struct debezium_rules *rules, struct debezium **ret_debezium);
struct debezium *debezium_free(struct debezium *debezium);

/* A record's key and value; {NULL, 0} is null. 0, -ENOMEM, or a reason with the complaint, which names the setting where one
 * would help. The change borrows from the decoder until the next call. */
int debezium_decode(struct debezium *debezium, struct slice key, struct slice value,
	struct change *ret_change, struct complaint *complaint);
