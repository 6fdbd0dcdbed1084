/* submission.h - what a source hands in at the desk, and what it hears of it: events, what stands around them, and what
 * the source itself must not forget. Plain values; all slices are borrowed for the call that takes them. */
#pragma once
#include "proto/event.h"

enum {
	/* With the source's name in front they are keys of LMDB, which end at 511 bytes. */
	SOURCE_MARK_KEY_SIZE_MAX = 400,
	/* A file's position with its counts; a transaction may hold thousands. */
	SOURCE_MARK_VALUE_SIZE_MAX = 4096,
	/* "mqtt:" and a section's name */
	SOURCE_LABEL_SIZE = 64,
};

/* One event that the source has cut out itself: a line of a file. */
struct submission_item {
	struct slice
		event; /* one map, msgpack or JSON; empty: it is none, and `complaint` says why */
	struct slice raw; /* as received: what a dead letter holds */
	const struct complaint *complaint;
};

/* What the source wants to find again after a restart: written in the transaction of the events, or not at all. */
struct source_mark {
	struct slice
		key; /* 1 … SOURCE_MARK_KEY_SIZE_MAX bytes; other sources' keys are out of reach */
	struct slice value; /* {NULL, 0} deletes the key */
};

struct reply; /* proto/producer.h */
struct key_holder; /* runtime/key_holder.h */

enum submission_reply {
	SUBMISSION_SILENT, /* nobody hears one */
	SUBMISSION_REPLY_MSGPACK,
	SUBMISSION_REPLY_JSON,
};

/* Without events and items only the marks are written. */
struct submission {
	struct slice header; /* of a numbered frame (PROTOCOL.md 3); {NULL, 0}: none */
	struct slice events; /* a frame: one map, or an array of maps */
	/* Or, instead, what the source has cut; `events` may then hold the whole, for request_key to be compared by. */
	const struct submission_item *items;
	size_t item_count; /* at most FRAME_EVENTS_MAX */
	const struct event_addition *additions; /* to each of the events */
	size_t addition_count;
	/* "" or what the sender repeats when it asks again (Idempotency-Key): at most REQUEST_KEY_SIZE_MAX bytes. One that
	 * is remembered appends nothing and gets the first reply again; with other events it is refused as bad_value. */
	struct slice request_key;
	const struct source_mark *marks;
	size_t mark_count;
	/* NULL, or called once while port_submit runs, when what becomes of each event is known: for marks that say so. They
	 * are written instead of `marks`, and must live until port_submit returns. Not called for what is refused. */
	size_t (*judge)(
		void *owner, const struct reply *reply, const struct source_mark **ret_marks);
	void *owner; /* of judge */
	struct slice
		detail; /* "" or where in the source it came from, for dead letters: a topic, a path; cut to fit */
	enum submission_reply reply;
	/* Who sends it, held against what it says: in force while port_submit runs. NULL: the source knows who may. */
	const struct key_holder *sender;
	/* Nobody is there to be refused: what finds no room is held by the source and handed in again, and a frame that
	 * can't be cut into events is kept whole, as one dead letter. */
	bool unattended;
	uint64_t ticket; /* the source's own */
};

enum submission_outcome {
	SUBMISSION_TAKEN, /* on disk (with sync = always): events, dead letters, marks */
	SUBMISSION_REFUSED, /* nothing of it is kept: `refusal` says why; of unattended ones only what is forbidden */
	SUBMISSION_NOT_KEPT, /* the commit found no room: hand it in again later; unattended ones only */
};

struct submission_result {
	enum submission_outcome outcome;
	enum reason refusal; /* of SUBMISSION_REFUSED */
	const char *missing_right; /* of REASON_FORBIDDEN: "send", "producers", "kinds" */
	bool repeated; /* counted before: the numbers are those of then */
	uint32_t accepted;
	uint32_t invalid; /* kept as dead letters */
	uint32_t repeated_events; /* known by their event_id */
	struct slice reply; /* as it was asked for; borrowed for the call */
};
