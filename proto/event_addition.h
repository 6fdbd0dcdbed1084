/* event_addition.h - fields from around the event: put into its map before it is read, and compared with what it says
 * itself afterwards. For event_*.c only. */
#pragma once
#include "proto/document_build.h"
#include "proto/event_value.h"

/* Adds what the map does not name. 0, -ENOMEM or a reason with the complaint. */
int event_additions_put(
	struct document *document, const struct event_rules *rules, struct complaint *complaint);
/* The event is read: where it had a field of its own, both must say the same. 0 or REASON_BAD_VALUE. */
int event_additions_agree(const struct event *event, const struct event_rules *rules,
	const struct value_rules *value_rules);
