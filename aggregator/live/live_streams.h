/* live_streams.h - who has subscribed to which view, what is to be told of it and when, and the numbers (PROTOCOL.md, 6.7).
 * Time comes in, decisions go out; it knows neither sockets nor rows. One thread. */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/overlay/changed_keys.h"
#include "proto/live.h"

struct live_streams;

enum { LIVE_STREAM_NAME_SIZE = 17, LIVE_IDLE_MS = 1000 };

struct live_streams_options {
	const struct view_set *views; /* borrowed until the next live_streams_switch */
	uint8_t hash_key[CHANGED_KEYS_HASH_KEY_SIZE];
	uint64_t name; /* random: this process's stream */
	int64_t rate; /* messages a second and view; > 0 */
};

int live_streams_new(const struct live_streams_options *options, struct live_streams **ret_streams);
struct live_streams *live_streams_free(struct live_streams *streams);

enum live_subject {
	LIVE_SUBJECT_VIEWS, /* one of our views, or all */
	LIVE_SUBJECT_UNKNOWN, /* a topic whose view there is not */
	LIVE_SUBJECT_STRANGE, /* no topic */
};
/* A subscription began, or the last one of this topic ended. 0, -ENOMEM. */
int live_streams_subscribe(struct live_streams *streams, struct slice topic, bool is_on,
	enum live_subject *ret_subject);

/* A row changed. `size` counts as conflated what was to be told already. */
void live_streams_note(
	struct live_streams *streams, uint32_t view_id, const struct changed_key *key);
/* Another store took the place of the old one: numbers go on, all who listen must read anew. Views that are no more lose their
 * stream; `ended` hears of each that had subscribers, while the old views still live. */
void live_streams_switch(struct live_streams *streams, const struct view_set *views,
	void (*ended)(void *owner, const struct live_topic *topic), void *owner);

/* Rows changed without an event: all who listen must read anew. */
void live_streams_reset(struct live_streams *streams);
/* The same of one view. */
void live_streams_reset_view(struct live_streams *streams, uint32_t view_id);

/* What is to be said next of a view. */
enum live_task {
	LIVE_TASK_NONE,
	LIVE_TASK_HELLO,
	LIVE_TASK_RESET,
	LIVE_TASK_ROWS,
	LIVE_TASK_IDLE,
};
/* Of the views that have subscribers, each in turn. `has_changes`: rows changed that were not noted yet. Gives the time
 * after which to look again. */
enum live_task live_streams_task(const struct live_streams *streams, uint32_t view_id,
	bool has_changes, int64_t now_ms, int64_t *ret_wait_ms);
/* It was said. Rows: the oldest `count` keys are told. The number that it bears was live_streams_number's. */
void live_streams_said(struct live_streams *streams, uint32_t view_id, enum live_task task,
	size_t count, int64_t now_ms);
uint64_t live_streams_number(
	const struct live_streams *streams, uint32_t view_id, enum live_task task);
/* Is the view encoded so for anybody? Of a hello: for anybody who has not heard one. */
bool live_streams_wants(const struct live_streams *streams, uint32_t view_id, enum live_task task,
	enum encoding encoding);
const struct changed_keys *live_streams_keys(const struct live_streams *streams, uint32_t view_id);

/* The views that have subscribers, and how far their streams are; borrowed, kept up to date. */
const struct live_place *live_streams_place(const struct live_streams *streams);
uint64_t live_streams_conflated(
	const struct live_streams *streams); /* changes of keys that waited already */
