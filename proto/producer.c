#include "proto/producer.h"

static int refuse_header(
	enum reason reason, const char *field, const char *what, struct complaint *complaint)
{
	complaint_set(complaint, reason, field, "the header's %s %s", field, what);
	return reason;
}

static int read_producer(
	const struct node *node, struct slice *ret_producer, struct complaint *complaint)
{
	if (node->type != NODE_TEXT) {
		return refuse_header(REASON_BAD_TYPE, "producer", "must be text", complaint);
	}
	if (node->text.size == 0 || node->text.size > PRODUCER_ID_SIZE_MAX) {
		return refuse_header(
			REASON_BAD_VALUE, "producer", "must have 1 to 64 bytes", complaint);
	}
	*ret_producer = node->text;
	return 0;
}

static int read_n(const struct node *node, uint64_t *ret_n, struct complaint *complaint)
{
	int64_t n;

	if (!node_integer(node, &n)) {
		return refuse_header(REASON_BAD_TYPE, "n", "must be an integer", complaint);
	}
	if (n < 1) {
		return refuse_header(REASON_BAD_VALUE, "n", "must be 1 or more", complaint);
	}
	*ret_n = (uint64_t)n;
	return 0;
}

/* A key that is not known is refused: a later edge may give it a meaning that the producer counts on. */
static int refuse_other_keys(const struct node *map, struct complaint *complaint)
{
	const struct node *key = node_first(map);

	for (uint32_t i = 0; i < map->count; i++) {
		if (!slice_equals_text(key->text, "producer") &&
			!slice_equals_text(key->text, "n")) {
			complaint_set(complaint, REASON_BAD_FRAME, "",
				"the header has an unknown key \"%.*s\"",
				(int)(key->text.size > 64 ? 64 : key->text.size),
				(const char *)key->text.bytes);
			return REASON_BAD_FRAME;
		}
		key = node_next(node_next(key));
	}
	return 0;
}

static int read_header(
	const struct node *map, struct producer_header *header, struct complaint *complaint)
{
	const struct node *producer = node_find(map, "producer");
	const struct node *n = node_find(map, "n");
	int r;

	if (producer == NULL || n == NULL) {
		return refuse_header(REASON_MISSING_FIELD, producer == NULL ? "producer" : "n",
			"is missing", complaint);
	}
	r = refuse_other_keys(map, complaint);
	if (r == 0) {
		r = read_producer(producer, &header->producer, complaint);
	}
	return r != 0 ? r : read_n(n, &header->n, complaint);
}

int producer_header_decode(struct document *document, struct slice bytes,
	struct producer_header *ret_header, struct complaint *complaint)
{
	struct producer_header header;
	int r;

	if (bytes.size > HEADER_SIZE_MAX) {
		complaint_set(complaint, REASON_TOO_LARGE, "",
			"the header has %zu bytes; at most %d are allowed", bytes.size,
			HEADER_SIZE_MAX);
		return REASON_TOO_LARGE;
	}
	r = document_decode(document, encoding_of(bytes), bytes, 2, complaint);
	if (r != 0) {
		return r;
	}
	if (document->nodes->type != NODE_MAP) {
		complaint_set(complaint, REASON_BAD_FRAME, "", "the header must be a map, not %s",
			node_type_name(document->nodes->type));
		return REASON_BAD_FRAME;
	}
	r = read_header(document->nodes, &header, complaint);
	if (r == 0) {
		*ret_header = header;
	}
	return r;
}

void producer_header_encode(
	const struct producer_header *header, enum encoding encoding, struct buffer *buffer)
{
	struct writer writer;

	writer_init(&writer, encoding, buffer);
	write_map(&writer, 2);
	write_key(&writer, "producer");
	write_text(&writer, header->producer);
	write_key(&writer, "n");
	write_unsigned(&writer, header->n);
}
