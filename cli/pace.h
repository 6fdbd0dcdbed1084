/* pace.h - so many a second, evenly: a bucket that fills with time. What could not go out (an edge that was away) is
 * made up for by at most one second's worth. Pure. */
#pragma once
#include <stdint.h>

struct pace {
	double rate; /* a second; 0: no limit */
	double tokens;
	int64_t filled_ms;
};

void pace_init(struct pace *pace, double rate, int64_t now_ms);
void pace_fill(struct pace *pace, int64_t now_ms);
/* Takes one if there is one. */
static inline int pace_take(struct pace *pace)
{
	if (pace->rate > 0 && pace->tokens < 1) {
		return 0;
	}
	pace->tokens -= pace->rate > 0 ? 1 : 0;
	return 1;
}
/* How long to sleep until there is one; 0: it is there. */
int64_t pace_wait_ms(const struct pace *pace);
