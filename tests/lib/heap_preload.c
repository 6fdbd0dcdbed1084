/* Preloaded into a program whose heap a test wants to know: at SIGRTMAX - 6 a thread of its own writes what malloc says of all
 * arenas to heap-PID in the folder that TILL_HEAP names: bytes taken from the kernel, in use, free, mapped apart. A signal's
 * handler must not ask malloc; a thread may. */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *folder;

static void report(void)
{
	char path[512];
	char part[520];
	struct mallinfo2 heap = mallinfo2();

	snprintf(path, sizeof path, "%s/heap-%d", folder, (int)getpid());
	snprintf(part, sizeof part, "%s.part", path);
	FILE *file = fopen(part, "w");
	if (file != NULL) {
		fprintf(file, "%zu %zu %zu %zu\n", heap.arena, heap.uordblks, heap.fordblks,
			heap.hblkhd);
		fclose(file);
		rename(part, path);
	}
}

static void *answer(void *asked)
{
	int number;

	for (;;) {
		if (sigwait(asked, &number) == 0) {
			report();
		}
	}
	return NULL;
}

/* Before main: threads that it starts inherit the mask. */
__attribute__((constructor)) static void listen_for_questions(void)
{
	static sigset_t asked;
	pthread_t thread;

	folder = getenv("TILL_HEAP");
	if (folder == NULL) {
		return;
	}
	sigemptyset(&asked);
	sigaddset(&asked, SIGRTMAX - 6);
	pthread_sigmask(SIG_BLOCK, &asked, NULL);
	if (pthread_create(&thread, NULL, answer, &asked) == 0) {
		pthread_detach(thread);
	}
}
