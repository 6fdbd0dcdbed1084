#include "aggregator/log/lookout.h"
#include "aggregator/report_reader.h"
#include "runtime/clock.h"
#include "runtime/kafka_options.h"
#include "runtime/thread.h"
#include <errno.h>
#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	PARTITION = 0, /* the bridge makes one */
	RECORDS_A_POLL = 500, /* some 2 ms */
	CLEAN_END_MS = 2000,
	ANEW_EVERY_MS = 1000,
};

/* A client with all that its threads touch: they may outlive the reader. */
struct session {
	rd_kafka_t *client;
	rd_kafka_queue_t *queue;
	struct lookout *lookout;
	int fd; /* the reader's, doubled */
};

struct report_reader {
	struct report_reader_options options;
	struct session *session; /* NULL: to be opened anew */
	rd_kafka_message_t *held; /* it was in doubt which cluster it is of */
	int64_t next; /* what was taken lies below */
	int64_t opened_ms;
	int fd;
};

static const struct kafka_setting defaults[] = {
	{"client.id", "till-aggregator"},
	{"fetch.error.backoff.ms", "500"},
	{"queued.max.messages.kbytes", "4096"},
	{"queued.min.messages", "1000"},
	{"topic.metadata.refresh.interval.ms", "5000"},
	{NULL, NULL},
};

static const struct kafka_setting fixed[] = {
	{"fetch.wait.max.ms", "500"}, /* these as in source_kafka.c */
	{"api.version.request", "true"},
	{"log_level", "6"},
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"auto.offset.reset", "earliest"}, /* a compacted topic: what is gone was said again */
	{"allow.auto.create.topics", "false"},
	{"check.crcs", "true"},
	{"group.id", "till-reads-without-a-group"},
	{NULL, NULL},
};

/* Called from any thread of librdkafka's. The reader of the log says what a person must mend. */
static void hear_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	const struct session *session = rd_kafka_opaque(client);

	(void)level, (void)text;
	if (session != NULL) {
		lookout_hear_log(session->lookout, facility);
	}
}

static void wake(void *owner)
{
	static const uint64_t one = 1;
	const struct session *session = owner;
	ssize_t ignored = write(session->fd, &one, sizeof one);

	(void)ignored; /* full means readable already */
}

/* ---- a session */

static void *take_down(void *owner)
{
	struct session *session = owner;

	lookout_stop(session->lookout);
	if (session->client != NULL) {
		rd_kafka_destroy_flags(session->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	}
	lookout_free(session->lookout);
	if (session->fd >= 0) {
		close(session->fd);
	}
	free(session);
	return NULL;
}

/* That may hang: after a moment it is left to the thread. */
static struct session *leave(struct session *session, int64_t wait_ms)
{
	pthread_t thread;

	if (session->queue != NULL) {
		kafka_queue_watch_by(session->queue, -1);
		rd_kafka_queue_destroy(session->queue);
	}
	if (pthread_create(&thread, NULL, take_down, session) != 0) {
		return NULL;
	}
	thread_leave(thread, wait_ms);
	return NULL;
}

static int open_client(
	const struct report_reader *reader, struct session *session, struct config_error *error)
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
	rd_kafka_conf_set_opaque(conf, session);
	rd_kafka_conf_set_log_cb(conf, hear_log);
	r = lookout_new(conf, &(struct lookout_options){wake, session}, &session->lookout);
	if (r < 0) {
		rd_kafka_conf_destroy(conf);
		return r;
	}
	r = kafka_client_new(conf, KAFKA_CONSUMER, &session->client, error);
	return r < 0 ? r : lookout_start(session->lookout, session->client);
}

/* Goes on where the last one was. */
static int begin(const struct report_reader *reader, const struct session *session,
	struct config_error *error)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, reader->options.topic, PARTITION)->offset =
		reader->next == 0 ? RD_KAFKA_OFFSET_BEGINNING : reader->next;
	rd_kafka_resp_err_t code = rd_kafka_assign(session->client, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR
		       ? 0
		       : config_fail(error, "topic %s: %s", reader->options.topic,
				 rd_kafka_err2str(code));
}

static int open_session(struct report_reader *reader, struct config_error *error)
{
	struct session *session = calloc(1, sizeof *session);
	if (session == NULL) {
		return -ENOMEM;
	}
	reader->opened_ms = clock_monotonic_ms();
	session->fd = fcntl(reader->fd, F_DUPFD_CLOEXEC, 0);
	int r = session->fd < 0 ? -errno : open_client(reader, session, error);
	if (r == 0) {
		rd_kafka_poll_set_consumer(session->client);
		session->queue = rd_kafka_queue_get_consumer(session->client);
		kafka_queue_watch_by(session->queue, session->fd);
		r = begin(reader, session, error);
	}
	reader->session = r < 0 ? leave(session, CLEAN_END_MS) : session;
	return r;
}

/* ---- the reader */

int report_reader_new(const struct report_reader_options *options,
	struct report_reader **ret_reader, struct config_error *error)
{
	struct report_reader *reader = calloc(1, sizeof *reader);
	if (reader == NULL) {
		return -ENOMEM;
	}
	reader->options = *options;
	reader->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int r = reader->fd < 0 ? -errno : open_session(reader, error);
	if (r < 0) {
		report_reader_free(reader);
		return r;
	}
	*ret_reader = reader;
	return 0;
}

static void close_session(struct report_reader *reader, int64_t wait_ms)
{
	if (reader->held != NULL) {
		rd_kafka_message_destroy(reader->held);
		reader->held = NULL;
	}
	if (reader->session != NULL) {
		reader->session = leave(reader->session, wait_ms);
	}
}

struct report_reader *report_reader_free(struct report_reader *reader)
{
	if (reader == NULL) {
		return NULL;
	}
	close_session(reader, CLEAN_END_MS);
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

/* Is there a session that can be used? One that is spent gives way to another. */
static bool has_session(struct report_reader *reader)
{
	struct config_error error = {0};

	if (reader->session != NULL && !lookout_is_spent(reader->session->lookout)) {
		return true;
	}
	if (clock_monotonic_ms() - reader->opened_ms < ANEW_EVERY_MS) {
		return false;
	}
	close_session(reader, 0);
	return open_session(reader, &error) == 0;
}

static bool is_at(const struct report_reader *reader, const char *cluster_id)
{
	rd_kafka_t *client = reader->session->client;
	char *there = rd_kafka_clusterid(client, 0);
	bool is_same = there != NULL && strcmp(there, cluster_id) == 0;

	if (there != NULL) {
		rd_kafka_mem_free(client, there);
	}
	return is_same;
}

static int take_held(struct report_reader *reader)
{
	rd_kafka_message_t *message = reader->held;
	int r = 0;

	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		reader->next = message->offset + 1;
		r = reader->options.take(reader->options.owner,
			slice_of(message->key, message->key_len),
			slice_of(message->payload, message->len),
			rd_kafka_message_timestamp(message, NULL));
	}
	rd_kafka_message_destroy(message);
	reader->held = NULL;
	return r;
}

int report_reader_poll(struct report_reader *reader, const char *cluster_id, bool *ret_has_more)
{
	int r = 0;

	kafka_queue_clear(reader->fd);
	*ret_has_more = false;
	if (!has_session(reader)) {
		return 0;
	}
	for (int i = 0; r == 0 && i < RECORDS_A_POLL; i++) {
		if (reader->held == NULL) {
			reader->held = rd_kafka_consumer_poll(reader->session->client, 0);
		}
		/* Asked after it was taken, not before: then the answer is about it. */
		if (reader->held == NULL || lookout_is_in_doubt(reader->session->lookout) ||
			(i == 0 && !is_at(reader, cluster_id))) {
			return 0;
		}
		r = take_held(reader);
	}
	*ret_has_more = true;
	return r;
}
