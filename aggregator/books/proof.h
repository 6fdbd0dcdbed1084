/* proof.h - is the log that is read the one that was read before? Who reads on in a topic that was deleted, made anew and
 * filled, or cut and filled again, hears nothing of it. So a position has three witnesses: the anchor, which is known to lie
 * in one log with all anchors before it; the candidate, which shall be the next anchor; and the last record read. With the
 * reports Kafka is asked for both of the former where the first record lies that is later than all that were read up to
 * there. In the same log that is behind the witness; where something else was appended later in its place, it is not. Such
 * an answer is a suspicion only, for clocks of brokers are set back: the partition is read anew from its anchor, which
 * compares all three, as every start does. Pure. */
#pragma once
#include "aggregator/books/position.h"

/* Zero-initialised: nothing was read or compared yet. */
struct proof {
	int64_t anchor_ms, candidate_ms, last_ms; /* the latest timestamp up to each witness */
	int64_t slack_ms; /* ask for what is so much later: after unfounded suspicions */
	int64_t passed; /* the offset behind the newest record that came, since reading began; 0: none */
	uint32_t question; /* number of the last one */
	bool is_asked; /* it is under way */
	bool is_doubted; /* the witnesses are to be compared */
};

enum proof_verdict {
	PROOF_NOTHING, /* no answer, or one to another question */
	PROOF_MOVED, /* the anchor is a newer one now */
	PROOF_DOUBT, /* read anew from the anchor */
};

enum { PROOF_TIMES = 2 }; /* of anchor and candidate */

/* A record that was read for the first time. */
void proof_note(struct proof *proof, struct position *position, const struct anchor *record);
/* One that was read before and comes again. false: it is another than it was. */
bool proof_pass(struct proof *proof, struct position *position, const struct anchor *record);
/* Is there something to ask? Makes the last record the candidate, and gives the times whose first later records are wanted. */
bool proof_ask(struct proof *proof, struct position *position, int64_t ret_after_ms[PROOF_TIMES]);
/* `later`: the offsets that were asked for, or -1 when no record is later. */
enum proof_verdict proof_hear(struct proof *proof, struct position *position, uint32_t question,
	const int64_t later[PROOF_TIMES]);
/* All that was read up to the last record is known to lie in one log: that is the anchor now. */
void proof_settle(struct proof *proof, struct position *position);
/* Reading begins anew: what is under way is of no use. */
void proof_rewind(struct proof *proof);
/* Before reading begins: a witness that retention removed testifies no more, the next one takes its place. */
void proof_forget(struct position *position, int64_t low);
