#include "aggregator/log/receipts.h"

/* Each two become one, received when the older was: nothing is told to be faster than it was. */
static void halve(struct receipts *receipts)
{
	for (size_t i = 0; i < RECEIPTS_MAX / 2; i++) {
		const struct held_receipt *one = &receipts->items[2 * i];
		const struct held_receipt *other = one + 1;
		receipts->items[i] = (struct held_receipt){
			.received_ms = one->received_ms < other->received_ms ? one->received_ms
									     : other->received_ms,
			.count = one->count + other->count,
		};
	}
	receipts->count = RECEIPTS_MAX / 2;
}

void receipts_note(struct receipts *receipts, const struct receipt *receipt)
{
	if (receipts->count == RECEIPTS_MAX) {
		halve(receipts);
	}
	receipts->items[receipts->count++] =
		(struct held_receipt){receipt->received_ms, receipt->count};
}

uint64_t receipts_tell(struct receipts *receipts, int64_t wall_ms,
	void (*told)(void *owner, uint64_t latency_ms, uint64_t count), void *owner)
{
	uint64_t ahead = 0;

	for (size_t i = 0; i < receipts->count; i++) {
		const struct held_receipt *held = &receipts->items[i];
		bool is_ahead = held->received_ms > wall_ms;
		ahead += is_ahead ? held->count : 0;
		told(owner, is_ahead ? 0 : (uint64_t)(wall_ms - held->received_ms), held->count);
	}
	receipts->count = 0;
	return ahead;
}
