/* The prober's half of a source: asks what only blocking calls tell, so that the loop never waits for Kafka, and takes
 * the client down at the end, for that may hang in librdkafka 2.0 when a topic was deleted meanwhile. */
#include "aggregator/log/source_kafka.h"
#include "runtime/clock.h"
#include <stdlib.h>
#include <unistd.h>

enum {
	PROBE_EVERY_MS = 1000,
	/* Where partitions begin and how many there are changes rarely. */
	SURVEY_EVERY = 10,
	ANSWER_MS_MAX = 1500, /* then Kafka counts as unreachable */
	NAP_MS = 50, /* how soon it hears that it was asked, or that it shall end */
	PARTITIONS_MAX = 10000,
};

/* What the thread remembers from one report to the next. */
struct prober {
	struct source *source;
	struct log_report last; /* `partitions` with room for what the topics have */
	unsigned until_survey;
};

static void fail(struct log_report *report, const char *what, rd_kafka_resp_err_t code)
{
	report->is_reachable = false;
	snprintf(report->error, sizeof report->error, "%s: %s", what, rd_kafka_err2str(code));
}

static bool resize(struct log_report *report, uint32_t topic, int32_t count)
{
	if (count <= report->partition_counts[topic]) {
		report->partition_counts[topic] = count;
		return true;
	}
	struct watermarks *grown =
		realloc(report->partitions[topic], (size_t)count * sizeof *grown);
	if (grown == NULL) {
		return false;
	}
	for (int32_t i = report->partition_counts[topic]; i < count; i++) {
		grown[i] = (struct watermarks){.low = -1, .high = -1};
	}
	report->partitions[topic] = grown;
	report->partition_counts[topic] = count;
	return true;
}

/* How many partitions a topic has; a topic that is not there has none. */
static bool survey_topic(struct prober *prober, uint32_t topic)
{
	struct source *source = prober->source;
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code = rd_kafka_metadata(
		source->client, 0, source->topics[topic].handle, &metadata, ANSWER_MS_MAX);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		fail(&prober->last, "metadata", code);
		return false;
	}
	int32_t count = 0;
	if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		count = metadata->topics[0].partition_cnt;
	}
	rd_kafka_metadata_destroy(metadata);
	return resize(&prober->last, topic, count < PARTITIONS_MAX ? count : PARTITIONS_MAX);
}

static bool survey(struct prober *prober)
{
	struct log_report *report = &prober->last;
	char *cluster_id = rd_kafka_clusterid(prober->source->client, ANSWER_MS_MAX);
	if (cluster_id == NULL) {
		fail(report, "cluster id", RD_KAFKA_RESP_ERR__TRANSPORT);
		return false;
	}
	snprintf(report->cluster_id, sizeof report->cluster_id, "%s", cluster_id);
	rd_kafka_mem_free(prober->source->client, cluster_id);
	for (uint32_t topic = 0; topic < prober->source->topic_count; topic++) {
		if (!survey_topic(prober, topic)) {
			return false;
		}
	}
	return true;
}

static rd_kafka_topic_partition_list_t *list_partitions(struct prober *prober, int64_t offset)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
	for (uint32_t topic = 0; topic < prober->source->topic_count; topic++) {
		const char *name = rd_kafka_topic_name(prober->source->topics[topic].handle);
		for (int32_t i = 0; i < prober->last.partition_counts[topic]; i++) {
			rd_kafka_topic_partition_list_add(list, name, i)->offset = offset;
		}
	}
	return list;
}

/* Walks list and report side by side: they were made in the same order. */
static void keep_watermarks(
	struct log_report *report, const rd_kafka_topic_partition_list_t *list, bool is_high)
{
	int at = 0;
	for (uint32_t topic = 0; topic < TOPICS_MAX; topic++) {
		for (int32_t i = 0; i < report->partition_counts[topic]; i++, at++) {
			const rd_kafka_topic_partition_t *item = &list->elems[at];
			int64_t *mark = is_high ? &report->partitions[topic][i].high
						: &report->partitions[topic][i].low;
			if (item->err == RD_KAFKA_RESP_ERR_NO_ERROR && item->offset >= 0) {
				*mark = item->offset;
			}
		}
	}
}

/* Kafka's ListOffsets takes "the first" and "the end" in place of a time; one request a broker for all partitions. */
static bool ask_watermarks(struct prober *prober, bool is_high)
{
	rd_kafka_topic_partition_list_t *list =
		list_partitions(prober, is_high ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING);
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
	if (list->cnt > 0) {
		code = rd_kafka_offsets_for_times(prober->source->client, list, ANSWER_MS_MAX);
	}
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
		keep_watermarks(&prober->last, list, is_high);
	} else {
		fail(&prober->last, "watermarks", code);
	}
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The partitions with a question that was not answered yet; their offsets are times. NULL: there is none. */
static rd_kafka_topic_partition_list_t *list_questions(struct prober *prober, int which)
{
	struct source *source = prober->source;
	rd_kafka_topic_partition_list_t *list = NULL;
	pthread_mutex_lock(&source->lock);
	for (uint32_t topic = 0; topic < source->topic_count; topic++) {
		const char *name = rd_kafka_topic_name(source->topics[topic].handle);
		for (int32_t i = 0; i < source->question_counts[topic]; i++) {
			const struct source_question *question = &source->questions[topic][i];
			if (i >= prober->last.partition_counts[topic] || question->number == 0 ||
				prober->last.partitions[topic][i].question == question->number) {
				continue;
			}
			list = list == NULL ? rd_kafka_topic_partition_list_new(16) : list;
			rd_kafka_topic_partition_t *item =
				rd_kafka_topic_partition_list_add(list, name, i);
			item->offset = question->after_ms[which] + 1;
			item->opaque = (void *)(uintptr_t)question->number;
		}
	}
	pthread_mutex_unlock(&source->lock);
	return list;
}

/* The second of the two completes the answer. */
static void keep_answer(struct prober *prober, const rd_kafka_topic_partition_t *item, int which)
{
	uint32_t topic = 0;
	while (strcmp(rd_kafka_topic_name(prober->source->topics[topic].handle), item->topic) !=
		0) {
		topic++;
	}
	struct watermarks *marks = &prober->last.partitions[topic][item->partition];
	uint32_t number = (uint32_t)(uintptr_t)item->opaque;
	if (item->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		marks->half = 0;
		return;
	}
	marks->later[which] = item->offset >= 0 ? item->offset : -1;
	if (which == 0) {
		marks->half = number;
	} else if (marks->half == number) {
		marks->question = number;
	}
}

/* Where the first records after the two times lie. Without both answers the question stays. */
static void ask_questions(struct prober *prober)
{
	for (int which = 0; which < PROOF_TIMES; which++) {
		rd_kafka_topic_partition_list_t *list = list_questions(prober, which);
		if (list == NULL) {
			return;
		}
		rd_kafka_resp_err_t code =
			rd_kafka_offsets_for_times(prober->source->client, list, ANSWER_MS_MAX);
		for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
			keep_answer(prober, &list->elems[i], which);
		}
		rd_kafka_topic_partition_list_destroy(list);
		if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
			return;
		}
	}
}

static bool misses_a_topic(const struct log_report *report, uint32_t count)
{
	for (uint32_t topic = 0; topic < count; topic++) {
		if (report->partition_counts[topic] == 0) {
			return true;
		}
	}
	return false;
}

static void probe(struct prober *prober)
{
	struct log_report *report = &prober->last;
	bool all = prober->until_survey == 0 || !report->is_reachable ||
		   misses_a_topic(report, prober->source->topic_count);
	if (all && (!survey(prober) || !ask_watermarks(prober, false))) {
		return;
	}
	prober->until_survey = all ? SURVEY_EVERY : prober->until_survey - 1;
	ask_questions(prober);
	if (ask_watermarks(prober, true)) {
		report->is_reachable = true;
		report->error[0] = '\0';
	}
}

static struct log_report *copy_report(const struct log_report *report)
{
	struct log_report *copy = malloc(sizeof *copy);
	if (copy == NULL) {
		return NULL;
	}
	*copy = *report;
	memset(copy->partitions, 0, sizeof copy->partitions);
	for (uint32_t topic = 0; topic < TOPICS_MAX; topic++) {
		size_t size = (size_t)report->partition_counts[topic] * sizeof *copy->partitions[0];
		if (size == 0) {
			continue;
		}
		copy->partitions[topic] = malloc(size);
		if (copy->partitions[topic] == NULL) {
			return log_report_free(copy);
		}
		memcpy(copy->partitions[topic], report->partitions[topic], size);
	}
	return copy;
}

/* Hands the report over and wakes the loop. */
static void publish(struct prober *prober)
{
	struct source *source = prober->source;
	struct log_report *copy = copy_report(&prober->last);
	if (copy == NULL) {
		return; /* the next second brings another */
	}
	if (copy->is_reachable) {
		kafka_trouble_over(&source->trouble);
	} else {
		copy->is_telling = kafka_trouble_why(
			&source->trouble, prober->last.error, copy->error, sizeof copy->error);
	}
	pthread_mutex_lock(&source->lock);
	log_report_free(source->report);
	source->report = copy;
	pthread_mutex_unlock(&source->lock);
	source_wake(source);
}

/* Sleeps until it is time; serves the error callback meanwhile. Returns false to end. */
static bool wait_for_time(struct source *source, int64_t until_ms)
{
	for (;;) {
		pthread_mutex_lock(&source->lock);
		bool is_ending = source->is_ending, is_asked = source->is_asked;
		source->is_asked = false;
		pthread_mutex_unlock(&source->lock);
		if (is_ending) {
			return false;
		}
		if (is_asked || clock_monotonic_ms() >= until_ms) {
			return true;
		}
		rd_kafka_poll(source->client, NAP_MS);
	}
}

static void take_down(struct source *source)
{
	lookout_stop(source->lookout);
	source_drop_held(source);
	for (uint32_t number = 0; number < source->topic_count; number++) {
		struct source_topic *topic = &source->topics[number];
		for (int32_t i = 0; i < topic->started_count; i++) {
			if (topic->started[i]) {
				rd_kafka_consume_stop(topic->handle, i);
			}
		}
		rd_kafka_topic_destroy(topic->handle);
		free(topic->started);
	}
	rd_kafka_queue_destroy(source->queue);
	rd_kafka_destroy(source->client);
	close(source->fd);
	for (size_t topic = 0; topic < TOPICS_MAX; topic++) {
		free(source->questions[topic]);
	}
	log_report_free(source->report);
	lookout_free(source->lookout);
	pthread_mutex_destroy(&source->lock);
	kafka_trouble_deinit(&source->trouble);
	free(source);
}

void *source_probe(void *owner)
{
	struct source *source = owner;
	struct prober prober = {.source = source};
	int64_t next_ms = clock_monotonic_ms();

	while (wait_for_time(source, next_ms)) {
		probe(&prober);
		/* What cluster, partitions and watermarks it has may be of two clusters else. */
		if (!prober.last.is_reachable || lookout_settles(source->lookout, ANSWER_MS_MAX)) {
			publish(&prober);
		}
		next_ms = clock_monotonic_ms() + PROBE_EVERY_MS;
	}
	for (size_t topic = 0; topic < TOPICS_MAX; topic++) {
		free(prober.last.partitions[topic]);
	}
	take_down(source);
	return NULL;
}
