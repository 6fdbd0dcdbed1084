/* view_operand.h - what a measure or a condition reads from an event: a number, a point in time or a text. Pure. */
#pragma once
#include "proto/event.h"

enum operand_source {
	OPERAND_QUANTITY,
	OPERAND_MONEY, /* a money field */
	OPERAND_REVENUE, /* amount, else quantity x unit_price */
	OPERAND_LINE, /* quantity x unit_price */
	OPERAND_TS,
	OPERAND_TEXT, /* a text field */
	OPERAND_EDGE,
	OPERAND_KIND, /* "order", "cart", "view": in conditions of a view of several kinds */
	OPERAND_BASKET, /* (edge, order_id): one purchase; for distinct() */
	OPERAND_BASKET_AMOUNT, /* of a closed basket: the revenue of its lines, */
	OPERAND_BASKET_LINES, /* and their number */
	OPERAND_COLUMN_INTEGER, /* a column of a table, by its type: no event has it */
	OPERAND_COLUMN_MONEY,
	OPERAND_COLUMN_TIME,
	OPERAND_COLUMN_TEXT,
};

enum operand_type { TYPE_INTEGER, TYPE_MONEY, TYPE_TIME, TYPE_TEXT };

struct operand {
	enum operand_source source;
	enum field field; /* of OPERAND_MONEY and OPERAND_TEXT */
};

enum operand_type operand_type_of(struct operand operand);
/* As declarations write it: "quantity * unit_price". */
const char *operand_text_of(struct operand operand);

/* An integer, micros, or milliseconds; false when the event has no such field. Not for texts. */
bool operand_number(struct operand operand, const struct event *event, money *ret_number);
/* false when the event has no such field. Only for texts, except OPERAND_BASKET. */
bool operand_text(struct operand operand, const struct event *event, struct slice *ret_text);
