/* proof.h - is the log that is read the one that was read before? Who reads on in a topic that was deleted, made anew and
 * filled hears nothing of it. So a partition's anchor is not simply the last record read, but the last one that is known to
 * lie in one log with the anchor before it. With the reports Kafka is asked where the first record lies that is later than
 * all that were read up to the anchor. In the same log that is behind the anchor; in another one, whose records were all
 * appended later, it is not. An answer that speaks of another log is a suspicion only, for clocks of brokers are set back:
 * the partition is read anew from its anchor, which settles it. Pure. */
#pragma once
#include "aggregator/position.h"

/* Zero-initialised: nothing was read yet. */
struct proof {
	struct anchor last,
		candidate; /* the newest record read; the same when the question was asked */
	int64_t last_ms, candidate_ms, anchor_ms; /* the latest timestamp up to each of them */
	int64_t slack_ms; /* anchor_ms is that much later than any record that is known: after unfounded suspicions */
	uint32_t question; /* number of the last one */
	bool is_asked; /* it is under way */
	bool is_doubted; /* the anchor is to be compared */
};

enum proof_verdict {
	PROOF_NOTHING, /* no answer, or one to another question */
	PROOF_MOVED, /* the anchor is a newer one now */
	PROOF_DOUBT, /* compare the anchor */
};

/* The newest record that was read, whenever there is one. */
void proof_note(struct proof *proof, const struct anchor *record);
/* One before it, that comes again. */
void proof_pass(struct proof *proof, int64_t timestamp_ms);
/* Is there something to ask? Gives the time whose first later record is wanted. */
bool proof_ask(struct proof *proof, const struct anchor *anchor, int64_t *ret_after_ms);
/* `later`: the offset that was asked for, or -1 when no record is later. */
enum proof_verdict proof_hear(
	struct proof *proof, struct anchor *anchor, uint32_t question, int64_t later);
/* The anchor was found unchanged: so all that was read by now lies in one log with it. true: the anchor moved. */
bool proof_found(struct proof *proof, struct anchor *anchor);
/* Reading begins anew: what is under way is of no use. */
void proof_rewind(struct proof *proof);
