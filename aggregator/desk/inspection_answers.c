#include "aggregator/desk/inspection_answers.h"

static const char *const role_names[] = {
	[ROLE_EVENTS] = "events",
	[ROLE_LETTERS] = "dead_letters",
	[ROLE_SOURCE] = "source",
	[ROLE_TELEMETRY] = "telemetry",
	[ROLE_OTHER] = "other",
};

/* -1: it is not read. */
static int number_of(const struct topics *topics, const char *name)
{
	for (uint32_t i = 0; i < topics->count; i++) {
		if (strcmp(topics->names[i], name) == 0) {
			return (int)i;
		}
	}
	return -1;
}

enum topic_role inspection_role_of(
	const struct topics *topics, const char *telemetry, const char *name)
{
	int number = number_of(topics, name);

	if (number >= 0) {
		return number < KIND_EVENT_COUNT ? ROLE_EVENTS
		       : number < KIND_COUNT     ? ROLE_LETTERS
						 : ROLE_SOURCE;
	}
	return telemetry != NULL && telemetry[0] != '\0' && strcmp(telemetry, name) == 0
		       ? ROLE_TELEMETRY
		       : ROLE_OTHER;
}

/* Kafka's own: offsets of groups, states of transactions. */
static bool is_internal(const char *name)
{
	return strncmp(name, "__", 2) == 0;
}

/* ---- words */

static void write_word(struct writer *writer, const char *key, const char *word)
{
	write_key(writer, key);
	if (word == NULL) {
		write_nil(writer);
	} else {
		write_text(writer, slice_of_text(word));
	}
}

static void write_count(struct writer *writer, const char *key, uint64_t count)
{
	write_key(writer, key);
	write_unsigned(writer, count);
}

/* Negative is not known. */
static void write_known(struct writer *writer, const char *key, int64_t number)
{
	write_key(writer, key);
	if (number < 0) {
		write_nil(writer);
	} else {
		write_integer(writer, number);
	}
}

static void write_ids(struct writer *writer, const char *key, const int32_t *ids, uint32_t count)
{
	write_key(writer, key);
	write_array(writer, count);
	for (uint32_t i = 0; i < count; i++) {
		write_integer(writer, ids[i]);
	}
}

/* ---- topics */

static void write_kafka(struct writer *writer, const struct survey_sight *sight)
{
	bool is_reached = sight->unreachable_since_ms == 0;

	write_key(writer, "kafka");
	write_map(writer, 5);
	write_word(writer, "brokers", sight->brokers);
	write_key(writer, "reachable");
	write_bool(writer, is_reached);
	write_known(writer, "unreachable_since_ms", is_reached ? -1 : sight->unreachable_since_ms);
	write_word(writer, "error", is_reached ? NULL : sight->why);
	write_known(writer, "seen_ms", sight->survey != NULL ? sight->survey->taken_ms : -1);
}

static void write_cluster(struct writer *writer, const struct survey *survey)
{
	write_key(writer, "cluster");
	if (survey == NULL) {
		write_nil(writer);
		return;
	}
	write_map(writer, 3);
	write_word(writer, "id", survey->cluster_id[0] != '\0' ? survey->cluster_id : NULL);
	write_known(writer, "controller", survey->controller);
	write_key(writer, "brokers");
	write_array(writer, survey->broker_count);
	for (uint32_t i = 0; i < survey->broker_count; i++) {
		const struct survey_broker *broker = &survey->brokers[i];
		write_map(writer, 4);
		write_key(writer, "id");
		write_integer(writer, broker->id);
		write_word(writer, "host", broker->host);
		write_key(writer, "port");
		write_integer(writer, broker->port);
		write_key(writer, "controller");
		write_bool(writer, broker->id == survey->controller);
	}
}

/* What is read of it, where it is read. */
static const struct partition *find_position(
	const struct pipeline *pipeline, int topic, int32_t number)
{
	for (size_t i = 0; topic >= 0 && i < pipeline->partition_count; i++) {
		const struct partition *partition = pipeline->partitions[i];
		if (partition->topic == (uint32_t)topic && partition->number == number) {
			return partition;
		}
	}
	return NULL;
}

static void write_partition(struct writer *writer, const struct survey_partition *partition,
	const struct partition *read)
{
	write_map(writer, 8);
	write_key(writer, "partition");
	write_integer(writer, partition->number);
	write_known(writer, "leader", partition->leader);
	write_ids(writer, "replicas", partition->replicas, partition->replica_count);
	write_ids(writer, "in_sync", partition->in_sync, partition->in_sync_count);
	write_known(writer, "earliest", partition->low);
	write_known(writer, "latest", partition->high);
	write_known(writer, "position", read != NULL ? read->position.next : -1);
	write_known(writer, "lag", read != NULL ? partition_lag(read) : -1);
}

static void write_settings(struct writer *writer, const struct survey_topic *topic)
{
	write_key(writer, "settings");
	write_array(writer, topic->setting_count);
	for (uint32_t i = 0; i < topic->setting_count; i++) {
		const struct survey_setting *setting = &topic->settings[i];
		write_map(writer, 3);
		write_word(writer, "name", setting->name);
		write_word(writer, "value", setting->value);
		write_word(writer, "source", setting->source);
	}
	write_word(writer, "settings_error", topic->settings_error);
}

static void write_topic(
	struct writer *writer, const struct survey_sight *sight, const struct survey_topic *topic)
{
	const struct topics *topics = &sight->pipeline->options.topics;
	int number = number_of(topics, topic->name);
	enum topic_role role = inspection_role_of(topics, sight->topic_telemetry, topic->name);
	bool is_of_kind = number >= 0 && number < KIND_COUNT;

	write_map(writer, 7);
	write_word(writer, "name", topic->name);
	write_word(writer, "role", role_names[role]);
	write_word(writer, "kind", is_of_kind ? kind_name((enum kind)number) : NULL);
	write_word(writer, "error", topic->error);
	write_key(writer, "partitions");
	write_array(writer, topic->partition_count);
	for (uint32_t i = 0; i < topic->partition_count; i++) {
		const struct survey_partition *partition = &topic->partitions[i];
		write_partition(writer, partition,
			find_position(sight->pipeline, number, partition->number));
	}
	write_settings(writer, topic);
}

static void write_topics(struct writer *writer, const struct survey_sight *sight)
{
	const struct survey *survey = sight->survey;
	uint32_t all = survey != NULL ? survey->topic_count : 0, internal = 0;

	for (uint32_t i = 0; i < all; i++) {
		internal += is_internal(survey->topics[i].name);
	}
	write_key(writer, "topics");
	write_array(writer, all - internal);
	for (uint32_t i = 0; i < all; i++) {
		if (!is_internal(survey->topics[i].name)) {
			write_topic(writer, sight, &survey->topics[i]);
		}
	}
	write_key(writer, "internal");
	write_array(writer, internal);
	for (uint32_t i = 0; i < all; i++) {
		if (is_internal(survey->topics[i].name)) {
			write_text(writer, slice_of_text(survey->topics[i].name));
		}
	}
	write_count(writer, "left_out", survey != NULL ? survey->topics_left_out : 0);
}

/* Topics that till reads, or would, and that Kafka does not have. */
static void write_missing(struct writer *writer, const struct survey_sight *sight)
{
	const struct topics *topics = &sight->pipeline->options.topics;
	uint32_t count = 0;

	for (uint32_t i = 0; sight->survey != NULL && i < topics->count; i++) {
		count += survey_find(sight->survey, topics->names[i]) == NULL;
	}
	write_key(writer, "missing");
	write_array(writer, count);
	for (uint32_t i = 0; count > 0 && i < topics->count; i++) {
		if (survey_find(sight->survey, topics->names[i]) == NULL) {
			write_text(writer, slice_of_text(topics->names[i]));
		}
	}
}

int survey_write(const struct survey_sight *sight, enum encoding encoding,
	const struct freshness *freshness, struct buffer *reply)
{
	struct writer writer;

	writer_init(&writer, encoding, reply);
	write_map(&writer, 8);
	write_key(&writer, "ok");
	write_bool(&writer, true);
	write_kafka(&writer, sight);
	write_cluster(&writer, sight->survey);
	write_topics(&writer, sight);
	write_missing(&writer, sight);
	write_key(&writer, "as_of");
	answer_write_as_of(&writer, freshness);
	return reply->error;
}

/* ---- what was found */

static void write_items(struct writer *writer, const char *key, const struct findings *findings)
{
	write_key(writer, key);
	write_array(writer, (uint32_t)findings->count);
	for (size_t i = 0; i < findings->count; i++) {
		const struct findings_item *item = &findings->list[i];
		write_raw(writer,
			slice_of(findings->items.bytes + item->begin, item->end - item->begin));
	}
}

static void write_records(struct writer *writer, const struct findings *findings)
{
	write_map(writer, 9);
	write_key(writer, "ok");
	write_bool(writer, true);
	write_items(writer, "records", findings);
	write_word(writer, "topic", findings->look.topic);
	write_key(writer, "partition");
	write_integer(writer, findings->look.partition);
	write_known(writer, "earliest", findings->low);
	write_known(writer, "latest", findings->high);
	write_known(writer, "next", findings->next);
	write_key(writer, "complete");
	write_bool(writer, findings->is_complete || findings_are_full(findings));
}

static void write_codes(struct writer *writer, const struct findings *findings)
{
	char place[LETTER_PLACE_SIZE];
	uint32_t count = 0;

	for (int i = 0; i < REASON_COUNT; i++) {
		count += findings->codes[i].count > 0;
	}
	write_key(writer, "codes");
	write_array(writer, count);
	for (int i = 0; i < REASON_COUNT; i++) {
		const struct findings_code *code = &findings->codes[i];
		if (code->count == 0) {
			continue;
		}
		write_map(writer, 4);
		write_word(writer, "code", reason_code((enum reason)i));
		write_count(writer, "count", code->count);
		write_known(writer, "newest_ms", code->newest_ms);
		write_word(writer, "newest", letter_place_format(&code->newest, place));
	}
}

static void write_letters(
	struct writer *writer, const struct findings *findings, const char *replay_to)
{
	write_map(writer, 9);
	write_key(writer, "ok");
	write_bool(writer, true);
	write_items(writer, "letters", findings);
	write_codes(writer, findings);
	write_count(writer, "in_log", findings->in_log);
	write_count(writer, "scanned", findings->scanned);
	write_count(writer, "unreadable", findings->unreadable);
	write_key(writer, "complete");
	write_bool(writer, findings->is_complete && !findings->is_cut);
	write_word(writer, "replay_to", replay_to);
}

int findings_write(const struct findings *findings, const char *replay_to,
	const struct freshness *freshness, struct buffer *reply)
{
	struct writer writer;

	writer_init(&writer, findings->look.encoding, reply);
	if (findings->look.type == LOOK_RECORDS) {
		write_records(&writer, findings);
	} else {
		write_letters(&writer, findings, replay_to);
	}
	write_key(&writer, "as_of");
	answer_write_as_of(&writer, freshness);
	return reply->error;
}
