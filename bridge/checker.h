/* checker.h - checks a batch again, event by event, with the code that the edge used, for the bridge trusts nobody:
 * normal form, every rule, and that the certificate is this edge's and this lane's (any run: a spool may hold blocks
 * of earlier ones). Pure; the results borrow from the batch and live until the next call. */
#pragma once
#include "proto/dead_letter.h"
#include "proto/wire.h"

enum check {
	CHECK_END,
	CHECK_EVENT, /* good: `event` (not in dead-letter lanes) or `letter` */
	CHECK_REFUSED, /* `letter` says why; a marker takes the place of the event when has_certificate */
};

struct checker {
	struct document document;
	struct slice edge; /* the session's */
	enum kind lane;
	struct slice rest;
	uint32_t declared_count, count; /* of events */
	bool is_cut; /* every event so far had an end */
	int64_t now_ms; /* wall clock, for dead letters */
	/* results of the last checker_next */
	struct slice bytes; /* of this event, as they lay in the batch */
	struct event event;
	struct dead_letter letter;
	struct complaint complaint;
	bool has_certificate; /* letter.certificate can be trusted to be this edge's, for this lane */
};

int checker_init(struct checker *checker);
void checker_deinit(struct checker *checker);

struct checker_batch {
	struct slice edge;
	enum kind lane;
	uint32_t count; /* as declared */
	struct slice events;
	int64_t now_ms;
};
void checker_begin(struct checker *checker, const struct checker_batch *batch);
/* CHECK_*, or -ENOMEM. */
int checker_next(struct checker *checker);
/* After CHECK_END: false when the batch had another number of events than it said, a fault of the whole frame. Bytes
 * that are no msgpack at all are one refused event, and make the count meaningless: then true. */
bool checker_count_fits(const struct checker *checker);

/* A record that Kafka itself refuses: fills `letter` from what was produced. 0 when it was an event of its own right,
 * else a reason (markers and dead letters can not become dead letters). */
int checker_condemn(struct checker *checker, enum encoding encoding, struct slice value,
	const char *kafka_error, int64_t now_ms);
