/* answer.h - answers a query from base + frozen + active of every shard of one generation. Logic only: layers and
 * freshness come in, bytes go out. Runs on the loop's thread. */
#pragma once
#include "aggregator/overlay/overlay.h"
#include "aggregator/store/entries.h"
#include "aggregator/store/layers.h"
#include "aggregator/store/store.h"
#include "proto/query.h"
#include "runtime/key_holder.h"

/* "as_of" of every answer. */
struct freshness {
	const char *store_id;
	uint64_t commit;
	int64_t event_ts; /* largest counted; 0: none */
	int64_t lag; /* -1: unknown, shown as null */
	const char *const *gaps; /* ends with NULL */
};

/* How far the views' live streams are (PROTOCOL.md, 6.7). */
struct live_place {
	const char *stream;
	uint64_t watched; /* a bit for each view that has subscribers */
	const uint64_t *n; /* the last number, by view id */
};

/* How `top` without refinement was answered. */
struct top_tally {
	uint64_t by_leaders, by_walk;
};

struct answer_context {
	const struct view_set *views;
	struct layers shards[SHARDS_MAX];
	size_t shard_count;
	struct freshness freshness;
	struct top_tally *tops; /* borrowed; NULL: nobody counts */
	const struct live_place *live; /* borrowed; NULL: nothing is published */
	const struct key_holder
		*asker; /* borrowed: what he may not see is not in the answer; NULL: all is */
	/* Called every ANSWER_RENEW_ROWS rows of a long walk: ends every snapshot and begins it anew, and sets `frozen`
	 * to NULL where the new snapshot holds it, so that no read transaction grows old. Active overlays must not
	 * change meanwhile: then the answer is as exact as from one snapshot. NULL: never. 0 or -errno; after a failure
	 * the caller still ends what is not NULL. */
	int (*renew)(void *owner, struct layers *shards, size_t shard_count);
	void *renew_owner;
};

/* At about a microsecond a row, 50 ms: well inside the 250 ms that a read transaction may live. */
enum { ANSWER_RENEW_ROWS = 50000 };

/* get, top, scan, views. Writes the whole reply, errors included. Returns 0, or a negative errno when even an error could not be written. */
int answer_query(
	struct answer_context *context, const struct query *query, struct buffer *ret_reply);
/* The value of "as_of", for the answers that are made elsewhere. */
void answer_write_as_of(struct writer *writer, const struct freshness *freshness);
