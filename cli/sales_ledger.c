#include "cli/sales_ledger.h"

#include "proto/writer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int sales_ledger_init(struct sales_ledger *ledger, uint32_t products)
{
	*ledger = (struct sales_ledger){.product_count = products};
	ledger->products = calloc(products, sizeof *ledger->products);
	return ledger->products != NULL ? 0 : -ENOMEM;
}

void sales_ledger_deinit(struct sales_ledger *ledger)
{
	free(ledger->products);
	ledger->products = NULL;
}

static struct sales_ledger_edge *edge_of(struct sales_ledger *ledger, struct slice id)
{
	for (size_t i = 0; i < ledger->edge_count; i++) {
		if (slice_equals_text(id, ledger->edges[i].id)) {
			return &ledger->edges[i];
		}
	}
	if (ledger->edge_count == SALES_LEDGER_EDGES_MAX || id.size > EDGE_ID_SIZE_MAX) {
		return NULL;
	}
	struct sales_ledger_edge *edge = &ledger->edges[ledger->edge_count++];
	snprintf(edge->id, sizeof edge->id, "%.*s", (int)id.size, (const char *)id.bytes);
	return edge;
}

int sales_ledger_accept(struct sales_ledger *ledger, struct slice edge_id, const struct sale *sale)
{
	struct sales_ledger_edge *edge = edge_of(ledger, edge_id);

	if (edge == NULL) {
		return -ENOSPC;
	}
	edge->accepted[sale->kind]++;
	ledger->accepted[sale->kind]++;
	if (sale->kind != KIND_ORDER) {
		return 0;
	}
	struct sales_ledger_product *product = &ledger->products[sale->product];
	money revenue = (money)sale->quantity * sale->unit_price;
	product->order_count++;
	product->total_quantity += sale->quantity;
	bool fits = money_add(&product->total_revenue, revenue) &&
		    money_add(&edge->total_revenue, revenue) &&
		    money_add(&ledger->total_revenue, revenue);
	return fits ? 0 : -EOVERFLOW;
}

int sales_ledger_refuse(struct sales_ledger *ledger, struct slice edge_id, enum reason reason)
{
	struct sales_ledger_edge *edge = edge_of(ledger, edge_id);

	if (edge == NULL) {
		return -ENOSPC;
	}
	edge->invalid++;
	ledger->invalid[reason]++;
	return 0;
}

uint64_t sales_ledger_accepted(const struct sales_ledger *ledger)
{
	return ledger->accepted[KIND_ORDER] + ledger->accepted[KIND_CART] +
	       ledger->accepted[KIND_VIEW];
}

uint64_t sales_ledger_invalid(const struct sales_ledger *ledger)
{
	uint64_t count = 0;

	for (int reason = 0; reason < REASON_COUNT; reason++) {
		count += ledger->invalid[reason];
	}
	return count;
}

static void write_kinds(struct writer *writer, const uint64_t accepted[KIND_EVENT_COUNT])
{
	write_key(writer, "accepted");
	write_map(writer, KIND_EVENT_COUNT);
	for (int kind = 0; kind < KIND_EVENT_COUNT; kind++) {
		write_key(writer, kind_name((enum kind)kind));
		write_unsigned(writer, accepted[kind]);
	}
}

static void write_codes(struct writer *writer, const struct sales_ledger *ledger)
{
	uint32_t count = 0;

	for (int reason = 0; reason < REASON_COUNT; reason++) {
		count += ledger->invalid[reason] > 0;
	}
	write_key(writer, "invalid");
	write_map(writer, count);
	for (int reason = 0; reason < REASON_COUNT; reason++) {
		if (ledger->invalid[reason] > 0) {
			write_key(writer, reason_code((enum reason)reason));
			write_unsigned(writer, ledger->invalid[reason]);
		}
	}
}

static void write_edges(struct writer *writer, const struct sales_ledger *ledger)
{
	write_key(writer, "edges");
	write_map(writer, (uint32_t)ledger->edge_count);
	for (size_t i = 0; i < ledger->edge_count; i++) {
		const struct sales_ledger_edge *edge = &ledger->edges[i];
		write_key(writer, edge->id);
		write_map(writer, 3);
		write_kinds(writer, edge->accepted);
		write_key(writer, "invalid");
		write_unsigned(writer, edge->invalid);
		write_key(writer, "total_revenue");
		write_money(writer, edge->total_revenue);
	}
}

static void write_products(struct writer *writer, const struct sales_ledger *ledger)
{
	char name[PRODUCT_NAME_SIZE];
	uint32_t count = 0;

	for (uint32_t i = 0; i < ledger->product_count; i++) {
		count += ledger->products[i].order_count > 0;
	}
	write_key(writer, "products");
	write_map(writer, count);
	for (uint32_t i = 0; i < ledger->product_count; i++) {
		const struct sales_ledger_product *product = &ledger->products[i];
		if (product->order_count > 0) {
			write_key(writer, simulator_product_name(i, name));
			write_array(writer, 3);
			write_unsigned(writer, product->order_count);
			write_integer(writer, product->total_quantity);
			write_money(writer, product->total_revenue);
		}
	}
}

void sales_ledger_encode(const struct sales_ledger *ledger, struct buffer *buffer)
{
	struct writer writer;

	writer_init(&writer, ENCODING_JSON, buffer);
	write_map(&writer, 5);
	write_kinds(&writer, ledger->accepted);
	write_codes(&writer, ledger);
	write_key(&writer, "total_revenue");
	write_money(&writer, ledger->total_revenue);
	write_edges(&writer, ledger);
	write_products(&writer, ledger);
}
