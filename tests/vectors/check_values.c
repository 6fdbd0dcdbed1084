/* money, time, hashes */
#include "vectors.h"

#include "proto/checksum.h"
#include "proto/money.h"
#include "proto/span.h"
#include "proto/timestamp.h"
#include "proto/zone.h"
#include "runtime/zonefile.h"

#include <stdio.h>
#include <stdlib.h>

static double vector_float64(struct check *check, const struct node *vector)
{
	uint64_t bits = 0;
	double value;

	vector_hex(check, vector, "float64");
	for (size_t i = 0; i < check->bytes.size; i++) {
		bits = bits << 8 | check->bytes.bytes[i];
	}
	memcpy(&value, &bits, sizeof value);
	return value;
}

static void check_sum_out(struct check *check, const struct node *vector, money amount)
{
	char text[MONEY_TEXT_SIZE];

	check_equal_text(check, "out", vector_text(vector, "out"),
		slice_of(text, money_format(amount, text)));
}

/* Decimal text of up to 128 bits. */
static money wide(struct slice digits)
{
	bool is_negative = digits.size > 0 && digits.bytes[0] == '-';
	money value = 0;

	for (size_t i = is_negative; i < digits.size; i++) {
		/* downwards, for the smallest amount has no positive twin */
		value = value * 10 - (digits.bytes[i] - '0');
	}
	return is_negative ? value : -value;
}

static void check_money_in(
	struct check *check, const struct node *vector, int result, int64_t micros)
{
	static const char *const errors[] = {
		[0] = "none",
		[MONEY_E_SYNTAX] = "syntax",
		[MONEY_E_PRECISION] = "precision",
		[MONEY_E_RANGE] = "range",
	};
	struct slice wanted = vector_text(vector, "error");

	if (wanted.size == 0) {
		wanted = slice_of_text("none");
	}
	check_equal_text(check, "error", wanted, slice_of_text(errors[result]));
	if (result == 0 && vector_has(vector, "micros")) {
		check_equal_number(
			check, "micros", vector_integer(check, vector, "micros"), micros);
		check_sum_out(check, vector, micros);
	}
}

void check_money(struct check *check, const struct node *vector)
{
	char text[MONEY_TEXT_SIZE];
	int64_t micros = 0;
	int r;

	if (vector_has(vector, "sum")) {
		check_sum_out(check, vector, wide(vector_text(vector, "sum")));
		return;
	}
	if (vector_has(vector, "average")) {
		money sum = wide(vector_text(vector, "average"));
		const struct node *count = node_find(vector, "count");
		size_t size = money_format_average(
			sum, strtoull((const char *)count->text.bytes, NULL, 10), text);
		check_equal_text(check, "out", vector_text(vector, "out"), slice_of(text, size));
		return;
	}
	if (vector_has(vector, "text")) {
		r = money_parse_text(vector_text(vector, "text"), &micros);
	} else if (vector_has(vector, "number")) {
		r = money_parse_number(vector_text(vector, "number"), &micros);
	} else if (vector_has(vector, "integer")) {
		r = money_from_integer(vector_integer(check, vector, "integer"), &micros);
	} else {
		r = money_from_double(vector_float64(check, vector), &micros);
	}
	check_money_in(check, vector, r, micros);
}

/* NULL for UTC; false where this machine does not have the zone. */
static bool open_zone(const struct node *vector, struct zone **ret_zone)
{
	struct slice name = vector_text(vector, "zone");
	char text[64] = "";
	uint8_t *bytes = NULL;
	size_t size = 0;
	int r;

	*ret_zone = NULL;
	if (name.size == 0 || name.size >= sizeof text || slice_equals_text(name, "UTC")) {
		return true;
	}
	memcpy(text, name.bytes, name.size);
	r = zonefile_read(text, &bytes, &size);
	if (r == 0) {
		r = zone_new(text, slice_of(bytes, size), ret_zone);
	}
	free(bytes);
	return r == 0;
}

static enum bucket bucket_of(struct slice name)
{
	static const char *const names[] = {
		"minute", "hour", "day", "week", "month", "weekday", "hour_of_day"};
	size_t i = 0;

	while (!slice_equals_text(name, names[i])) {
		i++;
	}
	return (enum bucket)i;
}

static void check_bucket(struct check *check, const struct node *vector, const struct zone *zone)
{
	enum bucket bucket = bucket_of(vector_text(vector, "bucket"));
	int64_t value = timestamp_bucket(vector_integer(check, vector, "of_ms"), bucket, zone);
	char text[TIMESTAMP_TEXT_SIZE];
	size_t size = timestamp_format_bucket(value, bucket, zone, text);
	int64_t again = -1;

	check_equal_text(check, "text", vector_text(vector, "text"), slice_of(text, size));
	check_equal_number(check, "reading it back", 0,
		timestamp_parse_bucket(slice_of(text, size), bucket, zone, &again));
	check_equal_number(check, "the bucket read back", value, again);
}

static void check_span(struct check *check, const struct node *vector, const struct zone *zone)
{
	struct span span;

	if (!span_parse(vector_text(vector, "span"), &span)) {
		check_equal_text(
			check, "error", vector_text(vector, "error"), slice_of_text("syntax"));
		return;
	}
	if (vector_has(vector, "error")) {
		check_fail(check, "taken");
		return;
	}
	check_equal_number(check, "ms", vector_integer(check, vector, "ms"),
		span_shift(span, -1, vector_integer(check, vector, "before_ms"), zone));
}

static void check_time_in(struct check *check, const struct node *vector, const struct zone *zone)
{
	static const char *const errors[] = {
		[0] = "none",
		[TIMESTAMP_E_SYNTAX] = "syntax",
		[TIMESTAMP_E_RANGE] = "range",
		[TIMESTAMP_E_NO_SUCH_TIME] = "no_such_time",
	};
	struct slice wanted = vector_text(vector, "error");
	int64_t ms = -1;
	int r;

	if (vector_has(vector, "integer")) {
		r = timestamp_from_integer(vector_integer(check, vector, "integer"), &ms);
	} else if (vector_has(vector, "float64")) {
		r = timestamp_from_double(vector_float64(check, vector), &ms);
	} else {
		r = timestamp_parse_text(vector_text(vector, "text"), zone, &ms);
	}
	check_equal_text(check, "error", wanted.size == 0 ? slice_of_text("none") : wanted,
		slice_of_text(errors[r]));
	if (r == 0 && vector_has(vector, "ms")) {
		check_equal_number(check, "ms", vector_integer(check, vector, "ms"), ms);
	}
}

void check_time(struct check *check, const struct node *vector)
{
	struct zone *zone;

	if (!open_zone(vector, &zone)) {
		printf("# %s:%u: skipped, this machine does not have the zone\n", check->file,
			check->line);
		return;
	}
	if (vector_has(vector, "bucket")) {
		check_bucket(check, vector, zone);
	} else if (vector_has(vector, "span")) {
		check_span(check, vector, zone);
	} else {
		check_time_in(check, vector, zone);
	}
	zone_free(zone);
}

static void append_hex(struct buffer *buffer, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		buffer_append_byte(buffer, (uint8_t)digits[bytes[i] >> 4]);
		buffer_append_byte(buffer, (uint8_t)digits[bytes[i] & 15]);
	}
}

void check_hashes(struct check *check, const struct node *vector)
{
	struct slice key = vector_text(vector, "key");
	int32_t murmur2 = (int32_t)vector_integer(check, vector, "murmur2") & INT32_MAX;
	const struct node *partitions = node_find(vector, "partition");
	const struct node *count = node_first(partitions);
	uint8_t hash[16];
	char crc[16];

	check_equal_number(
		check, "murmur2", murmur2 % INT32_MAX, checksum_partition(key, INT32_MAX));
	for (uint32_t i = 0; i < partitions->count; i++) {
		int64_t of = 0, wanted = 0;
		node_integer(count, &of);
		node_integer(node_next(count), &wanted);
		check_equal_number(
			check, "partition", wanted, checksum_partition(key, (int32_t)of));
		count = node_next(node_next(count));
	}
	checksum_hash128(key, hash);
	buffer_clear(&check->output);
	append_hex(&check->output, hash, sizeof hash);
	check_equal_text(
		check, "hash128", vector_text(vector, "hash128"), buffer_slice(&check->output));
	snprintf(crc, sizeof crc, "%08x", checksum_crc32c(0, key.bytes, key.size));
	check_equal_text(check, "crc32c", vector_text(vector, "crc32c"), slice_of_text(crc));
}
