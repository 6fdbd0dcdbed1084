/* zonefile.h - reads a zone's TZif bytes from the system's time zone database (TZDIR or /usr/share/zoneinfo).
 * The name is checked: no path out of that folder. 0, -ENOENT, -EINVAL, -errno. The bytes are the caller's (free). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ZONEFILE_SIZE_MAX = 256 * 1024, ZONE_NAME_SIZE_MAX = 64 };
int zonefile_read(const char *name, uint8_t **ret_bytes, size_t *ret_size);
/* The zone that is near enough to be meant by an unknown name ("Europe/Berln", "berlin"), by the list of names in that folder. false: none. */
bool zonefile_suggest(const char *name, char ret_name[ZONE_NAME_SIZE_MAX + 1]);
