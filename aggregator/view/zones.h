/* zones.h - the time zones that views name, each read once from the system's database and kept. One thread. */
#pragma once
#include "proto/zone.h"

struct zones; /* zero zones to begin with */

int zones_new(struct zones **ret_zones);
struct zones *zones_free(struct zones *zones);
/* A view_zone_fn: `zones` is a struct zones. 0, -ENOENT, -EINVAL, -errno. The zone lives as long as `zones`. */
int zones_find(void *zones, const char *name, const struct zone **ret_zone);
