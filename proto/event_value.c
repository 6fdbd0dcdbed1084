#include "proto/event_value.h"
#include "proto/timestamp.h"
#include "proto/utf8.h"
#include "proto/zone.h"

#include <inttypes.h>
#include <stdio.h>

enum { SHOWN_SIZE_MAX = 48 };

void node_describe(const struct node *node, char words[NODE_WORDS_SIZE])
{
	bool is_text = node->type == NODE_TEXT;
	int shown = 0;

	switch (node->type) {
	case NODE_TEXT:
	case NODE_NUMBER:
		shown = node->text.size > SHOWN_SIZE_MAX ? SHOWN_SIZE_MAX : (int)node->text.size;
		snprintf(words, NODE_WORDS_SIZE, "%s%.*s%s%s", is_text ? "\"" : "", shown,
			(const char *)node->text.bytes,
			(size_t)shown < node->text.size ? "..." : "", is_text ? "\"" : "");
		break;
	case NODE_INTEGER:
		snprintf(words, NODE_WORDS_SIZE, "%" PRId64, node->integer);
		break;
	case NODE_UNSIGNED:
		snprintf(words, NODE_WORDS_SIZE, "%" PRIu64, node->unsigned_integer);
		break;
	case NODE_FLOAT32:
	case NODE_FLOAT64:
		snprintf(words, NODE_WORDS_SIZE, "%.17g", node->real);
		break;
	default:
		snprintf(words, NODE_WORDS_SIZE, "%s", node_type_name(node->type));
		break;
	}
}

/* What every reader below needs to complain. */
struct subject {
	const struct value_rules *rules;
	enum field field;
	const char *name;
	const struct node *node;
};

/* name, the value, and what is wrong with it: 'unit_price "2,55" is not a decimal number'. */
static int refuse_value(const struct subject *subject, const char *what)
{
	char words[NODE_WORDS_SIZE];

	node_describe(subject->node, words);
	complaint_set(subject->rules->complaint, REASON_BAD_VALUE, field_name(subject->field),
		"%s %s %s", subject->name, words, what);
	return REASON_BAD_VALUE;
}

static int refuse_type(const struct subject *subject, const char *wanted)
{
	complaint_set(subject->rules->complaint, REASON_BAD_TYPE, field_name(subject->field),
		"%s must be %s, not %s", subject->name, wanted,
		node_type_name(subject->node->type));
	return REASON_BAD_TYPE;
}

static bool node_is_number(const struct node *node)
{
	return node->type >= NODE_INTEGER && node->type <= NODE_NUMBER;
}

bool value_normal_integer(enum encoding encoding, const struct node *node, int64_t *ret_value)
{
	if (node->type == NODE_INTEGER) {
		*ret_value = node->integer;
		return true;
	}
	if (encoding == ENCODING_MSGPACK ||
		(node->type != NODE_NUMBER && node->type != NODE_TEXT)) {
		return false;
	}
	return node_integer(node, ret_value);
}

static int read_text(const struct subject *subject, struct value *value)
{
	uint16_t size_max = field_specs[subject->field].size_max;

	if (subject->node->type != NODE_TEXT) {
		return refuse_type(subject, "text");
	}
	if (subject->node->text.size > size_max) {
		complaint_set(subject->rules->complaint, REASON_BAD_VALUE,
			field_name(subject->field), "%s has %zu bytes; at most %u are allowed",
			subject->name, subject->node->text.size, (unsigned)size_max);
		return REASON_BAD_VALUE;
	}
	value->text = subject->node->text;
	return 0;
}

static int read_id(const struct subject *subject, struct value *value)
{
	int64_t number;
	int size;

	if (!node_is_number(subject->node) || subject->rules->is_normal_form) {
		return subject->node->type == NODE_TEXT
			       ? read_text(subject, value)
			       : refuse_type(subject, "text or an integer");
	}
	if (!node_integer(subject->node, &number)) {
		return refuse_value(subject, "is not a 64-bit integer; other ids are text");
	}
	size = snprintf(value->digits, sizeof value->digits, "%" PRId64, number);
	value->text = slice_of(value->digits, (size_t)size);
	return 0;
}

static int read_quantity(const struct subject *subject, struct value *value)
{
	const struct node *node = subject->node;
	bool is_integer =
		subject->rules->is_normal_form
			? value_normal_integer(subject->rules->encoding, node, &value->number)
			: node_integer(node, &value->number);

	if (!is_integer) {
		return node_is_number(node) || node->type == NODE_TEXT
			       ? refuse_value(subject, "is not an integer")
			       : refuse_type(subject, "an integer");
	}
	if (value->number == 0) {
		return refuse_value(subject, "is not allowed: a line has at least one piece");
	}
	if (value->number > QUANTITY_MAX || value->number < -QUANTITY_MAX) {
		return refuse_value(subject, "is over 10^9");
	}
	return 0;
}

static int refuse_money(const struct subject *subject, int code)
{
	switch (code) {
	case MONEY_E_PRECISION:
		return refuse_value(subject, "has digits past the sixth decimal place");
	case MONEY_E_RANGE:
		return refuse_value(subject, "is over 10^12");
	default:
		return refuse_value(subject, "is not a decimal number");
	}
}

/* 10^12 itself has thirteen digits: what was accepted as a number must be read again as normal form's text. */
static int read_money_text(const struct subject *subject, int64_t *ret_micros)
{
	const int64_t max = MONEY_UNITS_MAX * MONEY_MICROS_PER_UNIT;
	int r = money_parse_text(subject->node->text, ret_micros);
	money amount;

	if (r == 0 || !subject->rules->is_normal_form ||
		money_parse_sum(subject->node->text, &amount) != 0) {
		return r;
	}
	if (amount > max || amount < -max) {
		return MONEY_E_RANGE;
	}
	*ret_micros = (int64_t)amount;
	return 0;
}

/* Normal form has money as text, in JSON as a number; producers may write more. */
static int read_money_number(const struct subject *subject, int64_t *ret_micros)
{
	const struct node *node = subject->node;

	if (node->type == NODE_TEXT) {
		return read_money_text(subject, ret_micros);
	}
	if (node->type == NODE_NUMBER) {
		return money_parse_number(node->text, ret_micros);
	}
	if (node->type == NODE_INTEGER) {
		return money_from_integer(node->integer, ret_micros);
	}
	if (node->type == NODE_FLOAT64) {
		return money_from_double(node->real, ret_micros);
	}
	return MONEY_E_RANGE; /* NODE_UNSIGNED: past 2^63 */
}

static int read_money(const struct subject *subject, struct value *value)
{
	const struct node *node = subject->node;
	bool is_text = node->type == NODE_TEXT;
	int r;

	if (node->type == NODE_FLOAT32 && !subject->rules->is_normal_form) {
		complaint_set(subject->rules->complaint, REASON_FLOAT32_MONEY,
			field_name(subject->field),
			"%s is a float32, which can't hold cents; send text or a float64",
			subject->name);
		return REASON_FLOAT32_MONEY;
	}
	if (!is_text && (!node_is_number(node) ||
				(subject->rules->is_normal_form && node->type != NODE_NUMBER))) {
		return refuse_type(subject, "a decimal number");
	}
	r = read_money_number(subject, &value->number);
	if (r != 0) {
		return refuse_money(subject, r);
	}
	if (value->number < 0 && subject->field == FIELD_UNIT_PRICE) {
		return refuse_value(subject, "is negative; returns have a negative quantity");
	}
	return 0;
}

static int read_time_number(const struct node *node, int64_t *ret_ms)
{
	int64_t number;
	double real;

	if (node_integer(node, &number)) {
		return timestamp_from_integer(number, ret_ms);
	}
	if (node->type == NODE_UNSIGNED || !node_real(node, &real)) {
		return TIMESTAMP_E_RANGE;
	}
	return timestamp_from_double(real, ret_ms);
}

static int refuse_time(const struct subject *subject, int code)
{
	char what[96];

	switch (code) {
	case TIMESTAMP_E_RANGE:
		return refuse_value(subject, "is outside of the years 1970-9999");
	case TIMESTAMP_E_NO_SUCH_TIME:
		snprintf(what, sizeof what, "does not occur in %.48s: clocks were put forward",
			zone_name(subject->rules->zone));
		return refuse_value(subject, what);
	default:
		return refuse_value(
			subject, "is no time: send milliseconds or 2010-12-01T08:26:00Z");
	}
}

static int read_time(const struct subject *subject, struct value *value)
{
	const struct node *node = subject->node;
	int64_t number;
	int r;

	if (subject->rules->is_normal_form) {
		if (!value_normal_integer(subject->rules->encoding, node, &value->number)) {
			return refuse_type(subject, "an integer");
		}
		r = value->number < 0 || value->number > TIMESTAMP_MS_MAX ? TIMESTAMP_E_RANGE : 0;
	} else if (node->type == NODE_TEXT && !node_integer(node, &number)) {
		r = timestamp_parse_text(node->text, subject->rules->zone, &value->number);
	} else if (node->type == NODE_TEXT || node_is_number(node)) {
		r = read_time_number(node, &value->number);
	} else {
		return refuse_type(subject, "a number or text");
	}
	return r == 0 ? 0 : refuse_time(subject, r);
}

static int read_currency(const struct subject *subject, struct value *value)
{
	const struct node *node = subject->node;

	if (node->type != NODE_TEXT) {
		return refuse_type(subject, "text");
	}
	if (!currency_is_valid(node->text)) {
		return refuse_value(subject, "is not three capital letters (ISO 4217)");
	}
	value->text = node->text;
	return 0;
}

static int read_action(const struct subject *subject, struct value *value)
{
	int r = read_text(subject, value);
	bool with_aliases = !subject->rules->is_normal_form;

	if (r != 0 || subject->rules->kind != KIND_CART) {
		return r;
	}
	if (slice_equals_text(value->text, "add") || slice_equals_text(value->text, "remove")) {
		return 0;
	}
	if (with_aliases && slice_equals_text(value->text, "add_to_cart")) {
		value->text = slice_of_text("add");
		return 0;
	}
	if (with_aliases && slice_equals_text(value->text, "remove_from_cart")) {
		value->text = slice_of_text("remove");
		return 0;
	}
	return refuse_value(subject, "is neither \"add\" nor \"remove\"");
}

int value_read(const struct value_rules *rules, enum field field, const char *name,
	const struct node *node, struct value *ret_value)
{
	struct subject subject = {rules, field, name, node};

	ret_value->is_absent =
		node->type == NODE_NIL || (node->type == NODE_TEXT && node->text.size == 0);
	if (ret_value->is_absent) {
		return 0;
	}
	switch (field_specs[field].type) {
	case TYPE_TIME:
		return read_time(&subject, ret_value);
	case TYPE_ID:
		return read_id(&subject, ret_value);
	case TYPE_TEXT:
		return read_text(&subject, ret_value);
	case TYPE_INTEGER:
		return read_quantity(&subject, ret_value);
	case TYPE_MONEY:
		return read_money(&subject, ret_value);
	case TYPE_CURRENCY:
		return read_currency(&subject, ret_value);
	case TYPE_ACTION:
		return read_action(&subject, ret_value);
	}
	return 0;
}

void event_keep_value(struct event *event, enum field field, const struct value *value)
{
	enum field_type type = field_specs[field].type;

	event->present |= field_bit(field);
	if (type == TYPE_TIME) {
		event->ts_ms = value->number;
	} else if (type == TYPE_INTEGER) {
		event->quantity = value->number;
	} else if (type == TYPE_MONEY) {
		event_set_money(event, field, value->number);
	} else if (value->text.bytes == (const uint8_t *)value->digits) {
		char *digits = event_id_digits(event, field);
		memcpy(digits, value->digits, value->text.size);
		event->text[field] = slice_of(digits, value->text.size);
	} else {
		event->text[field] = value->text;
	}
}

/* Producers' names of kinds; "order" and the like are kind_from_name's. */
bool kind_from_alias(struct slice name, enum kind *ret_kind)
{
	if (slice_equals_text(name, "cart_event")) {
		*ret_kind = KIND_CART;
		return true;
	}
	if (slice_equals_text(name, "page_view") || slice_equals_text(name, "product_view")) {
		*ret_kind = KIND_VIEW;
		return true;
	}
	return kind_from_name(name, ret_kind) && !kind_is_dead_letter(*ret_kind);
}

bool value_is_kept(const struct event *event, enum field field, const struct value *value)
{
	enum field_type type = field_specs[field].type;

	if (type == TYPE_TIME) {
		return event->ts_ms == value->number;
	}
	if (type == TYPE_INTEGER) {
		return event->quantity == value->number;
	}
	if (type == TYPE_MONEY) {
		return event_money(event, field) == value->number;
	}
	return slice_equal(event->text[field], value->text);
}

bool node_is_absent(const struct node *node)
{
	return node == NULL || node->type == NODE_NIL ||
	       (node->type == NODE_TEXT && node->text.size == 0);
}
