/* archive_stream.h - what `till archive cat` writes, taken apart as its bytes come: a head with the partitions that it holds, the
 * records, and an end that says how many there were. Values of msgpack, one behind the other:
 *
 *   {"till_archive": 1, "cluster": TEXT, "partitions": [[topic, partition, next offset,
 *      {"duplicates": N, "foreign": N, "unreadable": N, "archived": N, "from": OFFSET,
 *       "gaps": [[first, last] …]}, last offset, last value, last append time in ms] …]}
 *   [topic, partition, offset, append time in ms, key, value, headers] …
 *   {"end": true, "records": N}
 *
 * The last three of a partition are nil where nothing was read of it; key and headers may be nil. What a partition had below its next
 * offset is among the records, or was counted in the head; but for what lies below `from`, where the stream begins later. `archived`
 * is how many records there are. `gaps` are offsets that the archive lacks, too: the log had lost them. Each of the six may be left
 * out. Nothing is believed: lengths that are told reserve nothing. Pure. */
#pragma once
#include "aggregator/books/books.h"
#include "proto/dead_letter.h"

enum {
	/* A record of Kafka's, the largest that till reads (CHANGE_SIZE_MAX), with topic and headers around it. */
	ARCHIVE_ITEM_SIZE_MAX = 2 * 1024 * 1024 + 64 * 1024,
	ARCHIVE_PARTITIONS_MAX = 64 * 1024, /* each is held in some hundred bytes */
	ARCHIVE_TOPIC_SIZE_MAX = 249, /* Kafka's */
	ARCHIVE_GAPS_MAX = 32, /* of one partition: somebody accepted each */
	ARCHIVE_WHY_SIZE = 160,
};

enum {
	ARCHIVE_E_MORE = 1, /* the next item is not whole yet */
	ARCHIVE_E_BAD, /* no archive, or damaged: `why` says what */
};

enum archive_item_type { ARCHIVE_HEAD, ARCHIVE_PARTITION, ARCHIVE_RECORD, ARCHIVE_END };

struct archive_gap {
	int64_t first, last;
};

/* Borrows from the bytes that it was decoded from. */
struct archive_item {
	enum archive_item_type type;
	struct slice cluster_id; /* of the head */
	bool is_last_of_head; /* records follow */
	/* Of partitions and records. */
	struct slice topic;
	int32_t partition;
	int64_t offset; /* of a partition: the first one that it does not hold */
	int64_t timestamp_ms; /* of a partition: of the last record that was read */
	struct slice key; /* {NULL, 0}: nil */
	struct slice value;
	/* Of partitions. */
	int64_t last_offset; /* -1: nothing was read */
	uint64_t left_out[FATE_COUNT]; /* records that were read and are not among the records */
	int64_t archived; /* how many are, of a stream that begins at 0; -1: not told */
	int64_t from; /* the first one that it may hold */
	struct archive_gap gaps[ARCHIVE_GAPS_MAX];
	uint32_t gap_count;
	/* Of records. */
	struct slice headers[DLQ_HEADER_COUNT]; /* those of dead letters; absent ones {NULL, 0} */
	uint64_t count; /* of the end: records */
};

/* Zero-initialised: at the beginning. */
struct archive_stream {
	enum { ARCHIVE_AT_HEAD, ARCHIVE_IN_HEAD, ARCHIVE_IN_RECORDS, ARCHIVE_AT_END } state;
	uint32_t partitions_left; /* of the head */
	uint64_t records;
	char why[ARCHIVE_WHY_SIZE];
};

/* The item that `bytes` begin with, and how many of them it took. 0, or ARCHIVE_E_*; after ARCHIVE_E_BAD for ever. Behind the
 * end every byte is bad. */
int archive_stream_next(struct archive_stream *stream, struct slice bytes,
	struct archive_item *ret_item, size_t *ret_size);
/* Is it whole: nothing more may come? */
static inline bool archive_stream_is_over(const struct archive_stream *stream)
{
	return stream->state == ARCHIVE_AT_END;
}
