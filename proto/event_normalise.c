/* What a producer sent becomes an event: kind, reserved fields, known fields under any of their names, defaults,
 * required fields, size; in this order, which PROTOCOL.md promises. */
#include "proto/event_addition.h"

#include <assert.h>

struct intake {
	struct value_rules value_rules;
	struct field_values values;
	struct event *event;
	uint32_t used; /* pairs of the map that till knows */
};

static int read_kind_value(
	const char *name, const struct node *node, enum kind *ret_kind, struct complaint *complaint)
{
	char words[NODE_WORDS_SIZE];
	enum kind kind;

	if (node->type != NODE_TEXT) {
		complaint_set(complaint, REASON_BAD_TYPE, "kind", "%s must be text, not %s", name,
			node_type_name(node->type));
		return REASON_BAD_TYPE;
	}
	if (!kind_from_alias(node->text, &kind)) {
		node_describe(node, words);
		complaint_set(complaint, REASON_UNKNOWN_KIND, "kind",
			"%s %s is none of order, cart, view", name, words);
		return REASON_UNKNOWN_KIND;
	}
	*ret_kind = kind;
	return 0;
}

static int read_kind(struct intake *intake, enum kind *ret_kind)
{
	static const enum name names[] = {NAME_KIND, NAME_TYPE};
	struct complaint *complaint = intake->value_rules.complaint;
	bool is_set = false;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct node *node = intake->values.of[names[i]];
		enum kind kind;
		intake->used += node != NULL;
		if (node_is_absent(node)) {
			continue;
		}
		int r = read_kind_value(known_names[names[i]].text, node, &kind, complaint);
		if (r != 0) {
			return r;
		}
		if (is_set && kind != *ret_kind) {
			complaint_set(complaint, REASON_BAD_VALUE, "kind",
				"kind and its alias type differ");
			return REASON_BAD_VALUE;
		}
		*ret_kind = kind;
		is_set = true;
	}
	return 0;
}

static int refuse_reserved(const struct intake *intake)
{
	static const enum name reserved[] = {NAME_EDGE, NAME_RUN, NAME_SEQ, NAME_REJECTED};

	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
		const char *name = known_names[reserved[i]].text;
		if (intake->values.of[reserved[i]] != NULL) {
			complaint_set(intake->value_rules.complaint, REASON_RESERVED_FIELD, name,
				"%s is set by the edge; a producer can't send it", name);
			return REASON_RESERVED_FIELD;
		}
	}
	return 0;
}

/* One field under each of its names. */
static int read_field(struct intake *intake, enum field field)
{
	const struct field_spec *spec = &field_specs[field];
	const char *first = NULL;
	struct value value;

	for (uint8_t i = 0; i < spec->name_count; i++) {
		const struct node *node = intake->values.of[spec->names[i]];
		const char *name = known_names[spec->names[i]].text;
		if (node == NULL) {
			continue;
		}
		intake->used++;
		int r = value_read(&intake->value_rules, field, name, node, &value);
		if (r != 0) {
			return r;
		}
		if (value.is_absent) {
			continue;
		}
		if (first != NULL && !value_is_kept(intake->event, field, &value)) {
			complaint_set(intake->value_rules.complaint, REASON_BAD_VALUE,
				field_name(field), "%s and %s are the same field and differ", first,
				name);
			return REASON_BAD_VALUE;
		}
		if (first == NULL) {
			event_keep_value(intake->event, field, &value);
			first = name;
		}
	}
	return 0;
}

static int read_fields(struct intake *intake)
{
	uint32_t fields = fields_of_kind(intake->event->kind);

	for (int field = 0; field < FIELD_COUNT; field++) {
		if ((fields >> field & 1) == 0) {
			continue;
		}
		int r = read_field(intake, (enum field)field);
		if (r != 0) {
			return r;
		}
	}
	return 0;
}

static void fill_defaults(struct event *event, const struct event_rules *rules)
{
	uint32_t missing = fields_of_kind(event->kind) & ~event->present;

	if ((missing & field_bit(FIELD_TS)) != 0) {
		event->ts_ms = rules->received_ms;
		event->present |= field_bit(FIELD_TS);
	}
	if ((missing & field_bit(FIELD_QUANTITY)) != 0) {
		event->quantity = 1;
		event->present |= field_bit(FIELD_QUANTITY);
	}
	if ((missing & field_bit(FIELD_CURRENCY)) != 0) {
		assert(strlen(rules->default_currency) == CURRENCY_SIZE);
		event->text[FIELD_CURRENCY] = slice_of_text(rules->default_currency);
		event->present |= field_bit(FIELD_CURRENCY);
	}
}

static int refuse_size(size_t size, size_t size_max, const char *of, struct complaint *complaint)
{
	if (size <= size_max) {
		return 0;
	}
	complaint_set(complaint, REASON_TOO_LARGE, "",
		"the event has %zu bytes %s; at most %zu are allowed", size, of, size_max);
	return REASON_TOO_LARGE;
}

static int check_event(const struct event *event, const struct event_rules *rules,
	size_t received_size, struct complaint *complaint)
{
	uint32_t waived = rules->is_order_total ? field_bit(FIELD_PRODUCT_ID) : 0;
	/* What normal form can add to what was received: names, digits and the certificate, below 2 KiB; and JSON's
	 * shortest fractions ("0.5,") become nine bytes from four. Only above that is the size worth counting. */
	size_t grown =
		2048 + (event->encoding == ENCODING_JSON ? received_size * 9 / 4 : received_size);
	int r = event_check_required(event, waived, complaint);

	if (r != 0 || grown <= EVENT_SIZE_MAX) {
		return r;
	}
	return refuse_size(event_size_max(event), EVENT_SIZE_MAX, "in normal form", complaint);
}

/* The event's map as a producer sent it, by the kind that it names. */
static int read_map(struct intake *intake, const struct node *map, enum kind *ret_kind)
{
	int r = read_kind(intake, ret_kind);

	if (r != 0) {
		return r;
	}
	intake->value_rules.kind = *ret_kind;
	intake->event->kind = *ret_kind;
	r = refuse_reserved(intake);
	if (r == 0) {
		r = read_fields(intake);
	}
	intake->event->extra_count = map->count - intake->used;
	return r;
}

int event_normalise(struct document *document, enum encoding encoding, struct slice bytes,
	const struct event_rules *rules, struct event *ret_event, enum kind *ret_kind,
	struct complaint *complaint)
{
	struct intake intake = {.event = ret_event,
		.value_rules = {.encoding = encoding, .zone = rules->zone, .complaint = complaint}};
	int r;

	*ret_kind = KIND_ORDER;
	r = refuse_size(bytes.size, EVENT_RAW_SIZE_MAX, "as received", complaint);
	if (r == 0) {
		r = document_decode(document, encoding, bytes, NESTING_MAX, complaint);
	}
	if (r != 0) {
		return r;
	}
	if (document->nodes->type != NODE_MAP) {
		return event_refuse_shape(document->nodes, complaint);
	}
	r = event_additions_put(document, rules, complaint);
	if (r != 0) {
		return r;
	}
	*ret_event =
		(struct event){.encoding = encoding, .has_aliases = true, .map = document->nodes};
	field_values_collect(ret_event->map, &intake.values);
	r = read_map(&intake, ret_event->map, ret_kind);
	if (r == 0) {
		r = event_additions_agree(ret_event, rules, &intake.value_rules);
	}
	if (r != 0) {
		return r;
	}
	fill_defaults(ret_event, rules);
	return check_event(ret_event, rules, bytes.size, complaint);
}
