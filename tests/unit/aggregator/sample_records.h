/* sample_records.h - Kafka records as the bridge writes them, for tests. */
#pragma once
#include "aggregator/books/record.h"

#include <inttypes.h>
#include <stdio.h>

/* A record and the bytes that it borrows. */
struct sample_record {
	struct record record;
	char key[80];
	char value[1024];
	char numbers[3][32];
};

static inline void set_record(
	struct sample_record *sample, enum kind topic, int64_t offset, const char *edge)
{
	snprintf(sample->key, sizeof sample->key, "%s", edge);
	sample->record = (struct record){
		.topic = topic,
		.partition = 0,
		.offset = offset,
		.timestamp_ms = 1000000 + offset,
		.key = slice_of_text(sample->key),
		.value = slice_of_text(sample->value),
	};
}

/* An order of one piece for `cents`, as normal form in JSON. */
static inline void sample_order_record(
	struct sample_record *sample, int64_t offset, const char *edge, uint64_t seq, int cents)
{
	snprintf(sample->value, sizeof sample->value,
		"{\"kind\":\"order\",\"edge\":\"%s\",\"run\":4711,\"seq\":%" PRIu64
		",\"ts\":1291191960000,\"order_id\":\"o%" PRIu64 "\",\"product_id\":\"p%" PRIu64
		"\",\"quantity\":1,\"unit_price\":%d.%02d,\"currency\":\"GBP\",\"user_id\":\"u1\"}",
		edge, seq, seq / 2, seq % 3, cents / 100, cents % 100);
	set_record(sample, KIND_ORDER, offset, edge);
}

static inline void sample_marker_record(
	struct sample_record *sample, int64_t offset, const char *edge, uint64_t seq)
{
	snprintf(sample->value, sizeof sample->value,
		"{\"kind\":\"order\",\"edge\":\"%s\",\"run\":4711,\"seq\":%" PRIu64
		",\"rejected\":\"bad_value\"}",
		edge, seq);
	set_record(sample, KIND_ORDER, offset, edge);
}

/* A dead letter of an edge (kind "order.dlq") or of a bridge (kind "order"). */
static inline void sample_letter_record(struct sample_record *sample, int64_t offset,
	const char *edge, const char *kind, uint64_t seq)
{
	snprintf(sample->value, sizeof sample->value, "not an order");
	set_record(sample, KIND_ORDER_DLQ, offset, edge);
	snprintf(sample->numbers[0], sizeof sample->numbers[0], "%d", 4711);
	snprintf(sample->numbers[1], sizeof sample->numbers[1], "%" PRIu64, seq);
	snprintf(sample->numbers[2], sizeof sample->numbers[2], "%" PRId64, INT64_C(1291191960000));
	struct slice *headers = sample->record.headers;
	headers[DLQ_HEADER_EDGE] = slice_of_text(sample->key);
	headers[DLQ_HEADER_RUN] = slice_of_text(sample->numbers[0]);
	headers[DLQ_HEADER_KIND] = slice_of_text(kind);
	headers[DLQ_HEADER_SEQ] = slice_of_text(sample->numbers[1]);
	headers[DLQ_HEADER_RECEIVED_MS] = slice_of_text(sample->numbers[2]);
	headers[DLQ_HEADER_SOURCE] = slice_of_text("zmq");
	headers[DLQ_HEADER_REFUSED_BY] =
		slice_of_text(strchr(kind, '.') == NULL ? "bridge" : "edge");
	headers[DLQ_HEADER_TOPIC] = slice_of_text("orders");
	headers[DLQ_HEADER_CODE] = slice_of_text("bad_value");
	headers[DLQ_HEADER_MESSAGE] = slice_of_text("it is no order");
}
