#include "aggregator/desk/stream_answers.h"
#include "aggregator/books/account.h"
#include "aggregator/desk/report_answer.h"
#include <errno.h>
#include <stdlib.h>

enum {
	ROWS_MAX = 50000, /* about 50 ms: well inside what a read transaction may last */
	ENOUGH = 1,
};

/* Rows of the answer, each encoded as a value of its own: how many there are is known at the end. */
struct listing {
	const struct shard *shard;
	uint64_t commit; /* of the snapshot */
	const struct query *query;
	const char *stores; /* only these edges; NULL: all */
	const struct reports *reports; /* NULL: none are read */
	const struct report *newest; /* of the edge at hand */
	struct buffer bytes;
	size_t *ends; /* of each row in `bytes` */
	size_t count;
	struct row_list told; /* what edges report of themselves */
	bool is_told_cut;
	bool is_cut;
};

static void write_missing(struct writer *writer, const struct account *account)
{
	write_key(writer, "missing");
	write_array(writer, account->range_count);
	for (uint32_t i = 0; i < account->range_count; i++) {
		write_array(writer, 2);
		write_unsigned(writer, account->ranges[i].first);
		write_unsigned(writer, account->ranges[i].last);
	}
}

static void write_or_nil(struct writer *writer, const char *key, uint64_t number, bool is_there)
{
	write_key(writer, key);
	if (is_there) {
		write_unsigned(writer, number);
	} else {
		write_nil(writer);
	}
}

static void write_account(struct writer *writer, const struct account *account, uint64_t set_aside)
{
	write_key(writer, "set_aside");
	write_unsigned(writer, set_aside);
	write_or_nil(writer, "numbered", account->numbered, account->is_reported);
	write_key(writer, "unread");
	write_unsigned(writer, account->unread);
	write_key(writer, "on_disk");
	write_unsigned(writer, account->on_disk);
	write_key(writer, "damaged");
	write_unsigned(writer, account->set_aside);
	write_key(writer, "missing_count");
	write_unsigned(writer, account->missing);
	write_missing(writer, account);
	write_or_nil(writer, "judged_by", account->judged_by, account->judged_by != 0);
	write_or_nil(
		writer, "reported_ms", (uint64_t)account->reported_ms, account->reported_ms > 0);
}

static void write_row(struct writer *writer, const struct stream_id *id,
	const struct stream_sums *sums, const struct counted *counted,
	const struct account *account)
{
	write_map(writer, account != NULL ? 15 : 6);
	write_key(writer, "edge");
	write_text(writer, id->edge);
	write_key(writer, "run");
	write_unsigned(writer, id->run);
	write_key(writer, "kind");
	write_text(writer, slice_of_text(stream_kind_name(id->kind)));
	write_key(writer, "counted");
	write_unsigned(writer, sums->accepted);
	write_key(writer, "rejected");
	write_unsigned(writer, sums->rejected);
	write_key(writer, "max_seq");
	write_unsigned(writer, counted_max(counted));
	if (account != NULL) {
		write_account(writer, account, sums->set_aside);
	}
}

/* Streams of one edge follow each other, and an edge may have had thousands of runs. */
static const struct report *newest_of(struct listing *listing, struct slice edge)
{
	if (listing->newest == NULL || !slice_equal(listing->newest->telemetry.edge, edge)) {
		listing->newest = reports_of_edge(listing->reports, edge);
	}
	return listing->newest;
}

/* A letter of the bridge bears the seq of the event that it replaces: there is nothing in between. */
static void make_account(struct listing *listing, const struct stream_id *id,
	const struct counted *counted, struct account *ret_account)
{
	if (id->kind >= KIND_COUNT) {
		*ret_account = (struct account){.is_reported = false};
		return;
	}
	const struct report *of_run = reports_of_run(listing->reports, id->edge, id->run);
	const struct report *of_edge = newest_of(listing, id->edge);
	const struct report *judged = reports_judged(listing->reports, id->edge);
	const struct account_sight sight = {
		.run = id->run,
		.kind = (enum kind)id->kind,
		.counted = counted,
		.of_run = of_run == NULL ? NULL : &of_run->telemetry,
		.of_run_ms = of_run == NULL ? 0 : of_run->appended_ms,
		.of_edge = of_edge == NULL ? NULL : &of_edge->telemetry,
		.judged = judged == NULL ? NULL : &judged->telemetry,
		.judged_up_to = reports_judged_up_to(
			listing->reports, id->edge, id->run, (enum kind)id->kind),
	};
	account_make(&sight, ret_account);
}

/* Is it asked for, and may the asker see it? */
static bool is_wanted(const struct listing *listing, const struct stream_id *id)
{
	const struct certificate *about = &listing->query->about;

	return (about->edge.size == 0 || slice_equal(about->edge, id->edge)) &&
	       (about->run == 0 || about->run == id->run) &&
	       (!listing->query->has_kind || (uint32_t)about->kind == id->kind) &&
	       (listing->stores == NULL ||
		       key_list_has(listing->stores, id->edge.bytes, id->edge.size));
}

static int add_row(struct listing *listing, struct slice key, const struct stream_sums *sums,
	const struct counted *counted)
{
	struct account account;
	struct stream_id id;
	struct writer writer;
	bool is_ledger = listing->query->type == QUERY_LEDGER;

	if (!stream_key_parse(key, &id)) {
		return -EBADMSG;
	}
	if (!is_wanted(listing, &id)) {
		return 0;
	}
	if (listing->count == ROWS_MAX ||
		listing->bytes.size + listing->told.bytes.size > ANSWER_SIZE_MAX) {
		listing->is_cut = true;
		return ENOUGH;
	}
	if (is_ledger) {
		make_account(listing, &id, counted, &account);
	}
	writer_init(&writer, listing->query->encoding, &listing->bytes);
	write_row(&writer, &id, sums, counted, is_ledger ? &account : NULL);
	listing->ends[listing->count++] = listing->bytes.size;
	return listing->bytes.error;
}

/* A row of the store; what is in memory knows better. */
static int add_stored(void *owner, struct slice key, struct slice value)
{
	struct listing *listing = owner;
	const struct stream *at_work = streams_find(listing->shard->streams, key);
	struct stream_sums sums;
	struct counted counted = {0};

	if (at_work != NULL) {
		return add_row(listing, key, &at_work->sums, &at_work->counted);
	}
	int r = stream_decode(value, &sums, &counted);
	r = r > 0 ? -EBADMSG : r;
	if (r == 0) {
		r = add_row(listing, key, &sums, &counted);
	}
	counted_deinit(&counted);
	return r;
}

/* Streams that the snapshot does not know at all. */
static int add_unstored(struct listing *listing, struct snapshot *snapshot)
{
	const struct streams *streams = listing->shard->streams;
	int r = 0;
	for (const struct stream *stream = streams_next(streams, NULL); stream != NULL && r == 0;
		stream = streams_next(streams, stream)) {
		struct slice key = slice_of(stream->key, stream->key_size), value;
		bool is_newer = stream->is_changed || stream->frozen_in > listing->commit;
		if (is_newer &&
			snapshot_get(snapshot, TABLE_STREAMS, key, &value) == STORE_E_ABSENT) {
			r = add_row(listing, key, &stream->sums, &stream->counted);
		}
	}
	return r;
}

static int add_shard(struct listing *listing, const struct shard *shard)
{
	struct snapshot *snapshot = NULL;
	int r = snapshot_begin(shard->options.store, shard->options.generation, &snapshot);
	if (r == 0) {
		listing->shard = shard;
		listing->commit = snapshot_commit(snapshot);
		r = snapshot_walk(snapshot, TABLE_STREAMS, slice_of(NULL, 0), add_stored, listing);
	}
	if (r == 0 && !listing->is_cut) {
		r = add_unstored(listing, snapshot);
	}
	snapshot_end(snapshot);
	return r > 0 && !listing->is_cut ? -EBADMSG : r < 0 ? r : 0;
}

/* All shards at one moment. */
struct moment {
	const struct pipeline *pipeline;
	struct snapshot *snapshots[SHARDS_MAX];
};

static int begin_moment(struct moment *moment)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < moment->pipeline->shard_count; i++) {
		const struct shard *shard = moment->pipeline->shards[i];
		r = snapshot_begin(
			shard->options.store, shard->options.generation, &moment->snapshots[i]);
	}
	return r > 0 ? -EBADMSG : r;
}

static void end_moment(struct moment *moment)
{
	for (size_t i = 0; i < moment->pipeline->shard_count; i++) {
		snapshot_end(moment->snapshots[i]);
	}
}

/* 1: some shard has read of the stream, whether its store has it yet or not. */
static int has_stream(const struct moment *moment, struct slice key)
{
	for (size_t i = 0; i < moment->pipeline->shard_count; i++) {
		const struct stream *stream =
			streams_find(moment->pipeline->shards[i]->streams, key);
		struct slice value;
		if (stream != NULL && (stream->counted.count > 0 || stream->sums.set_aside > 0)) {
			return 1;
		}
		int r = snapshot_get(moment->snapshots[i], TABLE_STREAMS, key, &value);
		if (r != STORE_E_ABSENT) {
			return r == 0 ? 1 : r > 0 ? -EBADMSG : r;
		}
	}
	return 0;
}

/* Streams of which nothing was ever read: all that their edge numbered is on its disk, on its way, or missing. */
static int add_unheard(
	struct listing *listing, const struct moment *moment, const struct telemetry *telemetry)
{
	for (uint32_t kind = 0; kind < KIND_COUNT; kind++) {
		const struct stream_id id = {telemetry->edge, telemetry->run, kind};
		uint8_t bytes[STREAM_KEY_SIZE_MAX];
		struct slice key = slice_of(bytes, stream_key(&id, bytes));
		if (telemetry->numbered[kind] == 0 || !is_wanted(listing, &id)) {
			continue;
		}
		int r = has_stream(moment, key);
		if (r == 0) {
			r = add_row(listing, key, &(struct stream_sums){0}, &(struct counted){0});
		}
		if (r < 0 || listing->is_cut) {
			return r;
		}
	}
	return 0;
}

/* Edges whose partitions another aggregator owns are its affair. */
static int add_all_unheard(struct listing *listing, const struct pipeline *pipeline)
{
	size_t count = pipeline->options.owns_all ? reports_count(listing->reports) : 0;
	struct moment moment = {.pipeline = pipeline};

	int r = begin_moment(&moment);
	for (size_t i = 0; r == 0 && i < count && !listing->is_cut; i++) {
		r = add_unheard(listing, &moment, &reports_at(listing->reports, i)->telemetry);
	}
	end_moment(&moment);
	return r < 0 ? r : 0;
}

static void write_reply(const struct listing *listing, const struct query *query,
	const struct freshness *freshness, struct buffer *reply)
{
	struct writer writer;
	size_t start = 0;
	bool is_cut = listing->is_cut || listing->is_told_cut;

	writer_init(&writer, query->encoding, reply);
	write_map(&writer, is_cut ? 5 : 4);
	write_key(&writer, "ok");
	write_bool(&writer, true);
	write_key(&writer, query->type == QUERY_LEDGER ? "ledger" : "edges");
	write_array(&writer, (uint32_t)listing->count);
	for (size_t i = 0; i < listing->count; i++) {
		write_raw(
			&writer, slice_of(listing->bytes.bytes + start, listing->ends[i] - start));
		start = listing->ends[i];
	}
	write_key(&writer, "reports");
	row_list_write(&listing->told, &writer);
	if (is_cut) {
		write_key(&writer, "cut");
		write_bool(&writer, true);
	}
	write_key(&writer, "as_of");
	answer_write_as_of(&writer, freshness);
}

/* What needs a look comes first: at most half of the answer. */
static int list_reports(struct listing *listing, int64_t now_ms)
{
	const struct report_sight sight = {.reports = listing->reports,
		.query = listing->query,
		.stores = listing->stores,
		.now_ms = now_ms};

	return report_answer_list(
		&sight, ANSWER_SIZE_MAX / 2, &listing->told, &listing->is_told_cut);
}

int stream_answers_write(struct pipeline *pipeline, const struct reported *reported,
	const struct question *question, const struct freshness *freshness, struct buffer *reply)
{
	const struct query *query = question->query;
	struct listing listing = {
		.stores = gate_stores_of_streams(question->asker),
		.query = query,
		.reports = reported->reports,
		.ends = malloc(ROWS_MAX * sizeof *listing.ends),
	};
	int r = listing.ends == NULL ? -ENOMEM : 0;

	buffer_init(&listing.bytes, ANSWER_SIZE_MAX + 64 * 1024);
	buffer_init(&listing.told.bytes, ANSWER_SIZE_MAX);
	buffer_init(&listing.told.ends, REPORTS_MAX * 2 * sizeof(size_t));
	if (r == 0) {
		r = list_reports(&listing, reported->now_ms);
	}
	for (size_t i = 0; i < pipeline->shard_count && r == 0; i++) {
		r = add_shard(&listing, pipeline->shards[i]);
	}
	if (r == 0 && query->type == QUERY_LEDGER && !listing.is_cut) {
		r = add_all_unheard(&listing, pipeline);
	}
	if (r == 0) {
		write_reply(&listing, query, freshness, reply);
		r = reply->error;
	}
	free(listing.ends);
	buffer_deinit(&listing.bytes);
	buffer_deinit(&listing.told.bytes);
	buffer_deinit(&listing.told.ends);
	return r;
}
