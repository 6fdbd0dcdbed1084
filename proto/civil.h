/* civil.h - the proleptic Gregorian calendar, without libc's time zone state. Private to proto/. Pure. */
#pragma once
#include <stdint.h>

struct civil {
	int64_t year;
	unsigned month; /* 1 … 12 */
	unsigned day; /* 1 … 31 */
};

/* Days since 1970-01-01. `month` and `day` must be valid. */
int64_t civil_days(int64_t year, unsigned month, unsigned day);
struct civil civil_from_days(int64_t days);
unsigned civil_month_days(int64_t year, unsigned month);
/* 1 Monday … 7 Sunday */
unsigned civil_weekday(int64_t days);

/* Rounded towards minus infinity, unlike C's operators. divisor > 0. */
static inline int64_t floor_divide(int64_t number, int64_t divisor)
{
	return number / divisor - (number % divisor < 0 ? 1 : 0);
}
static inline int64_t floor_modulo(int64_t number, int64_t divisor)
{
	return number - floor_divide(number, divisor) * divisor;
}
