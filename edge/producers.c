#include "edge/producers.h"
#include "edge/spool_block.h"
#include "proto/checksum.h"

enum {
	ROW_VERSION = 1,
	AT_VERSION = 0,
	AT_N = 1,
	AT_USED = 9,
	AT_CRC = 17,
	AT_REPLY = 21,
};

enum producer_verdict producer_judge(const struct producer_row *row, uint64_t n)
{
	if (row == NULL || n > row->n) {
		return PRODUCER_NEW;
	}
	return n == row->n ? PRODUCER_REPEATED : PRODUCER_PAST;
}

/* The name is in it: LMDB could hand out another producer's row. */
static uint32_t row_crc(struct slice producer, const uint8_t *head, struct slice reply)
{
	uint32_t crc = checksum_crc32c(0, producer.bytes, producer.size);
	crc = checksum_crc32c(crc, head, AT_CRC);
	return checksum_crc32c(crc, reply.bytes, reply.size);
}

void producer_row_encode(
	struct slice producer, const struct producer_row *row, struct buffer *buffer)
{
	uint8_t head[AT_REPLY];

	head[AT_VERSION] = ROW_VERSION;
	spool_put_u64(head + AT_N, row->n);
	spool_put_u64(head + AT_USED, (uint64_t)row->used_ms);
	spool_put_u32(head + AT_CRC, row_crc(producer, head, row->reply));
	buffer_append(buffer, head, sizeof head);
	buffer_append(buffer, row->reply.bytes, row->reply.size);
}

bool producer_row_decode(struct slice producer, struct slice bytes, struct producer_row *ret_row)
{
	if (bytes.size < AT_REPLY || bytes.bytes[AT_VERSION] != ROW_VERSION) {
		return false;
	}
	struct slice reply = slice_of(bytes.bytes + AT_REPLY, bytes.size - AT_REPLY);
	if (spool_get_u32(bytes.bytes + AT_CRC) != row_crc(producer, bytes.bytes, reply)) {
		return false;
	}
	*ret_row = (struct producer_row){
		.n = spool_get_u64(bytes.bytes + AT_N),
		.used_ms = (int64_t)spool_get_u64(bytes.bytes + AT_USED),
		.reply = reply,
	};
	return true;
}

bool producer_row_is_expired(const struct producer_row *row, int64_t now_ms, int64_t ttl_ms)
{
	/* unsigned: the row may name any time */
	return now_ms > row->used_ms &&
	       (uint64_t)now_ms - (uint64_t)row->used_ms > (uint64_t)ttl_ms;
}
