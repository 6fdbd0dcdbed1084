/* administration.h - what an administrator may have done to the running aggregator, written down before and after it
 * (runtime/audit_log.h). It logs. The loop's thread. */
#pragma once
#include "aggregator/answer/gate.h"
#include "aggregator/desk/forgetting.h"
#include "aggregator/generations.h"
#include "runtime/key_holder.h"

struct administration {
	const char *audit_file; /* borrowed; NULL or "": the log */
	bool is_exposed; /* nobody is asked for a key, and other machines reach the socket */
	int64_t silent_until_ms[QUERY_TYPE_COUNT]; /* of refusals of each */
};

/* May he do this here? 0, or REASON_FORBIDDEN with the complaint. Beside gate_check, which asks what his key may. */
int administration_check(const struct administration *administration, const struct query *query,
	struct complaint *complaint);
/* Writes down that somebody was refused what is for administrators; of many of one kind in a second only the first, for each takes an fsync. */
void administration_refused(struct administration *administration, const struct query *query,
	const char *who, const struct complaint *complaint, int64_t now_ms);
/* Forgets, or revokes that. 0 with what was done, a reason with the complaint, -errno: end the process. Deinit the plan in any case. */
int administration_forget(const struct administration *administration,
	const struct forgetting *forgetting, const struct query *query,
	struct forget_plan *ret_plan, struct complaint *complaint);
/* Before and after dead letters are sent again. 0, or a reason with the complaint: it must not be done. */
int administration_begin_replay(const struct administration *administration, const char *who,
	const char *arguments, struct complaint *complaint);
void administration_end_replay(const struct administration *administration, const char *who,
	const char *arguments, const char *result);
/* Accepts what is staged, or drops it: the next ticks do it. Writes the reply, a refusal too. 0 or -errno. */
int administration_stage(const struct administration *administration,
	struct generations *generations, const struct question *question, struct buffer *reply);
