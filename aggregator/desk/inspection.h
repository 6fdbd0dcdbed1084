/* inspection.h - the queries that Kafka answers: what is known of its topics, and what was found in them. The loop's side of an
 * inspector: it decides who waits, who is busy, and what is fresh enough. The loop's thread. */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/desk/queries.h"
#include "aggregator/log/findings.h"
#include "aggregator/log/mailbag.h"
#include "aggregator/log/pipeline.h"
#include "aggregator/log/survey.h"

struct inspection;
struct loop;
struct metrics;

enum {
	/* A survey is shown so long without another being made. */
	INSPECTION_FRESH_MS = 3000,
	/* So long it is shown while another is made; who asks later waits for that. */
	INSPECTION_STALE_MS = 15 * 1000,
	/* What was found waits so long for whoever asked. */
	INSPECTION_KEEP_MS = 2000,
};

struct inspection_options {
	struct loop *loop; /* borrowed, as are all */
	struct metrics *metrics;
	const char *brokers;
	const struct kafka_properties *properties;
	struct topics topics; /* all that are read; their names live on */
	const char *topic_telemetry; /* NULL or "": none */
	/* Something was found: whoever waits may be answered. 0 or -errno, which ends the program. */
	int (*found)(void *owner);
	/* A mailbag was fetched: it is the callee's. 0 or -errno likewise. */
	int (*fetched)(void *owner, struct mailbag *mailbag);
	void *fetched_owner;
	void *owner;
	const char *replay_to; /* the edge that letters can be sent to again; NULL: none */
};

/* 0 or -errno. */
int inspection_new(const struct inspection_options *options, struct inspection **ret_inspection);
struct inspection *inspection_free(struct inspection *inspection);

/* May this wish for a look be answered now? */
enum verdict inspection_judge(struct inspection *inspection, struct wish *wish);
/* Has the letters of a mailbag read: it is its own then, and comes back by `fetched`. false: others are being read. */
bool inspection_fetch(struct inspection *inspection, struct mailbag *mailbag);
/* {"ok":true,"cluster":…,"topics":…,"as_of":…} and so on. `pipeline`: how far each partition is read. 0 or -errno. */
int inspection_answer(struct inspection *inspection, const struct pipeline *pipeline,
	const struct query *query, const struct freshness *freshness, struct buffer *reply);
