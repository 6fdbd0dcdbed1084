/* layers.h - what a shard's rows are read from at one moment: base, frozen and active. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct boards;
struct entries;
struct overlay;
struct snapshot;

/* A shard can be given a core, and a data directory as many as the largest machine has. */
enum { SHARDS_MAX = 64 };

/* All borrowed; `frozen` is NULL when the snapshot already holds it. */
struct layers {
	struct snapshot *snapshot;
	struct overlay *frozen;
	struct overlay *active;
	struct entries *entries; /* rows of tables; NULL where nobody asks for them */
	struct boards *boards; /* rows that lead; NULL where nobody asks for them */
	uint64_t committed; /* the last commit that the loop knows to be on disk */
	struct overlay *
		handed; /* the next one's, which may be on disk by now: then `frozen` is NULL; NULL: there is none */
};
