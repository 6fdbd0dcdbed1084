/* Conditions of a request: columns and literals, typed as the columns are. */
#include "aggregator/answer/answer_parts.h"
#include "aggregator/answer/refinement.h"
#include "aggregator/view/view_suggest.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What a literal must be. */
enum literal_type { LITERAL_TEXT, LITERAL_INTEGER, LITERAL_MONEY, LITERAL_TIME, LITERAL_BUCKET };

static const char *const wanted[] = {
	[LITERAL_TEXT] = "a text",
	[LITERAL_INTEGER] = "a whole number",
	[LITERAL_MONEY] = "a decimal number as text, such as \"12.50\"",
	[LITERAL_TIME] = "a time such as \"2010-12-01T08:26Z\"",
	[LITERAL_BUCKET] = "the start of a bucket, as the column shows it",
};

static enum literal_type type_of_measure(const struct measure *measure)
{
	static const struct {
		const char *name;
		enum literal_type type;
	} types[] = {{"integer", LITERAL_INTEGER}, {"money", LITERAL_MONEY},
		{"decimal", LITERAL_MONEY}, {"time", LITERAL_TIME}};
	const char *name = measure_type_name(measure);

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (strcmp(name, types[i].name) == 0) {
			return types[i].type;
		}
	}
	return LITERAL_TEXT;
}

static enum literal_type type_of_group(const struct group_field *group)
{
	if (group_field_type(group) == GROUP_TEXT) {
		return LITERAL_TEXT;
	}
	return strcmp(group_type_name(group), "time") == 0 ? LITERAL_BUCKET : LITERAL_INTEGER;
}

static bool read_text(const struct node *node, struct literal *literal)
{
	int64_t integer = 0;

	if (node->type == NODE_TEXT) {
		literal->text = node->text;
		return true;
	}
	if (!node_integer(node, &integer)) {
		return false;
	}
	int size = snprintf(literal->digits, sizeof literal->digits, "%" PRId64, integer);
	literal->text = slice_of(literal->digits, (size_t)size);
	return true;
}

static bool read_integer(const struct node *node, struct literal *literal)
{
	int64_t integer = 0;
	bool ok = node_integer(node, &integer);

	literal->number = integer;
	return ok;
}

/* As an event may write it, or as a sum is shown, which may be longer. */
static bool read_money(const struct node *node, struct literal *literal)
{
	int64_t micros = 0;

	if (node->type != NODE_TEXT) {
		return false;
	}
	if (money_parse_text(node->text, &micros) == 0) {
		literal->number = micros;
		return true;
	}
	return money_parse_sum(node->text, &literal->number) == 0;
}

static bool read_time(const struct refinement *refinement, const struct row_condition *condition,
	enum literal_type type, const struct node *node, struct literal *literal)
{
	const struct zone *zone = refinement->source->zone;
	int64_t ms = 0;
	bool ok = node->type == NODE_TEXT &&
		  (type == LITERAL_BUCKET ? bucket_start_read(node->text,
						    condition->origin.field.bucket, zone, &ms)
					  : timestamp_parse_text(node->text, zone, &ms) == 0);

	literal->number = ms;
	return ok;
}

static bool read_literal(const struct refinement *refinement, const struct row_condition *condition,
	enum literal_type type, const struct node *node, struct literal *literal)
{
	switch (type) {
	case LITERAL_TEXT:
		return read_text(node, literal);
	case LITERAL_INTEGER:
		return read_integer(node, literal);
	case LITERAL_MONEY:
		return read_money(node, literal);
	default:
		return read_time(refinement, condition, type, node, literal);
	}
}

/* Digits lie in the literal itself, and move with it. */
static struct slice text_of(const struct literal *literal)
{
	return literal->digits[0] != 0 ? slice_of_text(literal->digits) : literal->text;
}

static int compare_texts(const void *a, const void *b)
{
	return row_key_compare(text_of(a), text_of(b));
}

static int compare_numbers(const void *a, const void *b)
{
	money x = ((const struct literal *)a)->number;
	money y = ((const struct literal *)b)->number;

	return (x > y) - (x < y);
}

static int refuse_literal(
	const struct query_condition *asked, enum literal_type type, struct complaint *complaint)
{
	complaint_set(complaint, REASON_BAD_REQUEST, "where", "%.*s is compared with %s",
		(int)asked->field.size, (const char *)asked->field.bytes, wanted[type]);
	return REASON_BAD_REQUEST;
}

static int read_literals(struct refinement *refinement, const struct query_condition *asked,
	enum literal_type type, struct row_condition *condition, struct complaint *complaint)
{
	const struct node *node = asked->op == QUERY_IN ? node_first(asked->value) : asked->value;

	for (size_t i = 0; i < condition->literal_count; i++, node = node_next(node)) {
		struct literal *literal = &condition->literals[i];
		if (!read_literal(refinement, condition, type, node, literal)) {
			return refuse_literal(asked, type, complaint);
		}
	}
	if (condition->literal_count > 1) {
		qsort(condition->literals, condition->literal_count, sizeof(struct literal),
			condition->is_text ? compare_texts : compare_numbers);
	}
	for (size_t i = 0; i < condition->literal_count; i++) {
		condition->literals[i].text = text_of(&condition->literals[i]);
	}
	return 0;
}

static int find_column(const struct refinement *refinement, struct slice name,
	struct row_condition *condition, enum literal_type *ret_type, struct complaint *complaint)
{
	const struct view *view = refinement->source;

	for (size_t i = 0; i < view->measure_count; i++) {
		if (slice_equals_text(name, view->measures[i].name)) {
			condition->is_measure = true;
			condition->measure = i;
			*ret_type = type_of_measure(&view->measures[i]);
			return 0;
		}
	}
	const struct measure *column = NULL;
	if (join_find_column(&refinement->join, view, name, &condition->origin.group, &column)) {
		condition->origin.field = (struct group_field){.name = column->name,
			.source = GROUP_BY_COLUMN,
			.type = operand_type_of(column->operand)};
		*ret_type = type_of_measure(column);
		return 0;
	}
	if (!group_origin_find(view, name, &condition->origin)) {
		return view_refuse_column(refinement->result, "where", name, complaint);
	}
	*ret_type = type_of_group(&condition->origin.field);
	return 0;
}

static int make_condition(struct refinement *refinement, const struct query_condition *asked,
	struct row_condition *condition, struct complaint *complaint)
{
	enum literal_type type = LITERAL_TEXT;
	int r = find_column(refinement, asked->field, condition, &type, complaint);

	if (r != 0) {
		return r;
	}
	condition->op = asked->op;
	condition->is_text = type == LITERAL_TEXT;
	if (asked->op == QUERY_PREFIX && !condition->is_text) {
		complaint_set(complaint, REASON_BAD_REQUEST, "where",
			"%.*s is no text: it has no prefix", (int)asked->field.size,
			(const char *)asked->field.bytes);
		return REASON_BAD_REQUEST;
	}
	return read_literals(refinement, asked, type, condition, complaint);
}

static size_t count_literals(const struct query_condition *asked)
{
	return asked->op == QUERY_IN ? asked->value->count : 1;
}

int refinement_make_conditions(
	struct refinement *refinement, const struct query *query, struct complaint *complaint)
{
	size_t count = 0;
	int r = 0;

	for (uint32_t i = 0; i < query->where_count; i++) {
		count += count_literals(&query->where[i]);
	}
	refinement->literals = calloc(count + 1, sizeof *refinement->literals);
	if (refinement->literals == NULL) {
		return -ENOMEM;
	}
	struct literal *next = refinement->literals;
	for (uint32_t i = 0; r == 0 && i < query->where_count; i++) {
		struct row_condition *condition =
			&refinement->conditions[refinement->condition_count++];
		*condition = (struct row_condition){
			.literals = next, .literal_count = count_literals(&query->where[i])};
		next += condition->literal_count;
		r = make_condition(refinement, &query->where[i], condition, complaint);
	}
	return r;
}
