#include "edge/intake_internal.h"
#include "edge/spool_error.h"
#include "proto/checksum.h"
#include <assert.h>
#include <errno.h>

enum {
	REQUEST_ERRORS_MAX = 3, /* kept of a request's reply: a million of them may be remembered */
};

static void count_repeat(struct taking *taking)
{
	taking->reply.repeated = true;
	taking->counts.repeated = intake_count_events(taking->submission);
}

/* The reply that was given, with "repeated"; the events' count stays out of it. */
static void repeat_reply(struct taking *taking, struct slice stored)
{
	struct intake *intake = taking->intake;
	struct complaint complaint;

	int r = reply_decode(&intake->stored, stored, intake->errors, &taking->reply, &complaint);
	if (r != 0) { /* written by a later version: what counts is that it was counted */
		intake_set_origin(taking);
		taking->reply.ok = true;
	}
	count_repeat(taking);
}

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

/* *ret_new: the frame is to be counted. Else the reply stands, or the frame was refused. */
static int judge_number(struct taking *taking, const struct draft_mark *mark, bool *ret_new)
{
	struct producer_row row = {0};

	*ret_new = false;
	int r = find_producer(taking, &row);
	if (r < 0) {
		return r;
	}
	if (r == SPOOL_E_CORRUPT || r == SPOOL_E_FULL) {
		bool full = r == SPOOL_E_FULL;
		intake_refuse_as(taking, mark, full ? REASON_SPOOL_FULL : REASON_INTERNAL, "",
			full ? "this edge can't remember more producers"
			     : "what this edge remembers of this producer is damaged: go on "
			       "under another producer name");
		return 0;
	}
	switch (producer_judge(r == 0 ? &row : NULL, taking->header.n)) {
	case PRODUCER_NEW:
		*ret_new = true;
		return 0;
	case PRODUCER_REPEATED:
		repeat_reply(taking, row.reply);
		break;
	case PRODUCER_PAST: /* its own reply is no longer kept */
		intake_set_origin(taking);
		taking->reply.ok = true;
		count_repeat(taking);
		break;
	}
	taking->reply.last_n = row.n;
	return 0;
}

/* Requests live among the event ids, under names that no event_id can have. */
static void name_request(struct taking *taking)
{
	struct slice key = taking->submission->request_key;
	size_t size = strlen(taking->frame->source);
	uint8_t *name = taking->intake->key;

	assert(key.size <= REQUEST_KEY_SIZE_MAX && size < SOURCE_LABEL_SIZE);
	name[0] = '\0';
	memcpy(name + 1, taking->frame->source, size + 1);
	memcpy(name + size + 2, key.bytes, key.size);
	taking->request_key = slice_of(name, size + 2 + key.size);
}

/* What tells a repeat from another request under the same key. */
static uint64_t request_hash(const struct submission *submission)
{
	uint8_t hash[16];
	uint64_t number;

	checksum_hash128(submission->events, hash);
	memcpy(&number, hash, sizeof number);
	return number;
}

static int find_request(struct taking *taking, struct producer_row *ret_row)
{
	const struct intake_memory *memory = &taking->intake->options.memory;
	struct slice value = {NULL, 0};
	int r = 0;

	const struct idmap_entry *entry =
		idmap_find(&taking->draft->event_ids, taking->request_key);
	if (entry != NULL) {
		value = idmap_value(&taking->draft->event_ids, entry);
	} else {
		r = memory->event_id(memory->owner, taking->request_key, &value);
	}
	if (r != 0) {
		return r;
	}
	return producer_row_decode(taking->request_key, value, ret_row) ? 0 : SPOOL_E_CORRUPT;
}

static int judge_request(struct taking *taking, const struct draft_mark *mark, bool *ret_new)
{
	struct producer_row row = {0};

	name_request(taking);
	int r = find_request(taking, &row);
	*ret_new = r == SPOOL_E_UNKNOWN;
	if (r < 0 || *ret_new) {
		return r < 0 ? r : 0;
	}
	if (r != 0) {
		intake_refuse_as(taking, mark, REASON_INTERNAL, "",
			"what this edge remembers of this Idempotency-Key is damaged");
	} else if (row.n != request_hash(taking->submission)) {
		intake_refuse_as(taking, mark, REASON_BAD_VALUE, "Idempotency-Key",
			"this Idempotency-Key came before, with other events");
	} else {
		repeat_reply(taking, row.reply);
	}
	return 0;
}

int intake_judge_repeat(struct taking *taking, const struct draft_mark *mark, bool *ret_new)
{
	if (taking->header.producer.size > 0) {
		return judge_number(taking, mark, ret_new);
	}
	if (taking->submission->request_key.size > 0) {
		return judge_request(taking, mark, ret_new);
	}
	*ret_new = true;
	return 0;
}

static int keep_reply(
	struct taking *taking, struct idmap *map, struct slice key, const struct reply *reply)
{
	struct intake *intake = taking->intake;
	bool numbered = map == &taking->draft->producers;

	buffer_clear(&intake->reply);
	buffer_clear(&intake->row);
	reply_encode(reply, ENCODING_MSGPACK, &intake->reply);
	struct producer_row row = {
		.n = numbered ? taking->header.n : request_hash(taking->submission),
		.used_ms = taking->frame->memory_ms,
		.reply = buffer_slice(&intake->reply),
	};
	producer_row_encode(key, &row, &intake->row);
	if (intake->reply.error != 0 || intake->row.error != 0) {
		return -ENOMEM;
	}
	return idmap_add(map, key, buffer_slice(&intake->row));
}

int intake_remember_reply(struct taking *taking)
{
	struct reply reply = taking->reply;

	if (taking->header.producer.size > 0) {
		return keep_reply(
			taking, &taking->draft->producers, taking->header.producer, &reply);
	}
	if (taking->request_key.size == 0) {
		return 0;
	}
	if (reply.error_count > REQUEST_ERRORS_MAX) {
		reply.error_count = REQUEST_ERRORS_MAX;
	}
	return keep_reply(taking, &taking->draft->event_ids, taking->request_key, &reply);
}
