#include "aggregator/stream_answers.h"
#include <errno.h>
#include <stdlib.h>

enum {
	/* Ranges that a stream's ledger names; a stream that misses more is in trouble anyway. */
	RANGES_MAX = 100,
	ROWS_MAX = 50000, /* about 50 ms: well inside what a read transaction may last */
	ENOUGH = 1,
};

/* Rows of the answer, each encoded as a value of its own: how many there are is known at the end. */
struct listing {
	const struct shard *shard;
	uint64_t commit; /* of the snapshot */
	bool with_ranges;
	const char *stores; /* only these edges; NULL: all */
	enum encoding encoding;
	struct buffer bytes;
	size_t *ends; /* of each row in `bytes` */
	size_t count;
	bool is_cut;
};

static void write_ranges(struct writer *writer, const struct counted *counted)
{
	uint32_t gaps = counted->count == 0 ? 0 : counted->count - 1;
	bool starts_late = counted->count > 0 && counted->intervals[0].first > 1;
	uint32_t total = gaps + starts_late;
	uint64_t next = 1;

	write_array(writer, total < RANGES_MAX ? total : RANGES_MAX);
	for (uint32_t i = 0, written = 0; i < counted->count && written < RANGES_MAX; i++) {
		if (counted->intervals[i].first > next) {
			write_array(writer, 2);
			write_unsigned(writer, next);
			write_unsigned(writer, counted->intervals[i].first - 1);
			written++;
		}
		next = counted->intervals[i].last + 1;
	}
}

static void write_row(struct writer *writer, const struct stream_id *id,
	const struct stream_sums *sums, const struct counted *counted, bool with_ranges)
{
	write_map(writer, with_ranges ? 8 : 6);
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
	if (with_ranges) {
		write_key(writer, "set_aside");
		write_unsigned(writer, sums->set_aside);
		write_key(writer, "missing");
		write_ranges(writer, counted);
	}
}

static int add_row(struct listing *listing, struct slice key, const struct stream_sums *sums,
	const struct counted *counted)
{
	struct stream_id id;
	struct writer writer;

	if (!stream_key_parse(key, &id)) {
		return -EBADMSG;
	}
	if (listing->stores != NULL &&
		!key_list_has(listing->stores, id.edge.bytes, id.edge.size)) {
		return 0;
	}
	if (listing->count == ROWS_MAX || listing->bytes.size > ANSWER_SIZE_MAX) {
		listing->is_cut = true;
		return ENOUGH;
	}
	writer_init(&writer, listing->encoding, &listing->bytes);
	write_row(&writer, &id, sums, counted, listing->with_ranges);
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

static void write_reply(const struct listing *listing, const struct query *query,
	const struct freshness *freshness, struct buffer *reply)
{
	struct writer writer;
	size_t start = 0;

	writer_init(&writer, query->encoding, reply);
	write_map(&writer, listing->is_cut ? 4 : 3);
	write_key(&writer, "ok");
	write_bool(&writer, true);
	write_key(&writer, query->type == QUERY_LEDGER ? "ledger" : "edges");
	write_array(&writer, (uint32_t)listing->count);
	for (size_t i = 0; i < listing->count; i++) {
		write_raw(
			&writer, slice_of(listing->bytes.bytes + start, listing->ends[i] - start));
		start = listing->ends[i];
	}
	if (listing->is_cut) {
		write_key(&writer, "cut");
		write_bool(&writer, true);
	}
	write_key(&writer, "as_of");
	answer_write_as_of(&writer, freshness);
}

int stream_answers_write(struct pipeline *pipeline, const struct question *question,
	const struct freshness *freshness, struct buffer *reply)
{
	const struct query *query = question->query;
	struct listing listing = {
		.stores = gate_stores_of_streams(question->asker),
		.with_ranges = query->type == QUERY_LEDGER,
		.encoding = query->encoding,
		.ends = malloc(ROWS_MAX * sizeof *listing.ends),
	};
	int r = listing.ends == NULL ? -ENOMEM : 0;

	buffer_init(&listing.bytes, ANSWER_SIZE_MAX + 64 * 1024);
	for (size_t i = 0; i < pipeline->shard_count && r == 0; i++) {
		r = add_shard(&listing, pipeline->shards[i]);
	}
	if (r == 0) {
		write_reply(&listing, query, freshness, reply);
		r = reply->error;
	}
	free(listing.ends);
	buffer_deinit(&listing.bytes);
	return r;
}
