/* zone.h - a time zone, parsed from the bytes of a TZif file (RFC 8536): its transitions and, past the
 * last of them, its POSIX rule. Reading the file is the caller's (runtime/zonefile.h). Immutable once made.
 * An int result is 0, ZONE_E_MALFORMED, or -ENOMEM. */
#pragma once
#include "proto/slice.h"

struct zone;

enum { ZONE_E_MALFORMED = 1 };

int zone_new(const char *name, struct slice tzif, struct zone **ret_zone);
struct zone *zone_free(struct zone *zone);
const char *zone_name(const struct zone *zone); /* "UTC" for NULL */
/* Seconds east of UTC that hold at this instant. */
int32_t zone_offset_at(const struct zone *zone, int64_t utc_seconds);
/* UTC of a local time: the first of two; false where it does not occur. */
bool zone_to_utc(const struct zone *zone, int64_t local_seconds, int64_t *ret_utc_seconds);
/* The same, but a local time that was skipped gives the instant of the skip. */
int64_t zone_to_utc_or_skip(const struct zone *zone, int64_t local_seconds);
/* The first instant in [from, to] from which the offset at `to` holds without a change. */
int64_t zone_offset_since(const struct zone *zone, int64_t from, int64_t to);
