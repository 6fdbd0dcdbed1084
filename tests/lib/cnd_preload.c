/* Preloaded beside libfaketime: C11's timed wait as POSIX's. libfaketime knows the one and not the other, and librdkafka asks the
 * (false) clock for a time and waits for it by the true one: for years, or not at all. A clock that is really set moves both. */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "glibc's cnd_t is a pthread_cond_t");
_Static_assert(sizeof(mtx_t) <= sizeof(pthread_mutex_t), "and its mtx_t a pthread_mutex_t");

int cnd_timedwait(
	cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until)
{
	int r = pthread_cond_timedwait(
		(pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until);

	return r == 0 ? thrd_success : r == ETIMEDOUT ? thrd_timedout : thrd_error;
}
