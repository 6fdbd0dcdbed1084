/* event_value.h - reads the value of one known field: as producers may write it, or as normal form has it. The
 * same code serves the edge and those who check it again. For event_*.c only. */
#pragma once
#include "proto/event_fields.h"

struct value_rules {
	enum kind kind;
	bool is_normal_form;
	enum encoding encoding;
	const struct zone *zone; /* producers only */
	struct complaint *complaint;
};

struct value {
	bool is_absent; /* nil or empty text */
	int64_t number; /* times, integers, money */
	struct slice
		text; /* the others; points into the node, into static text, or into `digits` */
	char digits[24];
};

/* 0 or a reason with the complaint; `name` is the field's name as the sender wrote it. */
int value_read(const struct value_rules *rules, enum field field, const char *name,
	const struct node *node, struct value *ret_value);

/* Takes a value that is not absent into the event. */
void event_keep_value(struct event *event, enum field field, const struct value *value);

/* The event has this very value in the field. */
bool value_is_kept(const struct event *event, enum field field, const struct value *value);
/* NULL, nil or empty text. */
bool node_is_absent(const struct node *node);
/* Producers' names of kinds, aliases and canonical ones. */
bool kind_from_alias(struct slice name, enum kind *ret_kind);

/* The rules that span fields. `waived`: fields that need not be there. 0 or REASON_MISSING_FIELD. */
int event_check_required(const struct event *event, uint32_t waived, struct complaint *complaint);
/* REASON_BAD_TYPE for what is no map. */
int event_refuse_shape(const struct node *node, struct complaint *complaint);

/* An integer in normal form: JSON writes those past 2^53 as text. */
bool value_normal_integer(enum encoding encoding, const struct node *node, int64_t *ret_value);

enum { NODE_WORDS_SIZE = 96 };
/* The value as a complaint shows it, cut: "2,55" in quotes, 1e300, an array. */
void node_describe(const struct node *node, char words[NODE_WORDS_SIZE]);
