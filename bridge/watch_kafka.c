#include "bridge/watch.h"
#include "runtime/clock.h"
#include "runtime/kafka_options.h"
#include "runtime/thread.h"
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	CREATE_TIMEOUT_MS = 5000,
	LEVEL_ERROR = 3, /* as in syslog */
	LEVEL_DEBUG = 7,
};

struct watch {
	struct watch_options options;
	rd_kafka_t *client;
	struct kafka_trouble trouble; /* of the client's connections */
	rd_kafka_topic_t *topics[LANE_COUNT]; /* what the client asks metadata for */
	rd_kafka_topic_t *telemetry; /* likewise; NULL: there is none */
	int fd;
	pthread_t thread;
	bool is_running;

	pthread_mutex_t lock; /* what follows */
	pthread_cond_t wake;
	bool must_stop;
	bool must_hurry;
	bool is_fresh;
	struct topics_sight sight;
};

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	struct watch *watch = rd_kafka_opaque(client);
	if (watch == NULL) {
		return;
	}
	/* What it hears of connections is said with the next sight. */
	bool is_heard = kafka_trouble_hear_now(&watch->trouble, facility, text);
	if (watch->options.log != NULL) {
		watch->options.log(is_heard ? LEVEL_DEBUG : level, text);
	}
}

static void see_topic(struct topic_sight *seen, const struct rd_kafka_metadata_topic *topic)
{
	seen->partitions = topic->partition_cnt;
	snprintf(seen->error, sizeof seen->error, "%s",
		topic->err == RD_KAFKA_RESP_ERR_NO_ERROR ? "" : rd_kafka_err2name(topic->err));
}

static void see_topics(const struct watch *watch, const struct rd_kafka_metadata *metadata,
	struct topics_sight *sight)
{
	for (int i = 0; i < metadata->topic_cnt; i++) {
		for (size_t lane = 0; lane < LANE_COUNT; lane++) {
			if (strcmp(metadata->topics[i].topic, watch->options.topics->names[lane]) ==
				0) {
				see_topic(&sight->topics[lane], &metadata->topics[i]);
			}
		}
		if (strcmp(metadata->topics[i].topic, watch->options.topics->telemetry) == 0) {
			see_topic(&sight->telemetry, &metadata->topics[i]);
		}
	}
}

static void see_failure(struct watch *watch, rd_kafka_resp_err_t error, struct topics_sight *sight)
{
	const char *words = error == RD_KAFKA_RESP_ERR_NO_ERROR ? "the cluster has no id"
								: rd_kafka_err2str(error);
	sight->is_telling =
		kafka_trouble_why(&watch->trouble, words, sight->why, sizeof sight->why);
}

static void look(struct watch *watch, struct topics_sight *sight)
{
	const struct rd_kafka_metadata *metadata = NULL;
	*sight = (struct topics_sight){.began_ms = clock_monotonic_ms()};
	rd_kafka_resp_err_t error =
		rd_kafka_metadata(watch->client, 0, NULL, &metadata, WATCH_TIMEOUT_MS);
	char *cluster_id =
		error == RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_clusterid(watch->client, 0) : NULL;
	if (cluster_id == NULL) {
		see_failure(watch, error, sight);
	} else {
		kafka_trouble_over(&watch->trouble);
		sight->is_reached = true;
		sight->broker_count = metadata->broker_cnt;
		snprintf(sight->cluster_id, sizeof sight->cluster_id, "%s", cluster_id);
		see_topics(watch, metadata, sight);
		rd_kafka_mem_free(watch->client, cluster_id);
	}
	if (metadata != NULL) {
		rd_kafka_metadata_destroy(metadata);
	}
}

static rd_kafka_NewTopic_t *new_topic(
	const struct watch *watch, const struct topics_sight *sight, size_t lane)
{
	char reason[128], min_insync[12], message_bytes[12];
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(watch->options.topics->names[lane],
		watch->options.topics->partitions, topics_replication(sight->broker_count), reason,
		sizeof reason);
	if (topic == NULL) {
		return NULL;
	}
	snprintf(min_insync, sizeof min_insync, "%d", topics_min_insync(sight->broker_count));
	snprintf(message_bytes, sizeof message_bytes, "%d", (int)TOPIC_MESSAGE_BYTES_MAX);
	const struct kafka_setting settings[] = {
		{"cleanup.policy", "delete"},
		{"retention.ms", "-1"},
		{"retention.bytes", "-1"},
		{"message.timestamp.type", "LogAppendTime"},
		{"min.insync.replicas", min_insync},
		{"max.message.bytes", message_bytes},
	};
	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		rd_kafka_NewTopic_set_config(topic, settings[i].name, settings[i].value);
	}
	return topic;
}

/* Of each run of an edge the newest report is kept, and nothing else; whoever reads them wants all: one partition. */
static rd_kafka_NewTopic_t *new_telemetry_topic(
	const struct watch *watch, const struct topics_sight *sight)
{
	static const struct kafka_setting settings[] = {
		{"cleanup.policy", "compact"},
		{"segment.bytes", "67108864"},
		{"message.timestamp.type", "LogAppendTime"},
	};
	char reason[128];
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(watch->options.topics->telemetry, 1,
		topics_replication(sight->broker_count), reason, sizeof reason);
	for (size_t i = 0; topic != NULL && i < sizeof settings / sizeof settings[0]; i++) {
		rd_kafka_NewTopic_set_config(topic, settings[i].name, settings[i].value);
	}
	return topic;
}

static size_t missing_topics(const struct watch *watch, const struct topics_sight *sight,
	rd_kafka_NewTopic_t *topics[LANE_COUNT + 1])
{
	size_t count = 0;
	char words[LANE_COUNT];
	for (size_t lane = 0; lane < LANE_COUNT; lane++) {
		if (topic_judge(watch->options.topics, sight, (enum kind)lane, words,
			    sizeof words) == TOPIC_MISSING) {
			topics[count] = new_topic(watch, sight, lane);
			count += topics[count] != NULL;
		}
	}
	if (topics_lack_telemetry(watch->options.topics, sight)) {
		topics[count] = new_telemetry_topic(watch, sight);
		count += topics[count] != NULL;
	}
	return count;
}

/* Whether it worked is seen by looking again; only a refusal needs words. */
static void tell_refusals(struct watch *watch, rd_kafka_event_t *event)
{
	size_t count = 0;
	const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
	const rd_kafka_topic_result_t **topics =
		result == NULL ? NULL : rd_kafka_CreateTopics_result_topics(result, &count);
	for (size_t i = 0; i < count; i++) {
		rd_kafka_resp_err_t error = rd_kafka_topic_result_error(topics[i]);
		if (error != RD_KAFKA_RESP_ERR_NO_ERROR &&
			error != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
			char text[512];
			const char *why = rd_kafka_topic_result_error_string(topics[i]);
			snprintf(text, sizeof text, "topic %s can not be created: %s",
				rd_kafka_topic_result_name(topics[i]),
				why == NULL ? rd_kafka_err2str(error) : why);
			watch->options.log(LEVEL_ERROR, text);
		}
	}
}

static void create_missing(struct watch *watch, const struct topics_sight *sight)
{
	char reason[128];
	rd_kafka_NewTopic_t *topics[LANE_COUNT + 1];
	size_t count = missing_topics(watch, sight, topics);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(watch->client);
	rd_kafka_AdminOptions_t *options =
		rd_kafka_AdminOptions_new(watch->client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_AdminOptions_set_request_timeout(
		options, CREATE_TIMEOUT_MS, reason, sizeof reason);
	rd_kafka_CreateTopics(watch->client, topics, count, options, queue);
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CREATE_TIMEOUT_MS);
	if (event != NULL) {
		tell_refusals(watch, event);
		rd_kafka_event_destroy(event);
	}
	rd_kafka_NewTopic_destroy_array(topics, count);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
}

static bool is_well(const struct watch *watch, const struct topics_sight *sight)
{
	char words[8];
	bool is_fine = sight->is_reached;
	for (size_t lane = 0; lane < LANE_COUNT && is_fine; lane++) {
		is_fine = topic_state_is_usable(topic_judge(
			watch->options.topics, sight, (enum kind)lane, words, sizeof words));
	}
	return is_fine;
}

/* Hands the sight over and sleeps. false: stop. */
static bool publish(struct watch *watch, const struct topics_sight *sight)
{
	const uint64_t one = 1;
	int64_t until_ms =
		clock_monotonic_ms() + (is_well(watch, sight) ? WATCH_INTERVAL_MS : WATCH_RETRY_MS);

	pthread_mutex_lock(&watch->lock);
	watch->sight = *sight;
	watch->is_fresh = true;
	if (write(watch->fd, &one, sizeof one) < 0) {
		/* EAGAIN: it is readable already. */
	}
	int r = 0;
	while (!watch->must_stop && !watch->must_hurry && r == 0) {
		r = condition_wait(&watch->wake, &watch->lock, until_ms);
	}
	watch->must_hurry = false;
	bool goes_on = !watch->must_stop;
	pthread_mutex_unlock(&watch->lock);
	return goes_on;
}

static void *run(void *owner)
{
	struct watch *watch = owner;
	struct topics_sight sight;
	do {
		look(watch, &sight);
		if (topics_should_create(watch->options.topics, &sight)) {
			create_missing(watch, &sight);
			look(watch, &sight);
		}
	} while (publish(watch, &sight));
	return NULL;
}

/* A consumer, because only a consumer can ask for a topic without bringing it into being where brokers create topics
 * by themselves. It never consumes. */
static int open_client(struct watch *watch, struct config_error *error)
{
	static const struct kafka_setting fixed[] = {
		{"allow.auto.create.topics", "false"},
		{"topic.metadata.refresh.interval.ms", "-1"},
		{NULL, NULL},
	};
	const struct kafka_options options = {
		.brokers = watch->options.brokers,
		.role = KAFKA_PRODUCER,
		.properties = watch->options.properties,
		.fixed = fixed,
	};
	rd_kafka_conf_t *conf = NULL;
	int r = kafka_options_new(&options, &conf, error);
	if (r < 0) {
		return r;
	}
	rd_kafka_conf_set_opaque(conf, watch);
	rd_kafka_conf_set_log_cb(conf, on_log);
	r = kafka_client_new(conf, KAFKA_CONSUMER, &watch->client, error);
	if (r < 0) {
		return r;
	}
	for (size_t lane = 0; lane < LANE_COUNT; lane++) {
		watch->topics[lane] =
			rd_kafka_topic_new(watch->client, watch->options.topics->names[lane], NULL);
		if (watch->topics[lane] == NULL) {
			snprintf(error->text, sizeof error->text, "topic %s: %s",
				watch->options.topics->names[lane],
				rd_kafka_err2str(rd_kafka_last_error()));
			return -EINVAL;
		}
	}
	if (watch->options.topics->telemetry[0] != '\0') {
		watch->telemetry =
			rd_kafka_topic_new(watch->client, watch->options.topics->telemetry, NULL);
	}
	return 0;
}

static int start_thread(struct watch *watch)
{
	pthread_mutex_init(&watch->lock, NULL);
	condition_init(&watch->wake);
	int r = pthread_create(&watch->thread, NULL, run, watch);
	watch->is_running = r == 0;
	return -r;
}

int watch_new(
	const struct watch_options *options, struct watch **ret_watch, struct config_error *error)
{
	struct watch *watch = calloc(1, sizeof *watch);
	if (watch == NULL) {
		return -ENOMEM;
	}
	watch->options = *options;
	kafka_trouble_init_here(&watch->trouble);
	watch->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int r = watch->fd < 0 ? -errno : open_client(watch, error);
	if (r == 0) {
		r = start_thread(watch);
	}
	if (r < 0) {
		watch_free(watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

static void stop_thread(struct watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->must_stop = true;
	pthread_cond_signal(&watch->wake);
	pthread_mutex_unlock(&watch->lock);
	pthread_join(watch->thread, NULL);
	pthread_cond_destroy(&watch->wake);
	pthread_mutex_destroy(&watch->lock);
}

struct watch *watch_free(struct watch *watch)
{
	if (watch == NULL) {
		return NULL;
	}
	if (watch->is_running) {
		stop_thread(watch);
	}
	for (size_t lane = 0; lane < LANE_COUNT; lane++) {
		if (watch->topics[lane] != NULL) {
			rd_kafka_topic_destroy(watch->topics[lane]);
		}
	}
	if (watch->telemetry != NULL) {
		rd_kafka_topic_destroy(watch->telemetry);
	}
	if (watch->client != NULL) {
		rd_kafka_destroy(watch->client);
	}
	if (watch->fd >= 0) {
		close(watch->fd);
	}
	kafka_trouble_deinit(&watch->trouble);
	free(watch);
	return NULL;
}

int watch_fd(const struct watch *watch)
{
	return watch->fd;
}

bool watch_take(struct watch *watch, struct topics_sight *ret_sight)
{
	kafka_queue_clear(watch->fd);
	pthread_mutex_lock(&watch->lock);
	bool is_fresh = watch->is_fresh;
	watch->is_fresh = false;
	if (is_fresh) {
		*ret_sight = watch->sight;
	}
	pthread_mutex_unlock(&watch->lock);
	return is_fresh;
}

void watch_hurry(struct watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->must_hurry = true;
	pthread_cond_signal(&watch->wake);
	pthread_mutex_unlock(&watch->lock);
}
