#include "proto/event_addition.h"
#include "proto/utf8.h"
#include <stdio.h>

bool event_addition_is_allowed(struct slice name)
{
	enum name known = name_lookup(name);

	if (known != NAME_COUNT && known_names[known].slot > SLOT_KIND) {
		return false;
	}
	return name.size > 0 && name.size <= ID_SIZE_MAX && utf8_is_valid(name);
}

/* A field that is there but empty takes the value; one with a value is compared later. */
static int put_addition(struct document *document, const struct event_addition *addition,
	struct complaint *complaint)
{
	const struct node *found = node_find_slice(document->nodes, addition->name);

	if (found == NULL) {
		return document_add_pair(document, addition->name, addition->value, complaint);
	}
	if (node_is_absent(found)) {
		struct node *node = &document->nodes[found - document->nodes];
		*node = (struct node){.type = NODE_TEXT, .span = 1, .text = addition->value};
	}
	return 0;
}

int event_additions_put(
	struct document *document, const struct event_rules *rules, struct complaint *complaint)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rules->addition_count; i++) {
		if (rules->additions[i].value.size > 0) {
			r = put_addition(document, &rules->additions[i], complaint);
		}
	}
	return r;
}

static int complain_differs(struct complaint *complaint, const struct event_addition *addition)
{
	char name[ID_SIZE_MAX + 1];

	memcpy(name, addition->name.bytes, addition->name.size);
	name[addition->name.size] = '\0';
	complaint_set(complaint, REASON_BAD_VALUE, name,
		"%s is \"%.*s\" by its source, and the event says something else", name,
		(int)addition->value.size, (const char *)addition->value.bytes);
	return REASON_BAD_VALUE;
}

/* As text, or as the digits of a number. */
static bool extra_agrees(const struct event *event, const struct event_addition *addition)
{
	const struct node *node = node_find_slice(event->map, addition->name);
	char digits[24];
	int64_t number;

	if (node == NULL || node->type == NODE_TEXT) {
		return node == NULL || slice_equal(node->text, addition->value);
	}
	if (!node_integer(node, &number)) {
		return false;
	}
	snprintf(digits, sizeof digits, "%lld", (long long)number);
	return slice_equals_text(addition->value, digits);
}

static bool field_agrees(const struct event *event, const struct event_addition *addition,
	enum field field, const struct value_rules *rules)
{
	struct node node = {.type = NODE_TEXT, .span = 1, .text = addition->value};
	struct value value;

	return value_read(rules, field, field_name(field), &node, &value) == 0 &&
	       value_is_kept(event, field, &value);
}

static bool addition_agrees(const struct event *event, const struct event_addition *addition,
	const struct value_rules *rules)
{
	enum name name = name_lookup(addition->name);
	uint8_t slot = name == NAME_COUNT ? FIELD_COUNT + 1 : known_names[name].slot;
	enum kind kind = event->kind;

	if (slot == SLOT_KIND) {
		return kind_from_alias(addition->value, &kind) && kind == event->kind;
	}
	if (slot > FIELD_COUNT ||
		(fields_of_kind(event->kind) & field_bit((enum field)slot)) == 0) {
		return extra_agrees(event, addition);
	}
	return field_agrees(event, addition, (enum field)slot, rules);
}

int event_additions_agree(const struct event *event, const struct event_rules *rules,
	const struct value_rules *value_rules)
{
	for (size_t i = 0; i < rules->addition_count; i++) {
		const struct event_addition *addition = &rules->additions[i];
		if (addition->value.size > 0 && !addition_agrees(event, addition, value_rules)) {
			return complain_differs(value_rules->complaint, addition);
		}
	}
	return 0;
}
