/* status.h - the answer to `status`: state, partitions with their books, kinds, what is wrong. */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/desk/health.h"

struct status {
	const struct health *health;
	const struct freshness *freshness;
	const struct view_set *views;
	const struct forgotten *forgotten;
	const uint64_t *held; /* by view; NULL: not known */
	const char *version;
	const char *publish; /* where changed rows are published; NULL: nowhere */
	int64_t uptime_ms;
	uint64_t store_bytes;
	int64_t disk_room; /* bytes that are left where the store lies; -1: not known */
};

/* The key `problems` and the first `most` of its sentences. */
void status_write_problems(struct writer *writer, const struct health *health, size_t most);
/* 0 or -errno. */
int status_write(const struct status *status, enum encoding encoding, struct buffer *reply);
