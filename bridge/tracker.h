/* tracker.h - which sendings wait for which delivery reports, and what each edge is still to be told.
 *
 *   BATCH -> tracker_open -> (a report per record) -> all in -> the session's outbox -> ACK or NACK
 *
 * A sending is held by its opener until everything was handed to Kafka: it can not end half produced. It ends as
 * ACK only if each of its records was delivered. A ticket names a sending for ever: a report for one that is over
 * (the producer was rebuilt) is dropped and counted, and so is one whose session is over.
 * Pure: time comes in. One thread. */
#pragma once
#include "bridge/ranges.h"
#include <sys/queue.h>

enum {
	/* Ranges that an outbox holds for a peer that takes nothing. An edge has some thousand sendings in flight. */
	OUTBOX_RANGES_MAX = 16 * 1024,
};
enum { NACK_CODE_COUNT = 5 }; /* enum nack_code begins with 1; 0 stands for delivered */

struct sending {
	struct outbox *outbox; /* NULL: the session is over */
	uint64_t number;
	enum kind lane;
	uint32_t index, generation; /* together the ticket */
	size_t bytes; /* of events */
	uint32_t record_count; /* unreported */
	bool is_held; /* by its opener: more records may follow */
	enum nack_code nack; /* 0: nothing failed so far */
	uint32_t retry_after_ms;
	int64_t received_us;
	bool has_age;
	int64_t age_ms; /* of its oldest event, when it was received here */
	uint32_t event_count;
	TAILQ_ENTRY(sending) siblings; /* of its outbox or of the orphans */
	TAILQ_ENTRY(sending) by_age;
};
TAILQ_HEAD(sending_list, sending);

/* What a session has in flight and what it is still to be told. Zero-initialised, then outbox_init. */
struct outbox {
	struct ranges done[NACK_CODE_COUNT]; /* [0]: ACK; else by NACK code */
	uint32_t retry_after_ms[NACK_CODE_COUNT];
	struct sending_list sendings;
	size_t batch_count;
	uint64_t lane_bytes[LANE_COUNT];
};

struct tracker {
	struct sending **slots; /* owned */
	uint32_t *free_slots; /* owned; indexes of slots at rest */
	uint32_t slot_count, free_count;
	struct sending_list orphans;
	struct sending_list in_flight; /* all, by `by_age`, the oldest first */
	uint64_t lane_bytes[LANE_COUNT]; /* in flight, sessions that are over included */
	uint64_t lane_batches[LANE_COUNT];
	uint64_t batch_count;
	uint64_t record_count;
	uint64_t dropped_count; /* reports of no use to anybody */
};

/* How a sending ended. */
struct sending_end {
	struct outbox *outbox; /* NULL: nobody is left to be told */
	enum kind lane;
	enum nack_code nack; /* 0: acknowledged */
	int64_t received_us;
	bool has_age;
	int64_t age_ms;
	uint32_t event_count;
};

static inline uint64_t sending_ticket(const struct sending *sending)
{
	return (uint64_t)sending->generation << 32 | sending->index;
}

void outbox_init(struct outbox *outbox);
void outbox_deinit(struct outbox *outbox); /* after tracker_abandon */
bool outbox_has_news(const struct outbox *outbox);
/* More than any edge can have open: it does not read what it is told. */
bool outbox_is_overdue(const struct outbox *outbox);

void tracker_init(struct tracker *tracker);
void tracker_deinit(struct tracker *tracker);

struct sending_start {
	uint64_t number;
	enum kind lane;
	size_t bytes;
	int64_t received_us;
	bool has_age;
	int64_t age_ms;
	uint32_t event_count;
};
/* Held until tracker_release; borrowed until it ends. 0 or -ENOMEM. */
int tracker_open(struct tracker *tracker, struct outbox *outbox, const struct sending_start *start,
	struct sending **ret_sending);
/* NULL when it is over. Borrowed until it ends. */
struct sending *tracker_find(const struct tracker *tracker, uint64_t ticket);
/* One more record of this sending is on its way. */
void tracker_expect(struct tracker *tracker, struct sending *sending);
/* The sending can only end as NACK now; the first code stays, the longest wait counts. */
void tracker_fail(struct sending *sending, enum nack_code code, uint32_t retry_after_ms);
/* A record, or the opener's hold, is over. true when nothing is left: the number is in the outbox, if there is one. */
bool tracker_report(struct tracker *tracker, struct sending *sending, struct sending_end *ret_end);
bool tracker_release(struct tracker *tracker, struct sending *sending, struct sending_end *ret_end);
/* A report whose ticket tracker_find does not know. */
void tracker_drop(struct tracker *tracker);

/* When the oldest that is in flight was received; -1: none is. */
int64_t tracker_oldest_us(const struct tracker *tracker);
/* The session is over: its sendings end without anybody being told. */
void tracker_abandon(struct tracker *tracker, struct outbox *outbox);
/* Every sending that is not held ends now with this NACK, whatever is reported later; held ones can only end so.
 * Returns how many batches of living sessions that were. */
uint64_t tracker_fail_all(struct tracker *tracker, enum nack_code code, uint32_t retry_after_ms);
