#include "aggregator/books/gap.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void gap_of_offsets(const char *topic, int32_t partition, int64_t first, int64_t last,
	char ret_text[GAP_TEXT_SIZE])
{
	snprintf(ret_text, GAP_TEXT_SIZE, "%.249s/%" PRId32 ":%" PRId64 "-%" PRId64, topic,
		partition, first, last);
}

void gap_of_cluster(const char *old_id, const char *new_id, char ret_text[GAP_TEXT_SIZE])
{
	snprintf(ret_text, GAP_TEXT_SIZE, "cluster:%.200s->%.200s", old_id, new_id);
}

void gap_of_topic(const char *topic, unsigned time, char ret_text[GAP_TEXT_SIZE])
{
	int size = snprintf(ret_text, GAP_TEXT_SIZE, "topic:%.249s re-created", topic);
	if (time > 1) {
		snprintf(ret_text + size, GAP_TEXT_SIZE - (size_t)size, " (%u)", time);
	}
}

bool gap_is_of_a_whole(const char *text)
{
	return strncmp(text, "topic:", 6) == 0 || strncmp(text, "cluster:", 8) == 0;
}
