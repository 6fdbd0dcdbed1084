/* draft.h - what the next commit will write: events in blocks by lane, what producers were answered, event ids.
 * Everything of a group commit is put together here, in memory, so that a frame can be taken back whole and a commit
 * that found no room can be tried again or answered with a refusal. Also the one place that numbers events.
 * Pure; one thread. */
#pragma once
#include "edge/idmap.h"
#include "edge/spool_block.h"

/* The first byte of a mark's value. */
enum draft_mark_act { DRAFT_MARK_DELETE, DRAFT_MARK_PUT };

struct draft_block {
	size_t offset; /* of its events in the lane's bytes */
	uint32_t size;
	uint32_t count;
	uint64_t first_seq;
	int64_t received_first_ms;
	int64_t received_last_ms;
};

struct draft_lane {
	struct buffer events;
	struct draft_block *blocks; /* owned */
	size_t block_count;
	size_t block_capacity;
	uint64_t next_seq;
};

struct draft {
	uint64_t run;
	struct draft_lane lanes[KIND_COUNT];
	struct idmap producers; /* id -> row, as producer_row_encode made it */
	struct idmap
		event_ids; /* id -> nothing; a request's key -> row, as producer_row_encode made it */
	struct idmap
		marks; /* what sources want to find again: key -> value behind an enum draft_mark_act */
	uint64_t event_count;
	/* of the lane that draft_begin opened */
	size_t begun_at;
};

/* Of one lane as it stands between two events. */
struct draft_lane_mark {
	size_t size;
	size_t block_count;
	struct draft_block last; /* where block_count > 0: it may grow after the mark */
	uint64_t next_seq;
};

struct draft_mark {
	struct draft_lane_mark lanes[KIND_COUNT];
	uint32_t producer_count;
	uint32_t event_id_count;
	uint32_t mark_count;
	uint64_t event_count;
};

int draft_init(struct draft *draft, uint64_t run, const uint8_t seed[16]);
void draft_deinit(struct draft *draft); /* takes a zeroed one */
/* A new run: seqs begin at 1. Only while the draft is empty. */
void draft_set_run(struct draft *draft, uint64_t run);
/* After a commit: empty again, seqs go on. */
void draft_clear(struct draft *draft);
bool draft_is_empty(const struct draft *draft);

/* An event is encoded between the two: into the buffer that begin gives, with the seq that it gives. */
struct buffer *draft_begin(struct draft *draft, enum kind lane, uint64_t *ret_seq);
/* 0; -ENOMEM, or -EMSGSIZE for more than a block holds: then the event is taken back, its seq is free again. */
int draft_end(struct draft *draft, enum kind lane, int64_t received_ms);

/* `key` belongs to one source; a value of {NULL, 0} deletes it. 0 or -ENOMEM. */
int draft_add_mark(struct draft *draft, struct slice key, struct slice value);

void draft_mark(const struct draft *draft, struct draft_mark *ret_mark);
/* As if nothing had come since the mark. */
void draft_rewind(struct draft *draft, const struct draft_mark *mark);

static inline struct slice draft_block_events(
	const struct draft_lane *lane, const struct draft_block *block)
{
	return slice_of(lane->events.bytes + block->offset, block->size);
}
