#include "bridge/tracker.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void outbox_init(struct outbox *outbox)
{
	*outbox = (struct outbox){0};
	TAILQ_INIT(&outbox->sendings);
}

void outbox_deinit(struct outbox *outbox)
{
	assert(outbox->batch_count == 0);
	for (int code = 0; code < NACK_CODE_COUNT; code++) {
		ranges_deinit(&outbox->done[code]);
	}
}

bool outbox_has_news(const struct outbox *outbox)
{
	for (int code = 0; code < NACK_CODE_COUNT; code++) {
		if (outbox->done[code].count > 0) {
			return true;
		}
	}
	return false;
}

bool outbox_is_overdue(const struct outbox *outbox)
{
	size_t count = 0;
	for (int code = 0; code < NACK_CODE_COUNT; code++) {
		count += outbox->done[code].count;
	}
	return count > OUTBOX_RANGES_MAX;
}

/* Every sending in flight must find room, whichever way it ends. */
static int outbox_reserve(struct outbox *outbox)
{
	int r = 0;
	for (int code = 0; code < NACK_CODE_COUNT && r == 0; code++) {
		r = ranges_reserve(&outbox->done[code], outbox->batch_count + 1);
	}
	return r;
}

void tracker_init(struct tracker *tracker)
{
	*tracker = (struct tracker){0};
	TAILQ_INIT(&tracker->orphans);
	TAILQ_INIT(&tracker->in_flight);
}

void tracker_deinit(struct tracker *tracker)
{
	for (uint32_t i = 0; i < tracker->slot_count; i++) {
		free(tracker->slots[i]);
	}
	free(tracker->slots);
	free(tracker->free_slots);
	tracker_init(tracker);
}

static int add_slots(struct tracker *tracker)
{
	uint32_t count = tracker->slot_count == 0 ? 64 : tracker->slot_count * 2;
	struct sending **slots = realloc(tracker->slots, count * sizeof(struct sending *));
	if (slots == NULL) {
		return -ENOMEM;
	}
	tracker->slots = slots;
	uint32_t *free_slots = realloc(tracker->free_slots, count * sizeof *free_slots);
	if (free_slots == NULL) {
		return -ENOMEM;
	}
	tracker->free_slots = free_slots;
	while (tracker->slot_count < count) {
		struct sending *sending = calloc(1, sizeof *sending);
		if (sending == NULL) {
			return -ENOMEM;
		}
		sending->index = tracker->slot_count;
		sending->generation = 1;
		slots[tracker->slot_count] = sending;
		free_slots[tracker->free_count++] = tracker->slot_count++;
	}
	return 0;
}

static void enter_books(struct tracker *tracker, struct outbox *outbox, struct sending *sending)
{
	TAILQ_INSERT_TAIL(&outbox->sendings, sending, siblings);
	TAILQ_INSERT_TAIL(&tracker->in_flight, sending, by_age);
	outbox->batch_count++;
	outbox->lane_bytes[sending->lane] += sending->bytes;
	tracker->lane_bytes[sending->lane] += sending->bytes;
	tracker->lane_batches[sending->lane]++;
	tracker->batch_count++;
}

int tracker_open(struct tracker *tracker, struct outbox *outbox, const struct sending_start *start,
	struct sending **ret_sending)
{
	int r = outbox_reserve(outbox);
	if (r == 0 && tracker->free_count == 0) {
		r = add_slots(tracker);
		r = tracker->free_count > 0 ? 0 : r;
	}
	if (r < 0) {
		return r;
	}
	struct sending *sending = tracker->slots[tracker->free_slots[--tracker->free_count]];
	*sending = (struct sending){
		.outbox = outbox,
		.number = start->number,
		.lane = start->lane,
		.bytes = start->bytes,
		.received_us = start->received_us,
		.has_age = start->has_age,
		.age_ms = start->age_ms,
		.event_count = start->event_count,
		.index = sending->index,
		.generation = sending->generation,
		.is_held = true,
	};
	enter_books(tracker, outbox, sending);
	*ret_sending = sending;
	return 0;
}

struct sending *tracker_find(const struct tracker *tracker, uint64_t ticket)
{
	uint32_t index = (uint32_t)ticket;
	struct sending *sending = index < tracker->slot_count ? tracker->slots[index] : NULL;
	return sending != NULL && sending->generation == ticket >> 32 ? sending : NULL;
}

void tracker_expect(struct tracker *tracker, struct sending *sending)
{
	sending->record_count++;
	tracker->record_count++;
}

void tracker_fail(struct sending *sending, enum nack_code code, uint32_t retry_after_ms)
{
	if (sending->nack == 0) {
		sending->nack = code;
	}
	if (sending->retry_after_ms < retry_after_ms) {
		sending->retry_after_ms = retry_after_ms;
	}
}

static void leave_books(struct tracker *tracker, struct sending *sending)
{
	struct outbox *outbox = sending->outbox;
	TAILQ_REMOVE(outbox == NULL ? &tracker->orphans : &outbox->sendings, sending, siblings);
	TAILQ_REMOVE(&tracker->in_flight, sending, by_age);
	if (outbox != NULL) {
		outbox->batch_count--;
		outbox->lane_bytes[sending->lane] -= sending->bytes;
	}
	tracker->lane_bytes[sending->lane] -= sending->bytes;
	tracker->lane_batches[sending->lane]--;
	tracker->batch_count--;
}

static void tell(struct outbox *outbox, const struct sending *sending)
{
	int code = (int)sending->nack;
	ranges_add(&outbox->done[code], sending->number);
	if (outbox->retry_after_ms[code] < sending->retry_after_ms) {
		outbox->retry_after_ms[code] = sending->retry_after_ms;
	}
}

/* The slot is free again, under a new generation: old tickets fit no more. */
static void finish(struct tracker *tracker, struct sending *sending)
{
	leave_books(tracker, sending);
	if (sending->outbox != NULL) {
		tell(sending->outbox, sending);
	}
	sending->generation++;
	tracker->free_slots[tracker->free_count++] = sending->index;
}

static bool finish_if_over(
	struct tracker *tracker, struct sending *sending, struct sending_end *ret_end)
{
	if (sending->record_count > 0 || sending->is_held) {
		return false;
	}
	*ret_end = (struct sending_end){
		.outbox = sending->outbox,
		.lane = sending->lane,
		.nack = sending->nack,
		.received_us = sending->received_us,
		.has_age = sending->has_age,
		.age_ms = sending->age_ms,
		.event_count = sending->event_count,
	};
	finish(tracker, sending);
	return true;
}

bool tracker_report(struct tracker *tracker, struct sending *sending, struct sending_end *ret_end)
{
	assert(sending->record_count > 0);
	sending->record_count--;
	tracker->record_count--;
	tracker->dropped_count += sending->outbox == NULL;
	return finish_if_over(tracker, sending, ret_end);
}

bool tracker_release(struct tracker *tracker, struct sending *sending, struct sending_end *ret_end)
{
	assert(sending->is_held);
	sending->is_held = false;
	return finish_if_over(tracker, sending, ret_end);
}

void tracker_drop(struct tracker *tracker)
{
	tracker->dropped_count++;
}

int64_t tracker_oldest_us(const struct tracker *tracker)
{
	const struct sending *oldest = TAILQ_FIRST(&tracker->in_flight);

	return oldest == NULL ? -1 : oldest->received_us;
}

void tracker_abandon(struct tracker *tracker, struct outbox *outbox)
{
	struct sending *sending;
	TAILQ_FOREACH(sending, &outbox->sendings, siblings)
	{
		sending->outbox = NULL;
	}
	TAILQ_CONCAT(&tracker->orphans, &outbox->sendings, siblings);
	outbox->batch_count = 0;
	memset(outbox->lane_bytes, 0, sizeof outbox->lane_bytes);
}

uint64_t tracker_fail_all(struct tracker *tracker, enum nack_code code, uint32_t retry_after_ms)
{
	uint64_t told_count = 0;
	for (uint32_t i = 0; i < tracker->slot_count; i++) {
		struct sending *sending = tracker->slots[i];
		if (sending->record_count == 0 && !sending->is_held) {
			continue;
		}
		tracker_fail(sending, code, retry_after_ms);
		if (!sending->is_held) {
			told_count += sending->outbox != NULL;
			tracker->record_count -= sending->record_count;
			sending->record_count = 0;
			finish(tracker, sending);
		}
	}
	return told_count;
}
