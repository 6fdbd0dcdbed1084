/* shard_truncations.h - a shard lets go of the rows of tables that were truncated (truncations.h): of those that are counted, their
 * shares; of [table.NAME]s, the rows. Only where a source has one partition: what another one had been told before nobody knows.
 * The loop's thread. */
#pragma once
#include "aggregator/shard/shard.h"

/* Makes them, and reads what the store has of those that are not over. 0, STORE_E_CORRUPT, -errno. */
int shard_open_truncations(struct shard *shard);
/* A reading of class RECORD_CHANGE, a truncation. 0 with its fate, and where that is FATE_UNREADABLE why; else as shard_take. */
int shard_take_truncation(struct shard *shard, const struct reading *reading, enum fate *ret_fate,
	const char **ret_why);
/* The row that this change is of goes first if it has to: what comes is counted as if all had gone. 0 or as shard_take. */
int shard_truncate_row(struct shard *shard, const struct reading *reading);
/* Lets some rows go. 0 or -errno; a shard that can't read its entries is broken from now on. */
int shard_truncate_some(struct shard *shard, int64_t now_ms);
bool shard_is_truncating(const struct shard *shard);
