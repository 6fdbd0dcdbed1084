/* sales_ledger.h - what edges have answered for: exact totals to hold the queries against. Pure. One thread. */
#pragma once
#include "cli/simulator.h"
#include "proto/money.h"

enum { SALES_LEDGER_EDGES_MAX = 64 };

struct sales_ledger_product {
	uint64_t order_count;
	int64_t total_quantity;
	money total_revenue;
};

struct sales_ledger_edge {
	char id[EDGE_ID_SIZE_MAX + 1];
	uint64_t accepted[KIND_EVENT_COUNT];
	uint64_t invalid;
	money total_revenue;
};

struct sales_ledger {
	struct sales_ledger_product *products; /* owned */
	uint32_t product_count;
	struct sales_ledger_edge
		edges[SALES_LEDGER_EDGES_MAX]; /* in the order in which they first answered */
	size_t edge_count;
	uint64_t accepted[KIND_EVENT_COUNT];
	uint64_t invalid[REASON_COUNT]; /* by code */
	money total_revenue;
};

int sales_ledger_init(struct sales_ledger *ledger, uint32_t products); /* 0 or -ENOMEM */
void sales_ledger_deinit(struct sales_ledger *ledger); /* takes a zeroed one */
/* `edge` is what the reply says. -ENOSPC when there are more than SALES_LEDGER_EDGES_MAX, -EOVERFLOW past 128 bits. */
int sales_ledger_accept(struct sales_ledger *ledger, struct slice edge, const struct sale *sale);
int sales_ledger_refuse(struct sales_ledger *ledger, struct slice edge, enum reason reason);
uint64_t sales_ledger_accepted(const struct sales_ledger *ledger);
uint64_t sales_ledger_invalid(const struct sales_ledger *ledger);
/* {"accepted":{kind:n},"invalid":{code:n},"total_revenue":…,"edges":{id:{…}},"products":{id:[order_count, total_quantity,
 * total_revenue]}}; products that were not sold are left out. */
void sales_ledger_encode(const struct sales_ledger *ledger, struct buffer *buffer);
