/* worker_model.h - the aggregator's committing threads without threads: a job is run at one step of the world, and its
 * owner hears of it at another. */
#pragma once
#include "aggregator/store/worker.h"

/* The process dies: what was not run never is, and nobody hears of what was. All workers there are. */
void worker_model_die(void);
/* Was a job run of which nobody has heard? */
bool worker_model_is_untold(void);
/* Of the state of all workers. */
uint64_t worker_model_shape(void);
