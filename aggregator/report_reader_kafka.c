#include "aggregator/report_reader.h"
#include "runtime/kafka_options.h"
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	PARTITION = 0, /* the bridge makes one */
	RECORDS_A_POLL = 500, /* some 2 ms */
	CLEAN_END_S = 2,
};

struct report_reader {
	struct report_reader_options options;
	rd_kafka_t *client;
	rd_kafka_queue_t *queue;
	int fd;
};

static const struct kafka_setting defaults[] = {
	{"client.id", "till-aggregator"},
	{"fetch.wait.max.ms", "500"},
	{"fetch.error.backoff.ms", "500"},
	{"queued.max.messages.kbytes", "4096"},
	{"queued.min.messages", "1000"},
	{"topic.metadata.refresh.interval.ms", "5000"},
	{NULL, NULL},
};

static const struct kafka_setting fixed[] = {
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"auto.offset.reset", "earliest"}, /* a compacted topic: what is gone was said again */
	{"allow.auto.create.topics", "false"},
	{"check.crcs", "true"},
	{"group.id", "till-reads-without-a-group"},
	{NULL, NULL},
};

/* Called from any thread of librdkafka's. The reader of the log says what a person must mend. */
static void ignore_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	(void)client, (void)level, (void)facility, (void)text;
}

static int open_client(struct report_reader *reader, struct config_error *error)
{
	const struct kafka_options kafka = {
		.brokers = reader->options.brokers,
		.role = KAFKA_CONSUMER,
		.properties = reader->options.properties,
		.defaults = defaults,
		.fixed = fixed,
	};
	rd_kafka_conf_t *conf = NULL;
	int r = kafka_options_new(&kafka, &conf, error);
	if (r < 0) {
		return r;
	}
	rd_kafka_conf_set_log_cb(conf, ignore_log);
	r = kafka_client_new(conf, KAFKA_CONSUMER, &reader->client, error);
	if (r < 0) {
		return r;
	}
	rd_kafka_poll_set_consumer(reader->client);
	reader->queue = rd_kafka_queue_get_consumer(reader->client);
	return kafka_queue_watch(reader->queue, &reader->fd);
}

static int begin(struct report_reader *reader, struct config_error *error)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, reader->options.topic, PARTITION)->offset =
		RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_resp_err_t code = rd_kafka_assign(reader->client, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR
		       ? 0
		       : config_fail(error, "topic %s: %s", reader->options.topic,
				 rd_kafka_err2str(code));
}

int report_reader_new(const struct report_reader_options *options,
	struct report_reader **ret_reader, struct config_error *error)
{
	struct report_reader *reader = calloc(1, sizeof *reader);
	if (reader == NULL) {
		return -ENOMEM;
	}
	reader->options = *options;
	reader->fd = -1;
	int r = open_client(reader, error);
	if (r == 0) {
		r = begin(reader, error);
	}
	if (r < 0) {
		report_reader_free(reader);
		return r;
	}
	*ret_reader = reader;
	return 0;
}

static void *take_down(void *client)
{
	rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	return NULL;
}

/* That may hang, and the program is to end: after a moment the client is left to the thread. */
static void leave(rd_kafka_t *client)
{
	struct timespec until;
	pthread_t thread;

	if (pthread_create(&thread, NULL, take_down, client) != 0) {
		return;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CLEAN_END_S;
	if (pthread_timedjoin_np(thread, NULL, &until) != 0) {
		pthread_detach(thread);
	}
}

struct report_reader *report_reader_free(struct report_reader *reader)
{
	if (reader == NULL) {
		return NULL;
	}
	if (reader->queue != NULL) {
		kafka_queue_watch_by(reader->queue, -1);
		rd_kafka_queue_destroy(reader->queue);
	}
	if (reader->client != NULL) {
		leave(reader->client);
	}
	if (reader->fd >= 0) {
		close(reader->fd);
	}
	free(reader);
	return NULL;
}

int report_reader_fd(const struct report_reader *reader)
{
	return reader->fd;
}

int report_reader_poll(struct report_reader *reader, bool *ret_has_more)
{
	int r = 0;

	kafka_queue_clear(reader->fd);
	for (int i = 0; r == 0 && i < RECORDS_A_POLL; i++) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->client, 0);
		if (message == NULL) {
			*ret_has_more = false;
			return 0;
		}
		if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
			r = reader->options.take(reader->options.owner,
				slice_of(message->key, message->key_len),
				slice_of(message->payload, message->len),
				rd_kafka_message_timestamp(message, NULL));
		}
		rd_kafka_message_destroy(message);
	}
	*ret_has_more = true;
	return r;
}
