#include "cli/record_text.h"

#include "cli/event_text.h"
#include "cli/json_text.h"
#include "proto/writer.h"
#include <string.h>

enum { DEPTH_MAX = 16 };

bool record_is_dead_letter(const char *topic)
{
	size_t size = strlen(topic);

	return size > 4 && strcmp(topic + size - 4, ".dlq") == 0;
}

static void append_letter(struct buffer *buffer, const struct topic_record *record)
{
	struct dead_letter letter;
	struct complaint complaint;

	if (letter_of_record(record, &letter, &complaint) != 0) {
		event_text_format(buffer, "no dead letter of till: %s; %zu bytes",
			complaint.message, record->value.size);
		return;
	}
	event_text_append_letter(buffer, &letter);
}

int record_text_line(struct document *document, const char *topic,
	const struct topic_record *record, struct buffer *buffer)
{
	struct event event;
	struct complaint complaint;

	event_text_format(
		buffer, "%s/%d@%lld  ", topic, (int)record->partition, (long long)record->offset);
	if (record_is_dead_letter(topic)) {
		append_letter(buffer, record);
		return buffer->error;
	}
	int r = event_decode(
		document, encoding_of(record->value), record->value, &event, &complaint);
	if (r < 0) {
		return r;
	}
	if (r > 0) {
		event_text_format(buffer, "no event of till: %s; %zu bytes", complaint.message,
			record->value.size);
	} else {
		event_text_append(buffer, &event);
	}
	return buffer->error;
}

static void write_headers(struct writer *writer, const struct topic_record *record)
{
	write_key(writer, "headers");
	write_map(writer, (uint32_t)record->header_count);
	for (size_t i = 0; i < record->header_count; i++) {
		write_key(writer, record->headers[i].name);
		write_text(writer, record->headers[i].value);
	}
}

int record_text_json(struct document *document, const char *topic,
	const struct topic_record *record, struct buffer *buffer)
{
	struct complaint complaint;
	struct writer writer;

	int r = record->value.size == 0 ? REASON_BAD_FRAME
					: document_decode(document, encoding_of(record->value),
						  record->value, DEPTH_MAX, &complaint);
	if (r < 0) {
		return r;
	}
	writer_init(&writer, ENCODING_JSON, buffer);
	write_map(&writer, record->header_count > 0 ? 7 : 6);
	write_key(&writer, "topic");
	write_key(&writer, topic);
	write_key(&writer, "partition");
	write_integer(&writer, record->partition);
	write_key(&writer, "offset");
	write_integer(&writer, record->offset);
	write_key(&writer, "timestamp_ms");
	write_integer(&writer, record->timestamp_ms);
	write_key(&writer, "key");
	write_text(&writer, record->key);
	if (record->header_count > 0) {
		write_headers(&writer, record);
	}
	write_key(&writer, r == 0 ? "event" : "value");
	if (r == 0) {
		write_node(&writer, document->nodes, document->encoding);
	} else {
		write_bin(&writer, record->value);
	}
	return buffer->error;
}
