#include "aggregator/desk/vitals.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	BINS_EXACT = 8, /* 0 … 7 ms */
	BINS_PER_OCTAVE = 8,
	OCTAVE_FIRST = 3, /* from 2^3 ms */
	LATENCY_BITS = 31,
};

/* A level: its ring, and the sample that is being made. */
struct level {
	int64_t period_ms;
	size_t capacity, count, next; /* of `samples` */
	struct vitals_sample *samples; /* owned */
	int64_t begun_ms; /* monotonic */
	int64_t begun_wall_ms;
	struct vitals_counts base; /* as of the beginning */
	struct vitals_latency latency;
};

struct vitals {
	struct level levels[VITALS_LEVEL_COUNT];
};

static const struct {
	int64_t period_ms;
	size_t capacity;
} shapes[VITALS_LEVEL_COUNT] = {
	[VITALS_SHORT] = {VITALS_SHORT_MS, VITALS_SHORT_COUNT},
	[VITALS_LONG] = {VITALS_LONG_MS, VITALS_LONG_COUNT},
};

static void begin(struct level *level, const struct vitals_look *look)
{
	level->begun_ms = look->now_ms;
	level->begun_wall_ms = look->wall_ms;
	level->base = look->counts;
	level->latency = (struct vitals_latency){0};
}

int vitals_new(const struct vitals_look *look, struct vitals **ret_vitals)
{
	struct vitals *vitals = calloc(1, sizeof *vitals);

	if (vitals == NULL) {
		return -ENOMEM;
	}
	for (int i = 0; i < VITALS_LEVEL_COUNT; i++) {
		struct level *level = &vitals->levels[i];
		level->period_ms = shapes[i].period_ms;
		level->capacity = shapes[i].capacity;
		level->samples = calloc(level->capacity, sizeof *level->samples);
		if (level->samples == NULL) {
			vitals_free(vitals);
			return -ENOMEM;
		}
		begin(level, look);
	}
	*ret_vitals = vitals;
	return 0;
}

struct vitals *vitals_free(struct vitals *vitals)
{
	for (int i = 0; vitals != NULL && i < VITALS_LEVEL_COUNT; i++) {
		free(vitals->levels[i].samples);
	}
	free(vitals);
	return NULL;
}

/* ---- latencies */

static uint64_t add_up_to(uint64_t a, uint64_t b, uint64_t max)
{
	return b > max - a ? max : a + b;
}

static unsigned bin_of(uint64_t latency_ms)
{
	uint64_t ms =
		latency_ms >> LATENCY_BITS == 0 ? latency_ms : (UINT64_C(1) << LATENCY_BITS) - 1;

	if (ms < BINS_EXACT) {
		return (unsigned)ms;
	}
	unsigned octave = 63 - (unsigned)__builtin_clzll(ms);
	unsigned part = (unsigned)(ms >> (octave - OCTAVE_FIRST)) - BINS_PER_OCTAVE;
	return BINS_EXACT + (octave - OCTAVE_FIRST) * BINS_PER_OCTAVE + part;
}

/* The middle of a bin. */
static uint64_t bin_value(unsigned bin)
{
	if (bin < BINS_EXACT) {
		return bin;
	}
	unsigned shift = (bin - BINS_EXACT) / BINS_PER_OCTAVE;
	uint64_t part = (bin - BINS_EXACT) % BINS_PER_OCTAVE + BINS_PER_OCTAVE;
	return (part << shift) + ((UINT64_C(1) << shift) >> 1);
}

static void add_latency(struct vitals_latency *latency, uint64_t latency_ms, uint64_t count)
{
	uint32_t *bin = &latency->bins[bin_of(latency_ms)];
	uint64_t product = 0;

	if (__builtin_mul_overflow(latency_ms, count, &product)) {
		product = UINT64_MAX;
	}
	latency->count = add_up_to(latency->count, count, UINT64_MAX);
	latency->sum_ms = add_up_to(latency->sum_ms, product, UINT64_MAX);
	latency->max_ms = latency->max_ms < latency_ms ? latency_ms : latency->max_ms;
	*bin = (uint32_t)add_up_to(*bin, count, UINT32_MAX);
}

void vitals_latency(struct vitals *vitals, uint64_t latency_ms, uint64_t count)
{
	for (int i = 0; i < VITALS_LEVEL_COUNT; i++) {
		add_latency(&vitals->levels[i].latency, latency_ms, count);
	}
}

uint64_t vitals_quantile(const struct vitals_latency *latency, uint32_t millionths)
{
	uint64_t total = 0, below = 0;

	for (unsigned bin = 0; bin < VITALS_BINS; bin++) {
		total += latency->bins[bin];
	}
	assert(total > 0);
	/* At most 232 x 2^32 events: times a million that is below 2^60. */
	uint64_t rank = (total * millionths + 999999) / 1000000;
	unsigned bin = 0;
	for (; bin < VITALS_BINS - 1; bin++) {
		below += latency->bins[bin];
		if (below >= rank && below > 0) {
			break;
		}
	}
	uint64_t value = bin_value(bin);
	return value > latency->max_ms ? latency->max_ms : value;
}

/* ---- samples */

static struct vitals_counts since(
	const struct vitals_counts *counts, const struct vitals_counts *base)
{
	return (struct vitals_counts){
		.counted = counts->counted - base->counted,
		.rejected = counts->rejected - base->rejected,
		.unreadable = counts->unreadable - base->unreadable,
		.foreign = counts->foreign - base->foreign,
		.duplicates = counts->duplicates - base->duplicates,
		.commits = counts->commits - base->commits,
	};
}

static void make_sample(
	const struct level *level, const struct vitals_look *look, struct vitals_sample *ret_sample)
{
	*ret_sample = (struct vitals_sample){
		.from_ms = level->begun_wall_ms,
		.span_ms = look->now_ms - level->begun_ms,
		.counts = since(&look->counts, &level->base),
		.lag = look->lag,
		.store_bytes = look->store_bytes,
		.latency = level->latency,
	};
}

bool vitals_is_due(const struct vitals *vitals, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t wait_ms = INT64_MAX;

	for (int i = 0; i < VITALS_LEVEL_COUNT; i++) {
		const struct level *level = &vitals->levels[i];
		int64_t left_ms = level->begun_ms + level->period_ms - now_ms;
		wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
	}
	*ret_wait_ms = wait_ms > 0 ? wait_ms : 0;
	return wait_ms <= 0;
}

void vitals_take(struct vitals *vitals, const struct vitals_look *look)
{
	for (int i = 0; i < VITALS_LEVEL_COUNT; i++) {
		struct level *level = &vitals->levels[i];
		if (look->now_ms - level->begun_ms < level->period_ms) {
			continue;
		}
		make_sample(level, look, &level->samples[level->next]);
		level->next = (level->next + 1) % level->capacity;
		level->count += level->count < level->capacity;
		begin(level, look);
	}
}

/* What was counted since the sample began stays in it: the base moves as the numbers do, around 0 where it must. */
void vitals_rebase(struct vitals *vitals, const struct vitals_counts *before,
	const struct vitals_counts *after)
{
	for (int i = 0; i < VITALS_LEVEL_COUNT; i++) {
		struct vitals_counts *base = &vitals->levels[i].base;
		struct vitals_counts counted = since(before, base);
		*base = since(after, &counted);
	}
}

size_t vitals_count(const struct vitals *vitals, enum vitals_level level)
{
	return vitals->levels[level].count;
}

const struct vitals_sample *vitals_at(
	const struct vitals *vitals, enum vitals_level number, size_t place)
{
	const struct level *level = &vitals->levels[number];

	assert(place < level->count);
	return &level->samples[(level->next + level->capacity - level->count + place) %
			       level->capacity];
}

void vitals_open(const struct vitals *vitals, enum vitals_level level,
	const struct vitals_look *look, struct vitals_sample *ret_sample)
{
	make_sample(&vitals->levels[level], look, ret_sample);
}

void vitals_add(struct vitals_sample *sum, const struct vitals_sample *sample)
{
	struct vitals_counts *counts = &sum->counts;
	struct vitals_latency *latency = &sum->latency;

	sum->from_ms = sum->span_ms == 0 ? sample->from_ms : sum->from_ms;
	sum->span_ms += sample->span_ms;
	counts->counted += sample->counts.counted;
	counts->rejected += sample->counts.rejected;
	counts->unreadable += sample->counts.unreadable;
	counts->foreign += sample->counts.foreign;
	counts->duplicates += sample->counts.duplicates;
	counts->commits += sample->counts.commits;
	sum->lag = sample->lag;
	sum->store_bytes = sample->store_bytes;
	latency->count = add_up_to(latency->count, sample->latency.count, UINT64_MAX);
	latency->sum_ms = add_up_to(latency->sum_ms, sample->latency.sum_ms, UINT64_MAX);
	latency->max_ms =
		latency->max_ms < sample->latency.max_ms ? sample->latency.max_ms : latency->max_ms;
	for (unsigned bin = 0; bin < VITALS_BINS; bin++) {
		latency->bins[bin] = (uint32_t)add_up_to(
			latency->bins[bin], sample->latency.bins[bin], UINT32_MAX);
	}
}
