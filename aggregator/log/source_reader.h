/* source_reader.h - makes readings of the records of a declared source (declared_source.h). Pure but for the reader's
 * memory. The loop's thread.
 *
 * A plain record is itself by topic, partition and offset, and counted once because the store's offsets move with what was
 * counted. Its certificate says so: edge is the source's name, run stands for topic and partition, and seq numbers what was
 * counted of that partition. A change of a row (Debezium) is itself by the row's primary key and its place in the database's
 * log; a record of till's by its certificate. */
#pragma once
#include "aggregator/books/record.h"
#include "aggregator/log/declared_source.h"

struct source_reader;
/* The declaration is borrowed. -ENOMEM. */
int source_reader_new(
	const struct source_declaration *declaration, struct source_reader **ret_reader);
struct source_reader *source_reader_free(struct source_reader *reader);
/* Do both bring rows of one table: are they one source, or do they fill one [table.NAME]? NULL: none of a declared source. */
bool source_readers_share(const struct source_reader *a, const struct source_reader *b);
/* Reads a record of this topic; were it counted by its offset, it would be the one of that number, from 1. The reading borrows
 * from reader, document and record. 0 or -ENOMEM. */
int source_read(struct source_reader *reader, struct document *document, const char *topic,
	uint64_t number, const struct record *record, struct reading *ret_reading);
