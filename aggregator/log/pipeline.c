#include "aggregator/log/pipeline_judge.h"
#include "aggregator/shard/shard_baskets.h"
#include "aggregator/shard/shard_truncations.h"
#include "aggregator/store/row_change.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
	/* After so long without a record what changed is written: a quiet shop's last sale is on disk at once. */
	QUIET_MS = 75,
	CLOCK_STEP_MS =
		1000, /* rows end with minutes: no need to move their clock with every record */
	/* Rows, members and streams that one transaction may change. In a large store each lies in a page of its own, and LMDB 0.9.24
	 * keeps at most 131,071 changed pages well. */
	FREEZE_CHANGES_MAX = 80000,
	/* Streams and records put aside, whatever overlay_size allows: far below what one commit can carry. */
	FREEZE_PUTS_MAX = 64 * 1024 * 1024,
};

static size_t shard_index(const struct pipeline *pipeline, int32_t partition)
{
	return (size_t)partition % pipeline->shard_count;
}

static struct shard *shard_of(const struct pipeline *pipeline, const struct partition *partition)
{
	return pipeline->shards[shard_index(pipeline, partition->number)];
}

struct partition *pipeline_partition(
	const struct pipeline *pipeline, uint32_t topic, int32_t number)
{
	size_t low = 0, high = pipeline->partition_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct partition *partition = pipeline->partitions[middle];
		if (partition->topic == topic && partition->number == number) {
			return partition;
		}
		if (partition->topic < topic ||
			(partition->topic == topic && partition->number < number)) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return NULL;
}

static int append(struct partition ***list, size_t *count, struct partition *partition)
{
	struct partition **grown = realloc(*list, (*count + 1) * sizeof *grown);
	if (grown == NULL) {
		return -ENOMEM;
	}
	grown[(*count)++] = partition;
	*list = grown;
	return 0;
}

int pipeline_add_partition(
	struct pipeline *pipeline, uint32_t topic, int32_t number, struct partition **ret_partition)
{
	size_t shard = shard_index(pipeline, number);
	struct partition *partition = calloc(1, sizeof *partition);
	if (partition == NULL) {
		return -ENOMEM;
	}
	*partition = (struct partition){.topic = topic,
		.number = number,
		.position = POSITION_START,
		.high = -1,
		.reported = -1,
		.target = -1,
		.moved_ms = pipeline->now_ms};
	int r = append(&pipeline->partitions, &pipeline->partition_count, partition);
	if (r < 0) {
		free(partition);
		return r;
	}
	/* Into its place: they stay in order of topic and number. */
	for (size_t i = pipeline->partition_count - 1; i > 0; i--) {
		struct partition *below = pipeline->partitions[i - 1];
		if (below->topic < topic || (below->topic == topic && below->number < number)) {
			break;
		}
		pipeline->partitions[i] = below;
		pipeline->partitions[i - 1] = partition;
	}
	r = append(&pipeline->by_shard[shard], &pipeline->by_shard_count[shard], partition);
	*ret_partition = partition;
	return r;
}

static int load_position(void *owner, struct slice key, struct slice value)
{
	struct pipeline *pipeline = owner;
	struct partition *partition = NULL;
	struct position position;
	struct slice topic;
	int32_t number;

	if (!position_key_parse(key, &topic, &number) || number < 0 ||
		!position_decode(value, &position)) {
		return STORE_E_CORRUPT;
	}
	for (uint32_t i = 0; i < pipeline->options.topics.count; i++) {
		if (slice_equals_text(topic, pipeline->options.topics.names[i])) {
			int r = pipeline_add_partition(pipeline, i, number, &partition);
			if (r < 0) {
				return r;
			}
			partition->position = position;
		}
	}
	return 0; /* a topic that is no longer configured keeps its row */
}

static int load_positions(struct pipeline *pipeline, struct store *store)
{
	struct snapshot *snapshot = NULL;
	int r = snapshot_begin(store, pipeline->options.generation, &snapshot);
	if (r == 0) {
		r = snapshot_walk(
			snapshot, TABLE_OFFSETS, slice_of(NULL, 0), load_position, pipeline);
	}
	snapshot_end(snapshot);
	return r;
}

static int new_shard(struct pipeline *pipeline, size_t index)
{
	const struct pipeline_options *options = &pipeline->options;
	struct shard_options shard = {
		.store = options->stores->items[index],
		.worker = options->stores->workers[index],
		.views = options->views,
		.generation = options->generation,
		.entries_at_once = options->entries_at_once,
		.committed = options->committed,
		.freezing = options->freezing,
		.conflict = options->conflict,
		.row_changed = options->row_changed,
		.owner = options->owner,
	};
	memcpy(shard.hash_key, options->hash_key, sizeof shard.hash_key);
	int r = shard_new(&shard, &pipeline->shards[index]);
	return r == 0 ? load_positions(pipeline, shard.store) : r;
}

/* One clock for all shards: it says which rows are there, and that must not depend on how the partitions are spread. */
static void load_clock(struct pipeline *pipeline)
{
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		if (pipeline->shards[i]->ledger.clock_ms > pipeline->clock_ms) {
			pipeline->clock_ms = pipeline->shards[i]->ledger.clock_ms;
		}
	}
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		shard_set_clock(pipeline->shards[i], pipeline->clock_ms, pipeline->now_ms);
	}
}

int pipeline_new(const struct pipeline_options *options, struct pipeline **ret_pipeline)
{
	struct pipeline *pipeline = calloc(1, sizeof *pipeline);
	if (pipeline == NULL) {
		return -ENOMEM;
	}
	pipeline->options = *options;
	pipeline->shard_count = options->stores->count;
	int r = document_init(&pipeline->document, EVENT_NODES_MAX);
	for (size_t i = 0; i < pipeline->shard_count && r == 0; i++) {
		r = new_shard(pipeline, i);
	}
	if (r != 0) {
		pipeline_free(pipeline);
		return r;
	}
	load_clock(pipeline);
	*ret_pipeline = pipeline;
	return 0;
}

struct pipeline *pipeline_free(struct pipeline *pipeline)
{
	if (pipeline == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < SHARDS_MAX; i++) {
		shard_free(pipeline->shards[i]);
		free(pipeline->by_shard[i]);
	}
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		free(pipeline->partitions[i]);
	}
	free(pipeline->partitions);
	document_deinit(&pipeline->document);
	text_set_deinit(&pipeline->missing);
	free(pipeline);
	return NULL;
}

void pipeline_touch(struct pipeline *pipeline, struct partition *partition)
{
	partition->is_changed = true;
	shard_touch(shard_of(pipeline, partition), pipeline->now_ms);
}

/* A record that was read before: the anchor, or one behind it. */
static int pass(struct pipeline *pipeline, struct partition *partition, const struct anchor *record)
{
	if (!proof_pass(&partition->proof, &partition->position, record)) {
		partition->state = PARTITION_STOPPED;
		return pipeline_judge_recreated(pipeline, partition->topic);
	}
	if (record->offset == partition->position.anchor.offset) {
		pipeline_touch(pipeline, partition); /* it is the last one now */
	}
	return 0;
}

/* The first record after a start at the anchor. Anything but the anchor itself, unchanged, is another log; only where
 * the log has lost single records (compaction) may a later one come. */
static int check_anchor(struct pipeline *pipeline, struct partition *partition,
	const struct record *record, bool *ret_is_done)
{
	struct anchor anchor =
		anchor_of(record->offset, record->timestamp_ms, record->key, record->value);
	const char *topic = pipeline->options.topics.names[partition->topic];
	*ret_is_done = true;
	if (record->offset >= partition->position.next) {
		partition->state = PARTITION_READING;
		pipeline->options.notice(pipeline->options.owner, "anchor gone, nothing missing",
			topic, partition->number);
		*ret_is_done = false;
		return 0;
	}
	if (record->offset > partition->position.anchor.offset) {
		return 0; /* between a lost anchor and the stored offset */
	}
	if (anchor_equal(&anchor, &partition->position.anchor)) {
		partition->state = PARTITION_READING;
		return pass(pipeline, partition, &anchor);
	}
	partition->state = PARTITION_STOPPED;
	return pipeline_judge_recreated(pipeline, partition->topic);
}

/* Compaction leaves such holes, and so do transactions of other producers: nothing tells the one from the other. Said
 * once; the metric says how many. */
static void note_skipped(struct pipeline *pipeline, struct partition *partition, int64_t offset)
{
	if (offset <= partition->position.next) {
		return;
	}
	if (partition->skipped == 0) {
		pipeline->options.notice(pipeline->options.owner, "offsets without records",
			pipeline->options.topics.names[partition->topic], partition->number);
	}
	partition->skipped += (uint64_t)(offset - partition->position.next);
}

static void move_on(struct pipeline *pipeline, struct partition *partition,
	const struct record *record, enum fate fate)
{
	const struct anchor anchor = {.offset = record->offset,
		.timestamp_ms = record->timestamp_ms,
		.checksum = pipeline->reading.checksum};
	note_skipped(pipeline, partition, record->offset);
	proof_note(&partition->proof, &partition->position, &anchor);
	partition->position.next = record->offset + 1;
	books_enter(&partition->position.books, fate);
	books_enter(&partition->seen, fate);
	if (partition->high < partition->position.next) {
		partition->high = partition->position.next;
	}
	partition->moved_ms = pipeline->now_ms;
	partition->why[0] = '\0';
	pipeline_touch(pipeline, partition);
}

static int read_record(
	struct pipeline *pipeline, const struct partition *partition, const struct record *record)
{
	const struct pipeline_options *options = &pipeline->options;
	struct source_reader *reader = options->readers[partition->topic];
	uint64_t number = partition->position.books.fates[FATE_COUNTED] + 1;

	return reader == NULL ? record_read(&pipeline->document, record, &pipeline->reading)
			      : source_read(reader, &pipeline->document,
					options->topics.names[partition->topic], number, record,
					&pipeline->reading);
}

/* Is this partition all that rows of its table come from? An aggregator that owns some partitions can't tell. */
static bool is_lone(const struct pipeline *pipeline, const struct partition *partition)
{
	struct source_reader *const *readers = pipeline->options.readers;
	size_t count = 0;

	for (size_t i = 0; i < pipeline->partition_count; i++) {
		count += source_readers_share(
			readers[partition->topic], readers[pipeline->partitions[i]->topic]);
	}
	return count == 1 && pipeline->options.owns_all;
}

static bool is_truncation(const struct reading *reading)
{
	return reading->class == RECORD_CHANGE && reading->row_change->change.op == CHANGE_TRUNCATE;
}

static void set_clock(struct pipeline *pipeline, int64_t clock_ms)
{
	pipeline->clock_ms = clock_ms;
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		shard_set_clock(pipeline->shards[i], clock_ms, pipeline->now_ms);
	}
}

/* Rows end by the append time of certified records: what anybody else writes into a topic, or a topic of his own, may bear
 * any time, and moves nothing. */
void pipeline_follow_clock(
	struct pipeline *pipeline, const struct partition *partition, const struct record *record)
{
	enum record_class class = pipeline->reading.class;
	int64_t clock_ms = record->timestamp_ms - record->timestamp_ms % CLOCK_STEP_MS;

	if (pipeline->options.readers[partition->topic] == NULL &&
		(class == RECORD_EVENT || class == RECORD_MARKER) &&
		clock_ms > pipeline->clock_ms) {
		set_clock(pipeline, clock_ms);
	}
}

int pipeline_take(void *owner, const struct record *record)
{
	struct pipeline *pipeline = owner;
	struct partition *partition =
		pipeline_partition(pipeline, record->topic, record->partition);
	bool is_done = false;
	enum fate fate;

	if (partition == NULL || partition->state == PARTITION_STOPPED ||
		shard_of(pipeline, partition)->is_broken) {
		return 0; /* read again from the position, once that can go on */
	}
	int r = 0;
	if (partition->state == PARTITION_CHECKING) {
		r = check_anchor(pipeline, partition, record, &is_done);
	}
	if (r < 0 || is_done) {
		return r;
	}
	if (record->offset < partition->position.next) {
		struct anchor anchor =
			anchor_of(record->offset, record->timestamp_ms, record->key, record->value);
		return pass(pipeline, partition, &anchor);
	}
	r = read_record(pipeline, partition, record);
	if (r < 0) {
		return r;
	}
	pipeline_follow_clock(pipeline, partition, record);
	pipeline->reading.is_lone =
		is_truncation(&pipeline->reading) && is_lone(pipeline, partition);
	r = shard_take(shard_of(pipeline, partition),
		pipeline->options.topics.names[partition->topic], record, &pipeline->reading,
		&fate);
	if (r < 0) {
		return r == -EBADMSG ? 0 : r;
	}
	move_on(pipeline, partition, record, fate);
	return 0;
}

int pipeline_end(void *owner, uint32_t topic, int32_t number, int64_t next)
{
	struct pipeline *pipeline = owner;
	struct partition *partition = pipeline_partition(pipeline, topic, number);
	if (partition == NULL || partition->state == PARTITION_STOPPED || next < 0) {
		return 0;
	}
	if (partition->state == PARTITION_CHECKING && next >= partition->position.next) {
		partition->state = PARTITION_READING; /* no anchor, and nothing after it */
		pipeline->options.notice(pipeline->options.owner, "anchor gone, nothing missing",
			pipeline->options.topics.names[topic], number);
	}
	if (next > partition->position.next && !shard_of(pipeline, partition)->is_broken) {
		/* Control records of other producers: nothing of ours lies between. */
		partition->position.next = next;
		pipeline_touch(pipeline, partition);
	}
	if (next > partition->high) {
		partition->high = next;
	}
	partition->why[0] = '\0';
	partition->moved_ms = pipeline->now_ms;
	return 0;
}

int pipeline_stopped(void *owner, uint32_t topic, int32_t number, const char *why)
{
	struct pipeline *pipeline = owner;
	struct partition *partition = pipeline_partition(pipeline, topic, number);
	if (partition != NULL && partition->state != PARTITION_STOPPED) {
		snprintf(partition->why, sizeof partition->why, "%s", why);
		partition->state = PARTITION_STOPPED;
		pipeline->must_restart = true;
	}
	return 0;
}

void pipeline_rewind(struct pipeline *pipeline)
{
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		pipeline->partitions[i]->state = PARTITION_WAITING;
		pipeline->partitions[i]->reported = -1;
		proof_rewind(&pipeline->partitions[i]->proof);
		pipeline->partitions[i]->moved_ms = pipeline->now_ms;
	}
	pipeline->must_restart = false;
}

static bool is_large(const struct pipeline *pipeline, const struct shard *shard)
{
	return shard_bytes(shard) >= (size_t)pipeline->options.overlay_bytes_max ||
	       shard_puts_bytes(shard) >= FREEZE_PUTS_MAX ||
	       shard_change_count(shard) >= FREEZE_CHANGES_MAX;
}

/* Now, and whatever changed. */
static int freeze(struct pipeline *pipeline, size_t index)
{
	return shard_freeze(pipeline->shards[index], pipeline->by_shard[index],
		pipeline->by_shard_count[index], &pipeline->options.topics);
}

/* How long until this shard's changes are to be frozen; 0: now. */
static int64_t due_in(const struct pipeline *pipeline, const struct shard *shard, int64_t now_ms)
{
	if (is_large(pipeline, shard)) {
		return 0;
	}
	int64_t old = shard->changed_ms + pipeline->options.commit_interval_ms - now_ms;
	int64_t quiet = shard->taken_ms + QUIET_MS - now_ms;
	int64_t wait = old < quiet ? old : quiet;
	return wait < 0 ? 0 : wait;
}

void pipeline_excuse(struct pipeline *pipeline, bool all)
{
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		const struct partition *partition = pipeline->partitions[i];
		if (all || partition->reported <= partition->position.next) {
			pipeline->partitions[i]->moved_ms = pipeline->now_ms;
		}
	}
}

/* Some baskets are closed, others of the same time not yet: no rebuild would know such a state, so that it is not written
 * unless there is no room for more. */
static bool is_amid_closing(const struct pipeline *pipeline, const struct shard *shard)
{
	return (shard->is_loading || shard->is_closing) && !is_large(pipeline, shard);
}

static bool has_room(const struct pipeline *pipeline, const struct shard *shard)
{
	return !shard->is_frozen || !is_large(pipeline, shard);
}

static int close_baskets(const struct pipeline *pipeline, struct shard *shard)
{
	return has_room(pipeline, shard) || shard->is_loading
		       ? shard_close_baskets(shard, pipeline->now_ms)
		       : 0;
}

/* Some baskets are closed, some rows of a truncated table go; for more the loop comes back at once. */
static int take_steps(const struct pipeline *pipeline, struct shard *shard, int64_t *ret_wait_ms)
{
	int r = close_baskets(pipeline, shard);

	if (r == 0 && has_room(pipeline, shard)) {
		r = shard_truncate_some(shard, pipeline->now_ms);
		*ret_wait_ms = shard_is_truncating(shard) && !shard->is_broken ? 0 : *ret_wait_ms;
	}
	*ret_wait_ms = shard_settle(shard) || shard->is_loading ? 0 : *ret_wait_ms;
	return r;
}

/* What takes steps is done, or as much of it as there is room for. */
static int finish_steps(const struct pipeline *pipeline, struct shard *shard)
{
	int r = 0;

	do {
		r = close_baskets(pipeline, shard);
	} while (r == 0 && !shard->is_broken && is_amid_closing(pipeline, shard));
	while (r == 0 && !shard->is_broken && shard_is_truncating(shard) &&
		!is_large(pipeline, shard)) {
		r = shard_truncate_some(shard, pipeline->now_ms);
	}
	return r;
}

/* Most of what is to be written is gathered before: for more the loop comes back at once. */
static int freeze_gathered(struct pipeline *pipeline, size_t index, int64_t *ret_wait_ms)
{
	bool is_amid = false;

	int r = shard_gather(pipeline->shards[index], &is_amid);
	if (r == 0 && !is_amid) {
		r = freeze(pipeline, index);
	}
	*ret_wait_ms = is_amid ? 0 : *ret_wait_ms;
	return r;
}

static size_t count_truncations(const struct pipeline *pipeline)
{
	size_t count = 0;

	for (size_t i = 0; i < pipeline->shard_count; i++) {
		count += shard_is_truncating(pipeline->shards[i]);
	}
	return count;
}

/* Not while a commit is written: until then `expiry` is the worker's. */
static bool has_work(const struct shard *shard)
{
	return shard->is_changed || shard->expiry.is_behind;
}

int pipeline_tick(struct pipeline *pipeline, int64_t now_ms, int64_t *ret_wait_ms)
{
	pipeline->now_ms = now_ms;
	pipeline_excuse(pipeline, pipeline_is_full(pipeline));
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		struct shard *shard = pipeline->shards[i];
		shard_retry(shard, now_ms);
		int r = take_steps(pipeline, shard, ret_wait_ms);
		if (r < 0) {
			return r;
		}
		if (shard->is_frozen || shard->is_broken || !has_work(shard)) {
			continue; /* a finished commit wakes the loop */
		}
		if (is_amid_closing(pipeline, shard)) {
			*ret_wait_ms = 0;
			continue;
		}
		int64_t wait_ms = due_in(pipeline, shard, now_ms);
		r = wait_ms == 0 ? freeze_gathered(pipeline, i, ret_wait_ms) : 0;
		if (r < 0) {
			return r;
		}
		if (wait_ms > 0 && wait_ms < *ret_wait_ms) {
			*ret_wait_ms = wait_ms;
		}
	}
	return 0;
}

/* A record that broke the shard half-way has left entries that no commit will carry, without having been counted. */
static bool is_written(const struct shard *shard)
{
	return !shard->is_frozen && !shard->is_changed && !shard->is_closing &&
	       !shard->is_loading && !shard_is_truncating(shard) &&
	       entries_are_written(shard->entries);
}

int pipeline_flush(struct pipeline *pipeline, bool *ret_is_clean)
{
	bool is_clean = true;
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		struct shard *shard = pipeline->shards[i];
		int r = finish_steps(pipeline, shard);
		if (r == 0 && !shard->is_frozen && shard->is_changed && !shard->is_broken) {
			r = freeze(pipeline, i);
		}
		if (r < 0) {
			return r;
		}
		is_clean = is_clean && is_written(shard);
	}
	*ret_is_clean = is_clean;
	return 0;
}

bool pipeline_is_full(const struct pipeline *pipeline)
{
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		const struct shard *shard = pipeline->shards[i];
		if (shard->is_broken || shard->is_closing ||
			(shard->is_frozen && is_large(pipeline, shard))) {
			return true;
		}
	}
	return false;
}

bool pipeline_is_loading(const struct pipeline *pipeline)
{
	bool is_loading = false;
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		is_loading = is_loading || pipeline->shards[i]->is_loading;
	}
	return is_loading;
}

bool pipeline_is_stuck(const struct pipeline *pipeline)
{
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		const struct shard *shard = pipeline->shards[i];
		bool is_clean = !shard->is_frozen && !shard->is_changed;
		bool is_stuck = (shard->is_full || shard->is_broken) && !shard->is_writing;
		if (!is_clean && !is_stuck) {
			return false;
		}
	}
	return true;
}

bool pipeline_is_caught_up(const struct pipeline *pipeline)
{
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		if (pipeline->partitions[i]->target > pipeline->partitions[i]->position.next) {
			return false;
		}
	}
	return pipeline->is_targeted && count_truncations(pipeline) == 0;
}

int64_t pipeline_lag(const struct pipeline *pipeline)
{
	int64_t lag = (int64_t)count_truncations(pipeline); /* read, and not over */
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		lag += partition_lag(pipeline->partitions[i]);
	}
	return pipeline->is_reachable ? lag : -1;
}

const struct partition *pipeline_stalled(const struct pipeline *pipeline, int64_t stall_ms)
{
	if (!pipeline->is_reachable || pipeline_is_full(pipeline)) {
		return NULL;
	}
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		const struct partition *partition = pipeline->partitions[i];
		bool is_started = partition->state == PARTITION_CHECKING ||
				  partition->state == PARTITION_READING;
		if (is_started && partition->reported > partition->position.next &&
			pipeline->now_ms - partition->moved_ms >= stall_ms) {
			return partition;
		}
	}
	return NULL;
}

bool pipeline_reached(const struct pipeline *pipeline, const struct pipeline *other)
{
	if (count_truncations(pipeline) > 0) {
		return false;
	}
	for (size_t i = 0; i < other->partition_count; i++) {
		const struct partition *theirs = other->partitions[i];
		const struct partition *ours =
			pipeline_partition(pipeline, theirs->topic, theirs->number);
		bool is_behind = ours == NULL || ours->position.next < theirs->position.next;
		bool is_sure = theirs->state == PARTITION_READING;
		if (theirs->position.next > 0 && (is_behind || !is_sure)) {
			return false;
		}
	}
	return true;
}

int pipeline_has(struct pipeline *pipeline, const struct certificate *certificate, bool *ret_has)
{
	struct stream_id id = {
		certificate->edge, certificate->run, stream_kind_of(certificate->kind, false)};
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		struct stream *stream = NULL;
		int r = streams_get(pipeline->shards[i]->streams, &id, &stream);
		if (r < 0) {
			return r;
		}
		if (counted_has(&stream->counted, certificate->seq)) {
			*ret_has = true;
			return 0;
		}
	}
	*ret_has = false;
	return 0;
}

void pipeline_watch(struct pipeline *pipeline, uint64_t views)
{
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		shard_watch(pipeline->shards[i], views);
	}
}

uint64_t pipeline_commit(const struct pipeline *pipeline)
{
	uint64_t commit = 0;
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		commit += pipeline->shards[i]->committed;
	}
	return commit;
}

int64_t pipeline_event_ts(const struct pipeline *pipeline)
{
	int64_t event_ts = 0;
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		int64_t ts = pipeline->shards[i]->ledger.event_ts;
		event_ts = ts > event_ts ? ts : event_ts;
	}
	return event_ts;
}

int pipeline_gaps(const struct pipeline *pipeline, struct text_set *gaps)
{
	int r = 0;
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		const char *const *text = text_set_list(&pipeline->shards[i]->ledger.gaps);
		for (; *text != NULL && r == 0; text++) {
			r = text_set_add(gaps, *text);
		}
	}
	return r == -ENOSPC ? 0 : r;
}

void pipeline_tallies(const struct pipeline *pipeline, struct tally ret_tallies[STREAM_KIND_COUNT])
{
	memset(ret_tallies, 0, STREAM_KIND_COUNT * sizeof *ret_tallies);
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		for (int kind = 0; kind < STREAM_KIND_COUNT; kind++) {
			const struct tally *tally = &pipeline->shards[i]->ledger.tallies[kind];
			ret_tallies[kind].accepted += tally->accepted;
			ret_tallies[kind].rejected += tally->rejected;
			ret_tallies[kind].duplicates += tally->duplicates;
		}
	}
}

void pipeline_baskets(const struct pipeline *pipeline, struct basket_books *ret_books,
	struct basket_books *ret_seen)
{
	struct basket_books before = {0};

	*ret_books = (struct basket_books){0};
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		basket_books_add(ret_books, &pipeline->shards[i]->ledger.baskets);
		basket_books_add(&before, &pipeline->shards[i]->baskets_before);
	}
	*ret_seen = (struct basket_books){
		.lines = ret_books->lines - before.lines,
		.late = ret_books->late - before.late,
		.opened = ret_books->opened - before.opened,
		.closed = ret_books->closed - before.closed,
		.given = ret_books->given - before.given,
	};
}

size_t pipeline_baskets_overdue(const struct pipeline *pipeline, int64_t now_ms)
{
	size_t count = 0;

	for (size_t i = 0; i < pipeline->shard_count; i++) {
		const struct baskets *baskets = pipeline->shards[i]->baskets;
		count += baskets != NULL ? baskets_overdue(baskets, now_ms) : 0;
	}
	return count;
}
