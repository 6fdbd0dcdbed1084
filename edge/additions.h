/* additions.h - fields that a source's settings give to each of its events: `kind = cart`, `set = channel=web,currency=EUR`.
 * Pure. */
#pragma once
#include "proto/event.h"
#include "runtime/config.h"

enum { ADDITIONS_MAX = 16 /* settings of a source; each costs a comparison an event */ };

struct additions {
	struct event_addition of[ADDITIONS_MAX]; /* slices of the settings' texts */
	size_t count;
};

/* `kind`: order, cart, view. `set`: FIELD=VALUE, separated by commas. Either may be NULL or "": none. 0 or -EINVAL with the error
 * set. Texts are borrowed as long as the additions are used. */
int additions_read(
	struct additions *additions, const char *kind, const char *set, struct config_error *error);
/* "event_id" tells one event from the others: given to all of them, every one but the first would be a repeat. */
bool additions_can_set(struct slice name);
bool additions_has(const struct additions *additions, struct slice name);
/* NULL when the field is not among them. */
const struct event_addition *additions_find(const struct additions *additions, const char *name);
