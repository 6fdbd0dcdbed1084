/* Group values of a request, checked against the view. */
#include "aggregator/answer/answer_parts.h"
#include <inttypes.h>
#include <stdio.h>

enum { NAMES_SIZE = 160, INTEGER_TEXT_SIZE = 24 };

static void list_groups(const struct view *view, char names[NAMES_SIZE])
{
	size_t size = 0;

	names[0] = 0;
	for (size_t i = 0; i < view->group_count && size < NAMES_SIZE; i++) {
		int n = snprintf(names + size, NAMES_SIZE - size, "%s%s", i == 0 ? "" : ", ",
			view->groups[i].name);
		size += n > 0 ? (size_t)n : 0;
	}
}

static int complain_of_value(struct answering *answering, const struct group_field *group,
	const char *wanted, const struct node *node)
{
	complaint_set(&answering->complaint, REASON_BAD_KEY, group->name, "%s must be %s, not %s",
		group->name, wanted, node_type_name(node->type));
	return REASON_BAD_KEY;
}

/* Ids are text; whole numbers are taken as their digits, as the edge does. */
static int parse_text(struct answering *answering, const struct group_field *group,
	const struct node *node, char digits[INTEGER_TEXT_SIZE], struct slice *ret_text)
{
	int64_t integer = 0;

	if (node->type == NODE_TEXT) {
		*ret_text = node->text;
		return 0;
	}
	if (!node_integer(node, &integer)) {
		return complain_of_value(answering, group, "text", node);
	}
	int size = snprintf(digits, INTEGER_TEXT_SIZE, "%" PRId64, integer);
	*ret_text = slice_of(digits, (size_t)size);
	return 0;
}

static bool is_numbered(enum bucket bucket)
{
	return bucket == BUCKET_WEEKDAY || bucket == BUCKET_HOUR_OF_DAY;
}

static int parse_time(struct answering *answering, const struct group_field *group,
	const struct node *node, int64_t *ret_value)
{
	static const char *const examples[] = {
		"2010-12-01T08:26", "2010-12-01T08:00", "2010-12-01", "2010-11-29", "2010-12"};

	if (node->type == NODE_TEXT && timestamp_parse_bucket(node->text, group->bucket,
					       answering->view->zone, ret_value) == 0) {
		return 0;
	}
	complaint_set(&answering->complaint, REASON_BAD_KEY, group->name,
		"%s must be a text such as \"%s\"", group->name, examples[group->bucket]);
	return REASON_BAD_KEY;
}

static int parse_money(struct answering *answering, const struct group_field *group,
	const struct node *node, int64_t *ret_value)
{
	return node->type == NODE_TEXT && money_parse_text(node->text, ret_value) == 0
		       ? 0
		       : complain_of_value(answering, group,
				 "a decimal number as text, such as \"12.50\"", node);
}

static int parse_instant(struct answering *answering, const struct group_field *group,
	const struct node *node, int64_t *ret_value)
{
	return node->type == NODE_TEXT && timestamp_parse_text(
						  node->text, answering->view->zone, ret_value) == 0
		       ? 0
		       : complain_of_value(
				 answering, group, "a time such as \"2010-12-01T08:26Z\"", node);
}

static int parse_number(struct answering *answering, const struct group_field *group,
	const struct node *node, int64_t *ret_value)
{
	if (group->source == GROUP_BY_COLUMN && group->type == TYPE_MONEY) {
		return parse_money(answering, group, node, ret_value);
	}
	if (group->source == GROUP_BY_COLUMN && group->type == TYPE_TIME) {
		return parse_instant(answering, group, node, ret_value);
	}
	if (group->source == GROUP_BY_BUCKET && !is_numbered(group->bucket)) {
		return parse_time(answering, group, node, ret_value);
	}
	if (!node_integer(node, ret_value)) {
		return complain_of_value(answering, group, "a whole number", node);
	}
	return 0;
}

static int append_value(struct answering *answering, const struct group_field *group,
	const struct node *node, struct row_key *key)
{
	enum group_type type = group_field_type(group);
	struct group_value value = {.type = type == GROUP_OPTIONAL ? GROUP_INTEGER : type};
	char digits[INTEGER_TEXT_SIZE];
	int r = 0;

	if (node->type == NODE_NIL && group->is_optional) {
		value.type = GROUP_ABSENT;
	} else if (type == GROUP_TEXT) {
		r = parse_text(answering, group, node, digits, &value.text);
	} else {
		r = parse_number(answering, group, node, &value.integer);
	}
	if (r != 0) {
		return r;
	}
	if (!row_key_append_of(key, type, &value)) {
		complaint_set(&answering->complaint, REASON_BAD_KEY, group->name,
			"%s must be a text of 1 to %d bytes", group->name, TEXT_SIZE_MAX);
		return REASON_BAD_KEY;
	}
	return 0;
}

int parse_key(struct answering *answering, const char *name, const struct node *array,
	struct row_key *ret_key, size_t *ret_count)
{
	const struct view *view = answering->view;
	char names[NAMES_SIZE];

	if (array->type != NODE_ARRAY || array->count > view->group_count) {
		list_groups(view, names);
		complaint_set(&answering->complaint, REASON_BAD_KEY, name,
			"%s must be an array of at most %zu group values of view %s: %s", name,
			view->group_count, view->name, names);
		return REASON_BAD_KEY;
	}
	const struct node *node = node_first(array);
	ret_key->size = 0;
	for (uint32_t i = 0; i < array->count; i++, node = node_next(node)) {
		int r = append_value(answering, &view->groups[i], node, ret_key);
		if (r != 0) {
			return r;
		}
	}
	*ret_count = array->count;
	return 0;
}
