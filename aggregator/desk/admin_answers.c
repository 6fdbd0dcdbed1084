#include "aggregator/desk/admin_answers.h"
#include "aggregator/books/quarantine.h"
#include "proto/timestamp.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ENOUGH = 1, CURSOR_SIZE = 64 };

static void write_count(struct writer *writer, const char *key, uint64_t count)
{
	write_key(writer, key);
	write_unsigned(writer, count);
}

static void write_string(struct writer *writer, const char *key, const char *text)
{
	write_key(writer, key);
	write_text(writer, slice_of_text(text));
}

static void write_time(struct writer *writer, const char *key, int64_t time_ms)
{
	char text[TIMESTAMP_TEXT_SIZE];

	write_key(writer, key);
	write_text(writer, slice_of(text, timestamp_format(time_ms, text)));
}

static void write_flag(struct writer *writer, const char *key, bool value)
{
	write_key(writer, key);
	write_bool(writer, value);
}

static void write_absent(struct writer *writer, const char *key)
{
	write_key(writer, key);
	write_nil(writer);
}

static void write_end(struct writer *writer, const char *next, const struct freshness *freshness)
{
	if (next[0] != '\0') {
		write_string(writer, "next", next);
	}
	write_key(writer, "as_of");
	answer_write_as_of(writer, freshness);
}

static int refuse_cursor(const struct query *query, struct buffer *reply)
{
	struct complaint complaint;

	complaint_set(&complaint, REASON_BAD_REQUEST, "cursor",
		"cursor is no `next` of such an answer; begin anew");
	query_encode_error(&complaint, query->encoding, reply);
	return reply->error;
}

/* ---- forget */

int forget_answer_write(const struct forget_plan *plan, const struct freshness *freshness,
	enum encoding encoding, struct buffer *reply)
{
	struct writer writer;

	writer_init(&writer, encoding, reply);
	write_map(&writer, 3);
	write_flag(&writer, "ok", true);
	write_key(&writer, "forget");
	write_map(&writer, 7);
	write_string(&writer, "hash", plan->hash);
	write_flag(&writer, "revoked", plan->is_revoke);
	write_flag(&writer, "was_so", plan->was_so);
	write_count(&writer, "rows", plan->counts.rows);
	write_count(&writer, "events", plan->counts.events);
	write_count(&writer, "texts", plan->counts.texts);
	write_count(&writer, "quarantined", plan->counts.quarantined);
	write_end(&writer, "", freshness);
	return reply->error;
}

/* ---- forgotten */

static bool parse_hash(struct slice text, uint8_t ret_hash[FORGOTTEN_HASH_SIZE])
{
	char hex[FORGOTTEN_HASH_TEXT_SIZE], again[FORGOTTEN_HASH_TEXT_SIZE];

	if (text.size != sizeof hex - 1) {
		return false;
	}
	memcpy(hex, text.bytes, text.size);
	hex[text.size] = '\0';
	for (size_t i = 0; i < FORGOTTEN_HASH_SIZE; i++) {
		char pair[] = {hex[2 * i], hex[2 * i + 1], '\0'};
		ret_hash[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	forgotten_hash_text(ret_hash, again);
	return strcmp(hex, again) == 0;
}

static void write_tombstone(struct writer *writer, const struct tombstone *tombstone)
{
	char hash[FORGOTTEN_HASH_TEXT_SIZE];
	bool is_in_force = tombstone->until_ms == FORGOTTEN_FOR_EVER;

	forgotten_hash_text(tombstone->hash, hash);
	write_map(writer, 5);
	write_string(writer, "hash", hash);
	write_time(writer, "when", tombstone->when_ms);
	write_string(writer, "by", tombstone->by);
	write_flag(writer, "in_force", is_in_force);
	if (is_in_force) {
		write_absent(writer, "until");
	} else {
		write_time(writer, "until", tombstone->until_ms);
	}
}

int forgotten_answer_write(const struct forgotten *forgotten, const struct query *query,
	const struct freshness *freshness, struct buffer *reply)
{
	uint8_t after[FORGOTTEN_HASH_SIZE];
	char next[FORGOTTEN_HASH_TEXT_SIZE] = "";
	struct writer writer;
	size_t first = 0;

	if (query->cursor.size > 0) {
		if (!parse_hash(query->cursor, after)) {
			return refuse_cursor(query, reply);
		}
		while (first < forgotten->count &&
			memcmp(forgotten->items[first].hash, after, sizeof after) <= 0) {
			first++;
		}
	}
	size_t left = forgotten->count - first;
	size_t count = left < query->limit ? left : query->limit;
	if (count < left) {
		forgotten_hash_text(forgotten->items[first + count - 1].hash, next);
	}
	writer_init(&writer, query->encoding, reply);
	write_map(&writer, next[0] != '\0' ? 6 : 5);
	write_flag(&writer, "ok", true);
	write_count(&writer, "in_force", forgotten->in_force);
	write_count(&writer, "revoked", forgotten->count - forgotten->in_force);
	write_key(&writer, "forgotten");
	write_array(&writer, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		write_tombstone(&writer, &forgotten->items[first + i]);
	}
	write_end(&writer, next, freshness);
	return reply->error;
}

/* ---- quarantine */

/* Entries of the answer, each encoded as a value of its own: how many there are is known at the end. */
struct listing {
	const struct query *query;
	struct document document;
	struct buffer bytes;
	size_t *ends; /* of each entry in `bytes` */
	size_t count;
	size_t shard;
	uint64_t last; /* number of the last entry, in its shard */
	bool has_more;
	char next[CURSOR_SIZE];
};

/* Whose it is, where that can be read. */
static bool read_certificate(struct listing *listing, const struct quarantine_entry *entry,
	struct certificate *ret_certificate)
{
	struct complaint complaint;
	struct event event;

	if (entry->value.size == 0 || entry->value.size != entry->value_size ||
		event_decode(&listing->document, encoding_of(entry->value), entry->value, &event,
			&complaint) != 0) {
		return false;
	}
	*ret_certificate = event.certificate;
	return true;
}

static void write_certificate(struct writer *writer, const struct certificate *certificate)
{
	if (certificate == NULL) {
		write_absent(writer, "edge");
		write_absent(writer, "run");
		write_absent(writer, "kind");
		write_absent(writer, "seq");
		return;
	}
	write_key(writer, "edge");
	write_text(writer, certificate->edge);
	write_count(writer, "run", certificate->run);
	write_string(writer, "kind", kind_name(certificate->kind));
	write_count(writer, "seq", certificate->seq);
}

static void write_entry(
	struct listing *listing, uint64_t number, const struct quarantine_entry *entry)
{
	struct certificate certificate;
	struct writer writer;
	bool is_certified = read_certificate(listing, entry, &certificate);

	writer_init(&writer, listing->query->encoding, &listing->bytes);
	write_map(&writer, 13);
	write_count(&writer, "shard", listing->shard);
	write_count(&writer, "number", number);
	write_key(&writer, "topic");
	write_text(&writer, entry->topic);
	write_key(&writer, "partition");
	write_integer(&writer, entry->partition);
	write_key(&writer, "offset");
	write_integer(&writer, entry->offset);
	write_time(&writer, "appended", entry->timestamp_ms);
	write_count(&writer, "size", entry->value_size);
	write_flag(&writer, "hidden", entry->value.size == 0 && entry->value_size > 0);
	write_key(&writer, "reason");
	write_text(&writer, entry->reason);
	write_certificate(&writer, is_certified ? &certificate : NULL);
}

static int add_entry(void *owner, struct slice key, struct slice value)
{
	struct listing *listing = owner;
	struct quarantine_entry entry;
	struct unpack unpack = unpack_of(key);
	uint64_t number = unpack_u64(&unpack);

	if (!unpack_is_whole(&unpack) || !quarantine_decode(value, &entry)) {
		return -EBADMSG;
	}
	if (listing->count == listing->query->limit ||
		listing->bytes.size > ANSWER_SIZE_MAX - 64 * 1024) {
		listing->has_more = true;
		return ENOUGH;
	}
	write_entry(listing, number, &entry);
	listing->ends[listing->count++] = listing->bytes.size;
	listing->last = number;
	snprintf(listing->next, sizeof listing->next, "%zu.%" PRIu64, listing->shard, number);
	return listing->bytes.error;
}

static int add_shard(struct listing *listing, const struct shard *shard, uint64_t from)
{
	struct snapshot *snapshot = NULL;
	uint8_t key[8];

	pack_big_endian(key, from, sizeof key);
	int r = snapshot_begin(shard->options.store, shard->options.generation, &snapshot);
	if (r == 0) {
		r = snapshot_walk(
			snapshot, TABLE_QUARANTINE, slice_of(key, sizeof key), add_entry, listing);
	}
	snapshot_end(snapshot);
	return r == ENOUGH && listing->has_more ? 0 : r > 0 ? -EBADMSG : r;
}

/* "SHARD.NUMBER", of the last one that was told. */
static bool parse_cursor(struct slice text, size_t *ret_shard, uint64_t *ret_from)
{
	char cursor[CURSOR_SIZE], again[CURSOR_SIZE];
	uint64_t number = 0;

	if (text.size == 0) {
		*ret_shard = 0;
		*ret_from = 0;
		return true;
	}
	snprintf(cursor, sizeof cursor, "%.*s", (int)text.size, (const char *)text.bytes);
	if (sscanf(cursor, "%zu.%" SCNu64, ret_shard, &number) != 2) {
		return false;
	}
	snprintf(again, sizeof again, "%zu.%" PRIu64, *ret_shard, number);
	*ret_from = number + 1;
	return strcmp(cursor, again) == 0;
}

static void write_entries(const struct listing *listing, const struct pipeline *pipeline,
	const struct freshness *freshness, struct buffer *reply)
{
	struct writer writer;
	uint64_t ever = 0;
	size_t start = 0;

	for (size_t i = 0; i < pipeline->shard_count; i++) {
		ever += pipeline->shards[i]->ledger.quarantined;
	}
	writer_init(&writer, listing->query->encoding, reply);
	write_map(&writer, listing->has_more ? 5 : 4);
	write_flag(&writer, "ok", true);
	write_count(&writer, "set_aside", ever);
	write_key(&writer, "quarantine");
	write_array(&writer, (uint32_t)listing->count);
	for (size_t i = 0; i < listing->count; i++) {
		write_raw(
			&writer, slice_of(listing->bytes.bytes + start, listing->ends[i] - start));
		start = listing->ends[i];
	}
	write_end(&writer, listing->has_more ? listing->next : "", freshness);
}

int quarantine_answer_write(const struct pipeline *pipeline, const struct query *query,
	const struct freshness *freshness, struct buffer *reply)
{
	struct listing listing = {.query = query};
	uint64_t from = 0;

	if (!parse_cursor(query->cursor, &listing.shard, &from)) {
		return refuse_cursor(query, reply);
	}
	buffer_init(&listing.bytes, ANSWER_SIZE_MAX);
	listing.ends = malloc(query->limit * sizeof *listing.ends);
	int r = listing.ends == NULL ? -ENOMEM : document_init(&listing.document, EVENT_NODES_MAX);
	for (; r == 0 && !listing.has_more && listing.shard < pipeline->shard_count;
		listing.shard++) {
		r = add_shard(&listing, pipeline->shards[listing.shard], from);
		from = 0;
	}
	if (r == 0) {
		write_entries(&listing, pipeline, freshness, reply);
		r = reply->error;
	}
	free(listing.ends);
	document_deinit(&listing.document);
	buffer_deinit(&listing.bytes);
	return r;
}
