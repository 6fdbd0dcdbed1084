#include "edge/spool_sums.h"
#include "edge/mark_row.h"
#include "edge/spool_block.h"
#include "proto/checksum.h"

enum { NUMBER_SIZE = 8, CRC_SIZE = 4 };

static bool is_of_blocks(enum spool_table table)
{
	return table == SPOOL_TABLE_BLOCKS || table == SPOOL_TABLE_CORRUPT;
}

/* Rows of the other tables are refused when they are damaged. */
static bool is_damaged(enum spool_table table, struct slice key, struct slice value)
{
	struct spool_block_header header;
	enum kind lane;
	uint64_t at;

	if (is_of_blocks(table)) {
		return spool_block_decode_header(value, &header) != 0 ||
		       !spool_key_decode(key, &lane, &at) || header.lane != lane;
	}
	return table == SPOOL_TABLE_MARKS && mark_row_decode(key, value).bytes == NULL;
}

static uint64_t hash_of(enum spool_table table, struct slice key, struct slice value)
{
	size_t size = is_of_blocks(table) && value.size > SPOOL_BLOCK_HEADER_SIZE
			      ? SPOOL_BLOCK_HEADER_SIZE
			      : value.size;
	uint32_t crc = checksum_crc32c(0, key.bytes, key.size);
	uint64_t hash = (uint64_t)crc << 32 | checksum_crc32c(crc, value.bytes, size);

	/* Bits of checksums alone would not depend on each other. */
	hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
	return hash ^ hash >> 31;
}

void spool_sum_add(
	struct spool_sum *sum, enum spool_table table, struct slice key, struct slice value)
{
	sum->count++;
	sum->damaged += is_damaged(table, key, value);
	sum->hash_sum += hash_of(table, key, value);
}

void spool_sum_subtract(
	struct spool_sum *sum, enum spool_table table, struct slice key, struct slice value)
{
	sum->count--;
	sum->damaged -= is_damaged(table, key, value);
	sum->hash_sum -= hash_of(table, key, value);
}

bool spool_sum_fits(const struct spool_sum *told, const struct spool_sum *found)
{
	if (found->count != told->count || found->damaged < told->damaged) {
		return false;
	}
	return found->damaged > told->damaged || found->hash_sum == told->hash_sum;
}

void spool_sums_encode(const struct spool_sums *sums, uint8_t out[SPOOL_SUMS_SIZE])
{
	uint8_t *at = out;

	spool_put_u64(at, sums->transaction);
	at += NUMBER_SIZE;
	for (int i = 0; i < SPOOL_TABLES_SUMMED; i++) {
		const struct spool_sum *sum = &sums->tables[i];
		spool_put_u64(at, sum->count);
		spool_put_u64(at + NUMBER_SIZE, sum->damaged);
		spool_put_u64(at + 2 * NUMBER_SIZE, sum->hash_sum);
		at += 3 * NUMBER_SIZE;
	}
	spool_put_u32(at, checksum_crc32c(0, out, SPOOL_SUMS_SIZE - CRC_SIZE));
}

bool spool_sums_decode(struct slice bytes, struct spool_sums *ret_sums)
{
	const uint8_t *at = bytes.bytes;

	if (bytes.size != SPOOL_SUMS_SIZE ||
		spool_get_u32(at + SPOOL_SUMS_SIZE - CRC_SIZE) !=
			checksum_crc32c(0, at, SPOOL_SUMS_SIZE - CRC_SIZE)) {
		return false;
	}
	ret_sums->transaction = spool_get_u64(at);
	at += NUMBER_SIZE;
	for (int i = 0; i < SPOOL_TABLES_SUMMED; i++) {
		ret_sums->tables[i] = (struct spool_sum){.count = spool_get_u64(at),
			.damaged = spool_get_u64(at + NUMBER_SIZE),
			.hash_sum = spool_get_u64(at + 2 * NUMBER_SIZE)};
		at += 3 * NUMBER_SIZE;
	}
	return true;
}
