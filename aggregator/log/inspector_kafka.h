/* inspector_kafka.h - private: what the parts of an inspector share: the thread with its surveys (inspector_kafka.c), and the
 * looks into topics (look_kafka.c), and letters that are to be sent again (mailbag_kafka.c). */
#pragma once
#include "aggregator/log/inspector.h"
#include <librdkafka/rdkafka.h>

/* How much time is left until then, 1 ms at least: a call that may not wait fails at once by itself. */
int inspector_left_ms(int64_t deadline_ms);
/* Reads what findings->look wants; what is wrong is in its complaint. 0 or -ENOMEM. */
int look_into_topics(rd_kafka_t *client, const char *const letter_topics[KIND_EVENT_COUNT],
	int64_t deadline_ms, struct findings *findings);
/* What a message is, with its headers; borrowed from it. */
void look_read_record(const rd_kafka_message_t *message, struct topic_record *ret_record);
/* Reads the letters that are wanted; where that fails, its complaint says why. 0 or -ENOMEM. */
int mailbag_fetch(rd_kafka_t *client, int64_t deadline_ms, struct mailbag *mailbag);
/* A survey; NULL with the reason. */
struct survey *survey_make(rd_kafka_t *client, const struct inspector_options *options,
	int64_t deadline_ms, char why[SURVEY_ERROR_SIZE]);
