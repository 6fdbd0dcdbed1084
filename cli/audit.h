/* audit.h - holds an aggregator's answers against the ledger of what the edges accepted. */
#pragma once
#include "cli/ask.h"
#include "cli/sales_ledger.h"

enum { AUDIT_DIFFERENCES_SHOWN = 20 };

struct audit {
	uint64_t compared; /* rows */
	uint64_t differences; /* the first are said on stderr */
};

/* Every product's order_count, total_quantity and total_revenue, every store's, and every edge's dead letters; rows
 * that nobody sold are differences too; `quiet` only counts them. -1 when all was asked, else the exit code, the reason said. */
int audit_run(
	struct ask *ask, const struct sales_ledger *ledger, bool quiet, struct audit *ret_audit);
