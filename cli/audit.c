#include "cli/audit.h"

#include "proto/writer.h"
#include "runtime/program.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CURSOR_SIZE_MAX = 4096, REQUEST_SIZE_MAX = 8192, PAGE_ROWS = 10000 };

/* One pass over a view. */
struct pass {
	struct ask *ask;
	const struct sales_ledger *ledger;
	struct audit *audit;
	bool quiet;
	const char *view;
	uint64_t rows;
	uint64_t letters; /* dead_letters: the sum */
	void (*check)(struct pass *pass, const struct node *row);
};

__attribute__((format(printf, 2, 3))) static void differ(struct pass *pass, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (++pass->audit->differences <= AUDIT_DIFFERENCES_SHOWN && !pass->quiet) {
		say(pass->ask->command, "%s", text);
	}
}

static int64_t integer_of(const struct node *row, const char *name)
{
	const struct node *node = node_find(row, name);
	int64_t value = INT64_MIN;

	return node != NULL && node_integer(node, &value) ? value : INT64_MIN;
}

static bool revenue_is(const struct node *row, money expected)
{
	money counted = 0;

	return money_parse_sum(node_text_at(row, "total_revenue"), &counted) == 0 &&
	       counted == expected;
}

static void check_product(struct pass *pass, const struct node *row)
{
	static const struct sales_ledger_product unsold = {.order_count = 0};
	struct slice name = node_text_at(row, "product_id");
	char text[64];
	char own_name[PRODUCT_NAME_SIZE];
	char revenue[MONEY_TEXT_SIZE];

	snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.bytes);
	unsigned long number = strncmp(text, "sku-", 4) == 0 ? strtoul(text + 4, NULL, 10) : 0;
	bool known = number >= 1 && number <= pass->ledger->product_count &&
		     strcmp(simulator_product_name((uint32_t)number - 1, own_name), text) == 0;
	const struct sales_ledger_product *sold =
		known ? &pass->ledger->products[number - 1] : &unsold;
	if (integer_of(row, "order_count") == (int64_t)sold->order_count &&
		integer_of(row, "total_quantity") == sold->total_quantity &&
		revenue_is(row, sold->total_revenue) && sold->order_count > 0) {
		return;
	}
	money_format(sold->total_revenue, revenue);
	differ(pass, "product %s: counted %lld, %lld, %.*s; accepted %llu, %lld, %s", text,
		(long long)integer_of(row, "order_count"),
		(long long)integer_of(row, "total_quantity"),
		(int)node_text_at(row, "total_revenue").size,
		(const char *)node_text_at(row, "total_revenue").bytes,
		(unsigned long long)sold->order_count, (long long)sold->total_quantity, revenue);
}

static void check_store(struct pass *pass, const struct node *row)
{
	struct slice id = node_text_at(row, "edge");

	for (size_t i = 0; i < pass->ledger->edge_count; i++) {
		const struct sales_ledger_edge *edge = &pass->ledger->edges[i];
		if (slice_equals_text(id, edge->id)) {
			if (integer_of(row, "order_count") != (int64_t)edge->accepted[KIND_ORDER] ||
				!revenue_is(row, edge->total_revenue)) {
				differ(pass, "store %s: counted %lld orders, accepted %llu",
					edge->id, (long long)integer_of(row, "order_count"),
					(unsigned long long)edge->accepted[KIND_ORDER]);
			}
			return;
		}
	}
	differ(pass, "store %.*s: nothing was accepted there", (int)id.size,
		(const char *)id.bytes);
}

static void check_letter(struct pass *pass, const struct node *row)
{
	int64_t count = integer_of(row, "count");

	pass->letters += count > 0 ? (uint64_t)count : 0;
}

static int ask_page(struct pass *pass, const char *cursor, struct answer_view *ret_answer)
{
	struct buffer buffer;
	struct writer writer;

	buffer_init(&buffer, REQUEST_SIZE_MAX);
	writer_init(&writer, ENCODING_JSON, &buffer);
	write_map(&writer, cursor[0] != '\0' ? 4 : 3);
	write_key(&writer, "query");
	write_key(&writer, "scan");
	write_key(&writer, "view");
	write_key(&writer, pass->view);
	write_key(&writer, "limit");
	write_integer(&writer, PAGE_ROWS);
	if (cursor[0] != '\0') {
		write_key(&writer, "cursor");
		write_key(&writer, cursor);
	}
	int code = buffer.error == 0 ? ask_question(pass->ask, buffer_slice(&buffer), ret_answer)
				     : EXIT_FAILED;
	buffer_deinit(&buffer);
	return code;
}

static void check_rows(struct pass *pass, const struct node *rows)
{
	const struct node *row = rows != NULL && rows->count > 0 ? node_first(rows) : NULL;

	for (uint32_t i = 0; row != NULL && i < rows->count; i++, row = node_next(row)) {
		pass->rows++;
		pass->audit->compared++;
		pass->check(pass, row);
	}
}

static int scan(struct pass *pass)
{
	char cursor[CURSOR_SIZE_MAX] = "";
	struct answer_view answer;
	struct slice next;

	do {
		int code = ask_page(pass, cursor, &answer);
		if (code >= 0) {
			return code;
		}
		check_rows(pass, node_find(answer.root, "rows"));
		next = node_text_at(answer.root, "next");
		if (next.size >= sizeof cursor) {
			say(pass->ask->command, "the cursor of view %s is too long", pass->view);
			return EXIT_FAILED;
		}
		snprintf(cursor, sizeof cursor, "%.*s", (int)next.size, (const char *)next.bytes);
	} while (next.size > 0);
	return -1;
}

static int audit_products(struct pass *pass)
{
	uint64_t sold = 0;

	pass->view = "products";
	pass->check = check_product;
	int code = scan(pass);
	for (uint32_t i = 0; i < pass->ledger->product_count; i++) {
		sold += pass->ledger->products[i].order_count > 0;
	}
	if (code < 0 && pass->rows != sold) {
		differ(pass, "%llu products counted, %llu were sold",
			(unsigned long long)pass->rows, (unsigned long long)sold);
	}
	return code;
}

static int audit_stores(struct pass *pass)
{
	uint64_t selling = 0;

	pass->view = "stores";
	pass->check = check_store;
	pass->rows = 0;
	int code = scan(pass);
	for (size_t i = 0; i < pass->ledger->edge_count; i++) {
		selling += pass->ledger->edges[i].accepted[KIND_ORDER] > 0;
	}
	if (code < 0 && pass->rows != selling) {
		differ(pass, "%llu stores counted, %llu sold something",
			(unsigned long long)pass->rows, (unsigned long long)selling);
	}
	return code;
}

static int audit_letters(struct pass *pass)
{
	pass->view = "dead_letters";
	pass->check = check_letter;
	int code = scan(pass);
	if (code < 0 && pass->letters != sales_ledger_invalid(pass->ledger)) {
		differ(pass, "%llu dead letters counted, %llu events were invalid",
			(unsigned long long)pass->letters,
			(unsigned long long)sales_ledger_invalid(pass->ledger));
	}
	return code;
}

int audit_run(
	struct ask *ask, const struct sales_ledger *ledger, bool quiet, struct audit *ret_audit)
{
	struct audit audit = {.compared = 0};
	struct pass pass = {.ask = ask, .ledger = ledger, .audit = &audit, .quiet = quiet};

	int code = audit_products(&pass);
	if (code < 0) {
		code = audit_stores(&pass);
	}
	if (code < 0) {
		code = audit_letters(&pass);
	}
	if (code < 0) {
		*ret_audit = audit;
	}
	return code;
}
