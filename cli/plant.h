/* plant.h - a whole till in one folder: broker, bridge, edges and aggregator as children on ports of their own choice.
 * Everything is stopped and, unless it was told to keep it, the folder removed. One thread. */
#pragma once
#include "cli/child.h"
#include "cli/simulation.h"

/* In the plant's folder: the token of who may administer it, and look into records. */
#define PLANT_ADMIN_TOKEN "admin.token"

enum {
	PLANT_EDGES_MAX = SIMULATION_ENDPOINTS_MAX,
	PLANT_CHILDREN_MAX = PLANT_EDGES_MAX + 3,
	/* What the bridge is told; the demo computes from it where an edge's records lie. */
	PLANT_PARTITIONS = 4,
};

struct plant {
	char folder[CHILD_PATH_SIZE / 2];
	bool keeps_folder;
	struct child children[PLANT_CHILDREN_MAX]; /* broker, bridge, aggregator, edges */
	size_t child_count;
	size_t edge_count;
};

/* `folder` NULL: a temporary one. Says on stderr what went wrong. 0 or -errno; -EINTR: asked to stop. Call
 * plant_stop in every case. */
int plant_start(struct plant *plant, const char *command, const char *folder, size_t edges);
void plant_stop(struct plant *plant);

const struct child *plant_broker(const struct plant *plant);
const struct child *plant_aggregator(const struct plant *plant);
const struct child *plant_edge(const struct plant *plant, size_t index);
/* "berlin", …: the ids of the edges. */
const char *plant_edge_id(size_t index);
/* NULL while all are running, else the first that ended. */
const struct child *plant_find_ended(struct plant *plant);
/* Events that wait on the edges' disks or are on their way to Kafka; -1 when an edge can't be asked. */
int64_t plant_unsent_events(const struct plant *plant);
