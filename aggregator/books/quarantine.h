/* quarantine.h - one record that could not be read or counted, as the store keeps it: where it lay, why, and its bytes,
 * cut. Pure. */
#pragma once
#include "aggregator/view/pack.h"

/* Begins the reason of a record whose certificate stands for another event. */
#define QUARANTINE_CONFLICT "certificate_conflict"
/* And of a stream whose counted set takes no more intervals. */
#define QUARANTINE_GAPS "its stream has too many gaps"

enum {
	QUARANTINE_MAX = 10000, /* entries kept: the last ones */
	QUARANTINE_BYTES_MAX = 4096, /* of key and of value each; all entries stay below 100 MiB */
};

struct quarantine_entry {
	struct slice topic; /* all borrowed */
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms; /* the broker's */
	struct slice reason; /* a sentence */
	struct slice key;
	struct slice value;
	uint64_t value_size; /* before it was cut, or hidden */
};

/* Leaves where it lay, how large it was and, as far as these are words of ours, of which edge and why: the rest may hold
 * somebody's name. */
void quarantine_hide(struct quarantine_entry *entry);
void quarantine_encode(const struct quarantine_entry *entry, struct buffer *buffer);
bool quarantine_decode(struct slice bytes, struct quarantine_entry *ret_entry);
