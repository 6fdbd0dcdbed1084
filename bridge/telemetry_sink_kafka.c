#include "bridge/telemetry_sink.h"
#include "runtime/kafka_options.h"
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>

enum {
	/* The one partition: reports are few, and whoever wants them wants all. */
	PARTITION = 0,
	LAST_WORDS_MS = 500, /* of edges that stopped with us */
};

struct telemetry_sink {
	struct telemetry_sink_options options;
	rd_kafka_t *client;
	rd_kafka_topic_t *topic; /* made at first use: asking for a topic may create it */
	struct telemetry_sink_counts counts;
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
	const struct kafka_options kafka = {
		.brokers = sink->options.brokers,
		.role = KAFKA_PRODUCER,
		.properties = sink->options.properties,
		.fixed = fixed,
	};
	rd_kafka_conf_t *conf = NULL;
	int r = kafka_options_new(&kafka, &conf, error);
	if (r < 0) {
		return r;
	}
	rd_kafka_conf_set_opaque(conf, sink);
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_conf_set_dr_msg_cb(conf, on_reported);
	return kafka_client_new(conf, KAFKA_PRODUCER, &sink->client, error);
}

int telemetry_sink_new(const struct telemetry_sink_options *options,
	struct telemetry_sink **ret_herald, struct config_error *error)
{
	struct telemetry_sink *sink = calloc(1, sizeof *sink);
	if (sink == NULL) {
		return -ENOMEM;
	}
	sink->options = *options;
	int r = open_client(sink, error);
	if (r < 0) {
		telemetry_sink_free(sink);
		return r;
	}
	*ret_herald = sink;
	return 0;
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
	if (sink->topic != NULL) {
		rd_kafka_topic_destroy(sink->topic);
	}
	if (sink->client != NULL) {
		rd_kafka_destroy(sink->client);
	}
	free(sink);
	return NULL;
}

static bool produce(
	struct telemetry_sink *sink, const struct telemetry *telemetry, struct slice report)
{
	char key[TELEMETRY_KEY_SIZE_MAX];
	size_t key_size = telemetry_key(telemetry->edge, telemetry->run, key);

	if (sink->topic == NULL) {
		sink->topic = rd_kafka_topic_new(sink->client, sink->options.topic, NULL);
	}
	return sink->topic != NULL &&
	       rd_kafka_produce(sink->topic, PARTITION, RD_KAFKA_MSG_F_COPY,
		       (void *)(uintptr_t)report.bytes, report.size, key, key_size, NULL) == 0;
}

bool telemetry_sink_put(
	struct telemetry_sink *sink, const struct telemetry *telemetry, struct slice report)
{
	bool is_told = produce(sink, telemetry, report);
	sink->counts.failed += !is_told;
	return is_told;
}

void telemetry_sink_serve(struct telemetry_sink *sink)
{
	rd_kafka_poll(sink->client, 0);
}

struct telemetry_sink_counts telemetry_sink_counts(const struct telemetry_sink *sink)
{
	return sink->counts;
}
