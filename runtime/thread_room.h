/* thread_room.h - whether the system has room for threads, asked before a library is given work that it can't go back from. */
#pragma once
#include <stddef.h>

enum { THREADS_ASKED_MAX = 16 };

/* Starts so many threads at once (THREADS_ASKED_MAX at most) and ends them. 0: there was room for all, and glibc keeps their stacks
 * for the next ones; else -EAGAIN or what else pthread_create says. */
int thread_room_check(size_t count);
