/* vitals.h - how the aggregator fared lately: a sample each 5 seconds for an hour, and each minute for a day. Kept in
 * memory only: it says how things went, and no total depends on it. About 2 MiB, whatever happens. Pure: counts and time
 * come in. The loop's thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vitals_level { VITALS_SHORT, VITALS_LONG, VITALS_LEVEL_COUNT };

enum {
	VITALS_SHORT_MS = 5 * 1000,
	VITALS_LONG_MS = 60 * 1000,
	VITALS_SHORT_COUNT = 720, /* an hour */
	VITALS_LONG_COUNT = 1440, /* a day */
	/* Latencies below 8 ms have a bin each, above that eight bins lead from a power of two to the next, up to 2^31 ms;
	 * what is longer counts as that. A bin stands for its middle: at most 1/16 off. */
	VITALS_BINS = 8 + 28 * 8,
};

/* Numbers that only rise while the pipeline lives. */
struct vitals_counts {
	uint64_t counted; /* events, each once */
	uint64_t rejected; /* markers of events that a bridge refused */
	uint64_t unreadable; /* records put into quarantine */
	uint64_t foreign; /* records without a certificate of ours */
	uint64_t duplicates;
	uint64_t commits;
};

/* From an edge's receipt to an answer, by events. */
struct vitals_latency {
	uint64_t count;
	uint64_t sum_ms; /* stops at UINT64_MAX */
	uint64_t max_ms;
	uint32_t bins[VITALS_BINS]; /* each stops at UINT32_MAX */
};

struct vitals_sample {
	int64_t from_ms; /* its beginning, by the machine's clock */
	int64_t span_ms; /* by the monotonic one: longer where the machine slept */
	struct vitals_counts counts; /* of the span */
	int64_t lag; /* records not yet applied, at the end; -1: not known */
	uint64_t store_bytes; /* at the end */
	struct vitals_latency latency;
};

/* What is looked at to end a sample. */
struct vitals_look {
	int64_t now_ms; /* monotonic */
	int64_t wall_ms;
	struct vitals_counts counts;
	int64_t lag;
	uint64_t store_bytes;
};

struct vitals;

int vitals_new(const struct vitals_look *look, struct vitals **ret_vitals); /* 0 or -ENOMEM */
struct vitals *vitals_free(struct vitals *vitals);

/* `count` events could be read in an answer so long after they were received. */
void vitals_latency(struct vitals *vitals, uint64_t latency_ms, uint64_t count);
/* Must a sample be ended? *ret_wait_ms: ask again after so long. */
bool vitals_is_due(const struct vitals *vitals, int64_t now_ms, int64_t *ret_wait_ms);
/* Ends what is due. A long silence is one long sample: nothing is known of when in it things happened. */
void vitals_take(struct vitals *vitals, const struct vitals_look *look);
/* Another pipeline counts from now on: what was `before` is `after` now. */
void vitals_rebase(struct vitals *vitals, const struct vitals_counts *before,
	const struct vitals_counts *after);

/* Samples that are over, oldest first. */
size_t vitals_count(const struct vitals *vitals, enum vitals_level level);
const struct vitals_sample *vitals_at(
	const struct vitals *vitals, enum vitals_level level, size_t place);
/* The one that is not over, as of the look. */
void vitals_open(const struct vitals *vitals, enum vitals_level level,
	const struct vitals_look *look, struct vitals_sample *ret_sample);
/* Adds a later sample to `sum`, which begins zeroed. */
void vitals_add(struct vitals_sample *sum, const struct vitals_sample *sample);

/* The smallest latency that at least `millionths` of the events did not exceed, as its bin stands for it; never above the
 * largest. count > 0. */
uint64_t vitals_quantile(const struct vitals_latency *latency, uint32_t millionths);
