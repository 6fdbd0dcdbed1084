/* gap.h - what the log no longer has, as text: `orders/3:1200-1499`, `cluster:OLD->NEW`, `topic:orders re-created`.
 * An operator goes on by giving exactly this text to --accept-gap; the store keeps what was accepted. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { GAP_TEXT_SIZE = 512 };

/* first and last are offsets, inclusive. */
void gap_of_offsets(const char *topic, int32_t partition, int64_t first, int64_t last,
	char ret_text[GAP_TEXT_SIZE]);
void gap_of_cluster(const char *old_id, const char *new_id, char ret_text[GAP_TEXT_SIZE]);
/* The first time (1) as above; `topic:orders re-created (2)` the second time, so that one who accepted the first has not accepted
 * the second. */
void gap_of_topic(const char *topic, unsigned time, char ret_text[GAP_TEXT_SIZE]);
/* Is it about all that a topic or a cluster held? Then it is missing in whatever is counted anew, too. */
bool gap_is_of_a_whole(const char *text);
