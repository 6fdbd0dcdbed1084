/* standing.h - queries that stand: asked anew, once for all who look at them, when totals have moved. Ingest comes first: one
 * that takes long is asked rarely, and all of them together take no more than a share of the loop. Pure: time comes in. One
 * thread. */
#pragma once
#include "aggregator/web/shared_text.h"
#include "proto/query_reply.h"

struct key_holder;
struct standing;
struct standing_query;

enum {
	/* As often as people look; a lone change is shown at once. */
	STANDING_INTERVAL_MS = 800,
	/* Without a change of totals: what goes by the clock still moves. */
	STANDING_IDLE_MS = 3000,
	/* One is asked again no sooner than after so many times what it took, and all of them together pause so many times
	 * what each takes: 2 % and 2.5 % of the loop. */
	STANDING_PAUSE_OF_ONE = 50,
	STANDING_PAUSE_OF_ALL = 40,
	/* One turn: what comes in from Kafka waits no longer than that, and one query. */
	STANDING_TURN_US = 4000,
	/* Longer answers are for those who ask once. */
	STANDING_ANSWER_SIZE_MAX = 1024 * 1024,
	STANDING_ANSWERS_SIZE_MAX = 64 * 1024 * 1024, /* of all */
	STANDING_QUERIES_MAX = 512, /* some tens of pages, each with its own choice of panels */
};

struct standing_options {
	/* Asks at once, as queries_ask does. 0 or -errno. */
	int (*ask)(void *owner, const struct key_holder *holder, struct slice query,
		struct query_reply *ret_reply);
	int64_t (*now_us)(void *owner);
	/* What a query cost: the thread's own time. Others that have its processor meanwhile are no reason to ask less. */
	int64_t (*spent_us)(void *owner);
	void *owner;
	size_t queries_max; /* 0: STANDING_QUERIES_MAX */
};

struct standing_counts {
	size_t queries; /* now */
	uint64_t asked;
	uint64_t
		postponed; /* they were due, and others, or they themselves, had taken too much time */
	int64_t took_us; /* all that were asked */
};

int standing_new(const struct standing_options *options, struct standing **ret_standing);
struct standing *standing_free(struct standing *standing);
/* Looks at the query of this text with these rights, which lives for as long as anybody does. 0, -ENOSPC: too many others;
 * -ENOMEM. */
int standing_join(struct standing *standing, const struct key_holder *holder, struct slice text,
	struct standing_query **ret_query);
void standing_leave(struct standing *standing, struct standing_query *query);
/* Rises with each answer that differs from the one before, but for how fresh it is. 0: none yet. */
uint64_t standing_version(const struct standing_query *query);
/* The newest; borrowed. NULL: none yet. */
struct shared_text *standing_answer(const struct standing_query *query);
/* Totals may be others than before. */
void standing_moved(struct standing *standing);
/* Asks those whose time has come. *ret_changed: some have new answers. Lowers *ret_wait_ms to when it wants the next turn. */
int standing_turn(struct standing *standing, bool *ret_changed, int64_t *ret_wait_ms);
struct standing_counts standing_counts(const struct standing *standing);
