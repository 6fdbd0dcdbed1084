#include "edge/draft.h"
#include "edge/submission.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* A round is bounded by what the sources read (a few MiB); normal form may be some times as large. */
#define LANE_SIZE_MAX ((size_t)256 * 1024 * 1024)

int draft_init(struct draft *draft, uint64_t run, const uint8_t seed[16])
{
	*draft = (struct draft){0};
	for (int i = 0; i < KIND_COUNT; i++) {
		buffer_init(&draft->lanes[i].events, LANE_SIZE_MAX);
	}
	draft_set_run(draft, run);
	int r = idmap_init(&draft->producers, seed);
	if (r == 0) {
		r = idmap_init(&draft->event_ids, seed);
	}
	if (r == 0) {
		r = idmap_init(&draft->marks, seed);
	}
	if (r < 0) {
		draft_deinit(draft);
	}
	return r;
}

void draft_deinit(struct draft *draft)
{
	for (int i = 0; i < KIND_COUNT; i++) {
		buffer_deinit(&draft->lanes[i].events);
		free(draft->lanes[i].blocks);
	}
	idmap_deinit(&draft->producers);
	idmap_deinit(&draft->event_ids);
	idmap_deinit(&draft->marks);
	*draft = (struct draft){0};
}

void draft_set_run(struct draft *draft, uint64_t run)
{
	assert(draft_is_empty(draft));
	assert(run > 0 && run <= RUN_MAX);

	draft->run = run;
	for (int i = 0; i < KIND_COUNT; i++) {
		draft->lanes[i].next_seq = 1;
	}
}

void draft_clear(struct draft *draft)
{
	for (int i = 0; i < KIND_COUNT; i++) {
		buffer_clear(&draft->lanes[i].events);
		draft->lanes[i].block_count = 0;
	}
	idmap_truncate(&draft->producers, 0);
	idmap_truncate(&draft->event_ids, 0);
	idmap_truncate(&draft->marks, 0);
	draft->event_count = 0;
}

bool draft_is_empty(const struct draft *draft)
{
	return draft->event_count == 0 && draft->producers.count == 0 &&
	       draft->event_ids.count == 0 && draft->marks.count == 0;
}

struct buffer *draft_begin(struct draft *draft, enum kind kind, uint64_t *ret_seq)
{
	struct draft_lane *lane = &draft->lanes[kind];

	draft->begun_at = lane->events.size;
	*ret_seq = lane->next_seq;
	return &lane->events;
}

static struct draft_block *add_block(struct draft_lane *lane)
{
	if (lane->block_count == lane->block_capacity) {
		size_t capacity = lane->block_capacity == 0 ? 16 : 2 * lane->block_capacity;
		struct draft_block *blocks = realloc(lane->blocks, capacity * sizeof *blocks);
		if (blocks == NULL) {
			return NULL;
		}
		lane->blocks = blocks;
		lane->block_capacity = capacity;
	}
	return &lane->blocks[lane->block_count++];
}

/* The block that has room for `size` more bytes: the last one, or a new one. NULL: out of memory. */
static struct draft_block *block_for(
	struct draft_lane *lane, size_t begun_at, size_t size, int64_t received_ms)
{
	if (lane->block_count > 0) {
		struct draft_block *last = &lane->blocks[lane->block_count - 1];
		if (last->size + size <= SPOOL_BLOCK_SIZE_MAX) {
			return last;
		}
	}
	struct draft_block *block = add_block(lane);
	if (block != NULL) {
		*block = (struct draft_block){.offset = begun_at,
			.first_seq = lane->next_seq,
			.received_first_ms = received_ms};
	}
	return block;
}

int draft_end(struct draft *draft, enum kind kind, int64_t received_ms)
{
	struct draft_lane *lane = &draft->lanes[kind];
	size_t size = lane->events.size - draft->begun_at;
	struct draft_block *block = NULL;

	int r = lane->events.error;
	if (r == 0 && size > SPOOL_BLOCK_SIZE_MAX) {
		r = -EMSGSIZE;
	}
	if (r == 0) {
		block = block_for(lane, draft->begun_at, size, received_ms);
		r = block == NULL ? -ENOMEM : 0;
	}
	if (r < 0) {
		buffer_truncate(&lane->events, draft->begun_at);
		return r;
	}
	block->size += (uint32_t)size;
	block->count++;
	block->received_last_ms = received_ms;
	lane->next_seq++;
	draft->event_count++;
	return 0;
}

int draft_add_mark(struct draft *draft, struct slice key, struct slice value)
{
	uint8_t bytes[1 + SOURCE_MARK_VALUE_SIZE_MAX];

	assert(value.size <= SOURCE_MARK_VALUE_SIZE_MAX);
	bytes[0] = value.bytes == NULL ? DRAFT_MARK_DELETE : DRAFT_MARK_PUT;
	if (value.size > 0) {
		memcpy(bytes + 1, value.bytes, value.size);
	}
	return idmap_add(&draft->marks, key, slice_of(bytes, 1 + value.size));
}

void draft_mark(const struct draft *draft, struct draft_mark *ret_mark)
{
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct draft_lane *lane = &draft->lanes[i];
		struct draft_lane_mark *mark = &ret_mark->lanes[i];
		mark->size = lane->events.size;
		mark->block_count = lane->block_count;
		mark->next_seq = lane->next_seq;
		if (lane->block_count > 0) {
			mark->last = lane->blocks[lane->block_count - 1];
		}
	}
	ret_mark->producer_count = draft->producers.count;
	ret_mark->event_id_count = draft->event_ids.count;
	ret_mark->mark_count = draft->marks.count;
	ret_mark->event_count = draft->event_count;
}

void draft_rewind(struct draft *draft, const struct draft_mark *mark)
{
	for (int i = 0; i < KIND_COUNT; i++) {
		struct draft_lane *lane = &draft->lanes[i];
		const struct draft_lane_mark *to = &mark->lanes[i];
		buffer_truncate(&lane->events, to->size);
		lane->block_count = to->block_count;
		lane->next_seq = to->next_seq;
		if (to->block_count > 0) {
			lane->blocks[to->block_count - 1] = to->last;
		}
	}
	idmap_truncate(&draft->producers, mark->producer_count);
	idmap_truncate(&draft->event_ids, mark->event_id_count);
	idmap_truncate(&draft->marks, mark->mark_count);
	draft->event_count = mark->event_count;
}
