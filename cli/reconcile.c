/* till reconcile: a till's closing report against the totals, to the cent; where both are by order, order by order. */
#include "cli/ask.h"
#include "cli/closing.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/ranking.h"
#include "cli/report_file.h"
#include "proto/writer.h"
#include "runtime/program.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char name[] = "till reconcile";

enum { PAGE_ROWS = 10000, CURSOR_SIZE_MAX = 4096 };

struct reconcile_options {
	struct key_files keys;
	const char *endpoint;
	const char *edge, *day;
	const char *view; /* by edge and day */
	const char *orders; /* by edge, day and order_id */
	const char *expected_text;
	money expected;
	bool has_expected; /* else the report's sum */
	int64_t lines; /* -1: not said */
	const char *currency; /* NULL: the only one there is */
	const char *report; /* a file; NULL: none */
	bool json;
	int64_t timeout_ms;
};

/* What the totals have of that day. */
struct counted_day {
	char currency[CURRENCY_SIZE + 1];
	money amount;
	int64_t lines;
};

static int parse_expected(struct reconcile_options *reconcile)
{
	if (reconcile->expected_text != NULL) {
		int64_t micros = 0;
		if (money_parse_text(slice_of_text(reconcile->expected_text), &micros) != 0) {
			say(name, "--expected \"%s\" is no amount, such as 1234.50",
				reconcile->expected_text);
			return EXIT_USAGE;
		}
		reconcile->expected = micros;
		reconcile->has_expected = true;
	} else if (reconcile->report == NULL) {
		say(name, "--expected or --report is needed: what the till says");
		return EXIT_USAGE;
	}
	return -1;
}

static int parse(int argc, char **argv, struct reconcile_options *reconcile)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--expected", 0, OPTION_TEXT, &reconcile->expected_text, "AMOUNT",
			"the total of the till's closing report, such as 1234.50", 0, 0},
		{"--lines", 0, OPTION_INTEGER, &reconcile->lines, "N", "and how many lines", 0,
			INT64_MAX},
		{"--currency", 0, OPTION_TEXT, &reconcile->currency, "CODE",
			"needed only where the day has several", 0, 0},
		{"--report", 0, OPTION_TEXT, &reconcile->report, "FILE",
			"the report by order: CSV whose first line names order_id and amount; "
			"several lines of an order are added up",
			0, 0},
		{"--view", 0, OPTION_TEXT, &reconcile->view, "VIEW",
			"totals by edge and day, default stores_per_day", 0, 0},
		{"--orders-view", 0, OPTION_TEXT, &reconcile->orders, "VIEW",
			"totals by edge, day and order_id, default orders_per_store_day", 0, 0},
		{"--at", 0, OPTION_TEXT, &reconcile->endpoint, "ENDPOINT",
			"the aggregator, default " AGGREGATOR_DEFAULT, 0, 0},
		{"--json", 0, OPTION_FLAG, &reconcile->json, NULL, "one JSON object", 0, 0},
		{"--timeout", 0, OPTION_DURATION, &reconcile->timeout_ms, "TIME",
			"wait so long for an answer, default 10s", 0, 0},
		KEY_OPTIONS(&reconcile->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {name, "EDGE DAY --expected AMOUNT [OPTIONS]",
		"Holds the closing report of a till against what was counted of its edge on that "
		"day (2026-11-22, in the\nview's zone), exactly. With --report the difference is "
		"named order by order. Exit code: 0 equal, 1 different.",
		options, 2, 2};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code < 0) {
		reconcile->edge = positionals.items[0];
		reconcile->day = positionals.items[1];
		code = parse_expected(reconcile);
	}
	return code;
}

/* ---- the day's total */

static void write_day_request(const struct reconcile_options *reconcile, struct buffer *request)
{
	struct writer writer;

	writer_init(&writer, ENCODING_JSON, request);
	write_map(&writer, 3);
	write_key(&writer, "query");
	write_key(&writer, "get");
	write_key(&writer, "view");
	write_key(&writer, reconcile->view);
	write_key(&writer, "key");
	write_array(&writer, 2);
	write_key(&writer, reconcile->edge);
	write_key(&writer, reconcile->day);
}

static bool read_amount(const struct node *row, money *ret_amount)
{
	const struct node *amount = node_find(row, "total_revenue");

	return amount != NULL && amount->type == NODE_TEXT &&
	       money_parse_sum(amount->text, ret_amount) == 0;
}

static bool read_day(const struct node *row, struct counted_day *day)
{
	const struct node *currency = node_find(row, "currency");
	const struct node *lines = node_find(row, "order_count");

	if (currency == NULL || currency->type != NODE_TEXT ||
		currency->text.size > CURRENCY_SIZE || lines == NULL ||
		!node_integer(lines, &day->lines) || !read_amount(row, &day->amount)) {
		return false;
	}
	snprintf(day->currency, sizeof day->currency, "%.*s", (int)currency->text.size,
		(const char *)currency->text.bytes);
	return true;
}

/* No row: nothing was sold. -1, or the exit code. */
static int choose_day(const struct reconcile_options *reconcile, const struct node *rows,
	struct counted_day *ret_day)
{
	const struct node *row = node_first(rows);
	uint32_t found = 0;

	*ret_day = (struct counted_day){.amount = 0};
	snprintf(ret_day->currency, sizeof ret_day->currency, "%.3s",
		reconcile->currency == NULL ? "" : reconcile->currency);
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		struct counted_day day;
		if (!read_day(row, &day)) {
			say(name,
				"view %s does not have order_count and total_revenue by edge "
				"and day",
				reconcile->view);
			return EXIT_FAILED;
		}
		if (reconcile->currency == NULL || strcmp(reconcile->currency, day.currency) == 0) {
			*ret_day = day;
			found++;
		}
	}
	if (found > 1) {
		say(name, "the day has %u currencies: name one with --currency", found);
		return EXIT_USAGE;
	}
	return -1;
}

static int ask_day(
	struct ask *ask, const struct reconcile_options *reconcile, struct counted_day *ret_day)
{
	struct answer_view answer;
	struct buffer request;
	char text[128];

	buffer_init(&request, QUERY_SIZE_MAX);
	write_day_request(reconcile, &request);
	int code = ask_question(ask, buffer_slice(&request), &answer);
	buffer_deinit(&request);
	if (code >= 0) {
		return code;
	}
	const struct node *rows = node_find(answer.root, "rows");
	if (rows == NULL || rows->type != NODE_ARRAY) {
		say(name, "the answer has no rows");
		return EXIT_FAILED;
	}
	if (freshness_text(&answer, text) != NULL) {
		say(name, "%s", text);
	}
	return choose_day(reconcile, rows, ret_day);
}

/* ---- by order */

static void write_equal(struct writer *writer, const char *field, const char *value)
{
	write_map(writer, 3);
	write_key(writer, "field");
	write_key(writer, field);
	write_key(writer, "op");
	write_key(writer, "=");
	write_key(writer, "value");
	write_key(writer, value);
}

static void write_orders_request(const struct reconcile_options *reconcile, const char *currency,
	struct slice cursor, struct buffer *request)
{
	struct writer writer;

	writer_init(&writer, ENCODING_JSON, request);
	write_map(&writer, 4 + (cursor.size > 0));
	write_key(&writer, "query");
	write_key(&writer, "scan");
	write_key(&writer, "view");
	write_key(&writer, reconcile->orders);
	write_key(&writer, "limit");
	write_integer(&writer, PAGE_ROWS);
	write_key(&writer, "where");
	write_array(&writer, 2 + (currency[0] != '\0'));
	write_equal(&writer, "edge", reconcile->edge);
	write_equal(&writer, "day", reconcile->day);
	if (currency[0] != '\0') {
		write_equal(&writer, "currency", currency);
	}
	if (cursor.size > 0) {
		write_key(&writer, "cursor");
		write_text(&writer, cursor);
	}
}

static int take_orders(const struct node *rows, struct receipts *receipts)
{
	const struct node *row = rows == NULL ? NULL : node_first(rows);
	int r = 0;

	for (uint32_t i = 0; r == 0 && rows != NULL && i < rows->count; i++) {
		const struct node *id = node_find(row, "order_id");
		money amount = 0;
		r = id == NULL || id->type != NODE_TEXT || !read_amount(row, &amount)
			    ? -EBADMSG
			    : receipts_add(receipts, id->text, amount);
		row = node_next(row);
	}
	return r;
}

/* One page. *cursor_size 0: it was the last one. -1, or the exit code. */
static int ask_page(struct ask *ask, const struct reconcile_options *reconcile,
	const char *currency, struct buffer *cursor, struct receipts *receipts)
{
	struct answer_view answer;
	struct buffer request;

	buffer_init(&request, QUERY_SIZE_MAX);
	write_orders_request(reconcile, currency, buffer_slice(cursor), &request);
	int code = ask_question(ask, buffer_slice(&request), &answer);
	buffer_deinit(&request);
	if (code >= 0) {
		return code;
	}
	int r = take_orders(node_find(answer.root, "rows"), receipts);
	if (r < 0) {
		say(name, "view %s: %s", reconcile->orders,
			r == -EBADMSG ? "its rows do not have order_id and total_revenue"
				      : strerror(-r));
		return EXIT_FAILED;
	}
	const struct node *next = node_find(answer.root, "next");
	buffer_clear(cursor);
	if (next != NULL && next->type == NODE_TEXT) {
		buffer_append(cursor, next->text.bytes, next->text.size);
	}
	return cursor->error != 0 ? EXIT_FAILED : -1;
}

static int ask_orders(struct ask *ask, const struct reconcile_options *reconcile,
	const char *currency, struct receipts *receipts)
{
	struct buffer cursor;
	int code = -1;

	buffer_init(&cursor, CURSOR_SIZE_MAX);
	do {
		code = ask_page(ask, reconcile, currency, &cursor, receipts);
	} while (code < 0 && cursor.size > 0);
	buffer_deinit(&cursor);
	if (code == EXIT_FAILED) {
		say(name,
			"by order needs a view like this in [aggregator]'s configuration:\n"
			"  [view.%s]\n  kind = order\n  group_by = edge, day(ts), order_id\n"
			"  measures = order_count = count(), total_revenue = sum(revenue)\n"
			"  retain = 8d",
			reconcile->orders);
	}
	return code < 0 && receipts_settle(receipts) < 0 ? EXIT_FAILED : code;
}

/* ---- the whole */

/* The report's own sum, where no other is given. -1, or the exit code. */
static int sum_report(struct reconcile_options *reconcile, const struct receipts *report)
{
	for (size_t i = 0; !reconcile->has_expected && i < report->count; i++) {
		if (!money_add(&reconcile->expected, report->items[i].amount)) {
			say(name, "the report's sum is too large");
			return EXIT_FAILED;
		}
	}
	return -1;
}

static int compare_orders(struct ask *ask, const struct reconcile_options *reconcile,
	struct closing *closing, struct receipts *counted)
{
	if (reconcile->report == NULL) {
		return -1;
	}
	closing->counted_orders = counted;
	return ask_orders(ask, reconcile, closing->currency, counted);
}

static int reconcile_day(struct reconcile_options *reconcile, const struct receipts *report,
	struct receipts *counted)
{
	struct counted_day day;
	struct ask ask;

	int code = ask_open(&ask, &(struct ask_options){.command = name,
					  .endpoint = reconcile->endpoint,
					  .timeout_ms = reconcile->timeout_ms,
					  .keys = reconcile->keys});
	if (code < 0) {
		code = ask_day(&ask, reconcile, &day);
	}
	struct closing closing = {
		.edge = reconcile->edge,
		.day = reconcile->day,
		.expected = reconcile->expected,
		.lines_expected = reconcile->lines,
		.expected_orders = reconcile->report == NULL ? NULL : report,
	};
	if (code < 0) {
		closing.currency = day.currency;
		closing.counted = day.amount;
		closing.lines_counted = day.lines;
		code = compare_orders(&ask, reconcile, &closing, counted);
	}
	ask_close(&ask);
	if (code >= 0) {
		return code;
	}
	int r = reconcile->json ? closing_print_json(&closing, stdout)
				: closing_print(&closing, stdout);
	if (r < 0) {
		say(name, "%s", strerror(-r));
		return EXIT_FAILED;
	}
	return closing_is_equal(&closing) ? EXIT_STOPPED : EXIT_FAILED;
}

int command_reconcile(int argc, char **argv)
{
	struct reconcile_options reconcile = {.endpoint = AGGREGATOR_DEFAULT,
		.view = "stores_per_day",
		.orders = "orders_per_store_day",
		.lines = -1,
		.timeout_ms = 10000};
	struct receipts report, counted;

	int code = parse(argc, argv, &reconcile);
	if (code >= 0) {
		return code;
	}
	receipts_init(&report);
	receipts_init(&counted);
	if (reconcile.report != NULL) {
		code = report_file_read(name, reconcile.report, &report);
	}
	if (code < 0) {
		code = sum_report(&reconcile, &report);
	}
	if (code < 0) {
		code = reconcile_day(&reconcile, &report, &counted);
	}
	receipts_deinit(&report);
	receipts_deinit(&counted);
	return code;
}
