#include "proto/telemetry.h"
#include "proto/utf8.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum { DEPTH_MAX = 3, RANGE_ELEMENTS = 4 };

/* The numbers of a report, by name: encoded in this order, read in any. */
enum number {
	NUMBER_RUN,
	NUMBER_NUMBER,
	NUMBER_STARTED_MS,
	NUMBER_NOW_MS,
	NUMBER_INTERVAL_MS,
	NUMBER_RECEIVED,
	NUMBER_ACCEPTED,
	NUMBER_INVALID,
	NUMBER_REFUSED,
	NUMBER_REPEATED,
	NUMBER_SPOOL_BYTES,
	NUMBER_SPOOL_MAX,
	NUMBER_DISK_ROOM,
	NUMBER_OLDEST_MS,
	NUMBER_ASIDE_UNKNOWN,
	NUMBER_COUNT,
};

static const char *const names[NUMBER_COUNT] = {
	[NUMBER_RUN] = "run",
	[NUMBER_NUMBER] = "number",
	[NUMBER_STARTED_MS] = "started_ms",
	[NUMBER_NOW_MS] = "now_ms",
	[NUMBER_INTERVAL_MS] = "interval_ms",
	[NUMBER_RECEIVED] = "received",
	[NUMBER_ACCEPTED] = "accepted",
	[NUMBER_INVALID] = "invalid",
	[NUMBER_REFUSED] = "refused",
	[NUMBER_REPEATED] = "repeated",
	[NUMBER_SPOOL_BYTES] = "spool_bytes",
	[NUMBER_SPOOL_MAX] = "spool_max",
	[NUMBER_DISK_ROOM] = "disk_room",
	[NUMBER_OLDEST_MS] = "oldest_ms",
	[NUMBER_ASIDE_UNKNOWN] = "aside_unknown",
};

static void list_numbers(const struct telemetry *telemetry, uint64_t numbers[NUMBER_COUNT])
{
	numbers[NUMBER_RUN] = telemetry->run;
	numbers[NUMBER_NUMBER] = telemetry->number;
	numbers[NUMBER_STARTED_MS] = (uint64_t)telemetry->started_ms;
	numbers[NUMBER_NOW_MS] = (uint64_t)telemetry->now_ms;
	numbers[NUMBER_INTERVAL_MS] = (uint64_t)telemetry->interval_ms;
	numbers[NUMBER_RECEIVED] = telemetry->received;
	numbers[NUMBER_ACCEPTED] = telemetry->accepted;
	numbers[NUMBER_INVALID] = telemetry->invalid;
	numbers[NUMBER_REFUSED] = telemetry->refused;
	numbers[NUMBER_REPEATED] = telemetry->repeated;
	numbers[NUMBER_SPOOL_BYTES] = telemetry->spool_bytes;
	numbers[NUMBER_SPOOL_MAX] = telemetry->spool_max;
	numbers[NUMBER_DISK_ROOM] = telemetry->disk_room;
	numbers[NUMBER_OLDEST_MS] = (uint64_t)telemetry->oldest_ms;
	numbers[NUMBER_ASIDE_UNKNOWN] = telemetry->aside_unknown;
}

static void take_numbers(const uint64_t numbers[NUMBER_COUNT], struct telemetry *telemetry)
{
	telemetry->run = numbers[NUMBER_RUN];
	telemetry->number = numbers[NUMBER_NUMBER];
	telemetry->started_ms = (int64_t)numbers[NUMBER_STARTED_MS];
	telemetry->now_ms = (int64_t)numbers[NUMBER_NOW_MS];
	telemetry->interval_ms = (int64_t)numbers[NUMBER_INTERVAL_MS];
	telemetry->received = numbers[NUMBER_RECEIVED];
	telemetry->accepted = numbers[NUMBER_ACCEPTED];
	telemetry->invalid = numbers[NUMBER_INVALID];
	telemetry->refused = numbers[NUMBER_REFUSED];
	telemetry->repeated = numbers[NUMBER_REPEATED];
	telemetry->spool_bytes = numbers[NUMBER_SPOOL_BYTES];
	telemetry->spool_max = numbers[NUMBER_SPOOL_MAX];
	telemetry->disk_room = numbers[NUMBER_DISK_ROOM];
	telemetry->oldest_ms = (int64_t)numbers[NUMBER_OLDEST_MS];
	telemetry->aside_unknown = numbers[NUMBER_ASIDE_UNKNOWN];
}

static void write_ranges(struct writer *writer, const struct telemetry *telemetry, bool is_aside)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < telemetry->range_count; i++) {
		count += telemetry->ranges[i].is_aside == is_aside;
	}
	write_array(writer, count);
	for (uint32_t i = 0; i < telemetry->range_count; i++) {
		const struct telemetry_range *range = &telemetry->ranges[i];
		if (range->is_aside == is_aside) {
			write_array(writer, RANGE_ELEMENTS);
			write_unsigned(writer, range->run);
			write_unsigned(writer, (uint64_t)range->kind);
			write_unsigned(writer, range->first);
			write_unsigned(writer, range->last);
		}
	}
}

void telemetry_encode(const struct telemetry *telemetry, struct buffer *buffer)
{
	struct writer writer;
	uint64_t numbers[NUMBER_COUNT];

	assert(telemetry->range_count <= TELEMETRY_RANGES_MAX);
	list_numbers(telemetry, numbers);
	writer_init(&writer, ENCODING_MSGPACK, buffer);
	write_map(&writer, 8 + NUMBER_COUNT);
	write_key(&writer, "kind");
	write_key(&writer, "telemetry");
	write_key(&writer, "edge");
	write_text(&writer, telemetry->edge);
	for (int i = 0; i < NUMBER_COUNT; i++) {
		write_key(&writer, names[i]);
		write_unsigned(&writer, numbers[i]);
	}
	write_key(&writer, "program");
	write_text(&writer, telemetry->program);
	write_key(&writer, "numbered");
	write_array(&writer, KIND_COUNT);
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		write_unsigned(&writer, telemetry->numbered[kind]);
	}
	write_key(&writer, "disk");
	write_ranges(&writer, telemetry, false);
	write_key(&writer, "aside");
	write_ranges(&writer, telemetry, true);
	write_key(&writer, "cut");
	write_bool(&writer, telemetry->is_cut);
	write_key(&writer, "stopping");
	write_bool(&writer, telemetry->is_stopping);
}

static bool read_number(const struct node *node, uint64_t *ret_number)
{
	if (node == NULL || node->type != NODE_INTEGER || node->integer < 0) {
		return false;
	}
	*ret_number = (uint64_t)node->integer;
	return true;
}

/* The name of what does not fit; NULL when all does. */
static const char *read_numbers(const struct node *map, struct telemetry *telemetry)
{
	uint64_t numbers[NUMBER_COUNT];

	for (int i = 0; i < NUMBER_COUNT; i++) {
		if (!read_number(node_find(map, names[i]), &numbers[i])) {
			return names[i];
		}
	}
	take_numbers(numbers, telemetry);
	if (telemetry->run == 0 || telemetry->run > RUN_MAX) {
		return names[NUMBER_RUN];
	}
	return telemetry->number == 0 ? names[NUMBER_NUMBER] : NULL;
}

static bool read_numbered(const struct node *list, uint64_t numbered[KIND_COUNT])
{
	if (list == NULL || list->type != NODE_ARRAY || list->count != KIND_COUNT) {
		return false;
	}
	const struct node *node = node_first(list);
	for (int kind = 0; kind < KIND_COUNT; kind++, node = node_next(node)) {
		if (!read_number(node, &numbered[kind])) {
			return false;
		}
	}
	return true;
}

static bool read_range(const struct node *list, struct telemetry_range *range)
{
	uint64_t numbers[RANGE_ELEMENTS];

	if (list->type != NODE_ARRAY || list->count != RANGE_ELEMENTS) {
		return false;
	}
	const struct node *node = node_first(list);
	for (int i = 0; i < RANGE_ELEMENTS; i++, node = node_next(node)) {
		if (!read_number(node, &numbers[i])) {
			return false;
		}
	}
	range->run = numbers[0];
	range->kind = (enum kind)numbers[1];
	range->first = numbers[2];
	range->last = numbers[3];
	return range->run >= 1 && range->run <= RUN_MAX && numbers[1] < KIND_COUNT &&
	       range->first >= 1 && range->first <= range->last;
}

static bool read_ranges(const struct node *list, bool is_aside,
	struct telemetry_range ranges[TELEMETRY_RANGES_MAX], uint32_t *count)
{
	if (list == NULL || list->type != NODE_ARRAY ||
		list->count > TELEMETRY_RANGES_MAX - *count) {
		return false;
	}
	const struct node *node = node_first(list);
	for (uint32_t i = 0; i < list->count; i++, node = node_next(node)) {
		ranges[*count].is_aside = is_aside;
		if (!read_range(node, &ranges[*count])) {
			return false;
		}
		*count += 1;
	}
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

static bool read_text(const struct node *node, size_t size_max, struct slice *ret_text)
{
	if (node == NULL || node->type != NODE_TEXT || node->text.size > size_max) {
		return false;
	}
	*ret_text = node->text;
	return true;
}

static const char *read_map(const struct node *map,
	struct telemetry_range ranges[TELEMETRY_RANGES_MAX], struct telemetry *telemetry)
{
	struct slice kind;

	if (!read_text(node_find(map, "kind"), TELEMETRY_PROGRAM_SIZE_MAX, &kind) ||
		!slice_equals_text(kind, "telemetry")) {
		return "kind";
	}
	if (!read_text(node_find(map, "edge"), EDGE_ID_SIZE_MAX, &telemetry->edge) ||
		!edge_id_is_valid(telemetry->edge)) {
		return "edge";
	}
	if (!read_text(
		    node_find(map, "program"), TELEMETRY_PROGRAM_SIZE_MAX, &telemetry->program)) {
		return "program";
	}
	if (!read_numbered(node_find(map, "numbered"), telemetry->numbered)) {
		return "numbered";
	}
	telemetry->ranges = ranges;
	if (!read_ranges(node_find(map, "disk"), false, ranges, &telemetry->range_count)) {
		return "disk";
	}
	if (!read_ranges(node_find(map, "aside"), true, ranges, &telemetry->range_count)) {
		return "aside";
	}
	if (!read_flag(node_find(map, "cut"), &telemetry->is_cut)) {
		return "cut";
	}
	return read_flag(node_find(map, "stopping"), &telemetry->is_stopping)
		       ? read_numbers(map, telemetry)
		       : "stopping";
}

int telemetry_decode(struct document *document, struct slice bytes,
	struct telemetry_range ranges[TELEMETRY_RANGES_MAX], struct telemetry *ret_telemetry,
	struct complaint *complaint)
{
	struct telemetry telemetry = {.range_count = 0};

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
	const char *wrong = document->nodes->type != NODE_MAP
				    ? "kind"
				    : read_map(document->nodes, ranges, &telemetry);
	if (wrong != NULL) {
		complaint_set(complaint, REASON_BAD_VALUE, wrong,
			"a report's \"%s\" is absent or does not fit", wrong);
		return REASON_BAD_VALUE;
	}
	*ret_telemetry = telemetry;
	return 0;
}

size_t telemetry_key(struct slice edge, uint64_t run, char ret_key[TELEMETRY_KEY_SIZE_MAX])
{
	char digits[24];
	int count = snprintf(digits, sizeof digits, "/%" PRIu64, run);

	assert(edge.size <= EDGE_ID_SIZE_MAX && count > 0);
	memcpy(ret_key, edge.bytes, edge.size);
	memcpy(ret_key + edge.size, digits, (size_t)count);
	return edge.size + (size_t)count;
}
