#include "edge/intake_internal.h"
#include "edge/intake_privacy.h"
#include "edge/rights.h"
#include "edge/spool_error.h"
#include "proto/dead_letter.h"
#include "proto/utf8.h"

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
	char pseudonym[PSEUDONYM_TEXT_SIZE];

	int r = intake_hide_user(taking, event, pseudonym);
	if (r < 0) {
		return r;
	}
	struct buffer *buffer = draft_begin(taking->draft, event->kind, &seq);
	event->certificate = stamp(taking, event->kind, seq);
	event_encode(event, ENCODING_MSGPACK, buffer);
	r = draft_end(taking->draft, event->kind, taking->frame->received_ms);
	if (r < 0) {
		return r;
	}
	note_seq(taking, event->kind, seq);
	taking->reply.accepted++;
	taking->counts.accepted[event->kind]++;
	return 0;
}

/* The source's label, and where in it the event came from. Names of files and topics may be any bytes; a letter whose text
 * is none could not be read again. */
static struct slice name_source(
	const struct taking *taking, char words[DEAD_LETTER_SOURCE_SIZE_MAX])
{
	struct slice detail = taking->submission->detail;
	size_t size = strlen(taking->frame->source);

	memcpy(words, taking->frame->source, size);
	if (detail.size > 0) {
		words[size++] = ' ';
		size += utf8_repair(detail, words + size, DEAD_LETTER_SOURCE_SIZE_MAX - size);
	}
	return slice_of(words, size);
}

int intake_append_dead_letter(struct taking *taking, enum kind kind, struct slice bytes,
	const struct complaint *complaint)
{
	enum kind lane = kind_dead_letter_of(kind);
	char source[DEAD_LETTER_SOURCE_SIZE_MAX];
	uint64_t seq;
	struct buffer *buffer = draft_begin(taking->draft, lane, &seq);

	struct dead_letter letter = {
		.certificate = stamp(taking, lane, seq),
		.received_ms = taking->frame->received_ms,
		.source = name_source(taking, source),
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
		taking->intake->errors[taking->reply.error_count++] =
			(struct reply_error){taking->index, *complaint};
	}
	taking->reply.invalid++;
	taking->counts.invalid[complaint->reason]++;
	return 0;
}

/* 0: it was counted before, or earlier in this group. SPOOL_E_UNKNOWN, SPOOL_E_FULL or -errno. */
static int find_event_id(struct taking *taking, struct slice name)
{
	const struct intake_memory *memory = &taking->intake->options.memory;
	struct slice nothing;

	return idmap_find(&taking->draft->event_ids, name) != NULL
		       ? 0
		       : memory->event_id(memory->owner, name, &nothing);
}

/* 0, *ret_known: find_event_id found it; TAKING_E_FORBIDDEN, SPOOL_E_FULL or -errno. What a key sends that has producers uses up
 * nobody else's id: it is remembered as its producer's own. It repeats the edge's all the same: they are of those who are trusted
 * with its numbers, too, or from before it had producers. */
static int remember_event_id(struct taking *taking, struct slice event_id, bool *ret_known)
{
	struct slice name = event_id;

	int r = intake_judge_event_id(taking, event_id);
	if (r == 0) {
		r = find_event_id(taking, event_id);
	}
	if (r == SPOOL_E_UNKNOWN && rights_are_of_producers(taking->submission->sender)) {
		name = event_id_own(taking->header.producer, event_id, taking->intake->own_id);
		r = find_event_id(taking, name);
	}
	*ret_known = r == 0;
	return r != SPOOL_E_UNKNOWN ? r
				    : idmap_add(&taking->draft->event_ids, name, slice_of(NULL, 0));
}

/* `raw` is what a dead letter would hold. */
static int take_event(
	struct taking *taking, enum encoding encoding, struct slice bytes, struct slice raw)
{
	struct intake *intake = taking->intake;
	struct event_rules rules = {
		.default_currency = intake->options.default_currency,
		.zone = intake->options.zone,
		.received_ms = taking->frame->received_ms,
		.additions = taking->submission->additions,
		.addition_count = taking->submission->addition_count,
	};
	struct event event;
	struct complaint complaint;
	enum kind kind = KIND_ORDER;
	bool known = false;

	int r = event_normalise(
		&intake->document, encoding, bytes, &rules, &event, &kind, &complaint);
	if (r < 0) {
		return r;
	}
	if (intake_judge_kind(taking, kind, r > 0 ? &complaint : NULL) != 0) {
		return TAKING_E_FORBIDDEN;
	}
	if (r > 0) {
		r = intake_hide_user_in_letter(taking, encoding, bytes, raw, &raw);
		return r < 0 ? r : intake_append_dead_letter(taking, kind, raw, &complaint);
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

static int take_item(struct taking *taking, const struct submission_item *item)
{
	if (item->event.size == 0) {
		return intake_append_dead_letter(taking, KIND_ORDER, item->raw, item->complaint);
	}
	return take_event(taking, encoding_of(item->event), item->event, item->raw);
}

static int take_items(struct taking *taking)
{
	const struct submission *submission = taking->submission;
	int r = 0;

	for (size_t i = 0; r == 0 && i < submission->item_count; i++) {
		taking->index = (uint32_t)i;
		r = take_item(taking, &submission->items[i]);
	}
	return r;
}

int intake_take_events(struct taking *taking)
{
	struct slice value;
	int r = 0;

	if (taking->submission->items != NULL) {
		return take_items(taking);
	}
	while (r == 0 && framing_next(&taking->framing, &value)) {
		taking->index = taking->framing.index - 1;
		r = take_event(taking, taking->framing.encoding, value, value);
	}
	return r;
}
