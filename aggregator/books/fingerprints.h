/* fingerprints.h - what the counted records of one shard looked like: 30 bits of each one's checksum, so that a second
 * record with the same certificate can be told to be the first one again, or another event. That happens where a machine
 * was set back to an older image of its memory: it goes on under the same run with the same numbers. Kept by chunks of
 * consecutive seqs, the latest FINGERPRINT_CHUNKS_MAX of them; chunks at work are in memory until the store has them.
 * One thread. */
#pragma once
#include "aggregator/books/stream.h"

enum {
	FINGERPRINT_CHUNK = 64, /* seqs in one chunk */
	/* On disk some 450 bytes each with what names them: 67 million events in at most half a gigabyte. */
	FINGERPRINT_CHUNKS_MAX = 1024 * 1024,
	FINGERPRINT_KEY_SIZE_MAX = STREAM_KEY_SIZE_MAX + 8,
};

enum fingerprint_match {
	FINGERPRINT_SAME,
	FINGERPRINT_OTHER,
	FINGERPRINT_UNKNOWN, /* too old, a marker, or once msgpack and once JSON */
};

/* Never 0, which is unknown. */
uint32_t fingerprint_of(uint32_t checksum, struct slice value, bool is_marker);
enum fingerprint_match fingerprint_compare(uint32_t first, uint32_t second);

struct fingerprints;
struct fingerprint_chunk;

/* A stream's chunks at work. Zero-initialised: none. It must not move. */
struct fingerprint_list {
	struct fingerprint_chunk *newest; /* by use */
};

struct fingerprints_options {
	size_t chunks_max;
	uint64_t made; /* chunks ever, as the store has it */
	/* Reads the stored value of a key into `ret_value` (appends); 0, 1 when there is none, or a negative errno. */
	int (*load)(void *owner, struct slice key, struct buffer *ret_value);
	void *owner;
};

int fingerprints_new(const struct fingerprints_options *options, struct fingerprints **ret_prints);
struct fingerprints *fingerprints_free(struct fingerprints *prints);
/* The stream goes; what the store does not have yet stays. */
void fingerprints_leave(struct fingerprint_list *list);

/* One record of a stream. */
struct fingerprint_place {
	struct fingerprint_list *list;
	struct slice stream_key;
	uint64_t seq;
};
/* Notes a record that is counted now. `counted_max`: the stream's largest seq before it. 0, -ENOMEM, -EBADMSG, or what
 * `load` says. */
int fingerprints_note(struct fingerprints *prints, const struct fingerprint_place *place,
	uint64_t counted_max, uint32_t fingerprint);
/* Of the record that was counted first; 0: not known. */
int fingerprints_find(struct fingerprints *prints, const struct fingerprint_place *place,
	uint32_t *ret_fingerprint);

size_t fingerprints_changed_count(const struct fingerprints *prints);
uint64_t fingerprints_made(const struct fingerprints *prints);

/* Hands what changed to `put`, for commit number `commit`; a value of no bytes: the key is to be deleted. Stops at the
 * first error. */
int fingerprints_freeze(struct fingerprints *prints, uint64_t commit,
	int (*put)(void *owner, struct slice key, struct slice value), void *owner);
/* Up to this commit the store has everything. */
void fingerprints_committed(struct fingerprints *prints, uint64_t commit);
