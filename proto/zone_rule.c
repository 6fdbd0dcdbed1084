#include "proto/zone_rule.h"

#include "proto/civil.h"

enum { DAY = 86400, HOUR = 3600, HOURS_MAX = 167 /* RFC 8536, 3.3.1 */ };

/* Reads on until something does not fit; then `failed` sticks. */
struct cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static bool peek(const struct cursor *c, uint8_t byte)
{
	return c->at < c->end && *c->at == byte;
}

static bool skip(struct cursor *c, uint8_t byte)
{
	bool found = peek(c, byte);
	c->at += found ? 1 : 0;
	return found;
}

static void expect(struct cursor *c, uint8_t byte)
{
	if (!skip(c, byte)) {
		c->failed = true;
	}
}

static bool is_letter(uint8_t byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

/* "CET" or "<+0330>" */
static void skip_name(struct cursor *c)
{
	const uint8_t *first = c->at;

	if (skip(c, '<')) {
		while (c->at < c->end && *c->at != '>') {
			c->at++;
		}
		expect(c, '>');
		return;
	}
	while (c->at < c->end && is_letter(*c->at)) {
		c->at++;
	}
	c->failed = c->failed || c->at - first < 3;
}

static unsigned read_number(struct cursor *c, unsigned min, unsigned max)
{
	const uint8_t *first = c->at;
	unsigned number = 0;

	while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && c->at - first < 3) {
		number = number * 10 + (*c->at++ - '0');
	}
	if (c->at == first || number < min || number > max) {
		c->failed = true;
		return min;
	}
	return number;
}

/* [+-]h[h[h]][:mm[:ss]] in seconds */
static int32_t read_time(struct cursor *c, unsigned hours_max)
{
	bool is_negative = skip(c, '-');

	if (!is_negative) {
		skip(c, '+');
	}
	unsigned seconds = read_number(c, 0, hours_max) * HOUR;
	if (skip(c, ':')) {
		seconds += read_number(c, 0, 59) * 60;
		seconds += skip(c, ':') ? read_number(c, 0, 59) : 0;
	}
	return is_negative ? -(int32_t)seconds : (int32_t)seconds;
}

static struct zone_change read_change(struct cursor *c)
{
	struct zone_change change = {.time = 2 * HOUR};

	expect(c, ',');
	if (skip(c, 'M')) {
		change.type = ZONE_DAY_OF_MONTH;
		change.month = read_number(c, 1, 12);
		expect(c, '.');
		change.week = read_number(c, 1, 5);
		expect(c, '.');
		change.day = read_number(c, 0, 6);
	} else if (skip(c, 'J')) {
		change.type = ZONE_DAY_JULIAN;
		change.day = read_number(c, 1, 365);
	} else {
		change.type = ZONE_DAY_OF_YEAR;
		change.day = read_number(c, 0, 365);
	}
	if (skip(c, '/')) {
		change.time = read_time(c, HOURS_MAX);
	}
	return change;
}

bool zone_rule_parse(struct slice text, struct zone_rule *ret_rule)
{
	struct cursor c = {text.bytes, text.bytes + text.size, false};
	struct zone_rule rule = {0};

	skip_name(&c);
	rule.offset = -read_time(&c, 24); /* POSIX counts west of Greenwich */
	if (!c.failed && c.at < c.end) {
		rule.has_summer = true;
		skip_name(&c);
		rule.summer_offset = peek(&c, ',') ? rule.offset + HOUR : -read_time(&c, 24);
		rule.to_summer = read_change(&c);
		rule.to_standard = read_change(&c);
	}
	if (c.failed || c.at != c.end) {
		return false;
	}
	*ret_rule = rule;
	return true;
}

static int64_t day_of_month_change(const struct zone_change *change, int64_t year)
{
	int64_t first = civil_days(year, change->month, 1);
	unsigned first_weekday = civil_weekday(first) % 7; /* 0 Sunday, as in the rule */
	unsigned day = (change->day + 7 - first_weekday) % 7 + (change->week - 1) * 7;

	return first + (day < civil_month_days(year, change->month) ? day : day - 7);
}

/* Local seconds of the change. */
static int64_t change_in_year(const struct zone_change *change, int64_t year)
{
	int64_t day = civil_days(year, 1, 1);

	switch (change->type) {
	case ZONE_DAY_JULIAN:
		day += change->day - 1;
		if (change->day >= 60 && civil_month_days(year, 2) == 29) {
			day++;
		}
		break;
	case ZONE_DAY_OF_YEAR:
		day += change->day;
		break;
	case ZONE_DAY_OF_MONTH:
		day = day_of_month_change(change, year);
		break;
	}
	return day * DAY + change->time;
}

void zone_rule_changes(const struct zone_rule *rule, int64_t year, int64_t *ret_to_summer,
	int64_t *ret_to_standard)
{
	*ret_to_summer = change_in_year(&rule->to_summer, year) - rule->offset;
	*ret_to_standard = change_in_year(&rule->to_standard, year) - rule->summer_offset;
}
