#include "aggregator/view/zones.h"
#include "runtime/zonefile.h"
#include <errno.h>
#include <stdlib.h>

enum { ZONES_MAX = 64 }; /* a view has one */

struct zones {
	struct zone *items[ZONES_MAX];
	size_t count;
};

int zones_new(struct zones **ret_zones)
{
	struct zones *zones = calloc(1, sizeof *zones);
	if (zones == NULL) {
		return -ENOMEM;
	}
	*ret_zones = zones;
	return 0;
}

struct zones *zones_free(struct zones *zones)
{
	if (zones != NULL) {
		for (size_t i = 0; i < zones->count; i++) {
			zone_free(zones->items[i]);
		}
		free(zones);
	}
	return NULL;
}

int zones_find(void *owner, const char *name, const struct zone **ret_zone)
{
	struct zones *zones = owner;
	uint8_t *bytes = NULL;
	size_t size = 0;

	for (size_t i = 0; i < zones->count; i++) {
		if (strcmp(zone_name(zones->items[i]), name) == 0) {
			*ret_zone = zones->items[i];
			return 0;
		}
	}
	if (zones->count == ZONES_MAX) {
		return -ENOSPC;
	}
	int r = zonefile_read(name, &bytes, &size);
	if (r < 0) {
		return r;
	}
	r = zone_new(name, slice_of(bytes, size), &zones->items[zones->count]);
	free(bytes);
	if (r != 0) {
		return r < 0 ? r : -EINVAL;
	}
	*ret_zone = zones->items[zones->count++];
	return 0;
}
