/* succession.h - the leaders behind a commit, made of those before it and of the rows that it writes, which come in the order of
 * their keys. The committing thread's between begin and end. Pure. */
#pragma once
#include "aggregator/store/leaders.h"
#include "aggregator/view/view.h"

struct succession_row;

struct succession {
	const struct leaders *before; /* borrowed */
	struct leaders *
		after; /* owned; NULL: they could not be made, or what is stored does not fit those before */
	struct succession_row *rows; /* owned: those before, by key */
	size_t at; /* rows before this one have smaller keys than what is written now */
};

/* Once for each try of a commit. */
void succession_begin(struct succession *succession);
/* A row is written in the place of `base`, {NULL, 0} when there was none. */
void succession_write(struct succession *succession, const struct view *view, struct slice key,
	struct slice base, struct slice value);
void succession_end(struct succession *succession);
void succession_deinit(struct succession *succession); /* takes a zeroed one */
