/* receipt.h - when an edge received what a record holds, as the bridge writes it into the record's header: by the bridge's
 * clock, with the number of events that it stands for. PROTOCOL.md, 5. Pure. */
#pragma once
#include "proto/slice.h"
#include <stdbool.h>
#include <stdint.h>

#define RECEIPT_HEADER "till.received"

enum { RECEIPT_TEXT_SIZE = 32 }; /* 15 digits, a slash, 6 digits */

struct receipt {
	int64_t received_ms; /* wall clock; 0 … the end of the year 9999 */
	uint32_t count; /* of events, 1 … BATCH_SIZE_MAX */
};

/* "1291193160250/17"; returns its length. Both numbers within their bounds. */
int receipt_write(const struct receipt *receipt, char out[RECEIPT_TEXT_SIZE]);
/* false: it is none. */
bool receipt_read(struct slice text, struct receipt *ret_receipt);
