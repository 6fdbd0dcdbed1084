/* generations.h - the live generation of the stores and, while a rebuild runs, its shadow: the feeds that fill them, what the
 * log may lack for each, and the switch from one to the other. The loop's thread. */
#pragma once
#include "aggregator/log/feed.h"
#include "aggregator/opening.h"
#include "aggregator/source_readers.h"

struct generations_options {
	const struct aggregator_config *config; /* borrowed */
	struct opening *opening; /* borrowed; the switch changes its views */
	const struct text_set *accepted; /* gaps, as given to --accept-gap; borrowed */
	bool wants_rebuild; /* the operator asked for it now */
	const char *
		archive; /* read before the log: into the shadow if there is one, else into the live one; NULL: none */
	/* loop, hash key, handlers: what is the same for both. */
	struct feed_options feed;
};

/* Zero-initialised: none. */
struct generations {
	struct generations_options options;
	struct source_readers readers; /* both feeds' */
	struct feed *live;
	struct feed *shadow; /* NULL: no rebuild runs */
	struct text_set accepted_by_shadow;
	bool drops_shadow; /* it goes at the next tick: nobody who is called by it may take it away */
};

/* 0, STORE_E_CORRUPT, -errno with the error set where it is about the configuration; to be deinitialised in any case. */
int generations_init(struct generations *generations, const struct generations_options *options,
	struct config_error *error);
void generations_deinit(struct generations *generations);

int generations_tick(struct generations *generations, int64_t now_ms, int64_t *ret_wait_ms);
/* Nothing more is read; what was read is still written. */
void generations_stop(struct generations *generations);
/* Freezes what is not on disk yet. *ret_is_clean: everything is. */
int generations_flush(struct generations *generations, bool *ret_is_clean);
/* Does whatever is not on disk wait for room, or for a person? */
bool generations_are_stuck(const struct generations *generations);

/* Is there a shadow that takes no place before it is accepted, and not about to go? */
bool generations_are_staged(const struct generations *generations);
/* What is staged takes the live one's place as soon as it may, like any rebuild. */
void generations_accept_staged(struct generations *generations);
/* The shadow reads nothing more, and goes. */
void generations_drop_shadow(struct generations *generations);
/* Once the store has place for what goes. *ret_is_gone: there was one, and it is gone. 0 or -errno. */
int generations_drop_tick(struct generations *generations, bool *ret_is_gone);
/* How much of what the live one has read the shadow has read, 0 to 1; without a shadow 1. */
double generations_progress(const struct generations *generations);
/* Has the shadow read all that the live one has, and is nothing left of an earlier rebuild? */
bool generations_may_switch(const struct generations *generations);
/* Before a switch both stand still: the live one, so that no answer goes back; the shadow, so that there is a last commit. */
void generations_hold(struct generations *generations, bool is_held);
/* The shadow, all on disk, becomes the live one; the old one's rows are dropped bit by bit by upkeep. Gives the old views, from
 * now on the caller's. 0 or -errno. */
int generations_switch(struct generations *generations, struct view_set **ret_old_views);
/* A shadow that can't be filled is given up, so that the next start without --rebuild finds the live one alone. */
int generations_give_up_shadow(struct generations *generations);
