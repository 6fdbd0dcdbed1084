#include "runtime/thread.h"
#include <assert.h>
#include <time.h>

static void *wait_for_others(void *everybody)
{
	pthread_mutex_lock(everybody);
	pthread_mutex_unlock(everybody);
	return NULL;
}

int thread_room_check(size_t count)
{
	pthread_mutex_t everybody = PTHREAD_MUTEX_INITIALIZER;
	pthread_t threads[THREADS_ASKED_MAX];
	size_t started = 0;
	int r = 0;

	assert(count <= THREADS_ASKED_MAX);
	pthread_mutex_lock(&everybody);
	while (started < count && r == 0) {
		r = -pthread_create(&threads[started], NULL, wait_for_others, &everybody);
		started += r == 0;
	}
	pthread_mutex_unlock(&everybody);
	for (size_t i = 0; i < started; i++) {
		pthread_join(threads[i], NULL);
	}
	pthread_mutex_destroy(&everybody);
	return r;
}

void thread_leave(pthread_t thread, int64_t wait_ms)
{
	struct timespec until;

	/* The only clock that timedjoin knows in every glibc that we run on. */
	clock_gettime(CLOCK_REALTIME, &until);
	int64_t ns = until.tv_nsec + wait_ms % 1000 * 1000000;
	until.tv_sec += wait_ms / 1000 + ns / 1000000000;
	until.tv_nsec = ns % 1000000000;
	if (wait_ms == 0 || pthread_timedjoin_np(thread, NULL, &until) != 0) {
		pthread_detach(thread);
	}
}

void condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

int condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_monotonic_ms)
{
	const struct timespec until = {
		.tv_sec = until_monotonic_ms / 1000,
		.tv_nsec = until_monotonic_ms % 1000 * 1000000,
	};

	return pthread_cond_timedwait(condition, lock, &until);
}
