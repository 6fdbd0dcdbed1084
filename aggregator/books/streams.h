/* streams.h - the streams of one shard that are at work: loaded from the store at first use, kept while they change,
 * forgotten again (least recently used first) once the store has what they say. One thread. */
#pragma once
#include "aggregator/books/fingerprints.h"

struct streams;

struct stream {
	struct stream_sums sums;
	struct counted counted;
	struct fingerprint_list fingerprints;
	bool is_changed; /* since the last freeze */
	size_t weight; /* private: its share of streams_changed_bytes */
	uint64_t
		frozen_in; /* the commit that carries its last change; 0: none since it was loaded */
	struct stream *chain, *newer, *older, *next_changed; /* private */
	uint32_t key_size;
	uint8_t key[]; /* stream_key */
};

struct streams_options {
	size_t kept_max; /* forget above this, where possible */
	uint8_t hash_key[16]; /* random: foreign ids must not choose their place */
	/* Reads the stored value of a key into `ret_value` (appends); 0, 1 when there is none, or a negative errno. */
	int (*load)(void *owner, struct slice key, struct buffer *ret_value);
	void *owner;
};

int streams_new(const struct streams_options *options, struct streams **ret_streams);
struct streams *streams_free(struct streams *streams);

/* The stream, new when nobody ever saw it. Borrowed until the next streams_get. 0, -ENOMEM, -EBADMSG when what is
 * stored can't be read, or what `load` says. */
int streams_get(struct streams *streams, const struct stream_id *id, struct stream **ret_stream);
void streams_change(struct streams *streams, struct stream *stream); /* call when it changes */
/* What the next freeze hands over: so many streams, of about so many bytes. */
size_t streams_changed_count(const struct streams *streams);
size_t streams_changed_bytes(const struct streams *streams);

/* Hands every changed stream to `put` as key and encoded value, for commit number `commit`. Stops at the first error. */
int streams_freeze(struct streams *streams, uint64_t commit,
	int (*put)(void *owner, struct slice key, struct slice value), void *owner);
/* Up to this commit the store has everything: what is unchanged since may be forgotten. */
void streams_committed(struct streams *streams, uint64_t commit);
/* The stream if it is at work, without loading or counting as use; NULL: the store knows better. */
const struct stream *streams_find(const struct streams *streams, struct slice key);
/* One after the other, in no order; NULL begins, NULL ends. */
const struct stream *streams_next(const struct streams *streams, const struct stream *stream);
