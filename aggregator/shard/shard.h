/* shard.h - one shard of one generation at work: what its records change, in memory until it is on disk.
 *
 *   records -> active commit (overlay, streams, positions, ledger) -> frozen commit -> worker -> store
 *
 * One commit is written at a time; the next fills meanwhile. The loop's thread. */
#pragma once
#include "aggregator/books/ledger.h"
#include "aggregator/books/record.h"
#include "aggregator/books/streams.h"
#include "aggregator/shard/baskets.h"
#include "aggregator/shard/boards.h"
#include "aggregator/shard/partition.h"
#include "aggregator/shard/topics.h"
#include "aggregator/store/commit.h"
#include "aggregator/store/entries.h"
#include "aggregator/store/expiry.h"
#include "aggregator/store/layers.h"
#include "aggregator/store/worker.h"

struct shard_options {
	struct store *store; /* borrowed, as are the next two */
	struct worker *worker; /* the store's */
	const struct view_set *views;
	uint32_t generation;
	uint8_t hash_key[OVERLAY_HASH_KEY_SIZE];
	size_t entries_at_once; /* taken into a commit, or looked at after one, between two questions */
	/* Told of every commit: its result (0, STORE_E_FULL, STORE_E_CORRUPT, -errno) and how long it took. */
	void (*committed)(void *owner, int result, int64_t took_us);
	/* The active overlay is about to be frozen: whoever watches takes what changed in it. May be NULL. */
	void (*freezing)(void *owner, struct overlay *overlay);
	/* Another event was counted under this certificate: the record is set aside. May be NULL. */
	void (*conflict)(void *owner, const char *topic, const struct record *record,
		const struct reading *reading);
	/* A row of a table is another than before, or no more. May be NULL. */
	void (*row_changed)(void *owner, uint32_t generation, uint32_t table_id, struct slice key,
		struct slice longs);
	void *owner;
};

/* How far the walk over closed baskets has come. */
struct basket_review {
	uint8_t key[BASKET_KEY_SIZE_MAX];
	size_t key_size; /* 0: at the beginning */
	uint64_t closed; /* so many baskets that closed it has kept pace with */
};

/* How far a start has read the open baskets. */
struct basket_loading {
	uint8_t next[BASKET_KEY_SIZE_MAX + 1];
	size_t next_size; /* 0: from the first one */
};

/* How far entries were taken into the active commit, in passes, while others change. */
struct gathering {
	size_t pass; /* so many had changed when the pass began; 0: none did since the last freeze */
	size_t left; /* of them */
};

struct truncations;

struct shard {
	struct shard_options options;
	struct ledger ledger; /* as of the last record taken */
	struct streams *streams;
	struct fingerprints *fingerprints;
	struct entries *entries;
	struct baskets *baskets; /* NULL: no view counts them */
	bool has_followed; /* a basket's time may have come since the last look */
	bool is_loading; /* open baskets of the store are not all known yet: none is closed by the clock */
	struct basket_loading loading;
	bool is_closing; /* baskets whose time has come are not all closed yet */
	struct basket_review review; /* of those that closed long ago */
	struct gathering gathering;
	struct truncations *truncations;
	struct boards boards;
	struct table_rows *tables;
	struct commit active;
	struct commit frozen;
	struct job job; /* writes `frozen` */
	struct commit written; /* was `frozen`, and nobody looks at it any more */
	struct job
		disposal; /* frees it: some milliseconds where much changed, for which no answer shall wait */
	bool is_frozen; /* `frozen` holds something that the store may not have yet */
	bool is_writing;
	bool is_changed; /* since the last freeze */
	bool is_full; /* the disk or the map: the last commit could not be written */
	bool is_broken; /* what is stored can't be read: nothing is taken any more */
	char broken_why[256];
	uint64_t watched; /* overlay_watch's views */
	struct expiry expiry; /* the committing thread's while it writes */
	int64_t changed_ms; /* the first change since the last freeze */
	int64_t taken_ms; /* the last one */
	int64_t retry_ms; /* when a commit that found no room is tried again */
	uint64_t committed; /* number of the last commit on disk */
	struct tally seen[STREAM_KIND_COUNT]; /* since the process began: for metrics */
	struct basket_books baskets_before; /* when the process began */
	struct change_tally changes_seen[KIND_EVENT_COUNT]; /* since it began */
	uint64_t conflicts, uncompared; /* likewise, of records whose certificate was there */
};

/* Reads the ledger. 0, STORE_E_CORRUPT, -errno. */
int shard_new(const struct shard_options *options, struct shard **ret_shard);
/* The worker must be idle. What is not written is lost, and read from the log again at the next start. */
struct shard *shard_free(struct shard *shard);

/* Counts one record. 0 with its fate, or -errno; -EBADMSG: the shard is broken from now on, the record was not taken. */
int shard_take(struct shard *shard, const char *topic, const struct record *record,
	const struct reading *reading, enum fate *ret_fate);
/* The broker's time read so far, by any shard. */
void shard_set_clock(struct shard *shard, int64_t clock_ms, int64_t now_ms);
/* Something changed at `now_ms`: a position, the ledger. */
void shard_touch(struct shard *shard, int64_t now_ms);
/* Memory that the active commit takes. */
size_t shard_bytes(const struct shard *shard);
/* The part of it beside the rows of views: streams and what is put aside. */
size_t shard_puts_bytes(const struct shard *shard);
/* Rows, members and streams that it changes: each may cost the commit a page. */
size_t shard_change_count(const struct shard *shard);
uint64_t shard_uncommitted(const struct shard *shard); /* events */

/* overlay_watch for this overlay and all that come after it. */
void shard_watch(struct shard *shard, uint64_t views);

/* Takes some of the entries that changed into the active commit, so that a freeze finds few of them. Whether a freeze is better
 * put off until the rest was taken, too. */
int shard_gather(struct shard *shard, bool *ret_is_amid);
/* Some of what was written may be forgotten from now on. Whether there is more of it. */
bool shard_settle(struct shard *shard);
/* Freezes what changed and gives it to the worker; not while a frozen commit is there. `partitions` are this shard's:
 * those that changed are taken. */
int shard_freeze(struct shard *shard, struct partition *const *partitions, size_t count,
	const struct topics *topics);
/* Tries again to write a frozen commit that found no room. */
void shard_retry(struct shard *shard, int64_t now_ms);

/* Entries as the last commit left them, as snapshot_walk has it. */
int shard_walk_entries(const struct shard *shard, struct slice from,
	int (*each)(void *owner, struct slice key, struct slice value), void *owner);
/* base + frozen + active, for an answer. 0, STORE_E_CORRUPT, -errno. The snapshot is the caller's to end. */
int shard_layers(struct shard *shard, struct layers *ret_layers);
