#include "aggregator/shard/shard_truncations.h"

#include "aggregator/shard/shard_changes.h"
#include "aggregator/shard/truncations.h"
#include "aggregator/store/changed_rows.h"
#include "aggregator/store/row_change.h"
#include "aggregator/store/table_rows.h"
#include <errno.h>
#include <stdio.h>

enum { ROWS_AT_ONCE = 1000 }; /* some milliseconds */

static int drop(void *owner, struct slice key, struct slice value, uint64_t log)
{
	struct shard *shard = owner;

	return key.bytes[0] == ENTRY_TABLE_ROW ? table_rows_drop(shard->tables, key, value, log)
					       : shard_drop_row(shard, key, log);
}

int shard_open_truncations(struct shard *shard)
{
	const struct truncations_options options = {
		.entries = shard->entries, .drop = drop, .owner = shard};

	int r = truncations_new(&options, &shard->truncations);
	if (r == 0) {
		r = shard_walk_entries(
			shard, TRUNCATIONS_FIRST, truncations_load, shard->truncations);
	}
	return r == TRUNCATIONS_E_PASSED ? 0 : r == -EBADMSG ? STORE_E_CORRUPT : r;
}

/* ---- a truncation */

static int refuse(struct shard *shard, struct slice source, enum fate *ret_fate)
{
	char name[EDGE_ID_SIZE_MAX + 1];

	snprintf(name, sizeof name, "%.*s", (int)source.size, (const char *)source.bytes);
	*ret_fate = FATE_UNREADABLE;
	int r = text_set_add(&shard->ledger.sources_truncated, name);
	return r == -ENOSPC ? 0 : r;
}

/* All rows of it lie behind this in the order of keys. `size` 0: it is not kept. */
static struct slice prefix_of(const struct shard *shard, const struct row_change *change,
	uint8_t ret_prefix[TRUNCATION_PREFIX_SIZE_MAX])
{
	if (change->table.size == 0) {
		return changed_rows_prefix(change->source, ret_prefix);
	}
	const struct view *table = view_set_find_table(shard->options.views, change->table);
	ret_prefix[0] = ENTRY_TABLE_ROW;
	ret_prefix[1] = table != NULL ? (uint8_t)view_id(table) : 0;
	return slice_of(ret_prefix, table != NULL ? 2 : 0);
}

int shard_take_truncation(struct shard *shard, const struct reading *reading, enum fate *ret_fate,
	const char **ret_why)
{
	const struct row_change *change = reading->row_change;
	uint8_t bytes[TRUNCATION_PREFIX_SIZE_MAX];
	struct slice prefix = prefix_of(shard, change, bytes);

	if (prefix.size == 0) { /* of a table that a rebuild is filling */
		*ret_fate = FATE_FOREIGN;
		return 0;
	}
	if (!reading->is_lone) {
		*ret_why = "the table was truncated, and which rows other partitions had been told "
			   "of before is not known";
		return refuse(shard, change->source, ret_fate);
	}
	if (change->change.position.database != DATABASE_POSTGRESQL) {
		*ret_why = "the table was truncated, and only PostgreSQL's positions tell which "
			   "rows were there before";
		return refuse(shard, change->source, ret_fate);
	}
	*ret_fate = FATE_COUNTED;
	return truncations_begin(shard->truncations, prefix, change->change.position.log);
}

int shard_truncate_row(struct shard *shard, const struct reading *reading)
{
	uint8_t bytes[ENTRY_KEY_SIZE_MAX];
	uint64_t log = 0;

	if (truncations_count(shard->truncations) == 0) {
		return 0;
	}
	struct slice key = changed_rows_key(reading->row_change, bytes);
	return truncations_find(shard->truncations, key, &log) ? shard_drop_row(shard, key, log)
							       : 0;
}

/* ---- rows */

static int step(struct shard *shard)
{
	struct snapshot *snapshot = NULL;
	int r = snapshot_begin(shard->options.store, shard->options.generation, &snapshot);

	if (r == 0) {
		r = truncations_step(shard->truncations, snapshot, ROWS_AT_ONCE);
	}
	snapshot_end(snapshot);
	return r == STORE_E_CORRUPT ? -EBADMSG : r;
}

int shard_truncate_some(struct shard *shard, int64_t now_ms)
{
	if (!shard_is_truncating(shard) || shard->is_broken) {
		return 0;
	}
	int r = step(shard);
	shard_touch(shard, now_ms);
	if (r == -EBADMSG) {
		shard->is_broken = true;
		snprintf(shard->broken_why, sizeof shard->broken_why,
			"a row of a table that was truncated can't be read");
		return 0;
	}
	return r;
}

bool shard_is_truncating(const struct shard *shard)
{
	return truncations_count(shard->truncations) > 0;
}
