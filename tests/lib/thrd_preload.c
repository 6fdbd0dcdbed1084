/* Preloaded under TSan: C11's threads as POSIX threads. GCC 12's TSan does not know thrd_create, and a thread that it has
 * not seen begin (librdkafka's are all of this kind) brings it down at its first malloc. Not instrumented itself. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

struct start {
	thrd_start_t function;
	void *argument;
};

static void *run(void *owned)
{
	struct start start = *(struct start *)owned;

	free(owned);
	return (void *)(intptr_t)start.function(start.argument);
}

int thrd_create(thrd_t *ret_thread, thrd_start_t function, void *argument)
{
	struct start *start = malloc(sizeof *start);

	if (start == NULL) {
		return thrd_nomem;
	}
	*start = (struct start){function, argument};
	if (pthread_create(ret_thread, NULL, run, start) != 0) {
		free(start);
		return thrd_error;
	}
	return thrd_success;
}

int thrd_join(thrd_t thread, int *ret_result)
{
	void *result = NULL;

	if (pthread_join(thread, &result) != 0) {
		return thrd_error;
	}
	if (ret_result != NULL) {
		*ret_result = (int)(intptr_t)result;
	}
	return thrd_success;
}

int thrd_detach(thrd_t thread)
{
	return pthread_detach(thread) == 0 ? thrd_success : thrd_error;
}
