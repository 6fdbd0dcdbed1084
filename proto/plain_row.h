/* plain_row.h - a JSON record as home-made producers write it to Kafka, brought under till's field names. Rules:
 * PROTOCOL.md, 5.6. Pure. */
#pragma once
#include "proto/buffer.h"
#include "proto/document.h"
#include "proto/pairs.h"

/* Writes a JSON map for event_normalise: `kind`, and of the record what `fields` (the record's name, till's name) takes. What
 * is null or not there is absent. Only one map is a record. 0, -ENOMEM, or a reason with the complaint. */
int plain_row_write(struct document *document, struct slice value, const char *kind,
	const struct pair_list *fields, struct buffer *row, struct complaint *complaint);
