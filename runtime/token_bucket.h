/* token_bucket.h - so much a second on average, and a burst of so much at once. What is taken may cost more than is there:
 * the bucket then owes, and nothing is let through until it owes nothing. Pure: time comes in (monotonic ms). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct token_bucket {
	int64_t rate; /* tokens a second; 0: no limit */
	int64_t burst; /* as many as it holds */
	int64_t level_milli; /* thousandths of a token; below 0: owed */
	int64_t filled_ms;
};

/* Begins full. `rate` up to 10^12. */
void token_bucket_init(struct token_bucket *bucket, int64_t rate, int64_t burst, int64_t now_ms);
/* 0 when something may be taken, else how long to wait until it may. Takes nothing. */
int64_t token_bucket_wait_ms(struct token_bucket *bucket, int64_t now_ms);
/* Is it as at its begin? */
bool token_bucket_is_full(struct token_bucket *bucket, int64_t now_ms);
/* Takes what something cost, also more than there is. */
void token_bucket_spend(struct token_bucket *bucket, int64_t cost);
