#include "proto/bridge_report.h"
#include "proto/utf8.h"
#include <assert.h>

enum { DEPTH_MAX = 3, ERROR_ELEMENTS = 3 };

/* Numbers of a report beside its counts, by name: encoded in this order, read in any. */
enum number {
	NUMBER_RUN,
	NUMBER_NUMBER,
	NUMBER_STARTED_MS,
	NUMBER_NOW_MS,
	NUMBER_UPTIME_MS,
	NUMBER_INTERVAL_MS,
	NUMBER_EDGES,
	NUMBER_WAITING_BATCHES,
	NUMBER_WAITING_RECORDS,
	NUMBER_WAITING_BYTES,
	NUMBER_WAITING_MS,
	NUMBER_COUNT,
};

static const char *const names[NUMBER_COUNT] = {
	[NUMBER_RUN] = "run",
	[NUMBER_NUMBER] = "number",
	[NUMBER_STARTED_MS] = "started_ms",
	[NUMBER_NOW_MS] = "now_ms",
	[NUMBER_UPTIME_MS] = "uptime_ms",
	[NUMBER_INTERVAL_MS] = "interval_ms",
	[NUMBER_EDGES] = "edges",
	[NUMBER_WAITING_BATCHES] = "waiting_batches",
	[NUMBER_WAITING_RECORDS] = "waiting_records",
	[NUMBER_WAITING_BYTES] = "waiting_bytes",
	[NUMBER_WAITING_MS] = "waiting_ms",
};

static const char *const count_names[BRIDGE_COUNT_COUNT] = {
	[BRIDGE_EVENTS] = "events",
	[BRIDGE_LETTERS] = "letters",
	[BRIDGE_DELIVERED] = "delivered",
	[BRIDGE_REJECTED] = "rejected",
	[BRIDGE_RETRIED] = "retried",
	[BRIDGE_BATCHES] = "batches",
	[BRIDGE_ACKED] = "acked",
	[BRIDGE_NACKED] = "nacked",
	[BRIDGE_EVENT_BYTES] = "event_bytes",
	[BRIDGE_WIRE_BYTES] = "wire_bytes",
};

static const char *const class_names[BRIDGE_ERROR_CLASS_COUNT] = {
	[BRIDGE_ERROR_NACK] = "nack",
	[BRIDGE_ERROR_REJECTED] = "rejected",
	[BRIDGE_ERROR_KAFKA] = "kafka",
};

const char *bridge_count_name(enum bridge_count count)
{
	return count_names[count];
}

const char *bridge_error_class_name(enum bridge_error_class class)
{
	return class_names[class];
}

void bridge_report_add_error(struct bridge_report *report, const struct bridge_error *error)
{
	uint32_t at = report->error_count;

	if (error->count == 0) {
		return;
	}
	while (at > 0 && report->errors[at - 1].count < error->count) {
		at--;
	}
	report->is_cut |= report->error_count == BRIDGE_ERRORS_MAX;
	if (at == BRIDGE_ERRORS_MAX) {
		return;
	}
	report->error_count += report->error_count < BRIDGE_ERRORS_MAX;
	memmove(report->errors + at + 1, report->errors + at,
		(report->error_count - at - 1) * sizeof *report->errors);
	report->errors[at] = *error;
}

/* ---- written */

static void list_numbers(const struct bridge_report *report, uint64_t numbers[NUMBER_COUNT])
{
	numbers[NUMBER_RUN] = report->run;
	numbers[NUMBER_NUMBER] = report->number;
	numbers[NUMBER_STARTED_MS] = (uint64_t)report->started_ms;
	numbers[NUMBER_NOW_MS] = (uint64_t)report->now_ms;
	numbers[NUMBER_UPTIME_MS] = (uint64_t)report->uptime_ms;
	numbers[NUMBER_INTERVAL_MS] = (uint64_t)report->interval_ms;
	numbers[NUMBER_EDGES] = report->edges;
	numbers[NUMBER_WAITING_BATCHES] = report->waiting_batches;
	numbers[NUMBER_WAITING_RECORDS] = report->waiting_records;
	numbers[NUMBER_WAITING_BYTES] = report->waiting_bytes;
	numbers[NUMBER_WAITING_MS] = (uint64_t)report->waiting_ms;
}

static void write_errors(struct writer *writer, const struct bridge_report *report)
{
	write_key(writer, "errors");
	write_array(writer, report->error_count);
	for (uint32_t i = 0; i < report->error_count; i++) {
		const struct bridge_error *error = &report->errors[i];
		write_array(writer, ERROR_ELEMENTS);
		write_key(writer, class_names[error->class]);
		write_text(writer, error->name);
		write_unsigned(writer, error->count);
	}
}

void bridge_report_encode(const struct bridge_report *report, struct buffer *buffer)
{
	struct writer writer;
	uint64_t numbers[NUMBER_COUNT];

	assert(report->error_count <= BRIDGE_ERRORS_MAX);
	list_numbers(report, numbers);
	writer_init(&writer, ENCODING_MSGPACK, buffer);
	write_map(&writer, 8 + NUMBER_COUNT + BRIDGE_COUNT_COUNT);
	write_key(&writer, "kind");
	write_key(&writer, "bridge");
	write_key(&writer, "bridge");
	write_text(&writer, report->bridge);
	write_key(&writer, "program");
	write_text(&writer, report->program);
	for (int i = 0; i < NUMBER_COUNT; i++) {
		write_key(&writer, names[i]);
		write_unsigned(&writer, numbers[i]);
	}
	for (int i = 0; i < BRIDGE_COUNT_COUNT; i++) {
		write_key(&writer, count_names[i]);
		write_unsigned(&writer, report->counts[i]);
	}
	write_key(&writer, "lanes_ms");
	write_array(&writer, KIND_COUNT);
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		write_integer(&writer, report->lanes_ms[kind]);
	}
	write_errors(&writer, report);
	write_key(&writer, "cut");
	write_bool(&writer, report->is_cut);
	write_key(&writer, "connected");
	write_bool(&writer, report->is_connected);
	write_key(&writer, "stopping");
	write_bool(&writer, report->is_stopping);
}

/* ---- read */

static bool read_number(const struct node *node, uint64_t *ret_number)
{
	if (node == NULL || node->type != NODE_INTEGER || node->integer < 0) {
		return false;
	}
	*ret_number = (uint64_t)node->integer;
	return true;
}

static void take_numbers(const uint64_t numbers[NUMBER_COUNT], struct bridge_report *report)
{
	report->run = numbers[NUMBER_RUN];
	report->number = numbers[NUMBER_NUMBER];
	report->started_ms = (int64_t)numbers[NUMBER_STARTED_MS];
	report->now_ms = (int64_t)numbers[NUMBER_NOW_MS];
	report->uptime_ms = (int64_t)numbers[NUMBER_UPTIME_MS];
	report->interval_ms = (int64_t)numbers[NUMBER_INTERVAL_MS];
	report->edges = numbers[NUMBER_EDGES];
	report->waiting_batches = numbers[NUMBER_WAITING_BATCHES];
	report->waiting_records = numbers[NUMBER_WAITING_RECORDS];
	report->waiting_bytes = numbers[NUMBER_WAITING_BYTES];
	report->waiting_ms = (int64_t)numbers[NUMBER_WAITING_MS];
}

/* The name of what does not fit; NULL when all does. */
static const char *read_numbers(const struct node *map, struct bridge_report *report)
{
	uint64_t numbers[NUMBER_COUNT];

	for (int i = 0; i < NUMBER_COUNT; i++) {
		if (!read_number(node_find(map, names[i]), &numbers[i])) {
			return names[i];
		}
	}
	take_numbers(numbers, report);
	if (report->run == 0 || report->run > RUN_MAX) {
		return names[NUMBER_RUN];
	}
	for (int i = 0; i < BRIDGE_COUNT_COUNT; i++) {
		if (!read_number(node_find(map, count_names[i]), &report->counts[i])) {
			return count_names[i];
		}
	}
	return report->number == 0 ? names[NUMBER_NUMBER] : NULL;
}

static bool read_text(const struct node *node, size_t size_max, struct slice *ret_text)
{
	if (node == NULL || node->type != NODE_TEXT || node->text.size > size_max) {
		return false;
	}
	*ret_text = node->text;
	return true;
}

static bool read_flag(const struct node *node, bool *ret_flag)
{
	if (node == NULL || node->type != NODE_BOOL) {
		return false;
	}
	*ret_flag = node->boolean;
	return true;
}

static bool read_lanes(const struct node *list, int64_t lanes_ms[KIND_COUNT])
{
	if (list == NULL || list->type != NODE_ARRAY || list->count != KIND_COUNT) {
		return false;
	}
	const struct node *node = node_first(list);
	for (int kind = 0; kind < KIND_COUNT; kind++, node = node_next(node)) {
		uint64_t number = 0;
		if (!read_number(node, &number)) {
			return false;
		}
		lanes_ms[kind] = (int64_t)number;
	}
	return true;
}

static bool read_class(const struct node *node, enum bridge_error_class *ret_class)
{
	for (int class = 0; class < BRIDGE_ERROR_CLASS_COUNT; class ++) {
		if (node->type == NODE_TEXT && slice_equals_text(node->text, class_names[class])) {
			*ret_class = (enum bridge_error_class) class;
			return true;
		}
	}
	return false;
}

static bool read_error(const struct node *list, struct bridge_error *error)
{
	if (list->type != NODE_ARRAY || list->count != ERROR_ELEMENTS) {
		return false;
	}
	const struct node *class = node_first(list);
	const struct node *name = node_next(class);

	return read_class(class, &error->class) &&
	       read_text(name, BRIDGE_ERROR_SIZE_MAX, &error->name) &&
	       read_number(node_next(name), &error->count);
}

static bool read_errors(const struct node *list, struct bridge_report *report)
{
	if (list == NULL || list->type != NODE_ARRAY || list->count > BRIDGE_ERRORS_MAX) {
		return false;
	}
	const struct node *node = node_first(list);
	for (uint32_t i = 0; i < list->count; i++, node = node_next(node)) {
		if (!read_error(node, &report->errors[i])) {
			return false;
		}
	}
	report->error_count = list->count;
	return true;
}

static const char *read_map(const struct node *map, struct bridge_report *report)
{
	if (!read_text(node_find(map, "bridge"), BRIDGE_NAME_SIZE_MAX, &report->bridge) ||
		!edge_id_is_valid(report->bridge)) {
		return "bridge";
	}
	if (!read_text(node_find(map, "program"), BRIDGE_PROGRAM_SIZE_MAX, &report->program)) {
		return "program";
	}
	if (!read_lanes(node_find(map, "lanes_ms"), report->lanes_ms)) {
		return "lanes_ms";
	}
	if (!read_errors(node_find(map, "errors"), report)) {
		return "errors";
	}
	if (!read_flag(node_find(map, "cut"), &report->is_cut)) {
		return "cut";
	}
	if (!read_flag(node_find(map, "connected"), &report->is_connected)) {
		return "connected";
	}
	return read_flag(node_find(map, "stopping"), &report->is_stopping)
		       ? read_numbers(map, report)
		       : "stopping";
}

int bridge_report_decode(struct document *document, struct slice bytes,
	struct bridge_report *ret_report, struct complaint *complaint)
{
	struct bridge_report report = {.error_count = 0};

	if (bytes.size > TELEMETRY_SIZE_MAX) {
		complaint_set(complaint, REASON_TOO_LARGE, "",
			"a report of %zu bytes; at most %d are taken", bytes.size,
			TELEMETRY_SIZE_MAX);
		return REASON_TOO_LARGE;
	}
	int r = document_decode(document, ENCODING_MSGPACK, bytes, DEPTH_MAX, complaint);
	if (r != 0) {
		return r;
	}
	const char *wrong = slice_equals_text(node_text_at(document->nodes, "kind"), "bridge")
				    ? read_map(document->nodes, &report)
				    : "kind";
	if (wrong != NULL) {
		complaint_set(complaint, REASON_BAD_VALUE, wrong,
			"a report's \"%s\" is absent or does not fit", wrong);
		return REASON_BAD_VALUE;
	}
	*ret_report = report;
	return 0;
}

size_t bridge_report_key(struct slice bridge, char ret_key[BRIDGE_KEY_SIZE_MAX])
{
	static const char end[] = {'/', 'b', 'r', 'i', 'd', 'g', 'e'};

	assert(bridge.size <= BRIDGE_NAME_SIZE_MAX);
	memcpy(ret_key, bridge.bytes, bridge.size);
	memcpy(ret_key + bridge.size, end, sizeof end);
	return bridge.size + sizeof end;
}
