/* declared_source.h - topics that others write, declared as [source.NAME]: what is declared, and the reader that makes events
 * of their records. Pure but for the reader's memory. The loop's thread.
 *
 * A plain record is itself by topic, partition and offset, and counted once because the store's offsets move with what was
 * counted. Its certificate says so: edge is the source's name, run stands for topic and partition, and seq numbers what was
 * counted of that partition. */
#pragma once
#include "aggregator/record.h"
#include "proto/pairs.h"
#include "proto/topic.h"
#include "runtime/config.h"

enum {
	DECLARED_SOURCES_MAX = 16,
	SOURCE_TOPICS_MAX = 8,
	SOURCE_NAME_SIZE_MAX = 40, /* as an edge's id it has 64 */
};

struct source_declaration {
	char name[SOURCE_NAME_SIZE_MAX + 1];
	char *topic; /* owned, as are the next: as they were given, for printing */
	char *format;
	char *kind;
	char *fields;
	char topics[SOURCE_TOPICS_MAX][TOPIC_NAME_SIZE];
	uint32_t topic_count;
	enum kind event_kind;
	struct pair_list *field_list; /* owned; its texts lie in `fields` */
};

void source_declaration_deinit(struct source_declaration *declaration);
/* One key of the section: 0, -EINVAL with the error, -ENOMEM. */
int source_declaration_set(struct source_declaration *declaration, const char *key,
	const char *value, struct config_error *error);
/* Is it whole? -EINVAL with the error. */
int source_declaration_check(
	const struct source_declaration *declaration, struct config_error *error);
void source_declaration_print(const struct source_declaration *declaration, FILE *out);

struct source_reader;
/* The declaration is borrowed. -ENOMEM. */
int source_reader_new(
	const struct source_declaration *declaration, struct source_reader **ret_reader);
struct source_reader *source_reader_free(struct source_reader *reader);
/* Reads a record of this topic; were it counted, it would be the one of that number, from 1. The reading borrows from reader,
 * document and record. 0 or -ENOMEM. */
int source_read(struct source_reader *reader, struct document *document, const char *topic,
	uint64_t number, const struct record *record, struct reading *ret_reading);
