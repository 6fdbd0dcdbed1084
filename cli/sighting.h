/* sighting.h - looks for one event in its topic. There is no index of certificates in Kafka, so records are read one after
 * the other, from a time on, up to a bound. */
#pragma once
#include "cli/options.h"
#include "proto/event.h"

struct sighting_options {
	const char *command; /* "till trace": whose words go to stderr */
	const char *brokers;
	const char *topic; /* NULL: the kind's usual one */
	struct text_list properties; /* of librdkafka */
	int64_t since_ms; /* the broker's time; 0: all that there is */
	int64_t records_max;
	int64_t timeout_ms;
};

struct sighting {
	const char *topic; /* borrowed; NULL: nobody looked */
	bool is_found;
	bool is_marker; /* that the bridge left in place of a rejected event */
	bool is_cut; /* records_max were read, and there are more */
	int32_t partition; /* the first one's; -1: not found */
	int64_t offset;
	int64_t records; /* that were looked at */
};

/* -1 to go on, else the exit code, the reason said. */
int sighting_look(const struct sighting_options *options, const struct certificate *event,
	struct sighting *ret_sighting);
