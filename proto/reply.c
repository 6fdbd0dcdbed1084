/* The reply of an edge to a producer's frame. */
#include "proto/producer.h"

#include <assert.h>

static uint32_t seq_count(const struct reply *reply)
{
	uint32_t count = 0;

	for (int kind = 0; kind < KIND_COUNT; kind++) {
		count += reply->seq[kind].first != 0;
	}
	return count;
}

static void write_seqs(struct writer *writer, const struct reply *reply)
{
	write_key(writer, "seq");
	write_map(writer, seq_count(reply));
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		if (reply->seq[kind].first == 0) {
			continue;
		}
		write_key(writer, kind_name((enum kind)kind));
		write_array(writer, 2);
		write_unsigned(writer, reply->seq[kind].first);
		write_unsigned(writer, reply->seq[kind].last);
	}
}

static void write_error(struct writer *writer, const struct reply_error *error)
{
	bool has_field = error->complaint.field[0] != '\0';

	write_map(writer, 3 + has_field);
	write_key(writer, "index");
	write_unsigned(writer, error->index);
	write_key(writer, "code");
	write_key(writer, reason_code(error->complaint.reason));
	if (has_field) {
		write_key(writer, "field");
		write_key(writer, error->complaint.field);
	}
	write_key(writer, "message");
	write_key(writer, error->complaint.message);
}

static void write_errors(struct writer *writer, const struct reply *reply)
{
	write_key(writer, "errors");
	write_array(writer, reply->error_count);
	for (uint32_t i = 0; i < reply->error_count; i++) {
		write_error(writer, &reply->errors[i]);
	}
}

static void write_refusal(struct writer *writer, const struct reply *reply)
{
	write_key(writer, "error");
	write_map(writer, 2 + (reply->retry_after_ms != 0));
	write_key(writer, "code");
	write_key(writer, reason_code(reply->refusal.reason));
	write_key(writer, "message");
	write_key(writer, reply->refusal.message);
	if (reply->retry_after_ms != 0) {
		write_key(writer, "retry_after_ms");
		write_unsigned(writer, reply->retry_after_ms);
	}
}

static void write_counts(struct writer *writer, const struct reply *reply)
{
	write_key(writer, "ok");
	write_bool(writer, reply->ok);
	write_key(writer, "accepted");
	write_unsigned(writer, reply->accepted);
	write_key(writer, "invalid");
	write_unsigned(writer, reply->invalid);
}

void reply_encode(const struct reply *reply, enum encoding encoding, struct buffer *buffer)
{
	struct writer writer;

	assert(reply->error_count <= REPLY_ERRORS_MAX);
	writer_init(&writer, encoding, buffer);
	if (reply->refusal.reason != REASON_NONE) {
		write_map(&writer, 4);
		write_counts(&writer, reply);
		write_refusal(&writer, reply);
		return;
	}
	write_map(&writer, 8 + (reply->repeated_events != 0) + (reply->last_n != 0) +
				   (reply->error_count != 0));
	write_counts(&writer, reply);
	if (reply->repeated_events != 0) {
		write_key(&writer, "repeated_events");
		write_unsigned(&writer, reply->repeated_events);
	}
	write_key(&writer, "repeated");
	write_bool(&writer, reply->repeated);
	if (reply->last_n != 0) {
		write_key(&writer, "last_n");
		write_unsigned(&writer, reply->last_n);
	}
	write_key(&writer, "durable");
	write_bool(&writer, reply->durable);
	write_key(&writer, "edge");
	write_text(&writer, reply->edge);
	write_key(&writer, "run");
	write_unsigned(&writer, reply->run);
	write_seqs(&writer, reply);
	if (reply->error_count != 0) {
		write_errors(&writer, reply);
	}
}

/* Reads one map of a reply; the first thing that does not fit names itself and the rest is passed over. */
struct reply_reader {
	const struct node *map;
	struct complaint *complaint;
	int error;
};

static const struct node *refuse_key(struct reply_reader *reader, const char *key, const char *what)
{
	if (reader->error == 0) {
		complaint_set(
			reader->complaint, REASON_BAD_FRAME, key, "the reply's %s %s", key, what);
		reader->error = REASON_BAD_FRAME;
	}
	return NULL;
}

static const struct node *require(struct reply_reader *reader, const char *key)
{
	const struct node *node = node_find(reader->map, key);

	return node != NULL ? node : refuse_key(reader, key, "is missing");
}

static bool read_bool(struct reply_reader *reader, const char *key)
{
	const struct node *node = require(reader, key);

	if (node == NULL || node->type != NODE_BOOL) {
		refuse_key(reader, key, "is neither true nor false");
		return false;
	}
	return node->boolean;
}

static uint64_t read_number_node(
	struct reply_reader *reader, const char *key, const struct node *node, uint64_t max)
{
	int64_t number;

	if (node == NULL || !node_integer(node, &number) || number < 0 || (uint64_t)number > max) {
		refuse_key(reader, key, "is no number that can be");
		return 0;
	}
	return (uint64_t)number;
}

static uint64_t read_number(struct reply_reader *reader, const char *key, uint64_t max)
{
	return read_number_node(reader, key, require(reader, key), max);
}

/* Absent is 0. */
static uint64_t read_optional(struct reply_reader *reader, const char *key, uint64_t max)
{
	const struct node *node = node_find(reader->map, key);

	return node == NULL ? 0 : read_number_node(reader, key, node, max);
}

static struct slice read_text(struct reply_reader *reader, const char *key)
{
	const struct node *node = require(reader, key);

	if (node == NULL || node->type != NODE_TEXT) {
		refuse_key(reader, key, "is not text");
		return slice_of(NULL, 0);
	}
	return node->text;
}

static void read_complaint(
	struct reply_reader *reader, const char *field_key, struct complaint *ret_complaint)
{
	struct slice code = read_text(reader, "code");
	struct slice message = read_text(reader, "message");
	const struct node *field = node_find(reader->map, field_key);
	enum reason reason = reason_from_code((const char *)code.bytes, code.size);
	char name[sizeof ret_complaint->field] = "";

	if (field != NULL && field->type == NODE_TEXT && field->text.size < sizeof name) {
		memcpy(name, field->text.bytes, field->text.size);
	}
	/* A younger edge may know more codes; its sentence still says what is wrong. */
	complaint_set(ret_complaint, reason == REASON_NONE ? REASON_INTERNAL : reason, name, "%.*s",
		(int)(message.size > COMPLAINT_SIZE_MAX ? COMPLAINT_SIZE_MAX : message.size),
		message.size == 0 ? "" : (const char *)message.bytes);
}

static void read_errors(struct reply_reader *reader, const struct node *list, struct reply *reply)
{
	const struct node *node = node_first(list);

	if (list->type != NODE_ARRAY) {
		refuse_key(reader, "errors", "is no array");
		return;
	}
	for (uint32_t i = 0; i < list->count && i < REPLY_ERRORS_MAX; i++) {
		struct reply_reader inner = {node, reader->complaint, reader->error};
		struct reply_error *error = &reply->errors[i];
		error->index = (uint32_t)read_number(&inner, "index", FRAME_EVENTS_MAX);
		read_complaint(&inner, "field", &error->complaint);
		reader->error = inner.error;
		reply->error_count++;
		node = node_next(node);
	}
}

static void read_seqs(struct reply_reader *reader, struct reply *reply)
{
	const struct node *map = require(reader, "seq");

	for (int kind = 0; map != NULL && kind < KIND_COUNT; kind++) {
		const struct node *pair = node_find(map, kind_name((enum kind)kind));
		if (pair == NULL) {
			continue;
		}
		if (pair->type != NODE_ARRAY || pair->count != 2) {
			refuse_key(reader, "seq", "is no pair");
			return;
		}
		const struct node *first = node_first(pair);
		reply->seq[kind].first = read_number_node(reader, "seq", first, INT64_MAX);
		reply->seq[kind].last =
			read_number_node(reader, "seq", node_next(first), INT64_MAX);
	}
}

static void read_refusal(struct reply_reader *reader, const struct node *map, struct reply *reply)
{
	struct reply_reader inner = {map, reader->complaint, reader->error};

	read_complaint(&inner, "field", &reply->refusal);
	reply->retry_after_ms = (uint32_t)read_optional(&inner, "retry_after_ms", UINT32_MAX);
	reader->error = inner.error;
}

static void read_acceptance(struct reply_reader *reader, struct reply *reply)
{
	const struct node *errors = node_find(reader->map, "errors");

	reply->repeated_events = (uint32_t)read_optional(reader, "repeated_events", UINT32_MAX);
	reply->repeated = read_bool(reader, "repeated");
	reply->last_n = read_optional(reader, "last_n", INT64_MAX);
	reply->durable = read_bool(reader, "durable");
	reply->edge = read_text(reader, "edge");
	reply->run = read_number(reader, "run", RUN_MAX);
	read_seqs(reader, reply);
	if (errors != NULL) {
		read_errors(reader, errors, reply);
	}
}

int reply_decode(struct document *document, struct slice bytes, struct reply_error *errors,
	struct reply *ret_reply, struct complaint *complaint)
{
	struct reply reply = {.errors = errors};
	struct reply_reader reader = {.complaint = complaint};
	int r = document_decode(document, encoding_of(bytes), bytes, NESTING_MAX, complaint);

	if (r != 0) {
		return r;
	}
	reader.map = document->nodes;
	reply.ok = read_bool(&reader, "ok");
	reply.accepted = (uint32_t)read_number(&reader, "accepted", FRAME_EVENTS_MAX);
	reply.invalid = (uint32_t)read_number(&reader, "invalid", FRAME_EVENTS_MAX);
	const struct node *refusal = node_find(reader.map, "error");
	if (refusal != NULL) {
		read_refusal(&reader, refusal, &reply);
	} else {
		read_acceptance(&reader, &reply);
	}
	if (reader.error == 0) {
		*ret_reply = reply;
	}
	return reader.error;
}
