/* drop_state.h - what is remembered of a file that was dropped, until its report is written: how far it was read, and what
 * became of its lines. It is a mark, written in the transaction of the lines it counts. Pure. */
#pragma once
#include "proto/buffer.h"
#include "proto/checksum.h"
#include "proto/producer.h"

enum {
	DROP_NAME_SIZE = 256, /* as file systems limit it */
	DROP_TARGET_SIZE = DROP_NAME_SIZE + 16, /* with a suffix */
	DROP_WHY_SIZE = 200,
	DROP_ERRORS_MAX = 100, /* listed in a report; all are counted */
	/* Ranges of seqs: one for each run and kind that the file's lines went to. */
	DROP_RANGES_MAX = 40,
};

enum drop_outcome {
	DROP_UNDECIDED, /* it is being read */
	DROP_DONE,
	DROP_FAILED, /* it could not be read, or no line of it was accepted */
	DROP_REPEATED, /* the same content was counted before: skipped */
};

/* Seqs within run and kind: of first … last so many are this file's. */
struct drop_range {
	uint64_t run;
	enum kind kind;
	uint64_t first, last;
	uint64_t count;
};

struct drop_error {
	uint64_t line;
	struct complaint complaint;
};

struct drop_state {
	char name[DROP_NAME_SIZE];
	char target[DROP_TARGET_SIZE]; /* its name in done/ or failed/; "": not decided */
	char why[DROP_WHY_SIZE]; /* of DROP_FAILED */
	uint64_t device, inode, size;
	int64_t mtime_ns;
	uint64_t offset; /* read and counted up to here */
	uint64_t lines; /* among that */
	uint64_t accepted, invalid, repeated;
	uint32_t error_count; /* ≤ DROP_ERRORS_MAX: marks of their own */
	uint8_t prefix[CHECKSUM_DIGEST_SIZE]; /* of the bytes before offset */
	uint8_t digest[CHECKSUM_DIGEST_SIZE]; /* of all */
	struct drop_range ranges[DROP_RANGES_MAX];
	uint32_t range_count;
	bool ranges_left_out;
	int64_t started_ms, finished_ms; /* wall clock */
	int64_t twin_ms; /* DROP_REPEATED: when the same content was counted */
	enum drop_outcome outcome;
};

/* What became of one submission's events. */
void drop_state_add(struct drop_state *state, const struct reply *reply);

void drop_state_encode(const struct drop_state *state, struct buffer *buffer);
/* false: none. */
bool drop_state_decode(struct slice bytes, struct drop_state *ret_state);
void drop_error_encode(const struct drop_error *error, struct buffer *buffer);
bool drop_error_decode(struct slice bytes, struct drop_error *ret_error);

/* The report as JSON, one object, ended by a newline. */
struct drop_report {
	const struct drop_state *state;
	const struct drop_error *errors; /* state->error_count of them */
	const char *edge;
	const char *source;
};
void drop_report_encode(const struct drop_report *report, struct buffer *buffer);
