#include "aggregator/live/live_streams.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ENCODINGS = 2 };

_Static_assert(VIEWS_MAX <= 64, "a bit for each view");

/* Prefixes that stand for every view, by the encodings that they want. */
static const struct {
	const char *topic;
	bool wants[ENCODINGS];
} wholes[] = {
	{"", {[ENCODING_JSON] = true, [ENCODING_MSGPACK] = true}},
	{"j/", {[ENCODING_JSON] = true}},
	{"m/", {[ENCODING_MSGPACK] = true}},
};
enum { WHOLES = sizeof wholes / sizeof wholes[0] };

struct stream {
	bool is_subscribed[ENCODINGS]; /* to this view; `wholes` come on top */
	bool owes_hello[ENCODINGS];
	bool owes_reset;
	int64_t said_ms; /* the last message of any type */
	int64_t told_ms; /* the last one that took a number */
	struct changed_keys *keys; /* NULL: nobody listens */
};

struct live_streams {
	struct live_streams_options options;
	char name[LIVE_STREAM_NAME_SIZE];
	bool has_whole[WHOLES];
	struct stream items[VIEWS_MAX];
	uint64_t n[VIEWS_MAX];
	struct live_place place;
	uint64_t conflated;
};

int live_streams_new(const struct live_streams_options *options, struct live_streams **ret_streams)
{
	struct live_streams *streams = calloc(1, sizeof *streams);
	if (streams == NULL) {
		return -ENOMEM;
	}
	streams->options = *options;
	snprintf(streams->name, sizeof streams->name, "%016" PRIx64, options->name);
	streams->place = (struct live_place){.stream = streams->name, .n = streams->n};
	*ret_streams = streams;
	return 0;
}

struct live_streams *live_streams_free(struct live_streams *streams)
{
	for (size_t i = 0; streams != NULL && i < VIEWS_MAX; i++) {
		changed_keys_free(streams->items[i].keys);
	}
	free(streams);
	return NULL;
}

static bool is_wanted(
	const struct live_streams *streams, const struct stream *stream, enum encoding encoding)
{
	bool is_wanted = stream->is_subscribed[encoding];

	for (size_t i = 0; i < WHOLES; i++) {
		is_wanted = is_wanted || (streams->has_whole[i] && wholes[i].wants[encoding]);
	}
	return is_wanted;
}

/* Begins to note changes of a view that somebody listens to, and ends it where nobody does. */
static int follow(struct live_streams *streams, uint32_t id)
{
	struct stream *stream = &streams->items[id];
	int r = 0;

	bool is_followed = is_wanted(streams, stream, ENCODING_JSON) ||
			   is_wanted(streams, stream, ENCODING_MSGPACK);

	if (is_followed && stream->keys == NULL) {
		/* What changed until now was not noted: whoever was here before must see a gap. */
		streams->n[id]++;
		r = changed_keys_new(streams->options.hash_key, &stream->keys);
	} else if (!is_followed) {
		stream->keys = changed_keys_free(stream->keys);
	}
	uint64_t bit = UINT64_C(1) << id;
	streams->place.watched =
		stream->keys != NULL ? streams->place.watched | bit : streams->place.watched & ~bit;
	return r;
}

static int subscribe_view(
	struct live_streams *streams, uint32_t id, enum encoding encoding, bool is_on)
{
	streams->items[id].is_subscribed[encoding] = is_on;
	streams->items[id].owes_hello[encoding] = is_on;
	return follow(streams, id);
}

static int subscribe_whole(struct live_streams *streams, size_t which, bool is_on)
{
	int r = 0;

	streams->has_whole[which] = is_on;
	for (uint32_t id = 0; id < view_set_count(streams->options.views) && r == 0; id++) {
		struct stream *stream = &streams->items[id];
		for (size_t encoding = 0; is_on && encoding < ENCODINGS; encoding++) {
			stream->owes_hello[encoding] |= wholes[which].wants[encoding];
		}
		r = follow(streams, id);
	}
	return r;
}

int live_streams_subscribe(struct live_streams *streams, struct slice bytes, bool is_on,
	enum live_subject *ret_subject)
{
	struct live_topic topic;

	*ret_subject = LIVE_SUBJECT_VIEWS;
	for (size_t i = 0; i < WHOLES; i++) {
		if (slice_equals_text(bytes, wholes[i].topic)) {
			return subscribe_whole(streams, i, is_on);
		}
	}
	if (!live_topic_read(bytes, &topic)) {
		*ret_subject = LIVE_SUBJECT_STRANGE;
		return 0;
	}
	const struct view *view = view_set_find(streams->options.views, topic.view);
	if (view == NULL) {
		*ret_subject = LIVE_SUBJECT_UNKNOWN;
		return 0;
	}
	return subscribe_view(streams, view_id(view), topic.encoding, is_on);
}

void live_streams_note(
	struct live_streams *streams, uint32_t view_id, const struct changed_key *key)
{
	struct stream *stream = &streams->items[view_id];

	if (stream->keys != NULL && !changed_keys_add(stream->keys, key)) {
		streams->conflated++;
	}
}

/* The subscribers of a view that is no more. */
static void end_stream(const struct stream *stream, const struct view *view,
	void (*ended)(void *owner, const struct live_topic *topic), void *owner)
{
	for (int encoding = 0; encoding < ENCODINGS; encoding++) {
		if (stream->is_subscribed[encoding]) {
			const struct live_topic topic = {
				(enum encoding)encoding, slice_of_text(view_name(view))};
			ended(owner, &topic);
		}
	}
}

void live_streams_switch(struct live_streams *streams, const struct view_set *views,
	void (*ended)(void *owner, const struct live_topic *topic), void *owner)
{
	struct stream old[VIEWS_MAX];
	uint64_t old_n[VIEWS_MAX];
	const struct view_set *old_views = streams->options.views;

	memcpy(old, streams->items, sizeof old);
	memcpy(old_n, streams->n, sizeof old_n);
	memset(streams->items, 0, sizeof streams->items);
	memset(streams->n, 0, sizeof streams->n);
	streams->options.views = views;
	streams->place.watched = 0;
	for (size_t i = 0; i < view_set_count(old_views); i++) {
		const struct view *before = view_set_at(old_views, i);
		const struct view *now = view_set_find(views, slice_of_text(view_name(before)));
		changed_keys_free(old[i].keys);
		old[i].keys = NULL;
		if (now == NULL) {
			end_stream(&old[i], before, ended, owner);
		} else {
			streams->items[view_id(now)] = old[i];
			streams->n[view_id(now)] = old_n[i];
		}
	}
	for (uint32_t id = 0; id < view_set_count(views); id++) {
		(void)follow(
			streams, id); /* without memory it is silent, and its subscribers notice */
		streams->items[id].owes_reset = streams->items[id].keys != NULL;
	}
}

void live_streams_reset_view(struct live_streams *streams, uint32_t view_id)
{
	streams->items[view_id].owes_reset = streams->items[view_id].keys != NULL;
}

void live_streams_reset(struct live_streams *streams)
{
	for (uint32_t id = 0; id < VIEWS_MAX; id++) {
		live_streams_reset_view(streams, id);
	}
}

static bool owes_hello(const struct stream *stream)
{
	return stream->owes_hello[ENCODING_JSON] || stream->owes_hello[ENCODING_MSGPACK];
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

enum live_task live_streams_task(const struct live_streams *streams, uint32_t view_id,
	bool has_changes, int64_t now_ms, int64_t *ret_wait_ms)
{
	const struct stream *stream = &streams->items[view_id];
	int64_t interval_ms = 1000 / streams->options.rate;
	int64_t idle_in_ms = stream->said_ms + LIVE_IDLE_MS - now_ms;
	int64_t told_in_ms = stream->told_ms + interval_ms - now_ms;
	bool is_over = stream->owes_reset || changed_keys_are_over(stream->keys);
	bool has_rows = is_over || has_changes || changed_keys_count(stream->keys) > 0;

	*ret_wait_ms = sooner(idle_in_ms, has_rows ? told_in_ms : INT64_MAX);
	if (owes_hello(stream)) {
		return LIVE_TASK_HELLO;
	}
	if (has_rows && told_in_ms <= 0) {
		return is_over ? LIVE_TASK_RESET : LIVE_TASK_ROWS;
	}
	return idle_in_ms <= 0 ? LIVE_TASK_IDLE : LIVE_TASK_NONE;
}

uint64_t live_streams_number(
	const struct live_streams *streams, uint32_t view_id, enum live_task task)
{
	bool is_next = task == LIVE_TASK_ROWS || task == LIVE_TASK_RESET;

	return streams->n[view_id] + is_next;
}

bool live_streams_wants(const struct live_streams *streams, uint32_t view_id, enum live_task task,
	enum encoding encoding)
{
	const struct stream *stream = &streams->items[view_id];

	return is_wanted(streams, stream, encoding) &&
	       (task != LIVE_TASK_HELLO || stream->owes_hello[encoding]);
}

void live_streams_said(struct live_streams *streams, uint32_t view_id, enum live_task task,
	size_t count, int64_t now_ms)
{
	struct stream *stream = &streams->items[view_id];

	streams->n[view_id] = live_streams_number(streams, view_id, task);
	stream->said_ms = now_ms;
	switch (task) {
	case LIVE_TASK_HELLO:
		stream->owes_hello[ENCODING_JSON] = stream->owes_hello[ENCODING_MSGPACK] = false;
		break;
	case LIVE_TASK_RESET:
		stream->owes_reset = false;
		changed_keys_clear(stream->keys);
		stream->told_ms = now_ms;
		break;
	case LIVE_TASK_ROWS:
		changed_keys_drop(stream->keys, count);
		stream->told_ms = now_ms;
		break;
	default:
		break;
	}
}

const struct changed_keys *live_streams_keys(const struct live_streams *streams, uint32_t view_id)
{
	return streams->items[view_id].keys;
}

const struct live_place *live_streams_place(const struct live_streams *streams)
{
	return &streams->place;
}

uint64_t live_streams_conflated(const struct live_streams *streams)
{
	return streams->conflated;
}
