#include "aggregator/desk/waiting.h"
#include <errno.h>
#include <stdlib.h>

struct item {
	struct waiting_query query; /* its slices and certificates point into `memory` */
	size_t size;
	uint8_t memory[];
};

struct waiting {
	struct item *items[WAITING_MAX];
	size_t count;
	size_t size;
};

int waiting_new(struct waiting **ret_waiting)
{
	struct waiting *waiting = calloc(1, sizeof *waiting);
	if (waiting == NULL) {
		return -ENOMEM;
	}
	*ret_waiting = waiting;
	return 0;
}

struct waiting *waiting_free(struct waiting *waiting)
{
	if (waiting != NULL) {
		for (size_t i = 0; i < waiting->count; i++) {
			free(waiting->items[i]);
		}
		free(waiting);
	}
	return NULL;
}

static size_t size_of(const struct waiting_query *query)
{
	size_t size = query->envelope.size + query->request.size + query->wish.view.size +
		      query->wish.after_count * sizeof *query->wish.after;
	for (uint32_t i = 0; i < query->wish.after_count; i++) {
		size += query->wish.after[i].edge.size;
	}
	return size;
}

/* Copies bytes to *place and moves it on. */
static struct slice keep(uint8_t **place, struct slice bytes)
{
	struct slice copy = slice_of(*place, bytes.size);
	if (bytes.size > 0) {
		memcpy(*place, bytes.bytes, bytes.size);
	}
	*place += bytes.size;
	return copy;
}

static void copy(const struct waiting_query *query, struct item *item)
{
	/* Certificates first, where the alignment is right. */
	struct certificate *after = (struct certificate *)(void *)item->memory;
	uint8_t *place = item->memory + query->wish.after_count * sizeof *after;
	item->query = *query;
	for (uint32_t i = 0; i < query->wish.after_count; i++) {
		after[i] = query->wish.after[i];
		after[i].edge = keep(&place, query->wish.after[i].edge);
	}
	item->query.wish.after = after;
	item->query.envelope = keep(&place, query->envelope);
	item->query.request = keep(&place, query->request);
	item->query.wish.view = keep(&place, query->wish.view);
}

int waiting_add(struct waiting *waiting, const struct waiting_query *query)
{
	size_t size = size_of(query);
	if (waiting->count == WAITING_MAX || waiting->size + size > WAITING_BYTES_MAX) {
		return -ENOSPC;
	}
	struct item *item = malloc(sizeof *item + size);
	if (item == NULL) {
		return -ENOMEM;
	}
	item->size = size;
	copy(query, item);
	waiting->items[waiting->count++] = item;
	waiting->size += size;
	return 0;
}

size_t waiting_count(const struct waiting *waiting)
{
	return waiting->count;
}

void waiting_each(struct waiting *waiting, int (*judge)(void *owner, struct waiting_query *query),
	void *owner)
{
	size_t kept = 0;
	for (size_t i = 0; i < waiting->count; i++) {
		struct item *item = waiting->items[i];
		if (judge(owner, &item->query) == 0) {
			waiting->items[kept++] = item;
		} else {
			waiting->size -= item->size;
			free(item);
		}
	}
	waiting->count = kept;
}

int64_t waiting_next_deadline(const struct waiting *waiting)
{
	int64_t next = INT64_MAX;
	for (size_t i = 0; i < waiting->count; i++) {
		int64_t deadline = waiting->items[i]->query.deadline_ms;
		next = deadline < next ? deadline : next;
	}
	return next;
}
