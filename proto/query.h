/* query.h - the question: one msgpack or JSON map, decoded and checked as far as that is possible without knowing
 * the views. Slices and nodes are borrowed from the request. Pure. Answers are written with writer.h; their
 * shapes are in PROTOCOL.md, "Queries". */
#pragma once
#include "proto/event.h"
#include "proto/query_look.h"
#include "proto/query_replay.h"
#include "proto/span.h"

/* In front of a table's name, where it stands for a view's: in rights and live topics, too. */
#define QUERY_TABLE_PREFIX "table."

/* A view's group fields and its currency. */
enum { QUERY_GROUP_VALUES_MAX = VIEW_GROUP_FIELDS_MAX + 1 };

enum query_type {
	QUERY_GET,
	QUERY_TOP,
	QUERY_SCAN,
	QUERY_BANDS,
	QUERY_VIEWS,
	QUERY_TABLES,
	QUERY_STATUS,
	QUERY_VITALS,
	QUERY_BRIDGES,
	QUERY_EDGES,
	QUERY_LEDGER,
	QUERY_TRACE,
	QUERY_STAGED,
	QUERY_TOPICS,
	QUERY_QUARANTINE,
	QUERY_RECORDS,
	QUERY_LETTERS,
	QUERY_FORGET,
	QUERY_FORGOTTEN,
	QUERY_ACCEPT_STAGED,
	QUERY_DROP_STAGED,
	QUERY_REPLAY,
	QUERY_TYPE_COUNT,
};

/* `where`: a column and what it must be. */
enum query_op {
	QUERY_EQUAL,
	QUERY_UNEQUAL,
	QUERY_LESS,
	QUERY_AT_MOST,
	QUERY_GREATER,
	QUERY_AT_LEAST,
	QUERY_IN,
	QUERY_PREFIX,
};

struct query_condition {
	struct slice field;
	enum query_op op;
	const struct node *value; /* text or a number; of `in` an array of those, not empty */
};

struct query_order {
	struct slice by;
	bool ascending;
};

/* [from, to), each empty where it is open; or the `last` so many units, where has_last. */
struct query_period {
	bool is_given;
	bool has_last;
	struct slice from;
	struct slice to;
	struct span last;
};

/* With what the rows are compared: what was a span before, or an earlier period. */
struct query_comparison {
	bool has_shift;
	struct span shift;
	struct query_period earlier;
};

struct query {
	enum query_type type;
	enum encoding encoding;
	struct slice view; /* of a table "table.NAME", which then lies in `view_name` */
	char view_name[VIEW_NAME_SIZE_MAX + 1];
	const struct node *key; /* get: array of group values; NULL when `keys` */
	const struct node *keys; /* get: array of arrays */
	const struct node
		*from; /* scan: arrays of group values, prefixes allowed; NULL when absent */
	const struct node *to;
	struct slice cursor; /* scan, quarantine, forgotten: `next` of the answer before */
	struct slice user; /* forget */
	bool revoke; /* forget: let him count again */
	bool is_by_minute; /* vitals: samples of a minute, else of 5 seconds */
	/* trace: this event. edges, ledger: only streams with this edge (size 0: any), run (0: any) and kind. */
	struct certificate about;
	bool has_kind;
	struct slice by; /* top, bands */
	bool ascending; /* top */
	bool is_cumulative; /* top: with shares of the whole */
	int64_t until_share; /* top: in millionths; 0: to the limit */
	uint32_t limit;
	uint32_t band_count; /* bands: so many of equal width; 0: between the edges */
	uint32_t edge_count;
	money edges[QUERY_EDGES_MAX]; /* of amounts, in millionths; ascending */
	bool is_staged; /* of the views that are staged, not of those that are live */
	/* get, top, scan, bands */
	/* A table whose columns the rows of a view get, named as `view` is; empty: none. */
	struct slice join;
	char join_name[VIEW_NAME_SIZE_MAX + 1];
	bool with_missing; /* a row of zeros for each of its rows that the view has none of */
	const struct node *group_by; /* array of texts; NULL: rows as the view has them */
	struct query_period range;
	struct query_comparison compare;
	bool explain;
	uint32_t where_count;
	struct query_condition where[QUERY_CONDITIONS_MAX];
	uint32_t order_count; /* scan */
	struct query_order order_by[QUERY_ORDERS_MAX];
	/* Of the bytes of join, with_missing, where, group_by, range and compare, in that order; 0 without any: a cursor is for the same only. */
	uint32_t shape;
	uint32_t timeout_ms;
	int64_t max_lag; /* records; -1: any */
	struct certificate after[QUERY_AFTER_MAX];
	uint32_t after_count;
	struct query_look look; /* topics, records, letters */
	struct query_replay replay;
};

/* 0, -ENOMEM, or REASON_BAD_REQUEST / REASON_UNKNOWN_QUERY / REASON_TOO_LARGE with the complaint. Unknown
 * keys of the request are refused by name: a typing error must not give another answer. A refusal leaves *ret_query
 * half-read; the answer's encoding is then encoding_of(request). `document` is good for QUERY_NODES_MAX nodes. */
int query_decode(struct document *document, struct slice request, struct query *ret_query,
	struct complaint *complaint);
const char *query_type_name(enum query_type type);
const char *query_op_name(enum query_op op); /* "=", "in" */
/* Does it ask for more than rows as they are? */
static inline bool query_is_refined(const struct query *query)
{
	return query->join.size > 0 || query->where_count > 0 || query->order_count > 0 ||
	       query->group_by != NULL || query->range.is_given || query->compare.has_shift ||
	       query->compare.earlier.is_given || query->explain || query->is_cumulative ||
	       query->type == QUERY_BANDS;
}
/* Is it answered by rows of a view or a table? */
static inline bool query_has_rows(enum query_type type)
{
	return type <= QUERY_BANDS;
}
/* Is it answered by what Kafka says, once that is heard? */
static inline bool query_looks_up(enum query_type type)
{
	return type == QUERY_TOPICS || type == QUERY_RECORDS || type == QUERY_LETTERS;
}
/* Is it for administrators alone? */
bool query_needs_admin(enum query_type type);

/* {"ok":false,"error":{"code":…,"message":…}} */
/* Refused as busy: it may come again after so long. */
void query_encode_busy(
	const char *words, uint64_t retry_after_ms, enum encoding encoding, struct buffer *buffer);
void query_encode_error(
	const struct complaint *complaint, enum encoding encoding, struct buffer *buffer);
