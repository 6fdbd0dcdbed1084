/* refining.h - what `till top`, `till scan` and `till bands` let a user ask beyond rows as they are: the options, and what they add to a
 * request. Texts are borrowed from argv. Pure. */
#pragma once
#include "cli/options.h"
#include "proto/writer.h"

struct refining {
	struct text_list where; /* "COLUMN OP VALUE" */
	const char
		*group_by; /* "day,edge"; "" is one row of everything; NULL: as the view has them */
	const char *join; /* a table */
	bool with_missing; /* rows of zeros for what the view has none of */
	const char *from, *to, *last;
	const char *compare; /* a span, or FROM..TO */
	const char *order_by; /* "COLUMN[:desc],…"; scan only */
	bool explain;
	bool staged; /* of the views that are staged */
};

#define REFINING_OPTIONS(refining)                                                                 \
	{"--where", 0, OPTION_LIST, &(refining)->where, "CONDITION",                               \
		"COLUMN=VALUE, != < <= > >=, \"COLUMN in A,B\", \"COLUMN prefix TEXT\"; "          \
		"repeatable",                                                                      \
		0, 0},                                                                             \
		{"--group-by", 0, OPTION_TEXT, &(refining)->group_by, "COLUMNS",                   \
			"merge rows: some of the view's columns, of a joined table's, or day, "    \
			"week, month … of its time",                                               \
			0, 0},                                                                     \
		{"--join", 0, OPTION_TEXT, &(refining)->join, "TABLE",                             \
			"columns of a table beside the view's", 0, 0},                             \
		{"--with-missing", 0, OPTION_FLAG, &(refining)->with_missing, NULL,                \
			"with --join: zeros for what the table has and the view has not", 0, 0},   \
		{"--from", 0, OPTION_TEXT, &(refining)->from, "TIME", "rows from then on", 0, 0},  \
		{"--to", 0, OPTION_TEXT, &(refining)->to, "TIME", "rows before then", 0, 0},       \
		{"--last", 0, OPTION_TEXT, &(refining)->last, "SPAN",                              \
			"the last 30min, 24h, 7d, 2w, 1mo, 1y, up to the newest event", 0, 0},     \
		{"--staged", 0, OPTION_FLAG, &(refining)->staged, NULL,                            \
			"of the views that are staged, not of the live ones", 0, 0},               \
		{"--compare", 0, OPTION_TEXT, &(refining)->compare, "SPAN|FROM..TO",               \
			"beside each row what it was so much earlier, or in that period", 0, 0},   \
	{                                                                                          \
		"--explain", 0, OPTION_FLAG, &(refining)->explain, NULL,                           \
			"say what would be done, and do not do it", 0, 0                           \
	}

/* Does every option say something? -1 with the reason told, in the name of `command`: -EINVAL. */
int refining_check(const struct refining *refining, const char *command);
/* How many pairs refining_write adds to a request's map. */
uint32_t refining_count(const struct refining *refining);
void refining_write(const struct refining *refining, struct writer *writer);
/* "a,b" as an array of texts. */
void refining_write_list(struct writer *writer, const char *list);
