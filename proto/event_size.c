/* How large an event will be in normal form, before it has its certificate. */
#include "proto/event_fields.h"

static size_t integer_size(int64_t value)
{
	if (value >= -32 && value < 128) {
		return 1;
	}
	if (value >= INT8_MIN && value <= UINT8_MAX) {
		return 2;
	}
	if (value >= INT16_MIN && value <= UINT16_MAX) {
		return 3;
	}
	return value >= INT32_MIN && value <= (int64_t)UINT32_MAX ? 5 : 9;
}

static size_t text_size(size_t size)
{
	if (size < 32) {
		return 1 + size;
	}
	if (size <= UINT8_MAX) {
		return 2 + size;
	}
	return size <= UINT16_MAX ? 3 + size : 5 + size;
}

static size_t container_size(uint32_t count)
{
	if (count < 16) {
		return 1;
	}
	return count <= UINT16_MAX ? 3 : 5;
}

/* One node that came as JSON, without its children: they are the nodes behind it. */
static size_t json_node_size(const struct node *node)
{
	int64_t number;

	switch (node->type) {
	case NODE_NIL:
	case NODE_BOOL:
		return 1;
	case NODE_TEXT:
		return text_size(node->text.size);
	case NODE_ARRAY:
	case NODE_MAP:
		return container_size(node->count);
	default:
		return node_integer(node, &number) ? integer_size(number) : 9;
	}
}

static size_t value_size(const struct node *value, enum encoding encoding)
{
	size_t size = 0;

	if (encoding == ENCODING_MSGPACK && value->raw.bytes != NULL) {
		return value->raw.size;
	}
	for (const struct node *node = value; node != node_next(value); node++) {
		size += json_node_size(node);
	}
	return size;
}

static size_t field_size(const struct event *event, enum field field)
{
	char digits[MONEY_TEXT_SIZE];

	switch (field_specs[field].type) {
	case TYPE_TIME:
		return integer_size(event->ts_ms);
	case TYPE_INTEGER:
		return integer_size(event->quantity);
	case TYPE_MONEY:
		return text_size(money_format(event_money(event, field), digits));
	default:
		return text_size(event->text[field].size);
	}
}

static size_t certificate_size_max(enum kind kind)
{
	return text_size(strlen("kind")) + text_size(strlen(kind_name(kind))) +
	       text_size(strlen("edge")) + text_size(EDGE_ID_SIZE_MAX) + text_size(strlen("run")) +
	       integer_size((int64_t)RUN_MAX) + text_size(strlen("seq")) + integer_size(INT64_MAX);
}

size_t event_size_max(const struct event *event)
{
	uint32_t field_count = (uint32_t)__builtin_popcount(event->present);
	size_t size = container_size(CERTIFICATE_PAIRS + field_count + event->extra_count) +
		      certificate_size_max(event->kind);
	struct extra_field extra;
	const struct node *position = NULL;

	for (uint32_t left = event->present; left != 0; left &= left - 1) {
		enum field field = (enum field)__builtin_ctz(left);
		size += text_size(strlen(field_name(field))) + field_size(event, field);
	}
	while (event_next_extra(event, &position, &extra)) {
		size += text_size(extra.key->text.size) + value_size(extra.value, event->encoding);
	}
	return size;
}
