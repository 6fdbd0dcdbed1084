#include "aggregator/books/counted.h"
#include "aggregator/view/pack.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void counted_deinit(struct counted *counted)
{
	free(counted->intervals);
	*counted = (struct counted){0};
}

/* The index of the first interval whose last seq is >= seq: the one that holds it, or the next above it. */
static uint32_t find(const struct counted *counted, uint64_t seq)
{
	if (counted->count > 0 && seq > counted->intervals[counted->count - 1].last) {
		return counted->count; /* nearly always: the next seq of the stream */
	}
	uint32_t low = 0, high = counted->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (counted->intervals[middle].last < seq) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static int reserve(struct counted *counted, uint32_t capacity)
{
	if (capacity <= counted->capacity) {
		return 0;
	}
	uint32_t wanted = counted->capacity == 0 ? 1 : counted->capacity * 2;
	if (wanted < capacity) {
		wanted = capacity;
	}
	struct counted_interval *grown =
		realloc(counted->intervals, wanted * sizeof *counted->intervals);
	if (grown == NULL) {
		return -ENOMEM;
	}
	counted->intervals = grown;
	counted->capacity = wanted;
	return 0;
}

static int insert(struct counted *counted, uint32_t index, uint64_t seq)
{
	if (counted->count >= COUNTED_INTERVALS_MAX) {
		return COUNTED_E_FULL;
	}
	int r = reserve(counted, counted->count + 1);
	if (r < 0) {
		return r;
	}
	memmove(counted->intervals + index + 1, counted->intervals + index,
		(counted->count - index) * sizeof *counted->intervals);
	counted->intervals[index] = (struct counted_interval){seq, seq};
	counted->count++;
	return 0;
}

static void close_gap(struct counted *counted, uint32_t below)
{
	counted->intervals[below].last = counted->intervals[below + 1].last;
	counted->count--;
	memmove(counted->intervals + below + 1, counted->intervals + below + 2,
		(counted->count - below - 1) * sizeof *counted->intervals);
}

int counted_add(struct counted *counted, uint64_t seq)
{
	assert(seq > 0);
	uint32_t at = find(counted, seq);
	bool above_touches = at < counted->count && counted->intervals[at].first - 1 == seq;
	bool below_touches = at > 0 && counted->intervals[at - 1].last + 1 == seq;
	if (at < counted->count && counted->intervals[at].first <= seq) {
		return COUNTED_E_REPEATED;
	}
	if (above_touches && below_touches) {
		close_gap(counted, at - 1);
	} else if (below_touches) {
		counted->intervals[at - 1].last = seq;
	} else if (above_touches) {
		counted->intervals[at].first = seq;
	} else {
		int r = insert(counted, at, seq);
		if (r != 0) {
			return r;
		}
	}
	counted->size++;
	return 0;
}

bool counted_has(const struct counted *counted, uint64_t seq)
{
	uint32_t at = find(counted, seq);
	return at < counted->count && counted->intervals[at].first <= seq;
}

uint64_t counted_max(const struct counted *counted)
{
	return counted->count == 0 ? 0 : counted->intervals[counted->count - 1].last;
}

/* count, then per interval: distance of its first from the last before it, and its length - 1. */
void counted_encode(const struct counted *counted, struct buffer *buffer)
{
	uint64_t end = 0;
	pack_varint(buffer, counted->count);
	for (uint32_t i = 0; i < counted->count; i++) {
		const struct counted_interval *interval = &counted->intervals[i];
		pack_varint(buffer, interval->first - end);
		pack_varint(buffer, interval->last - interval->first);
		end = interval->last;
	}
}

static int decode_intervals(struct unpack *unpack, struct counted *set)
{
	uint64_t count = unpack_varint(unpack);
	if (count > COUNTED_INTERVALS_MAX || count > unpack->rest.size / 2) {
		return COUNTED_E_MALFORMED;
	}
	int r = reserve(set, (uint32_t)count);
	if (r < 0) {
		return r;
	}
	uint64_t end = 0;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t distance = unpack_varint(unpack);
		uint64_t length = unpack_varint(unpack);
		/* The first interval begins at 1 or above, each later one leaves at least one seq out. */
		if (distance < (i == 0 ? 1 : 2) || distance > UINT64_MAX - end ||
			length > UINT64_MAX - end - distance || length == UINT64_MAX) {
			return COUNTED_E_MALFORMED;
		}
		set->intervals[set->count++] =
			(struct counted_interval){end + distance, end + distance + length};
		set->size += length + 1;
		end += distance + length;
	}
	return unpack_is_whole(unpack) ? 0 : COUNTED_E_MALFORMED;
}

int counted_decode(struct slice bytes, struct counted *counted)
{
	struct unpack unpack = unpack_of(bytes);
	struct counted set = {0};

	int r = decode_intervals(&unpack, &set);
	if (r != 0) {
		counted_deinit(&set);
		return r;
	}
	counted_deinit(counted);
	*counted = set;
	return 0;
}
