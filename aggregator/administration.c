#include "aggregator/administration.h"
#include "runtime/audit_log.h"
#include <inttypes.h>
#include <stdio.h>

enum { REFUSED_EVERY_MS = 1000, RESULT_SIZE = COMPLAINT_SIZE_MAX + 64 };

static const char program[] = "till-aggregator";

static const char replay_action[] = "dlq-replay"; /* as "till" calls it */

static const char *action_of(const struct query *query)
{
	switch (query->type) {
	case QUERY_ACCEPT_STAGED:
		return "accept-staged";
	case QUERY_DROP_STAGED:
		return "drop-staged";
	case QUERY_REPLAY:
		return replay_action;
	case QUERY_FORGET:
		return query->revoke ? "forget-revoke" : "forget";
	default:
		return query_type_name(query->type);
	}
}

int administration_check(const struct administration *administration, const struct query *query,
	struct complaint *complaint)
{
	if (!query_needs_admin(query->type) || !administration->is_exposed) {
		return 0;
	}
	complaint_set(complaint, REASON_FORBIDDEN, "",
		"without keys this is for those on the aggregator's own machine, and [aggregator] "
		"listen lets others in: set up keys");
	return REASON_FORBIDDEN;
}

void administration_refused(struct administration *administration, const struct query *query,
	const char *who, const struct complaint *complaint, int64_t now_ms)
{
	const struct audit_entry entry = {
		.program = program, .who = who, .action = action_of(query), .arguments = ""};
	char result[RESULT_SIZE];

	if (!query_needs_admin(query->type) ||
		now_ms < administration->silent_until_ms[query->type]) {
		return;
	}
	administration->silent_until_ms[query->type] = now_ms + REFUSED_EVERY_MS;
	snprintf(result, sizeof result, "refused: %s", complaint->message);
	audit_end(administration->audit_file, &entry, result);
}

static void describe(int r, const struct forget_plan *plan, const struct complaint *complaint,
	char result[RESULT_SIZE])
{
	const struct forget_counts *counts = &plan->counts;

	if (r > 0) {
		snprintf(result, RESULT_SIZE, "failed: %s", complaint->message);
	} else if (r < 0) {
		snprintf(result, RESULT_SIZE, "failed: %s", strerror(-r));
	} else {
		snprintf(result, RESULT_SIZE,
			"done: %" PRIu64 " rows, %" PRIu64 " events, %" PRIu64 " texts, %" PRIu64
			" records of the quarantine%s",
			counts->rows, counts->events, counts->texts, counts->quarantined,
			plan->was_so ? "; it was so before" : "");
	}
}

static int refuse(const struct administration *administration, const struct audit_entry *entry,
	const struct complaint *complaint)
{
	char result[RESULT_SIZE];

	snprintf(result, sizeof result, "refused: %s", complaint->message);
	audit_end(administration->audit_file, entry, result);
	return complaint->reason;
}

static int complain_of_audit_log(struct complaint *complaint)
{
	complaint_set(complaint, REASON_INTERNAL, "",
		"the audit log can't be written, so it is not done: see the aggregator's log");
	return REASON_INTERNAL;
}

int administration_forget(const struct administration *administration,
	const struct forgetting *forgetting, const struct query *query,
	struct forget_plan *ret_plan, struct complaint *complaint)
{
	char result[RESULT_SIZE];

	int r = forgetting_plan(forgetting, query, ret_plan, complaint);
	/* Never the name: the log of it would be what is left of him. */
	const struct audit_entry entry = {.program = program,
		.who = forgetting->by,
		.action = action_of(query),
		.arguments = ret_plan->hash};
	if (r != 0) {
		return r < 0 ? r : refuse(administration, &entry, complaint);
	}
	if (audit_begin(administration->audit_file, &entry) < 0) {
		return complain_of_audit_log(complaint);
	}
	r = forgetting_carry_out(forgetting, ret_plan, complaint);
	describe(r, ret_plan, complaint, result);
	audit_end(administration->audit_file, &entry, result);
	return r;
}

int administration_begin_replay(const struct administration *administration, const char *who,
	const char *arguments, struct complaint *complaint)
{
	const struct audit_entry entry = {
		.program = program, .who = who, .action = replay_action, .arguments = arguments};

	return audit_begin(administration->audit_file, &entry) < 0
		       ? complain_of_audit_log(complaint)
		       : 0;
}

void administration_end_replay(const struct administration *administration, const char *who,
	const char *arguments, const char *result)
{
	const struct audit_entry entry = {
		.program = program, .who = who, .action = replay_action, .arguments = arguments};

	audit_end(administration->audit_file, &entry, result);
}

/* ---- what is staged */

static int check_stage(const struct generations *generations, const struct query *query,
	struct complaint *complaint)
{
	if (!generations_are_staged(generations)) {
		complaint_set(complaint, REASON_BAD_REQUEST, "query", "nothing is staged");
		return REASON_BAD_REQUEST;
	}
	if (query->type == QUERY_ACCEPT_STAGED &&
		!pipeline_is_caught_up(generations->shadow->pipeline)) {
		complaint_set(complaint, REASON_REBUILDING, "",
			"the staged views have read %d %% of what the live ones have; accept them "
			"when they have read it",
			(int)(100 * generations_progress(generations)));
		return REASON_REBUILDING;
	}
	return 0;
}

static void write_decision(const struct query *query, const char *store_id, struct buffer *reply)
{
	bool is_accepted = query->type == QUERY_ACCEPT_STAGED;
	struct writer writer;

	writer_init(&writer, query->encoding, reply);
	write_map(&writer, 2);
	write_key(&writer, "ok");
	write_bool(&writer, true);
	write_key(&writer, is_accepted ? "accepted" : "dropped");
	write_map(&writer, 1);
	write_key(&writer, "store");
	write_text(&writer, slice_of_text(store_id));
}

int administration_stage(const struct administration *administration,
	struct generations *generations, const struct question *question, struct buffer *reply)
{
	const struct query *query = question->query;
	const char *store_id = stores_root(generations->options.opening->stores)->shadow_id;
	const struct audit_entry entry = {.program = program,
		.who = question->asker->name,
		.action = action_of(query),
		.arguments = store_id};
	struct complaint complaint;

	int r = check_stage(generations, query, &complaint);
	if (r != 0) {
		refuse(administration, &entry, &complaint);
	} else if (audit_begin(administration->audit_file, &entry) < 0) {
		r = complain_of_audit_log(&complaint);
	}
	if (r != 0) {
		query_encode_error(&complaint, query->encoding, reply);
		return reply->error;
	}
	if (query->type == QUERY_ACCEPT_STAGED) {
		generations_accept_staged(generations);
	} else {
		generations_drop_shadow(generations);
	}
	audit_end(administration->audit_file, &entry, "done");
	write_decision(query, store_id, reply);
	return reply->error;
}
