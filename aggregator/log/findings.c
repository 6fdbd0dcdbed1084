#include "aggregator/log/findings.h"
#include "proto/record_view.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct findings *findings_new(const struct query_look *look)
{
	struct findings *findings = calloc(1, sizeof *findings);

	if (findings == NULL) {
		return NULL;
	}
	findings->look = *look;
	findings->low = findings->high = findings->next = -1;
	buffer_init(&findings->items, FINDINGS_SIZE_MAX + FINDINGS_ITEM_SIZE_MAX);
	findings->list = calloc(FINDINGS_LETTERS_MAX, sizeof *findings->list);
	if (findings->list == NULL || document_init(&findings->document, EVENT_NODES_MAX) != 0) {
		return findings_free(findings);
	}
	return findings;
}

struct findings *findings_free(struct findings *findings)
{
	if (findings != NULL) {
		document_deinit(&findings->document);
		buffer_deinit(&findings->items);
		free(findings->list);
		free(findings);
	}
	return NULL;
}

bool findings_are_full(const struct findings *findings)
{
	return findings->look.type == LOOK_LETTERS
		       ? findings->scanned >= FINDINGS_LETTERS_MAX
		       : findings->count >= findings->look.limit ||
				 findings->items.size >= FINDINGS_SIZE_MAX;
}

static void begin_item(struct findings *findings, struct writer *writer)
{
	findings->list[findings->count].begin = findings->items.size;
	writer_init(writer, findings->look.encoding, &findings->items);
}

static int end_item(struct findings *findings, const struct topic_record *record, int r)
{
	struct findings_item *item = &findings->list[findings->count];

	if (r < 0 || findings->items.error == -ENOMEM) {
		return -ENOMEM;
	}
	if (findings->items.error != 0) { /* left out, as those after it are */
		buffer_truncate(&findings->items, item->begin);
		findings->is_cut = true;
		return 0;
	}
	item->appended_ms = record->timestamp_ms;
	item->end = findings->items.size;
	findings->count++;
	return 0;
}

static void write_place(struct writer *writer, const struct topic_record *record)
{
	write_key(writer, "partition");
	write_integer(writer, record->partition);
	write_key(writer, "offset");
	write_integer(writer, record->offset);
	write_key(writer, "appended_ms");
	if (record->timestamp_ms >= 0) {
		write_integer(writer, record->timestamp_ms);
	} else {
		write_nil(writer);
	}
}

int findings_take_record(struct findings *findings, const struct topic_record *record)
{
	struct writer writer;

	begin_item(findings, &writer);
	write_map(&writer, 3 + RECORD_VIEW_PAIRS);
	write_place(&writer, record);
	int r = record_view_write(&findings->document, record, &writer);
	return end_item(findings, record, r);
}

/* ---- letters */

static void write_pair(struct writer *writer, const char *key, struct slice text)
{
	write_key(writer, key);
	write_text(writer, text);
}

static void write_certificate(struct writer *writer, const struct certificate *certificate)
{
	write_pair(writer, "edge", certificate->edge);
	write_key(writer, "run");
	write_unsigned(writer, certificate->run);
	write_pair(writer, "kind", slice_of_text(kind_name(certificate->kind)));
	write_key(writer, "seq");
	write_unsigned(writer, certificate->seq);
}

/* Can `till dlq replay` make an event of it again? */
static bool is_replayable(struct findings *findings, const struct dead_letter *letter,
	const struct letter_place *place, int *ret_r)
{
	static const struct pair_list none = {.count = 0};
	struct buffer scratch;

	buffer_init(&scratch, FINDINGS_ITEM_SIZE_MAX);
	*ret_r = letter_replay(letter, place, &none, &findings->document, &scratch);
	buffer_deinit(&scratch);
	return *ret_r == 0;
}

static int write_letter(struct findings *findings, const struct dead_letter *letter,
	const struct letter_place *place, struct writer *writer)
{
	char text[LETTER_PLACE_SIZE];
	int r = 0;
	bool can_replay = is_replayable(findings, letter, place, &r);

	if (r == -ENOMEM) {
		return r;
	}
	write_pair(writer, "place", slice_of_text(letter_place_format(place, text)));
	write_pair(writer, "topic", slice_of_text(place->topic));
	write_certificate(writer, &letter->certificate);
	write_key(writer, "received_ms");
	write_integer(writer, letter->received_ms);
	write_pair(writer, "source", letter->source);
	write_pair(writer, "refused_by", letter->refused_by);
	write_pair(writer, "code", slice_of_text(reason_code(letter->reason)));
	write_pair(writer, "message", letter->message);
	write_key(writer, "replayable");
	write_bool(writer, can_replay);
	write_key(writer, "size");
	write_unsigned(writer, letter->bytes.size);
	return record_value_write(&findings->document, letter->bytes, writer);
}

enum { LETTER_PAIRS = 13 };

static void count_code(struct findings *findings, const struct dead_letter *letter,
	const struct letter_place *place, int64_t appended_ms)
{
	struct findings_code *code = &findings->codes[letter->reason];

	code->count++;
	if (code->count == 1 || appended_ms > code->newest_ms ||
		(appended_ms == code->newest_ms && place->offset > code->newest.offset)) {
		code->newest_ms = appended_ms;
		code->newest = *place;
	}
}

/* The newest first; of the same moment the one that was written last. */
static int compare(const void *left, const void *right)
{
	const struct findings_item *a = left, *b = right;

	if (a->appended_ms != b->appended_ms) {
		return a->appended_ms < b->appended_ms ? 1 : -1;
	}
	return a->begin < b->begin ? 1 : -1;
}

void findings_sort_letters(struct findings *findings)
{
	qsort(findings->list, findings->count, sizeof *findings->list, compare);
	if (findings->count > findings->look.limit) {
		findings->count = findings->look.limit;
	}
}

/* Only the newest `count` stay, and what they are made of. 0 or -ENOMEM. */
static int keep_newest(struct findings *findings, size_t count)
{
	struct buffer kept;

	qsort(findings->list, findings->count, sizeof *findings->list, compare);
	findings->count = findings->count < count ? findings->count : count;
	buffer_init(&kept, findings->items.limit);
	for (size_t i = findings->count; i-- > 0;) { /* the oldest first, as they were written */
		struct findings_item *item = &findings->list[i];
		size_t begin = kept.size;
		buffer_append(&kept, findings->items.bytes + item->begin, item->end - item->begin);
		item->begin = begin;
		item->end = kept.size;
	}
	buffer_deinit(&findings->items);
	findings->items = kept;
	return kept.error;
}

/* Letters come in the order of partitions: what is older gives way to what is newer. */
static int make_room(struct findings *findings)
{
	size_t count = findings->look.limit;
	int r = 0;

	while (r == 0 && findings->items.size >= FINDINGS_SIZE_MAX) {
		r = keep_newest(findings, count);
		findings->is_cut |= count < findings->look.limit;
		count /= 2;
	}
	return r;
}

int findings_take_letter(
	struct findings *findings, const char *topic, const struct topic_record *record)
{
	const struct query_look *look = &findings->look;
	const struct letter_filter by_edge = {NULL, look->edge[0] != '\0' ? look->edge : NULL};
	struct letter_place place = {.partition = record->partition, .offset = record->offset};
	struct dead_letter letter;
	struct complaint complaint;
	struct writer writer;

	findings->scanned++;
	if (letter_of_record(record, &letter, &complaint) != 0) {
		findings->unreadable++;
		return 0;
	}
	if (!letter_is_meant(&by_edge, &letter)) {
		return 0;
	}
	snprintf(place.topic, sizeof place.topic, "%s", topic);
	count_code(findings, &letter, &place, record->timestamp_ms);
	if (look->code != REASON_NONE && letter.reason != look->code) {
		return 0;
	}
	int r = make_room(findings);
	if (r < 0) {
		return r;
	}
	begin_item(findings, &writer);
	write_map(&writer, 3 + LETTER_PAIRS + RECORD_VALUE_PAIRS);
	write_place(&writer, record);
	r = write_letter(findings, &letter, &place, &writer);
	return end_item(findings, record, r);
}
