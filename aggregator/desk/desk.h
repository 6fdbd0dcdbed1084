/* desk.h - makes the answers: decides whether a query can be answered now, takes snapshots, and says how fresh the totals
 * are. The loop's thread. */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/answer/gate.h"
#include "aggregator/desk/health.h"
#include "aggregator/desk/queries.h"

/* What it looks at; the owner keeps it up to date. */
struct desk {
	struct stores *stores; /* borrowed, all of it */
	struct feed *live;
	struct feed *shadow; /* NULL: no rebuild */
	const struct view_set *views; /* of the live generation */
	const struct view_set *shadow_views;
	bool is_staged; /* the shadow may be asked, and is no rebuild */
	const char *
		stage_note; /* why nothing is staged although it was wanted; NULL: nothing to say */
	struct health health;
	const struct reports *reports; /* NULL: none are read */
	const struct vitals *vitals; /* NULL: none are kept */
	struct inspection *inspection; /* who asks Kafka for people */
	struct top_tally tops; /* since the program began */
	const struct live_place *live_place; /* NULL: nothing is published */
	const char *publish; /* where; NULL likewise */
	int64_t started_ms;
	int64_t now_ms;
	int64_t wall_ms;
};

/* The start is over: caught up with what the log held then, or Kafka can't be reached. Once true it stays. */
bool desk_is_ready(struct desk *desk);
/* For server_options.judge; `desk` is a struct desk. */
enum verdict desk_judge(void *desk, struct wish *wish);
/* What may be asked was checked before (gate.h); what the asker may not see is not in the reply. 0 or -errno. */
int desk_answer(void *desk, const struct question *question, struct buffer *reply);

/* {"as_of":…,"state":…} as JSON: how fresh, and what it is at. 0 or -errno. */
int desk_write_alive(struct desk *desk, struct buffer *out);

/* What rows are read from at one moment of the loop, by our own code: nobody's rights hold. */
struct desk_moment {
	struct answer_context context;
	struct text_set gaps;
};
/* 0, -EBADMSG, -errno. End it in any case. */
int desk_moment_begin(struct desk *desk, struct desk_moment *ret_moment);
/* The same of the views that are staged, which must be so. */
int desk_staged_moment_begin(struct desk *desk, struct desk_moment *ret_moment);
void desk_moment_end(struct desk_moment *moment);
