#include "aggregator/administration.h"
#include "runtime/audit_log.h"
#include <inttypes.h>
#include <stdio.h>

enum { REFUSED_EVERY_MS = 1000, RESULT_SIZE = COMPLAINT_SIZE_MAX + 64 };

static const char program[] = "till-aggregator";

static const char *action_of(const struct query *query)
{
	return query->revoke ? "forget-revoke" : "forget";
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

	if (query->type != QUERY_FORGET || now_ms - administration->refused_ms < REFUSED_EVERY_MS) {
		return;
	}
	administration->refused_ms = now_ms;
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
		complaint_set(complaint, REASON_INTERNAL, "",
			"the audit log can't be written, so it is not done: see the aggregator's "
			"log");
		return REASON_INTERNAL;
	}
	r = forgetting_carry_out(forgetting, ret_plan, complaint);
	describe(r, ret_plan, complaint, result);
	audit_end(administration->audit_file, &entry, result);
	return r;
}
