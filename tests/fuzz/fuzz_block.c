/* Any bytes as what lies in a spool: a block, its key and the identity record; as they are, and with their checksums
 * mended, so that what lies behind the checksums is reached too. Refused, or written again as the same bytes. */
#include "edge/spool_block.h"
#include "edge/spool_identity.h"
#include "proto/checksum.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_block};

enum { EVENTS_CRC_AT = 44, HEADER_CRC_AT = 48, CRC_SIZE = 4 };

/* Whoever reads a block cuts its events off one after the other. */
static void walk_events(struct slice events)
{
	struct certificate certificate;
	struct slice event, rest = events;
	size_t sum = 0;

	while (event_cut(&rest, &event)) {
		fuzz_require(event.size > 0);
		sum += event.size;
		if (event_peek_certificate(event, &certificate) == 0) {
			fuzz_require(certificate.seq >= 1 && certificate.run <= RUN_MAX);
		}
	}
	fuzz_require(sum + rest.size == events.size);
}

static void try_block(struct slice block)
{
	struct spool_block_header header;
	struct slice events;
	uint8_t again[SPOOL_BLOCK_HEADER_SIZE];

	int r = spool_block_decode(block, &header, &events);
	if (r == SPOOL_BLOCK_E_HEADER) {
		return;
	}
	fuzz_require((int)header.lane < KIND_COUNT && header.count >= 1 && header.first_seq >= 1);
	fuzz_require(header.first_seq - 1 + header.count <= INT64_MAX); /* as certificates */
	if (r != 0) {
		return;
	}
	walk_events(events);
	spool_block_encode_header(&header, events, again);
	fuzz_require(memcmp(again, block.bytes, sizeof again) == 0);
}

static void mend_block(uint8_t *bytes, size_t size)
{
	if (size >= SPOOL_BLOCK_HEADER_SIZE) {
		size_t events_size = size - SPOOL_BLOCK_HEADER_SIZE;
		spool_put_u32(bytes + EVENTS_CRC_AT,
			checksum_crc32c(0, bytes + SPOOL_BLOCK_HEADER_SIZE, events_size));
		spool_put_u32(bytes + HEADER_CRC_AT, checksum_crc32c(0, bytes, HEADER_CRC_AT));
	}
}

static void try_identity(struct slice bytes)
{
	struct spool_identity identity;
	struct buffer again;

	if (spool_identity_decode(bytes, &identity) != 0) {
		return;
	}
	buffer_init(&again, 4096);
	spool_identity_encode(&identity, &again);
	fuzz_require(again.error == 0 && again.size <= bytes.size);
	fuzz_require(spool_identity_decode(buffer_slice(&again), &identity) == 0);
	buffer_deinit(&again);
}

static void mend_identity(uint8_t *bytes, size_t size)
{
	if (size >= CRC_SIZE) {
		spool_put_u32(bytes + size - CRC_SIZE, checksum_crc32c(0, bytes, size - CRC_SIZE));
	}
}

static void try_key(struct slice key)
{
	uint8_t again[SPOOL_KEY_SIZE];
	uint64_t index;
	enum kind lane;

	if (spool_key_decode(key, &lane, &index)) {
		spool_key_encode(lane, index, again);
		fuzz_require(slice_equal(key, slice_of(again, sizeof again)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_copy(data, size);
	uint8_t *writable = (uint8_t *)(uintptr_t)bytes.bytes;

	try_key(bytes);
	try_block(bytes);
	try_identity(bytes);
	mend_block(writable, size);
	try_block(bytes);
	mend_identity(writable, size);
	try_identity(bytes);
	fuzz_free(bytes);
	return 0;
}
