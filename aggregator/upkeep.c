#include "aggregator/upkeep.h"
#include "aggregator/store/commit.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SCRUB_EVERY_MS = 1000,
	SCRUB_ROWS = 3000, /* about 3 ms a second; five million rows take half an hour */
	DROP_ROWS =
		10000, /* in one transaction: some 100 ms, and far below LMDB's limit of changed pages */
	NO_ROOM_MS = 1000, /* from a step that found none to the next */
	ERROR_SIZE = 256,
};

enum task { TASK_CHECK, TASK_SCRUB, TASK_DROP };

/* The upkeep of one shard; one job at a time. */
struct shard_upkeep {
	struct upkeep *upkeep;
	struct store *store;
	struct worker *worker;
	struct job job;
	enum task task;
	bool is_busy;
	bool is_emptied; /* the dropped generation: its tables can go */
	const struct view_set *views; /* of the running job */
	uint32_t generation;
	bool found_no_room; /* the last step of dropping */
	int64_t check_ms, scrub_ms, drop_ms; /* when next */
	char found[ERROR_SIZE]; /* by the running job */
	char check_error[ERROR_SIZE];
	char scrub_error[ERROR_SIZE];
};

struct upkeep {
	struct upkeep_options options;
	bool is_held;
	int error; /* of a job, to end the program with */
	size_t count;
	struct shard_upkeep shards[SHARDS_MAX];
};

int upkeep_new(const struct upkeep_options *options, struct upkeep **ret_upkeep)
{
	struct upkeep *upkeep = calloc(1, sizeof *upkeep);
	if (upkeep == NULL) {
		return -ENOMEM;
	}
	upkeep->options = *options;
	upkeep->count = options->stores->count;
	for (size_t i = 0; i < upkeep->count; i++) {
		upkeep->shards[i] = (struct shard_upkeep){
			.upkeep = upkeep,
			.store = options->stores->items[i],
			.worker = options->stores->workers[i],
		};
	}
	*ret_upkeep = upkeep;
	return 0;
}

struct upkeep *upkeep_free(struct upkeep *upkeep)
{
	free(upkeep);
	return NULL;
}

static struct shard_upkeep *owner_of(struct job *job)
{
	return (struct shard_upkeep *)((char *)job - offsetof(struct shard_upkeep, job));
}

static int run(struct job *job)
{
	struct shard_upkeep *shard = owner_of(job);
	switch (shard->task) {
	case TASK_CHECK:
		return store_check_sums(shard->store, shard->generation, shard->views, shard->found,
			sizeof shard->found);
	case TASK_SCRUB:
		return store_scrub(
			shard->store, shard->views, SCRUB_ROWS, shard->found, sizeof shard->found);
	default:
		return store_drop_step(shard->store, DROP_ROWS, &shard->is_emptied);
	}
}

static void keep(struct shard_upkeep *shard, char *place)
{
	snprintf(place, ERROR_SIZE, "%s", shard->found);
	shard->upkeep->options.failed(shard->upkeep->options.owner, shard->found);
}

static void done(struct job *job)
{
	struct shard_upkeep *shard = owner_of(job);
	int r = job->result;
	shard->is_busy = false;
	if (r == STORE_E_CORRUPT && shard->task == TASK_CHECK) {
		keep(shard, shard->check_error);
	} else if (r == STORE_E_CORRUPT && shard->task == TASK_SCRUB) {
		keep(shard, shard->scrub_error);
	} else if (r == 0 && shard->task == TASK_CHECK) {
		shard->check_error[0] = '\0';
	} else if (r < 0) {
		shard->upkeep->error = r;
	} else if (r == STORE_E_FULL) {
		shard->found_no_room = true; /* dropping needs some, too */
	}
}

static void submit(struct shard_upkeep *shard, enum task task, const struct view_set *views)
{
	shard->task = task;
	shard->views = views;
	shard->generation = store_root(shard->store)->live;
	shard->is_busy = true;
	shard->found[0] = '\0';
	shard->job = (struct job){.run = run, .done = done};
	worker_submit(shard->worker, &shard->job);
}

static int finish_drop(struct shard_upkeep *shard)
{
	if (!worker_is_idle(shard->worker)) {
		return 0; /* another time */
	}
	int r = store_finish_drop(shard->store);
	shard->is_emptied = r != 0;
	return r < 0 ? r : 0;
}

/* Found when the store was opened: said at once, not when the walk comes by. */
static void note_damaged(struct shard_upkeep *shard, const struct view_set *views)
{
	uint64_t damaged = store_damaged_views(shard->store);

	for (uint32_t id = 0; id < view_set_count(views) && shard->scrub_error[0] == '\0'; id++) {
		if ((damaged >> id & 1) != 0) {
			snprintf(shard->found, sizeof shard->found,
				"view %s: its rows are damaged, or some are missing",
				view_name(view_set_at(views, id)));
			keep(shard, shard->scrub_error);
		}
	}
}

static int tick(struct shard_upkeep *shard, const struct view_set *views, int64_t now_ms)
{
	note_damaged(shard, views);
	int64_t check_every_ms = shard->upkeep->options.check_every_ms;
	if (shard->check_ms == 0) {
		shard->check_ms = now_ms + check_every_ms;
	}
	if (now_ms >= shard->check_ms) {
		shard->check_ms = now_ms + check_every_ms;
		submit(shard, TASK_CHECK, views);
	} else if (now_ms >= shard->scrub_ms) {
		shard->scrub_ms = now_ms + SCRUB_EVERY_MS;
		submit(shard, TASK_SCRUB, views);
	} else if (store_root(shard->store)->dropping != 0) {
		if (shard->found_no_room) {
			shard->found_no_room = false;
			shard->drop_ms = now_ms + NO_ROOM_MS;
		}
		if (now_ms < shard->drop_ms) {
			return 0;
		}
		if (shard->is_emptied) {
			return finish_drop(shard);
		}
		submit(shard, TASK_DROP, views);
	}
	return 0;
}

int upkeep_tick(
	struct upkeep *upkeep, const struct view_set *views, int64_t now_ms, int64_t *ret_wait_ms)
{
	for (size_t i = 0; i < upkeep->count && upkeep->error == 0; i++) {
		if (!upkeep->shards[i].is_busy && !upkeep->is_held) {
			upkeep->error = tick(&upkeep->shards[i], views, now_ms);
		}
	}
	*ret_wait_ms = *ret_wait_ms < SCRUB_EVERY_MS ? *ret_wait_ms : SCRUB_EVERY_MS;
	return upkeep->error;
}

void upkeep_hold(struct upkeep *upkeep, bool held)
{
	upkeep->is_held = held;
}

const char *upkeep_check_error(const struct upkeep *upkeep)
{
	for (size_t i = 0; i < upkeep->count; i++) {
		if (upkeep->shards[i].check_error[0] != '\0') {
			return upkeep->shards[i].check_error;
		}
	}
	return "";
}

const char *upkeep_scrub_error(const struct upkeep *upkeep)
{
	for (size_t i = 0; i < upkeep->count; i++) {
		if (upkeep->shards[i].scrub_error[0] != '\0') {
			return upkeep->shards[i].scrub_error;
		}
	}
	return "";
}

void upkeep_forget(struct upkeep *upkeep)
{
	for (size_t i = 0; i < upkeep->count; i++) {
		upkeep->shards[i].check_error[0] = '\0';
		upkeep->shards[i].scrub_error[0] = '\0';
		upkeep->shards[i].is_emptied = false;
	}
}
