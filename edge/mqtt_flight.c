#include "edge/mqtt_flight.h"

#include <assert.h>

void mqtt_flight_init(struct mqtt_flight *flight)
{
	flight->first = 1;
	flight->next = 1;
	flight->undone = 0;
	flight->undone_size = 0;
}

static struct mqtt_flight_entry *entry_of(struct mqtt_flight *flight, uint64_t number)
{
	assert(number >= flight->first && number < flight->next);
	return &flight->entries[number % MQTT_PENDING_MAX];
}

void mqtt_flight_add(struct mqtt_flight *flight, const struct mqtt_flight_entry *entry)
{
	assert(!mqtt_flight_is_full(flight));

	flight->entries[flight->next++ % MQTT_PENDING_MAX] = *entry;
	if (!entry->done) {
		flight->undone++;
		flight->undone_size += entry->size;
	}
}

const struct mqtt_flight_entry *mqtt_flight_find(const struct mqtt_flight *flight, uint64_t number)
{
	assert(number >= flight->first && number < flight->next);

	const struct mqtt_flight_entry *entry = &flight->entries[number % MQTT_PENDING_MAX];
	assert(!entry->done);
	return entry;
}

void mqtt_flight_done(struct mqtt_flight *flight, uint64_t number)
{
	struct mqtt_flight_entry *entry = entry_of(flight, number);

	assert(!entry->done);
	entry->done = true;
	flight->undone--;
	flight->undone_size -= entry->size;
}

const struct mqtt_flight_entry *mqtt_flight_head(const struct mqtt_flight *flight)
{
	const struct mqtt_flight_entry *head = &flight->entries[flight->first % MQTT_PENDING_MAX];

	return !mqtt_flight_is_empty(flight) && head->done ? head : NULL;
}

void mqtt_flight_pop(struct mqtt_flight *flight)
{
	assert(mqtt_flight_head(flight) != NULL);
	flight->first++;
}

void mqtt_flight_void_acks(struct mqtt_flight *flight)
{
	for (uint64_t number = flight->first; number < flight->next; number++) {
		entry_of(flight, number)->ack = 0;
	}
}
