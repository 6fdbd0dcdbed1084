#include "tests/sim/telemetry.h"
#include <stdlib.h>
#include <string.h>

enum { ONE_RUN_IN = 8, ENTRIES_MAX = 65536 };

static bool is_in_play;
static struct {
	struct kafka_record *record; /* owned; NULL: it is gone */
	int64_t timestamp_ms;
} entries[ENTRIES_MAX];
static size_t count;

void telemetry_begin(void)
{
	telemetry_end();
	is_in_play = world_draw(ONE_RUN_IN) == 0;
}

void telemetry_end(void)
{
	for (size_t i = 0; i < count; i++) {
		entries[i].record = kafka_record_free(entries[i].record);
	}
	count = 0;
}

bool telemetry_is_in_play(void)
{
	return is_in_play;
}

static bool is_same_key(const struct kafka_record *a, const struct kafka_record *b)
{
	return a->key_size == b->key_size && memcmp(a->key, b->key, a->key_size) == 0;
}

/* Takes away what the last one replaces, or not yet. */
static void compact(void)
{
	const struct kafka_record *last = entries[count - 1].record;

	for (size_t i = 0; i + 1 < count; i++) {
		struct kafka_record *record = entries[i].record;
		if (record != NULL && is_same_key(record, last)) {
			entries[i].record = kafka_record_free(record);
		}
	}
}

bool telemetry_append(struct kafka_bytes key, struct kafka_bytes value)
{
	if (kafka_is_away() || kafka_is_other() || count == ENTRIES_MAX ||
		world_fails(FAULT_REPORT_LOST, 50000)) {
		return false;
	}
	entries[count].record = kafka_record_new(key, value);
	entries[count++].timestamp_ms = world.now_ms + world.wall_offset_ms;
	if (world_draw(4) == 0) {
		compact();
	}
	return true;
}

size_t telemetry_count(void)
{
	return count;
}

struct telemetry_entry telemetry_at(size_t i)
{
	return (struct telemetry_entry){entries[i].record, entries[i].timestamp_ms};
}
