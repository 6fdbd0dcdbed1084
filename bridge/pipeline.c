#include "bridge/pipeline.h"
#include "bridge/credit.h"
#include "bridge/verdict.h"
#include "proto/checksum.h"
#include "runtime/metrics.h"
#include <errno.h>
#include <stdio.h>

enum {
	/* The largest record: an event as JSON, where six bytes may stand for one. */
	RECORD_SIZE_MAX = 8 * EVENT_SIZE_MAX,
	MARKER_SIZE_MAX = 1024, /* a certificate and a code, in JSON with escapes */
	STOPPING_RETRY_MS = 1000, /* by then, or soon after, the session is over */
	REBUILD_RETRY_MS = 500, /* about what a new producer takes until it is ready */
};

int pipeline_init(struct pipeline *pipeline, const struct pipeline_parts *parts)
{
	*pipeline = (struct pipeline){.parts = *parts};
	buffer_init(&pipeline->json, RECORD_SIZE_MAX);
	buffer_init(&pipeline->marker, MARKER_SIZE_MAX);
	pipeline->content_type = (struct letter_header){
		.name = "content-type",
		.value = slice_of_text(parts->encoding == ENCODING_JSON ? "application/json"
									: "application/msgpack"),
	};
	int r = decompressor_new(&pipeline->decompressor);
	return r == 0 ? checker_init(&pipeline->checker) : r;
}

void pipeline_deinit(struct pipeline *pipeline)
{
	checker_deinit(&pipeline->checker);
	pipeline->decompressor = decompressor_free(pipeline->decompressor);
	buffer_deinit(&pipeline->json);
	buffer_deinit(&pipeline->marker);
}

static void note_end(struct pipeline *pipeline, const struct sending_end *end)
{
	struct bridge_metrics *metrics = pipeline->parts.metrics;
	if (end->outbox == NULL) {
		return;
	}
	sessions_mark(pipeline->parts.sessions, session_of_outbox(end->outbox));
	if (end->nack != 0) {
		metric_add(metrics->batches_nacked[end->nack], 1);
		return;
	}
	metric_add(metrics->batches_acked, 1);
	double here_s = (double)(pipeline->now_us - end->received_us) / 1e6;
	metric_observe(metrics->delivery_seconds, here_s);
	if (end->has_age) {
		metric_observe_many(
			metrics->ack_seconds, here_s + (double)end->age_ms / 1e3, end->event_count);
	} else {
		metric_add(metrics->batches_ageless, 1);
	}
}

static uint32_t retry_after(const struct pipeline *pipeline, enum kind lane)
{
	return lane_retry_after_ms(&pipeline->parts.lanes[lane], pipeline->now_ms);
}

/* The topic does not take records: its lane closes, the others go on. */
static void refuse_topic(struct pipeline *pipeline, enum kind lane, const char *error)
{
	char why[LANE_WHY_SIZE];
	snprintf(why, sizeof why, "Kafka refuses topic %.100s: %s",
		pipeline->parts.topics->names[lane], error);
	lane_refuse(&pipeline->parts.lanes[lane], why, pipeline->now_ms);
	pipeline->is_topic_lost = true;
}

static void lose_producer(struct pipeline *pipeline, const char *error)
{
	snprintf(pipeline->why, sizeof pipeline->why, "%s", error);
	pipeline->is_producer_lost = true;
	pipeline->is_topic_lost = true; /* is it still the same cluster? */
}

/* What a failure means for the whole sending, once the record itself is beyond help. */
static void fail_sending(
	struct pipeline *pipeline, struct sending *sending, enum kind lane, const char *error)
{
	switch (verdict_of(error)) {
	case VERDICT_TOPIC_REFUSED:
		refuse_topic(pipeline, lane, error);
		tracker_fail(sending, NACK_TOPIC_REFUSED, retry_after(pipeline, lane));
		break;
	case VERDICT_REBUILD:
		lose_producer(pipeline, error);
		tracker_fail(sending, NACK_PRODUCER_REBUILT, REBUILD_RETRY_MS);
		break;
	case VERDICT_RECORD_REFUSED: /* a marker or a dead letter: there is nowhere to put it */
		refuse_topic(pipeline, lane, error);
		tracker_fail(sending, NACK_DELIVERY_FAILED, retry_after(pipeline, lane));
		break;
	default:
		tracker_fail(sending, NACK_DELIVERY_FAILED, retry_after(pipeline, lane));
		break;
	}
}

static void set_edge(struct pipeline *pipeline, struct slice edge)
{
	pipeline->edge = edge;
	pipeline->partition = checksum_partition(edge, pipeline->parts.topics->partitions);
}

/* Where a record of this sending goes, and what comes back with its report. */
static struct sink_record address(
	const struct pipeline *pipeline, const struct sending *sending, enum kind lane)
{
	return (struct sink_record){
		.lane = lane,
		.partition = pipeline->partition,
		.key = pipeline->edge,
		.ticket = sending_ticket(sending),
	};
}

/* Hands a record to librdkafka. When that fails the sending fails, but for SINK_E_REFUSED with nack still 0: then
 * sink_error says what librdkafka has against it. */
static int offer(
	struct pipeline *pipeline, struct sending *sending, const struct sink_record *record)
{
	if (!pipeline->parts.lanes[record->lane].is_open) {
		tracker_fail(sending, NACK_TOPIC_REFUSED, retry_after(pipeline, record->lane));
		return SINK_E_REFUSED;
	}
	int r = sink_put(pipeline->parts.sink, record);
	switch (r) {
	case 0:
		tracker_expect(pipeline->parts.tracker, sending);
		metric_add(pipeline->parts.metrics->records_produced[record->lane], 1);
		break;
	case SINK_E_FULL:
		tracker_fail(sending, NACK_BUSY, retry_after(pipeline, record->lane));
		break;
	case SINK_E_DOWN:
		tracker_fail(sending, NACK_PRODUCER_REBUILT, REBUILD_RETRY_MS);
		break;
	default:
		bridge_metrics_count_failure(
			pipeline->parts.metrics, record->lane, sink_error(pipeline->parts.sink));
		break;
	}
	return r;
}

/* For what is ours to write: it must go, or the whole sending fails. */
static void must_offer(
	struct pipeline *pipeline, struct sending *sending, const struct sink_record *record)
{
	if (offer(pipeline, sending, record) == SINK_E_REFUSED && sending->nack == 0) {
		fail_sending(pipeline, sending, record->lane, sink_error(pipeline->parts.sink));
	}
}

static void put_letter(struct pipeline *pipeline, struct sending *sending)
{
	const struct dead_letter *letter = &pipeline->checker.letter;
	enum kind lane = kind_dead_letter_of(sending->lane);
	letter_headers_fill(
		&pipeline->headers, letter, pipeline->parts.topics->names[lane - KIND_EVENT_COUNT]);
	struct sink_record record = address(pipeline, sending, lane);
	record.value = letter->bytes;
	record.headers = pipeline->headers.items;
	record.header_count = pipeline->headers.count;
	must_offer(pipeline, sending, &record);
}

static void put_marker(struct pipeline *pipeline, struct sending *sending)
{
	const struct dead_letter *letter = &pipeline->checker.letter;
	buffer_clear(&pipeline->marker);
	event_encode_marker(
		&letter->certificate, letter->reason, pipeline->parts.encoding, &pipeline->marker);
	if (pipeline->marker.error != 0) { /* half of one would be a record that nobody can read */
		tracker_fail(sending, NACK_BUSY, retry_after(pipeline, sending->lane));
		return;
	}
	struct sink_record record = address(pipeline, sending, sending->lane);
	record.value = buffer_slice(&pipeline->marker);
	must_offer(pipeline, sending, &record);
}

/* The letter, and where the event could be named, a marker in its place. */
static void put_refused(struct pipeline *pipeline, struct sending *sending)
{
	metric_add(pipeline->parts.metrics->events_rejected[pipeline->checker.letter.reason], 1);
	put_letter(pipeline, sending);
	if (pipeline->checker.has_certificate && !kind_is_dead_letter(sending->lane)) {
		put_marker(pipeline, sending);
	}
}

static void condemn(
	struct pipeline *pipeline, struct sending *sending, struct slice value, const char *error)
{
	if (kind_is_dead_letter(sending->lane) ||
		checker_condemn(&pipeline->checker, pipeline->parts.encoding, value, error,
			pipeline->wall_ms) != 0) {
		fail_sending(pipeline, sending, sending->lane, error);
		return;
	}
	put_refused(pipeline, sending);
}

/* msgpack passes byte for byte. */
static int record_value(struct pipeline *pipeline, struct slice *ret_value)
{
	if (pipeline->parts.encoding == ENCODING_MSGPACK) {
		*ret_value = pipeline->checker.bytes;
		return 0;
	}
	buffer_clear(&pipeline->json);
	event_encode(&pipeline->checker.event, ENCODING_JSON, &pipeline->json);
	*ret_value = buffer_slice(&pipeline->json);
	return pipeline->json.error;
}

/* One record of a batch tells for all when they were received: a header each would halve the producer's speed. */
static void add_headers(
	struct pipeline *pipeline, struct letter_header headers[2], struct sink_record *record)
{
	record->headers = headers;
	if (pipeline->parts.has_content_type) {
		headers[record->header_count++] = pipeline->content_type;
	}
	if (pipeline->receipt_size > 0) {
		headers[record->header_count++] = (struct letter_header){
			.name = RECEIPT_HEADER,
			.value = slice_of(pipeline->receipt, pipeline->receipt_size),
		};
	}
}

static void put_event(struct pipeline *pipeline, struct sending *sending)
{
	struct sink_record record = address(pipeline, sending, sending->lane);
	if (record_value(pipeline, &record.value) < 0) {
		tracker_fail(sending, NACK_BUSY, retry_after(pipeline, sending->lane));
		return;
	}
	struct letter_header headers[2];
	add_headers(pipeline, headers, &record);
	int r = offer(pipeline, sending, &record);
	pipeline->receipt_size = r == 0 ? 0 : pipeline->receipt_size;
	if (r != SINK_E_REFUSED || sending->nack != 0) {
		return;
	}
	const char *error = sink_error(pipeline->parts.sink);
	if (verdict_of(error) == VERDICT_RECORD_REFUSED) {
		condemn(pipeline, sending, record.value, error);
	} else {
		fail_sending(pipeline, sending, sending->lane, error);
	}
}

/* 0 or PIPELINE_E_COUNT. */
static int put_events(struct pipeline *pipeline, struct sending *sending)
{
	int r;
	while (sending->nack == 0 && (r = checker_next(&pipeline->checker)) != CHECK_END) {
		if (r < 0) {
			tracker_fail(sending, NACK_BUSY, retry_after(pipeline, sending->lane));
		} else if (r == CHECK_REFUSED) {
			put_refused(pipeline, sending);
		} else if (kind_is_dead_letter(sending->lane)) {
			put_letter(pipeline, sending);
		} else {
			put_event(pipeline, sending);
		}
	}
	if (sending->nack != 0 || checker_count_fits(&pipeline->checker)) {
		return 0;
	}
	tracker_fail(sending, NACK_DELIVERY_FAILED, 0);
	return PIPELINE_E_COUNT;
}

/* false: the sending ended as NACK. */
static bool admits(
	struct pipeline *pipeline, const struct session *session, struct sending *sending)
{
	const struct tracker *tracker = pipeline->parts.tracker;
	enum kind lane = sending->lane;
	/* The sending itself is in the books already. */
	const struct credit_use use = {
		.lane_bytes = tracker->lane_bytes[lane] - sending->bytes,
		.session_bytes = session->outbox.lane_bytes[lane] - sending->bytes,
		.batch_count = tracker->batch_count - 1,
		.session_count = sessions_count(pipeline->parts.sessions),
	};
	if (pipeline->is_stopping) {
		tracker_fail(sending, NACK_BUSY, STOPPING_RETRY_MS);
	} else if (!pipeline->parts.lanes[lane].is_open) {
		tracker_fail(sending, NACK_TOPIC_REFUSED, retry_after(pipeline, lane));
	} else if (!credit_admits(&use, lane, sending->bytes)) {
		tracker_fail(sending, NACK_BUSY, credit_busy_ms(&use, lane, session->id));
	}
	return sending->nack == 0;
}

static void begin_check(struct pipeline *pipeline, const struct session *session,
	const struct pipeline_batch *batch, struct slice events)
{
	const struct checker_batch subject = {
		.edge = session_edge(session),
		.lane = batch->lane,
		.count = batch->count,
		.events = events,
		.now_ms = pipeline->wall_ms,
	};
	checker_begin(&pipeline->checker, &subject);
}

static size_t event_bytes(const struct pipeline_batch *batch)
{
	return batch->plain_size > 0 ? batch->plain_size : batch->events.size;
}

static void count_batch(struct pipeline *pipeline, const struct pipeline_batch *batch)
{
	struct bridge_metrics *metrics = pipeline->parts.metrics;
	metric_add(metrics->events_received[batch->lane], batch->count);
	metric_add(metrics->event_bytes, (double)event_bytes(batch));
	metric_add(metrics->wire_bytes, (double)batch->events.size);
	metric_add(metrics->batches_compressed, batch->plain_size > 0 ? 1 : 0);
}

/* 0, PIPELINE_E_COUNT or PIPELINE_E_COMPRESSION. Only a batch within the credit is worth decompressing. */
static int put_batch(struct pipeline *pipeline, const struct session *session,
	struct sending *sending, const struct pipeline_batch *batch)
{
	struct slice events = batch->events;
	if (batch->plain_size > 0 &&
		decompressor_unpack(pipeline->decompressor, batch->events, batch->plain_size,
			&events, &pipeline->complaint) != 0) {
		tracker_fail(sending, NACK_DELIVERY_FAILED, 0);
		return PIPELINE_E_COMPRESSION;
	}
	count_batch(pipeline, batch);
	begin_check(pipeline, session, batch, events);
	return put_events(pipeline, sending);
}

/* By our clock, for ours is set as that of whoever reads Kafka. */
static void begin_receipt(struct pipeline *pipeline, const struct pipeline_batch *batch)
{
	struct receipt receipt = {pipeline->wall_ms - batch->age_ms, batch->count};

	pipeline->receipt_size = 0;
	if (batch->has_age && receipt.received_ms >= 0) {
		pipeline->receipt_size = (size_t)receipt_write(&receipt, pipeline->receipt);
	}
}

int pipeline_take(
	struct pipeline *pipeline, struct session *session, const struct pipeline_batch *batch)
{
	const struct sending_start start = {
		.number = batch->number,
		.lane = batch->lane,
		.bytes = event_bytes(batch),
		.received_us = pipeline->now_us,
		.has_age = batch->has_age,
		.age_ms = batch->age_ms,
		.event_count = batch->count,
	};
	struct sending_end end;
	struct sending *sending = NULL;

	set_edge(pipeline, session_edge(session));
	begin_receipt(pipeline, batch);
	int r = tracker_open(pipeline->parts.tracker, &session->outbox, &start, &sending);
	if (r < 0) {
		return r;
	}
	if (admits(pipeline, session, sending)) {
		r = put_batch(pipeline, session, sending, batch);
	}
	if (tracker_release(pipeline->parts.tracker, sending, &end)) {
		note_end(pipeline, &end);
	}
	return r;
}

static bool repeats(struct pipeline *pipeline, const struct sink_report *report)
{
	if (sink_repeat(pipeline->parts.sink, report) != 0) {
		return false;
	}
	metric_add(pipeline->parts.metrics->records_retried, 1);
	return true;
}

/* What shared a Kafka batch with a bad record fails with it, so each is tried once more, alone. false: the record is
 * beyond that, and what follows for its sending is done. */
static bool lives_on(
	struct pipeline *pipeline, struct sending *sending, const struct sink_report *report)
{
	enum verdict verdict = verdict_of(report->error);
	bool may_pass = verdict == VERDICT_RETRY || verdict == VERDICT_RECORD_REFUSED;
	if (!may_pass) {
		fail_sending(pipeline, sending, report->lane, report->error);
	} else if (sending->nack != 0) {
		return false; /* the edge sends all of it again anyway */
	} else if (!report->was_alone) {
		if (repeats(pipeline, report)) {
			return true;
		}
		tracker_fail(sending, NACK_DELIVERY_FAILED, retry_after(pipeline, report->lane));
	} else if (verdict == VERDICT_RECORD_REFUSED && report->lane == sending->lane) {
		set_edge(pipeline, report->key);
		condemn(pipeline, sending, report->value, report->error);
	} else {
		fail_sending(pipeline, sending, report->lane, report->error);
	}
	return false;
}

static void count_report(struct pipeline *pipeline, const struct sink_report *report)
{
	struct bridge_metrics *metrics = pipeline->parts.metrics;
	if (report->error != NULL) {
		bridge_metrics_count_failure(metrics, report->lane, report->error);
		return;
	}
	metric_add(metrics->records_delivered[report->lane], 1);
	lane_delivered(&pipeline->parts.lanes[report->lane], pipeline->now_ms);
}

void pipeline_reported(struct pipeline *pipeline, const struct sink_report *report)
{
	struct sending_end end;
	struct tracker *tracker = pipeline->parts.tracker;
	struct sending *sending = tracker_find(tracker, report->ticket);

	count_report(pipeline, report);
	if (sending == NULL) {
		tracker_drop(tracker);
		return;
	}
	if (report->error != NULL && lives_on(pipeline, sending, report)) {
		return;
	}
	if (tracker_report(tracker, sending, &end)) {
		note_end(pipeline, &end);
	}
}

void pipeline_fail_all(struct pipeline *pipeline, uint32_t retry_after_ms)
{
	struct session *session;
	uint64_t count =
		tracker_fail_all(pipeline->parts.tracker, NACK_PRODUCER_REBUILT, retry_after_ms);
	metric_add(pipeline->parts.metrics->batches_nacked[NACK_PRODUCER_REBUILT], (double)count);
	for (session = sessions_first(pipeline->parts.sessions); session != NULL;
		session = sessions_next(session)) {
		if (outbox_has_news(&session->outbox)) {
			sessions_mark(pipeline->parts.sessions, session);
		}
	}
}
