/* mailbag.h - dead letters that somebody wants sent again: where they lie, what Kafka has of them, and what became of each. Bounded
 * in letters and bytes. Pure; one thread at a time. */
#pragma once
#include "proto/query_replay.h"

enum {
	/* An event made of the largest letter, and all that a request can put right in it. */
	MAILBAG_EVENT_SIZE_MAX = DEAD_LETTER_SIZE_MAX + 2 * QUERY_SIZE_MAX,
	MAILBAG_SIZE_MAX = REPLAY_PLACES_MAX * MAILBAG_EVENT_SIZE_MAX,
};

enum mail_state {
	MAIL_WANTED, /* not read yet */
	MAIL_READ, /* there is an event to be sent */
	MAIL_GONE, /* Kafka has no such record (any more) */
	MAIL_UNUSABLE, /* no letter of till's, or none of which an event can be made */
	MAIL_ACCEPTED,
	MAIL_REPEATED, /* it was replayed before */
	MAIL_REFUSED, /* by the edge, again */
	MAIL_UNSENT, /* the edge has not taken it, for sure */
	MAIL_UNKNOWN, /* it went out and nobody answered */
	MAIL_STATE_COUNT,
};

struct mailbag_letter {
	struct letter_place place;
	enum mail_state state;
	size_t begin, end; /* MAIL_READ: in `events` */
	struct complaint complaint; /* why; REASON_NONE: there is nothing to say */
};

struct mailbag {
	struct complaint complaint; /* REASON_NONE: Kafka was read */
	uint32_t count;
	struct mailbag_letter letters[REPLAY_PLACES_MAX];
	struct pair_list set;
	struct buffer texts; /* of set */
	struct buffer events;
	struct buffer scratch;
	struct document document;
};

/* NULL when out of memory. Copies all of it. */
struct mailbag *mailbag_new(const struct query_replay *replay);
struct mailbag *mailbag_free(struct mailbag *mailbag);
/* What lies at a place. The letter of it, where it is wanted, is read then. 0 or -ENOMEM. */
int mailbag_take(struct mailbag *mailbag, const char *topic, const struct topic_record *record);
/* What is wanted of this partition from `first` to `last` is gone. */
void mailbag_miss(
	struct mailbag *mailbag, const char *topic, int32_t partition, int64_t first, int64_t last);
/* The lowest offset that is wanted of this partition, from `offset` on; -1: none. */
int64_t mailbag_next(
	const struct mailbag *mailbag, const char *topic, int32_t partition, int64_t offset);
/* The first that is MAIL_READ; NULL: none is left. */
struct mailbag_letter *mailbag_first_read(struct mailbag *mailbag);
struct slice mailbag_event(const struct mailbag *mailbag, const struct mailbag_letter *letter);
/* All that were read and have no end yet are MAIL_UNSENT, for that reason. */
void mailbag_give_up(struct mailbag *mailbag, const struct complaint *why);
uint32_t mailbag_count(const struct mailbag *mailbag, enum mail_state state);

/* "accepted", "gone" */
const char *mail_state_name(enum mail_state state);
/* {"ok":true,"replayed":[…],"to":…}, or {"ok":false,…} where Kafka could not be read. 0 or -errno. */
int mailbag_write(const struct mailbag *mailbag, const char *to, enum encoding encoding,
	struct buffer *reply);
