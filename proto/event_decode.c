/* Normal form back into an event, for those who trust nobody: every rule is checked again. */
#include "proto/event_value.h"
#include "proto/utf8.h"

int event_refuse_shape(const struct node *node, struct complaint *complaint)
{
	complaint_set(complaint, REASON_BAD_TYPE, "", "an event must be a map, not %s",
		node_type_name(node->type));
	return REASON_BAD_TYPE;
}

static int refuse_missing(const char *name, struct complaint *complaint)
{
	complaint_set(complaint, REASON_MISSING_FIELD, name, "%s is missing", name);
	return REASON_MISSING_FIELD;
}

int event_check_required(const struct event *event, uint32_t waived, struct complaint *complaint)
{
	uint32_t missing = fields_required(event->kind) & ~event->present & ~waived;

	for (int field = 0; field < FIELD_COUNT; field++) {
		if ((missing >> field & 1) != 0) {
			return refuse_missing(field_name((enum field)field), complaint);
		}
		if (field == FIELD_UNIT_PRICE && event->kind == KIND_ORDER &&
			!event_has(event, FIELD_UNIT_PRICE) && !event_has(event, FIELD_AMOUNT)) {
			return refuse_missing("unit_price", complaint);
		}
	}
	return 0;
}

static int refuse_certificate(
	const char *name, const struct node *node, struct complaint *complaint)
{
	char words[NODE_WORDS_SIZE] = "";

	if (node == NULL) {
		complaint_set(
			complaint, REASON_BAD_CERTIFICATE, name, "the certificate has no %s", name);
		return REASON_BAD_CERTIFICATE;
	}
	node_describe(node, words);
	complaint_set(complaint, REASON_BAD_CERTIFICATE, name, "the certificate's %s can't be %s",
		name, words);
	return REASON_BAD_CERTIFICATE;
}

static bool read_kind(const struct node *node, enum kind *ret_kind)
{
	return node != NULL && node->type == NODE_TEXT && kind_from_name(node->text, ret_kind);
}

static bool read_edge(const struct node *node, struct slice *ret_edge)
{
	if (node == NULL || node->type != NODE_TEXT || !edge_id_is_valid(node->text)) {
		return false;
	}
	*ret_edge = node->text;
	return true;
}

static bool read_number(
	enum encoding encoding, const struct node *node, int64_t max, uint64_t *ret_number)
{
	int64_t number;

	if (node == NULL || !value_normal_integer(encoding, node, &number) || number < 1 ||
		number > max) {
		return false;
	}
	*ret_number = (uint64_t)number;
	return true;
}

static int read_certificate(const struct field_values *values, enum encoding encoding,
	struct certificate *certificate, struct complaint *complaint)
{
	const struct node *const *of = values->of;

	if (!read_kind(of[NAME_KIND], &certificate->kind)) {
		return refuse_certificate("kind", of[NAME_KIND], complaint);
	}
	if (!read_edge(of[NAME_EDGE], &certificate->edge)) {
		return refuse_certificate("edge", of[NAME_EDGE], complaint);
	}
	if (!read_number(encoding, of[NAME_RUN], (int64_t)RUN_MAX, &certificate->run)) {
		return refuse_certificate("run", of[NAME_RUN], complaint);
	}
	if (!read_number(encoding, of[NAME_SEQ], INT64_MAX, &certificate->seq)) {
		return refuse_certificate("seq", of[NAME_SEQ], complaint);
	}
	return 0;
}

/* A code that is not known comes from a younger bridge: the event was refused all the same. */
static int read_marker(
	const struct node *rejected, struct event *event, struct complaint *complaint)
{
	if (rejected->type != NODE_TEXT) {
		complaint_set(complaint, REASON_BAD_TYPE, "rejected",
			"rejected must be text, not %s", node_type_name(rejected->type));
		return REASON_BAD_TYPE;
	}
	event->rejected = reason_from_code((const char *)rejected->text.bytes, rejected->text.size);
	if (event->rejected == REASON_NONE) {
		event->rejected = REASON_INTERNAL;
	}
	return 0;
}

/* Canonical names only: what else the map holds is carried. */
static int read_fields(
	const struct field_values *values, const struct value_rules *rules, struct event *event)
{
	uint32_t left = fields_of_kind(event->kind);
	struct value value;

	for (; left != 0; left &= left - 1) {
		enum field field = (enum field)__builtin_ctz(left);
		const struct node *node = values->of[field_specs[field].names[0]];
		if (node == NULL) {
			continue;
		}
		event->extra_count--;
		int r = value_read(rules, field, field_name(field), node, &value);
		if (r != 0) {
			return r;
		}
		if (!value.is_absent) {
			event_keep_value(event, field, &value);
		}
	}
	return 0;
}

static int decode_event(
	const struct field_values *values, struct event *event, struct complaint *complaint)
{
	struct value_rules rules = {.kind = event->kind,
		.is_normal_form = true,
		.encoding = event->encoding,
		.complaint = complaint};
	int r;

	if (kind_is_dead_letter(event->kind)) {
		return refuse_certificate("kind", values->of[NAME_KIND], complaint);
	}
	event->extra_count = event->map->count - CERTIFICATE_PAIRS;
	r = read_fields(values, &rules, event);
	return r != 0 ? r : event_check_required(event, 0, complaint);
}

int event_decode(struct document *document, enum encoding encoding, struct slice bytes,
	struct event *ret_event, struct complaint *complaint)
{
	struct event event = {.encoding = encoding};
	struct field_values values;
	int r = document_decode(document, encoding, bytes, NESTING_MAX, complaint);

	if (r != 0) {
		return r;
	}
	event.map = document->nodes;
	if (event.map->type != NODE_MAP) {
		return event_refuse_shape(event.map, complaint);
	}
	field_values_collect(event.map, &values);
	r = read_certificate(&values, encoding, &event.certificate, complaint);
	if (r != 0) {
		return r;
	}
	event.kind = event.certificate.kind;
	r = values.of[NAME_REJECTED] != NULL
		    ? read_marker(values.of[NAME_REJECTED], &event, complaint)
		    : decode_event(&values, &event, complaint);
	if (r == 0) {
		*ret_event = event; /* its ids are text of the input, never its own digits */
	}
	return r;
}
