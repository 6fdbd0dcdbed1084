/* inspection_answers.h - how what is known of Kafka's topics, and what was found in them, is written. Logic only. */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/log/findings.h"
#include "aggregator/log/pipeline.h"
#include "aggregator/log/survey.h"

/* What a topic is to till. */
enum topic_role {
	ROLE_EVENTS, /* of one of the three kinds */
	ROLE_LETTERS, /* their dead letters */
	ROLE_SOURCE, /* of others, read as a declared source */
	ROLE_TELEMETRY, /* what edges report of themselves */
	ROLE_OTHER,
};
enum topic_role inspection_role_of(
	const struct topics *topics, const char *telemetry, const char *name);

struct survey_sight {
	const struct survey *survey; /* NULL: Kafka was never reached */
	int64_t unreachable_since_ms; /* 0: it is reached */
	const char *why; /* it is not */
	const char *brokers; /* as configured */
	const char *topic_telemetry;
	const struct pipeline *pipeline;
};

/* Whole replies. 0 or -errno. `replay_to`: where letters can be sent again; NULL: nowhere. */
int survey_write(const struct survey_sight *sight, enum encoding encoding,
	const struct freshness *freshness, struct buffer *reply);
int findings_write(const struct findings *findings, const char *replay_to,
	const struct freshness *freshness, struct buffer *reply);
