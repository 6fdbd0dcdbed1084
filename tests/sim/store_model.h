/* store_model.h - the aggregator's store as its disk keeps it: it outlives the process, and a commit is in it whole or not
 * at all. Rows are merged by the aggregator's own code. */
#pragma once
#include "aggregator/store.h"

struct store *store_model_new(const struct view_set *views);
struct store *store_model_free(struct store *store);
/* For the planted bug: writes the commit's offsets alone. */
struct commit;
void store_model_write_offsets(struct store *store, const struct commit *commit);
