/* Preloaded beside libfaketime: C11's timed wait as POSIX's. libfaketime knows the one and not the other, and librdkafka asks the
 * (false) clock for a time and waits for it by the true one: for years, or not at all. A clock that is really set moves both.
 *
 * And waits that go by the monotonic clock past libfaketime: it takes a leap of years from them, too, so that they end at once, always. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <threads.h>
#include <time.h>

_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "glibc's cnd_t is a pthread_cond_t");
_Static_assert(sizeof(mtx_t) <= sizeof(pthread_mutex_t), "and its mtx_t a pthread_mutex_t");

int cnd_timedwait(
	cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until)
{
	int r = pthread_cond_timedwait(
		(pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until);

	return r == 0 ? thrd_success : r == ETIMEDOUT ? thrd_timedout : thrd_error;
}

/* glibc keeps the clock of a condition here. */
static bool is_monotonic(const pthread_cond_t *condition)
{
	return (condition->__data.__wrefs & 2) != 0;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
	const struct timespec *restrict until)
{
	static int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);

	if (is_monotonic(condition)) {
		return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, until);
	}
	if (next == NULL) {
		*(void **)&next = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
	}
	return next(condition, mutex, until);
}
