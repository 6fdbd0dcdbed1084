/* intake_bench.h - an intake without a spool: what it remembers is what a test says. */
#pragma once
#include "edge/intake.h"
#include "edge/spool_error.h"
#include "fixture.h"

/* What the spool remembers, for the tests: one producer and one event id. */
struct memory {
	char producer[PRODUCER_ID_SIZE_MAX + 1];
	struct producer_row row;
	int producer_result; /* instead of looking */
	const char *event_id;
	bool ids_are_full;
};

struct bench {
	struct memory memory;
	struct spool_index index;
	struct intake *intake;
	struct draft draft;
	struct buffer reply;
	struct intake_counts counts;
	struct document document;
	struct reply_error errors[REPLY_ERRORS_MAX];
	struct reply decoded;
	struct submission_result result; /* of the last one */
};

static inline int find_producer(void *owner, struct slice producer, struct producer_row *ret_row)
{
	struct memory *memory = owner;
	if (memory->producer_result != 0) {
		return memory->producer_result;
	}
	if (!slice_equals_text(producer, memory->producer)) {
		return SPOOL_E_UNKNOWN;
	}
	*ret_row = memory->row;
	return 0;
}

static inline int find_event_id(void *owner, struct slice event_id, struct slice *ret_value)
{
	struct memory *memory = owner;
	*ret_value = slice_of(NULL, 0);
	bool known = memory->event_id != NULL && slice_equals_text(event_id, memory->event_id);
	return known ? 0 : memory->ids_are_full ? SPOOL_E_FULL : SPOOL_E_UNKNOWN;
}

static inline int make_bench(void **state)
{
	static const uint32_t shares[KIND_COUNT] = {100, 10, 10, 10, 10, 10};
	static const uint8_t seed[16] = {7};
	struct bench *bench = calloc(1, sizeof *bench);

	spool_index_init(&bench->index, 1 << 20, shares);
	buffer_init(&bench->reply, 1 << 20);
	struct intake_options options = {
		.edge = "berlin-1",
		.default_currency = "EUR",
		.durable = true,
		.memory = {&bench->memory, find_producer, find_event_id},
		.index = &bench->index,
	};
	assert_int_equal(draft_init(&bench->draft, 4711, seed), 0);
	assert_int_equal(document_init(&bench->document, EVENT_NODES_MAX), 0);
	assert_int_equal(intake_new(&options, &bench->intake), 0);
	*state = bench;
	return 0;
}

static inline int drop_bench(void **state)
{
	struct bench *bench = *state;
	intake_free(bench->intake);
	draft_deinit(&bench->draft);
	document_deinit(&bench->document);
	buffer_deinit(&bench->reply);
	free(bench);
	return 0;
}

/* received = accepted + invalid + refused + repeated, after every frame of every test. */
static inline void check_books(const struct intake_counts *counts)
{
	uint64_t sum = counts->repeated;
	for (int i = 0; i < KIND_EVENT_COUNT; i++) {
		sum += counts->accepted[i];
	}
	for (int i = 0; i < REASON_COUNT; i++) {
		sum += counts->invalid[i] + counts->refused[i];
	}
	assert_int_equal(counts->received, sum);
}

static inline const struct reply *decode(struct bench *bench)
{
	struct complaint complaint;
	assert_int_equal(reply_decode(&bench->document, buffer_slice(&bench->reply), bench->errors,
				 &bench->decoded, &complaint),
		0);
	return &bench->decoded;
}

static inline int take_from(
	struct bench *bench, const char *source, const struct submission *submission)
{
	const struct intake_frame frame = {.submission = submission,
		.source = source,
		.received_ms = 1700000000000,
		.memory_ms = 1600000000000};
	const struct intake_sink sink = {&bench->draft, &bench->reply, &bench->counts};

	buffer_clear(&bench->reply);
	int r = intake_take(bench->intake, &frame, &sink, &bench->result);
	check_books(&bench->counts);
	return r;
}

static inline const struct reply *take(struct bench *bench, const char *header, struct slice events)
{
	struct submission submission = {.header = slice_of_text(header),
		.events = events,
		.reply = encoding_of(events) == ENCODING_JSON ? SUBMISSION_REPLY_JSON
							      : SUBMISSION_REPLY_MSGPACK};
	assert_int_equal(take_from(bench, "zmq", &submission), 0);
	return decode(bench);
}

static inline const struct reply *take_text(
	struct bench *bench, const char *header, const char *events)
{
	return take(bench, header, slice_of_text(events));
}

static inline struct slice first_event(const struct bench *bench, enum kind lane)
{
	const struct draft_lane *from = &bench->draft.lanes[lane];
	assert_true(from->block_count > 0);
	return draft_block_events(from, &from->blocks[0]);
}

static inline void expect_refused(
	struct bench *bench, const struct reply *reply, enum reason reason)
{
	assert_false(reply->ok);
	assert_int_equal(reply->accepted, 0);
	assert_int_equal(reply->refusal.reason, reason);
	assert_true(strlen(reply->refusal.message) > 0);
	assert_true(draft_is_empty(&bench->draft));
	assert_int_equal(bench->draft.lanes[KIND_ORDER].next_seq, 1);
	assert_true(bench->counts.refused[reason] > 0);
}
