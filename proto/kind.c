#include "proto/event.h"

static const char *const names[KIND_COUNT] = {
	[KIND_ORDER] = "order",
	[KIND_CART] = "cart",
	[KIND_VIEW] = "view",
	[KIND_ORDER_DLQ] = "order.dlq",
	[KIND_CART_DLQ] = "cart.dlq",
	[KIND_VIEW_DLQ] = "view.dlq",
};

const char *kind_name(enum kind kind)
{
	return names[kind];
}

bool kind_from_name(struct slice name, enum kind *ret_kind)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		if (slice_equals_text(name, names[kind])) {
			*ret_kind = (enum kind)kind;
			return true;
		}
	}
	return false;
}
