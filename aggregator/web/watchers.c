#include "aggregator/web/watchers.h"
#include "proto/buffer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

enum {
	HEAD_SIZE = 64,
	ALIVE_SIZE_MAX = 64 * 1024, /* gaps are named in it */
};

struct watched {
	struct standing_query *query;
	uint64_t version; /* that was begun last */
};

/* One event on its way: head, text, tail. */
struct notice {
	char head[HEAD_SIZE];
	struct shared_text *text; /* held; NULL: none */
	const char *tail;
	size_t at; /* bytes that are given */
};

struct watcher {
	struct watchers *owner;
	struct http_request *request;
	struct notice notice;
	int64_t said_ms; /* when an event was begun last */
	int64_t told_ms; /* when a sign of life was */
	bool wants_alive;
	size_t next; /* whose turn it is: none starves */
	size_t count;
	struct watched watched[WATCHED_MAX];
	LIST_ENTRY(watcher) siblings;
};
LIST_HEAD(watcher_list, watcher);

struct watchers {
	struct watchers_options options;
	struct watcher_list list;
	struct shared_text *alive; /* NULL: none yet */
	int64_t alive_ms; /* when it was made */
	int64_t now_ms;
	int64_t next_ms; /* before it nobody wants a sign of life */
	struct watchers_counts counts;
};

int watchers_new(const struct watchers_options *options, struct watchers **ret_watchers)
{
	struct watchers *watchers = calloc(1, sizeof *watchers);
	if (watchers == NULL) {
		return -ENOMEM;
	}
	watchers->options = *options;
	watchers->alive_ms = INT64_MIN / 2;
	LIST_INIT(&watchers->list);
	*ret_watchers = watchers;
	return 0;
}

struct watchers *watchers_free(struct watchers *watchers)
{
	if (watchers != NULL) {
		shared_text_release(watchers->alive);
		free(watchers);
	}
	return NULL;
}

/* ---- events */

static void begin_notice(struct watcher *watcher, struct shared_text *text, const char *tail)
{
	shared_text_release(watcher->notice.text);
	watcher->notice.text = shared_text_hold(text);
	watcher->notice.tail = tail;
	watcher->notice.at = 0;
	watcher->said_ms = watcher->owner->now_ms;
	watcher->wants_alive = false;
}

static void begin_answer(struct watcher *watcher, size_t number)
{
	struct watched *watched = &watcher->watched[number];
	struct watchers_counts *counts = &watcher->owner->counts;
	uint64_t version = standing_version(watched->query);

	counts->sent++;
	counts->conflated += version - watched->version - 1;
	watched->version = version;
	snprintf(watcher->notice.head, HEAD_SIZE,
		"event: answer\ndata: {\"q\":%zu,\"answer\":", number);
	begin_notice(watcher, standing_answer(watched->query), "}\n\n");
}

/* Who joins late has missed nothing: what is there is new to him, and the only one. */
static bool has_news(const struct watched *watched)
{
	return standing_version(watched->query) != watched->version;
}

/* Answers are signs of life, too, but say nothing of the aggregator's state. */
static int64_t alive_due_ms(const struct watcher *watcher)
{
	int64_t alive_ms = watcher->said_ms + WATCHERS_ALIVE_MS;
	int64_t state_ms = watcher->told_ms + WATCHERS_STATE_MS;

	return alive_ms < state_ms ? alive_ms : state_ms;
}

static bool begin_alive(struct watcher *watcher)
{
	if (!watcher->wants_alive || watcher->owner->alive == NULL) {
		return false;
	}
	snprintf(watcher->notice.head, HEAD_SIZE, "event: alive\ndata: ");
	begin_notice(watcher, watcher->owner->alive, "\n\n");
	watcher->told_ms = watcher->owner->now_ms;
	return true;
}

/* A slow one, for which there is always a newer answer, hears of the state first. */
static bool begin_next(struct watcher *watcher)
{
	if (watcher->told_ms + WATCHERS_STATE_MS <= watcher->owner->now_ms &&
		begin_alive(watcher)) {
		return true;
	}
	for (size_t i = 0; i < watcher->count; i++) {
		size_t number = (watcher->next + i) % watcher->count;
		if (has_news(&watcher->watched[number])) {
			watcher->next = number + 1;
			begin_answer(watcher, number);
			return true;
		}
	}
	return begin_alive(watcher);
}

/* Of the part that begins `before` bytes after the event's beginning. */
static size_t copy_part(
	const struct notice *notice, size_t before, struct slice part, struct slice room)
{
	size_t at = notice->at - before;
	if (notice->at < before || at >= part.size) {
		return 0;
	}
	size_t size = part.size - at < room.size ? part.size - at : room.size;
	memcpy((void *)(uintptr_t)room.bytes, part.bytes + at, size);
	return size;
}

static size_t copy_notice(struct notice *notice, uint8_t *bytes, size_t size)
{
	struct slice text = notice->text != NULL ? slice_of(notice->text->bytes, notice->text->size)
						 : slice_of(NULL, 0);
	const struct slice parts[] = {
		slice_of_text(notice->head), text, slice_of_text(notice->tail)};
	size_t given = 0, before = 0;

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		size_t part =
			copy_part(notice, before, parts[i], slice_of(bytes + given, size - given));
		notice->at += part;
		given += part;
		before += parts[i].size;
	}
	return given;
}

static size_t on_pull(void *owner, void *bytes, size_t size)
{
	struct watcher *watcher = owner;
	size_t given = 0;

	while (given < size) {
		size_t more = copy_notice(&watcher->notice, (uint8_t *)bytes + given, size - given);
		given += more;
		if (more == 0 && !begin_next(watcher)) {
			break;
		}
	}
	return given;
}

/* ---- coming and going */

static void leave_all(struct watcher *watcher)
{
	for (size_t i = 0; i < watcher->count; i++) {
		standing_leave(watcher->owner->options.standing, watcher->watched[i].query);
	}
}

static void on_ended(void *owner)
{
	struct watcher *watcher = owner;

	leave_all(watcher);
	shared_text_release(watcher->notice.text);
	LIST_REMOVE(watcher, siblings);
	watcher->owner->counts.watchers--;
	free(watcher);
}

static int join_all(struct watcher *watcher, const struct watch *watch)
{
	int r = 0;

	for (size_t i = 0; i < watch->count && r == 0; i++) {
		struct watched *watched = &watcher->watched[i];
		r = standing_join(watcher->owner->options.standing, watch->holder,
			slice_of_text(watch->queries[i]), &watched->query);
		if (r == 0) {
			/* The answer that is there, if any, is one that it has not seen. */
			uint64_t version = standing_version(watched->query);
			watched->version = version > 0 ? version - 1 : 0;
			watcher->count++;
		}
	}
	return r;
}

int watchers_add(struct watchers *watchers, struct http_request *request, const struct watch *watch,
	int64_t now_ms)
{
	if (watchers->counts.watchers >= watchers->options.watchers_max) {
		return WATCHERS_E_FULL;
	}
	struct watcher *watcher = calloc(1, sizeof *watcher);
	if (watcher == NULL) {
		return -ENOMEM;
	}
	watcher->owner = watchers;
	watcher->request = request;
	int r = join_all(watcher, watch);
	if (r < 0) {
		leave_all(watcher);
		free(watcher);
		return r == -ENOSPC ? WATCHERS_E_QUERIES : r;
	}
	/* How soon a browser comes back by itself. Then the first sign of life, where no answer is quicker. */
	snprintf(watcher->notice.head, HEAD_SIZE, "retry: 1000\n\n");
	watcher->notice.tail = "";
	watcher->said_ms = watch->count > 0 ? now_ms : now_ms - WATCHERS_ALIVE_MS;
	watcher->told_ms = now_ms;
	LIST_INSERT_HEAD(&watchers->list, watcher, siblings);
	watchers->counts.watchers++;
	watchers->next_ms = now_ms;
	http_request_stream(request, &(struct http_stream){
					     .type = "text/event-stream",
					     .headers = watch->headers,
					     .header_count = watch->header_count,
					     .pull = on_pull,
					     .ended = on_ended,
					     .owner = watcher,
				     });
	return 0;
}

/* ---- turns */

static int make_alive(struct watchers *watchers)
{
	struct buffer buffer;

	if (watchers->now_ms - watchers->alive_ms < WATCHERS_ALIVE_MS / 2) {
		return 0;
	}
	buffer_init(&buffer, ALIVE_SIZE_MAX);
	int r = watchers->options.write_alive(watchers->options.owner, &buffer);
	struct shared_text *alive =
		r == 0 && buffer.error == 0 ? shared_text_new(buffer_slice(&buffer)) : NULL;
	r = r < 0 ? r : buffer.error;
	buffer_deinit(&buffer);
	if (alive == NULL) {
		return r < 0 ? r : -ENOMEM;
	}
	shared_text_release(watchers->alive);
	watchers->alive = alive;
	watchers->alive_ms = watchers->now_ms;
	return 0;
}

static bool sees_news(const struct watcher *watcher)
{
	for (size_t i = 0; i < watcher->count; i++) {
		if (has_news(&watcher->watched[i])) {
			return true;
		}
	}
	return false;
}

/* Wakes those that have something to hear; *ret_next_ms: when the next wants a sign of life. */
static int wake_all(struct watchers *watchers, bool has_changed, int64_t *ret_next_ms)
{
	struct watcher *watcher, *next;
	int r = 0;

	*ret_next_ms = INT64_MAX;
	for (watcher = LIST_FIRST(&watchers->list); watcher != NULL && r == 0; watcher = next) {
		next = LIST_NEXT(watcher, siblings);
		int64_t alive_ms = alive_due_ms(watcher);
		if (alive_ms <= watchers->now_ms) {
			r = make_alive(watchers);
			watcher->wants_alive = true;
			alive_ms = watchers->now_ms + WATCHERS_ALIVE_MS;
		}
		*ret_next_ms = alive_ms < *ret_next_ms ? alive_ms : *ret_next_ms;
		if (watcher->wants_alive || (has_changed && sees_news(watcher))) {
			http_request_wake(watcher->request);
		}
	}
	return r;
}

int watchers_turn(struct watchers *watchers, bool has_changed, int64_t now_ms, int64_t *ret_wait_ms)
{
	int r = 0;

	watchers->now_ms = now_ms;
	/* The loop turns some thousand times a second: hundreds that look have mostly nothing to hear. */
	if (has_changed || now_ms >= watchers->next_ms) {
		r = wake_all(watchers, has_changed, &watchers->next_ms);
	}
	if (!LIST_EMPTY(&watchers->list) && watchers->next_ms - now_ms < *ret_wait_ms) {
		*ret_wait_ms = watchers->next_ms - now_ms;
	}
	return r;
}

struct watchers_counts watchers_counts(const struct watchers *watchers)
{
	return watchers->counts;
}
