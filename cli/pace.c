#include "cli/pace.h"

/* Nobody sees the difference, and a fast pace need not wake us for each row. */
enum { WAIT_MS_MIN = 10 };

void pace_init(struct pace *pace, double rate, int64_t now_ms)
{
	*pace = (struct pace){.rate = rate, .tokens = 1, .filled_ms = now_ms};
}

void pace_fill(struct pace *pace, int64_t now_ms)
{
	double most = pace->rate > 1 ? pace->rate : 1;

	pace->tokens += pace->rate * (double)(now_ms - pace->filled_ms) / 1000;
	pace->filled_ms = now_ms;
	if (pace->tokens > most) {
		pace->tokens = most;
	}
}

int64_t pace_wait_ms(const struct pace *pace)
{
	if (pace->rate <= 0 || pace->tokens >= 1) {
		return 0;
	}
	int64_t wait_ms = 1 + (int64_t)((1 - pace->tokens) / pace->rate * 1000);
	return wait_ms < WAIT_MS_MIN ? WAIT_MS_MIN : wait_ms;
}
