#include "aggregator/log/mailbag.h"
#include "proto/query.h"
#include "proto/writer.h"
#include <errno.h>
#include <stdlib.h>

static const char *const state_names[MAIL_STATE_COUNT] = {
	[MAIL_WANTED] = "unread",
	[MAIL_READ] = "unsent",
	[MAIL_GONE] = "gone",
	[MAIL_UNUSABLE] = "unusable",
	[MAIL_ACCEPTED] = "accepted",
	[MAIL_REPEATED] = "repeated",
	[MAIL_REFUSED] = "refused",
	[MAIL_UNSENT] = "unsent",
	[MAIL_UNKNOWN] = "unknown",
};

const char *mail_state_name(enum mail_state state)
{
	return state_names[state];
}

/* Texts move while they are gathered: they are found by where they begin, in the end. */
static int copy_set(struct mailbag *mailbag, const struct query_replay *replay)
{
	struct buffer *texts = &mailbag->texts;

	for (uint32_t i = 0; i < replay->set_count; i++) {
		buffer_append(texts, replay->set[i].left.bytes, replay->set[i].left.size);
		buffer_append(texts, replay->set[i].right.bytes, replay->set[i].right.size);
	}
	if (texts->error != 0) {
		return texts->error;
	}
	const uint8_t *at = texts->bytes;
	for (uint32_t i = 0; i < replay->set_count; i++) {
		struct pair *pair = &mailbag->set.items[mailbag->set.count++];
		pair->left = slice_of(at, replay->set[i].left.size);
		at += pair->left.size;
		pair->right = slice_of(at, replay->set[i].right.size);
		at += pair->right.size;
	}
	return 0;
}

struct mailbag *mailbag_new(const struct query_replay *replay)
{
	struct mailbag *mailbag = calloc(1, sizeof *mailbag);

	if (mailbag == NULL) {
		return NULL;
	}
	buffer_init(&mailbag->texts, QUERY_SIZE_MAX);
	buffer_init(&mailbag->events, MAILBAG_SIZE_MAX);
	buffer_init(&mailbag->scratch, MAILBAG_EVENT_SIZE_MAX);
	mailbag->count = replay->place_count;
	for (uint32_t i = 0; i < replay->place_count; i++) {
		mailbag->letters[i].place = replay->places[i];
	}
	if (copy_set(mailbag, replay) != 0 ||
		document_init(&mailbag->document, EVENT_NODES_MAX) != 0) {
		return mailbag_free(mailbag);
	}
	return mailbag;
}

struct mailbag *mailbag_free(struct mailbag *mailbag)
{
	if (mailbag != NULL) {
		document_deinit(&mailbag->document);
		buffer_deinit(&mailbag->texts);
		buffer_deinit(&mailbag->events);
		buffer_deinit(&mailbag->scratch);
		free(mailbag);
	}
	return NULL;
}

static bool is_at(const struct letter_place *place, const char *topic, int32_t partition)
{
	return place->partition == partition && strcmp(place->topic, topic) == 0;
}

/* ---- what Kafka has */

static void find_unusable(struct mailbag_letter *letter, const char *words)
{
	letter->state = MAIL_UNUSABLE;
	complaint_set(&letter->complaint, REASON_BAD_FRAME, "", "%s", words);
}

static int read_letter(
	struct mailbag *mailbag, struct mailbag_letter *letter, const struct topic_record *record)
{
	struct dead_letter dead;

	if (letter_of_record(record, &dead, &letter->complaint) != 0) {
		find_unusable(letter, "this record is no dead letter of till's");
		return 0;
	}
	buffer_clear(&mailbag->scratch);
	int r = letter_replay(
		&dead, &letter->place, &mailbag->set, &mailbag->document, &mailbag->scratch);
	if (r == -ENOMEM) {
		return r;
	}
	if (r != 0) {
		find_unusable(letter, r == LETTER_E_NAME
					      ? "its place is too long for an event_id"
					      : "its bytes hold no event that can be sent");
		return 0;
	}
	letter->begin = mailbag->events.size;
	buffer_append(&mailbag->events, mailbag->scratch.bytes, mailbag->scratch.size);
	letter->end = mailbag->events.size;
	letter->state = MAIL_READ;
	letter->complaint.reason = REASON_NONE;
	return mailbag->events.error;
}

int mailbag_take(struct mailbag *mailbag, const char *topic, const struct topic_record *record)
{
	for (uint32_t i = 0; i < mailbag->count; i++) {
		struct mailbag_letter *letter = &mailbag->letters[i];
		if (letter->state == MAIL_WANTED && letter->place.offset == record->offset &&
			is_at(&letter->place, topic, record->partition)) {
			return read_letter(mailbag, letter, record);
		}
	}
	return 0;
}

void mailbag_miss(
	struct mailbag *mailbag, const char *topic, int32_t partition, int64_t first, int64_t last)
{
	for (uint32_t i = 0; i < mailbag->count; i++) {
		struct mailbag_letter *letter = &mailbag->letters[i];
		int64_t at = letter->place.offset;
		if (letter->state == MAIL_WANTED && at >= first && at <= last &&
			is_at(&letter->place, topic, partition)) {
			letter->state = MAIL_GONE;
			complaint_set(&letter->complaint, REASON_BAD_KEY, "",
				"Kafka has no such letter (any more)");
		}
	}
}

int64_t mailbag_next(
	const struct mailbag *mailbag, const char *topic, int32_t partition, int64_t offset)
{
	int64_t next = -1;

	for (uint32_t i = 0; i < mailbag->count; i++) {
		const struct mailbag_letter *letter = &mailbag->letters[i];
		int64_t at = letter->place.offset;
		if (letter->state == MAIL_WANTED && at >= offset && (next < 0 || at < next) &&
			is_at(&letter->place, topic, partition)) {
			next = at;
		}
	}
	return next;
}

/* ---- what became of them */

struct mailbag_letter *mailbag_first_read(struct mailbag *mailbag)
{
	for (uint32_t i = 0; i < mailbag->count; i++) {
		if (mailbag->letters[i].state == MAIL_READ) {
			return &mailbag->letters[i];
		}
	}
	return NULL;
}

struct slice mailbag_event(const struct mailbag *mailbag, const struct mailbag_letter *letter)
{
	return slice_of(mailbag->events.bytes + letter->begin, letter->end - letter->begin);
}

void mailbag_give_up(struct mailbag *mailbag, const struct complaint *why)
{
	for (uint32_t i = 0; i < mailbag->count; i++) {
		struct mailbag_letter *letter = &mailbag->letters[i];
		if (letter->state == MAIL_READ) {
			letter->state = MAIL_UNSENT;
			letter->complaint = *why;
		}
	}
}

uint32_t mailbag_count(const struct mailbag *mailbag, enum mail_state state)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < mailbag->count; i++) {
		count += mailbag->letters[i].state == state;
	}
	return count;
}

static void write_text_or_nil(struct writer *writer, const char *key, const char *text)
{
	write_key(writer, key);
	if (text == NULL) {
		write_nil(writer);
	} else {
		write_text(writer, slice_of_text(text));
	}
}

static void write_letter(struct writer *writer, const struct mailbag_letter *letter)
{
	bool has_words = letter->complaint.reason != REASON_NONE;
	char place[LETTER_PLACE_SIZE];

	write_map(writer, 4);
	write_text_or_nil(writer, "place", letter_place_format(&letter->place, place));
	write_text_or_nil(writer, "result", mail_state_name(letter->state));
	write_text_or_nil(writer, "code", has_words ? reason_code(letter->complaint.reason) : NULL);
	write_text_or_nil(writer, "message", has_words ? letter->complaint.message : NULL);
}

int mailbag_write(
	const struct mailbag *mailbag, const char *to, enum encoding encoding, struct buffer *reply)
{
	struct writer writer;

	if (mailbag->complaint.reason != REASON_NONE) {
		query_encode_error(&mailbag->complaint, encoding, reply);
		return reply->error;
	}
	writer_init(&writer, encoding, reply);
	write_map(&writer, 3);
	write_key(&writer, "ok");
	write_bool(&writer, true);
	write_key(&writer, "replayed");
	write_array(&writer, mailbag->count);
	for (uint32_t i = 0; i < mailbag->count; i++) {
		write_letter(&writer, &mailbag->letters[i]);
	}
	write_text_or_nil(&writer, "to", to);
	return reply->error;
}
