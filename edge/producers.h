/* producers.h - what the edge remembers of one producer, and what a frame's number means beside it. Pure.
 * The row lies in LMDB under the producer's name and is written in the transaction of the frame's events. */
#pragma once
#include "proto/buffer.h"
#include "proto/limits.h"

struct producer_row {
	uint64_t n; /* the highest that was counted */
	int64_t used_ms; /* when the frame came that last moved n, by the clock of the spool's memory (desk.c) */
	struct slice reply; /* to that frame, msgpack; borrowed */
};

enum producer_verdict {
	PRODUCER_NEW, /* count it */
	PRODUCER_REPEATED, /* the very last frame again: its reply again */
	PRODUCER_PAST, /* an older one: counted before, its reply is not kept */
};

/* `row` is NULL for a producer that is not known. */
enum producer_verdict producer_judge(const struct producer_row *row, uint64_t n);

/* version, n, used_ms, CRC32C of name and row, reply. */
void producer_row_encode(
	struct slice producer, const struct producer_row *row, struct buffer *buffer);
/* false: damaged. */
bool producer_row_decode(struct slice producer, struct slice bytes, struct producer_row *ret_row);
/* Not used for ttl_ms. A clock that went back keeps everything. */
bool producer_row_is_expired(const struct producer_row *row, int64_t now_ms, int64_t ttl_ms);
