#include "proto/span.h"

#include "proto/civil.h"
#include "proto/limits.h"
#include "proto/zone.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 }; /* seconds */

static const struct {
	const char *word;
	enum span_unit unit;
	int64_t factor;
} words[] = {
	{"min", SPAN_MINUTE, 1},
	{"h", SPAN_HOUR, 1},
	{"d", SPAN_DAY, 1},
	{"w", SPAN_WEEK, 1},
	{"mo", SPAN_MONTH, 1},
	{"y", SPAN_MONTH, 12},
};
enum { WORD_COUNT = sizeof words / sizeof words[0] };

bool span_parse(struct slice text, struct span *ret_span)
{
	int64_t count = 0;
	size_t size = 0;

	while (size < text.size && text.bytes[size] >= '0' && text.bytes[size] <= '9') {
		count = count * 10 + (text.bytes[size++] - '0');
		if (count > QUERY_SPAN_MAX) {
			return false;
		}
	}
	struct slice word = slice_of(text.bytes + size, text.size - size);
	for (size_t i = 0; i < WORD_COUNT && size > 0; i++) {
		if (slice_equals_text(word, words[i].word)) {
			*ret_span = (struct span){count * words[i].factor, words[i].unit};
			return count > 0 && ret_span->count <= QUERY_SPAN_MAX;
		}
	}
	return false;
}

static int64_t shift_month(int64_t local_day, int64_t months)
{
	struct civil date = civil_from_days(local_day);
	int64_t month = date.year * 12 + (date.month - 1) + months;
	int64_t year = floor_divide(month, 12);
	unsigned of_year = (unsigned)floor_modulo(month, 12) + 1;
	unsigned last = civil_month_days(year, of_year);

	return civil_days(year, of_year, date.day < last ? date.day : last);
}

static int64_t shift_day(int64_t local_day, enum span_unit unit, int64_t count)
{
	switch (unit) {
	case SPAN_MONTH:
		return shift_month(local_day, count);
	case SPAN_WEEK:
		return local_day + 7 * count;
	default:
		return local_day + count;
	}
}

int64_t span_shift(struct span span, int64_t times, int64_t ts_ms, const struct zone *zone)
{
	int64_t count = span.count * times;

	if (span.unit == SPAN_MINUTE || span.unit == SPAN_HOUR) {
		return ts_ms + count * (span.unit == SPAN_MINUTE ? MINUTE : HOUR) * 1000;
	}
	int64_t utc = floor_divide(ts_ms, 1000);
	int64_t local = utc + zone_offset_at(zone, utc);
	int64_t day = floor_divide(local, DAY);
	int64_t shifted = shift_day(day, span.unit, count) * DAY + (local - day * DAY);
	return zone_to_utc_or_skip(zone, shifted) * 1000 + floor_modulo(ts_ms, 1000);
}

enum bucket span_bucket(enum span_unit unit)
{
	static const enum bucket buckets[] = {
		BUCKET_MINUTE, BUCKET_HOUR, BUCKET_DAY, BUCKET_WEEK, BUCKET_MONTH};

	return buckets[unit];
}
