/* Which records of the log bear a certificate that an earlier one of other bytes has: by the aggregator's own reading, and
 * without its counted sets. Markers stand for the event that they took the place of, whatever its bytes. */
#include "aggregator/books/record.h"
#include "proto/checksum.h"
#include "tests/sim/aggregator_part.h"
#include "tests/sim/source_model.h"
#include <stdlib.h>

struct seen {
	uint64_t certificate; /* a hash; 0: this place is free */
	uint32_t checksum; /* 0: a marker */
};

struct look {
	struct document document;
	struct seen *places; /* owned */
	size_t place_count; /* a power of two */
	aggregator_record_fn take;
	void *owner;
	uint64_t found;
};

static uint64_t hash_of(const struct reading *reading)
{
	uint64_t hash = checksum_crc32c(0, reading->stream.edge.bytes, reading->stream.edge.size);

	hash = (hash ^ reading->stream.run) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ (hash >> 29) ^ (uint64_t)reading->stream.kind) *
	       UINT64_C(0x94d049bb133111eb);
	hash = (hash ^ (hash >> 31) ^ reading->seq) * UINT64_C(0x9e3779b97f4a7c15);
	return (hash ^ (hash >> 32)) | 1;
}

static struct seen *place_of(struct look *look, uint64_t certificate)
{
	size_t at = (size_t)(certificate >> 8);

	for (;; at++) {
		struct seen *seen = &look->places[at & (look->place_count - 1)];
		if (seen->certificate == 0 || seen->certificate == certificate) {
			return seen;
		}
	}
}

static void look_at(void *owner, int topic, int partition, const struct kafka_entry *entry)
{
	const struct kafka_record *from = entry->record;
	struct look *look = owner;
	struct reading reading;
	const struct record record = source_model_record(topic, partition, from);

	if (topic >= TILL_TOPICS || /* others' have no certificates */
		record_read(&look->document, &record, &reading) != 0 ||
		(reading.class != RECORD_EVENT && reading.class != RECORD_MARKER)) {
		return;
	}
	uint32_t checksum = reading.class == RECORD_MARKER
				    ? 0
				    : checksum_crc32c(0, from->value, from->value_size) | 1;
	uint64_t certificate = hash_of(&reading);
	struct seen *seen = place_of(look, certificate);
	if (seen->certificate == 0) {
		*seen = (struct seen){certificate, checksum};
	} else if (seen->checksum != checksum) {
		look->found += checksum != 0 && seen->checksum != 0;
		look->take(look->owner, topic, from);
	}
}

uint64_t aggregator_part_each_conflict(aggregator_record_fn take, void *owner)
{
	struct look look = {.take = take, .owner = owner, .place_count = 1024};

	while (look.place_count < 2 * kafka_written()) {
		look.place_count *= 2;
	}
	look.places = calloc(look.place_count, sizeof *look.places);
	if (look.places == NULL || document_init(&look.document, EVENT_NODES_MAX) != 0) {
		abort();
	}
	kafka_each(look_at, &look);
	document_deinit(&look.document);
	free(look.places);
	return look.found;
}
