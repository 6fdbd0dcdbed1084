/* intake_privacy.h - people's ids become pseudonyms before anything is written down. */
#pragma once
#include "edge/intake_internal.h"

struct event;

/* Where pseudonyms are configured. `text` holds the event's new id and must live as long as the event. 0 or -errno. */
int intake_hide_user(
	const struct taking *taking, struct event *event, char text[PSEUDONYM_TEXT_SIZE]);
/* For a dead letter: *ret_letter is `raw` with a pseudonym in the place of the user's id, as far as that can be found: `event`
 * is what was decoded, and `raw` the same bytes or the line they came from. What can't be decoded stays as it is. Borrowed
 * until the next one. 0 or -errno. */
int intake_hide_user_in_letter(const struct taking *taking, enum encoding encoding,
	struct slice event, struct slice raw, struct slice *ret_letter);
