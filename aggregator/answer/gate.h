/* gate.h - what a key may ask: whole views (`views`), or of views that are grouped by edge first the rows of some edges
 * (`stores`); `admin` may ask everything. Pure. An asker of NULL is our own code: it sees everything. */
#pragma once
#include "aggregator/view/view.h"
#include "proto/query.h"
#include "runtime/key_holder.h"

struct forget_plan;

struct question {
	const struct query *query;
	const struct forget_plan *forget; /* of a `forget`: what was done */
	const struct key_holder *asker;
};

/* 0, or REASON_FORBIDDEN with the complaint. The asker is not NULL. */
int gate_check(const struct key_holder *asker, const struct query *query,
	const struct view_set *views, struct complaint *complaint);
/* Is the view in this asker's `views` query? */
bool gate_shows_view(const struct key_holder *asker, const struct view *view);
/* Does it see all rows of all views? Then it may listen to the live socket. */
bool gate_shows_all(const struct key_holder *asker);
/* The list of edges whose rows of this view it sees; NULL: it sees all rows. */
const char *gate_stores_of(const struct key_holder *asker, const struct view *view);
/* The same for edges and ledger. */
const char *gate_stores_of_streams(const struct key_holder *asker);
/* Does a row of such a view, by its key, belong to these stores? NULL: to be sure. */
bool gate_shows_row(const char *stores, struct slice key);
