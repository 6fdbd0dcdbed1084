#include "edge/removals.h"
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
