#include "runtime/token_bucket.h"

enum {
	MILLI = 1000,
	/* What one peer may owe: longer waits help nobody. */
	DEBT_S_MAX = 60,
};

/* Filling for longer than a day overflows nothing and is the same as filling up. */
#define FILL_MS_MAX INT64_C(86400000)
#define COST_MAX INT64_C(1000000000000)

void token_bucket_init(struct token_bucket *bucket, int64_t rate, int64_t burst, int64_t now_ms)
{
	*bucket = (struct token_bucket){.rate = rate,
		.burst = burst > 0 ? burst : 1,
		.level_milli = (burst > 0 ? burst : 1) * MILLI,
		.filled_ms = now_ms};
}

/* A token a second is a thousandth a millisecond. */
static void fill(struct token_bucket *bucket, int64_t now_ms)
{
	int64_t passed_ms = now_ms - bucket->filled_ms;
	int64_t full = bucket->burst * MILLI;

	if (passed_ms <= 0) {
		return;
	}
	bucket->filled_ms = now_ms;
	if (passed_ms > FILL_MS_MAX || passed_ms > (full - bucket->level_milli) / bucket->rate) {
		bucket->level_milli = full;
	} else {
		bucket->level_milli += passed_ms * bucket->rate;
	}
}

int64_t token_bucket_wait_ms(struct token_bucket *bucket, int64_t now_ms)
{
	if (bucket->rate == 0) {
		return 0;
	}
	fill(bucket, now_ms);
	return bucket->level_milli > 0 ? 0 : -bucket->level_milli / bucket->rate + 1;
}

bool token_bucket_is_full(struct token_bucket *bucket, int64_t now_ms)
{
	if (bucket->rate == 0) {
		return true;
	}
	fill(bucket, now_ms);
	return bucket->level_milli == bucket->burst * MILLI;
}

void token_bucket_spend(struct token_bucket *bucket, int64_t cost)
{
	int64_t least = -bucket->rate * DEBT_S_MAX * MILLI;

	if (bucket->rate == 0) {
		return;
	}
	bucket->level_milli -= (cost < COST_MAX ? cost : COST_MAX) * MILLI;
	if (bucket->level_milli < least) {
		bucket->level_milli = least;
	}
}
