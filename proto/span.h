/* span.h - spans of the calendar: "7d", "1mo". Minutes and hours are elapsed time; days, weeks and months go by the
 * clock on the wall of a zone, so that a day before 09:00 is 09:00 whatever the clocks did in between. Pure. */
#pragma once
#include "proto/timestamp.h"

enum span_unit { SPAN_MINUTE, SPAN_HOUR, SPAN_DAY, SPAN_WEEK, SPAN_MONTH };

struct span {
	int64_t count; /* 1 … QUERY_SPAN_MAX */
	enum span_unit unit;
};

/* "30min", "24h", "7d", "2w", "1mo", "1y" (which is twelve months). false when it is none of these, or too long. */
bool span_parse(struct slice text, struct span *ret_span);
/* `times` spans later; earlier where it is negative. A day that the month does not have becomes its last one, a local
 * time that does not occur the instant at which it was skipped; of one that occurs twice it is the first. */
int64_t span_shift(struct span span, int64_t times, int64_t ts_ms, const struct zone *zone);
/* The bucket that is one unit long. */
enum bucket span_bucket(enum span_unit unit);
