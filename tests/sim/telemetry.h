/* telemetry.h - the topic of telemetry in some runs: what edges report of themselves, the newest of each key and some older ones.
 * Reports may be lost on the way. Part of the world, as Kafka's logs are. One thread. */
#pragma once
#include "tests/sim/kafka.h"

/* Draws whether edges report in this run. */
void telemetry_begin(void);
void telemetry_end(void);
bool telemetry_is_in_play(void);
/* Copies both. false: it is lost. */
bool telemetry_append(struct kafka_bytes key, struct kafka_bytes value);
struct telemetry_entry {
	const struct kafka_record *record; /* NULL: compaction took it */
	int64_t timestamp_ms;
};
size_t telemetry_count(void);
struct telemetry_entry telemetry_at(size_t i);
