#include "proto/record_view.h"
#include "proto/event.h"
#include "proto/utf8.h"
#include <errno.h>

enum {
	/* An answer's map, its array, the record and this leave so many of WRITER_DEPTH_MAX. */
	DEPTH_MAX = 12,
	REGISTRY_HEAD_SIZE =
		5, /* a zero and four bytes of a schema's number, in front of the value */
};

/* Text, or bytes where it is none: {"bytes": …}. */
static void write_words(struct writer *writer, struct slice words)
{
	if (words.bytes == NULL) {
		write_nil(writer);
	} else if (utf8_is_valid(words)) {
		write_text(writer, words);
	} else {
		write_map(writer, 1);
		write_key(writer, "bytes");
		write_bin(writer, words);
	}
}

static void write_headers(struct writer *writer, const struct topic_record *record)
{
	write_key(writer, "headers");
	write_array(writer, (uint32_t)record->header_count);
	for (size_t i = 0; i < record->header_count; i++) {
		write_map(writer, 2);
		write_key(writer, "name");
		write_words(writer, slice_of_text(record->headers[i].name));
		write_key(writer, "value");
		write_words(writer, record->headers[i].value);
	}
}

static void write_as(struct writer *writer, const char *as)
{
	write_key(writer, "as");
	write_key(writer, as);
	write_key(writer, "value");
}

static void write_reason(struct writer *writer, const char *reason)
{
	write_key(writer, "reason");
	if (reason == NULL) {
		write_nil(writer);
	} else {
		write_key(writer, reason);
	}
}

static void write_unread(struct writer *writer, struct slice value, const char *reason)
{
	write_as(writer, "bytes");
	if (value.size > RECORD_VIEW_BYTES_MAX) {
		value.size = RECORD_VIEW_BYTES_MAX;
	}
	write_bin(writer, value);
	write_reason(writer, reason);
}

/* What Debezium writes is {"schema": …, "payload": {"op": …}} or the payload alone. NULL: it is none. */
static const struct node *find_change(const struct node *root)
{
	const struct node *payload = node_find(root, "payload");
	const struct node *change =
		payload != NULL && node_find(root, "schema") != NULL ? payload : root;

	return node_find(change, "op") != NULL && node_find(change, "source") != NULL ? change
										      : NULL;
}

static int write_decoded(
	struct document *document, struct slice value, const char *no_event, struct writer *writer)
{
	struct complaint complaint;
	bool has_head = value.size > REGISTRY_HEAD_SIZE && value.bytes[0] == 0 &&
			value.bytes[REGISTRY_HEAD_SIZE] == '{';
	struct slice body = has_head ? slice_of(value.bytes + REGISTRY_HEAD_SIZE,
					       value.size - REGISTRY_HEAD_SIZE)
				     : value;
	int r = document_decode(document, encoding_of(body), body, DEPTH_MAX, &complaint);

	if (r < 0) {
		return r;
	}
	if (r > 0) {
		write_unread(writer, value, complaint.message);
		return 0;
	}
	const struct node *change = find_change(document->nodes);
	write_as(writer, change != NULL                        ? "change"
			 : document->encoding == ENCODING_JSON ? "json"
							       : "msgpack");
	write_node(writer, change != NULL ? change : document->nodes, document->encoding);
	write_reason(writer, change != NULL ? NULL : no_event);
	return 0;
}

int record_value_write(struct document *document, struct slice value, struct writer *writer)
{
	struct complaint complaint;
	struct event event;

	if (value.bytes == NULL || value.size == 0) {
		write_as(writer, "nothing");
		write_nil(writer);
		write_reason(writer, NULL);
		return 0;
	}
	if (value.size > RECORD_VIEW_VALUE_MAX) {
		write_unread(writer, value, "too large to be read here");
		return 0;
	}
	int r = event_decode(document, encoding_of(value), value, &event, &complaint);
	if (r < 0) {
		return r;
	}
	if (r > 0) {
		return write_decoded(document, value, complaint.message, writer);
	}
	write_as(writer, "event");
	write_node(writer, document->nodes, document->encoding);
	write_reason(writer, NULL);
	return 0;
}

int record_view_write(
	struct document *document, const struct topic_record *record, struct writer *writer)
{
	write_key(writer, "key");
	write_words(writer, record->key);
	write_headers(writer, record);
	write_key(writer, "size");
	write_unsigned(writer, record->value.size);
	return record_value_write(document, record->value, writer);
}
