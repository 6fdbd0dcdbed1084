/* spool_block.h - the form of what lies in a spool: keys, blocks and the identity record, to the byte. Pure.
 *
 * A block is a run of events of one lane and one run, back to back as they will be sent. Numbers are big-endian.
 *
 *	 0 u8  version (1)      16 u64 first_seq              44 u32 CRC32C of the events
 *	 1 u8  lane             24 i64 received_first_ms      48 u32 CRC32C of bytes 0 … 47
 *	 2 u16 zero             32 i64 received_last_ms       52 the events
 *	 4 u32 count            40 u32 size of the events
 *	 8 u64 run
 *
 * The header has a checksum of its own, so that a flipped bit in an event leaves known what is missing.
 * To change the form: give it the next version, keep decoding the old one (spools are read by the program that
 * replaces the one that wrote them), and never rewrite a block that exists: its events were numbered already. */
#pragma once
#include "proto/event.h"

enum {
	SPOOL_BLOCK_VERSION = 1,
	SPOOL_BLOCK_HEADER_SIZE = 52,
	/* The smallest batch_size_max that a bridge may ask for: every block fits every bridge, uncut. */
	SPOOL_BLOCK_SIZE_MAX = 128 * 1024,
	SPOOL_KEY_SIZE = 9,
};

struct spool_block_header {
	enum kind lane;
	uint32_t count;
	uint64_t run;
	uint64_t first_seq;
	int64_t received_first_ms;
	int64_t received_last_ms;
	uint32_t size; /* of the events */
	uint32_t events_crc;
};

enum {
	SPOOL_BLOCK_E_HEADER =
		1, /* too short, other version, wrong lane or checksum: nothing is known */
	SPOOL_BLOCK_E_EVENTS, /* the header is good, the events are not: what is missing is known */
};

/* events_crc is computed here. */
void spool_block_encode_header(const struct spool_block_header *header, struct slice events,
	uint8_t out[SPOOL_BLOCK_HEADER_SIZE]);
/* Checks the header only. 0 or SPOOL_BLOCK_E_HEADER. */
int spool_block_decode_header(struct slice block, struct spool_block_header *ret_header);
/* Checks all of it. *ret_header is set unless the result is SPOOL_BLOCK_E_HEADER. */
int spool_block_decode(
	struct slice block, struct spool_block_header *ret_header, struct slice *ret_events);

/* lane, then index, big-endian: LMDB's order is the order of sending. */
void spool_key_encode(enum kind lane, uint64_t index, uint8_t out[SPOOL_KEY_SIZE]);
bool spool_key_decode(struct slice key, enum kind *ret_lane, uint64_t *ret_index);

/* The bytes that a value costs in LMDB: leaf pages are about half full; large values take whole pages. */
uint64_t spool_cost(uint64_t key_size, uint64_t value_size);

void spool_put_u32(uint8_t *out, uint32_t value);
void spool_put_u64(uint8_t *out, uint64_t value);
uint32_t spool_get_u32(const uint8_t *in);
uint64_t spool_get_u64(const uint8_t *in);
