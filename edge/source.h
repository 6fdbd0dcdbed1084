/* source.h - the seam between the desk and the places where producers' frames come from. A source is one file: it reads
 * frames, hands each in with desk_submit while desk_takes_more, and hears through `done` what became of it.
 * ZeroMQ's are source_router.c and source_push.c. */
#pragma once
#include "proto/slice.h"

enum submission_outcome {
	SUBMISSION_ANSWERED, /* kept, or refused for good: `reply` says which */
	SUBMISSION_NOT_KEPT, /* unattended only: the commit found no room; hand it in again later */
};

typedef void (*submission_done_fn)(
	void *owner, uint64_t ticket, enum submission_outcome outcome, struct slice reply);

struct submission {
	struct slice header; /* {NULL, 0}: none */
	struct slice events;
	const char *source; /* "zmq", "push": a literal; dead letters name it */
	bool unattended; /* nobody hears a reply; the source holds the frame until it is done */
	/* Called exactly once for each submission that desk_submit took, in the order of submission, from desk_round.
	 * `reply` is borrowed for the call; it is empty for unattended ones. Must not call the desk. */
	submission_done_fn done;
	void *owner;
	uint64_t ticket; /* the source's own */
};
