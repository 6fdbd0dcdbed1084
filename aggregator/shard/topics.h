/* topics.h - the topics that are read, in one order for the whole program: till's own first, each under the number of its
 * kind, then those of others. A plain value. */
#pragma once
#include "proto/event.h"

enum { TOPICS_MAX = 64 }; /* a report, and each report's copy, has room for all */

struct topics {
	const char *names[TOPICS_MAX]; /* borrowed */
	uint32_t count; /* at least KIND_COUNT */
};
