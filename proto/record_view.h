/* record_view.h - a record of any topic as a person reads it: its key, its headers, and its value as far as it can be read. Pure. */
#pragma once
#include "proto/topic_record.h"
#include "proto/writer.h"

enum {
	/* Of a value that can't be read. */
	RECORD_VIEW_BYTES_MAX = 4 * 1024,
	/* A larger value is not read: a change with its schema has some tens of KiB. */
	RECORD_VIEW_VALUE_MAX = 256 * 1024,
	RECORD_VIEW_PAIRS = 6,
};

/* RECORD_VIEW_PAIRS pairs of a map that was begun: "key", "headers", "size", "as", "value", "reason". `document` is scratch, good for
 * EVENT_NODES_MAX nodes. 0 or -ENOMEM; what the buffer refused is in its error. */
int record_view_write(
	struct document *document, const struct topic_record *record, struct writer *writer);
/* "value" and "reason" alone are for others, too: the pairs "as", "value", "reason". */
enum { RECORD_VALUE_PAIRS = 3 };
int record_value_write(struct document *document, struct slice value, struct writer *writer);
