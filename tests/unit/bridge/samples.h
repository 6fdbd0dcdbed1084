/* samples.h - events and batches for the bridge's tests: JSON in, what lies in a spool out. */
#pragma once
#include "proto/dead_letter.h"

struct samples {
	struct document document;
	struct buffer batch; /* the events added so far */
	uint32_t count;
};

void samples_init(struct samples *samples);
void samples_deinit(struct samples *samples);
/* Forgets the batch. */
void samples_clear(struct samples *samples);
/* Normal form as JSON, written as msgpack. Returns the event's place in the batch. */
struct slice samples_add(struct samples *samples, const char *json);
/* An order of edge uk, run 7. */
struct slice samples_add_order(struct samples *samples, unsigned seq);
/* Bytes as they are. */
struct slice samples_add_bytes(struct samples *samples, const void *bytes, size_t size);
/* The map's text `from` becomes `to`, of the same size: how a good event goes bad. */
void samples_spoil(struct slice event, const char *from, const char *to);
/* A dead letter of edge uk, run 7, lane order.dlq. */
struct slice samples_add_letter(struct samples *samples, unsigned seq, const char *edge);
