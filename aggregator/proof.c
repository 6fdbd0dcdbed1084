#include "aggregator/proof.h"

enum { SLACK_MS_MIN = 60 * 1000 };

static int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void proof_pass(struct proof *proof, int64_t timestamp_ms)
{
	proof->last_ms = later_of(proof->last_ms, timestamp_ms);
}

void proof_note(struct proof *proof, const struct anchor *record)
{
	proof->last = *record;
	proof->last_ms = later_of(proof->last_ms, record->timestamp_ms);
}

bool proof_ask(struct proof *proof, const struct anchor *anchor, int64_t *ret_after_ms)
{
	if (proof->is_asked || anchor->offset < 0 || proof->last.offset <= anchor->offset) {
		return false;
	}
	proof->anchor_ms = later_of(proof->anchor_ms, anchor->timestamp_ms);
	proof->candidate = proof->last;
	proof->candidate_ms = proof->last_ms;
	proof->is_asked = true;
	proof->question++;
	*ret_after_ms = proof->anchor_ms;
	return true;
}

static void move(struct proof *proof, struct anchor *anchor, const struct anchor *to, int64_t to_ms)
{
	*anchor = *to;
	proof->anchor_ms = later_of(proof->anchor_ms, to_ms);
}

enum proof_verdict proof_hear(
	struct proof *proof, struct anchor *anchor, uint32_t question, int64_t later)
{
	if (!proof->is_asked || question != proof->question) {
		return PROOF_NOTHING;
	}
	proof->is_asked = false;
	if (later >= 0 && later <= anchor->offset) {
		proof->is_doubted = true;
		return PROOF_DOUBT;
	}
	move(proof, anchor, &proof->candidate, proof->candidate_ms);
	return PROOF_MOVED;
}

bool proof_found(struct proof *proof, struct anchor *anchor)
{
	if (proof->is_doubted) {
		/* Somewhere before it the log has later records: a clock was set back since. Ask beyond them. */
		proof->slack_ms = proof->slack_ms == 0 ? SLACK_MS_MIN : 2 * proof->slack_ms;
		proof->anchor_ms =
			later_of(proof->anchor_ms, anchor->timestamp_ms) + proof->slack_ms;
		proof->is_doubted = false;
	}
	if (proof->last.offset <= anchor->offset) {
		return false;
	}
	move(proof, anchor, &proof->last, proof->last_ms);
	return true;
}

void proof_rewind(struct proof *proof)
{
	proof->is_asked = false;
}
