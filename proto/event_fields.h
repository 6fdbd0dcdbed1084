/* event_fields.h - the table of fields: names, aliases, types, kinds. For event_*.c only.
 * PROTOCOL.md, 2.1, is this table in words. */
#pragma once
#include "proto/event.h"

enum { CERTIFICATE_PAIRS = 4 }; /* kind, edge, run, seq */

/* Every name that means something, shortest first: the lookup goes by length. */
enum name {
	NAME_TS,
	NAME_ID,
	NAME_QTY,
	NAME_RUN,
	NAME_SEQ,
	NAME_SKU,
	NAME_TAX,
	NAME_KIND,
	NAME_EDGE,
	NAME_PAGE,
	NAME_TYPE,
	NAME_PRICE,
	NAME_AMOUNT,
	NAME_ACTION,
	NAME_USER_ID,
	NAME_PRODUCT,
	NAME_CHANNEL,
	NAME_PAYMENT,
	NAME_ORDER_ID,
	NAME_QUANTITY,
	NAME_CURRENCY,
	NAME_CATEGORY,
	NAME_DISCOUNT,
	NAME_EVENT_ID,
	NAME_REJECTED,
	NAME_TIMESTAMP,
	NAME_PRODUCT_ID,
	NAME_UNIT_PRICE,
	NAME_EVENT_TIME,
	NAME_CUSTOMER_ID,
	NAME_TOTAL_PRICE,
	NAME_EVENT_TIME_MS,
	NAME_SALES_CHANNEL,
	NAME_PAYMENT_METHOD,
	NAME_COUNT,
};

/* What a name stands for: a field, or one of these. */
enum {
	SLOT_KIND = FIELD_COUNT,
	SLOT_EDGE,
	SLOT_RUN,
	SLOT_SEQ,
	SLOT_REJECTED,
};

struct known_name {
	const char *text;
	uint8_t slot;
	bool is_alias;
};

enum field_type {
	TYPE_TIME,
	TYPE_ID,
	TYPE_TEXT,
	TYPE_INTEGER,
	TYPE_MONEY,
	TYPE_CURRENCY,
	TYPE_ACTION,
};

enum { FIELD_NAMES_MAX = 4 };

struct field_spec {
	enum field_type type;
	uint16_t size_max; /* text only */
	uint8_t name_count;
	uint8_t names[FIELD_NAMES_MAX]; /* enum name: the canonical one, then its aliases */
};

extern const struct known_name known_names[NAME_COUNT];
extern const struct field_spec field_specs[FIELD_COUNT];

/* Bits (1 << FIELD_X) of the fields that an event of this kind has, and that it must have. */
uint32_t fields_of_kind(enum kind kind);
uint32_t fields_required(enum kind kind);

static inline uint32_t field_bit(enum field field)
{
	return UINT32_C(1) << field;
}

/* NAME_COUNT when till does not know the name. */
enum name name_lookup(struct slice text);

/* The values of one map by name; NULL when absent. */
struct field_values {
	const struct node *of[NAME_COUNT];
};
void field_values_collect(const struct node *map, struct field_values *ret_values);

/* The money fields by their enum. */
int64_t event_money(const struct event *event, enum field field);
void event_set_money(struct event *event, enum field field, int64_t micros);
/* The slot of id_digits that belongs to an id field. */
char *event_id_digits(struct event *event, enum field field);

/* Bytes of the normal form as msgpack, under the longest certificate. */
size_t event_size_max(const struct event *event);
