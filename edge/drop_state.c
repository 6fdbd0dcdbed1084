#include "edge/drop_state.h"
#include "proto/pull.h"
#include "proto/timestamp.h"
#include "proto/utf8.h"
#include "proto/writer.h"
#include <stdio.h>

enum { STATE_VERSION = 1, STATE_FIELDS = 22, RANGE_FIELDS = 5, ERROR_FIELDS = 4 };

/* ---- counting */

static void add_range(
	struct drop_state *state, uint64_t run, enum kind kind, uint64_t first, uint64_t last)
{
	uint32_t i = 0;

	while (i < state->range_count &&
		(state->ranges[i].run != run || state->ranges[i].kind != kind)) {
		i++;
	}
	if (i == DROP_RANGES_MAX) {
		state->ranges_left_out = true;
		return;
	}
	struct drop_range *range = &state->ranges[i];
	if (i == state->range_count) {
		*range = (struct drop_range){run, kind, first, last, 0};
		state->range_count++;
	}
	range->first = first < range->first ? first : range->first;
	range->last = last > range->last ? last : range->last;
	range->count += last - first + 1;
}

void drop_state_add(struct drop_state *state, const struct reply *reply)
{
	state->accepted += reply->accepted;
	state->invalid += reply->invalid;
	state->repeated += reply->repeated_events;
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		if (reply->seq[kind].first != 0) {
			add_range(state, reply->run, (enum kind)kind, reply->seq[kind].first,
				reply->seq[kind].last);
		}
	}
}

/* ---- marks */

static void write_ranges(struct writer *writer, const struct drop_state *state)
{
	write_array(writer, state->range_count);
	for (uint32_t i = 0; i < state->range_count; i++) {
		const struct drop_range *range = &state->ranges[i];
		write_array(writer, RANGE_FIELDS);
		write_unsigned(writer, range->run);
		write_unsigned(writer, (uint64_t)range->kind);
		write_unsigned(writer, range->first);
		write_unsigned(writer, range->last);
		write_unsigned(writer, range->count);
	}
}

void drop_state_encode(const struct drop_state *state, struct buffer *buffer)
{
	struct writer writer;

	writer_init(&writer, ENCODING_MSGPACK, buffer);
	write_array(&writer, STATE_FIELDS);
	write_unsigned(&writer, STATE_VERSION);
	write_key(&writer, state->name);
	write_key(&writer, state->target);
	write_key(&writer, state->why);
	write_unsigned(&writer, state->device);
	write_unsigned(&writer, state->inode);
	write_unsigned(&writer, state->size);
	write_unsigned(&writer, (uint64_t)state->mtime_ns);
	write_unsigned(&writer, state->offset);
	write_unsigned(&writer, state->lines);
	write_unsigned(&writer, state->accepted);
	write_unsigned(&writer, state->invalid);
	write_unsigned(&writer, state->repeated);
	write_unsigned(&writer, state->error_count);
	write_bin(&writer, slice_of(state->prefix, sizeof state->prefix));
	write_bin(&writer, slice_of(state->digest, sizeof state->digest));
	write_unsigned(&writer, state->ranges_left_out);
	write_unsigned(&writer, (uint64_t)state->started_ms);
	write_unsigned(&writer, (uint64_t)state->finished_ms);
	write_unsigned(&writer, (uint64_t)state->twin_ms);
	write_unsigned(&writer, (uint64_t)state->outcome);
	write_ranges(&writer, state);
}

static void read_text(struct pull *pull, char *out, size_t size)
{
	struct slice text = pull_text(pull);

	if (text.size >= size) {
		pull->is_broken = true;
		return;
	}
	if (text.size > 0) {
		memcpy(out, text.bytes, text.size);
	}
	out[text.size] = '\0';
}

static void read_digest(struct pull *pull, uint8_t digest[CHECKSUM_DIGEST_SIZE])
{
	struct slice bytes = pull_bin(pull);

	if (bytes.size != CHECKSUM_DIGEST_SIZE) {
		pull->is_broken = true;
		return;
	}
	memcpy(digest, bytes.bytes, bytes.size);
}

static uint64_t read_number(struct pull *pull)
{
	return pull_unsigned(pull, 0, UINT64_MAX);
}

static void read_ranges(struct pull *pull, struct drop_state *state)
{
	uint32_t count = pull_array(pull);

	pull->is_broken = pull->is_broken || count > DROP_RANGES_MAX;
	for (uint32_t i = 0; i < count && !pull->is_broken; i++) {
		struct drop_range *range = &state->ranges[i];
		pull->is_broken = pull_array(pull) != RANGE_FIELDS || pull->is_broken;
		range->run = read_number(pull);
		range->kind = (enum kind)pull_unsigned(pull, 0, KIND_COUNT - 1);
		range->first = read_number(pull);
		range->last = read_number(pull);
		range->count = read_number(pull);
	}
	state->range_count = count;
}

bool drop_state_decode(struct slice bytes, struct drop_state *ret_state)
{
	struct pull pull = pull_of(bytes);
	struct drop_state *state = ret_state;

	*state = (struct drop_state){0};
	if (pull_array(&pull) != STATE_FIELDS) {
		return false;
	}
	pull_unsigned(&pull, STATE_VERSION, STATE_VERSION);
	read_text(&pull, state->name, sizeof state->name);
	read_text(&pull, state->target, sizeof state->target);
	read_text(&pull, state->why, sizeof state->why);
	state->device = read_number(&pull);
	state->inode = read_number(&pull);
	state->size = read_number(&pull);
	state->mtime_ns = (int64_t)read_number(&pull);
	state->offset = read_number(&pull);
	state->lines = read_number(&pull);
	state->accepted = read_number(&pull);
	state->invalid = read_number(&pull);
	state->repeated = read_number(&pull);
	state->error_count = (uint32_t)pull_unsigned(&pull, 0, DROP_ERRORS_MAX);
	read_digest(&pull, state->prefix);
	read_digest(&pull, state->digest);
	state->ranges_left_out = pull_unsigned(&pull, 0, 1) != 0;
	state->started_ms = (int64_t)read_number(&pull);
	state->finished_ms = (int64_t)read_number(&pull);
	state->twin_ms = (int64_t)read_number(&pull);
	state->outcome = (enum drop_outcome)pull_unsigned(&pull, 0, DROP_REPEATED);
	read_ranges(&pull, state);
	return pull_is_done(&pull);
}

void drop_error_encode(const struct drop_error *error, struct buffer *buffer)
{
	struct writer writer;

	writer_init(&writer, ENCODING_MSGPACK, buffer);
	write_array(&writer, ERROR_FIELDS);
	write_unsigned(&writer, error->line);
	write_key(&writer, reason_code(error->complaint.reason));
	write_key(&writer, error->complaint.field);
	write_key(&writer, error->complaint.message);
}

bool drop_error_decode(struct slice bytes, struct drop_error *ret_error)
{
	struct pull pull = pull_of(bytes);

	*ret_error = (struct drop_error){0};
	uint32_t fields = pull_array(&pull);
	ret_error->line = read_number(&pull);
	struct slice code = pull_text(&pull);
	ret_error->complaint.reason = reason_from_code((const char *)code.bytes, code.size);
	read_text(&pull, ret_error->complaint.field, sizeof ret_error->complaint.field);
	read_text(&pull, ret_error->complaint.message, sizeof ret_error->complaint.message);
	return fields == ERROR_FIELDS && pull_is_done(&pull);
}

/* ---- the report */

static void write_pair(struct writer *writer, const char *key, const char *text)
{
	write_key(writer, key);
	write_key(writer, text);
}

/* Names of files may be any bytes, and words that hold a column's name may be cut within a character; JSON is text. */
static void write_repaired(struct writer *writer, const char *key, const char *bytes)
{
	char text[DROP_NAME_SIZE];

	_Static_assert(sizeof text >= DROP_WHY_SIZE, "both fit");
	write_key(writer, key);
	write_text(writer, slice_of(text, utf8_repair(slice_of_text(bytes), text, sizeof text)));
}

static void write_number(struct writer *writer, const char *key, uint64_t number)
{
	write_key(writer, key);
	write_unsigned(writer, number);
}

static void write_time(struct writer *writer, const char *key, int64_t ms)
{
	char text[TIMESTAMP_TEXT_SIZE];

	timestamp_format(ms, text);
	write_pair(writer, key, text);
}

/* The certificates' numbers of this file's lines. */
static void write_seqs(struct writer *writer, const struct drop_state *state)
{
	write_key(writer, "seq");
	write_array(writer, state->range_count);
	for (uint32_t i = 0; i < state->range_count; i++) {
		const struct drop_range *range = &state->ranges[i];
		write_map(writer, 5);
		write_number(writer, "run", range->run);
		write_pair(writer, "kind", kind_name(range->kind));
		write_number(writer, "first", range->first);
		write_number(writer, "last", range->last);
		write_number(writer, "count", range->count);
	}
}

static void write_errors(struct writer *writer, const struct drop_report *report)
{
	write_key(writer, "errors");
	write_array(writer, report->state->error_count);
	for (uint32_t i = 0; i < report->state->error_count; i++) {
		const struct drop_error *error = &report->errors[i];
		bool has_field = error->complaint.field[0] != '\0';
		write_map(writer, 3 + has_field);
		write_number(writer, "line", error->line);
		write_pair(writer, "code", reason_code(error->complaint.reason));
		if (has_field) {
			write_pair(writer, "field", error->complaint.field);
		}
		write_pair(writer, "message", error->complaint.message);
	}
}

static void write_digest(struct writer *writer, const uint8_t digest[CHECKSUM_DIGEST_SIZE])
{
	char text[2 * CHECKSUM_DIGEST_SIZE + 1];

	for (size_t i = 0; i < CHECKSUM_DIGEST_SIZE; i++) {
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	}
	write_pair(writer, "digest", text);
}

static const char *outcome_name(enum drop_outcome outcome)
{
	switch (outcome) {
	case DROP_DONE:
		return "done";
	case DROP_FAILED:
		return "failed";
	case DROP_REPEATED:
		return "repeated";
	case DROP_UNDECIDED:
		break;
	}
	return "";
}

void drop_report_encode(const struct drop_report *report, struct buffer *buffer)
{
	const struct drop_state *state = report->state;
	bool has_why = state->why[0] != '\0';
	bool has_twin = state->twin_ms != 0;
	struct writer writer;

	writer_init(&writer, ENCODING_JSON, buffer);
	write_map(&writer, 14 + has_why + has_twin + state->ranges_left_out);
	write_repaired(&writer, "file", state->name);
	write_pair(&writer, "outcome", outcome_name(state->outcome));
	if (has_why) {
		write_repaired(&writer, "why", state->why);
	}
	if (has_twin) {
		write_time(&writer, "counted_before", state->twin_ms);
	}
	write_pair(&writer, "edge", report->edge);
	write_pair(&writer, "source", report->source);
	write_number(&writer, "size", state->size);
	write_digest(&writer, state->digest);
	write_number(&writer, "lines", state->lines);
	write_number(&writer, "accepted", state->accepted);
	write_number(&writer, "invalid", state->invalid);
	write_number(&writer, "repeated", state->repeated);
	write_errors(&writer, report);
	write_seqs(&writer, state);
	if (state->ranges_left_out) {
		write_key(&writer, "seq_left_out");
		write_bool(&writer, true);
	}
	write_time(&writer, "started", state->started_ms);
	write_time(&writer, "finished", state->finished_ms);
	buffer_append_byte(buffer, '\n');
}
