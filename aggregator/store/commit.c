#include "aggregator/store/commit.h"
#include "aggregator/view/pack.h"
#include <assert.h>

enum {
	PUT_DELETES = 0x80, /* in the byte that names the table */
	/* A second's worth of offsets, streams and quarantine; a stream in quarantine is 80 KiB, a record 64. */
	PUTS_SIZE_MAX = 256 * 1024 * 1024,
};

void commit_init(struct commit *commit)
{
	*commit = (struct commit){0};
	buffer_init(&commit->puts, PUTS_SIZE_MAX);
}

void commit_deinit(struct commit *commit)
{
	overlay_free(commit->overlay);
	buffer_deinit(&commit->puts);
	*commit = (struct commit){0};
}

void commit_put(struct commit *commit, enum store_table table, struct slice key, struct slice value)
{
	pack_u8(&commit->puts, (uint8_t)table);
	pack_bytes(&commit->puts, key);
	pack_bytes(&commit->puts, value);
}

void commit_delete(struct commit *commit, enum store_table table, struct slice key)
{
	pack_u8(&commit->puts, (uint8_t)(table | PUT_DELETES));
	pack_bytes(&commit->puts, key);
}

bool commit_next(const struct commit *commit, size_t *cursor, struct commit_row *ret_row)
{
	struct slice puts = buffer_slice(&commit->puts);
	if (*cursor == puts.size) {
		return false;
	}
	struct unpack unpack = unpack_of(slice_of(puts.bytes + *cursor, puts.size - *cursor));
	uint8_t code = unpack_u8(&unpack);
	ret_row->table = (enum store_table)(code & ~PUT_DELETES);
	ret_row->is_deleted = (code & PUT_DELETES) != 0;
	ret_row->key = unpack_bytes(&unpack);
	ret_row->value = ret_row->is_deleted ? slice_of(NULL, 0) : unpack_bytes(&unpack);
	assert(!unpack.failed);
	*cursor = puts.size - unpack.rest.size;
	return true;
}
