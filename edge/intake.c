#include "edge/intake.h"
#include "edge/spool_error.h"
#include "proto/dead_letter.h"
#include "proto/framing.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	RETRY_AFTER_MS =
		1000, /* the quota frees as fast as the bridge acknowledges: asking faster is in vain */
	REPLY_SIZE_MAX = 64 * 1024, /* 100 errors of 400 bytes, and the rest */
};

struct intake {
	struct intake_options options;
	struct document document; /* of one event */
	struct document stored; /* of a reply that is given again */
	struct reply_error errors[REPLY_ERRORS_MAX];
	struct buffer row; /* a producer's */
	struct buffer reply; /* as the row keeps it */
};

/* The frame at hand. */
struct taking {
	struct intake *intake;
	const struct intake_frame *frame;
	struct draft *draft;
	struct framing framing;
	struct reply reply;
	struct intake_counts counts; /* of this frame alone */
	struct producer_header header; /* producer.size 0: not numbered */
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
	free(intake);
	return NULL;
}

/* ---- one event */

static struct certificate stamp(const struct taking *taking, enum kind kind, uint64_t seq)
{
	return (struct certificate){
		.edge = slice_of_text(taking->intake->options.edge),
		.run = taking->draft->run,
		.kind = kind,
		.seq = seq,
	};
}

static void note_seq(struct taking *taking, enum kind kind, uint64_t seq)
{
	if (taking->reply.seq[kind].first == 0) {
		taking->reply.seq[kind].first = seq;
	}
	taking->reply.seq[kind].last = seq;
}

static int append_event(struct taking *taking, struct event *event)
{
	uint64_t seq;
	struct buffer *buffer = draft_begin(taking->draft, event->kind, &seq);

	event->certificate = stamp(taking, event->kind, seq);
	event_encode(event, ENCODING_MSGPACK, buffer);
	int r = draft_end(taking->draft, event->kind, taking->frame->received_ms);
	if (r < 0) {
		return r;
	}
	note_seq(taking, event->kind, seq);
	taking->reply.accepted++;
	taking->counts.accepted[event->kind]++;
	return 0;
}

static int append_dead_letter(struct taking *taking, enum kind kind, struct slice bytes,
	const struct complaint *complaint)
{
	enum kind lane = kind_dead_letter_of(kind);
	uint64_t seq;
	struct buffer *buffer = draft_begin(taking->draft, lane, &seq);

	struct dead_letter letter = {
		.certificate = stamp(taking, lane, seq),
		.received_ms = taking->frame->received_ms,
		.source = slice_of_text(taking->frame->source),
		.refused_by = slice_of_text("edge"),
		.reason = complaint->reason,
		.field = slice_of_text(complaint->field),
		.message = slice_of_text(complaint->message),
		.bytes = bytes,
	};
	dead_letter_encode(&letter, buffer);
	int r = draft_end(taking->draft, lane, taking->frame->received_ms);
	if (r < 0) {
		return r;
	}
	note_seq(taking, lane, seq);
	if (taking->reply.error_count < REPLY_ERRORS_MAX) {
		uint32_t index = taking->framing.index > 0 ? taking->framing.index - 1 : 0;
		taking->intake->errors[taking->reply.error_count++] =
			(struct reply_error){index, *complaint};
	}
	taking->reply.invalid++;
	taking->counts.invalid[complaint->reason]++;
	return 0;
}

/* *ret_known: it was counted before, or earlier in this group. 0, SPOOL_E_FULL or -errno. */
static int remember_event_id(struct taking *taking, struct slice event_id, bool *ret_known)
{
	const struct intake_memory *memory = &taking->intake->options.memory;

	*ret_known = true;
	if (idmap_find(&taking->draft->event_ids, event_id) != NULL) {
		return 0;
	}
	int r = memory->event_id(memory->owner, event_id);
	if (r != SPOOL_E_UNKNOWN) {
		return r;
	}
	*ret_known = false;
	return idmap_add(&taking->draft->event_ids, event_id, slice_of(NULL, 0));
}

static int take_event(struct taking *taking, struct slice bytes)
{
	struct intake *intake = taking->intake;
	struct event_rules rules = {
		.default_currency = intake->options.default_currency,
		.zone = intake->options.zone,
		.received_ms = taking->frame->received_ms,
	};
	struct event event;
	struct complaint complaint;
	enum kind kind = KIND_ORDER;
	bool known = false;

	int r = event_normalise(&intake->document, taking->framing.encoding, bytes, &rules, &event,
		&kind, &complaint);
	if (r < 0) {
		return r;
	}
	if (r > 0) {
		return append_dead_letter(taking, kind, bytes, &complaint);
	}
	if (event_has(&event, FIELD_EVENT_ID)) {
		r = remember_event_id(taking, event.text[FIELD_EVENT_ID], &known);
	}
	if (r != 0) {
		return r;
	}
	if (known) {
		taking->reply.repeated_events++;
		taking->counts.repeated++;
		return 0;
	}
	return append_event(taking, &event);
}

static int take_events(struct taking *taking)
{
	struct slice value;
	int r = 0;

	while (r == 0 && framing_next(&taking->framing, &value)) {
		r = take_event(taking, value);
	}
	return r;
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
	default:
		return "the frame was refused";
	}
}

static void set_refusal(struct reply *reply, const struct complaint *complaint)
{
	bool passes =
		complaint->reason == REASON_SPOOL_FULL || complaint->reason == REASON_SHUTTING_DOWN;

	*reply = (struct reply){.refusal = *complaint};
	reply->retry_after_ms = passes ? RETRY_AFTER_MS : 0;
}

void intake_encode_refusal(enum reason reason, enum encoding encoding, struct buffer *buffer)
{
	struct complaint complaint;
	struct reply reply;

	complaint_set(&complaint, reason, "", "%s", refusal_words(reason));
	set_refusal(&reply, &complaint);
	reply_encode(&reply, encoding, buffer);
}

/* Events of a frame that nobody looks into further; one that can't be cut counts as one. */
static uint32_t count_events(struct slice events)
{
	struct framing framing;
	struct complaint complaint;

	if (events.size > FRAME_SIZE_MAX || framing_open(&framing, events, &complaint) != 0) {
		return 1;
	}
	return framing.count;
}

void intake_refuse(const struct intake_frame *frame, enum reason reason, struct buffer *reply,
	struct intake_counts *counts)
{
	uint32_t events = count_events(frame->events);

	intake_encode_refusal(reason, encoding_of(frame->events), reply);
	counts->frames++;
	counts->received += events;
	counts->refused[reason] += events;
}

/* The whole frame is refused: nothing of it stays. */
static void refuse(struct taking *taking, const struct draft_mark *mark,
	const struct complaint *complaint, uint32_t events)
{
	draft_rewind(taking->draft, mark);
	taking->counts = (struct intake_counts){0};
	taking->counts.refused[complaint->reason] = events;
	set_refusal(&taking->reply, complaint);
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
	refuse(taking, mark, &complaint, count_events(taking->frame->events));
}

/* ---- numbered frames */

/* From the draft, where this group's newest row is, else from the spool. */
static int find_producer(struct taking *taking, struct producer_row *ret_row)
{
	const struct intake_memory *memory = &taking->intake->options.memory;
	struct slice name = taking->header.producer;

	const struct idmap_entry *entry = idmap_find(&taking->draft->producers, name);
	if (entry != NULL) {
		struct slice bytes = idmap_value(&taking->draft->producers, entry);
		return producer_row_decode(name, bytes, ret_row) ? 0 : SPOOL_E_CORRUPT;
	}
	return memory->producer(memory->owner, name, ret_row);
}

static void set_origin(struct taking *taking)
{
	const struct intake_options *options = &taking->intake->options;

	taking->reply.durable = options->durable;
	taking->reply.edge = slice_of_text(options->edge);
	taking->reply.run = taking->draft->run;
}

/* The reply that was given, with "repeated"; the events' count stays out of it. */
static void repeat_reply(struct taking *taking, const struct producer_row *row)
{
	struct intake *intake = taking->intake;
	struct complaint complaint;

	int r = reply_decode(
		&intake->stored, row->reply, intake->errors, &taking->reply, &complaint);
	if (r != 0) { /* written by a later version: what counts is that it was counted */
		set_origin(taking);
		taking->reply.ok = true;
	}
	taking->reply.repeated = true;
	taking->reply.last_n = row->n;
}

/* Its own reply is no longer kept. */
static void answer_past(struct taking *taking, const struct producer_row *row)
{
	set_origin(taking);
	taking->reply.ok = true;
	taking->reply.repeated = true;
	taking->reply.last_n = row->n;
}

/* *ret_new: the frame is to be counted. Else the reply stands, or the frame was refused. */
static int judge_number(struct taking *taking, const struct draft_mark *mark, bool *ret_new)
{
	struct producer_row row = {0};
	struct complaint complaint;

	*ret_new = false;
	int r = find_producer(taking, &row);
	if (r < 0) {
		return r;
	}
	if (r == SPOOL_E_CORRUPT || r == SPOOL_E_FULL) {
		complaint_set(&complaint, r == SPOOL_E_FULL ? REASON_SPOOL_FULL : REASON_INTERNAL,
			"", "%s",
			r == SPOOL_E_FULL ? "this edge can't remember more producers"
					  : "what this edge remembers of this producer is damaged: "
					    "go on under another producer name");
		refuse(taking, mark, &complaint, count_events(taking->frame->events));
		return 0;
	}
	switch (producer_judge(r == 0 ? &row : NULL, taking->header.n)) {
	case PRODUCER_NEW:
		*ret_new = true;
		return 0;
	case PRODUCER_REPEATED:
		repeat_reply(taking, &row);
		break;
	case PRODUCER_PAST:
		answer_past(taking, &row);
		break;
	}
	taking->counts.repeated = count_events(taking->frame->events);
	return 0;
}

/* The reply goes into the transaction of the events, so that a repeat hears the very same. */
static int remember_reply(struct taking *taking)
{
	struct intake *intake = taking->intake;

	buffer_clear(&intake->reply);
	buffer_clear(&intake->row);
	reply_encode(&taking->reply, ENCODING_MSGPACK, &intake->reply);
	struct producer_row row = {
		.n = taking->header.n,
		.used_ms = taking->frame->received_ms,
		.reply = buffer_slice(&intake->reply),
	};
	producer_row_encode(taking->header.producer, &row, &intake->row);
	if (intake->reply.error != 0 || intake->row.error != 0) {
		return -ENOMEM;
	}
	return idmap_add(
		&taking->draft->producers, taking->header.producer, buffer_slice(&intake->row));
}

/* ---- the frame */

static void finish_reply(struct taking *taking)
{
	set_origin(taking);
	taking->reply.ok = taking->reply.invalid == 0;
	taking->reply.last_n = taking->header.n;
	taking->reply.errors = taking->intake->errors;
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
	return taking->header.producer.size > 0 ? remember_reply(taking) : 0;
}

static int take_new(struct taking *taking, const struct draft_mark *mark)
{
	struct complaint complaint;

	int r = take_events(taking);
	if (r == SPOOL_E_FULL) {
		complaint_set(&complaint, REASON_SPOOL_FULL, "event_id",
			"this edge can't remember more replayed dead letters");
		refuse(taking, mark, &complaint, count_events(taking->frame->events));
		return 0;
	}
	return r < 0 ? r : keep_if_room(taking, mark);
}

static int take_unreadable(
	struct taking *taking, const struct draft_mark *mark, const struct complaint *complaint)
{
	taking->header = (struct producer_header){0};
	int r = append_dead_letter(taking, KIND_ORDER, taking->frame->events, complaint);
	return r < 0 ? r : keep_if_room(taking, mark);
}

/* 0, -errno, or a reason why the frame can't be read at all. */
static int open_frame(struct taking *taking, struct complaint *complaint)
{
	const struct intake_frame *frame = taking->frame;

	if (frame->events.size > FRAME_SIZE_MAX) {
		complaint_set(complaint, REASON_TOO_LARGE, "",
			"a frame of %zu bytes: at most %d are taken", frame->events.size,
			FRAME_SIZE_MAX);
		return REASON_TOO_LARGE;
	}
	if (frame->header.size > 0) {
		int r = producer_header_decode(
			&taking->intake->document, frame->header, &taking->header, complaint);
		if (r != 0) {
			return r;
		}
	}
	return framing_open(&taking->framing, frame->events, complaint);
}

static int take_frame(struct taking *taking)
{
	struct draft_mark mark;
	struct complaint complaint;
	bool is_new = true;

	draft_mark(taking->draft, &mark);
	int r = open_frame(taking, &complaint);
	if (r > 0 && taking->frame->unattended) {
		return take_unreadable(taking, &mark, &complaint);
	}
	if (r > 0) {
		refuse(taking, &mark, &complaint, count_events(taking->frame->events));
		return 0;
	}
	if (r == 0 && taking->header.producer.size > 0) {
		r = judge_number(taking, &mark, &is_new);
	}
	return r < 0 || !is_new ? r : take_new(taking, &mark);
}

static uint64_t sum(const uint64_t *values, int count)
{
	uint64_t total = 0;
	for (int i = 0; i < count; i++) {
		total += values[i];
	}
	return total;
}

int intake_take(struct intake *intake, const struct intake_frame *frame, struct draft *draft,
	struct buffer *reply, struct intake_counts *counts)
{
	struct taking taking = {.intake = intake, .frame = frame, .draft = draft};

	taking.framing.encoding = encoding_of(frame->events);
	int r = take_frame(&taking);
	if (r < 0) {
		return r;
	}
	if (frame->unattended && taking.reply.refusal.reason == REASON_SPOOL_FULL) {
		return INTAKE_E_FULL;
	}
	reply_encode(&taking.reply, taking.framing.encoding, reply);
	taking.counts.frames = 1;
	taking.counts.received = sum(taking.counts.accepted, KIND_EVENT_COUNT) +
				 sum(taking.counts.invalid, REASON_COUNT) +
				 sum(taking.counts.refused, REASON_COUNT) + taking.counts.repeated;
	intake_counts_add(counts, &taking.counts);
	return reply->error;
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
