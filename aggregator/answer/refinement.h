/* refinement.h - what a query asks beyond rows as they are, made ready against its view: which rows (`where`, `range`), by
 * which groups (`group_by`), beside which earlier period (`compare`). Slices are borrowed from the request. Pure. */
#pragma once
#include "aggregator/view/measure_row.h"
#include "proto/query.h"

enum {
	GROUP_NONE = VIEW_GROUPS_MAX, /* no such group field */
	/* A row's group values, and behind them those of the columns that are joined to it. */
	ROW_VALUES_MAX = VIEW_GROUPS_MAX + VIEW_MEASURES_MAX,
};

/* Where a group column comes from: a group field of the view, as it is or as a coarser bucket of it, or a joined column. */
struct group_origin {
	size_t group; /* of the view's; of a joined column: its place behind them */
	bool is_coarser;
	struct group_field field;
};

/* [from, to) as values of a bucket; INT64_MIN and INT64_MAX where it is open. */
struct period {
	int64_t from;
	int64_t to;
};

/* A table that is looked up by group fields of a view. */
struct join {
	const struct view *table; /* NULL: none */
	size_t groups
		[VIEW_GROUP_FIELDS_MAX]; /* of its key, in order; GROUP_NONE: rolled away, no look-up */
};

/* What a column is compared with. */
struct literal {
	struct slice text;
	money number;
	char digits[24]; /* of a whole number in a text's place */
};

struct row_condition {
	enum query_op op;
	bool is_text;
	bool is_measure; /* of a row of the answer; else of a row of the view */
	size_t measure;
	struct group_origin origin;
	struct literal *literals; /* of `in` sorted */
	size_t literal_count;
};

struct refinement {
	const struct view *source; /* whose rows are walked */
	const struct view *result; /* whose rows are answered: the source, or `grouped` */
	struct join join; /* to rows of the source */
	struct join shown; /* to rows of the result; NULL: they have not its whole key */
	bool with_missing; /* rows of zeros for what the view has nothing of */
	const char *stores; /* who asks sees rows of these edges only; NULL: all. Borrowed */
	struct view grouped; /* the source with other groups; it borrows all else */
	struct group_origin origins[VIEW_GROUPS_MAX]; /* of grouped's groups */
	size_t condition_count;
	struct row_condition conditions[QUERY_CONDITIONS_MAX];
	struct literal *literals; /* owned */
	size_t source_bucket; /* the finest bucket of time, or GROUP_NONE */
	size_t result_bucket;
	struct period period; /* all of time without `range` */
	bool compares;
	bool has_shift;
	struct span shift;
	struct period
		earlier; /* of the source's bucket; all of time where rows are shifted without `range` */
};

/* What a refinement is made against. */
struct refined_view {
	const struct view *view;
	const struct view *joined; /* the table that the query names; NULL: none */
	const char *stores; /* as in a refinement */
	int64_t event_ts; /* what `last` counts back from */
};

/* 0, -ENOMEM, or a reason with the complaint: REASON_UNKNOWN_FIELD, REASON_BAD_REQUEST. Deinit in any case. */
int refinement_make(struct refinement *refinement, const struct refined_view *of,
	const struct query *query, struct complaint *complaint);
void refinement_deinit(struct refinement *refinement);

static inline bool refinement_is_grouped(const struct refinement *refinement)
{
	return refinement->result != refinement->source;
}
/* `values`, here and below, are ROW_VALUES_MAX where a table is joined: those of its columns are read, too.
 * Is a row of the view with these group values in the period, and does it pass the conditions on group columns? */
bool refinement_admits_groups(const struct refinement *refinement, const struct group_value *values,
	const struct period *period);
/* Does a row of the answer pass the conditions on measures? A column that is null passes none. */
bool refinement_admits_row(const struct refinement *refinement, const struct row *row);
/* Does this condition on a group column hold? */
bool refinement_holds(const struct refinement *refinement, const struct row_condition *condition,
	const struct group_value *values);
/* What a row of the view is in the answer: its group values there. */
void refinement_group(const struct refinement *refinement, const struct group_value *values,
	struct group_value ret_values[VIEW_GROUPS_MAX]);
/* The group values of the row that these are compared with. */
void refinement_shift(const struct refinement *refinement, const struct group_value *values,
	struct group_value ret_values[VIEW_GROUPS_MAX]);
/* Rows of the view outside these keys can't be in the answer: from inclusive, to exclusive, empty where open. */
void refinement_key_range(const struct refinement *refinement, const struct period *period,
	struct row_key *ret_from, struct row_key *ret_to);

enum { MISSING_E_LEFT_OUT = 1 };

/* The group values of the row of zeros that stands for a row of the joined table: those that the table does not tell are
 * absent, or what a condition holds them to. 0, MISSING_E_LEFT_OUT by the conditions on the table's columns, -EBADMSG. */
int refinement_make_zeros(const struct refinement *refinement, struct slice table_key,
	const struct row *table_row, struct group_value ret_values[VIEW_GROUPS_MAX]);
/* The same of a row of the answer: rows that differ only in what the table does not tell become alike. */
void refinement_blank(
	const struct refinement *refinement, struct group_value values[VIEW_GROUPS_MAX]);

/* The column of this name in a joined table: its place behind the view's group values; false: none. */
bool join_find_column(const struct join *join, const struct view *view, struct slice name,
	size_t *ret_value, const struct measure **ret_column);
/* Fills the values of the joined columns from the table's row; NULL: it has none. */
void join_set_values(const struct join *join, const struct view *view, const struct row *row,
	struct group_value *values);

/* For the refinement's own files. */
/* Makes `join` of the query, and `shown`, once the result's groups are known. */
int refinement_make_join(
	struct refinement *refinement, const struct view *table, struct complaint *complaint);
void refinement_show_join(struct refinement *refinement);
/* Is the view grouped by the key of its table and nothing else but the currency? Then both are in one order. */
bool refinement_is_keyed_by_table(const struct refinement *refinement);
/* Once the result's groups are known: makes place for null in those that the table does not tell. */
int refinement_make_missing(struct refinement *refinement, struct complaint *complaint);
/* The value that a condition holds this column to. */
bool refinement_find_fixed(const struct refinement *refinement, const struct group_origin *origin,
	struct group_value *ret_value);
size_t view_time_bucket(const struct view *view);
/* Can the second bucket be told from the first? */
bool bucket_coarsens(enum bucket from, enum bucket to);
/* The start of a bucket as a text names it; false when it names no bucket's start. */
bool bucket_start_read(
	struct slice text, enum bucket bucket, const struct zone *zone, int64_t *ret_value);
int refinement_make_periods(struct refinement *refinement, const struct query *query,
	int64_t event_ts, struct complaint *complaint);
int refinement_make_conditions(
	struct refinement *refinement, const struct query *query, struct complaint *complaint);
/* REASON_UNKNOWN_FIELD: the view has no such column; names the nearest. `key` is the request's. */
int view_refuse_column(
	const struct view *view, const char *key, struct slice name, struct complaint *complaint);
/* A group column of the view, or a coarser bucket of its time. */
bool group_origin_find(const struct view *view, struct slice name, struct group_origin *ret_origin);
