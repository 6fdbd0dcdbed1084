/* answer_parts.h - one question being answered. For the answers' own files.
 * An int result is 0, a reason > 0 with the complaint filled, or a negative errno (-EBADMSG: the store is corrupt). */
#pragma once
#include "aggregator/answer/answer_walk.h"
#include "aggregator/answer/best.h"
#include "aggregator/answer/refinement.h"
#include "aggregator/answer/rollup.h"

/* Rows as they were written, one after the other; an array needs to know their number first. */
struct row_list {
	struct buffer bytes;
	struct buffer ends; /* where each ends: size_t */
	size_t count;
};

/* What rows that come in their order make up of the whole. */
struct shares {
	size_t measure;
	money whole; /* over all rows of the answer's question, shown or not */
	money so_far; /* of those that were written */
	struct buffer currency; /* of all of them, where they have one */
};

struct answering {
	struct answer_context *context;
	const struct query *query;
	const struct view *
		view; /* of the rows answered: with other groups than the store's where they are rolled up */
	const struct refinement *refinement; /* NULL: rows as they are */
	struct rollup *earlier; /* what rolled up rows are compared with; else NULL */
	struct shares *shares; /* what each row shows beside its columns; else NULL */
	struct complaint complaint;
	struct row_list rows;
	size_t found_count; /* get: rows that conditions on group columns let through, shown or not */
	char *next; /* scan: the cursor; owned; NULL: at the end */
	bool is_cut; /* there are more rows than were asked for, and no cursor leads to them */
	struct view_summary sums[VIEWS_MAX]; /* views: over all shards */
};

int answer_get(struct answering *answering);
/* The value of "tables". 0, -EBADMSG, -errno. */
int answer_tables_write(const struct answer_context *context, struct writer *writer);
int answer_top(struct answering *answering);
/* May the greatest of this measure be found out of leaders (boards.h)? */
bool leaders_may_answer(const struct answering *answering, size_t measure);
/* Lists them. *ret_is_answered: false where only a walk can tell, and nothing is listed. */
int leaders_answer(struct answering *answering, size_t measure, bool *ret_is_answered);
/* Empty ones, for a walk over all rows to fill; NULL: it need not. */
struct leaders *leaders_begin(const struct answering *answering, size_t measure);
/* A row of that walk, as the commits that were handed over leave it: `number` is what it has now. */
void leaders_note(struct leaders *leaders, const struct walk *walk, size_t measure, money number);
/* The walk is over: they are kept, or freed. */
void leaders_end(const struct answering *answering, struct leaders *leaders, int result);
int answer_scan(struct answering *answering);
/* get, top, scan and bands of what the refinement leaves. */
int answer_refined(struct answering *answering);
/* What would be done: the value of "explain", in place of rows. */
int answer_explain(struct answering *answering);
/* Sorts and lists what a walk has found. */
int best_write(struct answering *answering, struct best *best);
/* REASON_TOO_LARGE: an answer would take too much memory on the way. */
int answer_complain_of_size(struct answering *answering);
/* The measure that `by` names, which must be a number. */
int top_find_measure(struct answering *answering, size_t *ret_measure);
/* Are so many group values a whole key, but for its currency? */
int get_check_count(struct answering *answering, size_t count);

/* "no view …; did you mean …?". Always REASON_UNKNOWN_VIEW. */
int answer_complain_of_view(
	const struct view_set *views, struct slice name, struct complaint *complaint);
/* Adds a row to the list. 0, -EMSGSIZE when the answer would be too large, -ENOMEM, -EBADMSG. */
int row_list_add(struct answering *answering, struct slice key, const struct row *row);
/* Ends a row that was written into rows.bytes from there on: 0 with a row more, or as row_list_add. */
int row_list_end(struct answering *answering, size_t begin);
/* Takes a row into the whole. 0; REASON_BAD_REQUEST: of another currency than those before; -errno. */
int shares_add(
	struct answering *answering, const struct group_value *values, const struct row *row);
/* REASON_BAD_REQUEST: the measure is no sum or count, of which there are shares. */
int shares_check_measure(struct answering *answering, size_t measure);
/* The columns that shares add to a row: two pairs. */
void shares_write(struct answering *answering, struct writer *writer, const struct row *row);
/* part / whole as text, or null. */
void share_write(struct writer *writer, money part, money whole);
/* The group column that is the currency; -1: none. */
int view_currency_group(const struct view *view);
/* A row whose value was kept, ready to be shown. 0 or -EBADMSG. */
int kept_row_read(const struct view *view, struct slice value, struct row *ret_row);
/* Fills the values of the columns that are joined to a row of the source, or of the result. 0, -EBADMSG, -errno. */
int join_values(struct answer_context *context, const struct join *join, const struct view *view,
	struct group_value *values);
/* The columns of the table's row with these group values of the result: how many pairs, and the pairs. They belong to `row`, which
 * join_look_up filled. */
int join_look_up(struct answer_context *context, const struct join *join,
	const struct group_value *values, struct row *ret_row, bool *ret_is_found);
uint32_t join_count_columns(const struct answering *answering);
void join_write(const struct answering *answering, struct writer *writer, const struct row *row);
/* The columns that a comparison adds to a row with these group values: two pairs. 0, -errno. */
int comparison_write(struct answering *answering, struct writer *writer,
	const struct group_value *values, const struct row *row);
/* A measure's column. */
void measure_write(struct writer *writer, const struct measure *measure, uint64_t event_count,
	const struct cell *cell);
void integer_write(struct writer *writer, money number); /* of any size */
/* The group values of a key of this view. 0 or -EBADMSG. */
int group_values_read(const struct view *view, struct slice key, const struct row *row,
	struct group_value values[VIEW_GROUPS_MAX]);
void group_value_write(struct writer *writer, const struct view *view,
	const struct group_field *group, const struct group_value *value);
void row_list_clear(struct row_list *rows);
void row_list_write(const struct row_list *rows, struct writer *writer); /* as an array */
/* A row's group values, as an array: 0 or -EBADMSG. */
int row_key_write(
	struct writer *writer, const struct view *view, struct slice key, struct slice longs);
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
/* base64url text, the caller's to free; NULL without memory. It is good as long as the view's declaration and what the rows are refined by are the same. */
char *cursor_write(const struct answering *answering, const struct scan_position *position);
/* false when this is no cursor of this view, or of another question. */
bool cursor_read(
	const struct answering *answering, struct slice text, struct scan_position *ret_position);
/* Where the scan begins, and up to where it goes. */
int scan_range(struct answering *answering, struct row_key *from, struct scan_position *position);
