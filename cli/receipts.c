#include "cli/receipts.h"
#include "proto/limits.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void receipts_init(struct receipts *receipts)
{
	*receipts = (struct receipts){.count = 0};
	buffer_init(&receipts->ids, (size_t)RECEIPTS_MAX * (ID_SIZE_MAX + 1));
}

void receipts_deinit(struct receipts *receipts)
{
	buffer_deinit(&receipts->ids);
	free(receipts->items);
}

int receipts_add(struct receipts *receipts, struct slice order_id, money amount)
{
	if (receipts->count == RECEIPTS_MAX) {
		return -ENOSPC;
	}
	if (receipts->count == receipts->capacity) {
		size_t capacity = receipts->capacity == 0 ? 64 : receipts->capacity * 2;
		struct receipt *items = realloc(receipts->items, capacity * sizeof *items);
		if (items == NULL) {
			return -ENOMEM;
		}
		receipts->items = items;
		receipts->capacity = capacity;
	}
	receipts->items[receipts->count++] =
		(struct receipt){receipts->ids.size, (uint32_t)order_id.size, amount};
	buffer_append(&receipts->ids, order_id.bytes, order_id.size);
	return receipts->ids.error;
}

static struct slice id_of(const struct receipts *receipts, size_t place)
{
	const struct receipt *receipt = &receipts->items[place];

	return slice_of(receipts->ids.bytes + receipt->id_at, receipt->id_size);
}

static int compare_ids(struct slice a, struct slice b)
{
	size_t size = a.size < b.size ? a.size : b.size;
	int order = size == 0 ? 0 : memcmp(a.bytes, b.bytes, size);

	return order != 0 ? order : a.size < b.size ? -1 : a.size > b.size;
}

static int compare(const void *a, const void *b, void *ids)
{
	const struct receipt *first = a, *second = b;
	const uint8_t *bytes = ids;

	return compare_ids(slice_of(bytes + first->id_at, first->id_size),
		slice_of(bytes + second->id_at, second->id_size));
}

int receipts_settle(struct receipts *receipts)
{
	size_t kept = 0;

	if (receipts->count == 0) {
		return 0;
	}
	qsort_r(receipts->items, receipts->count, sizeof *receipts->items, compare,
		receipts->ids.bytes);
	for (size_t i = 1; i < receipts->count; i++) {
		if (compare_ids(id_of(receipts, kept), id_of(receipts, i)) != 0) {
			receipts->items[++kept] = receipts->items[i];
		} else if (!money_add(&receipts->items[kept].amount, receipts->items[i].amount)) {
			return -EOVERFLOW;
		}
	}
	receipts->count = kept + 1;
	return 0;
}

int receipts_compare(const struct receipts *expected, const struct receipts *counted,
	int (*tell)(void *owner, const struct receipt_difference *difference), void *owner)
{
	size_t i = 0, j = 0;
	int r = 0;

	while (r == 0 && (i < expected->count || j < counted->count)) {
		int order = i == expected->count ? 1
			    : j == counted->count
				    ? -1
				    : compare_ids(id_of(expected, i), id_of(counted, j));
		struct receipt_difference difference = {
			.order_id = order <= 0 ? id_of(expected, i) : id_of(counted, j),
			.is_expected = order <= 0,
			.is_counted = order >= 0,
			.expected = order <= 0 ? expected->items[i].amount : 0,
			.counted = order >= 0 ? counted->items[j].amount : 0,
		};
		i += order <= 0;
		j += order >= 0;
		bool is_alike = order == 0 && difference.expected == difference.counted;
		r = is_alike ? 0 : tell(owner, &difference);
	}
	return r;
}
