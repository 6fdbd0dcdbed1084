#include "proto/receipt.h"
#include "proto/limits.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define RECEIVED_MS_MAX INT64_C(253402300799999)

int receipt_write(const struct receipt *receipt, char out[RECEIPT_TEXT_SIZE])
{
	assert(receipt->received_ms >= 0 && receipt->received_ms <= RECEIVED_MS_MAX);
	assert(receipt->count >= 1 && receipt->count <= BATCH_SIZE_MAX);
	return snprintf(out, RECEIPT_TEXT_SIZE, "%" PRId64 "/%" PRIu32, receipt->received_ms,
		receipt->count);
}

/* Digits only, the first of them not 0 unless it is the only one. Moves *at behind them. */
static bool read_number(struct slice text, size_t *at, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;
	size_t begin = *at;

	while (*at < text.size && text.bytes[*at] >= '0' && text.bytes[*at] <= '9') {
		number = number * 10 + (uint64_t)(text.bytes[*at] - '0');
		if (number > max) {
			return false;
		}
		*at += 1;
	}
	*ret_number = number;
	return *at > begin && (text.bytes[begin] != '0' || *at == begin + 1);
}

bool receipt_read(struct slice text, struct receipt *ret_receipt)
{
	uint64_t received_ms = 0, count = 0;
	size_t at = 0;

	if (!read_number(text, &at, (uint64_t)RECEIVED_MS_MAX, &received_ms) || at == text.size ||
		text.bytes[at] != '/') {
		return false;
	}
	at++;
	if (!read_number(text, &at, BATCH_SIZE_MAX, &count) || at != text.size || count == 0) {
		return false;
	}
	*ret_receipt = (struct receipt){(int64_t)received_ms, (uint32_t)count};
	return true;
}
