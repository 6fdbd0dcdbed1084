#include "edge/intake_internal.h"
#include "edge/spool_error.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	RETRY_AFTER_MS =
		1000, /* the quota frees as fast as the bridge acknowledges: asking faster is in vain */
	REPLY_SIZE_MAX = 64 * 1024, /* 100 errors of 400 bytes, and the rest */
};

int intake_new(const struct intake_options *options, struct intake **ret_intake)
{
	struct intake *intake = calloc(1, sizeof *intake);
	if (intake == NULL) {
		return -ENOMEM;
	}
	intake->options = *options;
	buffer_init(&intake->row, REPLY_SIZE_MAX + 64);
	buffer_init(&intake->reply, REPLY_SIZE_MAX);
	buffer_init(&intake->letter, 2 * FRAME_SIZE_MAX);
	int r = document_init(&intake->document, EVENT_NODES_MAX);
	if (r == 0) {
		r = document_init(&intake->stored, EVENT_NODES_MAX);
	}
	if (r < 0) {
		intake_free(intake);
		return r;
	}
	*ret_intake = intake;
	return 0;
}

struct intake *intake_free(struct intake *intake)
{
	if (intake == NULL) {
		return NULL;
	}
	document_deinit(&intake->document);
	document_deinit(&intake->stored);
	buffer_deinit(&intake->row);
	buffer_deinit(&intake->reply);
	buffer_deinit(&intake->letter);
	free(intake);
	return NULL;
}

/* ---- refusals */

static const char *refusal_words(enum reason reason)
{
	switch (reason) {
	case REASON_SPOOL_FULL:
		return "the spool is full: send it again later";
	case REASON_BAD_FRAME:
		return "a message is one events frame, or a header and an events frame";
	case REASON_SHUTTING_DOWN:
		return "this edge is shutting down: send it again later";
	case REASON_BUSY:
		return "this producer sends more than it may in a second: send it again later";
	default:
		return "the frame was refused";
	}
}

static void set_refusal(struct reply *reply, const struct complaint *complaint)
{
	bool passes = complaint->reason == REASON_SPOOL_FULL ||
		      complaint->reason == REASON_SHUTTING_DOWN || complaint->reason == REASON_BUSY;

	*reply = (struct reply){.refusal = *complaint};
	reply->retry_after_ms = passes ? RETRY_AFTER_MS : 0;
}

static void encode_reply(
	const struct reply *reply, enum submission_reply encoding, struct buffer *buffer)
{
	if (encoding != SUBMISSION_SILENT) {
		reply_encode(reply,
			encoding == SUBMISSION_REPLY_JSON ? ENCODING_JSON : ENCODING_MSGPACK,
			buffer);
	}
}

void intake_encode_refusal(
	enum reason reason, enum submission_reply encoding, struct buffer *buffer)
{
	struct complaint complaint;
	struct reply reply;

	complaint_set(&complaint, reason, "", "%s", refusal_words(reason));
	set_refusal(&reply, &complaint);
	encode_reply(&reply, encoding, buffer);
}

bool intake_has_events(const struct submission *submission)
{
	return submission->events.size > 0 || submission->items != NULL ||
	       submission->mark_count == 0;
}

uint32_t intake_count_events(const struct submission *submission)
{
	struct framing framing;
	struct complaint complaint;

	if (submission->items != NULL || !intake_has_events(submission)) {
		return (uint32_t)submission->item_count;
	}
	if (submission->events.size > FRAME_SIZE_MAX ||
		framing_open(&framing, submission->events, &complaint) != 0) {
		return 1;
	}
	return framing.count;
}

void intake_refuse(const struct intake_frame *frame, enum reason reason, struct buffer *reply,
	struct intake_counts *counts)
{
	uint32_t events = intake_count_events(frame->submission);

	intake_encode_refusal(reason, frame->submission->reply, reply);
	counts->frames++;
	counts->received += events;
	counts->refused[reason] += events;
}

void intake_refuse_whole(
	struct taking *taking, const struct draft_mark *mark, const struct complaint *complaint)
{
	draft_rewind(taking->draft, mark);
	taking->counts = (struct intake_counts){0};
	taking->counts.refused[complaint->reason] = intake_count_events(taking->submission);
	set_refusal(&taking->reply, complaint);
}

void intake_refuse_as(struct taking *taking, const struct draft_mark *mark, enum reason reason,
	const char *field, const char *words)
{
	struct complaint complaint;

	complaint_set(&complaint, reason, field, "%s", words);
	intake_refuse_whole(taking, mark, &complaint);
}

static void refuse_for_room(
	struct taking *taking, const struct draft_mark *mark, enum spool_room room, enum kind lane)
{
	struct complaint complaint;

	switch (room) {
	case SPOOL_ROOM_LANE:
		complaint_set(&complaint, REASON_SPOOL_FULL, "",
			"the spool's share of %s is used up: send it again later", kind_name(lane));
		break;
	case SPOOL_ROOM_DISK:
		complaint_set(&complaint, REASON_SPOOL_FULL, "",
			"the disk under the spool is nearly full: send it again later");
		break;
	default:
		complaint_set(
			&complaint, REASON_SPOOL_FULL, "", "%s", refusal_words(REASON_SPOOL_FULL));
		break;
	}
	intake_refuse_whole(taking, mark, &complaint);
}

/* ---- the frame */

void intake_set_origin(struct taking *taking)
{
	const struct intake_options *options = &taking->intake->options;

	taking->reply.durable = options->durable;
	taking->reply.edge = slice_of_text(options->edge);
	taking->reply.run = taking->draft->run;
}

static void finish_reply(struct taking *taking)
{
	intake_set_origin(taking);
	taking->reply.ok = taking->reply.invalid == 0;
	taking->reply.last_n = taking->header.n;
	taking->reply.errors = taking->intake->errors;
}

static int add_marks(struct taking *taking)
{
	const struct submission *submission = taking->submission;
	const struct source_mark *marks = submission->marks;
	size_t count = submission->mark_count;
	size_t size = strlen(taking->frame->source) + 1;
	uint8_t key[SOURCE_LABEL_SIZE + SOURCE_MARK_KEY_SIZE_MAX];
	int r = 0;

	assert(size <= SOURCE_LABEL_SIZE);
	memcpy(key, taking->frame->source, size);
	if (submission->judge != NULL) {
		count = submission->judge(submission->owner, &taking->reply, &marks);
	}
	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct source_mark *mark = &marks[i];
		assert(mark->key.size > 0 && mark->key.size <= SOURCE_MARK_KEY_SIZE_MAX);
		memcpy(key + size, mark->key.bytes, mark->key.size);
		r = draft_add_mark(
			taking->draft, slice_of(key, size + mark->key.size), mark->value);
	}
	return r;
}

/* A frame that appended nothing needs no room. */
static int keep_if_room(struct taking *taking, const struct draft_mark *mark)
{
	enum kind lane = KIND_ORDER;

	enum spool_room room =
		spool_index_room(taking->intake->options.index, taking->draft, &lane);
	if (room != SPOOL_ROOM_OK && taking->reply.accepted + taking->reply.invalid > 0) {
		refuse_for_room(taking, mark, room, lane);
		return 0;
	}
	finish_reply(taking);
	int r = intake_remember_reply(taking);
	return r == 0 ? add_marks(taking) : r;
}

static int take_new(struct taking *taking, const struct draft_mark *mark)
{
	int r = intake_take_events(taking);
	if (r == SPOOL_E_FULL) {
		intake_refuse_as(taking, mark, REASON_SPOOL_FULL, "event_id",
			"this edge can't remember more replayed dead letters");
		return 0;
	}
	return r != 0 ? r : keep_if_room(taking, mark);
}

static int take_unreadable(
	struct taking *taking, const struct draft_mark *mark, const struct complaint *complaint)
{
	taking->header = (struct producer_header){0};
	int r = intake_judge_producer(taking);
	if (r == 0) {
		r = intake_judge_kind(taking, KIND_ORDER, complaint);
	}
	if (r == 0) {
		r = intake_append_dead_letter(
			taking, KIND_ORDER, taking->submission->events, complaint);
	}
	return r != 0 ? r : keep_if_room(taking, mark);
}

/* 0, -errno, or a reason why the frame can't be read at all. */
static int open_frame(struct taking *taking, struct complaint *complaint)
{
	const struct submission *submission = taking->submission;

	if (submission->items != NULL || !intake_has_events(submission)) {
		assert(submission->item_count <= FRAME_EVENTS_MAX);
		return 0;
	}
	if (submission->events.size > FRAME_SIZE_MAX) {
		complaint_set(complaint, REASON_TOO_LARGE, "",
			"a frame of %zu bytes: at most %d are taken", submission->events.size,
			FRAME_SIZE_MAX);
		return REASON_TOO_LARGE;
	}
	if (submission->header.size > 0) {
		int r = producer_header_decode(
			&taking->intake->document, submission->header, &taking->header, complaint);
		if (r != 0) {
			return r;
		}
	}
	return framing_open(&taking->framing, submission->events, complaint);
}

/* Whose number it is comes first: what another sent under it is not to be heard, and not to be used up. */
static int take_if_new(struct taking *taking, const struct draft_mark *mark)
{
	bool is_new = false;

	int r = intake_judge_producer(taking);
	if (r == 0) {
		r = intake_judge_repeat(taking, mark, &is_new);
	}
	return r != 0 || !is_new ? r : take_new(taking, mark);
}

/* 0, TAKING_E_FORBIDDEN or -errno. */
static int take_if_allowed(struct taking *taking, const struct draft_mark *mark)
{
	struct complaint complaint;

	int r = intake_judge_sending(taking);
	if (r != 0) {
		return r;
	}
	r = open_frame(taking, &complaint);
	if (r <= 0) {
		return r < 0 ? r : take_if_new(taking, mark);
	}
	if (taking->submission->unattended) {
		return take_unreadable(taking, mark, &complaint);
	}
	intake_refuse_whole(taking, mark, &complaint);
	return 0;
}

static int take_frame(struct taking *taking)
{
	struct draft_mark mark;

	draft_mark(taking->draft, &mark);
	int r = take_if_allowed(taking, &mark);
	if (r == TAKING_E_FORBIDDEN) {
		intake_refuse_whole(taking, &mark, &taking->forbidden);
		r = 0;
	}
	return r;
}

static uint64_t sum(const uint64_t *values, int count)
{
	uint64_t total = 0;
	for (int i = 0; i < count; i++) {
		total += values[i];
	}
	return total;
}

static struct submission_result result_of(const struct taking *taking)
{
	const struct reply *reply = &taking->reply;
	enum reason refusal = reply->refusal.reason;

	return (struct submission_result){
		.outcome = refusal == REASON_NONE ? SUBMISSION_TAKEN : SUBMISSION_REFUSED,
		.refusal = refusal,
		.missing_right = taking->missing_right,
		.repeated = reply->repeated,
		.accepted = reply->accepted,
		.invalid = reply->invalid,
		.repeated_events = reply->repeated_events,
	};
}

int intake_take(struct intake *intake, const struct intake_frame *frame,
	const struct intake_sink *sink, struct submission_result *ret_result)
{
	struct taking taking = {.intake = intake,
		.submission = frame->submission,
		.frame = frame,
		.draft = sink->draft};

	int r = take_frame(&taking);
	if (r < 0) {
		return r;
	}
	if (frame->submission->unattended && taking.reply.refusal.reason == REASON_SPOOL_FULL) {
		return INTAKE_E_FULL;
	}
	encode_reply(&taking.reply, frame->submission->reply, sink->reply);
	taking.counts.frames = intake_has_events(frame->submission) ? 1 : 0;
	taking.counts.received = sum(taking.counts.accepted, KIND_EVENT_COUNT) +
				 sum(taking.counts.invalid, REASON_COUNT) +
				 sum(taking.counts.refused, REASON_COUNT) + taking.counts.repeated;
	intake_counts_add(sink->counts, &taking.counts);
	*ret_result = result_of(&taking);
	return sink->reply->error;
}

void intake_counts_add(struct intake_counts *to, const struct intake_counts *from)
{
	to->frames += from->frames;
	to->received += from->received;
	to->repeated += from->repeated;
	for (int i = 0; i < KIND_EVENT_COUNT; i++) {
		to->accepted[i] += from->accepted[i];
	}
	for (int i = 0; i < REASON_COUNT; i++) {
		to->invalid[i] += from->invalid[i];
		to->refused[i] += from->refused[i];
	}
}

void intake_counts_refuse(struct intake_counts *counts, enum reason reason)
{
	uint64_t moved = counts->repeated;

	moved += sum(counts->accepted, KIND_EVENT_COUNT) + sum(counts->invalid, REASON_COUNT);
	memset(counts->accepted, 0, sizeof counts->accepted);
	memset(counts->invalid, 0, sizeof counts->invalid);
	counts->repeated = 0;
	counts->refused[reason] += moved;
}
