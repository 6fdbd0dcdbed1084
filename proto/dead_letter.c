#include "proto/dead_letter.h"
#include "proto/utf8.h"

#include <assert.h>
#include <stdio.h>

enum { ENVELOPE_PAIRS = 11 };
/* What is cut says so, and how much there was. */
static struct slice letter_message(
	const struct dead_letter *letter, char text[DEAD_LETTER_MESSAGE_SIZE_MAX])
{
	int size;

	if (letter->bytes.size <= DEAD_LETTER_BYTES_MAX) {
		return letter->message;
	}
	size = snprintf(text, DEAD_LETTER_MESSAGE_SIZE_MAX, "%.*s (truncated_from=%zu)",
		(int)letter->message.size, (const char *)letter->message.bytes, letter->bytes.size);
	return slice_of(text, (size_t)size);
}

void dead_letter_encode(const struct dead_letter *letter, struct buffer *buffer)
{
	char text[DEAD_LETTER_MESSAGE_SIZE_MAX];
	struct slice bytes = letter->bytes;
	struct writer writer;

	assert(kind_is_dead_letter(letter->certificate.kind));
	assert(letter->message.size < COMPLAINT_SIZE_MAX);
	if (bytes.size > DEAD_LETTER_BYTES_MAX) {
		bytes.size = DEAD_LETTER_BYTES_MAX;
	}
	writer_init(&writer, ENCODING_MSGPACK, buffer);
	write_map(&writer, ENVELOPE_PAIRS);
	write_key(&writer, "kind");
	write_key(&writer, kind_name(letter->certificate.kind));
	write_key(&writer, "edge");
	write_text(&writer, letter->certificate.edge);
	write_key(&writer, "run");
	write_unsigned(&writer, letter->certificate.run);
	write_key(&writer, "seq");
	write_unsigned(&writer, letter->certificate.seq);
	write_key(&writer, "received_ms");
	write_integer(&writer, letter->received_ms);
	write_key(&writer, "source");
	write_text(&writer, letter->source);
	write_key(&writer, "refused_by");
	write_text(&writer, letter->refused_by);
	write_key(&writer, "code");
	write_key(&writer, reason_code(letter->reason));
	write_key(&writer, "field");
	write_text(&writer, letter->field);
	write_key(&writer, "message");
	write_text(&writer, letter_message(letter, text));
	write_key(&writer, "bytes");
	write_bin(&writer, bytes);
}

/* Everything of a letter as text and numbers, wherever it came from: an envelope's values or Kafka's headers. */
struct raw_letter {
	struct slice edge, kind, source, refused_by, code, field, message;
	int64_t run, seq, received_ms;
};

static int refuse(
	enum reason reason, const char *field, const char *what, struct complaint *complaint)
{
	complaint_set(complaint, reason, field, "the dead letter's %s %s", field, what);
	return reason;
}

static int check_certificate(
	const struct raw_letter *raw, struct dead_letter *letter, struct complaint *complaint)
{
	if (!kind_from_name(raw->kind, &letter->certificate.kind)) {
		return refuse(REASON_BAD_CERTIFICATE, "kind", "is none that there is", complaint);
	}
	/* The bridge's letters bear the certificate of the event. */
	if (slice_equals_text(raw->refused_by, "edge") &&
		!kind_is_dead_letter(letter->certificate.kind)) {
		return refuse(REASON_BAD_CERTIFICATE, "kind", "is not a dead letter's", complaint);
	}
	if (!edge_id_is_valid(raw->edge)) {
		return refuse(REASON_BAD_CERTIFICATE, "edge", "is no edge id", complaint);
	}
	if (raw->run < 1 || raw->run > (int64_t)RUN_MAX) {
		return refuse(REASON_BAD_CERTIFICATE, "run", "is out of range", complaint);
	}
	if (raw->seq < 1) {
		return refuse(REASON_BAD_CERTIFICATE, "seq", "is out of range", complaint);
	}
	letter->certificate.edge = raw->edge;
	letter->certificate.run = (uint64_t)raw->run;
	letter->certificate.seq = (uint64_t)raw->seq;
	return 0;
}

/* A code that is not known comes from a younger program: the event was refused all the same. */
static enum reason reason_of(struct slice code)
{
	enum reason reason = reason_from_code((const char *)code.bytes, code.size);

	return reason == REASON_NONE ? REASON_INTERNAL : reason;
}

static int check_letter(const struct raw_letter *raw, struct slice bytes,
	struct dead_letter *ret_letter, struct complaint *complaint)
{
	struct dead_letter letter = {.received_ms = raw->received_ms,
		.source = raw->source,
		.refused_by = raw->refused_by,
		.reason = reason_of(raw->code),
		.field = raw->field,
		.message = raw->message,
		.bytes = bytes};
	int r;

	if (!slice_equals_text(raw->refused_by, "edge") &&
		!slice_equals_text(raw->refused_by, "bridge")) {
		return refuse(
			REASON_BAD_VALUE, "refused_by", "is neither edge nor bridge", complaint);
	}
	if (raw->code.size == 0) {
		return refuse(REASON_MISSING_FIELD, "code", "is missing", complaint);
	}
	if (raw->source.size > DEAD_LETTER_SOURCE_SIZE_MAX) {
		return refuse(REASON_BAD_VALUE, "source", "is too long", complaint);
	}
	if (raw->message.size >= DEAD_LETTER_MESSAGE_SIZE_MAX) {
		return refuse(REASON_BAD_VALUE, "message", "is too long", complaint);
	}
	if (raw->received_ms < 0) {
		return refuse(REASON_BAD_VALUE, "received_ms", "is negative", complaint);
	}
	r = check_certificate(raw, &letter, complaint);
	if (r == 0) {
		*ret_letter = letter;
	}
	return r;
}

static int envelope_text(const struct node *map, const char *key, struct slice *ret_text,
	struct complaint *complaint)
{
	const struct node *node = node_find(map, key);

	if (node == NULL) {
		return refuse(REASON_MISSING_FIELD, key, "is missing", complaint);
	}
	if (node->type != NODE_TEXT) {
		return refuse(REASON_BAD_TYPE, key, "is not text", complaint);
	}
	*ret_text = node->text;
	return 0;
}

static int envelope_integer(
	const struct node *map, const char *key, int64_t *ret_number, struct complaint *complaint)
{
	const struct node *node = node_find(map, key);

	if (node == NULL) {
		return refuse(REASON_MISSING_FIELD, key, "is missing", complaint);
	}
	if (node->type != NODE_INTEGER) {
		return refuse(REASON_BAD_TYPE, key, "is not an integer", complaint);
	}
	*ret_number = node->integer;
	return 0;
}

static int read_envelope(
	const struct node *map, struct raw_letter *raw, struct complaint *complaint)
{
	const struct {
		const char *key;
		struct slice *text;
		int64_t *number;
	} values[] = {
		{"kind", &raw->kind, NULL},
		{"edge", &raw->edge, NULL},
		{"run", NULL, &raw->run},
		{"seq", NULL, &raw->seq},
		{"received_ms", NULL, &raw->received_ms},
		{"source", &raw->source, NULL},
		{"refused_by", &raw->refused_by, NULL},
		{"code", &raw->code, NULL},
		{"field", &raw->field, NULL},
		{"message", &raw->message, NULL},
	};

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		int r = values[i].text != NULL
				? envelope_text(map, values[i].key, values[i].text, complaint)
				: envelope_integer(map, values[i].key, values[i].number, complaint);
		if (r != 0) {
			return r;
		}
	}
	return 0;
}

int dead_letter_decode(struct document *document, struct slice bytes,
	struct dead_letter *ret_letter, struct complaint *complaint)
{
	struct raw_letter raw;
	const struct node *received;
	int r;

	if (bytes.size > DEAD_LETTER_SIZE_MAX) {
		complaint_set(complaint, REASON_TOO_LARGE, "",
			"the dead letter has %zu bytes; at most %d are allowed", bytes.size,
			DEAD_LETTER_SIZE_MAX);
		return REASON_TOO_LARGE;
	}
	r = document_decode(document, ENCODING_MSGPACK, bytes, 1, complaint);
	if (r != 0) {
		return r;
	}
	if (document->nodes->type != NODE_MAP) {
		complaint_set(complaint, REASON_BAD_TYPE, "", "a dead letter must be a map, not %s",
			node_type_name(document->nodes->type));
		return REASON_BAD_TYPE;
	}
	r = read_envelope(document->nodes, &raw, complaint);
	if (r != 0) {
		return r;
	}
	received = node_find(document->nodes, "bytes");
	if (received == NULL || received->type != NODE_BIN) {
		return refuse(REASON_BAD_TYPE, "bytes", "is not bin", complaint);
	}
	return check_letter(&raw, received->text, ret_letter, complaint);
}

const char *dead_letter_header_name(enum dead_letter_header header)
{
	static const char *const names[DLQ_HEADER_COUNT] = {
		[DLQ_HEADER_EDGE] = "till.edge",
		[DLQ_HEADER_RUN] = "till.run",
		[DLQ_HEADER_KIND] = "till.kind",
		[DLQ_HEADER_SEQ] = "till.seq",
		[DLQ_HEADER_RECEIVED_MS] = "till.received_ms",
		[DLQ_HEADER_SOURCE] = "till.source",
		[DLQ_HEADER_REFUSED_BY] = "till.refused_by",
		[DLQ_HEADER_TOPIC] = "__connect.errors.topic",
		[DLQ_HEADER_CODE] = "__connect.errors.exception.class.name",
		[DLQ_HEADER_MESSAGE] = "__connect.errors.exception.message",
	};

	return names[header];
}

/* Decimal digits that fit int64_t; the range is the caller's to check. */
static bool decimal_parse(struct slice digits, int64_t *ret_number)
{
	int64_t number = 0;

	if (digits.size == 0) {
		return false;
	}
	for (size_t i = 0; i < digits.size; i++) {
		if (digits.bytes[i] < '0' || digits.bytes[i] > '9' ||
			__builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, digits.bytes[i] - '0', &number)) {
			return false;
		}
	}
	*ret_number = number;
	return true;
}

static int header_number(const struct slice values[DLQ_HEADER_COUNT],
	enum dead_letter_header header, int64_t *ret_number, struct complaint *complaint)
{
	const char *name = dead_letter_header_name(header);

	if (values[header].size == 0) {
		return refuse(REASON_MISSING_FIELD, name, "is missing", complaint);
	}
	if (!decimal_parse(values[header], ret_number)) {
		return refuse(REASON_BAD_VALUE, name, "is no number", complaint);
	}
	return 0;
}

static int header_numbers(const struct slice values[DLQ_HEADER_COUNT], struct raw_letter *raw,
	struct complaint *complaint)
{
	int r = header_number(values, DLQ_HEADER_RUN, &raw->run, complaint);

	if (r == 0) {
		r = header_number(values, DLQ_HEADER_SEQ, &raw->seq, complaint);
	}
	if (r == 0) {
		r = header_number(values, DLQ_HEADER_RECEIVED_MS, &raw->received_ms, complaint);
	}
	return r;
}

int dead_letter_from_headers(const struct slice values[DLQ_HEADER_COUNT], struct slice bytes,
	struct dead_letter *ret_letter, struct complaint *complaint)
{
	struct raw_letter raw = {.edge = values[DLQ_HEADER_EDGE],
		.kind = values[DLQ_HEADER_KIND],
		.source = values[DLQ_HEADER_SOURCE],
		.refused_by = values[DLQ_HEADER_REFUSED_BY],
		.code = values[DLQ_HEADER_CODE],
		.message = values[DLQ_HEADER_MESSAGE]};
	int r;

	for (int header = 0; header < DLQ_HEADER_COUNT; header++) {
		if (!utf8_is_valid(values[header])) {
			return refuse(REASON_BAD_VALUE,
				dead_letter_header_name((enum dead_letter_header)header),
				"is not UTF-8", complaint);
		}
	}
	r = header_numbers(values, &raw, complaint);
	return r != 0 ? r : check_letter(&raw, bytes, ret_letter, complaint);
}
