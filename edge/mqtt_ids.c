#include "edge/mqtt_ids.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { IDS_PER_PAGE = 65536 / MQTT_ID_PAGE_COUNT };

struct mqtt_ids_page {
	uint32_t count;
	bool used[IDS_PER_PAGE];
	uint64_t fingerprints[IDS_PER_PAGE];
};

void mqtt_ids_init(struct mqtt_ids *ids)
{
	memset(ids, 0, sizeof *ids);
}

void mqtt_ids_deinit(struct mqtt_ids *ids)
{
	for (int i = 0; i < MQTT_ID_PAGE_COUNT; i++) {
		free(ids->pages[i]);
	}
	mqtt_ids_init(ids);
}

int mqtt_ids_put(struct mqtt_ids *ids, uint16_t id, uint64_t fingerprint)
{
	struct mqtt_ids_page **page = &ids->pages[id / IDS_PER_PAGE];
	uint32_t at = id % IDS_PER_PAGE;

	assert(id != 0);
	if (*page == NULL) {
		*page = calloc(1, sizeof **page);
		if (*page == NULL) {
			return -ENOMEM;
		}
	}
	if (!(*page)->used[at]) {
		(*page)->used[at] = true;
		(*page)->count++;
		ids->count++;
	}
	(*page)->fingerprints[at] = fingerprint;
	return 0;
}

bool mqtt_ids_get(const struct mqtt_ids *ids, uint16_t id, uint64_t *ret_fingerprint)
{
	const struct mqtt_ids_page *page = ids->pages[id / IDS_PER_PAGE];

	if (page == NULL || !page->used[id % IDS_PER_PAGE]) {
		return false;
	}
	*ret_fingerprint = page->fingerprints[id % IDS_PER_PAGE];
	return true;
}

void mqtt_ids_remove(struct mqtt_ids *ids, uint16_t id)
{
	struct mqtt_ids_page *page = ids->pages[id / IDS_PER_PAGE];

	if (page == NULL || !page->used[id % IDS_PER_PAGE]) {
		return;
	}
	page->used[id % IDS_PER_PAGE] = false;
	ids->count--;
	if (--page->count == 0) {
		free(page);
		ids->pages[id / IDS_PER_PAGE] = NULL;
	}
}

uint16_t mqtt_ids_next(const struct mqtt_ids *ids, uint16_t after)
{
	for (uint32_t id = after + 1U; id <= UINT16_MAX; id++) {
		const struct mqtt_ids_page *page = ids->pages[id / IDS_PER_PAGE];
		if (page == NULL) {
			id |= IDS_PER_PAGE - 1; /* the page's last */
		} else if (page->used[id % IDS_PER_PAGE]) {
			return (uint16_t)id;
		}
	}
	return 0;
}
