#include "runtime/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static int64_t read_clock_us(clockid_t id)
{
	struct timespec now = {0};
	(void)clock_gettime(id, &now); /* can't fail for these clocks */
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
	return read_clock_us(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
	return clock_monotonic_us() / 1000;
}

int64_t clock_wall_ms(void)
{
	return read_clock_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_thread_us(void)
{
	return read_clock_us(CLOCK_THREAD_CPUTIME_ID);
}

int random_bytes(void *bytes, size_t size)
{
	unsigned char *at = bytes;

	while (size > 0) {
		ssize_t got = getrandom(at, size, 0);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			return -errno;
		}
		at += got;
		size -= (size_t)got;
	}
	return 0;
}

uint64_t random_u64(void)
{
	uint64_t value = 0;
	if (random_bytes(&value, sizeof value) < 0) {
		abort();
	}
	return value;
}
