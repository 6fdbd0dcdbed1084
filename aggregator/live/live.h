/* live.h - the XPUB at which changed rows are published (PROTOCOL.md, 6.7): subscriptions in, messages out. What is said and
 * when is live_streams.h's, what it looks like live_message.h's. It never waits for a subscriber. The loop's thread. */
#pragma once
#include "aggregator/desk/desk.h"

struct context;
struct guard;
struct live;
struct loop;
struct metrics;
struct security;

struct live_options {
	struct context *context; /* all borrowed */
	struct loop *loop;
	struct security *security;
	struct guard *guard;
	struct metrics *metrics;
	struct desk *desk; /* what rows are read from; this sets its live_place */
	const char *endpoint;
	int64_t rate; /* messages a second and view at most; > 0 */
	const uint8_t *hash_key; /* OVERLAY_HASH_KEY_SIZE */
};

int live_new(const struct live_options *options, struct live **ret_live);
struct live *live_free(struct live *live);

/* All of the following take NULL: nothing is published. */

const char *live_endpoint(const struct live *live);
/* For shard_options.freezing: notes what changed in this overlay, and which rows have ended. */
void live_take(struct live *live, struct overlay *overlay);
/* A row changed, or is no more, without an event. */
void live_note(struct live *live, uint32_t view_id, struct slice key, struct slice longs);
/* Rows of many views did so, as when a user is forgotten: whoever listens must read anew. */
void live_reset(struct live *live);
/* Another generation is live: the desk knows it already, and the old views still are. 0 or -errno. */
int live_switch(struct live *live, const struct view_set *views);
/* Rights were taken away: everybody has to come again. */
void live_end_peers(struct live *live);
/* From the owner's tick: says what is due. 0 or -errno. */
int live_tick(struct live *live, int64_t now_ms, int64_t *ret_wait_ms);
