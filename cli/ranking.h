/* ranking.h - the rows of a view that lead by a measure, asked for and printed: `till top` and `till watch`. */
#pragma once
#include "cli/ask.h"
#include "cli/refining.h"
#include "proto/buffer.h"
#include "proto/limits.h"
#include <stdio.h>

struct ranking {
	const char *view; /* of a table "table.NAME" */
	const char *
		by; /* NULL: total_revenue where the view has it, else its first measure; of a table its first number */
	int64_t limit; /* 0: the server's */
	bool ascending;
	bool cumulative; /* with shares of the whole */
	const char *until_share; /* NULL: to the limit */
	const struct refining *refining; /* NULL: rows as they are */
};

/* What the server says about the view, kept beyond its answer. Zero-initialise. */
struct ranking_view {
	struct document document; /* the answer to `views` */
	struct buffer bytes;
	const struct node *measures; /* array of texts; NULL when there is no such view */
	char by[VIEW_NAME_SIZE_MAX + 1];
};

enum { TABLE_VIEW_SIZE = VIEW_NAME_SIZE_MAX + 64 };
/* What --table says in the place of --view; `table` NULL: nothing. The view's name is written to `bytes`. */
void ranking_take_table(struct ranking *ranking, const char *table, char bytes[TABLE_VIEW_SIZE]);

/* "till top products": a word that can be no address is the name of a view. -1 to go on, else the exit code, the reason said. */
int ranking_check_endpoint(const char *command, const char *endpoint);
/* -1 to go on, else the exit code, the reason said. */
int ranking_learn(struct ask *ask, const struct ranking *ranking, struct ranking_view *ret_view);
void ranking_view_deinit(struct ranking_view *view);
int ranking_ask(struct ask *ask, const struct ranking *ranking, const struct ranking_view *view,
	struct answer_view *ret_answer);
/* The rows as a table; of an explanation its JSON. */
void ranking_print(const struct answer_view *answer, const struct ranking_view *view, FILE *out);
/* "3 records are not counted yet", "Kafka can't be reached …": NULL when the answer is fresh. */
const char *freshness_text(const struct answer_view *answer, char out[128]);
