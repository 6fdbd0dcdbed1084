#include "bridge/ranges.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void ranges_deinit(struct ranges *ranges)
{
	free(ranges->items);
	*ranges = (struct ranges){0};
}

int ranges_reserve(struct ranges *ranges, size_t count)
{
	size_t needed = ranges->count + count;
	if (needed <= ranges->capacity) {
		return 0;
	}
	size_t capacity = needed < 16 ? 16 : needed * 2;
	struct wire_range *items = realloc(ranges->items, capacity * sizeof *items);
	if (items == NULL) {
		return -ENOMEM;
	}
	ranges->items = items;
	ranges->capacity = capacity;
	return 0;
}

/* The first range that ends at or after number - 1: the only one that `number` can belong to or touch from above. */
static size_t lower_bound(const struct ranges *ranges, uint64_t number)
{
	size_t low = 0, high = ranges->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ranges->items[middle].last + 1 < number) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static void insert_at(struct ranges *ranges, size_t index, uint64_t number)
{
	assert(ranges->count < ranges->capacity);
	memmove(&ranges->items[index + 1], &ranges->items[index],
		(ranges->count - index) * sizeof *ranges->items);
	ranges->items[index] = (struct wire_range){number, number};
	ranges->count++;
}

/* Closes the gap between `index` and its successor, when there is none left. */
static void join_next(struct ranges *ranges, size_t index)
{
	struct wire_range *range = &ranges->items[index];
	if (index + 1 == ranges->count || range->last + 1 != range[1].first) {
		return;
	}
	range->last = range[1].last;
	memmove(&range[1], &range[2], (ranges->count - index - 2) * sizeof *range);
	ranges->count--;
}

void ranges_add(struct ranges *ranges, uint64_t number)
{
	size_t index = lower_bound(ranges, number);
	struct wire_range *range = index < ranges->count ? &ranges->items[index] : NULL;
	if (range == NULL || number + 1 < range->first) {
		insert_at(ranges, index, number);
	} else if (number + 1 == range->first) {
		range->first = number;
	} else if (number == range->last + 1) {
		range->last = number;
		join_next(ranges, index);
	}
}

void ranges_drop(struct ranges *ranges, size_t count)
{
	assert(count <= ranges->count);
	ranges->count -= count;
	memmove(ranges->items, ranges->items + count, ranges->count * sizeof *ranges->items);
}
