#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "samples.h"
#include <cmocka.h>

enum { BATCH_MAX = 1 << 20 };

void samples_init(struct samples *samples)
{
	*samples = (struct samples){0};
	assert_int_equal(document_init(&samples->document, EVENT_NODES_MAX), 0);
	buffer_init(&samples->batch, BATCH_MAX);
	/* So that slices of it stay where they are. */
	assert_non_null(buffer_extend(&samples->batch, BATCH_MAX / 4));
	buffer_clear(&samples->batch);
}

void samples_deinit(struct samples *samples)
{
	document_deinit(&samples->document);
	buffer_deinit(&samples->batch);
}

void samples_clear(struct samples *samples)
{
	buffer_clear(&samples->batch);
	samples->count = 0;
}

static struct slice added_since(struct samples *samples, size_t size)
{
	assert_int_equal(samples->batch.error, 0);
	assert_true(samples->batch.size < BATCH_MAX / 4);
	samples->count++;
	return slice_of(samples->batch.bytes + size, samples->batch.size - size);
}

struct slice samples_add(struct samples *samples, const char *json)
{
	struct event event;
	struct complaint complaint = {0};
	size_t size = samples->batch.size;
	if (event_decode(&samples->document, ENCODING_JSON, slice_of_text(json), &event,
		    &complaint) != 0) {
		fail_msg("%s: %s", json, complaint.message);
	}
	event_encode(&event, ENCODING_MSGPACK, &samples->batch);
	return added_since(samples, size);
}

struct slice samples_add_order(struct samples *samples, unsigned seq)
{
	char json[512];
	snprintf(json, sizeof json,
		"{\"kind\":\"order\",\"edge\":\"uk\",\"run\":7,\"seq\":%u,\"ts\":1291191960000,"
		"\"order_id\":\"536365\",\"product_id\":\"85123A\",\"quantity\":6,"
		"\"unit_price\":2.55,\"currency\":\"GBP\"}",
		seq);
	return samples_add(samples, json);
}

struct slice samples_add_bytes(struct samples *samples, const void *bytes, size_t size)
{
	size_t before = samples->batch.size;
	buffer_append(&samples->batch, bytes, size);
	return added_since(samples, before);
}

void samples_spoil(struct slice event, const char *from, const char *to)
{
	size_t size = strlen(from);
	uint8_t *place = memmem(event.bytes, event.size, from, size);
	assert_non_null(place);
	assert_int_equal(size, strlen(to));
	memcpy(place, to, size);
}

struct slice samples_add_letter(struct samples *samples, unsigned seq, const char *edge)
{
	const struct dead_letter letter = {
		.certificate = {slice_of_text(edge), 7, KIND_ORDER_DLQ, seq},
		.received_ms = 1291191960000,
		.source = slice_of_text("zmq"),
		.refused_by = slice_of_text("edge"),
		.reason = REASON_BAD_VALUE,
		.field = slice_of_text("unit_price"),
		.message = slice_of_text("not a decimal number"),
		.bytes = slice_of_text("{\"price\":\"2,55\"}"),
	};
	size_t size = samples->batch.size;
	dead_letter_encode(&letter, &samples->batch);
	return added_since(samples, size);
}
