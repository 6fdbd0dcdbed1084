#include "aggregator/books/proof.h"

enum { SLACK_MS_MIN = 60 * 1000 };

static const struct anchor none = {.offset = -1};

static int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void proof_note(struct proof *proof, struct position *position, const struct anchor *record)
{
	position->last = *record;
	proof->last_ms = later_of(proof->last_ms, record->timestamp_ms);
	proof->passed = record->offset + 1;
	if (position->anchor.offset < 0) {
		position->anchor = *record; /* the first decides which log it is */
		proof->anchor_ms = record->timestamp_ms;
	}
}

static void move(
	struct proof *proof, struct position *position, const struct anchor *to, int64_t to_ms)
{
	position->anchor = *to;
	position->candidate = none;
	proof->anchor_ms = later_of(proof->anchor_ms, to_ms);
}

/* All witnesses were found unchanged. After a suspicion: somewhere before them the log has later records, for a clock was
 * set back since. Ask beyond those. */
void proof_settle(struct proof *proof, struct position *position)
{
	if (proof->is_doubted) {
		proof->slack_ms = proof->slack_ms == 0 ? SLACK_MS_MIN : 2 * proof->slack_ms;
		proof->is_doubted = false;
	}
	const struct anchor last = position->last;
	move(proof, position, &last, proof->last_ms);
}

static bool contradicts(const struct anchor *witness, const struct anchor *record)
{
	return record->offset == witness->offset && !anchor_equal(record, witness);
}

bool proof_pass(struct proof *proof, struct position *position, const struct anchor *record)
{
	if (contradicts(&position->candidate, record) || contradicts(&position->last, record)) {
		return false;
	}
	proof->last_ms = later_of(proof->last_ms, record->timestamp_ms);
	proof->passed = record->offset + 1;
	if (record->offset == position->last.offset) {
		proof_settle(proof, position);
	}
	return true;
}

bool proof_ask(struct proof *proof, struct position *position, int64_t ret_after_ms[PROOF_TIMES])
{
	if (proof->is_asked || position->anchor.offset < 0 ||
		position->last.offset <= position->anchor.offset ||
		proof->passed <= position->last.offset) {
		return false;
	}
	proof->anchor_ms = later_of(proof->anchor_ms, position->anchor.timestamp_ms);
	position->candidate = position->last;
	proof->candidate_ms = later_of(proof->anchor_ms, proof->last_ms);
	proof->is_asked = true;
	proof->question++;
	ret_after_ms[0] = proof->anchor_ms + proof->slack_ms;
	ret_after_ms[1] = proof->candidate_ms + proof->slack_ms;
	return true;
}

static bool is_in_place_of(int64_t later, const struct anchor *witness)
{
	return later >= 0 && later <= witness->offset;
}

enum proof_verdict proof_hear(struct proof *proof, struct position *position, uint32_t question,
	const int64_t later[PROOF_TIMES])
{
	if (!proof->is_asked || question != proof->question) {
		return PROOF_NOTHING;
	}
	proof->is_asked = false;
	if (is_in_place_of(later[0], &position->anchor) ||
		is_in_place_of(later[1], &position->candidate)) {
		proof->is_doubted = true;
		return PROOF_DOUBT;
	}
	const struct anchor candidate = position->candidate;
	move(proof, position, &candidate, proof->candidate_ms);
	return PROOF_MOVED;
}

void proof_rewind(struct proof *proof)
{
	proof->is_asked = false;
	proof->passed = 0;
}

void proof_forget(struct position *position, int64_t low)
{
	if (position->anchor.offset < 0 || position->anchor.offset >= low) {
		return;
	}
	if (position->candidate.offset >= low) {
		position->anchor = position->candidate;
	} else if (position->last.offset >= low) {
		position->anchor = position->last;
	}
}
