/* thread.h - what the programs' few threads need beside pthread's own: room asked for first, waits by the clock that nobody
 * sets, an end that is not waited for longer than it is worth. */
#pragma once
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum { THREADS_ASKED_MAX = 16 };

/* Whether the system has room for so many threads (THREADS_ASKED_MAX at most), asked before a library is given work that it
 * can't go back from: starts and ends them. 0: there was room for all, and glibc keeps their stacks for the next ones; else
 * -EAGAIN or what else pthread_create says. */
int thread_room_check(size_t count);

/* Waits so long for the thread to end; then it is detached, and what it holds is its own. 0 ms: at once. */
void thread_leave(pthread_t thread, int64_t wait_ms);

/* A condition whose timed waits go by CLOCK_MONOTONIC. */
void condition_init(pthread_cond_t *condition);
/* Waits until then, with the lock held: 0 where it was woken (perhaps by nobody), ETIMEDOUT. */
int condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_monotonic_ms);
