/* worker_model.h - the aggregator's committing thread without a thread: a job is run at one step of the world, and its
 * owner hears of it at another. */
#pragma once
#include "aggregator/worker.h"

struct worker *worker_model_new(void);
struct worker *worker_model_free(struct worker *worker);
/* Runs what waits, or tells what was run. true: something was told. */
bool worker_model_step(struct worker *worker);
/* The process dies: what was not run never is, and nobody hears of what was. */
void worker_model_abandon(struct worker *worker);
/* The job that waits or that nobody was told of; NULL: none. */
struct job *worker_model_job(struct worker *worker, bool *ret_has_run);
