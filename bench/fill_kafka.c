/* till-fill: sales as plain JSON (sale.h) into a topic, keyed by product, or line by line into a file; beside it what each product's
 * count and revenue must be, reckoned here and by nobody who is measured. Prints one JSON object. */
#include "bench/options.h"
#include "bench/sale.h"
#include "runtime/clock.h"
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POLL_MS = 100, FLUSH_MS = 120000, POLL_EACH = 10000, RECORD_SIZE_MAX = 4096 };

struct total {
	int64_t count, cents;
};

struct fill {
	const char *brokers, *topic, *file, *totals;
	int64_t count, users, products, edges, partitions;
	struct sale_law law;
	struct total *of_rank; /* owned */
	int64_t bytes, failed;
	rd_kafka_t *kafka;
	rd_kafka_topic_t *out;
	FILE *lines;
};

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "till-fill: %s: %s\n", what, why);
	exit(1);
}

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
	struct fill *fill = opaque;
	(void)kafka;
	fill->failed += message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char error[256];
	if (rd_kafka_conf_set(conf, key, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
		fail(key, error);
	}
}

static void open_topic(struct fill *fill)
{
	char error[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	set(conf, "bootstrap.servers", fill->brokers);
	set(conf, "enable.idempotence", "true");
	set(conf, "linger.ms", "20");
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_opaque(conf, fill);
	fill->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
	if (fill->kafka == NULL) {
		fail("librdkafka", error);
	}
	fill->out = rd_kafka_topic_new(fill->kafka, fill->topic, NULL);
}

static void produce(struct fill *fill, const struct sale *sale, struct slice value)
{
	char key[32];
	int size = snprintf(key, sizeof key, "p%" PRId64, sale->rank);

	while (rd_kafka_produce(fill->out, (int32_t)(sale->rank % fill->partitions),
		       RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value.bytes, value.size, key,
		       (size_t)size, NULL) != 0) {
		if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
			fail("produce", rd_kafka_err2str(rd_kafka_last_error()));
		}
		rd_kafka_poll(fill->kafka, POLL_MS);
	}
	if (sale->number % POLL_EACH == 0) {
		rd_kafka_poll(fill->kafka, 0);
	}
}

static void write_line(struct fill *fill, struct slice value)
{
	if (fwrite(value.bytes, 1, value.size, fill->lines) != value.size ||
		fputc('\n', fill->lines) == EOF) {
		fail(fill->file, "can't be written");
	}
}

static void write_sales(struct fill *fill)
{
	struct buffer buffer;

	buffer_init(&buffer, RECORD_SIZE_MAX);
	for (int64_t i = 0; i < fill->count; i++) {
		struct sale sale = sale_of(&fill->law, (uint64_t)i);
		struct total *total = &fill->of_rank[sale.rank];
		total->count++;
		total->cents += sale.quantity * sale.price_cents;
		buffer_clear(&buffer);
		sale_encode(&sale, &buffer);
		fill->bytes += (int64_t)buffer.size;
		if (fill->out != NULL) {
			produce(fill, &sale, buffer_slice(&buffer));
		}
		if (fill->lines != NULL) {
			write_line(fill, buffer_slice(&buffer));
		}
	}
	buffer_deinit(&buffer);
}

/* Product, count and cents, a line a product that was sold. */
static void write_totals(const struct fill *fill)
{
	FILE *out = fopen(fill->totals, "w");

	if (out == NULL) {
		fail(fill->totals, "can't be written");
	}
	for (int64_t rank = 0; rank < fill->products; rank++) {
		const struct total *total = &fill->of_rank[rank];
		if (total->count > 0) {
			fprintf(out, "p%" PRId64 "\t%" PRId64 "\t%" PRId64 "\n", rank, total->count,
				total->cents);
		}
	}
	if (fclose(out) != 0) {
		fail(fill->totals, "can't be written");
	}
}

static void open_ends(struct fill *fill)
{
	fill->of_rank = calloc((size_t)fill->products, sizeof fill->of_rank[0]);
	if (fill->of_rank == NULL ||
		sale_law_init(&fill->law, fill->products, fill->users, fill->edges) != 0) {
		fail("memory", "there is none");
	}
	if (fill->topic != NULL) {
		open_topic(fill);
	}
	if (fill->file != NULL && (fill->lines = fopen(fill->file, "w")) == NULL) {
		fail(fill->file, "can't be written");
	}
}

static void close_ends(struct fill *fill)
{
	if (fill->kafka != NULL) {
		if (rd_kafka_flush(fill->kafka, FLUSH_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
			fail(fill->topic, "not all was delivered in time");
		}
		rd_kafka_topic_destroy(fill->out);
		rd_kafka_destroy(fill->kafka);
	}
	if (fill->lines != NULL && fclose(fill->lines) != 0) {
		fail(fill->file, "can't be written");
	}
	if (fill->totals != NULL) {
		write_totals(fill);
	}
	sale_law_deinit(&fill->law);
	free(fill->of_rank);
}

static double processor_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct fill fill = {
		.count = 1000000, .users = 200000, .products = 20000, .edges = 50, .partitions = 4};
	const struct bench_option options[] = {
		{"--brokers", &fill.brokers, NULL, "bootstrap addresses"},
		{"--topic", &fill.topic, NULL, "the topic, which exists; none: not into Kafka"},
		{"--file", &fill.file, NULL, "a file to write, a sale a line"},
		{"--totals", &fill.totals, NULL, "a file for the totals: product, count, cents"},
		{"--count", NULL, &fill.count, "sales"},
		{"--users", NULL, &fill.users, "distinct user ids"},
		{"--products", NULL, &fill.products, "products, Zipf 1.0"},
		{"--edges", NULL, &fill.edges, "stores"},
		{"--partitions", NULL, &fill.partitions, "of the topic"},
		{0},
	};
	bench_options_parse(options, argc, argv);
	if (fill.count < 1 || fill.users < 1 || fill.products < 1 || fill.edges < 1 ||
		fill.partitions < 1 || (fill.topic != NULL && fill.brokers == NULL)) {
		fail("arguments", "numbers above 0, and --brokers with --topic, are needed");
	}
	int64_t start_us = clock_monotonic_us();
	open_ends(&fill);
	write_sales(&fill);
	close_ends(&fill);
	double seconds = (double)(clock_monotonic_us() - start_us) / 1e6;
	printf("{\"records\":%" PRId64 ",\"failed\":%" PRId64
	       ",\"bytes_per_record\":%.1f,\"seconds\":%.3f,\"per_second\":%.0f,\"cpu_seconds\":%."
	       "3f}\n",
		fill.count, fill.failed, (double)fill.bytes / (double)fill.count, seconds,
		(double)fill.count / seconds, processor_s());
	return fill.failed == 0 ? 0 : 1;
}
