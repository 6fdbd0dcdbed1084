/* inspector.h - asks Kafka, for people, what the program itself has no need to know: what topics there are and how they are set
 * up, and what lies in them. It has a client and a thread of its own, because asking blocks; what it does takes
 * INSPECTOR_MS_MAX at most.
 *
 * Threads: the owner's calls never wait. The types of librdkafka stay in *_kafka.c. */
#pragma once
#include "aggregator/log/findings.h"
#include "aggregator/log/mailbag.h"
#include "aggregator/log/survey.h"
#include "aggregator/shard/topics.h"
#include "runtime/kafka_properties.h"

enum { INSPECTOR_MS_MAX = 4000 };

struct inspector;

struct inspector_options {
	const char *brokers; /* borrowed, as are all, for as long as it lives */
	const struct kafka_properties *properties;
	struct topics
		topics; /* those that are read: they are surveyed first, letters are looked for in some */
	const char *topic_telemetry; /* NULL or "": none */
};

/* 0 or -errno. Nothing is asked of Kafka before somebody wants to know. */
int inspector_new(const struct inspector_options *options, struct inspector **ret_inspector);
/* Waits a moment for a clean end; after that it is left to its thread. */
struct inspector *inspector_free(struct inspector *inspector);
/* Readable when something was found. */
int inspector_fd(const struct inspector *inspector);
void inspector_clear(struct inspector *inspector);

/* Has it make a survey, soon. */
void inspector_survey(struct inspector *inspector);
/* Has it look into topics, and fill these: they are its own then. false while it does already. */
bool inspector_look(struct inspector *inspector, struct findings *findings);
/* Has it read the letters of a mailbag: it is its own then. false while it does already. */
bool inspector_fetch(struct inspector *inspector, struct mailbag *mailbag);

/* What was found since, the caller's; NULL: nothing. */
struct survey *inspector_take_survey(struct inspector *inspector);
struct findings *inspector_take_findings(struct inspector *inspector);
struct mailbag *inspector_take_mailbag(struct inspector *inspector);
/* Why the last survey came to nothing: copies it, once. false: it did not. */
bool inspector_take_failure(struct inspector *inspector, char ret_why[SURVEY_ERROR_SIZE]);
