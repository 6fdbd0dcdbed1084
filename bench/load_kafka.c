/* till-load: orders in normal form straight into a topic, or out of it: the raw rates of librdkafka on this machine, with
 * the settings that till-bridge and till-aggregator use. Prints one JSON object. */
#include "bench/options.h"
#include "bench/order.h"
#include "proto/checksum.h"
#include "runtime/clock.h"
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_MS = 100, FLUSH_MS = 120000, BATCH = 10000 };

struct load {
	const char *brokers, *topic, *mode, *edge;
	int64_t count, users, products, lines, partitions;
	int64_t rate; /* orders a second; 0: as many as go */
	int64_t done, failed;
};

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "till-load: %s: %s\n", what, why);
	exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char error[256];
	if (rd_kafka_conf_set(conf, key, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
		fail(key, error);
	}
}

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
	struct load *load = opaque;
	(void)kafka;
	load->done++;
	load->failed += message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_t *client_new(struct load *load, rd_kafka_type_t type)
{
	char error[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	set(conf, "bootstrap.servers", load->brokers);
	if (type == RD_KAFKA_PRODUCER) {
		set(conf, "enable.idempotence", "true");
		set(conf, "acks", "all");
		set(conf, "linger.ms", "5");
		rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	} else {
		set(conf, "group.id", "till-load");
		set(conf, "enable.auto.commit", "false");
		set(conf, "check.crcs", "true");
	}
	rd_kafka_conf_set_opaque(conf, load);
	rd_kafka_t *kafka = rd_kafka_new(type, conf, error, sizeof error);
	if (kafka == NULL) {
		fail("librdkafka", error);
	}
	return kafka;
}

static void produce_one(rd_kafka_t *kafka, rd_kafka_topic_t *topic, const struct load *load,
	int32_t partition, struct slice value)
{
	while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY,
		       (void *)(uintptr_t)value.bytes, value.size, load->edge, strlen(load->edge),
		       NULL) != 0) {
		if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
			fail("produce", rd_kafka_err2str(rd_kafka_last_error()));
		}
		rd_kafka_poll(kafka, POLL_MS);
	}
}

/* Until it is time for order number i. */
static void keep_pace(rd_kafka_t *kafka, const struct load *load, int64_t start_us, int64_t number)
{
	int64_t due_us = load->rate > 0 ? start_us + number * 1000000 / load->rate : start_us;

	for (int64_t left_us = due_us - clock_monotonic_us(); left_us > 0;
		left_us = due_us - clock_monotonic_us()) {
		rd_kafka_poll(kafka, (int)(left_us / 1000) + 1);
	}
}

static void produce(struct load *load)
{
	rd_kafka_t *kafka = client_new(load, RD_KAFKA_PRODUCER);
	rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka, load->topic, NULL);
	const struct bench_shape shape = {
		.users = load->users, .products = load->products, .lines = load->lines};
	struct certificate certificate = {.edge = slice_of_text(load->edge),
		.run = random_u64() & RUN_MAX,
		.kind = KIND_ORDER};
	int32_t partition = checksum_partition(certificate.edge, (int32_t)load->partitions);
	struct buffer buffer;

	int64_t start_us = clock_monotonic_us();

	buffer_init(&buffer, EVENT_SIZE_MAX);
	for (int64_t i = 0; i < load->count; i++) {
		keep_pace(kafka, load, start_us, i);
		certificate.seq = (uint64_t)i + 1;
		buffer_clear(&buffer);
		bench_order_encode_certified(&shape, (uint64_t)i, &certificate, &buffer);
		produce_one(kafka, topic, load, partition, buffer_slice(&buffer));
		if (i % BATCH == 0) {
			rd_kafka_poll(kafka, 0);
		}
	}
	rd_kafka_flush(kafka, FLUSH_MS);
	buffer_deinit(&buffer);
	rd_kafka_topic_destroy(topic);
	rd_kafka_destroy(kafka);
}

static void take(struct load *load, rd_kafka_message_t *message)
{
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		load->done++;
	} else if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		fail("consume", rd_kafka_message_errstr(message));
	}
	rd_kafka_message_destroy(message);
}

static void consume(struct load *load)
{
	static rd_kafka_message_t *messages[BATCH];
	rd_kafka_t *kafka = client_new(load, RD_KAFKA_CONSUMER);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
	for (int32_t partition = 0; partition < load->partitions; partition++) {
		rd_kafka_topic_partition_list_add(list, load->topic, partition)->offset =
			RD_KAFKA_OFFSET_BEGINNING;
	}
	rd_kafka_assign(kafka, list);
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(kafka);
	while (load->done < load->count) {
		ssize_t count = rd_kafka_consume_batch_queue(queue, POLL_MS, messages, BATCH);
		for (ssize_t i = 0; i < count; i++) {
			take(load, messages[i]);
		}
	}
	rd_kafka_queue_destroy(queue);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(kafka);
}

int main(int argc, char **argv)
{
	struct load load = {.mode = "produce",
		.edge = "bench-1",
		.count = 1000000,
		.users = 100000,
		.products = 5000,
		.lines = 3,
		.partitions = 4};
	const struct bench_option options[] = {
		{"--brokers", &load.brokers, NULL, "bootstrap addresses"},
		{"--topic", &load.topic, NULL, "the topic, which exists"},
		{"--mode", &load.mode, NULL, "produce (default) or consume"},
		{"--edge", &load.edge, NULL, "edge id of the certificates, and so the key"},
		{"--count", NULL, &load.count, "orders"},
		{"--users", NULL, &load.users, "distinct user ids"},
		{"--lines", NULL, &load.lines, "lines of one order"},
		{"--products", NULL, &load.products, "distinct products"},
		{"--rate", NULL, &load.rate, "orders a second; 0 (default): as many as go"},
		{"--partitions", NULL, &load.partitions, "of the topic"},
		{0},
	};
	bench_options_parse(options, argc, argv);
	if (load.brokers == NULL || load.topic == NULL) {
		fail("arguments", "--brokers and --topic are needed");
	}
	int64_t start_us = clock_monotonic_us();
	if (strcmp(load.mode, "consume") == 0) {
		consume(&load);
	} else {
		produce(&load);
	}
	double seconds = (double)(clock_monotonic_us() - start_us) / 1e6;
	printf("{\"mode\":\"%s\",\"records\":%" PRId64 ",\"failed\":%" PRId64
	       ",\"seconds\":%.3f,\"per_second\":%.0f}\n",
		load.mode, load.done, load.failed, seconds, (double)load.done / seconds);
	return load.failed == 0 && load.done >= load.count ? 0 : 1;
}
