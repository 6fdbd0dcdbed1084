/* spool.h - what was accepted and not yet acknowledged, on disk. One LMDB environment in one directory, with LMDB's
 * default flags: a commit is on disk when it returns, and a killed process leaves the last commit whole.
 *
 * Never more than one process writes (a lock file of our own); tools read beside it through spool_reader.h. One thread.
 * An int result is 0, a SPOOL_E_* > 0 to handle, or a negative errno. A negative one from spool_commit means that
 * nobody knows whether it was written: end the process, the next start reads the truth. */
#pragma once
#include "edge/intake.h"
#include "edge/removals.h"
#include "edge/spool_error.h"
#include "edge/spool_identity.h"
#include "proto/telemetry.h"

enum {
	/* Each costs a row of some hundred bytes; a stranger must not fill the map with names. */
	SPOOL_PRODUCERS_MAX = 100000,
	/* Replayed dead letters are remembered for good: this many at most. */
	SPOOL_PERMANENT_IDS_MAX = 1000000,
};

struct spool_options {
	const char *dir; /* made when absent; its parent must exist */
	const char *edge;
	uint64_t quota_bytes;
	uint32_t share_percent[KIND_COUNT];
	uint32_t event_id_window;
	int64_t producer_ttl_ms;
	const char *
		accept_lost; /* the operator goes on without the rows that are missing by these words; NULL: without none */
};

struct spool;

/* Walks the files in a child process first (a damaged LMDB file can crash whoever reads it). 0, SPOOL_E_FOREIGN,
 * SPOOL_E_IN_USE or -errno, with the error set. */
int spool_new(
	const struct spool_options *options, struct spool **ret_spool, struct spool_error *error);
struct spool *spool_free(struct spool *spool);

/* Rows were missing, as accept_lost said: from now on what is there is all. */
bool spool_has_lost(const struct spool *spool);

const struct spool_index *spool_index(const struct spool *spool);
/* For intake_options: looks up producers and event ids. */
struct intake_memory spool_memory(struct spool *spool);

/* What a source has marked: those of `label`, in the order of their keys. A value of {NULL, 0}: that mark is damaged.
 * `take` returns 0 or a negative errno that ends the walk. */
struct spool_mark_walk {
	const char *label;
	void *owner;
	int (*take)(void *owner, struct slice key, struct slice value);
};
int spool_each_mark(struct spool *spool, const struct spool_mark_walk *walk);

/* Writes the draft and deletes the removals in one transaction; either may be NULL. 0, SPOOL_E_FULL: nothing was
 * written, or -errno. */
int spool_commit(struct spool *spool, const struct draft *draft, const struct removals *removals,
	int64_t wall_ms);

struct spool_batch {
	uint64_t first, last; /* indexes; every block between them is in it */
	uint32_t count;
	uint32_t size;
	int64_t received_ms; /* its oldest event (wall clock) */
};
struct spool_query {
	enum kind lane;
	uint64_t first, last;
	uint32_t size_max;
	uint32_t size_enough; /* no further block once there is so much; 0: as many as fit */
};
/* Appends the events of the blocks from `first` on, as many as fit, to `events`. SPOOL_E_END: none there.
 * SPOOL_E_FULL: the next one is larger than size_max. SPOOL_E_CORRUPT: the next one is damaged; ret_batch->first is it. */
int spool_read(struct spool *spool, const struct spool_query *query, struct buffer *events,
	struct spool_batch *ret_batch);

/* What was set aside: since the spool was made, but for what an operator deleted. */
struct spool_corrupt {
	uint64_t blocks;
	uint64_t events; /* where the header was readable */
	uint64_t unreadable_headers;
	/* Marks that were damaged when the spool was opened. Where it was the name, the source does not find it: only this tells. */
	uint64_t marks;
};
/* Moves a damaged block out of the way, in a commit of its own. ret_header is what the log shall name: count 0 when
 * nothing is known. */
int spool_set_aside(
	struct spool *spool, enum kind lane, uint64_t index, struct spool_block_header *ret_header);
struct spool_corrupt spool_corrupt(const struct spool *spool);

const struct spool_identity *spool_identity(const struct spool *spool);
/* A commit of its own. */
int spool_keep_cluster(struct spool *spool, const char *cluster, uint64_t topics_hash);

/* When the producer was heard that was heard last before this opening, by the clock of the memory; 0: there is none. */
int64_t spool_heard_last_ms(const struct spool *spool);

/* Looks how full pages and disk really are, and sets the index's flags: about once a second. */
int spool_measure(struct spool *spool);
/* The last SPOOL_E_FULL came from the map, not from the disk: only a new start, with a larger map, gets out. */
bool spool_is_map_full(const struct spool *spool);
/* Of the file, when it was measured last. */
struct spool_space {
	uint64_t file_bytes;
	uint64_t used_bytes; /* without LMDB's list of free pages */
	uint64_t
		disk_room_bytes; /* what the disk has above its reserve, free pages of the file counted in */
};
struct spool_space spool_space(const struct spool *spool);
/* Copies what is in use into a new file, which takes the place of the old one: takes as long as a commit of used_bytes.
 * 0; SPOOL_E_IN_USE: a tool reads the spool; SPOOL_E_FULL: no room for the copy; SPOOL_E_CORRUPT: it could not be
 * written, or does not hold what was copied: in these cases nothing has changed. Or -errno: end the process. */
int spool_compact(struct spool *spool);
/* The seqs that lie in it, waiting or set aside. *ret_is_cut: there are more, or what lies there can't be read. 0 or -errno. */
int spool_list_ranges(struct spool *spool, struct telemetry_range ranges[TELEMETRY_RANGES_MAX],
	uint32_t *ret_count, bool *ret_is_cut);
/* When the lane's oldest event on disk was received (wall clock); 0 when there is none. */
int64_t spool_oldest_ms(struct spool *spool, enum kind lane);
