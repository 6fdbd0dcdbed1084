/* What a request asks beyond rows as they are: where, order_by, group_by, range, compare, explain. */
#include "proto/checksum.h"
#include "proto/query_parts.h"

static const char *const op_names[] = {
	[QUERY_EQUAL] = "=",
	[QUERY_UNEQUAL] = "!=",
	[QUERY_LESS] = "<",
	[QUERY_AT_MOST] = "<=",
	[QUERY_GREATER] = ">",
	[QUERY_AT_LEAST] = ">=",
	[QUERY_IN] = "in",
	[QUERY_PREFIX] = "prefix",
};
enum { OP_COUNT = sizeof op_names / sizeof op_names[0] };

const char *query_op_name(enum query_op op)
{
	return op_names[op];
}

/* Is it a map of these keys and no others? Which of them it has comes back in the order of `names`. */
static bool take_members(const struct node *map, const char *const *names, size_t count,
	const struct node **ret_members)
{
	uint32_t found = 0;

	if (map->type != NODE_MAP) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		ret_members[i] = node_find(map, names[i]);
		found += ret_members[i] != NULL;
	}
	return found == map->count;
}

static bool take_name(const struct node *node, struct slice *ret_name)
{
	if (node == NULL || node->type != NODE_TEXT || node->text.size == 0) {
		return false;
	}
	*ret_name = node->text;
	return true;
}

static bool take_op(const struct node *node, enum query_op *ret_op)
{
	struct slice name;

	if (!take_name(node, &name)) {
		return false;
	}
	for (int op = 0; op < OP_COUNT; op++) {
		if (slice_equals_text(name, op_names[op])) {
			*ret_op = (enum query_op)op;
			return true;
		}
	}
	return false;
}

static int check_values(const struct request *request, const struct node *list)
{
	if (list->type != NODE_ARRAY || list->count == 0) {
		return query_refuse(request, KEY_WHERE,
			"needs an array of values for \"in\", and not an empty one");
	}
	if (list->count > QUERY_IN_MAX) {
		complaint_set(request->complaint, REASON_TOO_LARGE, "where",
			"%u values of \"in\"; at most %d", list->count, QUERY_IN_MAX);
		return REASON_TOO_LARGE;
	}
	const struct node *value = node_first(list);
	for (uint32_t i = 0; i < list->count; i++, value = node_next(value)) {
		if (!query_node_is_value(value)) {
			return query_refuse(
				request, KEY_WHERE, "compares with text and numbers only");
		}
	}
	return 0;
}

static int read_condition(
	const struct request *request, const struct node *map, struct query_condition *condition)
{
	static const char *const names[] = {"field", "op", "value"};
	const struct node *members[3];

	if (!take_members(map, names, 3, members) || !take_name(members[0], &condition->field) ||
		members[2] == NULL) {
		return query_refuse(
			request, KEY_WHERE, "must hold maps of field, op and value, all three");
	}
	if (!take_op(members[1], &condition->op)) {
		return query_refuse(
			request, KEY_WHERE, "has an op that is none of = != < <= > >= in prefix");
	}
	condition->value = members[2];
	if (condition->op == QUERY_IN) {
		return check_values(request, members[2]);
	}
	return query_node_is_value(members[2])
		       ? 0
		       : query_refuse(request, KEY_WHERE, "compares with text and numbers only");
}

/* The list's first element; NULL with *ret_reason set when it is none, or too long. */
static const struct node *open_list(
	const struct request *request, enum query_key key, uint32_t max, int *ret_reason)
{
	const struct node *list = request->values[key];

	*ret_reason = 0;
	if (list->type != NODE_ARRAY) {
		*ret_reason = query_refuse(request, key, "must be an array");
		return NULL;
	}
	if (list->count > max) {
		complaint_set(request->complaint, REASON_TOO_LARGE, query_key_names[key],
			"%u elements of \"%s\"; at most %u", list->count, query_key_names[key],
			max);
		*ret_reason = REASON_TOO_LARGE;
		return NULL;
	}
	return node_first(list);
}

static int read_where(struct request *request)
{
	int r = 0;
	const struct node *map = open_list(request, KEY_WHERE, QUERY_CONDITIONS_MAX, &r);

	for (uint32_t i = 0; r == 0 && i < request->values[KEY_WHERE]->count; i++) {
		r = read_condition(request, map, &request->query->where[i]);
		map = node_next(map);
	}
	request->query->where_count = r == 0 ? request->values[KEY_WHERE]->count : 0;
	return r;
}

static int read_one_order(
	const struct request *request, const struct node *map, struct query_order *order)
{
	static const char *const names[] = {"by", "order"};
	struct slice way = slice_of_text("asc");
	const struct node *members[2];

	if (!take_members(map, names, 2, members) || !take_name(members[0], &order->by)) {
		return query_refuse(request, KEY_ORDER_BY, "must hold maps of by and order");
	}
	if (members[1] != NULL && !take_name(members[1], &way)) {
		way = slice_of(NULL, 0);
	}
	order->ascending = slice_equals_text(way, "asc");
	if (!order->ascending && !slice_equals_text(way, "desc")) {
		return query_refuse(
			request, KEY_ORDER_BY, "has an order that is neither \"asc\" nor \"desc\"");
	}
	return 0;
}

static int read_order_by(struct request *request)
{
	int r = 0;
	const struct node *map = open_list(request, KEY_ORDER_BY, QUERY_ORDERS_MAX, &r);

	if (r == 0 && request->values[KEY_ORDER_BY]->count == 0) {
		return query_refuse(request, KEY_ORDER_BY, "must name a column");
	}
	if (r == 0 && request->values[KEY_CURSOR] != NULL) {
		return query_refuse(request, KEY_ORDER_BY,
			"and \"cursor\" don't go together: a cursor names a place in the order of "
			"keys");
	}
	for (uint32_t i = 0; r == 0 && i < request->values[KEY_ORDER_BY]->count; i++) {
		r = read_one_order(request, map, &request->query->order_by[i]);
		map = node_next(map);
	}
	request->query->order_count = r == 0 ? request->values[KEY_ORDER_BY]->count : 0;
	return r;
}

static int read_group_by(struct request *request)
{
	int r = 0;
	const struct node *name = open_list(request, KEY_GROUP_BY, QUERY_GROUP_VALUES_MAX, &r);

	for (uint32_t i = 0; r == 0 && i < request->values[KEY_GROUP_BY]->count; i++) {
		struct slice text;
		if (!take_name(name, &text)) {
			r = query_refuse(request, KEY_GROUP_BY, "may hold names of columns only");
		}
		name = node_next(name);
	}
	request->query->group_by = request->values[KEY_GROUP_BY];
	return r;
}

/* {from, to}, or {last}. */
static bool take_period(const struct node *map, struct query_period *period)
{
	static const char *const names[] = {"from", "to", "last"};
	const struct node *members[3];
	struct slice last;

	if (!take_members(map, names, 3, members) || map->count == 0) {
		return false;
	}
	period->is_given = true;
	if (members[2] != NULL) {
		period->has_last = true;
		return map->count == 1 && take_name(members[2], &last) &&
		       span_parse(last, &period->last);
	}
	return (members[0] == NULL || take_name(members[0], &period->from)) &&
	       (members[1] == NULL || take_name(members[1], &period->to));
}

static int read_range(struct request *request)
{
	return take_period(request->values[KEY_RANGE], &request->query->range)
		       ? 0
		       : query_refuse(request, KEY_RANGE,
				 "must be {\"from\":TIME,\"to\":TIME}, one of the two, or "
				 "{\"last\":\"7d\"} (min, h, d, w, mo, y)");
}

static int read_compare(struct request *request)
{
	static const char *const names[] = {"shift", "to"};
	struct query_comparison *compare = &request->query->compare;
	const struct node *members[2];
	struct slice shift;
	bool ok = take_members(request->values[KEY_COMPARE], names, 2, members) &&
		  request->values[KEY_COMPARE]->count == 1;

	if (ok && members[0] != NULL) {
		compare->has_shift = true;
		ok = take_name(members[0], &shift) && span_parse(shift, &compare->shift);
	} else if (ok) {
		ok = take_period(members[1], &compare->earlier) && !compare->earlier.has_last &&
		     compare->earlier.from.size > 0 && compare->earlier.to.size > 0;
	}
	return ok ? 0
		  : query_refuse(request, KEY_COMPARE,
			    "must be {\"shift\":\"7d\"} (min, h, d, w, mo, y) or "
			    "{\"to\":{\"from\":TIME,\"to\":TIME}}");
}

static int read_explain(struct request *request)
{
	return query_read_flag(request, KEY_EXPLAIN, &request->query->explain);
}

static int read_join(struct request *request)
{
	if (request->values[KEY_TABLE] != NULL) {
		return query_refuse(request, KEY_JOIN, "is of views; a table has its columns");
	}
	return query_read_table(
		request, KEY_JOIN, request->query->join_name, &request->query->join);
}

static int read_with_missing(struct request *request)
{
	const struct node *node = request->values[KEY_WITH_MISSING];

	if (node->type != NODE_BOOL) {
		return query_refuse(request, KEY_WITH_MISSING, "must be true or false");
	}
	if (node->boolean && request->values[KEY_JOIN] == NULL) {
		return query_refuse(request, KEY_WITH_MISSING,
			"wants \"join\": the table whose rows may be missing");
	}
	request->query->with_missing = node->boolean;
	return 0;
}

/* Nothing is left out where a part is absent: a name stands before each, so that no two questions look alike. */
static uint32_t shape_of(const struct request *request)
{
	static const enum query_key keys[] = {
		KEY_JOIN, KEY_WITH_MISSING, KEY_WHERE, KEY_GROUP_BY, KEY_RANGE, KEY_COMPARE};
	uint32_t crc = 0;

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		const struct node *node = request->values[keys[i]];
		const char *name = query_key_names[keys[i]];
		if (node != NULL) {
			crc = checksum_crc32c(crc, name, strlen(name));
			crc = checksum_crc32c(crc, node->raw.bytes, node->raw.size);
		}
	}
	return crc;
}

int query_read_refinement(struct request *request)
{
	static const struct {
		enum query_key key;
		int (*read)(struct request *request);
	} readers[] = {
		{KEY_JOIN, read_join},
		{KEY_WITH_MISSING, read_with_missing},
		{KEY_WHERE, read_where},
		{KEY_ORDER_BY, read_order_by},
		{KEY_GROUP_BY, read_group_by},
		{KEY_RANGE, read_range},
		{KEY_COMPARE, read_compare},
		{KEY_EXPLAIN, read_explain},
	};

	for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
		if (request->values[readers[i].key] == NULL) {
			continue;
		}
		int r = readers[i].read(request);
		if (r != 0) {
			return r;
		}
	}
	request->query->shape = shape_of(request);
	return 0;
}
