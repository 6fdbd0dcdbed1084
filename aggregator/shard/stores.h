/* stores.h - all shards of a data directory, `shard-0` … `shard-N`, and the lock that keeps a second aggregator out.
 * What concerns all shards is decided in shard 0 and rolled forward in the others at the next start. */
#pragma once
#include "aggregator/store/layers.h"
#include "aggregator/store/store.h"
#include "aggregator/store/worker.h"

enum {
	STORES_E_DECISION = 1
}; /* corrupt, foreign, or other shards than configured: a person decides */

struct stores_options {
	const char *dir;
	uint32_t shard_count; /* 0: whatever the store has */
	int64_t map_size;
	bool may_create;
	const struct view_set *views; /* of a store that is made now */
	const char *new_id; /* its id, if it is made now */
};

struct stores {
	size_t count;
	struct store *items[SHARDS_MAX];
	struct worker *workers[SHARDS_MAX]; /* one thread a shard writes */
	int lock_fd;
	bool is_new;
};

/* 0, STORES_E_DECISION or -errno with a sentence: what happened, to what, and what to do. */
int stores_new(const struct stores_options *options, struct stores **ret_stores, char *error,
	size_t error_size);
struct stores *stores_free(struct stores *stores);
static inline const struct store_root *stores_root(const struct stores *stores)
{
	return store_root(stores->items[0]);
}

/* Makes an empty shadow in every shard; those that were begun and left are used. 0, STORE_E_FULL, -errno. */
int stores_begin_shadow(struct stores *stores, const struct view_set *views, const char *new_id);
/* The workers must be idle. */
int stores_switch(struct stores *stores);
int stores_discard_shadow(struct stores *stores);
bool stores_are_idle(struct stores *stores);
uint64_t stores_size(struct stores *stores);
/* Bytes that its file system has left; -1: it does not say. */
int64_t stores_disk_room(const struct stores *stores);
