#include "aggregator/view/view_operand.h"
#include <assert.h>

enum operand_type operand_type_of(struct operand operand)
{
	switch (operand.source) {
	case OPERAND_QUANTITY:
	case OPERAND_BASKET_LINES:
	case OPERAND_COLUMN_INTEGER:
		return TYPE_INTEGER;
	case OPERAND_MONEY:
	case OPERAND_REVENUE:
	case OPERAND_LINE:
	case OPERAND_BASKET_AMOUNT:
	case OPERAND_COLUMN_MONEY:
		return TYPE_MONEY;
	case OPERAND_TS:
	case OPERAND_COLUMN_TIME:
		return TYPE_TIME;
	case OPERAND_TEXT:
	case OPERAND_EDGE:
	case OPERAND_KIND:
	case OPERAND_BASKET:
	case OPERAND_COLUMN_TEXT:
		return TYPE_TEXT;
	}
	return TYPE_TEXT;
}

const char *operand_text_of(struct operand operand)
{
	switch (operand.source) {
	case OPERAND_QUANTITY:
		return "quantity";
	case OPERAND_REVENUE:
		return "revenue";
	case OPERAND_LINE:
		return "quantity * unit_price";
	case OPERAND_TS:
		return "ts";
	case OPERAND_EDGE:
		return "edge";
	case OPERAND_KIND:
		return "kind";
	case OPERAND_BASKET:
		return "basket";
	case OPERAND_BASKET_AMOUNT:
		return "amount";
	case OPERAND_BASKET_LINES:
		return "lines";
	case OPERAND_MONEY:
	case OPERAND_TEXT:
		return field_name(operand.field);
	case OPERAND_COLUMN_INTEGER:
	case OPERAND_COLUMN_MONEY:
	case OPERAND_COLUMN_TIME:
	case OPERAND_COLUMN_TEXT:
		break;
	}
	return "";
}

static int64_t money_field(const struct event *event, enum field field)
{
	switch (field) {
	case FIELD_UNIT_PRICE:
		return event->unit_price;
	case FIELD_AMOUNT:
		return event->amount;
	case FIELD_DISCOUNT:
		return event->discount;
	default:
		return event->tax;
	}
}

static bool has_line(const struct event *event)
{
	return event_has(event, FIELD_QUANTITY) && event_has(event, FIELD_UNIT_PRICE);
}

bool operand_number(struct operand operand, const struct event *event, money *ret_number)
{
	switch (operand.source) {
	case OPERAND_QUANTITY:
		*ret_number = event->quantity;
		return event_has(event, FIELD_QUANTITY);
	case OPERAND_MONEY:
		*ret_number = money_field(event, operand.field);
		return event_has(event, operand.field);
	case OPERAND_REVENUE:
		*ret_number = event_revenue(event);
		return event_has(event, FIELD_AMOUNT) || has_line(event);
	case OPERAND_LINE:
		*ret_number = (money)event->quantity * event->unit_price;
		return has_line(event);
	case OPERAND_TS:
		*ret_number = event->ts_ms;
		return event_has(event, FIELD_TS);
	case OPERAND_BASKET_AMOUNT:
		*ret_number = event->basket_amount;
		return true;
	case OPERAND_BASKET_LINES:
		*ret_number = event->basket_lines;
		return true;
	case OPERAND_TEXT:
	case OPERAND_EDGE:
	case OPERAND_KIND:
	case OPERAND_BASKET:
	case OPERAND_COLUMN_INTEGER:
	case OPERAND_COLUMN_MONEY:
	case OPERAND_COLUMN_TIME:
	case OPERAND_COLUMN_TEXT:
		break;
	}
	assert(false); /* a text is no number */
	return false;
}

bool operand_text(struct operand operand, const struct event *event, struct slice *ret_text)
{
	assert(operand_type_of(operand) == TYPE_TEXT && operand.source != OPERAND_BASKET);
	switch (operand.source) {
	case OPERAND_EDGE:
		*ret_text = event->certificate.edge;
		break;
	case OPERAND_KIND:
		*ret_text = slice_of_text(kind_name(event->kind));
		break;
	default:
		*ret_text = event->text[operand.field];
	}
	return ret_text->size > 0;
}
