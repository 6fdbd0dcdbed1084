/* zone_rule.h - the POSIX TZ string at the end of a TZif file: "CET-1CEST,M3.5.0,M10.5.0/3". Private to proto/. Pure. */
#pragma once
#include "proto/slice.h"

enum zone_day_type {
	ZONE_DAY_JULIAN, /* Jn: 1 … 365, February 29 is never counted */
	ZONE_DAY_OF_YEAR, /* n: 0 … 365 */
	ZONE_DAY_OF_MONTH, /* Mm.w.d: weekday d (0 Sunday) of week w (5 the last) of month m */
};

struct zone_change {
	enum zone_day_type type;
	unsigned month, week, day;
	int32_t time; /* local seconds after the day's midnight, may be negative or past a day */
};

struct zone_rule {
	int32_t offset; /* seconds east of UTC */
	bool has_summer;
	int32_t summer_offset;
	struct zone_change to_summer; /* in standard time */
	struct zone_change to_standard; /* in summer time */
};

/* false when it is no such string. */
bool zone_rule_parse(struct slice text, struct zone_rule *ret_rule);
/* UTC seconds of both changes of a year; has_summer must hold. */
void zone_rule_changes(const struct zone_rule *rule, int64_t year, int64_t *ret_to_summer,
	int64_t *ret_to_standard);
