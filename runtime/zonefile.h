/* zonefile.h - reads a zone's TZif bytes from the system's time zone database (TZDIR or /usr/share/zoneinfo).
 * The name is checked: no path out of that folder. 0, -ENOENT, -EINVAL, -errno. The bytes are the caller's (free). */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { ZONEFILE_SIZE_MAX = 256 * 1024 };
int zonefile_read(const char *name, uint8_t **ret_bytes, size_t *ret_size);
