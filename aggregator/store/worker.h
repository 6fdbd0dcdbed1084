/* worker.h - a thread that runs jobs one after the other, in the order in which they were given. The loop hears of
 * finished ones through a file descriptor and calls their `done` itself. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct worker;

/* Embedded in its owner, who leaves it alone between worker_submit and `done`. */
struct job {
	int (*run)(struct job *job); /* on the worker's thread; what it returns becomes `result` */
	void (*done)(struct job *job); /* on the loop's thread, by worker_collect */
	int result;
	int64_t took_us;
	struct job *next; /* private */
};

int worker_new(struct worker **ret_worker);
/* Waits for the jobs that were given; their `done` is not called. */
struct worker *worker_free(struct worker *worker);
void worker_submit(struct worker *worker, struct job *job);
int worker_fd(const struct worker *worker); /* readable when a job is finished */
void worker_collect(struct worker *worker);
/* Waits until every job that was given is finished, and collects them; those that their `done` gives, too. */
void worker_drain(struct worker *worker);
bool worker_is_idle(struct worker *worker); /* nothing runs, waits, or is to be collected */
