/* The spool over a modelled disk: edge/spool.h as the LMDB one keeps it, with blocks, producers and what the spool belongs
 * to in arrays. Blocks are encoded and checked by edge/spool_block.c, room is judged by edge/spool_index.c. */
#include "tests/sim/spool_model.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS_MAX = 64 };

#define MARK_PREFIX "\1" /* no producer's name begins so */

struct stored_block {
	enum kind lane;
	uint64_t index;
	uint32_t size;
	uint8_t *bytes; /* header and events; owned */
};

struct stored_row {
	char id[PRODUCER_ID_SIZE_MAX];
	size_t id_size;
	uint8_t *bytes; /* owned */
	size_t size, capacity;
};

/* An event_id or a request's key, and what is kept with it; shared by disks that were copied from one another. */
struct stored_id {
	uint32_t owners;
	uint32_t id_size, value_size;
	uint8_t bytes[];
};

struct disk {
	struct stored_id **ids; /* owned; sorted */
	size_t id_count, id_capacity;
	struct spool_identity identity;
	struct stored_block *blocks; /* owned; in order of coming */
	size_t block_count, block_capacity;
	struct stored_row rows[ROWS_MAX]; /* of producers, and marks behind MARK_PREFIX */
	size_t row_count;
	uint64_t last_run;
	struct disk *before; /* the last commit; only with the planted bug */
};

struct spool {
	struct disk *disk;
	struct spool_index index;
	void (*kept)(int number);
	int number;
};

/* ---- the disk */

static void *must(void *memory)
{
	if (memory == NULL) {
		abort();
	}
	return memory;
}

struct disk *disk_new(void)
{
	return must(calloc(1, sizeof(struct disk)));
}

static int compare_ids(const struct stored_id *stored, struct slice id)
{
	size_t common = stored->id_size < id.size ? stored->id_size : id.size;
	int order = memcmp(stored->bytes, id.bytes, common);

	return order != 0 ? order : (stored->id_size > id.size) - (stored->id_size < id.size);
}

/* Where it lies, or belongs. */
static size_t place_of_id(const struct disk *disk, struct slice id, bool *ret_is_there)
{
	size_t low = 0, high = disk->id_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (compare_ids(disk->ids[middle], id) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	*ret_is_there = low < disk->id_count && compare_ids(disk->ids[low], id) == 0;
	return low;
}

static void insert_id(struct disk *disk, size_t at, struct stored_id *stored)
{
	if (disk->id_count == disk->id_capacity) {
		disk->id_capacity = disk->id_capacity * 2 + 64;
		disk->ids = must(realloc(disk->ids, disk->id_capacity * sizeof *disk->ids));
	}
	memmove(disk->ids + at + 1, disk->ids + at, (disk->id_count - at) * sizeof *disk->ids);
	disk->ids[at] = stored;
	disk->id_count++;
}

static void put_id(struct disk *disk, struct slice id, struct slice value)
{
	bool is_there = false;
	size_t at = place_of_id(disk, id, &is_there);

	if (is_there) {
		return; /* only with the planted bug: the intake knows what it knows */
	}
	struct stored_id *stored = must(malloc(sizeof *stored + id.size + value.size));
	*stored = (struct stored_id){1, (uint32_t)id.size, (uint32_t)value.size};
	memcpy(stored->bytes, id.bytes, id.size);
	if (value.size > 0) {
		memcpy(stored->bytes + id.size, value.bytes, value.size);
	}
	insert_id(disk, at, stored);
}

static void clear_ids(struct disk *disk)
{
	for (size_t i = 0; i < disk->id_count; i++) {
		if (--disk->ids[i]->owners == 0) {
			free(disk->ids[i]);
		}
	}
	disk->id_count = 0;
}

static void assign_ids(struct disk *to, const struct disk *from)
{
	clear_ids(to);
	for (size_t i = 0; i < from->id_count; i++) {
		from->ids[i]->owners++;
		insert_id(to, i, from->ids[i]);
	}
}

static void clear(struct disk *disk)
{
	clear_ids(disk);
	for (size_t i = 0; i < disk->block_count; i++) {
		free(disk->blocks[i].bytes);
	}
	for (size_t i = 0; i < disk->row_count; i++) {
		free(disk->rows[i].bytes);
		disk->rows[i] = (struct stored_row){0};
	}
	disk->block_count = disk->row_count = 0;
}

static void *copy_bytes(const void *bytes, size_t size)
{
	return memcpy(must(malloc(size + 1)), bytes, size);
}

static struct stored_block *add_block(struct disk *disk)
{
	if (disk->block_count == disk->block_capacity) {
		disk->block_capacity = disk->block_capacity * 2 + 16;
		disk->blocks =
			must(realloc(disk->blocks, disk->block_capacity * sizeof *disk->blocks));
	}
	return &disk->blocks[disk->block_count++];
}

static void assign(struct disk *to, const struct disk *from)
{
	clear(to);
	assign_ids(to, from);
	to->identity = from->identity;
	to->last_run = from->last_run;
	to->row_count = from->row_count;
	for (size_t i = 0; i < from->row_count; i++) {
		to->rows[i] = from->rows[i];
		to->rows[i].bytes = copy_bytes(from->rows[i].bytes, from->rows[i].size);
		to->rows[i].capacity = from->rows[i].size;
	}
	for (size_t i = 0; i < from->block_count; i++) {
		struct stored_block *block = add_block(to);
		*block = from->blocks[i];
		block->bytes = copy_bytes(from->blocks[i].bytes, block->size);
	}
}

struct disk *disk_copy(const struct disk *disk)
{
	struct disk *copy = disk_new();

	assign(copy, disk);
	return copy;
}

struct disk *disk_free(struct disk *disk)
{
	if (disk != NULL) {
		clear(disk);
		free(disk->blocks);
		disk_free(disk->before);
		free(disk->ids);
		free(disk);
	}
	return NULL;
}

bool disk_is_empty(const struct disk *disk)
{
	return disk->block_count == 0;
}

bool disk_knows_cluster(const struct disk *disk)
{
	return disk->identity.cluster[0] != '\0';
}

bool disk_damage(struct disk *disk, void (*endanger)(size_t sale))
{
	static const char name[] = "order_id";
	const struct stored_block *block;
	const uint8_t *at, *end;

	if (disk->block_count == 0) {
		return false;
	}
	block = &disk->blocks[world_draw(disk->block_count)];
	end = block->bytes + block->size;
	at = memmem(block->bytes, block->size, name, sizeof name - 1);
	while (at != NULL) {
		for (at += sizeof name - 1; at < end && *at != 'e'; at++) {
		}
		endanger(strtoull((const char *)at + 1, NULL, 10));
		at = memmem(at, (size_t)(end - at), name, sizeof name - 1);
	}
	block->bytes[world_draw(block->size)] ^= (uint8_t)(1U << world_draw(8));
	return true;
}

void disk_crash(struct disk *disk)
{
	if (disk->before != NULL && world_draw(3) == 0) {
		assign(disk, disk->before);
	}
	disk->before = disk_free(disk->before);
}

uint64_t disk_next_run(struct disk *disk)
{
	return ++disk->last_run;
}

/* The events of an order block again, with another run, and seqs from *next_seq on. */
static void restamp_events(
	struct slice events, uint64_t run, uint64_t *next_seq, struct buffer *out)
{
	struct document document;
	struct event event;
	struct complaint complaint;
	struct slice bytes;

	if (document_init(&document, EVENT_NODES_MAX) != 0) {
		abort();
	}
	while (event_cut(&events, &bytes)) {
		if (event_decode(&document, ENCODING_MSGPACK, bytes, &event, &complaint) != 0) {
			abort();
		}
		event.certificate.run = run;
		event.certificate.seq = (*next_seq)++;
		event_encode(&event, ENCODING_MSGPACK, out);
	}
	document_deinit(&document);
}

static void restamp_block(struct stored_block *block, uint64_t run, uint64_t *next_seq)
{
	struct spool_block_header header;
	struct slice events;
	struct buffer buffer;

	if (spool_block_decode(slice_of(block->bytes, block->size), &header, &events) != 0) {
		return; /* damaged: the edge will set it aside */
	}
	buffer_init(&buffer, BATCH_SIZE_MAX);
	header.run = run;
	header.first_seq = *next_seq;
	restamp_events(events, run, next_seq, &buffer);
	header.size = (uint32_t)buffer.size;
	free(block->bytes);
	block->size = (uint32_t)(SPOOL_BLOCK_HEADER_SIZE + buffer.size);
	block->bytes = must(malloc(block->size));
	spool_block_encode_header(&header, buffer_slice(&buffer), block->bytes);
	memcpy(block->bytes + SPOOL_BLOCK_HEADER_SIZE, buffer.bytes, buffer.size);
	buffer_deinit(&buffer);
}

void disk_restamp(struct disk *disk)
{
	uint64_t run = (world_random() & RUN_MAX) | 1;
	uint64_t next_seq = 1;

	for (size_t i = 0; i < disk->block_count; i++) {
		if (disk->blocks[i].lane == KIND_ORDER) {
			restamp_block(&disk->blocks[i], run, &next_seq);
		}
	}
}

static void keep_last_commit(struct disk *disk)
{
	if (world.bug == BUG_NO_SYNC) {
		disk->before = disk_free(disk->before);
		disk->before = disk_copy(disk);
	}
}

static struct stored_row *find_row(struct disk *disk, struct slice id)
{
	for (size_t i = 0; i < disk->row_count; i++) {
		struct stored_row *row = &disk->rows[i];
		if (slice_equal(slice_of(row->id, row->id_size), id)) {
			return row;
		}
	}
	return NULL;
}

static void put_row(struct disk *disk, struct slice id, struct slice value)
{
	struct stored_row *row = find_row(disk, id);

	if (row == NULL) {
		if (disk->row_count == ROWS_MAX) {
			abort();
		}
		row = &disk->rows[disk->row_count++];
		memcpy(row->id, id.bytes, id.size);
		row->id_size = id.size;
	}
	if (value.size > row->capacity) {
		row->bytes = must(realloc(row->bytes, value.size));
		row->capacity = value.size;
	}
	memcpy(row->bytes, value.bytes, value.size);
	row->size = value.size;
}

/* ---- opening */

static void move_aside(struct disk *disk, size_t at)
{
	world.set_aside++;
	free(disk->blocks[at].bytes);
	disk->block_count--;
	memmove(&disk->blocks[at], &disk->blocks[at + 1],
		(disk->block_count - at) * sizeof *disk->blocks);
}

/* What can't even be counted is set aside here and now. */
static void count_blocks(struct spool *spool)
{
	struct spool_block_header header;
	uint64_t ends[KIND_COUNT]; /* no index comes a second time */

	for (int i = 0; i < KIND_COUNT; i++) {
		ends[i] = spool->index.lanes[i].end;
	}
	spool_index_reset(&spool->index);
	for (size_t i = 0; i < spool->disk->block_count;) {
		const struct stored_block *block = &spool->disk->blocks[i];
		if (spool_block_decode_header(slice_of(block->bytes, block->size), &header) != 0) {
			ends[block->lane] = block->index + 1 > ends[block->lane]
						    ? block->index + 1
						    : ends[block->lane];
			move_aside(spool->disk, i);
			continue;
		}
		i++;
		spool_index_reserve(&spool->index, block->lane, block->index);
		spool_index_add(
			&spool->index, block->lane, block->index, header.count, header.size);
	}
	for (int i = 0; i < KIND_COUNT; i++) {
		spool_index_reserve(&spool->index, (enum kind)i, ends[i]);
	}
}

struct spool *spool_model_new(struct disk *disk, const char *edge, uint64_t quota_bytes)
{
	static const uint32_t share_percent[KIND_COUNT] = {100, 100, 100, 100, 100, 100};
	struct spool *spool = must(calloc(1, sizeof *spool));

	spool->disk = disk;
	disk->identity.version = SPOOL_VERSION;
	snprintf(disk->identity.edge, sizeof disk->identity.edge, "%s", edge);
	spool_index_init(&spool->index, quota_bytes, share_percent);
	count_blocks(spool);
	return spool;
}

struct spool *spool_free(struct spool *spool)
{
	free(spool);
	return NULL;
}

/* ---- looking */

const struct spool_index *spool_index(const struct spool *spool)
{
	return &spool->index;
}

/* Nothing is forgotten here. */
int64_t spool_heard_last_ms(const struct spool *spool)
{
	(void)spool;
	return 0;
}

const struct spool_identity *spool_identity(const struct spool *spool)
{
	return &spool->disk->identity;
}

static int look_up_producer(void *owner, struct slice producer, struct producer_row *ret_row)
{
	const struct spool *spool = owner;
	const struct stored_row *row = find_row(spool->disk, producer);

	if (row == NULL) {
		return SPOOL_E_UNKNOWN;
	}
	return producer_row_decode(producer, slice_of(row->bytes, row->size), ret_row)
		       ? 0
		       : SPOOL_E_CORRUPT;
}

static int look_up_event_id(void *owner, struct slice event_id, struct slice *ret_value)
{
	const struct spool *spool = owner;
	bool is_there = false;
	size_t at = place_of_id(spool->disk, event_id, &is_there);

	if (!is_there) {
		return SPOOL_E_UNKNOWN;
	}
	const struct stored_id *stored = spool->disk->ids[at];
	*ret_value = slice_of(stored->bytes + stored->id_size, stored->value_size);
	return 0;
}

struct intake_memory spool_memory(struct spool *spool)
{
	return (struct intake_memory){
		.owner = spool, .producer = look_up_producer, .event_id = look_up_event_id};
}

int spool_each_mark(struct spool *spool, const struct spool_mark_walk *walk)
{
	char prefix[1 + SOURCE_LABEL_SIZE];
	size_t size = (size_t)snprintf(prefix, sizeof prefix, MARK_PREFIX "%s", walk->label) + 1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < spool->disk->row_count; i++) {
		const struct stored_row *row = &spool->disk->rows[i];
		if (row->id_size > size && memcmp(row->id, prefix, size) == 0) {
			r = walk->take(walk->owner, slice_of(row->id + size, row->id_size - size),
				slice_of(row->bytes, row->size));
		}
	}
	return r;
}

/* ---- committing */

static bool is_removed(const struct removals *removals, const struct stored_block *block)
{
	for (size_t i = 0; removals != NULL && i < removals->count; i++) {
		const struct removal *range = &removals->ranges[i];
		if (range->lane == block->lane && range->first <= block->index &&
			block->index <= range->last) {
			return true;
		}
	}
	return false;
}

static void delete_removals(struct spool *spool, const struct removals *removals)
{
	struct disk *disk = spool->disk;
	struct spool_lane taken[KIND_COUNT] = {0};
	struct spool_block_header header;
	bool is_sure = true;
	size_t kept = 0;

	for (size_t i = 0; i < disk->block_count; i++) {
		struct stored_block *block = &disk->blocks[i];
		if (!is_removed(removals, block)) {
			disk->blocks[kept++] = *block;
			continue;
		}
		if (spool_block_decode_header(slice_of(block->bytes, block->size), &header) != 0) {
			header.count = 0;
			is_sure = false;
		}
		taken[block->lane].blocks++;
		taken[block->lane].events += header.count;
		taken[block->lane].bytes += spool_cost(SPOOL_KEY_SIZE, block->size);
		free(block->bytes);
	}
	disk->block_count = kept;
	spool_index_subtract(&spool->index, taken);
	if (!is_sure) {
		count_blocks(spool);
	}
}

static void write_block(struct spool *spool, const struct draft *draft, enum kind lane,
	const struct draft_block *from)
{
	struct slice events = draft_block_events(&draft->lanes[lane], from);
	const struct spool_block_header header = {
		.lane = lane,
		.count = from->count,
		.run = draft->run,
		.first_seq = from->first_seq,
		.received_first_ms = from->received_first_ms,
		.received_last_ms = from->received_last_ms,
		.size = from->size,
	};

	struct stored_block *block = add_block(spool->disk);
	*block = (struct stored_block){.lane = lane, .index = spool->index.lanes[lane].end};
	block->size = (uint32_t)(SPOOL_BLOCK_HEADER_SIZE + events.size);
	block->bytes = must(malloc(block->size));
	spool_block_encode_header(&header, events, block->bytes);
	memcpy(block->bytes + SPOOL_BLOCK_HEADER_SIZE, events.bytes, events.size);
	spool_index_add(&spool->index, lane, block->index, from->count, from->size);
}

/* A run puts marks, and deletes none. */
static void write_marks(struct disk *disk, const struct idmap *marks)
{
	char id[PRODUCER_ID_SIZE_MAX];

	for (uint32_t i = 0; i < marks->count; i++) {
		struct slice key = idmap_id(marks, &marks->entries[i]);
		struct slice value = idmap_value(marks, &marks->entries[i]);
		if (value.bytes[0] != DRAFT_MARK_PUT || key.size >= sizeof id) {
			abort();
		}
		id[0] = MARK_PREFIX[0];
		memcpy(id + 1, key.bytes, key.size);
		put_row(disk, slice_of(id, 1 + key.size),
			slice_of(value.bytes + 1, value.size - 1));
	}
}

static void write_ids(struct disk *disk, const struct idmap *ids)
{
	for (uint32_t i = 0; i < ids->count; i++) {
		put_id(disk, idmap_id(ids, &ids->entries[i]), idmap_value(ids, &ids->entries[i]));
	}
}

static void write_draft(struct spool *spool, const struct draft *draft)
{
	for (int lane = 0; lane < KIND_COUNT; lane++) {
		for (size_t i = 0; i < draft->lanes[lane].block_count; i++) {
			write_block(spool, draft, (enum kind)lane, &draft->lanes[lane].blocks[i]);
		}
	}
	for (uint32_t i = 0; i < draft->producers.count; i++) {
		const struct idmap_entry *entry = &draft->producers.entries[i];
		put_row(spool->disk, idmap_id(&draft->producers, entry),
			idmap_value(&draft->producers, entry));
	}
	write_ids(spool->disk, &draft->event_ids);
	write_marks(spool->disk, &draft->marks);
}

void spool_model_on_commit(struct spool *spool, void (*kept)(int number), int number)
{
	spool->kept = kept;
	spool->number = number;
}

int spool_commit(struct spool *spool, const struct draft *draft, const struct removals *removals,
	int64_t wall_ms)
{
	(void)wall_ms;
	if (world.bug == BUG_MARK_FIRST && draft != NULL) {
		write_marks(spool->disk, &draft->marks);
	}
	if (world.bug == BUG_IDS_FIRST && draft != NULL) {
		write_ids(spool->disk, &draft->event_ids);
	}
	if (world_fails(FAULT_DISK_FULL, 8000)) {
		return SPOOL_E_FULL;
	}
	if (world_fails(FAULT_COMMIT_LOST, 3000)) {
		return -EIO;
	}
	keep_last_commit(spool->disk);
	delete_removals(spool, removals);
	if (draft != NULL) {
		write_draft(spool, draft);
		world_note("spool: %llu events committed", (unsigned long long)draft->event_count);
	}
	if (world_fails(FAULT_REPLY_LOST, 3000)) {
		return -EIO;
	}
	if (draft != NULL) {
		spool->kept(spool->number);
	}
	return 0;
}

int spool_keep_cluster(struct spool *spool, const char *cluster, uint64_t topics_hash)
{
	struct spool_identity *identity = &spool->disk->identity;

	snprintf(identity->cluster, sizeof identity->cluster, "%s", cluster);
	identity->topics_hash = topics_hash;
	return 0;
}

/* ---- reading */

/* With the planted bug the checksum of the events is nobody's business. */
static bool is_readable(const struct stored_block *block, struct spool_block_header *ret_header,
	struct slice *ret_events)
{
	struct slice bytes = slice_of(block->bytes, block->size);

	if (world.bug == BUG_UNCHECKED && spool_block_decode_header(bytes, ret_header) == 0) {
		*ret_events = slice_of(block->bytes + SPOOL_BLOCK_HEADER_SIZE, ret_header->size);
		return true;
	}
	return spool_block_decode(bytes, ret_header, ret_events) == 0;
}

int spool_read(struct spool *spool, const struct spool_query *query, struct buffer *events,
	struct spool_batch *ret_batch)
{
	struct spool_batch batch = {0};
	struct spool_block_header header;
	struct slice bytes;
	int r = SPOOL_E_END;

	for (size_t i = 0; i < spool->disk->block_count; i++) {
		const struct stored_block *block = &spool->disk->blocks[i];
		if (block->lane != query->lane || block->index < query->first ||
			block->index > query->last) {
			continue;
		}
		if (!is_readable(block, &header, &bytes)) {
			r = SPOOL_E_CORRUPT;
			batch.first = batch.count == 0 ? block->index : batch.first;
			break;
		}
		if (batch.size + header.size > query->size_max) {
			r = SPOOL_E_FULL;
			break;
		}
		batch.first = batch.count == 0 ? block->index : batch.first;
		batch.last = block->index;
		batch.count += header.count;
		batch.size += header.size;
		buffer_append(events, bytes.bytes, bytes.size);
		if (query->size_enough > 0 && batch.size >= query->size_enough) {
			break;
		}
	}
	*ret_batch = batch;
	return batch.count == 0 ? r : events->error;
}

int spool_set_aside(
	struct spool *spool, enum kind lane, uint64_t index, struct spool_block_header *ret_header)
{
	struct disk *disk = spool->disk;

	*ret_header = (struct spool_block_header){0};
	for (size_t i = 0; i < disk->block_count; i++) {
		const struct stored_block *block = &disk->blocks[i];
		if (block->lane != lane || block->index != index) {
			continue;
		}
		if (spool_block_decode_header(slice_of(block->bytes, block->size), ret_header) !=
			0) {
			*ret_header = (struct spool_block_header){0};
		}
		move_aside(disk, i);
		count_blocks(spool);
		return 0;
	}
	abort();
}

bool spool_is_map_full(const struct spool *spool)
{
	(void)spool;
	return false;
}

/* ---- for reports: of what was set aside nothing is told */

struct spool_corrupt spool_corrupt(const struct spool *spool)
{
	(void)spool;
	return (struct spool_corrupt){0};
}

struct spool_space spool_space(const struct spool *spool)
{
	(void)spool;
	return (struct spool_space){0};
}

int64_t spool_oldest_ms(struct spool *spool, enum kind lane)
{
	(void)spool, (void)lane;
	return 0;
}

int spool_list_ranges(struct spool *spool, struct telemetry_range ranges[TELEMETRY_RANGES_MAX],
	uint32_t *ret_count, bool *ret_is_cut)
{
	const struct disk *disk = spool->disk;
	struct spool_block_header header;
	uint32_t count = 0;

	*ret_is_cut = false;
	for (size_t i = 0; i < disk->block_count && world.bug != BUG_DISK_UNTOLD; i++) {
		const struct stored_block *block = &disk->blocks[i];
		bool is_readable = spool_block_decode_header(
					   slice_of(block->bytes, block->size), &header) == 0;
		if (!is_readable || count == TELEMETRY_RANGES_MAX) {
			*ret_is_cut = true;
			continue;
		}
		ranges[count++] = (struct telemetry_range){.run = header.run,
			.kind = header.lane,
			.first = header.first_seq,
			.last = header.first_seq + header.count - 1};
	}
	*ret_count = count;
	return 0;
}
