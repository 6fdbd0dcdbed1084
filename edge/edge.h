/* edge.h - till-edge put together: spool, desk, sources, courier, health. No decisions of its own but when to end. */
#pragma once
#include "edge/edge_config.h"
#include "edge/spool_error.h"
#include "runtime/program.h"

struct edge;

/* The operator's decisions for this start; NULL: none. */
struct edge_decisions {
	const char *accept_cluster;
	const char *accept_lost;
};

/* Opens the spool and binds the sockets. 0; a SPOOL_E_* > 0 for a spool that can't be used; or -errno; with the error
 * set. The configuration and what was decided must outlive the edge. */
int edge_new(const struct edge_config *config, const struct edge_decisions *decisions,
	struct edge **ret_edge, struct spool_error *error);
struct edge *edge_free(struct edge *edge);
/* Says that it is ready, serves until SIGTERM, drains, and says what stays on disk. 0 or -errno. */
int edge_run(struct edge *edge, struct program *program);
