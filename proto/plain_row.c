#include "proto/plain_row.h"

#include "proto/registry.h"
#include "proto/writer.h"
#include <errno.h>

static const struct node *value_of(const struct node *map, const struct pair *field)
{
	const struct node *value = node_find_slice(map, field->left);

	return value != NULL && value->type != NODE_NIL ? value : NULL;
}

static void write_fields(const struct node *map, const struct pair_list *fields, const char *kind,
	struct buffer *row)
{
	struct writer writer;
	uint32_t count = 1;

	for (size_t i = 0; i < fields->count; i++) {
		count += value_of(map, &fields->items[i]) != NULL ? 1 : 0;
	}
	writer_init(&writer, ENCODING_JSON, row);
	write_map(&writer, count);
	write_key(&writer, "kind");
	write_key(&writer, kind);
	for (size_t i = 0; i < fields->count; i++) {
		const struct node *value = value_of(map, &fields->items[i]);
		if (value != NULL) {
			write_text(&writer, fields->items[i].right);
			write_node(&writer, value, ENCODING_JSON);
		}
	}
}

int plain_row_write(struct document *document, struct slice value, const char *kind,
	const struct pair_list *fields, struct buffer *row, struct complaint *complaint)
{
	int r = registry_strip("value", value, &value, complaint);

	if (r == 0 && value.size > EVENT_RAW_SIZE_MAX) {
		complaint_set(complaint, REASON_TOO_LARGE, "",
			"the record has %zu bytes; at most %d are allowed", value.size,
			EVENT_RAW_SIZE_MAX);
		return REASON_TOO_LARGE;
	}
	if (r == 0) {
		r = document_decode(document, ENCODING_JSON, value, NESTING_MAX, complaint);
	}
	if (r != 0) {
		return r;
	}
	if (document->nodes->type != NODE_MAP) {
		complaint_set(complaint, REASON_BAD_TYPE, "", "the record must be a map, not %s",
			node_type_name(document->nodes->type));
		return REASON_BAD_TYPE;
	}
	write_fields(document->nodes, fields, kind, row);
	if (row->error == -EMSGSIZE) {
		complaint_set(complaint, REASON_TOO_LARGE, "", "the record's fields are too long");
		return REASON_TOO_LARGE;
	}
	return row->error;
}
