/* The reader's half of a source: librdkafka's simple consumer. It has no group, so there is nothing that could
 * rebalance, commit or reset; every partition's records come through one queue, which tells the loop by an eventfd. */
#include "aggregator/log/source_kafka.h"
#include "proto/receipt.h"
#include "runtime/kafka_options.h"
#include "runtime/thread.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const struct kafka_setting defaults[] = {
	{"client.id", "till-aggregator"},
	{"fetch.error.backoff.ms", "50"},
	{"reconnect.backoff.ms", "50"},
	{"reconnect.backoff.max.ms", "1000"},
	{"socket.keepalive.enable", "true"},
	{"topic.metadata.refresh.interval.ms", "30000"},
	/* What lies ready in memory when the loop is slower than Kafka. Once a bound is met librdkafka 2.0 asks again
	 * only up to a second later, so what is queued must last longer: 128 MiB do; the count never binds. */
	{"queued.min.messages", "10000000"},
	{"queued.max.messages.kbytes", "131072"},
	{NULL, NULL},
};

static const struct kafka_setting fixed[] = {
	/* A partition that is started while a fetch waits for data is first read by the next fetch; and librdkafka asks nobody
	 * for metadata of whom it may have to wait for a second, so that lookout.h would never see where he is. */
	{"fetch.wait.max.ms", "100"},
	/* What lookout.h knows a new connection by, and what it hears of another cluster. */
	{"api.version.request", "true"},
	{"log_level", "6"},
	{"enable.auto.commit", "false"},
	{"auto.commit.enable", "false"},
	{"enable.auto.offset.store", "false"},
	{"auto.offset.reset", "error"},
	{"check.crcs", "true"},
	{"enable.partition.eof", "true"},
	{"allow.auto.create.topics", "false"},
	{NULL, NULL},
};

struct log_report *log_report_free(struct log_report *report)
{
	if (report != NULL) {
		for (size_t topic = 0; topic < TOPICS_MAX; topic++) {
			free(report->partitions[topic]);
		}
		free(report);
	}
	return NULL;
}

/* Called by rd_kafka_poll, which the prober's thread calls. */
static void note_error(rd_kafka_t *client, int code, const char *reason, void *opaque)
{
	struct source *source = opaque;
	(void)client, (void)reason; /* the log has it in better words */
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		source_ask(source);
	}
}

/* Called from any thread of librdkafka's. Nothing is written: what matters comes in a report. */
static void hear_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	struct source *source = rd_kafka_opaque(client);
	(void)level;
	if (source != NULL) {
		lookout_hear_log(source->lookout, facility);
		kafka_trouble_hear_now(&source->trouble, facility, text);
	}
}

static void wake(void *owner)
{
	source_wake(owner);
}

static int new_client(
	const struct source_options *options, struct source *source, struct config_error *error)
{
	const struct kafka_options kafka = {
		.brokers = options->brokers,
		.role = KAFKA_CONSUMER,
		.properties = options->properties,
		.defaults = defaults,
		.fixed = fixed,
	};
	rd_kafka_conf_t *conf = NULL;
	int r = kafka_options_new(&kafka, &conf, error);
	if (r < 0) {
		return r;
	}
	rd_kafka_conf_set_opaque(conf, source);
	rd_kafka_conf_set_error_cb(conf, note_error);
	rd_kafka_conf_set_log_cb(conf, hear_log);
	r = lookout_new(conf, &(struct lookout_options){wake, source}, &source->lookout);
	if (r < 0) {
		rd_kafka_conf_destroy(conf);
		return r;
	}
	return kafka_client_new(conf, KAFKA_CONSUMER, &source->client, error);
}

static int new_topics(const struct source_options *options, struct source *source)
{
	for (uint32_t number = 0; number < options->topics.count; number++) {
		struct source_topic *topic = &source->topics[number];
		rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(source->client);
		topic->source = source;
		topic->number = number;
		rd_kafka_topic_conf_set_opaque(conf, topic);
		topic->handle =
			rd_kafka_topic_new(source->client, options->topics.names[number], conf);
		if (topic->handle == NULL) {
			rd_kafka_topic_conf_destroy(conf);
			return -EINVAL;
		}
		source->topic_count = number + 1;
	}
	return 0;
}

/* Of a source whose thread never ran; otherwise the thread does the like. */
static void take_down(struct source *source)
{
	lookout_stop(source->lookout);
	for (uint32_t topic = 0; topic < source->topic_count; topic++) {
		rd_kafka_topic_destroy(source->topics[topic].handle);
	}
	if (source->queue != NULL) {
		rd_kafka_queue_destroy(source->queue);
	}
	if (source->client != NULL) {
		rd_kafka_destroy(source->client);
	}
	if (source->fd >= 0) {
		close(source->fd);
	}
	lookout_free(source->lookout);
	pthread_mutex_destroy(&source->lock);
	kafka_trouble_deinit(&source->trouble);
	free(source);
}

int source_new(const struct source_options *options, struct source **ret_source,
	struct config_error *error)
{
	struct source *source = calloc(1, sizeof *source);
	if (source == NULL) {
		return -ENOMEM;
	}
	source->fd = -1;
	kafka_trouble_init_here(&source->trouble);
	pthread_mutex_init(&source->lock, NULL);
	int r = new_client(options, source, error);
	if (r == 0) {
		r = new_topics(options, source);
	}
	if (r == 0) {
		source->queue = rd_kafka_queue_new(source->client);
		r = kafka_queue_watch(source->queue, &source->fd);
	}
	if (r == 0) {
		r = lookout_start(source->lookout, source->client);
	}
	if (r == 0) {
		r = -pthread_create(&source->prober, NULL, source_probe, source);
	}
	if (r < 0) {
		take_down(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

struct source *source_free(struct source *source, int64_t wait_ms)
{
	if (source == NULL) {
		return NULL;
	}
	pthread_t prober = source->prober;
	pthread_mutex_lock(&source->lock);
	source->is_ending = true;
	pthread_mutex_unlock(&source->lock);

	/* From here on the source is the thread's. */
	thread_leave(prober, wait_ms);
	return NULL;
}

int source_fd(const struct source *source)
{
	return source->fd;
}

void source_clear(struct source *source)
{
	kafka_queue_clear(source->fd);
}

void source_wake(struct source *source)
{
	static const uint64_t one = 1;
	ssize_t ignored = write(source->fd, &one, sizeof one);
	(void)ignored; /* full means readable already */
}

struct log_report *source_report(struct source *source)
{
	pthread_mutex_lock(&source->lock);
	struct log_report *report = source->report;
	source->report = NULL;
	pthread_mutex_unlock(&source->lock);
	return report;
}

int source_question(struct source *source, uint32_t topic, int32_t partition, uint32_t number,
	const int64_t after_ms[PROOF_TIMES])
{
	int r = 0;
	pthread_mutex_lock(&source->lock);
	int32_t count = source->question_counts[topic];
	struct source_question *questions = source->questions[topic];
	if (partition >= count) {
		questions = realloc(questions, ((size_t)partition + 1) * sizeof *questions);
		r = questions == NULL ? -ENOMEM : 0;
	}
	if (r == 0) {
		for (int32_t i = count; i <= partition; i++) {
			questions[i] = (struct source_question){0};
		}
		questions[partition] = (struct source_question){number, {after_ms[0], after_ms[1]}};
		source->questions[topic] = questions;
		source->question_counts[topic] = partition >= count ? partition + 1 : count;
	}
	pthread_mutex_unlock(&source->lock);
	return r;
}

void source_ask(struct source *source)
{
	pthread_mutex_lock(&source->lock);
	source->is_asked = true;
	pthread_mutex_unlock(&source->lock);
}

static void read_headers(const rd_kafka_message_t *message, struct record *record)
{
	rd_kafka_headers_t *headers = NULL;
	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		return;
	}
	for (int header = 0; header < DLQ_HEADER_COUNT; header++) {
		const void *value = NULL;
		size_t size = 0;
		const char *name = dead_letter_header_name((enum dead_letter_header)header);
		if (rd_kafka_header_get_last(headers, name, &value, &size) ==
			RD_KAFKA_RESP_ERR_NO_ERROR) {
			record->headers[header] = slice_of(value, size);
		}
	}
}

/* librdkafka parses, on memory of its own each time, to see that there is no header. While records come faster than they are
 * read, one of eight is looked at, drawn so that no rhythm of batches fits it: latencies are of a sample then. */
static bool is_looked_at(struct source *source)
{
	if (source->full_polls < BUSY_POLLS) {
		return true;
	}
	source->draw = source->draw * UINT32_C(1664525) + UINT32_C(1013904223);
	return source->draw >> 29 == 0;
}

static void read_receipt(const rd_kafka_message_t *message, struct record *record)
{
	rd_kafka_headers_t *headers = NULL;
	const void *value = NULL;
	size_t size = 0;

	if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
		rd_kafka_header_get_last(headers, RECEIPT_HEADER, &value, &size) ==
			RD_KAFKA_RESP_ERR_NO_ERROR) {
		record->receipt = slice_of(value, size);
	}
}

static int take_record(const rd_kafka_message_t *message, const struct source_topic *from,
	const struct source_sink *sink)
{
	rd_kafka_timestamp_type_t type;
	uint32_t topic = from->number;
	struct record record = {
		.topic = topic,
		.partition = message->partition,
		.offset = message->offset,
		.timestamp_ms = rd_kafka_message_timestamp(message, &type),
		.key = slice_of(message->key, message->key_len),
		.value = slice_of(message->payload, message->len),
	};
	if (topic < KIND_COUNT && kind_is_dead_letter((enum kind)topic)) {
		read_headers(message, &record);
	} else if (topic < KIND_COUNT && is_looked_at(from->source)) {
		read_receipt(message, &record);
	}
	return sink->record(sink->owner, &record);
}

/* Is it an error after which the partition is no longer read? Others pass by themselves. */
static bool is_final(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		return true;
	default:
		return false;
	}
}

static int take_message(const rd_kafka_message_t *message, const struct source_sink *sink)
{
	if (message->rkt == NULL) {
		return 0; /* an error of the client as a whole: error_cb and the reports tell */
	}
	const struct source_topic *topic = rd_kafka_topic_opaque(message->rkt);
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		return take_record(message, topic, sink);
	}
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		return sink->end(sink->owner, topic->number, message->partition, message->offset);
	}
	return is_final(message->err) ? sink->stopped(sink->owner, topic->number,
						message->partition, rd_kafka_err2str(message->err))
				      : 0;
}

void source_drop_held(struct source *source)
{
	for (size_t i = 0; i < source->held_count; i++) {
		rd_kafka_message_destroy(source->held[i]);
	}
	source->held_count = 0;
}

/* What is taken is held before anybody asks whether it is in doubt: what comes later comes under a later answer. */
static void hold(struct source *source, size_t wanted)
{
	if (source->held_count == 0) {
		ssize_t count =
			rd_kafka_consume_batch_queue(source->queue, 0, source->held, wanted);
		source->held_count = count < 0 ? 0 : (size_t)count;
	}
}

int source_poll(struct source *source, const struct source_sink *sink, size_t records_max,
	bool *ret_is_drained)
{
	size_t wanted = records_max < BATCH_MAX ? records_max : BATCH_MAX;
	int r = 0;

	hold(source, wanted);
	if (lookout_is_in_doubt(source->lookout)) {
		*ret_is_drained = true; /* for now: whoever ends the doubt wakes the loop */
		return 0;
	}
	*ret_is_drained = source->held_count < wanted;
	for (size_t i = 0; r == 0 && i < source->held_count; i++) {
		r = take_message(source->held[i], sink);
	}
	source->full_polls = *ret_is_drained ? 0 : source->full_polls + 1;
	source_drop_held(source);
	return r;
}

bool source_is_spent(const struct source *source)
{
	return lookout_is_spent(source->lookout);
}

/* Remembers what was started, for the end. */
static int note_started(struct source_topic *topic, int32_t partition)
{
	if (partition >= topic->started_count) {
		bool *grown = realloc(topic->started, ((size_t)partition + 1) * sizeof *grown);
		if (grown == NULL) {
			return -ENOMEM;
		}
		for (int32_t i = topic->started_count; i <= partition; i++) {
			grown[i] = false;
		}
		topic->started = grown;
		topic->started_count = partition + 1;
	}
	topic->started[partition] = true;
	return 0;
}

int source_start(struct source *source, uint32_t topic, int32_t partition, int64_t offset)
{
	struct source_topic *started = &source->topics[topic];
	int r = note_started(started, partition);
	if (r < 0) {
		return r;
	}
	return rd_kafka_consume_start_queue(started->handle, partition, offset, source->queue) == 0
		       ? 0
		       : -EIO;
}

int64_t source_high(struct source *source, uint32_t topic, int32_t partition)
{
	int64_t low = -1, high = -1;
	const char *name = rd_kafka_topic_name(source->topics[topic].handle);
	return rd_kafka_get_watermark_offsets(source->client, name, partition, &low, &high) ==
				       RD_KAFKA_RESP_ERR_NO_ERROR &&
			       high >= 0 && !lookout_is_in_doubt(source->lookout)
		       ? high
		       : -1;
}
