/* window.h - the frames that a producer has handed over and the edge has not yet answered. Pure: time comes in.
 *
 * The edge keeps of each producer the highest n it has counted and takes everything up to it for a repeat. So a
 * producer never has two frames in the air: if the first were refused (a full spool) and the second counted, the
 * first could never be brought again. To have several frames in flight all the same, a window has lanes; each is a
 * producer of its own to the edge ("ID/3") with at most one frame in the air, always sent again under its first n. A window
 * of one lane uses ID itself.
 *
 * Replies carry no number of their frame: they come in the order of the frames on their connection, so whoever
 * opens a new connection calls window_lost. One thread. An int result is 0, a WINDOW_E_* or a negative errno. */
#pragma once
#include "proto/producer.h"

enum {
	WINDOW_E_FULL = 1, /* every lane has its frame; try again after one is settled */
	WINDOW_E_STRAY, /* a reply that answers nothing we sent: the connection can't be trusted, open a new one */
	WINDOW_E_WAITING, /* the edge asked us to come back later; the frame stays in the window */
};

enum { WINDOW_LANES_MAX = 16 };
/* How long a frame waits that was refused for now by an edge which did not say how long. */
enum { WINDOW_RETRY_MS_DEFAULT = 1000 };

struct window;

struct window_frame {
	uint32_t lane;
	uint64_t n;
	uint64_t tag; /* the caller's */
	struct slice events; /* borrowed until the frame is settled */
	uint32_t attempts; /* how often it was sent */
	int64_t first_sent_ms;
};

/* 1 … WINDOW_LANES_MAX lanes. */
int window_new(uint32_t lanes, struct window **ret_window);
struct window *window_free(struct window *window);

/* Copies `events`. n must rise; 0 lets the window choose the next. */
int window_put(struct window *window, struct slice events, uint64_t n, uint64_t tag);
/* The oldest frame that is due to be sent; false when there is none. Say window_sent once it is on its way. */
bool window_next(const struct window *window, int64_t now_ms, struct window_frame *ret_frame);
void window_sent(struct window *window, uint32_t lane, int64_t now_ms);
/* The next reply of this connection. 0: *ret_frame is settled, its lane free (its events live until the next put). */
int window_reply(struct window *window, const struct reply *reply, int64_t now_ms,
	struct window_frame *ret_frame);
/* The connection is gone: what was in the air has to be sent again, at once. */
void window_lost(struct window *window);

uint32_t window_count(const struct window *window); /* frames not settled */
bool window_is_full(const struct window *window);
/* Since when a frame has been in the air without any reply; -1: nothing is in the air. */
int64_t window_silent_since_ms(const struct window *window);
/* When the next frame that waits is due; INT64_MAX: none waits. */
int64_t window_due_ms(const struct window *window);
