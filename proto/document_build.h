/* document_build.h - how the two decoders fill a document. Private to proto/. */
#pragma once
#include "proto/document.h"

enum {
	/* The decoders' own stacks; a caller's depth_max may be less, never more. */
	DOCUMENT_DEPTH_MAX = 32,
};

/* Room for one more node. 0, -ENOMEM, or REASON_TOO_LARGE with the complaint. */
int document_grow(struct document *document, struct complaint *complaint);

/* The next node, all of it but type, span and raw.bytes to be filled; NULL with *ret_error set. */
static inline struct node *document_add(struct document *document, enum node_type type,
	const uint8_t *at, struct complaint *complaint, int *ret_error)
{
	if (document->count == document->capacity) {
		int r = document_grow(document, complaint);
		if (r != 0) {
			*ret_error = r;
			return NULL;
		}
	}
	struct node *node = &document->nodes[document->count++];
	node->type = type;
	node->count = 0;
	node->span = 1;
	node->raw.bytes = at;
	return node;
}

/* Each: 0, -ENOMEM, or a reason with the complaint. The document is empty at the start. */
int msgpack_decode(struct document *document, struct slice bytes, uint32_t depth_max,
	struct complaint *complaint);
int json_decode(struct document *document, struct slice bytes, uint32_t depth_max,
	struct complaint *complaint);

/* One more pair of text at the end of the map that the document is. 0, -ENOMEM, or REASON_TOO_LARGE. */
int document_add_pair(struct document *document, struct slice key, struct slice value,
	struct complaint *complaint);

/* Refuses maps that say a key twice. */
int document_check_keys(const struct document *document, struct complaint *complaint);

int complain_too_deep(struct complaint *complaint, uint32_t depth_max);
int complain_not_text(struct complaint *complaint, size_t at);
