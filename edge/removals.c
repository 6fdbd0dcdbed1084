#include "edge/removals.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void removals_deinit(struct removals *removals)
{
	free(removals->ranges);
	*removals = (struct removals){0};
}

void removals_clear(struct removals *removals)
{
	removals->count = 0;
}

/* Acknowledgements mostly come in order, so the range to grow is mostly among the last ones. */
static bool extend_last_of_lane(
	struct removals *removals, enum kind lane, uint64_t first, uint64_t last)
{
	for (size_t i = removals->count; i > 0; i--) {
		struct removal *range = &removals->ranges[i - 1];
		if (range->lane == lane) {
			if (range->last + 1 != first) {
				return false;
			}
			range->last = last;
			return true;
		}
	}
	return false;
}

int removals_add(struct removals *removals, enum kind lane, uint64_t first, uint64_t last)
{
	if (extend_last_of_lane(removals, lane, first, last)) {
		return 0;
	}
	if (removals->count == removals->capacity) {
		size_t capacity = removals->capacity == 0 ? 64 : 2 * removals->capacity;
		struct removal *ranges = realloc(removals->ranges, capacity * sizeof *ranges);
		if (ranges == NULL) {
			return -ENOMEM;
		}
		removals->ranges = ranges;
		removals->capacity = capacity;
	}
	removals->ranges[removals->count++] = (struct removal){lane, first, last};
	return 0;
}

struct removal removals_head(const struct removals *removals, uint64_t count)
{
	assert(removals->count > 0 && count > 0);

	struct removal head = removals->ranges[0];
	if (head.last - head.first >= count) {
		head.last = head.first + count - 1;
	}
	return head;
}

void removals_drop_head(struct removals *removals, const struct removal *head)
{
	struct removal *first = &removals->ranges[0];

	assert(removals->count > 0 && first->first == head->first);
	if (head->last < first->last) {
		first->first = head->last + 1;
		return;
	}
	removals->count--;
	memmove(first, first + 1, removals->count * sizeof *first);
}
