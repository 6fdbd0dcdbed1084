/* redelivery.h - dead letters sent again for an administrator: read out of Kafka by the inspector, brought one by one to the edge that
 * [aggregator] replay_to names, and written down before and after. One order at a time; who asks the same shares it. It logs
 * nothing but what administration.h does. The loop's thread. */
#pragma once
#include "aggregator/administration.h"
#include "aggregator/aggregator_config.h"
#include "aggregator/desk/inspection.h"

struct context;
struct redelivery;

struct redelivery_options {
	struct context *context; /* borrowed, as are all */
	struct loop *loop;
	struct metrics *metrics;
	/* replay_to: NULL or "": letters are not sent again here; edge_key: likewise, the edge asks for none */
	const struct aggregator_config *config;
	const struct administration *administration;
	/* An order is over: whoever waits may be answered. 0 or -errno, which ends the program. */
	int (*done)(void *owner);
	void *owner;
};

/* 0 or -errno, with the error set where keys can't be read. */
int redelivery_new(const struct redelivery_options *options, struct redelivery **ret_redelivery,
	struct config_error *error);
/* What is under way is broken off, and written down as that. */
struct redelivery *redelivery_free(struct redelivery *redelivery);
/* Who reads letters; before the first order. */
void redelivery_use(struct redelivery *redelivery, struct inspection *inspection);
/* Where they are sent to; NULL: nowhere. */
const char *redelivery_to(const struct redelivery *redelivery);
/* For inspection_options.fetched; `redelivery` is a struct redelivery. */
int redelivery_fetched(void *redelivery, struct mailbag *mailbag);

/* May this order be answered now? The first time it is asked, it is begun. */
enum verdict redelivery_judge(struct redelivery *redelivery, struct wish *wish, const char *who);
/* {"ok":true,"replayed":…}. 0 or -errno. */
int redelivery_answer(
	struct redelivery *redelivery, const struct query *query, struct buffer *reply);
