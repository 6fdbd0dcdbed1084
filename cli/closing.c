#include "cli/closing.h"
#include "proto/writer.h"
#include <inttypes.h>

enum { JSON_SIZE_MAX = 512 * 1024 * 1024 };

static int count(void *owner, const struct receipt_difference *difference)
{
	uint32_t *differences = owner;

	(void)difference;
	*differences += 1;
	return 0;
}

static uint32_t count_differences(const struct closing *closing)
{
	uint32_t differences = 0;

	if (closing->expected_orders != NULL) {
		receipts_compare(
			closing->expected_orders, closing->counted_orders, count, &differences);
	}
	return differences;
}

static bool has_other_lines(const struct closing *closing)
{
	return closing->lines_expected >= 0 && closing->lines_expected != closing->lines_counted;
}

bool closing_is_equal(const struct closing *closing)
{
	return closing->expected == closing->counted && !has_other_lines(closing) &&
	       count_differences(closing) == 0;
}

static int print_difference(void *owner, const struct receipt_difference *difference)
{
	char expected[MONEY_TEXT_SIZE] = "nothing", counted[MONEY_TEXT_SIZE] = "nothing";
	FILE *out = owner;

	if (difference->is_expected) {
		money_format(difference->expected, expected);
	}
	if (difference->is_counted) {
		money_format(difference->counted, counted);
	}
	fprintf(out, "order %.*s: %s in the report, %s counted\n", (int)difference->order_id.size,
		(const char *)difference->order_id.bytes, expected, counted);
	return 0;
}

int closing_print(const struct closing *closing, FILE *out)
{
	char expected[MONEY_TEXT_SIZE], counted[MONEY_TEXT_SIZE], rest[MONEY_TEXT_SIZE];

	money_format(closing->expected, expected);
	money_format(closing->counted, counted);
	money_format(closing->counted - closing->expected, rest);
	fprintf(out, "%s %s: expected %s, counted %s", closing->edge, closing->day, expected,
		counted);
	fprintf(out, "%s%s in %" PRId64 " lines", closing->currency[0] == '\0' ? "" : " ",
		closing->currency, closing->lines_counted);
	if (has_other_lines(closing)) {
		fprintf(out, " (expected %" PRId64 ")", closing->lines_expected);
	}
	if (closing_is_equal(closing)) {
		fprintf(out, ": equal\n");
		return 0;
	}
	if (closing->expected != closing->counted) {
		fprintf(out, ": different by %s\n", rest);
	} else {
		fprintf(out, ": the sum is equal, %s\n",
			count_differences(closing) > 0 ? "its orders are not"
						       : "the number of lines is not");
	}
	return closing->expected_orders == NULL
		       ? 0
		       : receipts_compare(closing->expected_orders, closing->counted_orders,
				 print_difference, out);
}

static void write_amount(struct writer *writer, const char *key, bool is_there, money amount)
{
	write_key(writer, key);
	if (is_there) {
		write_money(writer, amount);
	} else {
		write_nil(writer);
	}
}

static int write_difference(void *owner, const struct receipt_difference *difference)
{
	struct writer *writer = owner;

	write_map(writer, 3);
	write_key(writer, "order_id");
	write_text(writer, difference->order_id);
	write_amount(writer, "expected", difference->is_expected, difference->expected);
	write_amount(writer, "counted", difference->is_counted, difference->counted);
	return 0;
}

static void write_lines(struct writer *writer, const struct closing *closing)
{
	write_key(writer, "lines_expected");
	if (closing->lines_expected >= 0) {
		write_integer(writer, closing->lines_expected);
	} else {
		write_nil(writer);
	}
	write_key(writer, "lines_counted");
	write_integer(writer, closing->lines_counted);
}

static void write_orders(struct writer *writer, const struct closing *closing)
{
	write_key(writer, "orders");
	if (closing->expected_orders == NULL) {
		write_nil(writer);
		return;
	}
	write_array(writer, count_differences(closing));
	receipts_compare(
		closing->expected_orders, closing->counted_orders, write_difference, writer);
}

int closing_print_json(const struct closing *closing, FILE *out)
{
	struct buffer buffer;
	struct writer writer;

	buffer_init(&buffer, JSON_SIZE_MAX);
	writer_init(&writer, ENCODING_JSON, &buffer);
	write_map(&writer, 10);
	write_key(&writer, "edge");
	write_key(&writer, closing->edge);
	write_key(&writer, "day");
	write_key(&writer, closing->day);
	write_key(&writer, "currency");
	write_key(&writer, closing->currency);
	write_key(&writer, "equal");
	write_bool(&writer, closing_is_equal(closing));
	write_amount(&writer, "expected", true, closing->expected);
	write_amount(&writer, "counted", true, closing->counted);
	write_amount(&writer, "difference", true, closing->counted - closing->expected);
	write_lines(&writer, closing);
	write_orders(&writer, closing);
	int r = buffer.error;
	if (r == 0) {
		fprintf(out, "%.*s\n", (int)buffer.size, (const char *)buffer.bytes);
	}
	buffer_deinit(&buffer);
	return r;
}
