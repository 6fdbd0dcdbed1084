#include "proto/timestamp.h"

#include <math.h>

#include "proto/civil.h"
#include "proto/zone.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 }; /* seconds */

static const int64_t SECONDS_END = INT64_C(100000000000); /* 10^11: below, a number is seconds */
static const int64_t MS_END = INT64_C(100000000000000); /* below, milliseconds */
static const int64_t MICROS_END = INT64_C(100000000000000000); /* below, microseconds */

/* The first week of 1970 begins in 1969, and so do its days in Tokyo: buckets lie a little outside the range. */
static const int64_t BUCKET_SLACK_MS = INT64_C(31) * DAY * 1000;

static int in_range(int64_t ms, int64_t *ret_ms)
{
	if (ms < 0 || ms > TIMESTAMP_MS_MAX) {
		return TIMESTAMP_E_RANGE;
	}
	*ret_ms = ms;
	return 0;
}

int timestamp_from_integer(int64_t number, int64_t *ret_ms)
{
	if (number < 0 || number >= MICROS_END) {
		return TIMESTAMP_E_RANGE;
	}
	if (number < SECONDS_END) {
		return in_range(number * 1000, ret_ms);
	}
	return in_range(number < MS_END ? number : number / 1000, ret_ms);
}

/* To the nearest millisecond: the double next to 1291193160.123 lies below it. */
int timestamp_from_double(double number, int64_t *ret_ms)
{
	if (isnan(number)) {
		return TIMESTAMP_E_SYNTAX;
	}
	if (number < 0 || number >= (double)MICROS_END) {
		return TIMESTAMP_E_RANGE;
	}
	double ms = number < (double)SECONDS_END ? number * 1000
		    : number < (double)MS_END    ? number
						 : number / 1000;
	return in_range(llround(ms), ret_ms);
}

/* Reads on until something does not fit; then `failed` sticks. */
struct cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static bool at_end(const struct cursor *c)
{
	return c->at == c->end;
}

static bool skip(struct cursor *c, uint8_t byte)
{
	bool found = !at_end(c) && *c->at == byte;
	c->at += found ? 1 : 0;
	return found;
}

static void expect(struct cursor *c, uint8_t byte)
{
	if (!skip(c, byte)) {
		c->failed = true;
	}
}

static bool is_digit(const struct cursor *c)
{
	return !at_end(c) && *c->at >= '0' && *c->at <= '9';
}

/* Exactly `width` digits that say a number from `min` to `max`. */
static unsigned read_number(struct cursor *c, int width, unsigned min, unsigned max)
{
	unsigned number = 0;

	for (int i = 0; i < width; i++) {
		if (!is_digit(c)) {
			c->failed = true;
			return min;
		}
		number = number * 10 + (*c->at++ - '0');
	}
	if (number < min || number > max) {
		c->failed = true;
		return min;
	}
	return number;
}

/* What a text says, before it is an instant. */
struct reading {
	int64_t local; /* seconds, as if the clock showed UTC */
	int32_t ms;
	bool has_offset;
	int32_t offset; /* seconds east */
};

static void read_month(struct cursor *c, struct civil *ret_date)
{
	ret_date->year = read_number(c, 4, 0, 9999);
	expect(c, '-');
	ret_date->month = read_number(c, 2, 1, 12);
	ret_date->day = 1;
}

static void read_day(struct cursor *c, struct civil *date)
{
	expect(c, '-');
	date->day = read_number(c, 2, 1, civil_month_days(date->year, date->month));
}

/* ".123456": what is past milliseconds is cut off. */
static int32_t read_fraction(struct cursor *c)
{
	int32_t ms = 0;
	int32_t unit = 100;

	if (!is_digit(c)) {
		c->failed = true;
	}
	for (; is_digit(c); c->at++, unit /= 10) {
		ms += (*c->at - '0') * unit;
	}
	return ms;
}

/* Z, or ±HH[:]MM, with [:]SS for the few zones that had seconds; nothing when the text ends. */
static void read_offset(struct cursor *c, struct reading *reading)
{
	if (at_end(c)) {
		return;
	}
	reading->has_offset = true;
	if (skip(c, 'Z')) {
		return;
	}
	bool is_west = skip(c, '-');
	if (!is_west) {
		expect(c, '+');
	}
	int32_t offset = (int32_t)read_number(c, 2, 0, 23) * HOUR;
	skip(c, ':');
	offset += (int32_t)read_number(c, 2, 0, 59) * MINUTE;
	if (!at_end(c)) {
		skip(c, ':');
		offset += (int32_t)read_number(c, 2, 0, 59);
	}
	reading->offset = is_west ? -offset : offset;
}

static void read_time_of_day(struct cursor *c, struct reading *reading)
{
	if (!skip(c, ' ')) {
		expect(c, 'T');
	}
	reading->local += read_number(c, 2, 0, 23) * HOUR;
	expect(c, ':');
	reading->local += read_number(c, 2, 0, 59) * MINUTE;
	if (skip(c, ':')) {
		reading->local += read_number(c, 2, 0, 59);
		reading->ms = skip(c, '.') ? read_fraction(c) : 0;
	}
	read_offset(c, reading);
}

/* `day_is_enough`: buckets are also named by a date or a month alone. */
static int read_text(struct slice text, bool day_is_enough, struct reading *ret_reading)
{
	struct cursor c = {text.bytes, text.bytes + text.size, false};
	struct reading reading = {0};
	struct civil date = {0};

	read_month(&c, &date);
	bool is_month = day_is_enough && at_end(&c);
	if (!c.failed && !is_month) {
		read_day(&c, &date);
	}
	if (c.failed) {
		return TIMESTAMP_E_SYNTAX;
	}
	reading.local = civil_days(date.year, date.month, date.day) * DAY;
	if (!(day_is_enough && at_end(&c))) {
		read_time_of_day(&c, &reading);
	}
	if (c.failed || !at_end(&c)) {
		return TIMESTAMP_E_SYNTAX;
	}
	*ret_reading = reading;
	return 0;
}

int timestamp_parse_text(struct slice text, const struct zone *zone, int64_t *ret_ms)
{
	struct reading reading;
	int64_t utc = 0;

	if (text.size == 0) {
		return TIMESTAMP_E_SYNTAX;
	}
	int r = read_text(text, false, &reading);
	if (r != 0) {
		return r;
	}
	if (reading.has_offset) {
		utc = reading.local - reading.offset;
	} else if (!zone_to_utc(zone, reading.local, &utc)) {
		return TIMESTAMP_E_NO_SUCH_TIME;
	}
	return in_range(utc * 1000 + reading.ms, ret_ms);
}

/* Minutes and hours keep the offset under which they were counted, so that an hour that the clocks show twice is two
 * buckets. Where the offset changed within the hour, the bucket begins at the change. */
static int64_t bucket_start_short(int64_t utc, int64_t size, const struct zone *zone)
{
	int32_t offset = zone_offset_at(zone, utc);
	int64_t start = floor_divide(utc + offset, size) * size - offset;

	return zone_offset_since(zone, start, utc);
}

static int64_t local_day_start(int64_t local_day, enum bucket bucket)
{
	if (bucket == BUCKET_WEEK) {
		return local_day - (civil_weekday(local_day) - 1);
	}
	if (bucket == BUCKET_MONTH) {
		return local_day - (civil_from_days(local_day).day - 1);
	}
	return local_day;
}

int64_t timestamp_bucket(int64_t ts_ms, enum bucket bucket, const struct zone *zone)
{
	int64_t utc = floor_divide(ts_ms, 1000);

	if (bucket == BUCKET_MINUTE || bucket == BUCKET_HOUR) {
		return bucket_start_short(utc, bucket == BUCKET_MINUTE ? MINUTE : HOUR, zone) *
		       1000;
	}
	int64_t local = utc + zone_offset_at(zone, utc);
	int64_t day = floor_divide(local, DAY);
	if (bucket == BUCKET_WEEKDAY) {
		return civil_weekday(day);
	}
	if (bucket == BUCKET_HOUR_OF_DAY) {
		return (local - day * DAY) / HOUR;
	}
	return zone_to_utc_or_skip(zone, local_day_start(day, bucket) * DAY) * 1000;
}

static char *put(char *at, int64_t number, int width)
{
	for (int i = width - 1; i >= 0; i--, number /= 10) {
		at[i] = (char)('0' + number % 10);
	}
	return at + width;
}

static char *put_separated(char *at, char separator, int64_t number)
{
	*at++ = separator;
	return put(at, number, 2);
}

static char *put_date(char *at, int64_t local_seconds)
{
	struct civil date = civil_from_days(floor_divide(local_seconds, DAY));

	at = put(at, date.year, 4);
	at = put_separated(at, '-', date.month);
	return put_separated(at, '-', date.day);
}

static char *put_minute(char *at, int64_t local_seconds)
{
	int64_t second = floor_modulo(local_seconds, DAY);

	at = put_separated(at, 'T', second / HOUR);
	return put_separated(at, ':', second / MINUTE % 60);
}

static char *put_offset(char *at, int32_t offset)
{
	int64_t east = offset < 0 ? -(int64_t)offset : offset;

	at = put_separated(at, offset < 0 ? '-' : '+', east / HOUR);
	at = put_separated(at, ':', east / MINUTE % 60);
	return east % MINUTE == 0 ? at : put_separated(at, ':', east % MINUTE);
}

static size_t finish(char *text, char *end)
{
	*end = '\0';
	return (size_t)(end - text);
}

size_t timestamp_format_bucket(
	int64_t value, enum bucket bucket, const struct zone *zone, char text[TIMESTAMP_TEXT_SIZE])
{
	if (bucket == BUCKET_WEEKDAY || bucket == BUCKET_HOUR_OF_DAY) {
		return finish(text, put(text, value, value < 10 ? 1 : 2));
	}
	int64_t utc = floor_divide(value, 1000);
	int32_t offset = zone_offset_at(zone, utc);
	int64_t local = utc + offset;
	char *at = put_date(text, local);
	if (bucket == BUCKET_MONTH) {
		return finish(text, at - 3);
	}
	if (bucket == BUCKET_DAY || bucket == BUCKET_WEEK) {
		return finish(text, at);
	}
	/* a bucket that begins at a change of clocks is still named by its full hour */
	at = put_minute(at, bucket == BUCKET_HOUR ? local - floor_modulo(local, HOUR) : local);
	return finish(text, zone == NULL ? at : put_offset(at, offset));
}

static int parse_number(struct slice text, int64_t min, int64_t max, int64_t *ret_value)
{
	int64_t number = 0;

	if (text.size == 0 || text.size > 2) {
		return TIMESTAMP_E_SYNTAX;
	}
	for (size_t i = 0; i < text.size; i++) {
		if (text.bytes[i] < '0' || text.bytes[i] > '9') {
			return TIMESTAMP_E_SYNTAX;
		}
		number = number * 10 + (text.bytes[i] - '0');
	}
	if (number < min || number > max) {
		return TIMESTAMP_E_RANGE;
	}
	*ret_value = number;
	return 0;
}

/* "01:00+10:30" where that offset only began at 01:30: the name of a bucket is not always an instant of it. */
static int64_t instant_of(
	const struct reading *reading, enum bucket bucket, const struct zone *zone)
{
	if (!reading->has_offset) {
		return zone_to_utc_or_skip(zone, reading->local);
	}
	int64_t utc = reading->local - reading->offset;
	int64_t last = utc + (bucket == BUCKET_HOUR ? HOUR : MINUTE) - 1;
	bool begins_late = zone_offset_at(zone, utc) != reading->offset &&
			   zone_offset_at(zone, last) == reading->offset;
	return begins_late ? last : utc;
}

int timestamp_parse_bucket(
	struct slice text, enum bucket bucket, const struct zone *zone, int64_t *ret_value)
{
	struct reading reading;

	if (bucket == BUCKET_WEEKDAY) {
		return parse_number(text, 1, 7, ret_value);
	}
	if (bucket == BUCKET_HOUR_OF_DAY) {
		return parse_number(text, 0, 23, ret_value);
	}
	if (text.size == 0) {
		return TIMESTAMP_E_SYNTAX;
	}
	int r = read_text(text, true, &reading);
	if (r != 0) {
		return r;
	}
	int64_t ms = instant_of(&reading, bucket, zone) * 1000 + reading.ms;
	if (ms < -BUCKET_SLACK_MS || ms > TIMESTAMP_MS_MAX + BUCKET_SLACK_MS) {
		return TIMESTAMP_E_RANGE;
	}
	*ret_value = timestamp_bucket(ms, bucket, zone);
	return 0;
}

size_t timestamp_format(int64_t ts_ms, char text[TIMESTAMP_TEXT_SIZE])
{
	int64_t utc = floor_divide(ts_ms, 1000);
	char *at = put_minute(put_date(text, utc), utc);

	at = put_separated(at, ':', floor_modulo(utc, MINUTE));
	*at++ = '.';
	at = put(at, floor_modulo(ts_ms, 1000), 3);
	*at++ = 'Z';
	return finish(text, at);
}
