#include "bridge/sink.h"
#include "runtime/clock.h"
#include "runtime/kafka_options.h"
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(
	sizeof(void *) >= sizeof(uint64_t), "a ticket travels as librdkafka's opaque pointer");

/* An event holds the reports of one Kafka batch, up to some thousand: other work waits for some ms at most. */
enum { EVENTS_PER_SERVE = 16, LEVEL_CRITICAL = 2 /* as in syslog */ };

enum { MAIN, ALONE, PRODUCER_COUNT };

/* What librdkafka's threads see of us. A dropped client may end long after the sink: whoever comes last frees it. */
struct watcher {
	atomic_int users; /* the sink and each client */
	atomic_int_least64_t connected_ms;
	void (*log)(int level, const char *text); /* may be NULL */
};

struct producer {
	rd_kafka_t *client; /* NULL: not made */
	struct watcher *watcher;
	rd_kafka_queue_t *queue;
	rd_kafka_topic_t
		*topics[LANE_COUNT]; /* made at first use: asking for a topic may create it */
};

struct sink {
	struct sink_options options;
	struct producer producers[PRODUCER_COUNT];
	int fd; /* of both queues */
	char cluster_id[CLUSTER_ID_SIZE]; /* expected */
	struct watcher *watcher;
	rd_kafka_resp_err_t error;
};

/* A librdkafka of its own for each. What the guarantees rest on is set after the operator's. */
static const struct kafka_setting main_defaults[] = {
	{"linger.ms", "5"},
	/* Our own bound is the credit; this one only has to be out of its way. */
	{"queue.buffering.max.kbytes", "524288"},
	{"queue.buffering.max.messages", "10000000"},
	{"topic.metadata.refresh.interval.ms", "10000"},
	{"reconnect.backoff.max.ms", "2000"},
	{"socket.keepalive.enable", "true"},
	{"socket.nagle.disable", "true"},
	{NULL, NULL},
};
/* One request under way at a time: a broker that knows nothing of a producer (a new topic, a day of silence) takes any sequence
 * number from it. Were the first batch refused (no leader yet) and the second, under way already, taken, librdkafka would
 * report both as delivered: to it the second proves the first. */
static const struct kafka_setting main_fixed[] = {
	{"enable.idempotence", "true"},
	{"max.in.flight.requests.per.connection", "1"},
	{"acks", "all"},
	{"message.timeout.ms", "0"},
	{NULL, NULL},
};
static const struct kafka_setting alone_fixed[] = {
	{"enable.idempotence", "true"},
	{"max.in.flight.requests.per.connection", "1"},
	{"acks", "all"},
	{"message.timeout.ms", "0"},
	{"batch.num.messages", "1"},
	{"linger.ms", "0"},
	{NULL, NULL},
};

static struct watcher *watcher_new(const struct sink_options *options)
{
	struct watcher *watcher = calloc(1, sizeof *watcher);
	if (watcher != NULL) {
		atomic_init(&watcher->users, 1);
		watcher->log = options->log;
	}
	return watcher;
}

static void watcher_release(struct watcher *watcher)
{
	if (watcher != NULL && atomic_fetch_sub(&watcher->users, 1) == 1) {
		free(watcher);
	}
}

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	const struct watcher *watcher = rd_kafka_opaque(client);
	(void)facility;
	if (watcher != NULL && watcher->log != NULL) {
		watcher->log(level, text);
	}
}

/* What librdkafka does without it, and a note of when. */
static int on_connect(
	int fd, const struct sockaddr *address, int address_size, const char *broker, void *opaque)
{
	struct watcher *watcher = opaque;
	(void)broker;
	atomic_store(&watcher->connected_ms, clock_monotonic_ms());
	int r = connect(fd, address, (socklen_t)address_size);
	return r < 0 && errno != EINPROGRESS ? errno : 0;
}

int64_t sink_connected_ms(const struct sink *sink)
{
	return atomic_load(&sink->watcher->connected_ms);
}

static int producer_open(
	struct producer *producer, struct sink *sink, int which, struct config_error *error)
{
	const struct kafka_options options = {
		.brokers = sink->options.brokers,
		.role = KAFKA_PRODUCER,
		.properties = sink->options.properties,
		.defaults = main_defaults,
		.fixed = which == MAIN ? main_fixed : alone_fixed,
	};
	rd_kafka_conf_t *conf = NULL;
	int r = kafka_options_new(&options, &conf, error);
	if (r < 0) {
		return r;
	}
	rd_kafka_conf_set_opaque(conf, sink->watcher);
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_conf_set_connect_cb(conf, on_connect);
	rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
	r = kafka_client_new(conf, KAFKA_PRODUCER, &producer->client, error);
	if (r < 0) {
		return r;
	}
	producer->watcher = sink->watcher;
	atomic_fetch_add(&sink->watcher->users, 1);
	producer->queue = rd_kafka_queue_get_main(producer->client);
	kafka_queue_watch_by(producer->queue, sink->fd);
	return 0;
}

/* `closing` is a copy of its own of the producer. */
static void *destroy(void *closing)
{
	struct producer *producer = closing;
	rd_kafka_destroy(producer->client);
	watcher_release(producer->watcher);
	free(producer);
	return NULL;
}

/* With a thread for the last step: it waits for librdkafka's own threads, which may hang. */
static void producer_close(struct producer *producer, bool in_background)
{
	pthread_t thread;
	rd_kafka_t *client = producer->client;
	if (client == NULL) {
		return;
	}
	/* It would warn of what is still in its queue; that stays with the edges. */
	rd_kafka_set_log_level(client, LEVEL_CRITICAL);
	kafka_queue_watch_by(producer->queue, -1);
	rd_kafka_queue_destroy(producer->queue);
	rd_kafka_purge(client,
		RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
	for (size_t lane = 0; lane < LANE_COUNT; lane++) {
		if (producer->topics[lane] != NULL) {
			rd_kafka_topic_destroy(producer->topics[lane]);
		}
	}
	struct watcher *watcher = producer->watcher;
	struct producer *closing = in_background ? malloc(sizeof *closing) : NULL;
	if (closing != NULL) {
		*closing = *producer;
	}
	*producer = (struct producer){0};
	if (closing != NULL && pthread_create(&thread, NULL, destroy, closing) == 0) {
		pthread_detach(thread);
		return;
	}
	free(closing);
	rd_kafka_destroy(client);
	watcher_release(watcher);
}

int sink_new(const struct sink_options *options, struct sink **ret_sink, struct config_error *error)
{
	struct sink *sink = calloc(1, sizeof *sink);
	if (sink == NULL) {
		return -ENOMEM;
	}
	sink->options = *options;
	sink->watcher = watcher_new(options);
	sink->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int r = sink->fd < 0 ? -errno : 0;
	if (sink->watcher == NULL) {
		r = -ENOMEM;
	}
	if (r == 0) {
		r = producer_open(&sink->producers[MAIN], sink, MAIN, error);
	}
	if (r < 0) {
		sink_free(sink);
		return r;
	}
	*ret_sink = sink;
	return 0;
}

struct sink *sink_free(struct sink *sink)
{
	if (sink == NULL) {
		return NULL;
	}
	for (int which = 0; which < PRODUCER_COUNT; which++) {
		producer_close(&sink->producers[which], false);
	}
	if (sink->fd >= 0) {
		close(sink->fd);
	}
	watcher_release(sink->watcher);
	free(sink);
	return NULL;
}

int sink_fd(const struct sink *sink)
{
	return sink->fd;
}

const char *sink_error(const struct sink *sink)
{
	return rd_kafka_err2name(sink->error);
}

/* Made at the first use, because asking a broker for a topic may create it. */
static rd_kafka_topic_t *topic_of(struct sink *sink, struct producer *producer, enum kind lane)
{
	if (producer->topics[lane] == NULL) {
		producer->topics[lane] = rd_kafka_topic_new(
			producer->client, sink->options.topics->names[lane], NULL);
	}
	return producer->topics[lane];
}

static rd_kafka_resp_err_t put_plain(rd_kafka_topic_t *topic, const struct sink_record *record)
{
	/* No pointer would be a tombstone. */
	static const uint8_t nothing[1];
	const uint8_t *value = record->value.size == 0 ? nothing : record->value.bytes;
	int r = rd_kafka_produce(topic, record->partition, RD_KAFKA_MSG_F_COPY,
		(void *)(uintptr_t)value, record->value.size, record->key.bytes, record->key.size,
		(void *)(uintptr_t)record->ticket);
	return r == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
}

/* Takes `headers`. */
static rd_kafka_resp_err_t put_with_headers(rd_kafka_t *client, rd_kafka_topic_t *topic,
	const struct sink_record *record, rd_kafka_headers_t *headers)
{
	const rd_kafka_vu_t arguments[] = {
		{.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
		{.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = record->partition},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
		{.vtype = RD_KAFKA_VTYPE_VALUE,
			.u.mem = {(void *)(uintptr_t)record->value.bytes, record->value.size}},
		{.vtype = RD_KAFKA_VTYPE_KEY,
			.u.mem = {(void *)(uintptr_t)record->key.bytes, record->key.size}},
		{.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)record->ticket},
		{.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
	};
	rd_kafka_error_t *error =
		rd_kafka_produceva(client, arguments, sizeof arguments / sizeof arguments[0]);
	if (error == NULL) {
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	}
	rd_kafka_resp_err_t code = rd_kafka_error_code(error);
	rd_kafka_error_destroy(error);
	rd_kafka_headers_destroy(headers);
	return code;
}

/* Takes `headers`, which may be NULL. librdkafka's error becomes ours. */
static int put(
	struct sink *sink, int which, const struct sink_record *record, rd_kafka_headers_t *headers)
{
	struct producer *producer = &sink->producers[which];
	rd_kafka_topic_t *topic = topic_of(sink, producer, record->lane);
	if (topic == NULL) {
		sink->error = rd_kafka_last_error();
		if (headers != NULL) {
			rd_kafka_headers_destroy(headers);
		}
		return SINK_E_REFUSED;
	}
	sink->error = headers == NULL ? put_plain(topic, record)
				      : put_with_headers(producer->client, topic, record, headers);
	switch (sink->error) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return 0;
	case RD_KAFKA_RESP_ERR__QUEUE_FULL:
		return SINK_E_FULL;
	default:
		return SINK_E_REFUSED;
	}
}

static rd_kafka_headers_t *headers_of(const struct sink_record *record)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);
	for (size_t i = 0; i < record->header_count; i++) {
		const struct letter_header *header = &record->headers[i];
		rd_kafka_header_add(headers, header->name, -1, header->value.bytes,
			(ssize_t)header->value.size);
	}
	return headers;
}

int sink_put(struct sink *sink, const struct sink_record *record)
{
	if (sink->producers[MAIN].client == NULL) {
		return SINK_E_DOWN;
	}
	return put(sink, MAIN, record, record->header_count == 0 ? NULL : headers_of(record));
}

int sink_repeat(struct sink *sink, const struct sink_report *report)
{
	struct config_error error;
	struct producer *producer = &sink->producers[ALONE];
	/* What librdkafka shows of a message is not const; its headers are copied, not taken. */
	rd_kafka_message_t *message = (rd_kafka_message_t *)(uintptr_t)report->message;
	rd_kafka_headers_t *headers = NULL;
	if (sink->producers[MAIN].client == NULL ||
		(producer->client == NULL && producer_open(producer, sink, ALONE, &error) < 0)) {
		return SINK_E_DOWN;
	}
	if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		headers = rd_kafka_headers_copy(headers);
	}
	const struct sink_record record = {
		.lane = report->lane,
		.partition = message->partition,
		.key = report->key,
		.value = report->value,
		.ticket = report->ticket,
	};
	return put(sink, ALONE, &record, headers);
}

static enum kind lane_of(const struct producer *producer, const rd_kafka_topic_t *topic)
{
	size_t lane = 0;
	while (lane < LANE_COUNT - 1 && producer->topics[lane] != topic) {
		lane++;
	}
	return (enum kind)lane;
}

void sink_expect_cluster(struct sink *sink, const char *cluster_id)
{
	snprintf(sink->cluster_id, sizeof sink->cluster_id, "%s", cluster_id);
}

/* What the producer knows already: it does not wait. */
static bool is_expected_cluster(const struct sink *sink, int which)
{
	rd_kafka_t *client = sink->producers[which].client;
	char *cluster_id = sink->cluster_id[0] == '\0' ? NULL : rd_kafka_clusterid(client, 0);
	if (cluster_id == NULL) {
		return true;
	}
	bool is_same = strcmp(cluster_id, sink->cluster_id) == 0;
	rd_kafka_mem_free(client, cluster_id);
	return is_same;
}

static const char *error_of(const rd_kafka_message_t *message, bool is_ours)
{
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		return rd_kafka_err2name(message->err);
	}
	return is_ours ? NULL : SINK_ERROR_CLUSTER;
}

static void report(struct sink *sink, int which, const rd_kafka_message_t *message, bool is_ours)
{
	const struct sink_report told = {
		.lane = lane_of(&sink->producers[which], message->rkt),
		.ticket = (uint64_t)(uintptr_t)message->_private,
		.error = error_of(message, is_ours),
		.was_alone = which == ALONE,
		.key = slice_of(message->key, message->key_len),
		.value = slice_of(message->payload, message->len),
		.message = message,
	};
	sink->options.listener.reported(sink->options.listener.owner, &told);
}

/* The event of a fatal error bears the error that led to it, so the client is asked. */
static void tell_error(struct sink *sink, int which, rd_kafka_event_t *event)
{
	char words[256];
	const struct sink_listener *listener = &sink->options.listener;
	rd_kafka_resp_err_t error = rd_kafka_event_error(event);
	rd_kafka_resp_err_t fatal =
		rd_kafka_fatal_error(sink->producers[which].client, words, sizeof words);
	if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
		listener->failed(listener->owner, rd_kafka_err2name(fatal), words);
		return;
	}
	switch (error) {
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR__SSL:
		listener->disconnected(listener->owner, rd_kafka_err2name(error),
			rd_kafka_event_error_string(event));
		break;
	default:
		break; /* single brokers come and go; librdkafka's log tells */
	}
}

static void serve_event(struct sink *sink, int which, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *message;
	bool is_ours = is_expected_cluster(sink, which);
	switch (rd_kafka_event_type(event)) {
	case RD_KAFKA_EVENT_DR:
		while ((message = rd_kafka_event_message_next(event)) != NULL) {
			report(sink, which, message, is_ours);
		}
		break;
	case RD_KAFKA_EVENT_ERROR:
		tell_error(sink, which, event);
		break;
	default:
		break;
	}
}

/* true when there may be more. */
static bool serve_producer(struct sink *sink, int which)
{
	const struct producer *producer = &sink->producers[which];
	int served_count = 0;
	rd_kafka_event_t *event;
	while (producer->client != NULL && served_count < EVENTS_PER_SERVE &&
		(event = rd_kafka_queue_poll(producer->queue, 0)) != NULL) {
		serve_event(sink, which, event);
		rd_kafka_event_destroy(event);
		served_count++;
	}
	return served_count == EVENTS_PER_SERVE;
}

/* Each has its own measure: records that are sent alone must not wait until the main one is idle. */
bool sink_serve(struct sink *sink)
{
	bool has_more = false;
	kafka_queue_clear(sink->fd);
	for (int which = 0; which < PRODUCER_COUNT; which++) {
		has_more = serve_producer(sink, which) || has_more;
	}
	return has_more;
}

void sink_drop(struct sink *sink)
{
	for (int which = 0; which < PRODUCER_COUNT; which++) {
		producer_close(&sink->producers[which], true);
	}
}

int sink_rebuild(struct sink *sink, struct config_error *error)
{
	sink_drop(sink);
	return producer_open(&sink->producers[MAIN], sink, MAIN, error);
}
