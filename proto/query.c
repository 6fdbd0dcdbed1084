#include "proto/query_parts.h"
#include "proto/utf8.h"
#include <stdio.h>

const char *const query_key_names[KEY_COUNT] = {
	[KEY_QUERY] = "query",
	[KEY_VIEW] = "view",
	[KEY_TABLE] = "table",
	[KEY_JOIN] = "join",
	[KEY_WITH_MISSING] = "with_missing",
	[KEY_KEY] = "key",
	[KEY_KEYS] = "keys",
	[KEY_FROM] = "from",
	[KEY_TO] = "to",
	[KEY_CURSOR] = "cursor",
	[KEY_BY] = "by",
	[KEY_ORDER] = "order",
	[KEY_LIMIT] = "limit",
	[KEY_TIMEOUT_MS] = "timeout_ms",
	[KEY_MAX_LAG] = "max_lag",
	[KEY_AFTER] = "after",
	[KEY_WHERE] = "where",
	[KEY_ORDER_BY] = "order_by",
	[KEY_GROUP_BY] = "group_by",
	[KEY_RANGE] = "range",
	[KEY_COMPARE] = "compare",
	[KEY_EXPLAIN] = "explain",
	[KEY_USER] = "user",
	[KEY_REVOKE] = "revoke",
	[KEY_EDGE] = "edge",
	[KEY_RUN] = "run",
	[KEY_KIND] = "kind",
	[KEY_SEQ] = "seq",
	[KEY_STAGED] = "staged",
	[KEY_CUMULATIVE] = "cumulative",
	[KEY_UNTIL_SHARE] = "until_share",
	[KEY_BAND_EDGES] = "edges",
	[KEY_BAND_COUNT] = "count",
	[KEY_PERIOD] = "period",
	[KEY_TOPIC] = "topic",
	[KEY_PARTITION] = "partition",
	[KEY_OFFSET] = "offset",
	[KEY_CODE] = "code",
	[KEY_PLACES] = "places",
	[KEY_SET] = "set",
};

#define BIT(key) (UINT64_C(1) << (key))
#define KEYS_OF_ALL (BIT(KEY_QUERY) | BIT(KEY_TIMEOUT_MS) | BIT(KEY_MAX_LAG) | BIT(KEY_AFTER))
#define KEYS_OF_STREAMS (KEYS_OF_ALL | BIT(KEY_EDGE) | BIT(KEY_RUN) | BIT(KEY_KIND))
#define KEYS_OF_ROWS                                                                               \
	(KEYS_OF_ALL | BIT(KEY_VIEW) | BIT(KEY_TABLE) | BIT(KEY_JOIN) | BIT(KEY_WITH_MISSING) |    \
		BIT(KEY_WHERE) | BIT(KEY_GROUP_BY) | BIT(KEY_RANGE) | BIT(KEY_EXPLAIN) |           \
		BIT(KEY_STAGED))

static const struct {
	const char *name;
	uint64_t keys;
} types[] = {
	[QUERY_GET] = {"get", KEYS_OF_ROWS | BIT(KEY_COMPARE) | BIT(KEY_KEY) | BIT(KEY_KEYS)},
	[QUERY_TOP] = {"top", KEYS_OF_ROWS | BIT(KEY_COMPARE) | BIT(KEY_BY) | BIT(KEY_ORDER) |
				      BIT(KEY_LIMIT) | BIT(KEY_CUMULATIVE) | BIT(KEY_UNTIL_SHARE)},
	[QUERY_SCAN] = {"scan", KEYS_OF_ROWS | BIT(KEY_COMPARE) | BIT(KEY_ORDER_BY) |
					BIT(KEY_FROM) | BIT(KEY_TO) | BIT(KEY_CURSOR) |
					BIT(KEY_LIMIT)},
	[QUERY_BANDS] = {"bands",
		KEYS_OF_ROWS | BIT(KEY_BY) | BIT(KEY_BAND_EDGES) | BIT(KEY_BAND_COUNT)},
	[QUERY_VIEWS] = {"views", KEYS_OF_ALL},
	[QUERY_TABLES] = {"tables", KEYS_OF_ALL},
	[QUERY_STATUS] = {"status", KEYS_OF_ALL},
	[QUERY_VITALS] = {"vitals", KEYS_OF_ALL | BIT(KEY_PERIOD) | BIT(KEY_LIMIT)},
	[QUERY_BRIDGES] = {"bridges", KEYS_OF_ALL},
	[QUERY_EDGES] = {"edges", KEYS_OF_STREAMS},
	[QUERY_LEDGER] = {"ledger", KEYS_OF_STREAMS},
	[QUERY_TRACE] = {"trace", KEYS_OF_STREAMS | BIT(KEY_SEQ)},
	[QUERY_STAGED] = {"staged", KEYS_OF_ALL | BIT(KEY_VIEW) | BIT(KEY_CURSOR) | BIT(KEY_LIMIT)},
	[QUERY_TOPICS] = {"topics", KEYS_OF_ALL},
	[QUERY_QUARANTINE] = {"quarantine", KEYS_OF_ALL | BIT(KEY_CURSOR) | BIT(KEY_LIMIT)},
	[QUERY_RECORDS] = {"records", KEYS_OF_ALL | BIT(KEY_TOPIC) | BIT(KEY_PARTITION) |
					      BIT(KEY_OFFSET) | BIT(KEY_FROM) | BIT(KEY_LIMIT)},
	[QUERY_LETTERS] = {"letters", KEYS_OF_ALL | BIT(KEY_CODE) | BIT(KEY_EDGE) | BIT(KEY_LIMIT)},
	[QUERY_FORGET] = {"forget", BIT(KEY_QUERY) | BIT(KEY_USER) | BIT(KEY_REVOKE)},
	[QUERY_FORGOTTEN] = {"forgotten", KEYS_OF_ALL | BIT(KEY_CURSOR) | BIT(KEY_LIMIT)},
	[QUERY_ACCEPT_STAGED] = {"accept_staged", BIT(KEY_QUERY)},
	[QUERY_DROP_STAGED] = {"drop_staged", BIT(KEY_QUERY)},
	[QUERY_REPLAY] = {"replay", BIT(KEY_QUERY) | BIT(KEY_PLACES) | BIT(KEY_SET)},
};
_Static_assert(sizeof types / sizeof *types == QUERY_TYPE_COUNT, "every query has its row");

const char *query_type_name(enum query_type type)
{
	return types[type].name;
}

bool query_needs_admin(enum query_type type)
{
	return type >= QUERY_QUARANTINE;
}

int query_refuse(const struct request *request, enum query_key key, const char *what)
{
	complaint_set(request->complaint, REASON_BAD_REQUEST, query_key_names[key], "\"%s\" %s",
		query_key_names[key], what);
	return REASON_BAD_REQUEST;
}

static int refuse_large(const struct request *request, enum query_key key, int64_t max)
{
	complaint_set(request->complaint, REASON_TOO_LARGE, query_key_names[key],
		"\"%s\" may be at most %lld", query_key_names[key], (long long)max);
	return REASON_TOO_LARGE;
}

static int refuse_key(const struct request *request, struct slice key, const char *what)
{
	complaint_set(request->complaint, REASON_BAD_REQUEST, "", "%s \"%.*s\"", what,
		(int)(key.size > 64 ? 64 : key.size), (const char *)key.bytes);
	return REASON_BAD_REQUEST;
}

static enum query_key key_lookup(struct slice name)
{
	for (int key = 0; key < KEY_COUNT; key++) {
		if (slice_equals_text(name, query_key_names[key])) {
			return (enum query_key)key;
		}
	}
	return KEY_COUNT;
}

static int collect(struct request *request, const struct node *map)
{
	const struct node *key = node_first(map);

	for (uint32_t i = 0; i < map->count; i++) {
		enum query_key found = key_lookup(key->text);
		if (found == KEY_COUNT) {
			return refuse_key(request, key->text, "a request has no key");
		}
		request->values[found] = node_next(key);
		key = node_next(node_next(key));
	}
	return 0;
}

static int read_type(struct request *request)
{
	const struct node *node = request->values[KEY_QUERY];

	if (node == NULL) {
		return query_refuse(request, KEY_QUERY, "is missing");
	}
	if (node->type != NODE_TEXT) {
		return query_refuse(request, KEY_QUERY, "must be text");
	}
	for (int type = 0; type < QUERY_TYPE_COUNT; type++) {
		if (slice_equals_text(node->text, types[type].name)) {
			request->query->type = (enum query_type)type;
			return 0;
		}
	}
	refuse_key(request, node->text, "there is no query");
	request->complaint->reason = REASON_UNKNOWN_QUERY;
	return REASON_UNKNOWN_QUERY;
}

static int refuse_misplaced(const struct request *request)
{
	enum query_type type = request->query->type;

	for (int key = 0; key < KEY_COUNT; key++) {
		if (request->values[key] != NULL && (types[type].keys >> key & 1) == 0) {
			complaint_set(request->complaint, REASON_BAD_REQUEST, query_key_names[key],
				"the query \"%s\" has no \"%s\"", types[type].name,
				query_key_names[key]);
			return REASON_BAD_REQUEST;
		}
	}
	return 0;
}

int query_read_flag(const struct request *request, enum query_key key, bool *flag)
{
	const struct node *node = request->values[key];

	if (node != NULL && node->type != NODE_BOOL) {
		return query_refuse(request, key, "must be true or false");
	}
	*flag = node != NULL && node->boolean;
	return 0;
}

int query_read_text(const struct request *request, enum query_key key, struct slice *text)
{
	const struct node *node = request->values[key];

	if (node == NULL) {
		return 0;
	}
	if (node->type != NODE_TEXT || node->text.size == 0) {
		return query_refuse(request, key, "must be text");
	}
	*text = node->text;
	return 0;
}

int query_read_number(const struct request *request, enum query_key key, int64_t min, int64_t max,
	int64_t *number)
{
	const struct node *node = request->values[key];
	int64_t value;

	if (node == NULL) {
		return 0;
	}
	if (node->type == NODE_TEXT || !node_integer(node, &value) || value < min) {
		return query_refuse(request, key,
			min > 0 ? "must be an integer, 1 or more"
				: "must be an integer, 0 or more");
	}
	if (value > max) {
		return refuse_large(request, key, max);
	}
	*number = value;
	return 0;
}

bool query_node_is_value(const struct node *node)
{
	return node->type == NODE_TEXT || (node->type >= NODE_INTEGER && node->type <= NODE_NUMBER);
}

/* An array of group values; what the view makes of them is not known here. */
static int check_group(
	const struct request *request, enum query_key key, const struct node *node, uint32_t min)
{
	const struct node *value = node_first(node);

	if (node->type != NODE_ARRAY) {
		return query_refuse(request, key, "must be an array of group values");
	}
	if (node->count < min || node->count > QUERY_GROUP_VALUES_MAX) {
		return query_refuse(request, key,
			min == 0 ? "must have 0 to 5 group values"
				 : "must have 1 to 5 group values");
	}
	for (uint32_t i = 0; i < node->count; i++) {
		if (value->type != NODE_NIL && !query_node_is_value(value)) {
			return query_refuse(request, key, "may hold text, numbers and null only");
		}
		value = node_next(value);
	}
	return 0;
}

static int check_groups(const struct request *request)
{
	const struct node *keys = request->values[KEY_KEYS];
	const struct node *key = node_first(keys);

	if (keys->type != NODE_ARRAY || keys->count == 0) {
		return query_refuse(
			request, KEY_KEYS, "must be an array of arrays of group values");
	}
	if (keys->count > QUERY_KEYS_MAX) {
		complaint_set(request->complaint, REASON_TOO_LARGE, "keys",
			"%u keys; at most %d in one request", keys->count, QUERY_KEYS_MAX);
		return REASON_TOO_LARGE;
	}
	for (uint32_t i = 0; i < keys->count; i++) {
		int r = check_group(request, KEY_KEYS, key, 1);
		if (r != 0) {
			return r;
		}
		key = node_next(key);
	}
	return 0;
}

static int read_get(struct request *request)
{
	const struct node *key = request->values[KEY_KEY];
	const struct node *keys = request->values[KEY_KEYS];
	int r;

	if ((key == NULL) == (keys == NULL)) {
		return query_refuse(request, KEY_KEY, "or \"keys\" is needed, and not both");
	}
	r = key != NULL ? check_group(request, KEY_KEY, key, 1) : check_groups(request);
	request->query->key = key;
	request->query->keys = keys;
	return r;
}

static int read_order(struct request *request)
{
	struct slice order = slice_of_text("desc");
	int r = query_read_text(request, KEY_ORDER, &order);

	if (r != 0) {
		return r;
	}
	request->query->ascending = slice_equals_text(order, "asc");
	if (!request->query->ascending && !slice_equals_text(order, "desc")) {
		return query_refuse(request, KEY_ORDER, "is neither \"asc\" nor \"desc\"");
	}
	return 0;
}

static int read_limit(struct request *request, int64_t limit, int64_t max)
{
	int r = query_read_number(request, KEY_LIMIT, 1, max, &limit);

	request->query->limit = (uint32_t)limit;
	return r;
}

static int read_top(struct request *request)
{
	int r = query_read_text(request, KEY_BY, &request->query->by);

	if (r == 0 && request->query->by.size == 0) {
		return query_refuse(request, KEY_BY, "is missing: name a measure");
	}
	if (r == 0) {
		r = read_order(request);
	}
	if (r == 0) {
		r = query_read_shares(request);
	}
	int64_t limit = request->query->until_share > 0 ? TOP_LIMIT_MAX : TOP_LIMIT_DEFAULT;
	return r != 0 ? r : read_limit(request, limit, TOP_LIMIT_MAX);
}

static int read_bands(struct request *request)
{
	int r = query_read_text(request, KEY_BY, &request->query->by);
	int64_t count = 0;

	if (r == 0 && request->query->by.size == 0) {
		return query_refuse(request, KEY_BY, "is missing: name a measure");
	}
	if (r == 0) {
		r = query_read_number(request, KEY_BAND_COUNT, 1, QUERY_BANDS_MAX, &count);
		request->query->band_count = (uint32_t)count;
	}
	return r != 0 ? r : query_read_bands(request);
}

static int read_scan(struct request *request)
{
	const struct node *from = request->values[KEY_FROM];
	const struct node *to = request->values[KEY_TO];
	int r = query_read_text(request, KEY_CURSOR, &request->query->cursor);

	if (r == 0 && from != NULL) {
		r = check_group(request, KEY_FROM, from, 0);
	}
	if (r == 0 && to != NULL) {
		r = check_group(request, KEY_TO, to, 0);
	}
	request->query->from = from;
	request->query->to = to;
	return r != 0 ? r : read_limit(request, SCAN_LIMIT_DEFAULT, SCAN_LIMIT_MAX);
}

static int read_list(struct request *request)
{
	int r = query_read_text(request, KEY_CURSOR, &request->query->cursor);

	return r != 0 ? r : read_limit(request, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX);
}

static int read_vitals(struct request *request)
{
	struct slice period = {NULL, 0};
	int r = query_read_text(request, KEY_PERIOD, &period);

	request->query->is_by_minute = slice_equals_text(period, "1m");
	if (r == 0 && period.size > 0 && !request->query->is_by_minute &&
		!slice_equals_text(period, "5s")) {
		return query_refuse(request, KEY_PERIOD, "must be 5s or 1m");
	}
	return r != 0 ? r : read_limit(request, VITALS_LIMIT_DEFAULT, VITALS_LIMIT_MAX);
}

static int read_forget(struct request *request)
{
	int r = query_read_text(request, KEY_USER, &request->query->user);

	if (r != 0) {
		return r;
	}
	if (request->query->user.size == 0) {
		return query_refuse(
			request, KEY_USER, "is missing: the id as events have it, as text");
	}
	if (request->query->user.size > ID_SIZE_MAX) {
		return refuse_large(request, KEY_USER, ID_SIZE_MAX);
	}
	return query_read_flag(request, KEY_REVOKE, &request->query->revoke);
}

static int read_kind(struct request *request)
{
	struct slice name = {NULL, 0};
	int r = query_read_text(request, KEY_KIND, &name);

	if (r != 0 || name.size == 0) {
		return r;
	}
	request->query->has_kind = kind_from_name(name, &request->query->about.kind);
	return request->query->has_kind
		       ? 0
		       : query_refuse(request, KEY_KIND,
				 "must be order, cart or view, or one of them with .dlq");
}

/* Of which streams, or of which event. */
static int read_about(struct request *request)
{
	struct certificate *about = &request->query->about;
	int64_t run = 0, seq = 0;
	int r = query_read_text(request, KEY_EDGE, &about->edge);

	if (r == 0 && about->edge.size > 0 && !edge_id_is_valid(about->edge)) {
		return query_refuse(request, KEY_EDGE, "is no edge id");
	}
	if (r == 0) {
		r = query_read_number(request, KEY_RUN, 1, (int64_t)RUN_MAX, &run);
	}
	if (r == 0) {
		r = query_read_number(request, KEY_SEQ, 1, INT64_MAX, &seq);
	}
	about->run = (uint64_t)run;
	about->seq = (uint64_t)seq;
	return r != 0 ? r : read_kind(request);
}

static int read_trace(struct request *request)
{
	static const enum query_key needed[] = {KEY_EDGE, KEY_RUN, KEY_KIND, KEY_SEQ};

	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
		if (request->values[needed[i]] == NULL) {
			return query_refuse(request, needed[i], "is missing");
		}
	}
	return read_about(request);
}

/* {edge, run, kind, seq}, all four and nothing else. */
static bool read_certificate(const struct node *map, struct certificate *certificate)
{
	const struct node *edge = node_find(map, "edge");
	const struct node *run = node_find(map, "run");
	const struct node *kind = node_find(map, "kind");
	const struct node *seq = node_find(map, "seq");
	int64_t run_number, seq_number;

	if (edge == NULL || run == NULL || kind == NULL || seq == NULL || map->count != 4) {
		return false;
	}
	if (edge->type != NODE_TEXT || !edge_id_is_valid(edge->text) || kind->type != NODE_TEXT ||
		!kind_from_name(kind->text, &certificate->kind)) {
		return false;
	}
	if (!node_integer(run, &run_number) || run_number < 1 || run_number > (int64_t)RUN_MAX ||
		!node_integer(seq, &seq_number) || seq_number < 1) {
		return false;
	}
	certificate->edge = edge->text;
	certificate->run = (uint64_t)run_number;
	certificate->seq = (uint64_t)seq_number;
	return true;
}

static int read_after(struct request *request)
{
	const struct node *list = request->values[KEY_AFTER];
	const struct node *node;

	if (list == NULL) {
		return 0;
	}
	if (list->type != NODE_ARRAY) {
		return query_refuse(request, KEY_AFTER, "must be an array");
	}
	if (list->count > QUERY_AFTER_MAX) {
		complaint_set(request->complaint, REASON_TOO_LARGE, "after",
			"%u events in \"after\"; at most %d in one request", list->count,
			QUERY_AFTER_MAX);
		return REASON_TOO_LARGE;
	}
	node = node_first(list);
	for (uint32_t i = 0; i < list->count; i++) {
		if (!read_certificate(node, &request->query->after[i])) {
			return query_refuse(
				request, KEY_AFTER, "must hold maps of edge, run, kind and seq");
		}
		node = node_next(node);
	}
	request->query->after_count = list->count;
	return 0;
}

static int read_freshness(struct request *request)
{
	int64_t timeout_ms = query_looks_up(request->query->type) ? QUERY_LOOK_TIMEOUT_MS_DEFAULT
								  : QUERY_TIMEOUT_MS_DEFAULT;
	int r = query_read_number(request, KEY_TIMEOUT_MS, 0, QUERY_TIMEOUT_MS_MAX, &timeout_ms);

	request->query->timeout_ms = (uint32_t)timeout_ms;
	if (r == 0) {
		r = query_read_number(request, KEY_MAX_LAG, 0, INT64_MAX, &request->query->max_lag);
	}
	return r != 0 ? r : read_after(request);
}

int query_read_table(
	const struct request *request, enum query_key key, char *bytes, struct slice *ret_name)
{
	struct slice name = {NULL, 0};
	int r = query_read_text(request, key, &name);

	if (r != 0 || name.size == 0) {
		return r;
	}
	if (name.size > VIEW_NAME_SIZE_MAX - strlen(QUERY_TABLE_PREFIX)) {
		return query_refuse(request, key, "is longer than any table's name");
	}
	int size = snprintf(bytes, VIEW_NAME_SIZE_MAX + 1, QUERY_TABLE_PREFIX "%.*s",
		(int)name.size, (const char *)name.bytes);
	*ret_name = slice_of(bytes, (size_t)size);
	return 0;
}

/* A table is a view of its own kind, of this name. */
static int read_table(struct request *request)
{
	struct query *query = request->query;

	if (request->values[KEY_TABLE] != NULL && query->view.size > 0) {
		return query_refuse(request, KEY_TABLE, "and \"view\" don't go together");
	}
	return query_read_table(request, KEY_TABLE, query->view_name, &query->view);
}

static int read_query(struct request *request)
{
	int r = query_read_text(request, KEY_VIEW, &request->query->view);

	if (r == 0) {
		r = read_table(request);
	}
	if (r != 0) {
		return r;
	}
	if ((types[request->query->type].keys & BIT(KEY_VIEW)) != 0 &&
		request->query->view.size == 0 && request->query->type != QUERY_STAGED) {
		return query_refuse(request, KEY_VIEW, "or \"table\" is missing");
	}
	r = query_read_refinement(request);
	if (r == 0) {
		r = query_read_flag(request, KEY_STAGED, &request->query->is_staged);
	}
	if (r != 0) {
		return r;
	}
	switch (request->query->type) {
	case QUERY_GET:
		return read_get(request);
	case QUERY_TOP:
		return read_top(request);
	case QUERY_SCAN:
		return read_scan(request);
	case QUERY_BANDS:
		return read_bands(request);
	case QUERY_STAGED:
	case QUERY_QUARANTINE:
	case QUERY_FORGOTTEN:
		return read_list(request);
	case QUERY_VITALS:
		return read_vitals(request);
	case QUERY_FORGET:
		return read_forget(request);
	case QUERY_EDGES:
	case QUERY_LEDGER:
		return read_about(request);
	case QUERY_TRACE:
		return read_trace(request);
	case QUERY_TOPICS:
	case QUERY_RECORDS:
	case QUERY_LETTERS:
		return query_read_look(request);
	case QUERY_REPLAY:
		return query_read_replay(request);
	default:
		return 0;
	}
}

static int decode_request(
	struct document *document, struct slice bytes, struct complaint *complaint)
{
	enum {
		DEPTH_MAX = 4
	}; /* {keys: [[…]]} and {after: [{…}]} need three, {where: [{value: […]}]} four */
	int r;

	if (bytes.size > QUERY_SIZE_MAX) {
		complaint_set(complaint, REASON_TOO_LARGE, "",
			"the request has %zu bytes; at most %d are allowed", bytes.size,
			QUERY_SIZE_MAX);
		return REASON_TOO_LARGE;
	}
	r = document_decode(document, encoding_of(bytes), bytes, DEPTH_MAX, complaint);
	if (r > 0 && r != REASON_TOO_LARGE) {
		complaint->reason = REASON_BAD_REQUEST; /* the other codes are of events */
		return REASON_BAD_REQUEST;
	}
	if (r == 0 && document->nodes->type != NODE_MAP) {
		complaint_set(complaint, REASON_BAD_REQUEST, "", "a request must be a map, not %s",
			node_type_name(document->nodes->type));
		return REASON_BAD_REQUEST;
	}
	return r;
}

/* Not the arrays: they are large, and their counts say what of them is there. */
static void query_clear(struct query *query, enum encoding encoding)
{
	query->encoding = encoding;
	query->view = query->cursor = query->by = query->user = slice_of(NULL, 0);
	query->revoke = query->is_staged = query->is_cumulative = query->is_by_minute = false;
	query->until_share = 0;
	query->band_count = query->edge_count = 0;
	query->about = (struct certificate){0};
	query->has_kind = false;
	query->key = query->keys = query->from = query->to = NULL;
	query->ascending = false;
	query->limit = 0;
	query->timeout_ms = QUERY_TIMEOUT_MS_DEFAULT;
	query->max_lag = -1;
	query->after_count = 0;
	query->group_by = NULL;
	query->join = slice_of(NULL, 0);
	query->with_missing = false;
	query->range = (struct query_period){0};
	query->compare = (struct query_comparison){0};
	query->explain = false;
	query->where_count = query->order_count = query->shape = 0;
	memset(&query->look, 0, sizeof query->look);
	query->replay.place_count = query->replay.set_count = 0;
}

int query_decode(struct document *document, struct slice bytes, struct query *ret_query,
	struct complaint *complaint)
{
	struct request request = {.query = ret_query, .complaint = complaint};
	int r = decode_request(document, bytes, complaint);

	if (r != 0) {
		return r;
	}
	query_clear(ret_query, encoding_of(bytes));
	r = collect(&request, document->nodes);
	if (r == 0) {
		r = read_type(&request);
	}
	if (r == 0) {
		r = refuse_misplaced(&request);
	}
	if (r == 0) {
		r = read_freshness(&request);
	}
	return r != 0 ? r : read_query(&request);
}

static void encode_error(const struct complaint *complaint, uint64_t retry_after_ms,
	enum encoding encoding, struct buffer *buffer)
{
	struct writer writer;

	writer_init(&writer, encoding, buffer);
	write_map(&writer, 2);
	write_key(&writer, "ok");
	write_bool(&writer, false);
	write_key(&writer, "error");
	write_map(&writer, 2 + (retry_after_ms != 0));
	write_key(&writer, "code");
	write_key(&writer, reason_code(complaint->reason));
	write_key(&writer, "message");
	write_key(&writer, complaint->message);
	if (retry_after_ms != 0) {
		write_key(&writer, "retry_after_ms");
		write_unsigned(&writer, retry_after_ms);
	}
}

void query_encode_error(
	const struct complaint *complaint, enum encoding encoding, struct buffer *buffer)
{
	encode_error(complaint, 0, encoding, buffer);
}

void query_encode_busy(
	const char *words, uint64_t retry_after_ms, enum encoding encoding, struct buffer *buffer)
{
	struct complaint complaint;

	complaint_set(&complaint, REASON_BUSY, "", "%s", words);
	encode_error(&complaint, retry_after_ms, encoding, buffer);
}
