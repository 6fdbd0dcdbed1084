/* till-progress: how far somebody has come, seen from outside and in one way for all: what a consumer group has committed of a topic,
 * or, without --group, what the topic holds. Prints a line each time it grows, and each second, so that who reads can look after others:
 * microseconds of the monotonic clock, and records; ends at --count. */
#include "bench/options.h"
#include "runtime/clock.h"
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_MS = 10000, TELL_US = 1000000 };

struct progress {
	const char *brokers, *topic, *group;
	int64_t count, partitions, every_ms, seconds;
};

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "till-progress: %s: %s\n", what, why);
	exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char error[256];
	if (rd_kafka_conf_set(conf, key, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
		fail(key, error);
	}
}

/* Asks and never reads: it joins no group. */
static rd_kafka_t *client_new(const struct progress *progress)
{
	char error[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	set(conf, "bootstrap.servers", progress->brokers);
	set(conf, "enable.auto.commit", "false");
	set(conf, "group.id", progress->group != NULL ? progress->group : "till-progress");
	rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
	if (kafka == NULL) {
		fail("librdkafka", error);
	}
	return kafka;
}

/* What the group has committed; an answer that does not come counts as 0, and is asked for again. */
static int64_t committed(rd_kafka_t *kafka, const struct progress *progress)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
	int64_t sum = 0;

	for (int32_t i = 0; i < progress->partitions; i++) {
		rd_kafka_topic_partition_list_add(list, progress->topic, i);
	}
	if (rd_kafka_committed(kafka, list, ANSWER_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		for (int i = 0; i < list->cnt; i++) {
			sum += list->elems[i].offset > 0 ? list->elems[i].offset : 0;
		}
	}
	rd_kafka_topic_partition_list_destroy(list);
	return sum;
}

static int64_t held(rd_kafka_t *kafka, const struct progress *progress)
{
	int64_t sum = 0;

	for (int32_t i = 0; i < progress->partitions; i++) {
		int64_t low = 0, high = 0;
		rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(
			kafka, progress->topic, i, &low, &high, ANSWER_MS);
		sum += error == RD_KAFKA_RESP_ERR_NO_ERROR ? high : 0;
	}
	return sum;
}

static int follow(rd_kafka_t *kafka, const struct progress *progress)
{
	int64_t end_us = clock_monotonic_us() + progress->seconds * 1000000;
	int64_t last = 0, told_us = 0;

	while (last < progress->count && clock_monotonic_us() < end_us) {
		int64_t now = progress->group != NULL ? committed(kafka, progress)
						      : held(kafka, progress);
		int64_t now_us = clock_monotonic_us();
		if (now > last || now_us - told_us >= TELL_US) {
			last = now > last ? now : last;
			told_us = now_us;
			printf("%" PRId64 " %" PRId64 "\n", now_us, last);
			fflush(stdout);
		}
		rd_kafka_poll(kafka, (int)progress->every_ms);
	}
	return last >= progress->count ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct progress progress = {.partitions = 4, .every_ms = 20, .seconds = 600};
	const struct bench_option options[] = {
		{"--brokers", &progress.brokers, NULL, "bootstrap addresses"},
		{"--topic", &progress.topic, NULL, "the topic"},
		{"--group", &progress.group, NULL, "whose commits; none: what the topic holds"},
		{"--count", NULL, &progress.count, "ends with so many records"},
		{"--partitions", NULL, &progress.partitions, "of the topic"},
		{"--every", NULL, &progress.every_ms, "milliseconds between two questions"},
		{"--seconds", NULL, &progress.seconds, "gives up then, with 1"},
		{0},
	};
	bench_options_parse(options, argc, argv);
	if (progress.brokers == NULL || progress.topic == NULL) {
		fail("arguments", "--brokers and --topic are needed");
	}
	rd_kafka_t *kafka = client_new(&progress);
	int result = follow(kafka, &progress);
	rd_kafka_destroy(kafka);
	return result;
}
