#include "cli/topic_reader_kafka.h"

#include "runtime/kafka_options.h"
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTITIONS_MAX = 10000 };

struct topic_reader {
	rd_kafka_t *client;
	struct kafka_trouble trouble; /* of its connections */
	rd_kafka_message_t *message; /* the one that was handed out last */
	int32_t partition_count;
	bool *ended; /* owned; by partition: read to its end */
	int32_t open_count; /* partitions that are not */
};

/* "name=value"; a dot in the name needs no care. The command line can be read by everybody on the machine. */
static int set_pair(
	struct kafka_properties *properties, const char *pair, struct config_error *error)
{
	char name[128];
	const char *equals = strchr(pair, '=');

	if (equals == NULL || (size_t)(equals - pair) >= sizeof name) {
		return config_fail(error, "\"%.40s\" is not NAME=VALUE", pair);
	}
	snprintf(name, sizeof name, "%.*s", (int)(equals - pair), pair);
	if (kafka_property_is_secret(name)) {
		return config_refuse_secret(name, error);
	}
	return kafka_properties_set(properties, "kafka", name, equals + 1, error);
}

static int configure(const struct topic_reader_options *options, rd_kafka_conf_t **ret_conf,
	struct config_error *error)
{
	static const struct kafka_setting fixed[] = {
		{"client.id", "till"},
		{"enable.auto.commit", "false"},
		{"enable.auto.offset.store", "false"},
		{"auto.offset.reset", "error"},
		{"enable.partition.eof", "true"},
		{"allow.auto.create.topics", "false"},
		{"group.id", "till-reads-without-a-group"},
		{NULL, NULL},
	};
	struct kafka_properties properties = {0};
	const struct kafka_options kafka = {.brokers = options->brokers,
		.role = KAFKA_CONSUMER,
		.properties = &properties,
		.fixed = fixed};
	int r = 0;

	for (const char *const *pair = options->properties; r == 0 && pair != NULL && *pair != NULL;
		pair++) {
		r = set_pair(&properties, *pair, error);
	}
	if (r == 0) {
		r = kafka_options_new(&kafka, ret_conf, error);
	}
	kafka_properties_deinit(&properties);
	return r;
}

/* Called from any thread of librdkafka's. Nothing is written: what matters comes as an error. */
static void hear_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	struct topic_reader *reader = rd_kafka_opaque(client);
	(void)level;
	if (reader != NULL) {
		kafka_trouble_hear_now(&reader->trouble, facility, text);
	}
}

static int fail_unreachable(struct topic_reader *reader, const struct topic_reader_options *options,
	rd_kafka_resp_err_t code, struct topic_error *error)
{
	char why[KAFKA_TROUBLE_SIZE];

	kafka_trouble_why(&reader->trouble, rd_kafka_err2str(code), why, sizeof why);
	snprintf(error->text, sizeof error->text, "could not reach Kafka at %.100s: %.380s",
		options->brokers, why);
	return TOPIC_E_UNREACHABLE;
}

static int find_topic(struct topic_reader *reader, const struct topic_reader_options *options,
	struct topic_error *error)
{
	const struct rd_kafka_metadata *metadata = NULL;

	rd_kafka_topic_t *topic = rd_kafka_topic_new(reader->client, options->topic, NULL);
	if (topic == NULL) {
		snprintf(error->text, sizeof error->text, "\"%s\" is no name of a topic",
			options->topic);
		return TOPIC_E_UNKNOWN;
	}
	rd_kafka_resp_err_t code =
		rd_kafka_metadata(reader->client, 0, topic, &metadata, (int)options->timeout_ms);
	rd_kafka_topic_destroy(topic);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		return fail_unreachable(reader, options, code, error);
	}
	if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		reader->partition_count = metadata->topics[0].partition_cnt;
	}
	rd_kafka_metadata_destroy(metadata);
	if (reader->partition_count <= 0 || reader->partition_count > PARTITIONS_MAX) {
		snprintf(error->text, sizeof error->text, "Kafka has no topic \"%s\"",
			options->topic);
		return TOPIC_E_UNKNOWN;
	}
	return 0;
}

/* A partition without later records is read from its end on. */
static int find_times(struct topic_reader *reader, const struct topic_reader_options *options,
	rd_kafka_topic_partition_list_t *list, struct topic_error *error)
{
	if (options->offset != TOPIC_SINCE) {
		return 0;
	}
	rd_kafka_resp_err_t code =
		rd_kafka_offsets_for_times(reader->client, list, (int)options->timeout_ms);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0
						  : fail_unreachable(reader, options, code, error);
}

static int64_t offset_code(const struct topic_reader_options *options)
{
	int64_t offset = options->offset;

	return offset == TOPIC_SINCE       ? options->since_ms
	       : offset == TOPIC_BEGINNING ? RD_KAFKA_OFFSET_BEGINNING
	       : offset == TOPIC_TAIL      ? RD_KAFKA_OFFSET_END
					   : offset;
}

static int assign(struct topic_reader *reader, const struct topic_reader_options *options,
	struct topic_error *error)
{
	bool all = options->partition < 0;
	int32_t first = all ? 0 : options->partition;
	int32_t last = all ? reader->partition_count - 1 : options->partition;

	if (last >= reader->partition_count) {
		snprintf(error->text, sizeof error->text, "topic \"%s\" has no partition %d",
			options->topic, (int)last);
		return TOPIC_E_UNKNOWN;
	}
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(last - first + 1);
	for (int32_t partition = first; partition <= last; partition++) {
		rd_kafka_topic_partition_list_add(list, options->topic, partition)->offset =
			offset_code(options);
	}
	int r = find_times(reader, options, list, error);
	if (r != 0) {
		rd_kafka_topic_partition_list_destroy(list);
		return r;
	}
	rd_kafka_resp_err_t code = rd_kafka_assign(reader->client, list);
	rd_kafka_topic_partition_list_destroy(list);
	reader->open_count = last - first + 1;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		snprintf(error->text, sizeof error->text, "%s", rd_kafka_err2str(code));
		return TOPIC_E_UNKNOWN;
	}
	return 0;
}

static int open_client(struct topic_reader *reader, const struct topic_reader_options *options,
	struct topic_error *error)
{
	rd_kafka_conf_t *conf = NULL;
	struct config_error why = {.text = ""};

	int r = configure(options, &conf, &why);
	if (r == 0) {
		rd_kafka_conf_set_opaque(conf, reader);
		rd_kafka_conf_set_log_cb(conf, hear_log);
		r = kafka_client_new(conf, KAFKA_CONSUMER, &reader->client, &why);
	}
	if (r != 0) {
		snprintf(error->text, sizeof error->text, "%s", why.text);
		return r;
	}
	rd_kafka_poll_set_consumer(reader->client);
	return 0;
}

int topic_reader_new(const struct topic_reader_options *options, struct topic_reader **ret_reader,
	struct topic_error *error)
{
	struct topic_reader *reader = calloc(1, sizeof *reader);
	if (reader == NULL) {
		return -ENOMEM;
	}
	kafka_trouble_init_here(&reader->trouble);
	int r = open_client(reader, options, error);
	if (r == 0) {
		r = find_topic(reader, options, error);
	}
	if (r == 0) {
		reader->ended = calloc((size_t)reader->partition_count, sizeof *reader->ended);
		r = reader->ended != NULL ? assign(reader, options, error) : -ENOMEM;
	}
	if (r != 0) {
		topic_reader_free(reader);
		return r;
	}
	*ret_reader = reader;
	return 0;
}

struct topic_reader *topic_reader_free(struct topic_reader *reader)
{
	if (reader == NULL) {
		return NULL;
	}
	if (reader->message != NULL) {
		rd_kafka_message_destroy(reader->message);
	}
	if (reader->client != NULL) {
		rd_kafka_consumer_close(reader->client);
		rd_kafka_destroy(reader->client);
	}
	kafka_trouble_deinit(&reader->trouble);
	free(reader->ended);
	free(reader);
	return NULL;
}

static void read_headers(const rd_kafka_message_t *message, struct topic_record *record)
{
	rd_kafka_headers_t *headers = NULL;
	const char *name = NULL;
	const void *value = NULL;
	size_t size = 0;

	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		return;
	}
	while (record->header_count < TOPIC_HEADERS_MAX &&
		rd_kafka_header_get_all(headers, record->header_count, &name, &value, &size) ==
			RD_KAFKA_RESP_ERR_NO_ERROR) {
		record->headers[record->header_count++] =
			(struct topic_header){name, slice_of(value, size)};
	}
}

static void read_record(const rd_kafka_message_t *message, struct topic_record *ret_record)
{
	*ret_record = (struct topic_record){.partition = message->partition,
		.offset = message->offset,
		.timestamp_ms = rd_kafka_message_timestamp(message, NULL),
		.key = slice_of(message->key, message->key_len),
		.value = slice_of(message->payload, message->len)};
	read_headers(message, ret_record);
}

/* An end is reached again whenever more was read. */
static bool note_end(struct topic_reader *reader, int32_t partition)
{
	if (partition >= 0 && partition < reader->partition_count && !reader->ended[partition]) {
		reader->ended[partition] = true;
		reader->open_count--;
	}
	return reader->open_count == 0;
}

static int judge_error(const rd_kafka_message_t *message, struct topic_error *error)
{
	switch (message->err) {
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
		snprintf(error->text, sizeof error->text,
			"partition %d has no record at this offset: %s", (int)message->partition,
			rd_kafka_message_errstr(message));
		return TOPIC_E_UNKNOWN;
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		snprintf(error->text, sizeof error->text, "%s", rd_kafka_message_errstr(message));
		return TOPIC_E_UNKNOWN;
	default:
		return TOPIC_E_WAITING; /* librdkafka goes on trying */
	}
}

int topic_reader_next(struct topic_reader *reader, int64_t wait_ms, bool until_end,
	struct topic_record *ret_record, struct topic_error *error)
{
	if (reader->message != NULL) {
		rd_kafka_message_destroy(reader->message);
		reader->message = NULL;
	}
	rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->client, (int)wait_ms);
	if (message == NULL) {
		return TOPIC_E_WAITING;
	}
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		reader->message = message;
		read_record(message, ret_record);
		return 0;
	}
	int r = TOPIC_E_WAITING;
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		r = note_end(reader, message->partition) && until_end ? TOPIC_E_END
								      : TOPIC_E_WAITING;
	} else {
		r = judge_error(message, error);
	}
	rd_kafka_message_destroy(message);
	return r;
}
