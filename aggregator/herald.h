/* herald.h - tells log and audit log what changed since it looked last: whether Kafka answers, topics that are gone, gaps that
 * an operator accepted, that questions are answered. Wiring: it logs. The loop's thread. */
#pragma once
#include "aggregator/desk/desk.h"

/* Zero-initialised but for the first. */
struct herald {
	const struct text_set *accepted; /* by the operator of this start; borrowed */
	bool was_reported, was_reachable, was_ready; /* what the log said last */
	char told_why[512]; /* why Kafka can not be reached */
	bool was_gone[2][TOPICS_MAX]; /* to the live feed, to the shadow */
};

void herald_report(struct herald *herald, struct desk *desk);
/* An archive was read. For feed_options.replayed. */
void herald_replayed(void *owner, const struct pipeline_archive *archive);
/* For feed_options: what an operator should read, and what can't be true. */
void herald_notice(void *owner, const char *what, const char *topic, int32_t partition);
void herald_conflict(
	void *owner, const char *topic, const struct record *record, const struct reading *reading);
