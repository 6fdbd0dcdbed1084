#include "proto/letter.h"

#include "proto/writer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 64 };

int letter_of_record(const struct topic_record *record, struct dead_letter *ret_letter,
	struct complaint *complaint)
{
	struct slice values[DLQ_HEADER_COUNT] = {{NULL, 0}};

	for (size_t i = 0; i < record->header_count; i++) {
		for (int header = 0; header < DLQ_HEADER_COUNT; header++) {
			const char *name = dead_letter_header_name((enum dead_letter_header)header);
			if (strcmp(record->headers[i].name, name) == 0) {
				values[header] = record->headers[i].value;
			}
		}
	}
	return dead_letter_from_headers(values, record->value, ret_letter, complaint);
}

bool letter_is_meant(const struct letter_filter *filter, const struct dead_letter *letter)
{
	return (filter->code == NULL || strcmp(filter->code, reason_code(letter->reason)) == 0) &&
	       (filter->edge == NULL || slice_equals_text(letter->certificate.edge, filter->edge));
}

bool letter_place_parse(const char *text, struct letter_place *ret_place)
{
	const char *first = strchr(text, '/');
	const char *second = first != NULL ? strchr(first + 1, '/') : NULL;
	char *end = NULL;

	if (second == NULL || first == text || (size_t)(first - text) >= TOPIC_NAME_SIZE) {
		return false;
	}
	long partition = strtol(first + 1, &end, 10);
	if (end != second || end == first + 1 || partition < 0 || partition > INT32_MAX) {
		return false;
	}
	errno = 0;
	long long offset = strtoll(second + 1, &end, 10);
	if (*end != '\0' || end == second + 1 || offset < 0 || errno != 0) {
		return false;
	}
	snprintf(ret_place->topic, sizeof ret_place->topic, "%.*s", (int)(first - text), text);
	ret_place->partition = (int32_t)partition;
	ret_place->offset = offset;
	return true;
}

const char *letter_place_format(const struct letter_place *place, char text[LETTER_PLACE_SIZE])
{
	snprintf(text, LETTER_PLACE_SIZE, "%s/%d/%lld", place->topic, (int)place->partition,
		(long long)place->offset);
	return text;
}

/* What the bridge refused bears a certificate already, and the edge will give it another. */
static bool is_kept(const struct dead_letter *letter, const struct pair_list *set, struct slice key)
{
	static const char *const certificate[] = {"edge", "run", "seq"};

	if (slice_equals_text(key, "event_id") || pairs_find_left(set, key) != NULL) {
		return false;
	}
	for (size_t i = 0; slice_equals_text(letter->refused_by, "bridge") && i < 3; i++) {
		if (slice_equals_text(key, certificate[i])) {
			return false;
		}
	}
	return true;
}

static uint32_t count_kept(
	const struct dead_letter *letter, const struct pair_list *set, const struct node *map)
{
	const struct node *key = node_first(map);
	uint32_t count = 0;

	for (uint32_t i = 0; i < map->count; i++, key = node_next(node_next(key))) {
		count += is_kept(letter, set, key->text);
	}
	return count;
}

static void write_set(struct writer *writer, const struct pair_list *set)
{
	for (size_t i = 0; i < set->count; i++) {
		write_text(writer, set->items[i].left);
		write_text(writer, set->items[i].right);
	}
}

int letter_replay(const struct dead_letter *letter, const struct letter_place *place,
	const struct pair_list *set, struct document *document, struct buffer *buffer)
{
	char event_id[TOPIC_NAME_SIZE + 64];
	struct complaint complaint;
	struct writer writer;

	int size = snprintf(event_id, sizeof event_id, "dlq:%s/%d/%lld", place->topic,
		(int)place->partition, (long long)place->offset);
	if (size > EVENT_ID_SIZE_MAX) {
		return LETTER_E_NAME;
	}
	int r = letter->bytes.size == 0 ? LETTER_E_UNREADABLE
					: document_decode(document, encoding_of(letter->bytes),
						  letter->bytes, DEPTH_MAX, &complaint);
	if (r != 0 || document->nodes->type != NODE_MAP) {
		return r < 0 ? r : LETTER_E_UNREADABLE;
	}
	const struct node *map = document->nodes;
	const struct node *key = node_first(map);
	writer_init(&writer, document->encoding, buffer);
	write_map(&writer, count_kept(letter, set, map) + (uint32_t)set->count + 1);
	write_key(&writer, "event_id");
	write_key(&writer, event_id);
	write_set(&writer, set);
	for (uint32_t i = 0; i < map->count; i++) {
		const struct node *value = node_next(key);
		if (is_kept(letter, set, key->text)) {
			write_text(&writer, key->text);
			write_node(&writer, value, document->encoding);
		}
		key = node_next(value);
	}
	return buffer->error;
}
