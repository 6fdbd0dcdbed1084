#include "runtime/thread_room.h"
#include <assert.h>
#include <pthread.h>

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
