/* waiting.h - queries that can't be answered yet: they want fresher totals than there are, or the start is not over. A
 * bounded number waits, each until its deadline. Holds copies: requests come again when their time has come. Pure. */
#pragma once
#include "proto/query.h"

enum {
	WAITING_MAX = 1000,
	/* What all of them may hold: a thousand ordinary ones, or fewer with long lists of certificates. */
	WAITING_BYTES_MAX = 16 * 1024 * 1024,
};

/* What a query wants before it is answered. */
struct wish {
	bool is_exempt; /* status and its like: answered even before the start is over */
	bool is_staged; /* of the views that are staged */
	struct slice view; /* borrowed: the view that is asked; empty: none */
	int64_t max_lag; /* -1: any */
	const struct certificate *after; /* borrowed; those not known to be reached */
	uint32_t after_count;
	struct query_look look; /* LOOK_NONE: none */
	bool is_looking; /* it was begun; set by the judge */
	const struct asker *asker; /* borrowed for a judgement */
	/* Letters to be sent again, borrowed for the first judgement; NULL: none. Then the ticket says that it was begun. */
	const struct query_replay *replay;
	uint64_t ticket; /* 0: nothing was */
};

struct asker;
struct waiting;

/* One that waits. */
struct waiting_query {
	struct slice envelope; /* the frames before the request, as the owner packed them */
	struct slice request;
	struct wish wish;
	int64_t deadline_ms;
};

int waiting_new(struct waiting **ret_waiting);
struct waiting *waiting_free(struct waiting *waiting);
/* Copies all of it. 0, -ENOSPC when too much waits already, -ENOMEM. */
int waiting_add(struct waiting *waiting, const struct waiting_query *query);
size_t waiting_count(const struct waiting *waiting);
/* Calls `judge` for each: 0 keeps it waiting, else it is taken out after `judge` returned. `judge` may raise
 * wish.after: certificates that were reached stay reached. */
void waiting_each(struct waiting *waiting, int (*judge)(void *owner, struct waiting_query *query),
	void *owner);
int64_t waiting_next_deadline(const struct waiting *waiting); /* INT64_MAX: none waits */
