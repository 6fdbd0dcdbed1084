#include "aggregator/books/fingerprints.h"
#include "proto/framing.h"
#include <errno.h>
#include <stdlib.h>

enum {
	/* The lowest two bits of a fingerprint. */
	BITS_UNKNOWN = 0,
	BITS_MARKER = 1,
	BITS_MSGPACK = 2,
	BITS_JSON = 3,
	BITS = 3,
	CHUNK_SIZE = FINGERPRINT_CHUNK * 4,
	AGE_KEY_SIZE = 9, /* NUL, with which no edge begins, and the chunk's number by age */
};

struct fingerprint_chunk {
	struct fingerprint_list *list; /* NULL: its stream was forgotten */
	struct fingerprint_chunk *newer, *older; /* in that list */
	struct fingerprint_chunk *next; /* of all */
	struct fingerprint_chunk *next_changed;
	uint64_t number; /* of seq / FINGERPRINT_CHUNK */
	uint64_t frozen_in; /* the commit that carries its last change; 0: none */
	bool is_changed; /* since the last freeze */
	bool is_new; /* the store never had it */
	uint32_t values[FINGERPRINT_CHUNK];
	size_t key_size;
	uint8_t key[];
};

struct fingerprints {
	struct fingerprints_options options;
	struct fingerprint_chunk *all;
	struct fingerprint_chunk *changed;
	size_t changed_count;
	struct buffer scratch;
};

uint32_t fingerprint_of(uint32_t checksum, struct slice value, bool is_marker)
{
	uint32_t bits = encoding_of(value) == ENCODING_JSON ? BITS_JSON : BITS_MSGPACK;
	return (checksum & ~(uint32_t)BITS) | (is_marker ? BITS_MARKER : bits);
}

enum fingerprint_match fingerprint_compare(uint32_t first, uint32_t second)
{
	uint32_t bits = first & BITS;
	bool is_known = bits == (second & BITS) && bits != BITS_UNKNOWN && bits != BITS_MARKER;

	if (!is_known) {
		return FINGERPRINT_UNKNOWN;
	}
	return first == second ? FINGERPRINT_SAME : FINGERPRINT_OTHER;
}

int fingerprints_new(const struct fingerprints_options *options, struct fingerprints **ret_prints)
{
	struct fingerprints *prints = calloc(1, sizeof *prints);
	if (prints == NULL) {
		return -ENOMEM;
	}
	prints->options = *options;
	buffer_init(&prints->scratch, CHUNK_SIZE + FINGERPRINT_KEY_SIZE_MAX);
	*ret_prints = prints;
	return 0;
}

struct fingerprints *fingerprints_free(struct fingerprints *prints)
{
	if (prints == NULL) {
		return NULL;
	}
	while (prints->all != NULL) {
		struct fingerprint_chunk *next = prints->all->next;
		free(prints->all);
		prints->all = next;
	}
	buffer_deinit(&prints->scratch);
	free(prints);
	return NULL;
}

/* ---- a stream's list */

static void list_link(struct fingerprint_list *list, struct fingerprint_chunk *chunk)
{
	chunk->list = list;
	chunk->newer = NULL;
	chunk->older = list->newest;
	if (list->newest != NULL) {
		list->newest->newer = chunk;
	}
	list->newest = chunk;
}

static void list_unlink(struct fingerprint_chunk *chunk)
{
	if (chunk->list == NULL) {
		return;
	}
	*(chunk->newer == NULL ? &chunk->list->newest : &chunk->newer->older) = chunk->older;
	if (chunk->older != NULL) {
		chunk->older->newer = chunk->newer;
	}
	chunk->list = NULL;
}

void fingerprints_leave(struct fingerprint_list *list)
{
	while (list->newest != NULL) {
		list_unlink(list->newest);
	}
}

static struct fingerprint_chunk *find(struct fingerprint_list *list, uint64_t number)
{
	struct fingerprint_chunk *chunk = list->newest;

	while (chunk != NULL && chunk->number != number) {
		chunk = chunk->older;
	}
	if (chunk != NULL && chunk != list->newest) {
		list_unlink(chunk);
		list_link(list, chunk);
	}
	return chunk;
}

/* ---- chunks */

static int make(const struct fingerprint_place *place, struct fingerprint_chunk **ret_chunk)
{
	size_t size = place->stream_key.size;
	struct fingerprint_chunk *chunk = calloc(1, sizeof *chunk + size + 8);
	if (chunk == NULL) {
		return -ENOMEM;
	}
	chunk->number = place->seq / FINGERPRINT_CHUNK;
	memcpy(chunk->key, place->stream_key.bytes, size);
	pack_big_endian(chunk->key + size, chunk->number, 8);
	chunk->key_size = size + 8;
	chunk->is_new = true;
	*ret_chunk = chunk;
	return 0;
}

static struct slice key_of(const struct fingerprint_chunk *chunk)
{
	return slice_of(chunk->key, chunk->key_size);
}

static void keep(struct fingerprints *prints, const struct fingerprint_place *place,
	struct fingerprint_chunk *chunk)
{
	chunk->next = prints->all;
	prints->all = chunk;
	list_link(place->list, chunk);
}

/* 0, 1 when the store has none, or a negative errno. */
static int load(struct fingerprints *prints, struct fingerprint_chunk *chunk)
{
	buffer_clear(&prints->scratch);
	int r = prints->options.load(prints->options.owner, key_of(chunk), &prints->scratch);
	if (r != 0) {
		return r;
	}
	struct unpack unpack = unpack_of(buffer_slice(&prints->scratch));
	for (size_t i = 0; i < FINGERPRINT_CHUNK; i++) {
		chunk->values[i] = unpack_u32(&unpack);
	}
	chunk->is_new = false;
	return unpack_is_whole(&unpack) ? 0 : -EBADMSG;
}

/* The chunk of a seq, from memory or the store, unless it is the first of its chunk or of a later one. 0; 1: nobody has it, and *ret_chunk is new and the caller's. */
static int get(struct fingerprints *prints, const struct fingerprint_place *place, bool is_first,
	struct fingerprint_chunk **ret_chunk)
{
	struct fingerprint_chunk *chunk =
		is_first ? NULL : find(place->list, place->seq / FINGERPRINT_CHUNK);
	if (chunk != NULL) {
		*ret_chunk = chunk;
		return 0;
	}
	int r = make(place, &chunk);
	if (r < 0) {
		return r;
	}
	r = is_first ? 1 : load(prints, chunk);
	if (r < 0) {
		free(chunk);
		return r;
	}
	if (r == 0) {
		keep(prints, place, chunk);
	}
	*ret_chunk = chunk;
	return r;
}

int fingerprints_note(struct fingerprints *prints, const struct fingerprint_place *place,
	uint64_t counted_max, uint32_t fingerprint)
{
	uint64_t first = place->seq / FINGERPRINT_CHUNK * FINGERPRINT_CHUNK;
	struct fingerprint_chunk *chunk = NULL;

	int r = get(prints, place, counted_max < first, &chunk);
	if (r < 0) {
		return r;
	}
	if (r == 1) {
		keep(prints, place, chunk);
	}
	chunk->values[place->seq % FINGERPRINT_CHUNK] = fingerprint;
	if (!chunk->is_changed) {
		chunk->is_changed = true;
		chunk->next_changed = prints->changed;
		prints->changed = chunk;
		prints->changed_count++;
	}
	return 0;
}

int fingerprints_find(struct fingerprints *prints, const struct fingerprint_place *place,
	uint32_t *ret_fingerprint)
{
	struct fingerprint_chunk *chunk = NULL;

	int r = get(prints, place, false, &chunk);
	if (r < 0) {
		return r;
	}
	*ret_fingerprint = r == 0 ? chunk->values[place->seq % FINGERPRINT_CHUNK] : 0;
	if (r == 1) {
		free(chunk);
	}
	return 0;
}

/* ---- to the store */

size_t fingerprints_changed_count(const struct fingerprints *prints)
{
	return prints->changed_count;
}

uint64_t fingerprints_made(const struct fingerprints *prints)
{
	return prints->options.made;
}

typedef int (*put_fn)(void *owner, struct slice key, struct slice value);

static struct slice age_key(uint64_t number, uint8_t bytes[AGE_KEY_SIZE])
{
	bytes[0] = 0;
	pack_big_endian(bytes + 1, number, 8);
	return slice_of(bytes, AGE_KEY_SIZE);
}

/* The chunk that is one too many goes, and what said which it is. */
static int drop_oldest(struct fingerprints *prints, uint64_t number, put_fn put, void *owner)
{
	uint8_t bytes[AGE_KEY_SIZE];
	struct slice key = age_key(number, bytes);

	buffer_clear(&prints->scratch);
	int r = prints->options.load(prints->options.owner, key, &prints->scratch);
	if (r == 0) {
		r = put(owner, buffer_slice(&prints->scratch), slice_of(NULL, 0));
	}
	return r < 0 ? r : put(owner, key, slice_of(NULL, 0));
}

static int put_age(
	struct fingerprints *prints, const struct fingerprint_chunk *chunk, put_fn put, void *owner)
{
	uint8_t bytes[AGE_KEY_SIZE];
	uint64_t number = prints->options.made++;

	int r = put(owner, age_key(number, bytes), key_of(chunk));
	return r == 0 && number >= prints->options.chunks_max
		       ? drop_oldest(prints, number - prints->options.chunks_max, put, owner)
		       : r;
}

static int put_chunk(
	struct fingerprints *prints, struct fingerprint_chunk *chunk, put_fn put, void *owner)
{
	buffer_clear(&prints->scratch);
	for (size_t i = 0; i < FINGERPRINT_CHUNK; i++) {
		pack_u32(&prints->scratch, chunk->values[i]);
	}
	int r = prints->scratch.error;
	if (r == 0) {
		r = put(owner, key_of(chunk), buffer_slice(&prints->scratch));
	}
	return r == 0 && chunk->is_new ? put_age(prints, chunk, put, owner) : r;
}

int fingerprints_freeze(struct fingerprints *prints, uint64_t commit, put_fn put, void *owner)
{
	while (prints->changed != NULL) {
		struct fingerprint_chunk *chunk = prints->changed;
		int r = put_chunk(prints, chunk, put, owner);
		if (r < 0) {
			return r;
		}
		prints->changed = chunk->next_changed;
		prints->changed_count--;
		chunk->is_changed = false;
		chunk->is_new = false;
		chunk->frozen_in = commit;
	}
	return 0;
}

void fingerprints_committed(struct fingerprints *prints, uint64_t commit)
{
	struct fingerprint_chunk **link = &prints->all;

	while (*link != NULL) {
		struct fingerprint_chunk *chunk = *link;
		if (chunk->is_changed || chunk->frozen_in > commit) {
			link = &chunk->next;
			continue;
		}
		*link = chunk->next;
		list_unlink(chunk);
		free(chunk);
	}
}
