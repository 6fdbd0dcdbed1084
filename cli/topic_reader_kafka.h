/* topic_reader_kafka.h - reads one topic's records, all partitions or one, without a group and without leaving a trace
 * in Kafka. One thread. librdkafka stays behind this header. */
#pragma once
#include "proto/topic_record.h"

enum {
	TOPIC_E_WAITING = 1, /* nothing within the time */
	TOPIC_E_END, /* every partition is read to the end that it had */
	TOPIC_E_UNREACHABLE, /* no broker answers */
	TOPIC_E_UNKNOWN, /* no such topic, partition or offset; the error says which */
};

struct topic_reader_options {
	const char *brokers;
	const char *topic;
	const char *const *
		properties; /* "name=value" of librdkafka or "name_file=path", ends with NULL; may be NULL */
	int32_t partition; /* -1: all */
	int64_t offset; /* TOPIC_BEGINNING, TOPIC_TAIL, TOPIC_SINCE or a number */
	int64_t since_ms; /* of TOPIC_SINCE: the broker's time */
	int64_t timeout_ms; /* for finding the topic */
};
enum { TOPIC_BEGINNING = -1, TOPIC_TAIL = -2, TOPIC_SINCE = -3 };

struct topic_error {
	char text[512];
};

struct topic_reader;

/* 0, TOPIC_E_UNREACHABLE, TOPIC_E_UNKNOWN, -EINVAL (a property), each with the error set; -ENOMEM. */
int topic_reader_new(const struct topic_reader_options *options, struct topic_reader **ret_reader,
	struct topic_error *error);
struct topic_reader *topic_reader_free(struct topic_reader *reader);
/* 0, TOPIC_E_WAITING, TOPIC_E_UNKNOWN (the error is set). With `until_end` TOPIC_E_END, once. */
int topic_reader_next(struct topic_reader *reader, int64_t wait_ms, bool until_end,
	struct topic_record *ret_record, struct topic_error *error);
