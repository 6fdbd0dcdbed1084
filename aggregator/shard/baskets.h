/* baskets.h - the baskets of one shard: the lines of one order make one, until its partition's clock is more than `horizon`
 * past its last line. Then it is closed, and given as an event to whoever counts baskets. What comes for it later is late, and
 * left out, as long as it is remembered: `memory` after its last line. A line behind that opens another one.
 *
 * A partition's clock is the largest append time of a record that was read from it. So which line belongs to which basket, and
 * which is late, follows from the partition's records alone, whatever is read beside it and whenever: a rebuild agrees.
 *
 * What is kept lies in the shard's entries. In memory is, of each open basket, when to look at it. The loop's thread. */
#pragma once
#include "aggregator/books/books.h"
#include "aggregator/store/basket.h"

struct baskets_options {
	struct entries *entries; /* borrowed, as are the books */
	struct basket_books *books;
	int64_t horizon_ms;
	int64_t memory_ms; /* >= horizon_ms */
	/* What a closed basket came to in one currency. 0 or -errno. */
	int (*give)(void *owner, const struct event *event, const struct basket *basket);
	void *owner;
};

struct baskets;

int baskets_new(const struct baskets_options *options, struct baskets **ret_baskets);
struct baskets *baskets_free(struct baskets *baskets);

/* At start: each entry from BASKETS_CLOCKS on, in order; those before BASKETS_OPEN before anything is followed. 0, BASKETS_E_PASSED
 * behind the last one that it needs, -EBADMSG, -ENOMEM. */
enum { BASKETS_E_PASSED = 1000 };
#define BASKETS_CLOCKS (slice_of("bk", 2))
#define BASKETS_OPEN (slice_of("bo", 2))
int baskets_load(void *baskets, struct slice key, struct slice value);

/* A record of this partition was read: its clock moves. What is taken next was in it. 0 or -ENOMEM. */
int baskets_follow(
	struct baskets *baskets, const char *topic, int32_t partition, int64_t append_ms);
/* Counts one line, or notes that it is late. 0, -ENOMEM, or what entries and `give` say. */
int baskets_take(struct baskets *baskets, const struct event *line);
/* Closes baskets whose time has come, at most so many. *ret_is_behind: there are more. */
int baskets_close_due(struct baskets *baskets, size_t count_max, bool *ret_is_behind);
/* Open ones that would be closed if their partitions' clocks stood at `now_ms`: as far as is known, for some may have had lines since
 * they were looked at last. */
size_t baskets_overdue(const struct baskets *baskets, int64_t now_ms);
/* Puts the clocks that moved among the entries, before these are frozen. 0 or -ENOMEM. */
int baskets_keep_clocks(struct baskets *baskets);

/* A stored entry whose key begins with BASKETS_CLOSED: forgets it when its time is over. 0, or as above. */
#define BASKETS_CLOSED (slice_of("bc", 2))
int baskets_review(struct baskets *baskets, struct slice key, struct slice value);
