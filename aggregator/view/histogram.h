/* histogram.h - how many numbers fell into which bucket: what a quantile() is found from. The buckets are fixed, so equal
 * multisets give equal counts, and adding is adding counts: shards, overlays and rebuilds agree to the byte.
 *
 *   |n| < 128    a bucket of its own
 *   else         64 buckets of equal width from each power of two to the next
 *
 * Negative numbers mirror the positive ones. All is integer arithmetic: the same on every machine. A bucket stands for
 * its middle, which is at most 1/128 off any number in it. Pure. */
#pragma once
#include "aggregator/view/pack.h"
#include "proto/money.h"

enum {
	HISTOGRAM_NUMBER_BITS = 90, /* no number of an event has more: 10^9 x 10^18 micros */
	HISTOGRAM_INDEX_MAX = 64 * (HISTOGRAM_NUMBER_BITS - 7) + 127,
	HISTOGRAM_BUCKETS_MAX = 2 * HISTOGRAM_INDEX_MAX + 1,
	/* Two bytes for the bucket, ten for the count. Real ones have a hundred buckets or two, some three bytes each. */
	HISTOGRAM_SIZE_MAX = HISTOGRAM_BUCKETS_MAX * 12,
	/* What one row is added up of: base, frozen and active of 64 shards. */
	HISTOGRAM_PARTS_MAX = 3 * 64,
};
#define HISTOGRAM_ERROR_TEXT "0.0078125" /* 1/128, relative */

/* The bucket of a number, and the number that a bucket stands for. Both ascend. */
int32_t histogram_bucket(money number);
money histogram_value(int32_t bucket);

struct bin {
	uint64_t count;
	int32_t bucket;
};

/* The buckets of an overlay's row in which something changed, ascending; counts wrap around below 0. */
struct bins {
	uint32_t count;
	uint32_t capacity;
	struct bin items[];
};
size_t bins_size(size_t capacity);
/* Adds `step` to the bucket's count: 1, or UINT64_MAX to take one away. false when it would take a new bin and there is no
 * room. */
bool bins_add(struct bins *bins, int32_t bucket, uint64_t step);

/* As the store has it: for each bucket that is not empty, ascending, its distance from the one before and its count
 * (varints). One of the two is there. Borrowed. */
struct histogram_part {
	struct slice encoded;
	const struct bins *bins;
};

/* A sum that is not added up until it is looked at, so that it needs no memory. */
struct histogram {
	size_t part_count;
	struct histogram_part parts[HISTOGRAM_PARTS_MAX];
};
/* Is this an encoded histogram? Then how many numbers are in it. */
bool histogram_check(struct slice encoded, uint64_t *ret_count);
/* false when there is no room for another part. */
bool histogram_add(struct histogram *histogram, struct histogram_part part);
/* Appends the sum of the parts, encoded. */
void histogram_write(const struct histogram *histogram, struct buffer *ret_bytes);
/* Of `count` > 0 numbers the smallest that at least `millionths` of them do not exceed: SQL's percentile_disc. */
money histogram_quantile(const struct histogram *histogram, uint64_t count, uint32_t millionths);
