/* timestamp.h - points in time and their buckets. A timestamp is milliseconds since the epoch, UTC,
 * years 1970-9999. Pure functions; time zones come in as a parsed `struct zone` (zone.h), NULL is UTC.
 * The forms are contracts: PROTOCOL.md, "Time". An int result is 0 or a TIMESTAMP_E_*. */
#pragma once
#include "proto/slice.h"

struct zone;

enum {
	TIMESTAMP_E_SYNTAX = 1,
	TIMESTAMP_E_RANGE, /* outside 1970-9999, or a number past 10^17 */
	TIMESTAMP_E_NO_SUCH_TIME, /* a local time that a change of clocks skipped */
};

#define TIMESTAMP_MS_MAX INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

/* |n| < 10^11 seconds, < 10^14 ms, < 10^17 µs. */
int timestamp_from_integer(int64_t number, int64_t *ret_ms);
int timestamp_from_double(double number, int64_t *ret_ms);
/* YYYY-MM-DD[T ]HH:MM[:SS[.f]][Z|±HH[:]MM]; without offset it is local in `zone`, the first of two. */
int timestamp_parse_text(struct slice text, const struct zone *zone, int64_t *ret_ms);

enum bucket {
	BUCKET_MINUTE,
	BUCKET_HOUR,
	BUCKET_DAY,
	BUCKET_WEEK, /* named by its Monday */
	BUCKET_MONTH,
	BUCKET_WEEKDAY, /* 1 Monday … 7 */
	BUCKET_HOUR_OF_DAY, /* 0 … 23 */
};

/* The bucket's value: for the first five the UTC ms of its first instant in `zone`, else the number. */
int64_t timestamp_bucket(int64_t ts_ms, enum bucket bucket, const struct zone *zone);

enum { TIMESTAMP_TEXT_SIZE = 40 };
/* A bucket as people see it: "2010-12-01T08:26", in a zone other than UTC with its offset. Returns the length. */
size_t timestamp_format_bucket(
	int64_t value, enum bucket bucket, const struct zone *zone, char text[TIMESTAMP_TEXT_SIZE]);
/* Reads what timestamp_format_bucket wrote (and, for ranges, any form of timestamp_parse_text). */
int timestamp_parse_bucket(
	struct slice text, enum bucket bucket, const struct zone *zone, int64_t *ret_value);
/* "2010-12-01T08:26:00.000Z" */
size_t timestamp_format(int64_t ts_ms, char text[TIMESTAMP_TEXT_SIZE]);
