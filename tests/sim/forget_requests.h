/* forget_requests.h - users of some runs who ask to be forgotten, and some of them to count again. Somebody asks the aggregator
 * for them until it says that it is done, and once more after an older backup was put back: the ledger is the list of these
 * requests, and says who may be in an answer at the end. One thread. */
#pragma once
#include "tests/sim/aggregator_part.h"

enum { USERS = 8 }; /* "u0" … */

void forget_requests_begin(void);
bool forget_requests_are_in_play(void);
/* Of whom a sale is, where users are in play. */
static inline int user_of_sale(size_t sale)
{
	return (int)(sale % USERS);
}
/* Somebody asks, or hears an answer. */
void forget_requests_step(void);
bool forget_requests_are_done(void);
bool forget_requests_are_none(void); /* there was not a single one */
/* A backup knows what was done until now; who puts it back has to ask for the rest again. */
void forget_requests_back_up(void);
void forget_requests_restore(void);

/* Is everybody forgotten who should be, as the aggregator's list has it? false with a sentence. What it tells of those who count
 * again holds for the next. */
bool forget_requests_learn(struct aggregator_part *part, char *ret_words, size_t words_size);
/* Is he in no row that is his, with what was appended then? */
bool forget_requests_hide(int user, int64_t append_ms);
/* Are the rows of users what the ledger says? `counted`: how often each sale is. */
bool forget_requests_audit(
	struct aggregator_part *part, const uint64_t *counted, char *ret_words, size_t words_size);
