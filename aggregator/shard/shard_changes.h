/* shard_changes.h - a shard counts rows that change (changed_rows.h) and keeps their books. The loop's thread. */
#pragma once
#include "aggregator/shard/shard.h"

/* A reading of class RECORD_CHANGE whose row is an event. 0 with its fate, and where that is FATE_UNREADABLE why: the record is
 * to be set aside. Else as shard_take. */
int shard_take_change(struct shard *shard, const struct record *record,
	const struct reading *reading, enum fate *ret_fate, const char **ret_why);
/* Takes back the row of this key of the entries if it was written before `log`. 0, -EBADMSG, -errno. */
int shard_drop_row(struct shard *shard, struct slice key, uint64_t log);
