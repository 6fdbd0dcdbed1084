/* topic_record.h - a record of a topic as it was read from Kafka, whoever read it. A plain value. */
#pragma once
#include "proto/slice.h"

enum { TOPIC_HEADERS_MAX = 32 };

struct topic_header {
	const char *name;
	struct slice value;
};

/* All of it is borrowed from whoever read it. */
struct topic_record {
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms; /* the broker's; -1: none */
	struct slice key;
	struct slice value;
	struct topic_header headers[TOPIC_HEADERS_MAX];
	size_t header_count;
};
