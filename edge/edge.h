/* edge.h - till-edge put together: spool, desk, sources, courier, health. No decisions of its own but when to end. */
#pragma once
#include "edge/edge_config.h"
#include "edge/spool_error.h"
#include "runtime/program.h"

struct edge;

/* Opens the spool and binds the sockets. 0; a SPOOL_E_* > 0 for a spool that can't be used; or -errno; with the error
 * set. `accept_cluster` may be NULL. The configuration must outlive the edge. */
int edge_new(const struct edge_config *config, const char *accept_cluster, struct edge **ret_edge,
	struct spool_error *error);
struct edge *edge_free(struct edge *edge);
/* Says that it is ready, serves until SIGTERM, drains, and says what stays on disk. 0 or -errno. */
int edge_run(struct edge *edge, struct program *program);
