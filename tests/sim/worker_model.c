#include "tests/sim/worker_model.h"
#include "tests/sim/world.h"
#include <errno.h>
#include <stdlib.h>

enum { WORKERS_MAX = 4, FIRST_FD = 200 };

struct worker {
	int number;
	struct job *first, **end;
	bool has_run; /* the first */
	bool is_dying;
};

static struct worker *workers[WORKERS_MAX];

int worker_new(struct worker **ret_worker)
{
	struct worker *worker = calloc(1, sizeof *worker);

	if (worker == NULL) {
		return -ENOMEM;
	}
	worker->end = &worker->first;
	while (workers[worker->number] != NULL) {
		worker->number++;
	}
	workers[worker->number] = *ret_worker = worker;
	return 0;
}

struct worker *worker_free(struct worker *worker)
{
	if (worker != NULL) {
		workers[worker->number] = NULL;
		free(worker);
	}
	return NULL;
}

void worker_submit(struct worker *worker, struct job *job)
{
	job->next = NULL;
	*worker->end = job;
	worker->end = &job->next;
}

int worker_fd(const struct worker *worker)
{
	return FIRST_FD + worker->number;
}

static void run(struct worker *worker)
{
	worker->first->result = worker->is_dying ? -EIO : worker->first->run(worker->first);
	worker->has_run = true;
}

static void tell(struct worker *worker)
{
	struct job *job = worker->first;

	worker->first = job->next;
	worker->end = worker->first == NULL ? &worker->first : worker->end;
	worker->has_run = false;
	job->done(job);
}

/* One step: a job is run, or its owner hears of it. */
void worker_collect(struct worker *worker)
{
	if (worker->first == NULL || world_draw(3) != 0) {
		return;
	}
	if (worker->has_run) {
		tell(worker);
	} else {
		run(worker);
	}
}

void worker_drain(struct worker *worker)
{
	while (worker->first != NULL) {
		if (!worker->has_run) {
			run(worker);
		}
		tell(worker);
	}
}

bool worker_is_idle(struct worker *worker)
{
	return worker->first == NULL;
}

void worker_model_die(void)
{
	for (int i = 0; i < WORKERS_MAX; i++) {
		if (workers[i] != NULL) {
			workers[i]->is_dying = true;
		}
	}
}

bool worker_model_is_untold(void)
{
	for (int i = 0; i < WORKERS_MAX; i++) {
		if (workers[i] != NULL && workers[i]->has_run) {
			return true;
		}
	}
	return false;
}

uint64_t worker_model_shape(void)
{
	uint64_t shape = 0;

	for (int i = 0; i < WORKERS_MAX; i++) {
		const struct worker *worker = workers[i];
		shape = shape * 3 +
			(worker == NULL || worker->first == NULL ? 0 : 1 + worker->has_run);
	}
	return shape;
}
