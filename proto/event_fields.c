#include "proto/event_fields.h"

#include <assert.h>

const struct known_name known_names[NAME_COUNT] = {
	[NAME_TS] = {"ts", FIELD_TS, false},
	[NAME_ID] = {"id", FIELD_ORDER_ID, true},
	[NAME_QTY] = {"qty", FIELD_QUANTITY, true},
	[NAME_RUN] = {"run", SLOT_RUN, false},
	[NAME_SEQ] = {"seq", SLOT_SEQ, false},
	[NAME_SKU] = {"sku", FIELD_PRODUCT_ID, true},
	[NAME_TAX] = {"tax", FIELD_TAX, false},
	[NAME_KIND] = {"kind", SLOT_KIND, false},
	[NAME_EDGE] = {"edge", SLOT_EDGE, false},
	[NAME_PAGE] = {"page", FIELD_PAGE, false},
	[NAME_TYPE] = {"type", SLOT_KIND, true},
	[NAME_PRICE] = {"price", FIELD_UNIT_PRICE, true},
	[NAME_AMOUNT] = {"amount", FIELD_AMOUNT, false},
	[NAME_ACTION] = {"action", FIELD_ACTION, false},
	[NAME_USER_ID] = {"user_id", FIELD_USER_ID, false},
	[NAME_PRODUCT] = {"product", FIELD_PRODUCT_ID, true},
	[NAME_CHANNEL] = {"channel", FIELD_CHANNEL, false},
	[NAME_PAYMENT] = {"payment", FIELD_PAYMENT, false},
	[NAME_ORDER_ID] = {"order_id", FIELD_ORDER_ID, false},
	[NAME_QUANTITY] = {"quantity", FIELD_QUANTITY, false},
	[NAME_CURRENCY] = {"currency", FIELD_CURRENCY, false},
	[NAME_CATEGORY] = {"category", FIELD_CATEGORY, false},
	[NAME_DISCOUNT] = {"discount", FIELD_DISCOUNT, false},
	[NAME_EVENT_ID] = {"event_id", FIELD_EVENT_ID, false},
	[NAME_REJECTED] = {"rejected", SLOT_REJECTED, false},
	[NAME_TIMESTAMP] = {"timestamp", FIELD_TS, true},
	[NAME_PRODUCT_ID] = {"product_id", FIELD_PRODUCT_ID, false},
	[NAME_UNIT_PRICE] = {"unit_price", FIELD_UNIT_PRICE, false},
	[NAME_EVENT_TIME] = {"event_time", FIELD_TS, true},
	[NAME_CUSTOMER_ID] = {"customer_id", FIELD_USER_ID, true},
	[NAME_TOTAL_PRICE] = {"total_price", FIELD_AMOUNT, true},
	[NAME_EVENT_TIME_MS] = {"event_time_ms", FIELD_TS, true},
	[NAME_SALES_CHANNEL] = {"sales_channel", FIELD_CHANNEL, true},
	[NAME_PAYMENT_METHOD] = {"payment_method", FIELD_PAYMENT, true},
};

const struct field_spec field_specs[FIELD_COUNT] = {
	[FIELD_TS] = {TYPE_TIME, 0, 4,
		{NAME_TS, NAME_TIMESTAMP, NAME_EVENT_TIME_MS, NAME_EVENT_TIME}},
	[FIELD_EVENT_ID] = {TYPE_ID, EVENT_ID_SIZE_MAX, 1, {NAME_EVENT_ID}},
	[FIELD_ORDER_ID] = {TYPE_ID, ID_SIZE_MAX, 2, {NAME_ORDER_ID, NAME_ID}},
	[FIELD_PRODUCT_ID] = {TYPE_ID, ID_SIZE_MAX, 3, {NAME_PRODUCT_ID, NAME_PRODUCT, NAME_SKU}},
	[FIELD_QUANTITY] = {TYPE_INTEGER, 0, 2, {NAME_QUANTITY, NAME_QTY}},
	[FIELD_UNIT_PRICE] = {TYPE_MONEY, 0, 2, {NAME_UNIT_PRICE, NAME_PRICE}},
	[FIELD_AMOUNT] = {TYPE_MONEY, 0, 2, {NAME_AMOUNT, NAME_TOTAL_PRICE}},
	[FIELD_DISCOUNT] = {TYPE_MONEY, 0, 1, {NAME_DISCOUNT}},
	[FIELD_TAX] = {TYPE_MONEY, 0, 1, {NAME_TAX}},
	[FIELD_CURRENCY] = {TYPE_CURRENCY, CURRENCY_SIZE, 1, {NAME_CURRENCY}},
	[FIELD_USER_ID] = {TYPE_ID, ID_SIZE_MAX, 2, {NAME_USER_ID, NAME_CUSTOMER_ID}},
	[FIELD_CATEGORY] = {TYPE_TEXT, TEXT_SIZE_MAX, 1, {NAME_CATEGORY}},
	[FIELD_CHANNEL] = {TYPE_TEXT, TEXT_SIZE_MAX, 2, {NAME_CHANNEL, NAME_SALES_CHANNEL}},
	[FIELD_PAYMENT] = {TYPE_TEXT, TEXT_SIZE_MAX, 2, {NAME_PAYMENT, NAME_PAYMENT_METHOD}},
	[FIELD_ACTION] = {TYPE_ACTION, TEXT_SIZE_MAX, 1, {NAME_ACTION}},
	[FIELD_PAGE] = {TYPE_TEXT, TEXT_SIZE_MAX, 1, {NAME_PAGE}},
};

#define BIT(field) (UINT32_C(1) << (field))
#define FIELDS_OF_ALL                                                                              \
	(BIT(FIELD_TS) | BIT(FIELD_EVENT_ID) | BIT(FIELD_PRODUCT_ID) | BIT(FIELD_USER_ID) |        \
		BIT(FIELD_CATEGORY) | BIT(FIELD_CHANNEL) | BIT(FIELD_PAYMENT) |                    \
		BIT(FIELD_ACTION) | BIT(FIELD_PAGE))

uint32_t fields_of_kind(enum kind kind)
{
	static const uint32_t fields[KIND_EVENT_COUNT] = {
		[KIND_ORDER] = FIELDS_OF_ALL | BIT(FIELD_ORDER_ID) | BIT(FIELD_QUANTITY) |
			       BIT(FIELD_UNIT_PRICE) | BIT(FIELD_AMOUNT) | BIT(FIELD_DISCOUNT) |
			       BIT(FIELD_TAX) | BIT(FIELD_CURRENCY),
		[KIND_CART] = FIELDS_OF_ALL | BIT(FIELD_QUANTITY),
		[KIND_VIEW] = FIELDS_OF_ALL,
	};

	assert(!kind_is_dead_letter(kind));
	return fields[kind];
}

/* With their defaults filled in. An order's unit_price or amount is a rule of its own. */
uint32_t fields_required(enum kind kind)
{
	static const uint32_t fields[KIND_EVENT_COUNT] = {
		[KIND_ORDER] = BIT(FIELD_TS) | BIT(FIELD_ORDER_ID) | BIT(FIELD_PRODUCT_ID) |
			       BIT(FIELD_QUANTITY) | BIT(FIELD_CURRENCY),
		[KIND_CART] = BIT(FIELD_TS) | BIT(FIELD_PRODUCT_ID) | BIT(FIELD_QUANTITY) |
			      BIT(FIELD_ACTION),
		[KIND_VIEW] = BIT(FIELD_TS),
	};

	assert(!kind_is_dead_letter(kind));
	return fields[kind];
}

enum { NAME_SIZE_MAX = 14 };

enum name name_lookup(struct slice text)
{
	/* Index: length; the names of this length end where those of the next begin. */
	static const uint8_t first[NAME_SIZE_MAX + 2] = {NAME_TS, NAME_TS, NAME_TS, NAME_QTY,
		NAME_KIND, NAME_PRICE, NAME_AMOUNT, NAME_USER_ID, NAME_ORDER_ID, NAME_TIMESTAMP,
		NAME_PRODUCT_ID, NAME_CUSTOMER_ID, NAME_EVENT_TIME_MS, NAME_EVENT_TIME_MS,
		NAME_PAYMENT_METHOD, NAME_COUNT};

	if (text.size > NAME_SIZE_MAX) {
		return NAME_COUNT;
	}
	for (unsigned i = first[text.size]; i < first[text.size + 1]; i++) {
		if (known_names[i].text[0] == (char)text.bytes[0] &&
			memcmp(known_names[i].text, text.bytes, text.size) == 0) {
			return (enum name)i;
		}
	}
	return NAME_COUNT;
}

void field_values_collect(const struct node *map, struct field_values *ret_values)
{
	const struct node *key = node_first(map);

	*ret_values = (struct field_values){{NULL}};
	for (uint32_t i = 0; i < map->count; i++) {
		const struct node *value = node_next(key);
		enum name name = name_lookup(key->text);
		if (name != NAME_COUNT) {
			ret_values->of[name] = value;
		}
		key = node_next(value);
	}
}

const char *field_name(enum field field)
{
	return known_names[field_specs[field].names[0]].text;
}

bool field_from_alias(struct slice name, enum field *ret_field)
{
	enum name found = name_lookup(name);

	if (found == NAME_COUNT || known_names[found].slot >= FIELD_COUNT) {
		return false;
	}
	*ret_field = (enum field)known_names[found].slot;
	return true;
}

bool field_from_name(struct slice name, enum field *ret_field)
{
	enum name found = name_lookup(name);

	return found != NAME_COUNT && !known_names[found].is_alias &&
	       field_from_alias(name, ret_field);
}

static const int64_t *money_of(const struct event *event, enum field field)
{
	switch (field) {
	case FIELD_UNIT_PRICE:
		return &event->unit_price;
	case FIELD_AMOUNT:
		return &event->amount;
	case FIELD_DISCOUNT:
		return &event->discount;
	default:
		assert(field == FIELD_TAX);
		return &event->tax;
	}
}

int64_t event_money(const struct event *event, enum field field)
{
	return *money_of(event, field);
}

void event_set_money(struct event *event, enum field field, int64_t micros)
{
	*(int64_t *)money_of(event, field) = micros;
}

char *event_id_digits(struct event *event, enum field field)
{
	switch (field) {
	case FIELD_EVENT_ID:
		return event->id_digits[0];
	case FIELD_ORDER_ID:
		return event->id_digits[1];
	case FIELD_PRODUCT_ID:
		return event->id_digits[2];
	default:
		assert(field == FIELD_USER_ID);
		return event->id_digits[3];
	}
}

/* In a producer's event aliases are names of known fields; in normal form they are foreign names like any other. */
static bool name_is_known_here(const struct event *event, enum name name)
{
	if (name == NAME_COUNT || (known_names[name].is_alias && !event->has_aliases)) {
		return false;
	}
	uint8_t slot = known_names[name].slot;
	return slot >= FIELD_COUNT || (fields_of_kind(event->kind) >> slot & 1) != 0;
}

bool event_next_extra(
	const struct event *event, const struct node **position, struct extra_field *ret_field)
{
	const struct node *end = event->map == NULL ? NULL : node_next(event->map);
	const struct node *key = *position;

	if (event->extra_count == 0) {
		return false;
	}
	if (key == NULL) {
		key = node_first(event->map);
	}
	while (key != end) {
		const struct node *value = node_next(key);
		*position = node_next(value);
		if (!name_is_known_here(event, name_lookup(key->text))) {
			*ret_field = (struct extra_field){key, value};
			return true;
		}
		key = *position;
	}
	return false;
}
