#include "aggregator/view/view_where.h"
#include "aggregator/view/view_suggest.h"
#include "proto/utf8.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const comparison_signs[] = {"=", "!=", "<", "<=", ">", ">="};
enum { COMPARISON_COUNT = sizeof comparison_signs / sizeof comparison_signs[0] };

/* The fields that a measure or condition may read, and which kinds have them. */
static const struct {
	struct operand operand;
	unsigned kinds;
} operands[] = {
	{{OPERAND_QUANTITY, FIELD_QUANTITY}, OF_ORDER | OF_CART | OF_BASKET},
	{{OPERAND_REVENUE, FIELD_AMOUNT}, OF_ORDER | OF_BASKET},
	{{OPERAND_MONEY, FIELD_UNIT_PRICE}, OF_ORDER},
	{{OPERAND_MONEY, FIELD_AMOUNT}, OF_ORDER | OF_BASKET},
	{{OPERAND_MONEY, FIELD_DISCOUNT}, OF_ORDER},
	{{OPERAND_MONEY, FIELD_TAX}, OF_ORDER},
	{{OPERAND_TS, FIELD_TS}, OF_EVENT | OF_LETTER | OF_BASKET},
	{{OPERAND_EDGE, FIELD_COUNT}, OF_EVENT | OF_LETTER | OF_BASKET},
	{{OPERAND_KIND, FIELD_COUNT}, OF_EVENT | OF_LETTER | OF_BASKET},
	{{OPERAND_BASKET, FIELD_ORDER_ID}, OF_ORDER | OF_BASKET},
	{{OPERAND_BASKET_LINES, FIELD_COUNT}, OF_BASKET},
	{{OPERAND_TEXT, FIELD_ORDER_ID}, OF_ORDER | OF_BASKET},
	{{OPERAND_TEXT, FIELD_CURRENCY}, OF_ORDER | OF_BASKET},
	{{OPERAND_TEXT, FIELD_PRODUCT_ID}, OF_EVENT},
	{{OPERAND_TEXT, FIELD_USER_ID}, OF_EVENT | OF_BASKET},
	{{OPERAND_TEXT, FIELD_CATEGORY}, OF_EVENT},
	{{OPERAND_TEXT, FIELD_CHANNEL}, OF_EVENT | OF_BASKET},
	{{OPERAND_TEXT, FIELD_PAYMENT}, OF_EVENT | OF_BASKET},
	{{OPERAND_TEXT, FIELD_ACTION}, OF_EVENT},
	{{OPERAND_TEXT, FIELD_PAGE}, OF_EVENT},
	{{OPERAND_TEXT, FIELD_EVENT_ID}, OF_EVENT},
};
enum { OPERAND_COUNT = sizeof operands / sizeof operands[0] };

static int check_operand(struct scanner *scanner, const struct view *view, size_t index)
{
	char kinds[VIEW_KINDS_TEXT_SIZE];

	if ((operands[index].kinds & view->kinds) != 0) {
		return 0;
	}
	view_kinds_write(view, kinds);
	return scanner_fail(scanner, "events of kind %s have no field \"%s\"", kinds,
		operand_text_of(operands[index].operand));
}

int check_field(struct scanner *scanner, const struct view *view, const char *name)
{
	for (size_t i = 0; i < OPERAND_COUNT; i++) {
		if (strcmp(operand_text_of(operands[i].operand), name) == 0) {
			return check_operand(scanner, view, i);
		}
	}
	return 0;
}

/* After `quantity` or `unit_price`: `* unit_price`, `* quantity`. */
static int parse_product(struct scanner *scanner, struct operand *operand)
{
	bool begins_with_quantity = operand->source == OPERAND_QUANTITY;
	bool may_be_line = begins_with_quantity ||
			   (operand->source == OPERAND_MONEY && operand->field == FIELD_UNIT_PRICE);

	if (!may_be_line || !scanner_take_sign(scanner, "*")) {
		return 0;
	}
	if (!scanner_is(scanner, TOKEN_WORD, begins_with_quantity ? "unit_price" : "quantity")) {
		return scanner_fail(scanner, "only quantity * unit_price can be multiplied");
	}
	scanner_next(scanner);
	*operand = (struct operand){.source = OPERAND_LINE, .field = FIELD_UNIT_PRICE};
	return 0;
}

int parse_operand(struct scanner *scanner, const struct view *view, struct operand *ret_operand)
{
	const char *names[OPERAND_COUNT];

	for (size_t i = 0; i < OPERAND_COUNT; i++) {
		names[i] = operand_text_of(operands[i].operand);
	}
	int index = scanner_choose(scanner, "field", names, OPERAND_COUNT);
	int r = index < 0 ? index : check_operand(scanner, view, (size_t)index);
	if (r < 0) {
		return r;
	}
	scanner_next(scanner);
	struct operand operand = operands[index].operand;
	if (!view_counts_baskets(view)) {
		r = parse_product(scanner, &operand);
	} else if (operand_type_of(operand) == TYPE_MONEY) {
		operand.source = OPERAND_BASKET_AMOUNT;
	}
	if (r == 0) {
		*ret_operand = operand;
	}
	return r;
}

static bool parse_integer(const char *text, money *ret_number)
{
	char *end = NULL;

	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != 0) {
		return false;
	}
	*ret_number = value;
	return true;
}

static bool parse_literal(enum operand_type type, const char *text, struct condition *condition)
{
	int64_t number = 0;
	int r = 0;

	switch (type) {
	case TYPE_INTEGER:
		return parse_integer(text, &condition->number);
	case TYPE_MONEY:
		r = money_parse_text(slice_of_text(text), &number);
		break;
	case TYPE_TIME:
		r = timestamp_parse_text(slice_of_text(text), NULL, &number);
		break;
	case TYPE_TEXT:
		snprintf(condition->text, sizeof condition->text, "%s", text);
		return text[0] !=
		       0; /* an empty text is an absent one, and that passes no condition */
	}
	condition->number = number;
	return r == 0;
}

/* `kind = order`: is it one that the view counts, and are there others? */
static int check_kind_condition(
	struct scanner *scanner, const struct view *view, enum comparison comparison)
{
	const char *counted[VIEW_KIND_VIEW + 1];
	size_t count = 0;

	if (comparison != IS_EQUAL && comparison != IS_UNEQUAL) {
		return scanner_fail(scanner, "kind is compared by = and != alone");
	}
	for (unsigned kind = VIEW_KIND_ORDER; kind <= VIEW_KIND_VIEW; kind++) {
		if ((view->kinds >> kind & 1) != 0) {
			counted[count++] = view_kind_name((enum view_kind)kind);
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (strcmp(scanner->word, counted[i]) == 0) {
			return 0;
		}
	}
	return scanner_fail_word(scanner, "kind in this view", counted, count);
}

/* What no condition can be of. */
static int check_conditional(
	struct scanner *scanner, const struct view *view, const struct operand *operand)
{
	if (operand->source == OPERAND_BASKET) {
		return scanner_fail(scanner, "basket can only be counted, by distinct(basket)");
	}
	if (operand->source == OPERAND_KIND && !view_has_several_kinds(view)) {
		return scanner_fail(scanner,
			"all events of this view are of kind %s; a condition on kind needs "
			"several, such as kind = order, cart",
			view_kind_name(view->kind));
	}
	return 0;
}

static int parse_condition(struct scanner *scanner, struct view *view)
{
	static const char *const wanted[] = {"a whole number", "a decimal number",
		"a time such as \"2010-12-01T08:26Z\"", "a text that is not empty"};
	struct condition *condition = &view->conditions[view->condition_count];

	int r = parse_operand(scanner, view, &condition->operand);
	if (r == 0) {
		r = check_conditional(scanner, view, &condition->operand);
	}
	if (r < 0) {
		return r;
	}
	size_t sign = 0;
	while (sign < COMPARISON_COUNT &&
		!scanner_is(scanner, TOKEN_SIGN, comparison_signs[sign])) {
		sign++;
	}
	if (sign == COMPARISON_COUNT) {
		return scanner_fail_expected(scanner, "one of = != < <= > >=");
	}
	condition->comparison = (enum comparison)sign;
	scanner_next(scanner);
	if (sign == IS_EQUAL && scanner_is(scanner, TOKEN_SIGN, "=")) {
		return scanner_fail(scanner, "one = compares; \"==\" is none of = != < <= > >=");
	}
	enum operand_type type = operand_type_of(condition->operand);
	if (scanner->token != TOKEN_WORD && scanner->token != TOKEN_QUOTED) {
		return scanner_fail_expected(scanner, wanted[type]);
	}
	if (!parse_literal(type, scanner->word, condition)) {
		return scanner_fail(scanner, "%s is compared with %s, and \"%s\" is none",
			operand_text_of(condition->operand), wanted[type], scanner->word);
	}
	if (condition->operand.source == OPERAND_KIND) {
		r = check_kind_condition(scanner, view, condition->comparison);
		if (r < 0) {
			return r;
		}
	}
	scanner_next(scanner);
	view->condition_count++;
	return 0;
}

static int check_room(struct scanner *scanner, const struct view *view, size_t count)
{
	if (count == WHERE_CONDITIONS_MAX) {
		return scanner_fail(scanner, "at most %d conditions", WHERE_CONDITIONS_MAX);
	}
	if (view->condition_count == VIEW_CONDITIONS_MAX) {
		return scanner_fail(scanner,
			"at most %d conditions in a view, with those of its measures",
			VIEW_CONDITIONS_MAX);
	}
	return 0;
}

int parse_where(struct scanner *scanner, struct view *view, struct condition_range *ret_where)
{
	struct condition_range where = {.first = view->condition_count};

	do {
		int r = check_room(scanner, view, where.count);
		if (r == 0) {
			r = parse_condition(scanner, view);
		}
		if (r < 0) {
			return r;
		}
		where.count++;
		if (scanner->token == TOKEN_END || scanner_is(scanner, TOKEN_SIGN, ",")) {
			*ret_where = where;
			return 0;
		}
		if (!scanner_is(scanner, TOKEN_WORD, "and")) {
			return scanner_fail_expected(scanner, "\"and\"");
		}
		scanner_next(scanner);
	} while (true);
}

/* ---- what can be written, and never be */

/* In capital letters, if that makes a currency of it; else nothing. */
static void currency_meant(const char *text, char ret_meant[CURRENCY_SIZE + 1])
{
	snprintf(ret_meant, CURRENCY_SIZE + 1, "%s", text);
	for (size_t i = 0; ret_meant[i] != '\0'; i++) {
		ret_meant[i] = (char)toupper((unsigned char)ret_meant[i]);
	}
	if (strlen(text) != CURRENCY_SIZE || !currency_is_valid(slice_of_text(ret_meant))) {
		ret_meant[0] = '\0';
	}
}

/* What events have: carts bear these two words, whatever the till wrote; other kinds what they like. */
static const char *action_meant(const char *text)
{
	static const char *const actions[] = {"add", "remove"};
	static const char *const aliases[] = {"add_to_cart", "remove_from_cart"};

	for (size_t i = 0; i < 2; i++) {
		if (strcmp(text, actions[i]) == 0) {
			return NULL;
		}
		if (strcmp(text, aliases[i]) == 0) {
			return actions[i];
		}
	}
	const char *near = suggest_word(slice_of_text(text), actions, 2);
	return near != NULL ? near : "";
}

static int check_condition(
	struct scanner *scanner, const struct view *view, const struct condition *condition)
{
	char currency[CURRENCY_SIZE + 1];
	bool is_text = condition->operand.source == OPERAND_TEXT &&
		       (condition->comparison == IS_EQUAL || condition->comparison == IS_UNEQUAL);
	const char *meant = NULL, *wanted = NULL;

	if (is_text && condition->operand.field == FIELD_CURRENCY &&
		!currency_is_valid(slice_of_text(condition->text))) {
		currency_meant(condition->text, currency);
		meant = currency;
		wanted = "currency is three capital letters, such as EUR";
	}
	if (is_text && condition->operand.field == FIELD_ACTION && view->kinds == OF_CART) {
		meant = action_meant(condition->text);
		wanted = "action of a cart event is add or remove";
	}
	if (meant == NULL) {
		return 0;
	}
	return scanner_fail(scanner, "%s, and \"%s\" is not%s%s%s", wanted, condition->text,
		meant[0] != '\0' ? "; did you mean \"" : "", meant, meant[0] != '\0' ? "\"?" : "");
}

/* quantity * unit_price begins with a field that carts have, too. */
static int check_line(struct scanner *scanner, const struct view *view, struct operand operand)
{
	return operand.source == OPERAND_LINE ? check_field(scanner, view, "unit_price") : 0;
}

int view_check_sense(const struct view *view, char *error, size_t error_size)
{
	struct scanner scanner = {.view_name = view->name,
		.key = "measures",
		.error = error,
		.error_size = error_size};
	int r = 0;

	for (size_t i = 0; i < view->measure_count && r == 0; i++) {
		r = check_line(&scanner, view, view->measures[i].operand);
	}
	for (size_t i = 0; i < view->condition_count && r == 0; i++) {
		bool is_own = i >= view->where.first && i < view->where.first + view->where.count;
		scanner.key = is_own ? "where" : "measures";
		r = check_line(&scanner, view, view->conditions[i].operand);
		r = r == 0 ? check_condition(&scanner, view, &view->conditions[i]) : r;
	}
	return r;
}

/* ---- writing them */

static void write_quoted(struct buffer *text, const char *literal)
{
	buffer_append_byte(text, '"');
	for (const char *c = literal; *c != 0; c++) {
		if (*c == '"') {
			buffer_append_byte(text, '"');
		}
		buffer_append_byte(text, (uint8_t)*c);
	}
	buffer_append_byte(text, '"');
}

static void write_literal(const struct condition *condition, struct buffer *text)
{
	char number[MONEY_TEXT_SIZE + TIMESTAMP_TEXT_SIZE] = "";

	switch (operand_type_of(condition->operand)) {
	case TYPE_INTEGER:
		snprintf(number, sizeof number, "%" PRId64, (int64_t)condition->number);
		break;
	case TYPE_MONEY:
		number[money_format(condition->number, number)] = 0;
		break;
	case TYPE_TIME:
		number[timestamp_format((int64_t)condition->number, number)] = 0;
		break;
	case TYPE_TEXT:
		write_quoted(text, condition->text);
		return;
	}
	buffer_append_text(text, number);
}

void write_where(const struct view *view, struct condition_range where, struct buffer *text)
{
	for (size_t i = 0; i < where.count; i++) {
		const struct condition *condition = &view->conditions[where.first + i];
		buffer_append_text(text, i == 0 ? "" : " and ");
		buffer_append_text(text, operand_text_of(condition->operand));
		buffer_append_byte(text, ' ');
		buffer_append_text(text, comparison_signs[condition->comparison]);
		buffer_append_byte(text, ' ');
		write_literal(condition, text);
	}
}
