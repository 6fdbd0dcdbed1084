#include "aggregator/log/inspector_kafka.h"
#include "runtime/clock.h"
#include <errno.h>

enum {
	POLL_MS = 100,
	PARTITIONS_MAX = 1000, /* of all topics of dead letters */
};

/* What is being read: partitions from where to where. */
struct reading_list {
	rd_kafka_topic_partition_list_t *list; /* offsets: where each begins */
	int64_t ends[PARTITIONS_MAX];
	bool done[PARTITIONS_MAX];
	int open_count;
};

static int refuse(struct findings *findings, rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		complaint_set(&findings->complaint, REASON_BAD_KEY, "partition",
			"Kafka has no partition %d of topic \"%s\"", (int)findings->look.partition,
			findings->look.topic);
		break;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		complaint_set(&findings->complaint, REASON_FORBIDDEN, "topic",
			"Kafka does not let till's user read topic \"%s\"", findings->look.topic);
		break;
	default:
		complaint_set(
			&findings->complaint, REASON_TIMEOUT, "", "%s", rd_kafka_err2str(code));
	}
	return 0;
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

void look_read_record(const rd_kafka_message_t *message, struct topic_record *ret_record)
{
	*ret_record = (struct topic_record){.partition = message->partition,
		.offset = message->offset,
		.timestamp_ms = rd_kafka_message_timestamp(message, NULL),
		.key = slice_of(message->key, message->key_len),
		.value = slice_of(message->payload, message->len)};
	read_headers(message, ret_record);
}

/* ---- where which partition begins and ends */

static int find_item(const struct reading_list *reading, const char *topic, int32_t partition)
{
	for (int i = 0; i < reading->list->cnt; i++) {
		const rd_kafka_topic_partition_t *item = &reading->list->elems[i];
		if (item->partition == partition && strcmp(item->topic, topic) == 0) {
			return i;
		}
	}
	return -1;
}

static void finish(struct reading_list *reading, int at)
{
	if (at >= 0 && !reading->done[at]) {
		reading->done[at] = true;
		reading->open_count--;
	}
}

static int find_time(
	rd_kafka_t *client, int64_t deadline_ms, struct findings *findings, int64_t *ret_offset)
{
	const struct query_look *look = &findings->look;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, look->topic, look->partition)->offset = look->at;
	rd_kafka_resp_err_t code =
		rd_kafka_offsets_for_times(client, list, inspector_left_ms(deadline_ms));
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
		code = list->elems[0].err;
	}
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
		*ret_offset = list->elems[0].offset >= 0 ? list->elems[0].offset : findings->high;
	}
	rd_kafka_topic_partition_list_destroy(list);
	return code;
}

/* Where records begin: 0, or what Kafka has against it. */
static rd_kafka_resp_err_t find_start(
	rd_kafka_t *client, int64_t deadline_ms, struct findings *findings, int64_t *ret_offset)
{
	const struct query_look *look = &findings->look;
	int64_t start = look->at;
	rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(client, look->topic,
		look->partition, &findings->low, &findings->high, inspector_left_ms(deadline_ms));

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && look->from == LOOK_TIME) {
		code = find_time(client, deadline_ms, findings, &start);
	}
	if (look->from == LOOK_NEWEST) {
		start = findings->high - (int64_t)look->limit;
	}
	start = start < findings->low ? findings->low : start;
	*ret_offset = start > findings->high ? findings->high : start;
	return code;
}

/* ---- reading */

static int take_message(
	struct reading_list *reading, struct findings *findings, const rd_kafka_message_t *message)
{
	struct topic_record record;
	const char *topic = rd_kafka_topic_name(message->rkt);
	int at = find_item(reading, topic, message->partition);

	if (at < 0 || reading->done[at] || message->offset >= reading->ends[at]) {
		finish(reading, at);
		return 0;
	}
	look_read_record(message, &record);
	int r = findings->look.type == LOOK_LETTERS ? findings_take_letter(findings, topic, &record)
						    : findings_take_record(findings, &record);
	if (!findings->is_cut || findings->look.type == LOOK_LETTERS) {
		findings->next = record.offset + 1;
	}
	if (record.offset + 1 >= reading->ends[at]) {
		finish(reading, at);
	}
	return r;
}

static int take_news(
	struct reading_list *reading, struct findings *findings, const rd_kafka_message_t *message)
{
	switch (message->err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return take_message(reading, findings, message);
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		finish(reading,
			find_item(reading, rd_kafka_topic_name(message->rkt), message->partition));
		return 0;
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		reading->open_count = 0;
		return refuse(findings, message->err);
	default: /* librdkafka goes on trying; an offset that went meanwhile ends with the time */
		return 0;
	}
}

static int read_all(rd_kafka_t *client, int64_t deadline_ms, struct reading_list *reading,
	struct findings *findings)
{
	int r = 0;

	if (reading->open_count == 0) {
		findings->is_complete = true;
		return 0;
	}
	rd_kafka_resp_err_t code = rd_kafka_assign(client, reading->list);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		return refuse(findings, code);
	}
	while (r == 0 && reading->open_count > 0 && !findings->is_cut &&
		!findings_are_full(findings) && clock_monotonic_ms() < deadline_ms) {
		int left_ms = inspector_left_ms(deadline_ms);
		rd_kafka_message_t *message =
			rd_kafka_consumer_poll(client, left_ms < POLL_MS ? left_ms : POLL_MS);
		if (message != NULL) {
			r = take_news(reading, findings, message);
			rd_kafka_message_destroy(message);
		}
	}
	findings->is_complete = reading->open_count == 0;
	rd_kafka_assign(client, NULL);
	return r;
}

static int look_for_records(rd_kafka_t *client, int64_t deadline_ms, struct reading_list *reading,
	struct findings *findings)
{
	int64_t start = 0;
	rd_kafka_resp_err_t code = find_start(client, deadline_ms, findings, &start);

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		return refuse(findings, code);
	}
	rd_kafka_topic_partition_list_add(
		reading->list, findings->look.topic, findings->look.partition)
		->offset = start;
	reading->ends[0] = findings->high;
	reading->open_count = start < findings->high;
	findings->next = start;
	int r = read_all(client, deadline_ms, reading, findings);
	if (r == 0 && findings->count == 0 && !findings->is_complete && !findings->is_cut &&
		findings->complaint.reason == REASON_NONE) {
		return refuse(findings, RD_KAFKA_RESP_ERR__TIMED_OUT);
	}
	/* Behind the last record may be marks of transactions, and nothing else. */
	findings->next = findings->is_complete ? findings->high : findings->next;
	return r;
}

/* ---- dead letters: the newest of each partition */

static rd_kafka_resp_err_t list_topic(rd_kafka_t *client, const char *name, int64_t deadline_ms,
	rd_kafka_topic_partition_list_t *list)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);

	if (topic == NULL) {
		return rd_kafka_last_error();
	}
	rd_kafka_resp_err_t code =
		rd_kafka_metadata(client, 0, topic, &metadata, inspector_left_ms(deadline_ms));
	rd_kafka_topic_destroy(topic);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		return code;
	}
	/* One that nobody needed yet is not there, and has no letters. */
	for (int i = 0; metadata->topic_cnt == 1 && i < metadata->topics[0].partition_cnt; i++) {
		if (list->cnt < PARTITIONS_MAX) {
			rd_kafka_topic_partition_list_add(
				list, name, metadata->topics[0].partitions[i].id);
		}
	}
	rd_kafka_metadata_destroy(metadata);
	return code;
}

/* Puts where they begin, or end, into the list. */
static rd_kafka_resp_err_t ask_offsets(rd_kafka_t *client, rd_kafka_topic_partition_list_t *list,
	int64_t which, int64_t deadline_ms)
{
	for (int i = 0; i < list->cnt; i++) {
		list->elems[i].offset = which;
	}
	return list->cnt == 0
		       ? RD_KAFKA_RESP_ERR_NO_ERROR
		       : rd_kafka_offsets_for_times(client, list, inspector_left_ms(deadline_ms));
}

/* From where on in each, so that all together are no more than FINDINGS_LETTERS_MAX. */
static void choose_starts(struct reading_list *reading, struct findings *findings)
{
	int64_t share = FINDINGS_LETTERS_MAX / (reading->list->cnt > 0 ? reading->list->cnt : 1);

	share = share > 0 ? share : 1;
	for (int i = 0; i < reading->list->cnt; i++) {
		rd_kafka_topic_partition_t *item = &reading->list->elems[i];
		bool is_known = item->err == RD_KAFKA_RESP_ERR_NO_ERROR && item->offset >= 0 &&
				reading->ends[i] >= 0;
		int64_t count = is_known ? reading->ends[i] - item->offset : 0;
		findings->in_log += (uint64_t)(count > 0 ? count : 0);
		item->offset = count > share ? reading->ends[i] - share : item->offset;
		reading->done[i] = count <= 0;
		reading->open_count += count > 0;
	}
	for (int i = reading->list->cnt - 1; i >= 0; i--) {
		if (!reading->done[i]) {
			continue;
		}
		rd_kafka_topic_partition_list_del_by_idx(reading->list, i);
		for (int j = i; j < reading->list->cnt; j++) {
			reading->ends[j] = reading->ends[j + 1];
			reading->done[j] = reading->done[j + 1];
		}
	}
}

static int look_for_letters(rd_kafka_t *client, const char *const topics[KIND_EVENT_COUNT],
	int64_t deadline_ms, struct reading_list *reading, struct findings *findings)
{
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	for (int i = 0; i < KIND_EVENT_COUNT && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
		code = list_topic(client, topics[i], deadline_ms, reading->list);
	}
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
		code = ask_offsets(client, reading->list, RD_KAFKA_OFFSET_END, deadline_ms);
	}
	for (int i = 0; i < reading->list->cnt; i++) {
		const rd_kafka_topic_partition_t *item = &reading->list->elems[i];
		reading->ends[i] = item->err == RD_KAFKA_RESP_ERR_NO_ERROR ? item->offset : -1;
	}
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
		code = ask_offsets(client, reading->list, RD_KAFKA_OFFSET_BEGINNING, deadline_ms);
	}
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		return refuse(findings, code);
	}
	choose_starts(reading, findings);
	int r = read_all(client, deadline_ms, reading, findings);
	findings_sort_letters(findings);
	return r;
}

int look_into_topics(rd_kafka_t *client, const char *const letter_topics[KIND_EVENT_COUNT],
	int64_t deadline_ms, struct findings *findings)
{
	struct reading_list reading = {.list = rd_kafka_topic_partition_list_new(16)};
	int r = findings->look.type == LOOK_LETTERS
			? look_for_letters(client, letter_topics, deadline_ms, &reading, findings)
			: look_for_records(client, deadline_ms, &reading, findings);

	rd_kafka_topic_partition_list_destroy(reading.list);
	return r;
}
