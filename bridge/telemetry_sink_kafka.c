#include "bridge/telemetry_sink.h"
#include "runtime/kafka_options.h"
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdlib.h>

enum {
	/* The one partition: reports are few, and whoever wants them wants all. */
	PARTITION = 0,
	LAST_WORDS_MS = 500, /* of edges that stopped with us */
	LEVEL_EMERGENCY = 0,
};

struct telemetry_sink {
	struct telemetry_sink_options options;
	rd_kafka_conf_t *conf; /* of each client */
	rd_kafka_t *client; /* NULL: none could be made after the last one failed */
	rd_kafka_topic_t *topic; /* made at first use: asking for a topic may create it */
	struct telemetry_sink_counts counts;
	/* Ends the client that failed: it waits for librdkafka's own threads. */
	pthread_t closer;
	bool is_closing;
};

/* What is old is worth nothing: the next report says more. */
static const struct kafka_setting fixed[] = {
	{"enable.idempotence", "true"},
	{"max.in.flight.requests.per.connection", "1"},
	{"acks", "all"},
	{"message.timeout.ms", "60000"},
	{"queue.buffering.max.messages", "20000"},
	{"queue.buffering.max.kbytes", "16384"},
	{"linger.ms", "20"},
	{"topic.metadata.refresh.interval.ms", "10000"},
	{NULL, NULL},
};

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	struct telemetry_sink *sink = rd_kafka_opaque(client);
	(void)level, (void)facility;
	if (sink != NULL && sink->options.log != NULL) {
		sink->options.log(7, text); /* the sink's client says what a person must mend */
	}
}

/* Called by rd_kafka_poll. */
static void on_reported(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	struct telemetry_sink *sink = opaque;
	(void)client;
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		sink->counts.delivered++;
	} else {
		sink->counts.failed++;
	}
}

static int open_client(struct telemetry_sink *sink, struct config_error *error)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_dup(sink->conf);

	return conf == NULL ? -ENOMEM
			    : kafka_client_new(conf, KAFKA_PRODUCER, &sink->client, error);
}

static int configure(struct telemetry_sink *sink, struct config_error *error)
{
	const struct kafka_options kafka = {
		.brokers = sink->options.brokers,
		.role = KAFKA_PRODUCER,
		.properties = sink->options.properties,
		.fixed = fixed,
	};
	int r = kafka_options_new(&kafka, &sink->conf, error);
	if (r < 0) {
		return r;
	}
	rd_kafka_conf_set_opaque(sink->conf, sink);
	rd_kafka_conf_set_log_cb(sink->conf, on_log);
	rd_kafka_conf_set_dr_msg_cb(sink->conf, on_reported);
	return open_client(sink, error);
}

int telemetry_sink_new(const struct telemetry_sink_options *options,
	struct telemetry_sink **ret_herald, struct config_error *error)
{
	struct telemetry_sink *sink = calloc(1, sizeof *sink);
	if (sink == NULL) {
		return -ENOMEM;
	}
	sink->options = *options;
	int r = configure(sink, error);
	if (r < 0) {
		telemetry_sink_free(sink);
		return r;
	}
	*ret_herald = sink;
	return 0;
}

static void drop_topic(struct telemetry_sink *sink)
{
	if (sink->topic != NULL) {
		rd_kafka_topic_destroy(sink->topic);
		sink->topic = NULL;
	}
}

struct telemetry_sink *telemetry_sink_free(struct telemetry_sink *sink)
{
	if (sink == NULL) {
		return NULL;
	}
	if (sink->client != NULL) {
		rd_kafka_flush(sink->client, LAST_WORDS_MS);
		rd_kafka_purge(sink->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	}
	drop_topic(sink);
	if (sink->client != NULL) {
		rd_kafka_destroy(sink->client);
	}
	if (sink->is_closing) {
		pthread_join(sink->closer, NULL);
	}
	if (sink->conf != NULL) {
		rd_kafka_conf_destroy(sink->conf);
	}
	free(sink);
	return NULL;
}

static void *destroy(void *client)
{
	rd_kafka_destroy(client);
	return NULL;
}

/* What it had under way the next reports say again. */
static void close_client(struct telemetry_sink *sink)
{
	rd_kafka_t *client = sink->client;

	drop_topic(sink);
	rd_kafka_set_log_level(client, LEVEL_EMERGENCY); /* it would warn of what is in its queue */
	rd_kafka_purge(client,
		RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
	rd_kafka_poll(client, 0);
	sink->client = NULL;
	sink->is_closing = pthread_create(&sink->closer, NULL, destroy, client) == 0;
	if (!sink->is_closing) {
		rd_kafka_destroy(client);
	}
}

/* A producer that met a fatal error takes nothing any more, and only another one does. */
static void replace_failed(struct telemetry_sink *sink)
{
	struct config_error error = {0};

	if (sink->is_closing) {
		sink->is_closing = pthread_tryjoin_np(sink->closer, NULL) != 0;
	}
	if (sink->client != NULL && !sink->is_closing &&
		rd_kafka_fatal_error(sink->client, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		close_client(sink);
	}
	if (sink->client == NULL) {
		(void)open_client(sink, &error); /* else the next time */
	}
}

static bool produce(struct telemetry_sink *sink, struct slice key, struct slice report)
{
	if (sink->topic == NULL && sink->client != NULL) {
		sink->topic = rd_kafka_topic_new(sink->client, sink->options.topic, NULL);
	}
	return sink->topic != NULL && rd_kafka_produce(sink->topic, PARTITION, RD_KAFKA_MSG_F_COPY,
					      (void *)(uintptr_t)report.bytes, report.size,
					      key.bytes, key.size, NULL) == 0;
}

bool telemetry_sink_put(struct telemetry_sink *sink, struct slice key, struct slice report)
{
	bool is_told = produce(sink, key, report);
	sink->counts.failed += !is_told;
	return is_told;
}

void telemetry_sink_serve(struct telemetry_sink *sink)
{
	replace_failed(sink);
	if (sink->client != NULL) {
		rd_kafka_poll(sink->client, 0);
	}
}

struct telemetry_sink_counts telemetry_sink_counts(const struct telemetry_sink *sink)
{
	return sink->counts;
}
