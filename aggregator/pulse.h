/* pulse.h - feels how the live pipeline fares, and keeps it in vitals.h. Wiring: it looks at pipeline, store and clock. The
 * loop's thread. */
#pragma once
#include "aggregator/desk/vitals_answer.h"

struct pulse;

struct metrics;

/* `stores` and `metrics` are borrowed. 0 or -ENOMEM. */
int pulse_new(struct stores *stores, struct metrics *metrics, const struct pipeline *pipeline,
	struct pulse **ret_pulse);
struct pulse *pulse_free(struct pulse *pulse);
const struct vitals *pulse_vitals(const struct pulse *pulse);
/* `count` events of the live pipeline could be read in an answer so long after their receipt. */
void pulse_readable(struct pulse *pulse, uint64_t latency_ms, uint64_t count);
/* This pipeline is looked at for the last time: the next tick is of another one. */
void pulse_leave(struct pulse *pulse, const struct pipeline *pipeline);
/* Shortens *wait_ms to when the next sample ends. */
void pulse_tick(
	struct pulse *pulse, const struct pipeline *pipeline, int64_t now_ms, int64_t *wait_ms);
