/* bridge_answer.h - the answer to `bridges`: what each last reported of itself, how it is, what it did lately. Pure. */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/books/text_set.h"
#include "aggregator/desk/bridges.h"

enum {
	/* A bridge of which nothing is heard in so many of its intervals, and so long, is silent. */
	BRIDGE_SILENT_INTERVALS = 3,
	BRIDGE_SILENT_MS = 10 * 1000,
	/* Kafka confirms within tens of ms; librdkafka itself tries again for long before it gives up. */
	BRIDGE_STUCK_MS = 30 * 1000,
	BRIDGE_SKEWED_MS = 60 * 1000,
	/* Of a bridge that fell silent while others went on an operator hears for so long: then it is one that is no more. */
	BRIDGE_MISSED_MS = 60 * 60 * 1000,
};

enum bridge_problem {
	BRIDGE_SILENT,
	BRIDGE_AWAY, /* from Kafka */
	BRIDGE_STUCK, /* what it took waits for Kafka */
	BRIDGE_STANDING, /* a lane does not flow */
	BRIDGE_SKEWED,
	BRIDGE_SHARED, /* its name */
	BRIDGE_PROBLEM_COUNT,
};

enum bridge_state {
	BRIDGE_OK,
	BRIDGE_TROUBLED,
	BRIDGE_IS_SILENT,
	BRIDGE_STOPPED,
	BRIDGE_STATE_COUNT
};
const char *bridge_state_name(enum bridge_state state);

/* `now_ms` is of the clock that says when reports arrived. */
bool bridge_has_problem(const struct bridges *bridges, const struct bridge *bridge,
	enum bridge_problem problem, int64_t now_ms);
enum bridge_state bridge_state_of(
	const struct bridges *bridges, const struct bridge *bridge, int64_t now_ms);
/* A sentence for each bridge that an operator should look after. `bridges` may be NULL. */
void bridge_problems(const struct bridges *bridges, int64_t now_ms, struct text_set *problems);
/* 0 or -errno. */
int bridge_answer_write(const struct bridges *bridges, int64_t now_ms,
	const struct freshness *freshness, enum encoding encoding, struct buffer *reply);
