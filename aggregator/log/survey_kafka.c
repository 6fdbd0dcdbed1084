#include "aggregator/log/inspector_kafka.h"
#include <stdlib.h>

enum {
	/* Kafka's part of a survey that can be done without: then it is shown without. */
	SETTINGS_MS_MAX = 1500,
	CONTROLLER_MS_MAX = 500,
};

static void fail(char why[SURVEY_ERROR_SIZE], const char *what, const char *error)
{
	snprintf(why, SURVEY_ERROR_SIZE, "%s: %s", what, error);
}

/* ---- brokers, topics, partitions */

static bool take_brokers(struct survey *survey, const struct rd_kafka_metadata *metadata)
{
	size_t count = (size_t)metadata->broker_cnt;

	survey->brokers = survey_room(survey, count, sizeof *survey->brokers);
	if (survey->brokers == NULL) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		struct survey_broker *broker = &survey->brokers[i];
		broker->id = metadata->brokers[i].id;
		broker->port = metadata->brokers[i].port;
		broker->host = survey_text(survey, metadata->brokers[i].host);
		if (broker->host == NULL) {
			return false;
		}
	}
	survey->broker_count = (uint32_t)count;
	return true;
}

static const int32_t *copy_ids(struct survey *survey, const int32_t *ids, int count)
{
	int32_t *copy = survey_room(survey, (size_t)count, sizeof *ids);

	for (int i = 0; copy != NULL && i < count; i++) {
		copy[i] = ids[i];
	}
	return copy;
}

static int by_number(const void *left, const void *right)
{
	const struct survey_partition *a = left, *b = right;

	return (a->number > b->number) - (a->number < b->number);
}

static bool take_partitions(
	struct survey *survey, struct survey_topic *topic, const rd_kafka_metadata_topic_t *told)
{
	topic->partitions =
		survey_room(survey, (size_t)told->partition_cnt, sizeof *topic->partitions);
	if (topic->partitions == NULL) {
		return false;
	}
	for (int i = 0; i < told->partition_cnt; i++) {
		const rd_kafka_metadata_partition_t *from = &told->partitions[i];
		struct survey_partition *to = &topic->partitions[i];
		*to = (struct survey_partition){
			.number = from->id, .leader = from->leader, .low = -1, .high = -1};
		to->replicas = copy_ids(survey, from->replicas, from->replica_cnt);
		to->in_sync = copy_ids(survey, from->isrs, from->isr_cnt);
		if (to->replicas == NULL || to->in_sync == NULL) {
			return false;
		}
		to->replica_count = (uint32_t)from->replica_cnt;
		to->in_sync_count = (uint32_t)from->isr_cnt;
	}
	topic->partition_count = (uint32_t)told->partition_cnt;
	qsort(topic->partitions, topic->partition_count, sizeof *topic->partitions, by_number);
	return true;
}

static int by_name(const void *left, const void *right)
{
	const struct survey_topic *a = left, *b = right;

	return strcmp(a->name, b->name);
}

static bool take_topic(struct survey *survey, const rd_kafka_metadata_topic_t *told)
{
	struct survey_topic *topic = &survey->topics[survey->topic_count];

	topic->name = survey_text(survey, told->topic);
	if (told->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		topic->error = survey_text(survey, rd_kafka_err2str(told->err));
	}
	survey->topic_count++;
	return topic->name != NULL && take_partitions(survey, topic, told);
}

static bool is_ours(const struct inspector_options *options, const char *name)
{
	for (uint32_t i = 0; i < options->topics.count; i++) {
		if (strcmp(options->topics.names[i], name) == 0) {
			return true;
		}
	}
	return options->topic_telemetry != NULL && strcmp(options->topic_telemetry, name) == 0;
}

/* Those of ours, or all others. */
static bool take_some(struct survey *survey, const struct rd_kafka_metadata *metadata,
	const struct inspector_options *options, bool ours, int *partitions)
{
	for (int i = 0; i < metadata->topic_cnt; i++) {
		const rd_kafka_metadata_topic_t *told = &metadata->topics[i];
		if (is_ours(options, told->topic) != ours) {
			continue;
		}
		if (survey->topic_count == SURVEY_TOPICS_MAX ||
			told->partition_cnt > SURVEY_PARTITIONS_MAX - *partitions) {
			survey->topics_left_out++;
		} else if (!take_topic(survey, told)) {
			return false;
		} else {
			*partitions += told->partition_cnt;
		}
	}
	return true;
}

/* Ours first: however many others there are, these are shown. */
static bool take_topics(struct survey *survey, const struct rd_kafka_metadata *metadata,
	const struct inspector_options *options)
{
	int partitions = 0;

	survey->topics = survey_room(survey, (size_t)metadata->topic_cnt, sizeof *survey->topics);
	if (survey->topics == NULL) {
		return false;
	}
	if (!take_some(survey, metadata, options, true, &partitions) ||
		!take_some(survey, metadata, options, false, &partitions)) {
		return false;
	}
	qsort(survey->topics, survey->topic_count, sizeof *survey->topics, by_name);
	return true;
}

static bool ask_metadata(rd_kafka_t *client, const struct inspector_options *options,
	int64_t deadline_ms, struct survey *survey, char why[SURVEY_ERROR_SIZE])
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code =
		rd_kafka_metadata(client, 1, NULL, &metadata, inspector_left_ms(deadline_ms));

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		fail(why, "metadata", rd_kafka_err2str(code));
		return false;
	}
	bool is_done = take_brokers(survey, metadata) && take_topics(survey, metadata, options);
	rd_kafka_metadata_destroy(metadata);
	if (!is_done) {
		fail(why, "metadata", "out of memory");
	}
	return is_done;
}

static void ask_identity(rd_kafka_t *client, struct survey *survey)
{
	char *cluster_id = rd_kafka_clusterid(client, 0);

	if (cluster_id != NULL) {
		snprintf(survey->cluster_id, sizeof survey->cluster_id, "%s", cluster_id);
		rd_kafka_mem_free(client, cluster_id);
	}
	survey->controller = rd_kafka_controllerid(client, CONTROLLER_MS_MAX);
}

/* ---- where records begin and end */

static bool has_leader(const struct survey_partition *partition)
{
	return partition->leader >= 0;
}

static rd_kafka_topic_partition_list_t *list_partitions(const struct survey *survey, int64_t offset)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(64);

	for (uint32_t t = 0; t < survey->topic_count; t++) {
		const struct survey_topic *topic = &survey->topics[t];
		for (uint32_t i = 0; i < topic->partition_count; i++) {
			if (has_leader(&topic->partitions[i])) {
				rd_kafka_topic_partition_list_add(
					list, topic->name, topic->partitions[i].number)
					->offset = offset;
			}
		}
	}
	return list;
}

/* List and survey are walked side by side: one was made from the other. */
static void keep_offsets(
	struct survey *survey, const rd_kafka_topic_partition_list_t *list, bool is_high)
{
	int at = 0;

	for (uint32_t t = 0; t < survey->topic_count; t++) {
		struct survey_topic *topic = &survey->topics[t];
		for (uint32_t i = 0; i < topic->partition_count; i++) {
			struct survey_partition *partition = &topic->partitions[i];
			if (!has_leader(partition)) {
				continue;
			}
			const rd_kafka_topic_partition_t *item = &list->elems[at++];
			if (item->err == RD_KAFKA_RESP_ERR_NO_ERROR && item->offset >= 0) {
				*(is_high ? &partition->high : &partition->low) = item->offset;
			}
		}
	}
}

static bool ask_offsets(rd_kafka_t *client, int64_t deadline_ms, struct survey *survey,
	bool is_high, char why[SURVEY_ERROR_SIZE])
{
	rd_kafka_topic_partition_list_t *list =
		list_partitions(survey, is_high ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING);
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	if (list->cnt > 0) {
		code = rd_kafka_offsets_for_times(client, list, inspector_left_ms(deadline_ms));
	}
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
		keep_offsets(survey, list, is_high);
	} else {
		fail(why, "offsets", rd_kafka_err2str(code));
	}
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* ---- settings */

static const char *source_name(rd_kafka_ConfigSource_t source)
{
	switch (source) {
	case RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG:
		return "topic";
	case RD_KAFKA_CONFIG_SOURCE_DYNAMIC_BROKER_CONFIG:
	case RD_KAFKA_CONFIG_SOURCE_STATIC_BROKER_CONFIG:
		return "broker";
	case RD_KAFKA_CONFIG_SOURCE_DYNAMIC_DEFAULT_BROKER_CONFIG:
		return "cluster";
	default:
		return "unknown";
	}
}

static bool is_told(const rd_kafka_ConfigEntry_t *entry)
{
	return !rd_kafka_ConfigEntry_is_default(entry) &&
	       rd_kafka_ConfigEntry_source(entry) != RD_KAFKA_CONFIG_SOURCE_DEFAULT_CONFIG;
}

static void take_settings(struct survey *survey, struct survey_topic *topic,
	const rd_kafka_ConfigResource_t *resource)
{
	size_t count = 0;
	const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
	struct survey_setting *settings = survey_room(survey, count, sizeof *settings);

	if (settings == NULL) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (!is_told(entries[i])) {
			continue;
		}
		struct survey_setting *setting = &settings[topic->setting_count];
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);
		setting->name = survey_text(survey, rd_kafka_ConfigEntry_name(entries[i]));
		setting->source = source_name(rd_kafka_ConfigEntry_source(entries[i]));
		if (value != NULL && !rd_kafka_ConfigEntry_is_sensitive(entries[i])) {
			setting->value = survey_text(survey, value);
		}
		topic->setting_count += setting->name != NULL;
	}
	topic->settings = settings;
	topic->settings_error = NULL;
}

static void take_resource(struct survey *survey, const rd_kafka_ConfigResource_t *resource)
{
	const char *name = rd_kafka_ConfigResource_name(resource);

	for (uint32_t i = 0; i < survey->topic_count; i++) {
		struct survey_topic *topic = &survey->topics[i];
		if (strcmp(topic->name, name) != 0) {
			continue;
		}
		if (rd_kafka_ConfigResource_error(resource) == RD_KAFKA_RESP_ERR_NO_ERROR) {
			take_settings(survey, topic, resource);
		} else {
			topic->settings_error =
				survey_text(survey, rd_kafka_ConfigResource_error_string(resource));
		}
	}
}

static void take_event(struct survey *survey, rd_kafka_event_t *event)
{
	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		const char *why = survey_text(survey, rd_kafka_event_error_string(event));
		for (uint32_t i = 0; why != NULL && i < survey->topic_count; i++) {
			survey->topics[i].settings_error = why;
		}
		return;
	}
	size_t count = 0;
	const rd_kafka_DescribeConfigs_result_t *result =
		rd_kafka_event_DescribeConfigs_result(event);
	const rd_kafka_ConfigResource_t **resources =
		rd_kafka_DescribeConfigs_result_resources(result, &count);
	for (size_t i = 0; i < count; i++) {
		take_resource(survey, resources[i]);
	}
}

static void send_question(
	rd_kafka_t *client, const struct survey *survey, int wait_ms, rd_kafka_queue_t *queue)
{
	rd_kafka_ConfigResource_t *resources[SURVEY_TOPICS_MAX];
	rd_kafka_AdminOptions_t *options =
		rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	char ignored[SURVEY_ERROR_SIZE];

	for (uint32_t i = 0; i < survey->topic_count; i++) {
		resources[i] = rd_kafka_ConfigResource_new(
			RD_KAFKA_RESOURCE_TOPIC, survey->topics[i].name);
	}
	rd_kafka_AdminOptions_set_request_timeout(options, wait_ms, ignored, sizeof ignored);
	rd_kafka_DescribeConfigs(client, resources, survey->topic_count, options, queue);
	rd_kafka_ConfigResource_destroy_array(resources, survey->topic_count);
	rd_kafka_AdminOptions_destroy(options);
}

static void ask_settings(rd_kafka_t *client, int64_t deadline_ms, struct survey *survey)
{
	int left_ms = inspector_left_ms(deadline_ms);
	int wait_ms = left_ms < SETTINGS_MS_MAX ? left_ms : SETTINGS_MS_MAX;

	for (uint32_t i = 0; i < survey->topic_count; i++) {
		survey->topics[i].settings_error = "Kafka did not say";
	}
	if (survey->topic_count == 0) {
		return;
	}
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
	send_question(client, survey, wait_ms, queue);
	/* It always ends with an event, its timeout at the latest. */
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, wait_ms + SETTINGS_MS_MAX);
	if (event != NULL) {
		take_event(survey, event);
		rd_kafka_event_destroy(event);
	}
	rd_kafka_queue_destroy(queue);
}

struct survey *survey_make(rd_kafka_t *client, const struct inspector_options *options,
	int64_t deadline_ms, char why[SURVEY_ERROR_SIZE])
{
	struct survey *survey = survey_new();

	if (survey == NULL) {
		fail(why, "survey", "out of memory");
		return NULL;
	}
	if (!ask_metadata(client, options, deadline_ms, survey, why) ||
		!ask_offsets(client, deadline_ms, survey, false, why) ||
		!ask_offsets(client, deadline_ms, survey, true, why)) {
		return survey_free(survey);
	}
	ask_identity(client, survey);
	ask_settings(client, deadline_ms, survey);
	return survey;
}
