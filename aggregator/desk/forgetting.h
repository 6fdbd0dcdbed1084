/* forgetting.h - takes a user out of the store while the aggregator runs, or lets him count again. All that is counted is
 * written first, then one transaction a shard does it; whoever asks again after a failure or a kill gets what is missing done. The
 * loop stands still meanwhile: for a commit or two, and where keys do not begin with user_id for a walk over the view's rows
 * (about a second for five million). The loop's thread. */
#pragma once
#include "aggregator/log/pipeline.h"
#include "proto/query.h"

struct forgetting {
	struct stores *stores; /* borrowed, all of it */
	struct pipeline *live, *shadow; /* no shadow: NULL */
	const struct view_set *views, *shadow_views;
	int64_t now_ms; /* by the wall clock */
	const char *by; /* the name of a key */
	uint8_t fresh_key[FORGOTTEN_KEY_SIZE]; /* random: the key of a store that has none */
};

/* What is to be done, and after forgetting_carry_out what was. */
struct forget_plan {
	struct forgotten wanted;
	struct slice user; /* borrowed from the question */
	char hash[FORGOTTEN_HASH_TEXT_SIZE]; /* of the user: for answer and audit log */
	bool is_revoke;
	bool was_so; /* already, in shard 0 at least */
	struct forget_counts counts;
};

/* Reads nothing but memory. 0; a reason with the complaint: it can't be done; -ENOMEM. Deinit it in any case. */
int forgetting_plan(const struct forgetting *forgetting, const struct query *query,
	struct forget_plan *ret_plan, struct complaint *complaint);
/* 0: it is on disk in every shard. A reason with the complaint: it is not, or not everywhere: ask again. -errno: nobody
 * knows; end the process. */
int forgetting_carry_out(
	const struct forgetting *forgetting, struct forget_plan *plan, struct complaint *complaint);
void forget_plan_deinit(struct forget_plan *plan);
