#include "aggregator/books/streams.h"
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

enum {
	BUCKETS_MIN = 1024,
	/* Looked at per call: a stream that may not go yet must not make every look-up walk the list. */
	FORGET_TRIES = 4,
	STREAM_VALUE_SIZE_MAX = 32 + COUNTED_INTERVALS_MAX * 20,
};

struct streams {
	struct streams_options options;
	struct stream **buckets; /* a power of two of them */
	size_t bucket_count;
	size_t count;
	struct stream *newest, *oldest; /* by use */
	struct stream *changed;
	size_t changed_count, changed_bytes;
	uint64_t committed;
	struct buffer scratch;
};

int streams_new(const struct streams_options *options, struct streams **ret_streams)
{
	struct streams *streams = calloc(1, sizeof *streams);
	if (streams == NULL) {
		return -ENOMEM;
	}
	streams->options = *options;
	streams->bucket_count = BUCKETS_MIN;
	buffer_init(&streams->scratch, STREAM_VALUE_SIZE_MAX);
	streams->buckets = calloc(BUCKETS_MIN, sizeof *streams->buckets);
	if (streams->buckets == NULL) {
		streams_free(streams);
		return -ENOMEM;
	}
	*ret_streams = streams;
	return 0;
}

static void stream_free(struct stream *stream)
{
	fingerprints_leave(&stream->fingerprints);
	counted_deinit(&stream->counted);
	free(stream);
}

struct streams *streams_free(struct streams *streams)
{
	if (streams == NULL) {
		return NULL;
	}
	for (struct stream *stream = streams->newest; stream != NULL;) {
		struct stream *older = stream->older;
		stream_free(stream);
		stream = older;
	}
	buffer_deinit(&streams->scratch);
	free(streams->buckets);
	free(streams);
	return NULL;
}

static struct stream **bucket_of(const struct streams *streams, struct slice key)
{
	uint8_t hash[crypto_shorthash_BYTES];
	size_t place;
	crypto_shorthash(hash, key.bytes, key.size, streams->options.hash_key);
	memcpy(&place, hash, sizeof place);
	return &streams->buckets[place & (streams->bucket_count - 1)];
}

static struct slice key_of(const struct stream *stream)
{
	return slice_of(stream->key, stream->key_size);
}

static void use_unlink(struct streams *streams, struct stream *stream)
{
	*(stream->newer == NULL ? &streams->newest : &stream->newer->older) = stream->older;
	*(stream->older == NULL ? &streams->oldest : &stream->older->newer) = stream->newer;
}

static void use_link(struct streams *streams, struct stream *stream)
{
	stream->newer = NULL;
	stream->older = streams->newest;
	*(streams->newest == NULL ? &streams->oldest : &streams->newest->newer) = stream;
	streams->newest = stream;
}

static void forget(struct streams *streams, struct stream *stream)
{
	struct stream **link = bucket_of(streams, key_of(stream));
	while (*link != stream) {
		link = &(*link)->chain;
	}
	*link = stream->chain;
	use_unlink(streams, stream);
	streams->count--;
	stream_free(stream);
}

static void make_room(struct streams *streams)
{
	struct stream *stream = streams->oldest;
	for (int i = 0; i < FORGET_TRIES && stream != NULL; i++) {
		struct stream *newer = stream->newer;
		if (streams->count < streams->options.kept_max) {
			return;
		}
		if (!stream->is_changed && stream->frozen_in <= streams->committed) {
			forget(streams, stream);
		}
		stream = newer;
	}
}

/* Twice as many buckets; when there is no memory for them, chains are longer, that is all. */
static void grow(struct streams *streams)
{
	size_t count = streams->bucket_count * 2;
	struct stream **buckets = calloc(count, sizeof *buckets);
	if (buckets == NULL) {
		return;
	}
	free(streams->buckets);
	streams->buckets = buckets;
	streams->bucket_count = count;
	for (struct stream *stream = streams->newest; stream != NULL; stream = stream->older) {
		struct stream **bucket = bucket_of(streams, key_of(stream));
		stream->chain = *bucket;
		*bucket = stream;
	}
}

static int load(struct streams *streams, struct stream *stream)
{
	buffer_clear(&streams->scratch);
	int r = streams->options.load(streams->options.owner, key_of(stream), &streams->scratch);
	if (r != 0) {
		return r < 0 ? r : 0; /* nobody saw it before: all zero */
	}
	r = stream_decode(buffer_slice(&streams->scratch), &stream->sums, &stream->counted);
	return r > 0 || (r == 0 && !stream_sums_fit(&stream->sums, &stream->counted)) ? -EBADMSG
										      : r;
}

static int add(struct streams *streams, struct slice key, struct stream **ret_stream)
{
	make_room(streams);
	if (streams->count >= streams->bucket_count) {
		grow(streams);
	}
	struct stream *stream = calloc(1, sizeof *stream + key.size);
	if (stream == NULL) {
		return -ENOMEM;
	}
	memcpy(stream->key, key.bytes, key.size);
	stream->key_size = (uint32_t)key.size;
	int r = load(streams, stream);
	if (r < 0) {
		stream_free(stream);
		return r;
	}
	struct stream **bucket = bucket_of(streams, key);
	stream->chain = *bucket;
	*bucket = stream;
	use_link(streams, stream);
	streams->count++;
	*ret_stream = stream;
	return 0;
}

static struct stream *find(const struct streams *streams, struct slice key)
{
	struct stream *stream = *bucket_of(streams, key);
	while (stream != NULL && !slice_equal(key_of(stream), key)) {
		stream = stream->chain;
	}
	return stream;
}

const struct stream *streams_find(const struct streams *streams, struct slice key)
{
	return find(streams, key);
}

int streams_get(struct streams *streams, const struct stream_id *id, struct stream **ret_stream)
{
	uint8_t bytes[STREAM_KEY_SIZE_MAX];
	struct slice key = slice_of(bytes, stream_key(id, bytes));
	struct stream *stream = find(streams, key);

	if (stream == NULL) {
		return add(streams, key, ret_stream);
	}
	if (stream != streams->newest) {
		use_unlink(streams, stream);
		use_link(streams, stream);
	}
	*ret_stream = stream;
	return 0;
}

void streams_change(struct streams *streams, struct stream *stream)
{
	if (!stream->is_changed) {
		stream->is_changed = true;
		stream->next_changed = streams->changed;
		streams->changed = stream;
		streams->changed_count++;
		stream->weight = 0;
	}
	size_t weight = sizeof *stream + stream->key_size +
			stream->counted.count * sizeof *stream->counted.intervals;
	streams->changed_bytes += weight - stream->weight;
	stream->weight = weight;
}

size_t streams_changed_count(const struct streams *streams)
{
	return streams->changed_count;
}

size_t streams_changed_bytes(const struct streams *streams)
{
	return streams->changed_bytes;
}

int streams_freeze(struct streams *streams, uint64_t commit,
	int (*put)(void *owner, struct slice key, struct slice value), void *owner)
{
	while (streams->changed != NULL) {
		struct stream *stream = streams->changed;
		buffer_clear(&streams->scratch);
		stream_encode(&stream->sums, &stream->counted, &streams->scratch);
		int r = streams->scratch.error;
		if (r == 0) {
			r = put(owner, key_of(stream), buffer_slice(&streams->scratch));
		}
		if (r < 0) {
			return r;
		}
		streams->changed = stream->next_changed;
		streams->changed_count--;
		streams->changed_bytes -= stream->weight;
		stream->is_changed = false;
		stream->frozen_in = commit;
	}
	return 0;
}

void streams_committed(struct streams *streams, uint64_t commit)
{
	streams->committed = commit;
}

const struct stream *streams_next(const struct streams *streams, const struct stream *stream)
{
	return stream == NULL ? streams->newest : stream->older;
}
