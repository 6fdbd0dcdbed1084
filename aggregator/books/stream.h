/* stream.h - the events of one (edge, run, kind): which seqs are counted, and how many were accepted and rejected.
 * Dead letters of the bridge bear the certificate of the event that they replace; they are streams of their own
 * ("order.refused"), so that the letter and the marker of one event do not collide. Pure. */
#pragma once
#include "aggregator/books/counted.h"
#include "aggregator/view/pack.h"
#include "proto/event.h"

enum { STREAM_KIND_COUNT = 2 * KIND_COUNT };

/* The kind of stream: an enum kind, or, for letters of the bridge, the kind of the refused event above KIND_COUNT. */
static inline uint32_t stream_kind_of(enum kind kind, bool is_refused)
{
	return (uint32_t)kind + (is_refused ? KIND_COUNT : 0);
}
const char *stream_kind_name(uint32_t stream_kind);
/* The kind of event that views count it as. */
enum kind stream_kind_counts_as(uint32_t stream_kind);

struct stream_id {
	struct slice edge; /* 1 … EDGE_ID_SIZE_MAX bytes without NUL */
	uint64_t run;
	uint32_t kind;
};

/* edge, NUL, kind, run: the streams of one edge lie side by side. */
enum { STREAM_KEY_SIZE_MAX = EDGE_ID_SIZE_MAX + 1 + 1 + 8 };
size_t stream_key(const struct stream_id *id, uint8_t ret_key[STREAM_KEY_SIZE_MAX]);
bool stream_key_parse(struct slice key, struct stream_id *ret_id);

struct stream_sums {
	uint64_t accepted;
	uint64_t rejected;
	uint64_t
		set_aside; /* records that a full counted set could not take: the stream is in quarantine */
};

static inline bool stream_sums_fit(const struct stream_sums *sums, const struct counted *counted)
{
	return counted->size == sums->accepted + sums->rejected;
}

void stream_encode(
	const struct stream_sums *sums, const struct counted *counted, struct buffer *buffer);
/* 0, COUNTED_E_MALFORMED, -ENOMEM. Replaces what both hold. */
int stream_decode(struct slice bytes, struct stream_sums *ret_sums, struct counted *counted);
