#include "tests/sim/world.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	STEPS_LEAST = 75,
	STEPS_MOST = 2400,
	STEPS_USUAL = 600,
	ASKS_BITS = 12, /* a start asks some thousand times for memory, most turns a few times */
};

struct world world;

const char *bug_name(enum bug bug)
{
	static const char *const names[BUG_COUNT] = {"none", "early-ack", "no-numbers",
		"offset-first", "stored-run", "late-ack", "restamped", "mark-first", "window",
		"merge", "shared-reports", "no-sync", "rebuild-short", "gap-silent", "unchecked",
		"conflict-repeat", "told-early", "ids-first", "no-anchor", "share-kept",
		"delete-ignored", "remembered", "live-skips", "disk-untold", "uncounted",
		"misplaced", "unheld"};
	return names[bug];
}

const char *fault_name(enum fault fault)
{
	static const char *const names[FAULT_COUNT] = {"edge-crash", "edge-stopped", "commit-lost",
		"reply-lost", "answer-lost", "disk-full", "spool-restored", "edge-cloned",
		"clock-jump", "link-cut", "link-half-open", "key-refused", "link-silent",
		"frame-garbled", "queue-full", "bridge-crash", "bridge-stopped", "kafka-away",
		"delivery-failed", "delivery-denied", "record-refused", "topic-refused",
		"producer-lost", "report-late", "sink-full", "put-refused", "aggregator-crash",
		"commit-untold", "store-full", "store-failed", "reader-restarted", "store-restored",
		"rebuild", "rebuild-killed", "log-cut", "log-overtaken", "topic-emptied",
		"topic-made-again", "other-cluster", "partition-added", "block-damaged",
		"image-resumed", "reowned", "sent-twice", "sent-again", "interval-lost",
		"memory-short", "rows-retold", "snapshot-again", "user-forgotten", "user-back",
		"staged", "unstaged", "message-lost", "report-lost"};
	return names[fault];
}

/* Half of the runs have 75 to 150 steps, a quarter 150 to 300, and so on. */
static void draw_length(void)
{
	uint64_t steps = STEPS_LEAST;

	while (steps < STEPS_MOST && world_draw(5) < 2) {
		steps *= 2;
	}
	world.steps = steps + world_draw(steps);
	world.haste = world.steps >= STEPS_USUAL ? 1 : STEPS_USUAL / world.steps;
}

void world_begin(uint64_t seed, enum bug bug, bool is_traced)
{
	world = (struct world){
		.random = seed,
		.now_ms = 1000000,
		.wall_offset_ms = INT64_C(1700000000000),
		.has_faults = true,
		.is_traced = is_traced,
		.bug = bug,
	};
	world.random =
		world_random(); /* else the next seed's run would draw the same, one draw on */
	draw_length();
	for (int i = 0; i < FAULT_COUNT; i++) {
		static const uint32_t scales[] = {0, 1, 1, 1, 4};
		world.scales[i] = scales[world_draw(sizeof scales / sizeof scales[0])];
	}
}

/* splitmix64 */
uint64_t world_random(void)
{
	uint64_t z = world.random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t world_draw(uint64_t below)
{
	return world_random() % below;
}

int64_t world_delay(int64_t max_ms)
{
	return world_draw(12) == 0 ? (int64_t)world_draw((uint64_t)max_ms + 1)
				   : (int64_t)world_draw(6);
}

bool world_happens(uint64_t one_in)
{
	return world_draw(one_in) < world.haste;
}

bool world_fails(enum fault fault, uint32_t per_million)
{
	if (!world.has_faults ||
		world_draw(1000000) >= per_million * world.scales[fault] * world.haste) {
		return false;
	}
	world_note_fault(fault, "");
	return true;
}

void world_memory_begin(uint64_t one_in)
{
	uint64_t scale = world.scales[FAULT_MEMORY_SHORT];

	if (world.has_faults && scale > 0 && world_draw(one_in) < scale * world.haste) {
		world.memory_asks = 1 + world_draw(UINT64_C(1) << world_draw(ASKS_BITS));
	}
}

void world_memory_end(void)
{
	world.memory_asks = 0;
}

bool world_memory_is_short(void)
{
	if (world.memory_asks == 0 || --world.memory_asks > 0) {
		return false;
	}
	world_note_fault(FAULT_MEMORY_SHORT, "");
	return true;
}

void world_note_fault(enum fault fault, const char *what)
{
	world.faults[fault]++;
	world_trace("FAULT %s %s", fault_name(fault), what);
}

uint64_t world_fault_count(void)
{
	uint64_t count = 0;

	for (int i = 0; i < FAULT_COUNT; i++) {
		count += world.faults[i];
	}
	return count;
}

static void trace_list(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

static void trace_list(const char *format, va_list arguments)
{
	char line[400];

	if (world.is_traced) {
		vsnprintf(line, sizeof line, format, arguments);
		printf("%9lld %s\n", (long long)world.now_ms - 1000000, line);
	}
}

void world_note(const char *format, ...)
{
	va_list arguments;

	world.events++;
	va_start(arguments, format);
	trace_list(format, arguments);
	va_end(arguments);
}

void world_trace(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	trace_list(format, arguments);
	va_end(arguments);
}
