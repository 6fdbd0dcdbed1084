/* query_parts.h - a request being read. For the query's own files. Each reader returns 0, or a reason with the complaint
 * filled. */
#pragma once
#include "proto/query.h"

/* The keys of a request. */
enum query_key {
	KEY_QUERY,
	KEY_VIEW,
	KEY_TABLE,
	KEY_JOIN,
	KEY_WITH_MISSING,
	KEY_KEY,
	KEY_KEYS,
	KEY_FROM,
	KEY_TO,
	KEY_CURSOR,
	KEY_BY,
	KEY_ORDER,
	KEY_LIMIT,
	KEY_TIMEOUT_MS,
	KEY_MAX_LAG,
	KEY_AFTER,
	KEY_WHERE,
	KEY_ORDER_BY,
	KEY_GROUP_BY,
	KEY_RANGE,
	KEY_COMPARE,
	KEY_EXPLAIN,
	KEY_USER,
	KEY_REVOKE,
	KEY_EDGE,
	KEY_RUN,
	KEY_KIND,
	KEY_SEQ,
	KEY_STAGED,
	KEY_CUMULATIVE,
	KEY_UNTIL_SHARE,
	KEY_BAND_EDGES,
	KEY_BAND_COUNT,
	KEY_PERIOD,
	KEY_TOPIC,
	KEY_PARTITION,
	KEY_OFFSET,
	KEY_CODE,
	KEY_PLACES,
	KEY_SET,
	KEY_COUNT,
};
extern const char *const query_key_names[KEY_COUNT];

struct request {
	const struct node *values[KEY_COUNT]; /* NULL: absent */
	struct query *query;
	struct complaint *complaint;
};

/* REASON_BAD_REQUEST: "key" and what is wrong with it. */
int query_refuse(const struct request *request, enum query_key key, const char *what);
/* A table's name, as the view's that it is: into `bytes`, of VIEW_NAME_SIZE_MAX + 1. The name is empty where the key is absent. */
int query_read_table(
	const struct request *request, enum query_key key, char *bytes, struct slice *ret_name);
/* Text or a number. */
bool query_node_is_value(const struct node *node);
/* where, order_by, group_by, range, compare, explain. */
int query_read_refinement(struct request *request);
/* cumulative and until_share of a top. */
int query_read_shares(struct request *request);
/* edges or count of bands. */
int query_read_bands(struct request *request);
/* An optional true or false. */
int query_read_flag(const struct request *request, enum query_key key, bool *flag);
/* topics, records, letters. */
int query_read_look(struct request *request);
/* places and set of a replay. */
int query_read_replay(struct request *request);
/* Optional text that is not empty. */
int query_read_text(const struct request *request, enum query_key key, struct slice *text);
/* An optional integer. */
int query_read_number(const struct request *request, enum query_key key, int64_t min, int64_t max,
	int64_t *number);
