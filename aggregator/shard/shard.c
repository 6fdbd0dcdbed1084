#include "aggregator/shard/shard.h"
#include "aggregator/books/quarantine.h"
#include "aggregator/shard/shard_baskets.h"
#include "aggregator/shard/shard_changes.h"
#include "aggregator/shard/shard_truncations.h"
#include "aggregator/shard/truncations.h"
#include "aggregator/store/row_change.h"
#include "aggregator/store/table_rows.h"
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	/* Streams kept in memory: some 150 bytes each where all is well. */
	STREAMS_KEPT_MAX = 32768,
	/* Rows of tables and the like that changes find in memory. */
	ENTRIES_CLEAN_BYTES_MAX = 16 * 1024 * 1024,
	RETRY_MS = 1000,
	ENCODED_SIZE_MAX = 1024 * 1024,
};

static int load(
	struct shard *shard, enum store_table table, struct slice key, struct buffer *ret_value)
{
	int r = store_get(shard->options.store, shard->options.generation, table, key, ret_value);
	return r == STORE_E_ABSENT ? 1 : r > 0 ? -EBADMSG : r;
}

static int load_stream(void *owner, struct slice key, struct buffer *ret_value)
{
	return load(owner, TABLE_STREAMS, key, ret_value);
}

static int load_fingerprints(void *owner, struct slice key, struct buffer *ret_value)
{
	return load(owner, TABLE_FINGERPRINTS, key, ret_value);
}

static int load_entry(void *owner, struct slice key, struct buffer *ret_value)
{
	return load(owner, TABLE_ENTRIES, key, ret_value);
}

static int load_ledger(struct shard *shard)
{
	struct snapshot *snapshot = NULL;
	struct slice value;
	int r = snapshot_begin(shard->options.store, shard->options.generation, &snapshot);
	if (r == 0) {
		r = snapshot_get(snapshot, TABLE_SUMMARY, SUMMARY_LEDGER, &value);
	}
	if (r == 0) {
		r = ledger_decode(value, &shard->ledger);
	}
	snapshot_end(snapshot);
	shard->committed = shard->ledger.commit;
	return r > 0 || r == -EBADMSG ? STORE_E_CORRUPT : r;
}

static int new_active(struct shard *shard)
{
	commit_init(&shard->active);
	shard->active.generation = shard->options.generation;
	shard->active.views = shard->options.views;
	shard->active.expiry = &shard->expiry;
	int r = overlay_new(shard->options.views, shard->options.hash_key, &shard->active.overlay);
	if (r == 0 && shard->watched != 0) {
		overlay_watch(shard->active.overlay, shard->watched);
	}
	if (r == 0) {
		overlay_set_clock(shard->active.overlay, shard->ledger.clock_ms);
	}
	return r;
}

static void table_changed(void *owner, uint32_t table_id, struct slice key, struct slice longs)
{
	const struct shard *shard = owner;
	if (shard->options.row_changed != NULL) {
		shard->options.row_changed(
			shard->options.owner, shard->options.generation, table_id, key, longs);
	}
}

static const struct forgotten *who_was_forgotten(void *owner)
{
	const struct shard *shard = owner;
	return store_forgotten(shard->options.store);
}

static int new_tables(struct shard *shard)
{
	const struct table_rows_options options = {
		.entries = shard->entries,
		.views = shard->options.views,
		.forgotten = who_was_forgotten,
		.changed = table_changed,
		.owner = shard,
	};
	return table_rows_new(&options, &shard->tables);
}

static int new_sets(struct shard *shard)
{
	struct streams_options streams = {
		.kept_max = STREAMS_KEPT_MAX,
		.load = load_stream,
		.owner = shard,
	};
	const struct fingerprints_options fingerprints = {
		.chunks_max = FINGERPRINT_CHUNKS_MAX,
		.made = shard->ledger.fingerprint_chunks,
		.load = load_fingerprints,
		.owner = shard,
	};

	struct entries_options entries = {
		.clean_bytes_max = ENTRIES_CLEAN_BYTES_MAX,
		.load = load_entry,
		.owner = shard,
	};

	memcpy(streams.hash_key, shard->options.hash_key, sizeof streams.hash_key);
	memcpy(entries.hash_key, shard->options.hash_key, sizeof entries.hash_key);
	int r = fingerprints_new(&fingerprints, &shard->fingerprints);
	if (r == 0) {
		r = streams_new(&streams, &shard->streams);
	}
	if (r == 0) {
		r = entries_new(&entries, &shard->entries);
	}
	return r == 0 ? new_tables(shard) : r;
}

int shard_new(const struct shard_options *options, struct shard **ret_shard)
{
	struct shard *shard = calloc(1, sizeof *shard);
	assert(options->entries_at_once > 0);
	if (shard == NULL) {
		return -ENOMEM;
	}
	shard->options = *options;
	int r = load_ledger(shard);
	if (r == 0) {
		r = new_sets(shard);
	}
	if (r == 0) {
		streams_committed(shard->streams, shard->committed);
		entries_committed(shard->entries, shard->committed);
		shard->boards.kept = LEADERS_KEPT;
		expiry_init(&shard->expiry, shard->options.views);
		r = new_active(shard);
	}
	if (r == 0) {
		r = shard_open_baskets(shard);
	}
	if (r == 0) {
		r = shard_open_truncations(shard);
	}
	if (r != 0) {
		shard_free(shard);
		return r;
	}
	*ret_shard = shard;
	return 0;
}

struct shard *shard_free(struct shard *shard)
{
	if (shard == NULL) {
		return NULL;
	}
	assert(!shard->is_writing);
	commit_deinit(&shard->active);
	commit_deinit(&shard->frozen);
	commit_deinit(&shard->written);
	boards_deinit(&shard->boards);
	streams_free(shard->streams);
	fingerprints_free(shard->fingerprints);
	baskets_free(shard->baskets);
	truncations_free(shard->truncations);
	table_rows_free(shard->tables);
	entries_free(shard->entries);
	ledger_deinit(&shard->ledger);
	free(shard);
	return NULL;
}

void shard_touch(struct shard *shard, int64_t now_ms)
{
	if (!shard->is_changed) {
		shard->is_changed = true;
		shard->changed_ms = now_ms;
	}
	shard->taken_ms = now_ms;
}

void shard_set_clock(struct shard *shard, int64_t clock_ms, int64_t now_ms)
{
	if (clock_ms <= shard->ledger.clock_ms) {
		return;
	}
	shard->ledger.clock_ms = clock_ms;
	if (overlay_set_clock(shard->active.overlay, clock_ms)) {
		shard_touch(shard, now_ms); /* rows have ended: a commit takes them away */
	}
}

static struct standing standing_of(
	const struct shard *shard, const struct record *record, const struct event *event)
{
	return forgotten_standing(store_forgotten(shard->options.store), event->text[FIELD_USER_ID],
		record->timestamp_ms);
}

/* Is somebody in it who was forgotten? What can't be read can't be told from what holds his name. */
static bool must_hide(
	const struct shard *shard, const struct record *record, const struct reading *reading)
{
	if (reading->class == RECORD_EVENT) {
		return standing_of(shard, record, &reading->event).is_hidden;
	}
	return (reading->class == RECORD_UNREADABLE || reading->class == RECORD_CHANGE) &&
	       store_forgotten(shard->options.store)->in_force > 0;
}

static int put_aside(struct shard *shard, const char *topic, const struct record *record,
	const struct reading *reading, const char *reason)
{
	uint8_t key[8], expired[8];
	struct buffer buffer;
	struct quarantine_entry entry = {
		.topic = slice_of_text(topic),
		.partition = record->partition,
		.offset = record->offset,
		.timestamp_ms = record->timestamp_ms,
		.reason = slice_of_text(reason),
		.key = record->key,
		.value = record->value,
		.value_size = record->value.size,
	};

	if (must_hide(shard, record, reading)) {
		quarantine_hide(&entry);
	}
	buffer_init(&buffer, ENCODED_SIZE_MAX);
	quarantine_encode(&entry, &buffer);
	int r = buffer.error;
	pack_big_endian(key, shard->ledger.quarantined, sizeof key);
	commit_put(
		&shard->active, TABLE_QUARANTINE, slice_of(key, sizeof key), buffer_slice(&buffer));
	if (shard->ledger.quarantined >= QUARANTINE_MAX) {
		pack_big_endian(
			expired, shard->ledger.quarantined - QUARANTINE_MAX, sizeof expired);
		commit_delete(&shard->active, TABLE_QUARANTINE, slice_of(expired, sizeof expired));
	}
	shard->ledger.quarantined++;
	buffer_deinit(&buffer);
	return r;
}

/* Past TEXT_SET_MAX enough are named. */
static int name_stream(struct text_set *names, const struct stream_id *id)
{
	char name[EDGE_ID_SIZE_MAX + 64];
	snprintf(name, sizeof name, "%.*s/%" PRIu64 "/%s", (int)id->edge.size,
		(const char *)id->edge.bytes, id->run, stream_kind_name(id->kind));
	int r = text_set_add(names, name);
	return r == -ENOSPC ? 0 : r;
}

/* The set of this stream can take no more intervals: it says so, and the record is kept for a person to look at. */
static int refuse_to_count(struct shard *shard, struct stream *stream, const char *topic,
	const struct record *record, const struct reading *reading)
{
	stream->sums.set_aside++;
	streams_change(shard->streams, stream);
	int r = put_aside(shard, topic, record, reading, QUARANTINE_GAPS " to count it once");
	return r == 0 ? name_stream(&shard->ledger.streams_quarantined, &reading->stream) : r;
}

static int count(struct shard *shard, struct stream *stream, const struct record *record,
	const struct reading *reading)
{
	struct tally *tally = &shard->ledger.tallies[reading->stream.kind];
	struct tally *seen = &shard->seen[reading->stream.kind];

	streams_change(shard->streams, stream);
	if (reading->class == RECORD_MARKER) {
		stream->sums.rejected++;
		tally->rejected++;
		seen->rejected++;
		return 0;
	}
	stream->sums.accepted++;
	tally->accepted++;
	seen->accepted++;
	if (reading->event.ts_ms > shard->ledger.event_ts) {
		shard->ledger.event_ts = reading->event.ts_ms;
	}
	int r = overlay_apply_as(shard->active.overlay, &reading->event, reading->letter_code,
		standing_of(shard, record, &reading->event));
	return r == 0 ? shard_take_line(shard, &reading->event) : r;
}

static struct fingerprint_place place_of(struct stream *stream, uint64_t seq)
{
	return (struct fingerprint_place){
		&stream->fingerprints, slice_of(stream->key, stream->key_size), seq};
}

static uint32_t fingerprint(const struct record *record, const struct reading *reading)
{
	return fingerprint_of(reading->checksum, record->value, reading->class == RECORD_MARKER);
}

static int count_first(struct shard *shard, struct stream *stream, const struct record *record,
	const struct reading *reading, uint64_t counted_max)
{
	const struct fingerprint_place place = place_of(stream, reading->seq);

	int r = fingerprints_note(
		shard->fingerprints, &place, counted_max, fingerprint(record, reading));
	return r == 0 ? count(shard, stream, record, reading) : r;
}

static void count_duplicate(struct shard *shard, const struct reading *reading)
{
	shard->ledger.tallies[reading->stream.kind].duplicates++;
	shard->seen[reading->stream.kind].duplicates++;
}

/* Two events bear one certificate: the first was counted, the second is kept for a person to look at. */
static int refuse_conflict(struct shard *shard, const char *topic, const struct record *record,
	const struct reading *reading)
{
	shard->conflicts++;
	int r = put_aside(shard, topic, record, reading,
		QUARANTINE_CONFLICT ": another event was counted under this certificate");
	if (shard->options.conflict != NULL) {
		shard->options.conflict(shard->options.owner, topic, record, reading);
	}
	return r == 0 ? name_stream(&shard->ledger.streams_in_conflict, &reading->stream) : r;
}

static int take_repeated(struct shard *shard, const char *topic, const struct record *record,
	const struct reading *reading, enum fate *ret_fate)
{
	struct stream *stream = NULL;
	uint32_t first = 0;

	int r = streams_get(shard->streams, &reading->stream, &stream);
	if (r == 0) {
		const struct fingerprint_place place = place_of(stream, reading->seq);
		r = fingerprints_find(shard->fingerprints, &place, &first);
	}
	if (r < 0) {
		return r;
	}
	enum fingerprint_match match = fingerprint_compare(first, fingerprint(record, reading));
	if (match == FINGERPRINT_OTHER) {
		*ret_fate = FATE_UNREADABLE;
		return refuse_conflict(shard, topic, record, reading);
	}
	shard->uncompared += match == FINGERPRINT_UNKNOWN;
	*ret_fate = FATE_DUPLICATE;
	count_duplicate(shard, reading);
	return 0;
}

static int take_certified(struct shard *shard, const char *topic, const struct record *record,
	const struct reading *reading, enum fate *ret_fate)
{
	struct stream *stream = NULL;
	int r = streams_get(shard->streams, &reading->stream, &stream);
	if (r < 0) {
		return r;
	}
	uint64_t counted = counted_max(&stream->counted);
	r = counted_add(&stream->counted, reading->seq);
	switch (r) {
	case 0:
		*ret_fate = reading->class == RECORD_MARKER ? FATE_REJECTED : FATE_COUNTED;
		return count_first(shard, stream, record, reading, counted);
	case COUNTED_E_REPEATED:
		return take_repeated(shard, topic, record, reading, ret_fate);
	case COUNTED_E_FULL:
		*ret_fate = FATE_UNREADABLE;
		return refuse_to_count(shard, stream, topic, record, reading);
	default:
		return r;
	}
}

/* Of a table's row, or of one that is counted. */
static int take_change(struct shard *shard, const char *topic, const struct record *record,
	const struct reading *reading, enum fate *ret_fate)
{
	const char *why = NULL;
	int r;

	if (reading->row_change->change.op == CHANGE_TRUNCATE) {
		r = shard_take_truncation(shard, reading, ret_fate, &why);
	} else if (reading->row_change->table.size > 0) {
		r = table_rows_take(shard->tables, topic, record, reading, ret_fate);
		why = table_rows_why(shard->tables);
	} else {
		r = shard_take_change(shard, record, reading, ret_fate, &why);
	}
	return r == 0 && *ret_fate == FATE_UNREADABLE
		       ? put_aside(shard, topic, record, reading, why)
		       : r;
}

int shard_take(struct shard *shard, const char *topic, const struct record *record,
	const struct reading *reading, enum fate *ret_fate)
{
	int r = 0;
	if (record->timestamp_ms > shard->ledger.append_ms) {
		shard->ledger.append_ms = record->timestamp_ms;
	}
	switch (reading->class) {
	case RECORD_FOREIGN:
		*ret_fate = FATE_FOREIGN;
		break;
	case RECORD_UNREADABLE:
		*ret_fate = FATE_UNREADABLE;
		r = put_aside(shard, topic, record, reading, reading->complaint.message);
		break;
	case RECORD_CHANGE:
		r = take_change(shard, topic, record, reading, ret_fate);
		break;
	default:
		r = shard_follow_baskets(shard, topic, record, reading);
		if (r == 0) {
			r = take_certified(shard, topic, record, reading, ret_fate);
		}
		break;
	}
	if (r == -EBADMSG) {
		shard->is_broken = true;
		snprintf(shard->broken_why, sizeof shard->broken_why,
			"what was counted of edge %.*s can't be read",
			(int)reading->stream.edge.size, (const char *)reading->stream.edge.bytes);
	}
	return r;
}

size_t shard_bytes(const struct shard *shard)
{
	return overlay_bytes(shard->active.overlay) + shard_puts_bytes(shard);
}

size_t shard_puts_bytes(const struct shard *shard)
{
	return shard->active.puts.size + streams_changed_bytes(shard->streams) +
	       entries_changed_bytes(shard->entries);
}

size_t shard_change_count(const struct shard *shard)
{
	return overlay_change_count(shard->active.overlay) + streams_changed_count(shard->streams) +
	       fingerprints_changed_count(shard->fingerprints) +
	       entries_changed_count(shard->entries);
}

uint64_t shard_uncommitted(const struct shard *shard)
{
	return overlay_event_count(shard->active.overlay) +
	       (shard->is_frozen ? overlay_event_count(shard->frozen.overlay) : 0);
}

static int put_stream(void *owner, struct slice key, struct slice value)
{
	struct commit *commit = owner;
	commit_put(commit, TABLE_STREAMS, key, value);
	return commit->puts.error;
}

/* A value of no bytes: there is none any more. */
static int put_or_delete(
	struct commit *commit, enum store_table table, struct slice key, struct slice value)
{
	if (value.size == 0) {
		commit_delete(commit, table, key);
	} else {
		commit_put(commit, table, key, value);
	}
	return commit->puts.error;
}

static int put_fingerprints(void *owner, struct slice key, struct slice value)
{
	return put_or_delete(owner, TABLE_FINGERPRINTS, key, value);
}

static int put_entry(void *owner, struct slice key, struct slice value)
{
	return put_or_delete(owner, TABLE_ENTRIES, key, value);
}

static int put_position(struct commit *commit, const char *topic, struct partition *partition,
	struct buffer *scratch)
{
	uint8_t key[POSITION_KEY_SIZE_MAX];
	size_t key_size = position_key(topic, partition->number, key);
	buffer_clear(scratch);
	position_encode(&partition->position, scratch);
	commit_put(commit, TABLE_OFFSETS, slice_of(key, key_size), buffer_slice(scratch));
	partition->is_changed = false;
	return scratch->error; /* the next one begins without */
}

static int hand_over(struct shard *shard, size_t count_max)
{
	return entries_hand_over(
		shard->entries, shard->ledger.commit + 1, count_max, put_entry, &shard->active);
}

int shard_gather(struct shard *shard, bool *ret_is_amid)
{
	struct gathering *at = &shard->gathering;
	size_t at_once = shard->options.entries_at_once;

	if (at->left == 0) {
		size_t changed = entries_changed_count(shard->entries);
		bool has_shrunk = at->pass == 0 || changed <= at->pass / 2;
		*ret_is_amid = has_shrunk && changed > at_once;
		at->pass = at->left = *ret_is_amid ? changed : 0;
	}
	if (at->left == 0) {
		return 0;
	}
	*ret_is_amid = true;
	at->left -= at->left < at_once ? at->left : at_once;
	return hand_over(shard, at_once);
}

bool shard_settle(struct shard *shard)
{
	return entries_settle(shard->entries, shard->options.entries_at_once);
}

/* Puts everything but rows into the active commit. */
static int complete(struct shard *shard, struct partition *const *partitions, size_t count,
	const struct topics *topics)
{
	struct commit *commit = &shard->active;
	struct buffer scratch;

	commit->number = shard->ledger.commit + 1;
	int r = streams_freeze(shard->streams, commit->number, put_stream, commit);
	if (r == 0 && shard->baskets != NULL) {
		r = baskets_keep_clocks(shard->baskets);
	}
	if (r == 0) {
		r = fingerprints_freeze(
			shard->fingerprints, commit->number, put_fingerprints, commit);
	}
	if (r == 0) {
		r = hand_over(shard, SIZE_MAX);
	}
	if (r < 0) {
		return r;
	}
	shard->ledger.commit = commit->number;
	shard->gathering = (struct gathering){0};
	shard->ledger.fingerprint_chunks = fingerprints_made(shard->fingerprints);
	buffer_init(&scratch, ENCODED_SIZE_MAX);
	for (size_t i = 0; i < count && r == 0; i++) {
		if (partitions[i]->is_changed) {
			r = put_position(commit, topics->names[partitions[i]->topic], partitions[i],
				&scratch);
		}
	}
	if (r == 0) {
		buffer_clear(&scratch);
		ledger_encode(&shard->ledger, &scratch);
		commit_put(commit, TABLE_SUMMARY, SUMMARY_LEDGER, buffer_slice(&scratch));
		r = scratch.error != 0 ? scratch.error : commit->puts.error;
	}
	buffer_deinit(&scratch);
	return r;
}

static int run_commit(struct job *job)
{
	struct shard *shard = (struct shard *)((char *)job - offsetof(struct shard, job));
	return store_commit(shard->options.store, &shard->frozen);
}

static int run_disposal(struct job *job)
{
	struct shard *shard = (struct shard *)((char *)job - offsetof(struct shard, disposal));
	commit_deinit(&shard->written);
	return 0;
}

static void disposal_done(struct job *job)
{
	(void)job;
}

/* The worker is done with it before it begins the next commit. */
static void dispose_of_frozen(struct shard *shard)
{
	shard->written = shard->frozen;
	shard->frozen = (struct commit){0};
	shard->disposal = (struct job){.run = run_disposal, .done = disposal_done};
	worker_submit(shard->options.worker, &shard->disposal);
}

static void commit_done(struct job *job)
{
	struct shard *shard = (struct shard *)((char *)job - offsetof(struct shard, job));
	shard->is_writing = false;
	if (job->result == 0) {
		shard->is_frozen = false;
		shard->is_full = false;
		shard->committed = shard->frozen.number;
		streams_committed(shard->streams, shard->committed);
		fingerprints_committed(shard->fingerprints, shard->committed);
		entries_committed(shard->entries, shard->committed);
		boards_committed(&shard->boards, shard->committed);
		dispose_of_frozen(shard);
	} else if (job->result == STORE_E_FULL) {
		shard->is_full = true;
		shard->retry_ms = INT64_MIN; /* set by the first shard_retry */
	} else if (job->result == STORE_E_CORRUPT) {
		shard->is_broken = true;
		snprintf(shard->broken_why, sizeof shard->broken_why,
			"a stored row that commit %" PRIu64 " changes can't be read",
			shard->frozen.number);
	}
	shard->options.committed(shard->options.owner, job->result, job->took_us);
}

static void submit(struct shard *shard)
{
	shard->is_writing = true;
	shard->job = (struct job){.run = run_commit, .done = commit_done};
	worker_submit(shard->options.worker, &shard->job);
}

void shard_watch(struct shard *shard, uint64_t views)
{
	shard->watched = views;
	overlay_watch(shard->active.overlay, views);
}

int shard_freeze(struct shard *shard, struct partition *const *partitions, size_t count,
	const struct topics *topics)
{
	assert(!shard->is_frozen);
	int r = complete(shard, partitions, count, topics);
	if (r < 0) {
		return r;
	}
	if (shard->options.freezing != NULL) {
		shard->options.freezing(shard->options.owner, shard->active.overlay);
	}
	boards_hand_over(&shard->boards, shard->active.number);
	shard->active.successions = shard->boards.successions;
	shard->active.succession_count = shard->boards.handed_count;
	shard->frozen = shard->active;
	shard->is_frozen = true;
	shard->is_changed = false;
	r = new_active(shard);
	if (r < 0) {
		return r;
	}
	submit(shard);
	return 0;
}

void shard_retry(struct shard *shard, int64_t now_ms)
{
	if (!shard->is_full || shard->is_writing) {
		return;
	}
	if (shard->retry_ms == INT64_MIN) {
		shard->retry_ms = now_ms + RETRY_MS;
	} else if (now_ms >= shard->retry_ms) {
		submit(shard);
	}
}

int shard_walk_entries(const struct shard *shard, struct slice from,
	int (*each)(void *owner, struct slice key, struct slice value), void *owner)
{
	struct snapshot *snapshot = NULL;

	int r = snapshot_begin(shard->options.store, shard->options.generation, &snapshot);
	if (r == 0) {
		r = snapshot_walk(snapshot, TABLE_ENTRIES, from, each, owner);
	}
	snapshot_end(snapshot);
	return r;
}

int shard_layers(struct shard *shard, struct layers *ret_layers)
{
	struct snapshot *snapshot = NULL;
	int r = snapshot_begin(shard->options.store, shard->options.generation, &snapshot);
	if (r != 0) {
		return r == STORE_E_ABSENT ? -ENOENT : r;
	}
	bool is_beside = shard->is_frozen && snapshot_commit(snapshot) < shard->frozen.number;
	*ret_layers = (struct layers){
		.snapshot = snapshot,
		.frozen = is_beside ? shard->frozen.overlay : NULL,
		.active = shard->active.overlay,
		.entries = shard->entries,
		.boards = &shard->boards,
		.committed = shard->committed,
		.handed = shard->is_frozen ? shard->frozen.overlay : NULL,
	};
	return 0;
}
