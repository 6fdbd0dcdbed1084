/* declared_source.h - topics that others write, declared as [source.NAME]: what its keys say, and whether that is whole.
 * Pure. */
#pragma once
#include "proto/column_type.h"
#include "proto/event.h"
#include "proto/topic.h"
#include "runtime/config.h"

enum {
	DECLARED_SOURCES_MAX = 16,
	SOURCE_TOPICS_MAX = 8,
	SOURCE_NAME_SIZE_MAX = 40, /* as an edge's id it has 64 */
	SOURCE_KEYS = 8,
};

enum source_format {
	SOURCE_PLAIN, /* JSON records, each a map */
	SOURCE_DEBEZIUM, /* changes of a table's rows */
	SOURCE_TILL, /* till's own records, in a topic that till did not make */
};

struct source_declaration {
	char name[SOURCE_NAME_SIZE_MAX + 1];
	char *topic; /* owned, as are the next: as they were given, for printing; NULL: not given */
	char *format;
	char *kind; /* either this, */
	char *table; /* or this: the rows are of [table.NAME] and no events */
	char *fields;
	char *key; /* columns of the primary key */
	char *types;
	char *uncertified;
	char places[SOURCE_KEYS][sizeof((struct config_error *)0)->place]; /* where each was set */
	char topics[SOURCE_TOPICS_MAX][TOPIC_NAME_SIZE];
	uint32_t topic_count;
	enum source_format format_type;
	enum kind event_kind; /* where `kind` is given */
	bool counts_uncertified; /* records of SOURCE_TILL without a certificate */
	struct pair_list *
		field_list; /* owned, as are the next two, with texts in what was given; NULL: not given */
	struct pair_list *key_list; /* left: columns */
	struct column_types *type_list;
};

void source_declaration_deinit(struct source_declaration *declaration);
/* One key of the section: 0, -EINVAL with the error, -ENOMEM. */
int source_declaration_set(struct source_declaration *declaration, const char *key,
	const char *value, struct config_error *error);
/* Is it whole? -EINVAL with the error, and where it is. */
int source_declaration_check(
	const struct source_declaration *declaration, struct config_error *error);
/* -EINVAL with the error: where the key stands, else the section, and why. */
int source_declaration_refuse(const struct source_declaration *declaration, const char *key,
	const char *why, struct config_error *error);
/* Are its records whole orders, each with its amount and without a product? */
bool source_has_order_totals(const struct source_declaration *declaration);
void source_declaration_print(const struct source_declaration *declaration, FILE *out);
/* Does it bring events whose rows may change, or go away, later? Then what it counted must be such as can be taken back. */
static inline bool source_takes_back(const struct source_declaration *declaration)
{
	return declaration->format_type == SOURCE_DEBEZIUM && declaration->table == NULL;
}
