/* line_batch.h - cuts the bytes of a file into the items of one submission: NDJSON, CSV or msgpack. What is no event
 * becomes an item with its complaint, and cutting goes on behind it. Memory is bounded by the events of a batch. Pure.
 *
 *	line_batch_begin(batch);
 *	line_batch_bind(batch, start of the file, …)        CSV: the first line names the columns
 *	line_batch_cut(batch, bytes behind it, …)
 *
 * One thread. An int result is 0, a LINE_E_* or a negative errno. */
#pragma once
#include "edge/submission.h"
#include "proto/mapping.h"

enum line_format { LINE_NDJSON, LINE_CSV, LINE_MSGPACK };

enum {
	/* Bytes that a reader should show at once: the longest line wholly, whatever stands before it. */
	LINE_WINDOW_SIZE = 2 * EVENT_RAW_SIZE_MAX,
	/* What is kept of a line that is too long. */
	LINE_SAMPLE_SIZE = 4096,
};

enum { LINE_E_MORE = 1 /* the line that names the columns is not there wholly */ };

struct line_rules {
	enum line_format format;
	char delimiter;
	const char *const
		*map; /* as mapping_options has them; borrowed for the life of the batch */
	const char *const *set;
	const char *kind;
	uint32_t events_max; /* 1 … FRAME_EVENTS_MAX */
};

/* Why cutting ended. */
enum line_stop {
	LINE_STOP_MORE, /* what is left is no whole line */
	LINE_STOP_FULL, /* the batch is full */
	LINE_STOP_TOO_LONG, /* the next line is over EVENT_RAW_SIZE_MAX: find its end, then line_batch_add_long */
	LINE_STOP_BROKEN, /* msgpack: what follows is none */
};

struct line_cut {
	size_t size; /* bytes that were dealt with */
	uint64_t lines; /* among them; of msgpack the values */
	enum line_stop stop;
};

struct line_batch;

/* -EINVAL with the error set, -ENOMEM. */
int line_batch_new(
	const struct line_rules *rules, struct line_batch **ret_batch, struct pairs_error *error);
struct line_batch *line_batch_free(struct line_batch *batch);
void line_batch_begin(struct line_batch *batch);

/* The line that names the columns, from the start of a file's bytes. `last`: no more bytes will come. 0, LINE_E_MORE, or
 * -EINVAL with the error set: nothing of this file can be read. */
int line_batch_bind(struct line_batch *batch, struct slice bytes, bool last,
	struct line_cut *ret_cut, struct pairs_error *error);
/* Of the line that was bound last; 0: none. */
uint64_t line_batch_names_hash(const struct line_batch *batch);

/* Appends items. `bytes` begin a line, and must live until the items are handed in. `last`: they end at the file's end, and
 * so does its last line. `line`: how many lines stand before them. */
int line_batch_cut(struct line_batch *batch, struct slice bytes, bool last, uint64_t line,
	struct line_cut *ret_cut);
/* A line of `size` bytes that begins with `sample`. */
void line_batch_add_long(
	struct line_batch *batch, struct slice sample, uint64_t size, uint64_t line);

/* The rest of a file, `size` bytes, that is not in its format (LINE_STOP_BROKEN). */
void line_batch_add_broken(
	struct line_batch *batch, struct slice sample, uint64_t size, uint64_t line);

uint32_t line_batch_count(const struct line_batch *batch);
/* Valid until the next call that changes the batch. */
const struct submission_item *line_batch_items(struct line_batch *batch);
/* Of the file, from 1: where item `index` stood. */
uint64_t line_batch_line(const struct line_batch *batch, uint32_t index);
