/* report_answer.h - what edges last reported of themselves, beside the answers `edges` and `ledger`: the newest report of each edge,
 * and in which ways it needs a look. Pure. */
#pragma once
#include "aggregator/answer/answer_parts.h"
#include "aggregator/answer/gate.h"
#include "aggregator/desk/reports.h"

enum {
	/* An edge that says nothing in so many of its intervals, and so long, is silent. */
	REPORT_SILENT_INTERVALS = 3,
	REPORT_SILENT_MS = 10 * 1000,
	/* A report is on its way for milliseconds, and the oldest event on disk as long, while all is well. */
	REPORT_BUFFERING_MS = 60 * 1000,
	REPORT_SKEWED_MS = 60 * 1000,
	/* Of a spool's quota: what is left is a warning's worth of time. */
	REPORT_FULL_PERCENT = 90,
};

enum report_problem {
	REPORT_SILENT,
	REPORT_BUFFERING,
	REPORT_SKEWED,
	REPORT_FULL,
	REPORT_DAMAGED,
	REPORT_PROBLEM_COUNT,
};

/* `now_ms` is of the clock that says when reports arrived. */
bool report_has_problem(const struct report *report, enum report_problem problem, int64_t now_ms);

struct report_sight {
	const struct reports *reports; /* NULL: none are read */
	const struct query *query;
	const char *stores; /* only these edges; NULL: all */
	int64_t now_ms;
};

/* Adds a map for each of them to the list, until that has so many bytes; *ret_is_cut: there are more. 0 or -errno. */
int report_answer_list(const struct report_sight *sight, size_t size_max, struct row_list *ret_rows,
	bool *ret_is_cut);
