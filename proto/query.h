/* query.h - the question: one msgpack or JSON map, decoded and checked as far as that is possible without knowing
 * the views. Slices and nodes are borrowed from the request. Pure. Answers are written with writer.h; their
 * shapes are in PROTOCOL.md, "Queries". */
#pragma once
#include "proto/event.h"

/* A view's group fields and its currency. */
enum { QUERY_GROUP_VALUES_MAX = VIEW_GROUP_FIELDS_MAX + 1 };

enum query_type {
	QUERY_GET,
	QUERY_TOP,
	QUERY_SCAN,
	QUERY_VIEWS,
	QUERY_STATUS,
	QUERY_EDGES,
	QUERY_LEDGER,
};

struct query {
	enum query_type type;
	enum encoding encoding;
	struct slice view;
	const struct node *key; /* get: array of group values; NULL when `keys` */
	const struct node *keys; /* get: array of arrays */
	const struct node
		*from; /* scan: arrays of group values, prefixes allowed; NULL when absent */
	const struct node *to;
	struct slice cursor; /* scan: `next` of the answer before */
	struct slice by; /* top */
	bool ascending; /* top */
	uint32_t limit;
	uint32_t timeout_ms;
	int64_t max_lag; /* records; -1: any */
	struct certificate after[QUERY_AFTER_MAX];
	uint32_t after_count;
};

/* 0, -ENOMEM, or REASON_BAD_REQUEST / REASON_UNKNOWN_QUERY / REASON_TOO_LARGE with the complaint. Unknown
 * keys of the request are refused by name: a typing error must not give another answer. A refusal leaves *ret_query
 * half-read; the answer's encoding is then encoding_of(request). `document` is good for QUERY_NODES_MAX nodes. */
int query_decode(struct document *document, struct slice request, struct query *ret_query,
	struct complaint *complaint);
const char *query_type_name(enum query_type type);

/* {"ok":false,"error":{"code":…,"message":…}} */
/* Refused as busy: it may come again after so long. */
void query_encode_busy(
	const char *words, uint64_t retry_after_ms, enum encoding encoding, struct buffer *buffer);
void query_encode_error(
	const struct complaint *complaint, enum encoding encoding, struct buffer *buffer);
