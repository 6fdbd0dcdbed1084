#include "tests/sim/worker_model.h"
#include <errno.h>
#include <stdlib.h>

struct worker {
	struct job *job; /* a shard writes one commit at a time */
	bool has_run;
};

struct worker *worker_model_new(void)
{
	struct worker *worker = calloc(1, sizeof *worker);

	if (worker == NULL) {
		abort();
	}
	return worker;
}

struct worker *worker_model_free(struct worker *worker)
{
	free(worker);
	return NULL;
}

void worker_submit(struct worker *worker, struct job *job)
{
	if (worker->job != NULL) {
		abort();
	}
	worker->job = job;
	worker->has_run = false;
}

static void tell(struct worker *worker)
{
	struct job *job = worker->job;

	worker->job = NULL;
	job->done(job);
}

bool worker_model_step(struct worker *worker)
{
	if (worker->job == NULL) {
		return false;
	}
	if (worker->has_run) {
		tell(worker);
		return true;
	}
	worker->job->result = worker->job->run(worker->job);
	worker->has_run = true;
	return false;
}

void worker_model_abandon(struct worker *worker)
{
	if (worker->job != NULL) {
		worker->job->result = worker->has_run ? worker->job->result : -EIO;
		tell(worker);
	}
}

struct job *worker_model_job(struct worker *worker, bool *ret_has_run)
{
	*ret_has_run = worker->has_run;
	return worker->job;
}

bool worker_is_idle(struct worker *worker)
{
	return worker->job == NULL;
}
