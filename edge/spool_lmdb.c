/* The spool on LMDB. Reading happens in transactions that end before the function returns; the one read transaction is
 * reset and renewed, never held, so that pages are free for re-use at once. */
#include "edge/spool_lmdb.h"
#include "edge/spool_marks_lmdb.h"
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/statvfs.h>

enum {
	/* Kept free on the file system: a transaction that deletes needs room too. */
	DISK_RESERVE_MAX = 64 * 1024 * 1024,
	DISK_RESERVE_SHARE = 8, /* of a small file system: an eighth */
	FREE_LIST = 0, /* LMDB's handle of it */
	OLDEST_LOOKS_MAX = 16, /* damaged blocks at the head of a lane are passed over, so many */
};

static MDB_val key_val(uint8_t key[SPOOL_KEY_SIZE])
{
	return (MDB_val){SPOOL_KEY_SIZE, key};
}

struct slice slice_of_val(MDB_val value)
{
	return slice_of(value.mv_data, value.mv_size);
}

const struct spool_index *spool_index(const struct spool *spool)
{
	return &spool->index;
}

const struct spool_identity *spool_identity(const struct spool *spool)
{
	return &spool->identity;
}

struct spool_corrupt spool_corrupt(const struct spool *spool)
{
	return spool->corrupt;
}

struct spool_space spool_space(const struct spool *spool)
{
	return spool->space;
}

int64_t spool_heard_last_ms(const struct spool *spool)
{
	return spool->memory.heard_last_ms;
}

bool spool_has_lost(const struct spool *spool)
{
	return spool->has_lost;
}

bool spool_is_map_full(const struct spool *spool)
{
	return spool->map_full;
}

/* ---- looking up */

static int distrust_if_bad(struct spool *spool, int r)
{
	bool is_of_the_machine = r == -ENOMEM || r == -ENOSPC;

	if ((r < 0 && !is_of_the_machine) || r == SPOOL_E_CORRUPT) {
		spool_distrust(spool);
	}
	return r;
}

static int read_begin(struct spool *spool)
{
	return spool_from_mdb(mdb_txn_renew(spool->reader));
}

static void read_end(struct spool *spool)
{
	mdb_txn_reset(spool->reader);
}

static int look_up_producer(void *owner, struct slice producer, struct producer_row *ret_row)
{
	struct spool *spool = owner;
	struct producer_row row;

	int r = read_begin(spool);
	if (r != 0) {
		return r;
	}
	r = spool_memory_producer(&spool->memory, spool->reader, producer, &row);
	if (r == 0) { /* the row outlives the transaction in our copy */
		buffer_clear(&spool->row);
		buffer_append(&spool->row, row.reply.bytes, row.reply.size);
		row.reply = buffer_slice(&spool->row);
		r = spool->row.error;
	}
	read_end(spool);
	if (r == 0) {
		*ret_row = row;
	}
	bool is_new_one_too_many =
		r == SPOOL_E_UNKNOWN && spool->memory.producer_count >= SPOOL_PRODUCERS_MAX;
	return is_new_one_too_many ? SPOOL_E_FULL : distrust_if_bad(spool, r);
}

static int look_up_event_id(void *owner, struct slice event_id, struct slice *ret_value)
{
	struct spool *spool = owner;

	struct slice value;

	int r = read_begin(spool);
	if (r != 0) {
		return r;
	}
	r = spool_memory_event_id(&spool->memory, spool->reader, event_id, &value);
	if (r == 0) { /* as above */
		buffer_clear(&spool->row);
		buffer_append(&spool->row, value.bytes, value.size);
		r = spool->row.error;
		*ret_value = buffer_slice(&spool->row);
	}
	read_end(spool);
	return distrust_if_bad(spool, r);
}

int spool_each_mark(struct spool *spool, const struct spool_mark_walk *walk)
{
	int r = read_begin(spool);
	if (r == 0) {
		r = spool_marks_each(spool->marks, spool->reader, walk);
		read_end(spool);
	}
	return distrust_if_bad(spool, r);
}

struct intake_memory spool_memory(struct spool *spool)
{
	return (struct intake_memory){
		.owner = spool, .producer = look_up_producer, .event_id = look_up_event_id};
}

/* ---- committing */

static int write_block(struct spool *spool, MDB_txn *txn, const struct draft *draft,
	const struct draft_block *block, enum kind kind, uint64_t at)
{
	uint8_t bytes[SPOOL_KEY_SIZE];
	MDB_val key = key_val(bytes);
	struct slice events = draft_block_events(&draft->lanes[kind], block);
	MDB_val value = {SPOOL_BLOCK_HEADER_SIZE + events.size, NULL};
	struct spool_block_header header = {
		.lane = kind,
		.count = block->count,
		.run = draft->run,
		.first_seq = block->first_seq,
		.received_first_ms = block->received_first_ms,
		.received_last_ms = block->received_last_ms,
		.size = block->size,
	};

	spool_key_encode(kind, at, bytes);
	int rc = mdb_put(txn, spool->blocks, &key, &value, MDB_RESERVE | MDB_NOOVERWRITE);
	if (rc != 0) {
		return spool_from_mdb(rc);
	}
	spool_block_encode_header(&header, events, value.mv_data);
	memcpy((uint8_t *)value.mv_data + SPOOL_BLOCK_HEADER_SIZE, events.bytes, events.size);
	spool_sum_add(&spool->pending.tables[SPOOL_TABLE_BLOCKS], SPOOL_TABLE_BLOCKS,
		slice_of_val(key), slice_of_val(value));
	return 0;
}

static int write_draft(struct spool *spool, MDB_txn *txn, const struct draft *draft)
{
	int r = 0;

	for (int i = 0; i < KIND_COUNT; i++) {
		const struct draft_lane *lane = &draft->lanes[i];
		uint64_t end = spool->index.lanes[i].end;
		for (size_t j = 0; r == 0 && j < lane->block_count; j++) {
			r = write_block(spool, txn, draft, &lane->blocks[j], (enum kind)i, end + j);
		}
	}
	if (r == 0) {
		r = spool_marks_write(spool->marks, txn, &draft->marks,
			&spool->pending.tables[SPOOL_TABLE_MARKS]);
	}
	return r == 0 ? spool_memory_write(&spool->memory, txn, draft) : r;
}

/* What a commit takes away, for the index once it is done. */
struct taken {
	struct spool_lane lanes[KIND_COUNT];
	bool unsure; /* a header could not be read: count anew */
	struct spool_sum *sum;
};

static void note_taken(struct taken *taken, MDB_val key, MDB_val value)
{
	struct spool_block_header header;

	spool_sum_subtract(taken->sum, SPOOL_TABLE_BLOCKS, slice_of_val(key), slice_of_val(value));
	if (spool_block_decode_header(slice_of_val(value), &header) != 0) {
		taken->unsure = true;
		return;
	}
	taken->lanes[header.lane].blocks++;
	taken->lanes[header.lane].events += header.count;
	taken->lanes[header.lane].bytes += spool_cost(SPOOL_KEY_SIZE, value.mv_size);
}

static int delete_range(MDB_cursor *cursor, const struct removal *range, struct taken *taken)
{
	uint8_t first[SPOOL_KEY_SIZE];
	uint8_t last[SPOOL_KEY_SIZE];
	MDB_val key = key_val(first);
	MDB_val value;

	spool_key_encode(range->lane, range->first, first);
	spool_key_encode(range->lane, range->last, last);
	int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (rc == 0 && key.mv_size == sizeof last &&
		memcmp(key.mv_data, last, sizeof last) <= 0) {
		note_taken(taken, key, value);
		rc = mdb_cursor_del(cursor, 0);
		if (rc == 0) { /* the cursor stands on what followed */
			rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
		}
	}
	return rc == MDB_NOTFOUND ? 0 : spool_from_mdb(rc);
}

static int delete_removals(
	struct spool *spool, MDB_txn *txn, const struct removals *removals, struct taken *taken)
{
	MDB_cursor *cursor;

	int r = spool_from_mdb(mdb_cursor_open(txn, spool->blocks, &cursor));
	if (r != 0) {
		return r;
	}
	for (size_t i = 0; r == 0 && i < removals->count; i++) {
		r = delete_range(cursor, &removals->ranges[i], taken);
	}
	mdb_cursor_close(cursor);
	if (r == 0 && taken->unsure) {
		r = spool_sum_find(txn, spool->blocks, SPOOL_TABLE_BLOCKS, taken->sum);
	}
	return r;
}

static uint64_t last_txn_id(MDB_env *env)
{
	MDB_envinfo info;
	return mdb_env_info(env, &info) == 0 ? info.me_last_txnid : 0;
}

static bool env_is_sane(MDB_env *env)
{
	MDB_txn *txn;

	if (mdb_txn_begin(env, NULL, 0, &txn) != 0) {
		return false;
	}
	mdb_txn_abort(txn);
	return true;
}

/* Pages on LMDB's free list: each record of it is a list that begins with its length. */
static int count_free_pages(MDB_txn *txn, uint64_t *ret_pages)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	uint64_t pages = 0;

	int rc = mdb_cursor_open(txn, FREE_LIST, &cursor);
	if (rc != 0) {
		return spool_from_mdb(rc);
	}
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		size_t count = 0;
		if (value.mv_size >= sizeof count) {
			memcpy(&count, value.mv_data, sizeof count);
		}
		pages += count;
	}
	mdb_cursor_close(cursor);
	*ret_pages = pages;
	return rc == MDB_NOTFOUND ? 0 : spool_from_mdb(rc);
}

/* What the disk has above the reserve, `more` bytes counted in; below 0: less. */
static int64_t disk_room(const struct spool *spool, uint64_t more)
{
	struct statvfs disk;

	if (statvfs(spool->dir, &disk) < 0) {
		return INT64_MAX; /* the commit will tell */
	}
	uint64_t reserve = (uint64_t)disk.f_blocks * disk.f_frsize / DISK_RESERVE_SHARE;
	reserve = reserve > DISK_RESERVE_MAX ? DISK_RESERVE_MAX : reserve;
	return (int64_t)((uint64_t)disk.f_bavail * disk.f_frsize + more) - (int64_t)reserve;
}

/* The disk has less than the reserve left, `more` bytes counted in. */
static bool is_below_reserve(const struct spool *spool, uint64_t more)
{
	return disk_room(spool, more) < 0;
}

/* LMDB's file never shrinks: what was deleted in it is room as good as the disk's own. */
static bool is_disk_short(const struct spool *spool)
{
	return is_below_reserve(spool, spool->free_bytes);
}

/* On a full disk LMDB sees a short write, and calls it EIO. */
static bool is_no_room(const struct spool *spool, int r)
{
	return r == -ENOSPC || (r == -EIO && is_below_reserve(spool, 0));
}

/* ENOSPC while putting: everything is still in memory, the abort undoes it. */
static int give_up(struct spool *spool, MDB_txn *txn, int r)
{
	mdb_txn_abort(txn);
	if (r == -ENOSPC) {
		spool->map_full = true;
		return SPOOL_E_FULL;
	}
	return distrust_if_bad(spool, r);
}

/* A commit that found no room has written nothing if the newest meta page is still the old one and LMDB itself goes on:
 * the meta page is the last thing it writes. Any other failure leaves open what is on disk. */
static int commit(struct spool *spool, MDB_txn *txn)
{
	uint64_t before = last_txn_id(spool->env);

	int r = spool_sums_write(spool, txn);
	if (r != 0) {
		return give_up(spool, txn, r);
	}
	r = spool_from_mdb(mdb_txn_commit(txn));
	if (r != 0 && is_no_room(spool, r) && before != 0 && last_txn_id(spool->env) == before &&
		env_is_sane(spool->env)) {
		spool->index.short_of_disk = true;
		return SPOOL_E_FULL;
	}
	if (r != 0) {
		spool_distrust(spool);
		return r;
	}
	spool->sums = spool->pending;
	return 0;
}

static int begin(struct spool *spool, MDB_txn **ret_txn)
{
	spool->pending = spool->sums;
	return spool_from_mdb(mdb_txn_begin(spool->env, NULL, 0, ret_txn));
}

static void index_draft(struct spool *spool, const struct draft *draft)
{
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct draft_lane *lane = &draft->lanes[i];
		for (size_t j = 0; j < lane->block_count; j++) {
			spool_index_add(&spool->index, (enum kind)i, spool->index.lanes[i].end,
				lane->blocks[j].count, lane->blocks[j].size);
		}
	}
}

/* In a transaction of its own. */
static int count_anew(struct spool *spool)
{
	MDB_txn *txn = NULL;

	int r = begin(spool, &txn);
	if (r != 0) {
		return r;
	}
	r = spool_load_blocks(spool, txn, true);
	return r != 0 ? give_up(spool, txn, r) : commit(spool, txn);
}

static int write_all(struct spool *spool, MDB_txn *txn, const struct draft *draft, int64_t wall_ms)
{
	int r = write_draft(spool, txn, draft);
	if (r == 0) {
		r = spool_memory_sweep(&spool->memory, txn, wall_ms);
	}
	return r == 0 ? spool_memory_count(&spool->memory, txn) : r;
}

/* Between two measurements what is written is taken off the free pages, as if nothing had been deleted; only when
 * that looks short are they counted again. */
static int measure_if_short(struct spool *spool, const struct draft *draft)
{
	uint64_t written = 0;

	for (int i = 0; draft != NULL && i < KIND_COUNT; i++) {
		written += draft->lanes[i].events.size;
	}
	spool->free_bytes -= written < spool->free_bytes ? written : spool->free_bytes;
	return is_disk_short(spool) ? spool_measure(spool) : 0;
}

static int commit_once(struct spool *spool, const struct draft *draft,
	const struct removals *removals, int64_t wall_ms)
{
	MDB_txn *txn = NULL;
	struct taken taken = {.sum = &spool->pending.tables[SPOOL_TABLE_BLOCKS]};
	const struct spool_memory_db memory = spool->memory;

	int r = begin(spool, &txn);
	if (r != 0) {
		return r;
	}
	if (removals != NULL) {
		r = delete_removals(spool, txn, removals, &taken);
	}
	if (r == 0 && draft != NULL) {
		r = write_all(spool, txn, draft, wall_ms);
	}
	r = r != 0 ? give_up(spool, txn, r) : commit(spool, txn);
	if (r != 0) {
		spool->memory = memory;
		return r;
	}
	spool->map_full = false;
	spool_index_subtract(&spool->index, taken.lanes);
	if (draft != NULL) {
		index_draft(spool, draft);
	}
	if (taken.unsure) { /* the commit stands: what fails from here on must not look like a refusal */
		r = count_anew(spool);
		return r == SPOOL_E_FULL ? -ENOSPC : r;
	}
	return measure_if_short(spool, draft);
}

/* LMDB uses pages again that the last commit but one freed, and what found no room was no commit: so one is made. */
static int turn_over(struct spool *spool)
{
	MDB_txn *txn = NULL;

	int r = begin(spool, &txn);
	if (r != 0) {
		return r;
	}
	r = spool_write_identity(spool, txn, &spool->identity);
	return r != 0 ? give_up(spool, txn, r) : commit(spool, txn);
}

int spool_commit(struct spool *spool, const struct draft *draft, const struct removals *removals,
	int64_t wall_ms)
{
	int r = commit_once(spool, draft, removals, wall_ms);
	if (r != SPOOL_E_FULL) {
		return r;
	}
	r = turn_over(spool);
	return r != 0 ? r : commit_once(spool, draft, removals, wall_ms);
}

/* ---- reading */

static int append_block(MDB_val value, const struct spool_query *query, struct buffer *events,
	struct spool_batch *batch)
{
	struct spool_block_header header;
	struct slice block_events;

	if (spool_block_decode(slice_of_val(value), &header, &block_events) != 0 ||
		header.lane != query->lane) {
		return SPOOL_E_CORRUPT;
	}
	if (batch->size + header.size > query->size_max) {
		return SPOOL_E_FULL;
	}
	buffer_append(events, block_events.bytes, block_events.size);
	if (batch->count == 0 || header.received_first_ms < batch->received_ms) {
		batch->received_ms = header.received_first_ms;
	}
	batch->count += header.count;
	batch->size += header.size;
	return events->error;
}

/* As many blocks as fit; what ends the batch is only an answer when the batch is empty. */
static int read_blocks(MDB_cursor *cursor, const struct spool_query *query, struct buffer *events,
	struct spool_batch *batch)
{
	uint8_t bytes[SPOOL_KEY_SIZE];
	MDB_val key = key_val(bytes);
	MDB_val value;
	enum MDB_cursor_op op = MDB_SET_RANGE;
	int r = 0;

	spool_key_encode(query->lane, query->first, bytes);
	for (;;) {
		enum kind lane;
		uint64_t at;
		int rc = mdb_cursor_get(cursor, &key, &value, op);
		if (rc != 0) {
			r = rc == MDB_NOTFOUND ? SPOOL_E_END : spool_from_mdb(rc);
			break;
		}
		if (!spool_key_decode(slice_of_val(key), &lane, &at) || lane != query->lane ||
			at > query->last) {
			r = SPOOL_E_END;
			break;
		}
		batch->first = batch->count == 0 ? at : batch->first;
		r = append_block(value, query, events, batch);
		if (r != 0) {
			break;
		}
		batch->last = at;
		if (query->size_enough > 0 && batch->size >= query->size_enough) {
			break;
		}
		op = MDB_NEXT;
	}
	return r > 0 && batch->count > 0 ? 0 : r;
}

int spool_read(struct spool *spool, const struct spool_query *query, struct buffer *events,
	struct spool_batch *ret_batch)
{
	MDB_cursor *cursor = NULL;
	struct spool_batch batch = {0};

	int r = read_begin(spool);
	if (r != 0) {
		return r;
	}
	r = spool_from_mdb(mdb_cursor_open(spool->reader, spool->blocks, &cursor));
	if (r == 0) {
		r = read_blocks(cursor, query, events, &batch);
		mdb_cursor_close(cursor);
	}
	read_end(spool);
	if (r == 0 || r == SPOOL_E_CORRUPT) {
		*ret_batch = batch;
	}
	return distrust_if_bad(spool, r);
}

/* Blocks lie in the order of their coming, whatever was deleted between them: the first one that can be read. */
static int64_t received_first(MDB_cursor *cursor, enum kind lane)
{
	uint8_t bytes[SPOOL_KEY_SIZE];
	MDB_val key = key_val(bytes);
	MDB_val value;
	struct spool_block_header header;

	spool_key_encode(lane, 0, bytes);
	int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	for (int i = 0; rc == 0 && i < OLDEST_LOOKS_MAX; i++) {
		if (spool_block_decode_header(slice_of_val(value), &header) == 0) {
			return header.lane == lane ? header.received_first_ms : 0;
		}
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	return 0;
}

int64_t spool_oldest_ms(struct spool *spool, enum kind lane)
{
	MDB_cursor *cursor = NULL;
	int64_t oldest_ms = 0;

	if (spool->index.lanes[lane].blocks == 0 || read_begin(spool) != 0) {
		return 0;
	}
	if (mdb_cursor_open(spool->reader, spool->blocks, &cursor) == 0) {
		oldest_ms = received_first(cursor, lane);
		mdb_cursor_close(cursor);
	}
	read_end(spool);
	return oldest_ms;
}

/* ---- what is set aside, and whose the spool is */

static void describe_block(struct spool *spool, MDB_txn *txn, uint8_t key[SPOOL_KEY_SIZE],
	struct spool_block_header *header)
{
	MDB_val at = key_val(key);
	MDB_val value;

	if (mdb_get(txn, spool->blocks, &at, &value) == 0) {
		(void)spool_block_decode_header(slice_of_val(value), header);
	}
}

int spool_set_aside(
	struct spool *spool, enum kind lane, uint64_t index, struct spool_block_header *ret_header)
{
	MDB_txn *txn = NULL;
	uint8_t key[SPOOL_KEY_SIZE];
	struct spool_block_header header = {0};

	int r = begin(spool, &txn);
	if (r != 0) {
		return r;
	}
	spool_key_encode(lane, index, key);
	describe_block(spool, txn, key, &header);
	r = spool_move_aside(spool, txn, key);
	if (r == 0) {
		r = spool_load_blocks(spool, txn, true);
	}
	r = r != 0 ? give_up(spool, txn, r) : commit(spool, txn);
	if (r == 0) {
		*ret_header = header;
	}
	return r;
}

int spool_keep_cluster(struct spool *spool, const char *cluster, uint64_t topics_hash)
{
	MDB_txn *txn = NULL;
	struct spool_identity identity = spool->identity;

	snprintf(identity.cluster, sizeof identity.cluster, "%s", cluster);
	identity.topics_hash = topics_hash;
	int r = begin(spool, &txn);
	if (r != 0) {
		return r;
	}
	r = spool_write_identity(spool, txn, &identity);
	r = r != 0 ? give_up(spool, txn, r) : commit(spool, txn);
	if (r == 0) {
		spool->identity = identity;
	}
	return r;
}

/* ---- how full it really is */

int spool_measure(struct spool *spool)
{
	MDB_envinfo info;
	MDB_stat stat;
	MDB_stat free_list;
	uint64_t free_pages = 0;
	int dead = 0;

	int r = spool_from_mdb(mdb_reader_check(spool->env, &dead));
	if (r == 0) {
		r = read_begin(spool);
	}
	if (r != 0) {
		return r;
	}
	r = count_free_pages(spool->reader, &free_pages);
	if (r == 0) {
		r = spool_from_mdb(mdb_stat(spool->reader, FREE_LIST, &free_list));
	}
	read_end(spool);
	if (r == 0) {
		r = spool_from_mdb(mdb_env_info(spool->env, &info));
	}
	if (r == 0) {
		r = spool_from_mdb(mdb_env_stat(spool->env, &stat));
	}
	if (r == 0) {
		uint64_t used = (info.me_last_pgno + 1 - free_pages) * stat.ms_psize;
		uint64_t listing = (free_list.ms_branch_pages + free_list.ms_leaf_pages +
					   free_list.ms_overflow_pages) *
				   stat.ms_psize;
		spool->space.file_bytes = (info.me_last_pgno + 1) * stat.ms_psize;
		spool->space.used_bytes = used - (listing < used ? listing : used);
		spool->free_bytes = free_pages * stat.ms_psize;
		spool->index.short_of_pages = used > spool->map_bytes / 4 * 3;
		int64_t room = disk_room(spool, spool->free_bytes);
		spool->space.disk_room_bytes = room < 0 ? 0 : (uint64_t)room;
		spool->index.short_of_disk = room < 0;
	}
	return r;
}
