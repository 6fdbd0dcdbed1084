#include "edge/line_batch.h"
#include "proto/checksum.h"
#include "proto/csv.h"
#include "proto/framing.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	/* Deeper than any event may be: the edge's own complaint names the depth. */
	DEPTH_MAX = 32,
	/* What a window's lines become once their columns have names: names are longer than commas. */
	EVENTS_SIZE_MAX = 8 * 1024 * 1024,
};

struct cut {
	size_t event_offset; /* in `events` */
	size_t event_size; /* 0: none */
	bool event_is_raw;
	uint64_t line;
	struct slice raw;
	struct complaint complaint;
};

struct line_batch {
	struct line_rules rules;
	struct mapping *mapping;
	bool changes; /* NDJSON: the mapping is more than nothing */
	uint64_t names_hash;
	struct csv *csv;
	struct document document;
	struct buffer events;
	struct cut *cuts; /* owned: events_max of them */
	struct submission_item *items; /* owned, as many */
	uint32_t count;
};

/* Cutting, at its place. */
struct cutting {
	struct line_batch *batch;
	struct slice rest;
	bool last;
	uint64_t line; /* of the file, before the rest */
	struct line_cut *cut;
};

static int make_mapping(struct line_batch *batch, struct pairs_error *error)
{
	struct mapping_options options = {
		.map = batch->rules.map, .set = batch->rules.set, .kind = batch->rules.kind};

	batch->mapping = mapping_free(batch->mapping);
	batch->names_hash = 0;
	return mapping_new(&options, &batch->mapping, error);
}

static int make(struct line_batch *batch, struct pairs_error *error)
{
	const struct line_rules *rules = &batch->rules;

	batch->changes = (rules->map != NULL && rules->map[0] != NULL) ||
			 (rules->set != NULL && rules->set[0] != NULL) || rules->kind != NULL;
	batch->cuts = calloc(rules->events_max, sizeof *batch->cuts);
	batch->items = calloc(rules->events_max, sizeof *batch->items);
	buffer_init(&batch->events, EVENTS_SIZE_MAX);
	if (batch->cuts == NULL || batch->items == NULL) {
		return -ENOMEM;
	}
	int r = csv_new(rules->delimiter, &batch->csv);
	if (r == 0) {
		r = document_init(&batch->document, EVENT_NODES_MAX);
	}
	return r == 0 ? make_mapping(batch, error) : r;
}

int line_batch_new(
	const struct line_rules *rules, struct line_batch **ret_batch, struct pairs_error *error)
{
	struct line_batch *batch = calloc(1, sizeof *batch);
	if (batch == NULL) {
		return -ENOMEM;
	}
	batch->rules = *rules;
	int r = make(batch, error);
	if (r < 0) {
		line_batch_free(batch);
		return r;
	}
	*ret_batch = batch;
	return 0;
}

struct line_batch *line_batch_free(struct line_batch *batch)
{
	if (batch != NULL) {
		mapping_free(batch->mapping);
		csv_free(batch->csv);
		document_deinit(&batch->document);
		buffer_deinit(&batch->events);
		free(batch->cuts);
		free(batch->items);
		free(batch);
	}
	return NULL;
}

void line_batch_begin(struct line_batch *batch)
{
	batch->count = 0;
	buffer_clear(&batch->events);
}

uint32_t line_batch_count(const struct line_batch *batch)
{
	return batch->count;
}

uint64_t line_batch_line(const struct line_batch *batch, uint32_t index)
{
	return batch->cuts[index].line;
}

uint64_t line_batch_names_hash(const struct line_batch *batch)
{
	return batch->names_hash;
}

const struct submission_item *line_batch_items(struct line_batch *batch)
{
	for (uint32_t i = 0; i < batch->count; i++) {
		const struct cut *cut = &batch->cuts[i];
		struct slice event = slice_of(NULL, 0);
		if (cut->event_is_raw) {
			event = cut->raw;
		} else if (cut->event_size > 0) {
			event = slice_of(batch->events.bytes + cut->event_offset, cut->event_size);
		}
		batch->items[i] = (struct submission_item){event, cut->raw, &cut->complaint};
	}
	return batch->items;
}

/* ---- columns */

static uint64_t count_lines(struct slice bytes)
{
	uint64_t count = 0;

	for (size_t i = 0; i < bytes.size; i++) {
		count += bytes.bytes[i] == '\n';
	}
	return count;
}

/* 0 is no hash. */
static uint64_t hash_names(struct slice names)
{
	uint8_t bytes[16];
	uint64_t hash;

	checksum_hash128(names, bytes);
	memcpy(&hash, bytes, sizeof hash);
	return hash != 0 ? hash : 1;
}

static int bind_names(struct line_batch *batch, const struct csv_record *record, uint64_t hash,
	struct pairs_error *error)
{
	if (hash == batch->names_hash) {
		return 0;
	}
	int r = make_mapping(batch, error);
	if (r == 0) {
		r = mapping_bind(batch->mapping, record->cells, record->count, error);
	}
	batch->names_hash = r == 0 ? hash : 0;
	return r;
}

int line_batch_bind(struct line_batch *batch, struct slice bytes, bool last,
	struct line_cut *ret_cut, struct pairs_error *error)
{
	struct slice rest = bytes;
	struct csv_record record;

	csv_restart(batch->csv, true);
	enum csv_result result = csv_read(batch->csv, &rest, last, &record);
	size_t size = bytes.size - rest.size;
	if (result == CSV_MORE && (last || bytes.size <= EVENT_RAW_SIZE_MAX)) {
		return LINE_E_MORE;
	}
	if (result != CSV_RECORD) {
		snprintf(error->text, sizeof error->text,
			"the first line, which should name the columns, %s",
			result == CSV_BROKEN ? record.why : "does not end within 256 KiB");
		return -EINVAL;
	}
	struct slice names = slice_of(bytes.bytes, size);
	int r = bind_names(batch, &record, hash_names(names), error);
	if (r == 0) {
		*ret_cut = (struct line_cut){size, count_lines(names), LINE_STOP_MORE};
	}
	return r;
}

/* ---- items */

static struct cut *add_cut(struct cutting *cutting, struct slice raw)
{
	struct line_batch *batch = cutting->batch;
	struct cut *cut = &batch->cuts[batch->count++];

	cut->event_offset = batch->events.size;
	cut->event_size = 0;
	cut->event_is_raw = false;
	cut->line = cutting->line + cutting->cut->lines + 1;
	cut->raw = raw;
	cut->complaint.reason = REASON_NONE;
	return cut;
}

static struct slice without_line_end(struct slice raw)
{
	while (raw.size > 0 && (raw.bytes[0] == '\n' || raw.bytes[0] == '\r')) {
		raw = slice_of(
			raw.bytes + 1, raw.size - 1); /* empty lines before a record of CSV */
	}
	while (raw.size > 0 &&
		(raw.bytes[raw.size - 1] == '\n' || raw.bytes[raw.size - 1] == '\r')) {
		raw.size--;
	}
	return raw;
}

static void add_bad(struct cutting *cutting, struct slice raw, enum reason reason, const char *why)
{
	struct cut *cut = add_cut(cutting, without_line_end(raw));

	complaint_set(&cut->complaint, reason, "", "the line %s", why);
}

static struct cut *add_sample(struct line_batch *batch, struct slice sample, uint64_t line)
{
	struct line_cut none = {.lines = 0};
	struct cutting cutting = {.batch = batch, .line = line, .cut = &none};

	return add_cut(&cutting, sample);
}

void line_batch_add_long(
	struct line_batch *batch, struct slice sample, uint64_t size, uint64_t line)
{
	struct cut *cut = add_sample(batch, sample, line);

	complaint_set(&cut->complaint, REASON_TOO_LARGE, "",
		"a line of %llu bytes, at most %d: its first %u are kept", (unsigned long long)size,
		EVENT_RAW_SIZE_MAX, (unsigned)sample.size);
}

void line_batch_add_broken(
	struct line_batch *batch, struct slice sample, uint64_t size, uint64_t line)
{
	struct cut *cut = add_sample(batch, sample, line);

	complaint_set(&cut->complaint, REASON_BAD_FRAME, "",
		"from here on it is no msgpack: of %llu bytes the first %u are kept",
		(unsigned long long)size, (unsigned)sample.size);
}

/* What has been dealt with, up to `size` bytes of the rest. */
static void pass(struct cutting *cutting, size_t size)
{
	cutting->cut->lines += count_lines(slice_of(cutting->rest.bytes, size));
	cutting->cut->size += size;
	cutting->rest = slice_of(cutting->rest.bytes + size, cutting->rest.size - size);
}

/* Through the mapping. -EMSGSIZE: the batch has no room for it. */
static int map_line(struct cutting *cutting, enum encoding encoding, struct slice raw)
{
	struct line_batch *batch = cutting->batch;
	struct cut *cut = add_cut(cutting, raw);
	int r = document_decode(&batch->document, encoding, raw, DEPTH_MAX, &cut->complaint);

	if (r == 0) {
		r = mapping_map(batch->mapping, &batch->document, &batch->events);
		cut->event_size = batch->events.size - cut->event_offset;
	}
	return r > 0 ? 0 : r;
}

static int add_value(struct cutting *cutting, enum encoding encoding, struct slice raw)
{
	if (cutting->batch->changes) {
		return map_line(cutting, encoding, raw);
	}
	add_cut(cutting, raw)->event_is_raw = true;
	return 0;
}

static int stop(struct cutting *cutting, enum line_stop why)
{
	cutting->cut->stop = why;
	return 1;
}

/* An item that found no room is taken back; one that finds none in an empty batch never will. */
static int or_full(struct cutting *cutting, int r)
{
	struct line_batch *batch = cutting->batch;

	if (r != -EMSGSIZE) {
		return r;
	}
	struct cut *cut = &batch->cuts[batch->count - 1];
	buffer_truncate(&batch->events, cut->event_offset);
	if (batch->count == 1) {
		cut->event_size = 0;
		complaint_set(&cut->complaint, REASON_TOO_LARGE, "",
			"the line is larger than 8 MiB with the names of its columns");
		return 0;
	}
	batch->count--;
	return stop(cutting, LINE_STOP_FULL);
}

/* ---- NDJSON */

static struct slice trim(struct slice line)
{
	static const char blank[] = " \t\r";

	while (line.size > 0 && memchr(blank, line.bytes[line.size - 1], 3) != NULL) {
		line.size--;
	}
	while (line.size > 0 && memchr(blank, line.bytes[0], 3) != NULL) {
		line = slice_of(line.bytes + 1, line.size - 1);
	}
	return line;
}

static int add_json(struct cutting *cutting, struct slice line)
{
	struct slice raw = trim(line);

	if (raw.size == 0) {
		return 0;
	}
	if (raw.bytes[0] != '{') {
		add_bad(cutting, raw, REASON_BAD_FRAME, "is no JSON object");
		return 0;
	}
	return add_value(cutting, ENCODING_JSON, raw);
}

/* One line: 0, 1 when it stops here, -errno. */
static int cut_json(struct cutting *cutting)
{
	struct slice rest = cutting->rest;
	const uint8_t *end = memchr(rest.bytes, '\n', rest.size);
	size_t size = end != NULL ? (size_t)(end - rest.bytes) : rest.size;

	if (size > EVENT_RAW_SIZE_MAX) {
		return stop(cutting, LINE_STOP_TOO_LONG);
	}
	if (end == NULL && !cutting->last) {
		return stop(cutting, LINE_STOP_MORE);
	}
	int r = or_full(cutting, add_json(cutting, slice_of(rest.bytes, size)));
	if (r == 0) {
		pass(cutting, size + (end != NULL));
	}
	return r;
}

/* ---- CSV */

/* A quote that is never closed would take all that follows with it: it costs its own line. */
static int cut_unclosed(struct cutting *cutting)
{
	struct slice rest = cutting->rest;
	size_t seen = rest.size < EVENT_RAW_SIZE_MAX ? rest.size : EVENT_RAW_SIZE_MAX;
	const uint8_t *end = memchr(rest.bytes, '\n', seen);

	if (end == NULL && rest.size > EVENT_RAW_SIZE_MAX) {
		return stop(cutting, LINE_STOP_TOO_LONG);
	}
	size_t size = end != NULL ? (size_t)(end - rest.bytes) + 1 : rest.size;
	add_bad(cutting, slice_of(rest.bytes, size), REASON_BAD_FRAME,
		"has a quote that is never closed");
	pass(cutting, size);
	csv_restart(cutting->batch->csv, false);
	return 0;
}

static int add_row(struct cutting *cutting, const struct csv_record *record, struct slice raw)
{
	struct line_batch *batch = cutting->batch;
	char why[80];

	if (record->why != NULL) {
		add_bad(cutting, raw, REASON_BAD_FRAME, record->why);
		return 0;
	}
	struct cut *cut = add_cut(cutting, without_line_end(raw));
	int r = mapping_row(batch->mapping, record->cells, record->count, &batch->events);
	if (r == MAPPING_E_CELLS) {
		batch->count--;
		snprintf(why, sizeof why, "has %u cell%s, the first line has %u",
			(unsigned)record->count, record->count == 1 ? "" : "s",
			(unsigned)mapping_columns(batch->mapping));
		add_bad(cutting, raw, REASON_BAD_VALUE, why);
		return 0;
	}
	cut->event_size = batch->events.size - cut->event_offset;
	return r > 0 ? 0 : r;
}

static int cut_csv(struct cutting *cutting)
{
	struct slice rest = cutting->rest;
	struct csv_record record;
	enum csv_result result = csv_read(cutting->batch->csv, &rest, cutting->last, &record);
	size_t size = cutting->rest.size - rest.size;

	if (result == CSV_MORE && cutting->rest.size <= EVENT_RAW_SIZE_MAX) {
		if (cutting->last) { /* empty lines */
			pass(cutting, cutting->rest.size);
		}
		return stop(cutting, LINE_STOP_MORE);
	}
	bool is_open = result == CSV_BROKEN && record.is_open;
	if (result == CSV_MORE || is_open || size > EVENT_RAW_SIZE_MAX) {
		return cut_unclosed(cutting);
	}
	int r = or_full(cutting, add_row(cutting, &record, slice_of(cutting->rest.bytes, size)));
	if (r == 0) {
		pass(cutting, size);
	}
	return r;
}

/* ---- msgpack */

static int cut_msgpack(struct cutting *cutting)
{
	struct slice rest = cutting->rest;
	size_t size = framing_extent(rest);
	int r = 0;

	if (size == 0 && !cutting->last && rest.size <= EVENT_RAW_SIZE_MAX) {
		return stop(cutting, LINE_STOP_MORE);
	}
	if (size == 0) {
		return stop(cutting, LINE_STOP_BROKEN);
	}
	struct slice raw = slice_of(rest.bytes, size);
	if (size > EVENT_RAW_SIZE_MAX) {
		line_batch_add_long(cutting->batch, slice_of(rest.bytes, LINE_SAMPLE_SIZE), size,
			cutting->line + cutting->cut->lines);
	} else if (encoding_of(raw) == ENCODING_JSON) { /* a number where a map should be */
		add_bad(cutting, raw, REASON_BAD_FRAME, "is no map");
	} else {
		r = or_full(cutting, add_value(cutting, ENCODING_MSGPACK, raw));
	}
	if (r == 0) {
		cutting->rest = slice_of(rest.bytes + size, rest.size - size);
		cutting->cut->size += size;
		cutting->cut->lines++;
	}
	return r;
}

int line_batch_cut(struct line_batch *batch, struct slice bytes, bool last, uint64_t line,
	struct line_cut *ret_cut)
{
	static int (*const cut[])(struct cutting *) = {
		[LINE_NDJSON] = cut_json, [LINE_CSV] = cut_csv, [LINE_MSGPACK] = cut_msgpack};
	struct line_cut result = {.stop = LINE_STOP_MORE};
	struct cutting cutting = {batch, bytes, last, line, &result};
	int r = 0;

	csv_restart(batch->csv, false);
	while (r == 0 && cutting.rest.size > 0) {
		if (batch->count == batch->rules.events_max) {
			r = stop(&cutting, LINE_STOP_FULL);
		} else {
			r = cut[batch->rules.format](&cutting);
		}
	}
	if (r < 0) {
		return r;
	}
	*ret_cut = result;
	return 0;
}
