/* shard_baskets.h - a shard's baskets at work, where a view counts them: which records move their clocks, who counts those that
 * closed, and the forgetting of those that closed long ago. The loop's thread. */
#pragma once
#include "aggregator/shard/shard.h"

/* Reads the clocks. How many baskets are open is nobody's to bound, so that these are read bit by bit (shard_close_baskets), while
 * records and most questions find the shard at work; shard->is_loading: there are more. 0, STORE_E_CORRUPT, -errno. */
int shard_open_baskets(struct shard *shard);
/* A certified record: of orders, it moves the clock of its partition. 0 or -ENOMEM. */
int shard_follow_baskets(struct shard *shard, const char *topic, const struct record *record,
	const struct reading *reading);
/* An accepted event, once views have counted it. 0, -EBADMSG, -errno. */
int shard_take_line(struct shard *shard, const struct event *event);

/* Reads some of the open baskets that the store has; when all are known, closes those whose time has come, a few at a time, and forgets some that closed long ago; shard->is_closing: there are more.
 * No commit should come between them, for a rebuild would know no such state. 0, or -errno; a shard that can't read its entries
 * is broken from now on. */
int shard_close_baskets(struct shard *shard, int64_t now_ms);
