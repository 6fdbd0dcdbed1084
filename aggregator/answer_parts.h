/* answer_parts.h - one question being answered. For the answers' own files.
 * An int result is 0, a reason > 0 with the complaint filled, or a negative errno (-EBADMSG: the store is corrupt). */
#pragma once
#include "aggregator/answer_walk.h"

/* Rows as they were written, one after the other; an array needs to know their number first. */
struct row_list {
	struct buffer bytes;
	struct buffer ends; /* where each ends: size_t */
	size_t count;
};

struct answering {
	struct answer_context *context;
	const struct query *query;
	const struct view *view;
	struct complaint complaint;
	struct row_list rows;
	char *next; /* scan: the cursor; owned; NULL: at the end */
	uint64_t row_counts[VIEWS_MAX]; /* views */
};

int answer_get(struct answering *answering);
int answer_top(struct answering *answering);
int answer_scan(struct answering *answering);

/* Adds a row to the list. 0, -EMSGSIZE when the answer would be too large, -ENOMEM, -EBADMSG. */
int row_list_add(struct answering *answering, struct slice key, const struct row *row);
/* What a measure is in a row, to be ordered by: false when there is nothing yet. Averages in micros, rounded. */
bool measure_rank(const struct measure *measure, uint64_t event_count, const struct cell *cell,
	money *ret_rank);
/* "integer", "money", "decimal", "time", "text" */
const char *measure_type_name(const struct measure *measure);
const char *group_type_name(const struct group_field *group);

/* Group values from a request: an array of at most all of the view's. Appends their key. `name` is the request's key. */
int parse_key(struct answering *answering, const char *name, const struct node *array,
	struct row_key *ret_key, size_t *ret_count);

/* Where a scan goes on: behind `key`, up to `to`. */
struct scan_position {
	struct row_key key;
	struct row_key to; /* size 0: to the end */
};
/* base64url text, the caller's to free; NULL without memory. It is good as long as the view's declaration is the same. */
char *cursor_write(const struct view *view, const struct scan_position *position);
/* false when this is no cursor of this view. */
bool cursor_read(const struct view *view, struct slice text, struct scan_position *ret_position);
