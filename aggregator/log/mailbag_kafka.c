/* Reads the letters of a mailbag out of Kafka, each at its place. */
#include "aggregator/log/inspector_kafka.h"
#include "runtime/clock.h"
#include <errno.h>

enum {
	POLL_MS = 100,
	/* A letter that lies so few records behind the one before is read up to; another is sought anew. */
	NEAR_RECORDS = 1000,
};

/* Partitions that letters are wanted of, and up to where each is read in this round. */
struct round {
	rd_kafka_topic_partition_list_t *list;
	int64_t ends[REPLAY_PLACES_MAX];
	int open_count;
};

static int find_item(const struct round *round, const char *topic, int32_t partition)
{
	for (int i = 0; i < round->list->cnt; i++) {
		const rd_kafka_topic_partition_t *item = &round->list->elems[i];
		if (item->partition == partition && strcmp(item->topic, topic) == 0) {
			return i;
		}
	}
	return -1;
}

/* What is wanted behind the end waits for the next round. */
static void finish(struct round *round, int at)
{
	if (at >= 0 && round->ends[at] >= 0) {
		round->ends[at] = -1;
		round->open_count--;
	}
}

static bool is_missing(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
	       code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
	       code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

static int refuse(struct mailbag *mailbag, rd_kafka_resp_err_t code)
{
	bool is_forbidden = code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;

	complaint_set(&mailbag->complaint, is_forbidden ? REASON_FORBIDDEN : REASON_TIMEOUT, "",
		"%s", rd_kafka_err2str(code));
	return 0;
}

/* What lies outside of what Kafka has is gone. 0, or what Kafka has against it. */
static rd_kafka_resp_err_t miss_outside(rd_kafka_t *client, struct mailbag *mailbag,
	const struct letter_place *at, int64_t deadline_ms)
{
	int64_t low = 0, high = 0;
	rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
		client, at->topic, at->partition, &low, &high, inspector_left_ms(deadline_ms));

	if (is_missing(code)) {
		mailbag_miss(mailbag, at->topic, at->partition, 0, INT64_MAX);
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	}
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
		mailbag_miss(mailbag, at->topic, at->partition, 0, low - 1);
		mailbag_miss(mailbag, at->topic, at->partition, high, INT64_MAX);
	}
	return code;
}

/* Adds a run of places that lie near each other in this partition. */
static void add_run(struct round *round, const struct mailbag *mailbag, const char *topic,
	int32_t partition, int64_t first)
{
	int64_t last = first, next = first;

	while (next >= 0 && next - last <= NEAR_RECORDS) {
		last = next;
		next = mailbag_next(mailbag, topic, partition, last + 1);
	}
	round->ends[round->list->cnt] = last + 1;
	round->open_count++;
	rd_kafka_topic_partition_list_add(round->list, topic, partition)->offset = first;
}

/* What is to be read now. 0, or what Kafka has against it. */
static rd_kafka_resp_err_t plan_round(
	rd_kafka_t *client, struct mailbag *mailbag, int64_t deadline_ms, struct round *round)
{
	for (uint32_t i = 0; i < mailbag->count; i++) {
		const struct letter_place *place = &mailbag->letters[i].place;
		if (mailbag->letters[i].state != MAIL_WANTED ||
			find_item(round, place->topic, place->partition) >= 0) {
			continue;
		}
		rd_kafka_resp_err_t code = miss_outside(client, mailbag, place, deadline_ms);
		if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
			return code;
		}
		int64_t first = mailbag_next(mailbag, place->topic, place->partition, 0);
		if (first >= 0) {
			add_run(round, mailbag, place->topic, place->partition, first);
		}
	}
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Reading began at the first that is wanted: what is wanted and was passed is gone. */
static int take_message(
	struct round *round, struct mailbag *mailbag, const rd_kafka_message_t *message)
{
	const char *topic = rd_kafka_topic_name(message->rkt);
	int at = find_item(round, topic, message->partition);
	struct topic_record record;

	if (at < 0 || round->ends[at] < 0) {
		return 0;
	}
	mailbag_miss(mailbag, topic, message->partition, 0, message->offset - 1);
	look_read_record(message, &record);
	int r = message->offset < round->ends[at] ? mailbag_take(mailbag, topic, &record) : 0;
	if (message->offset + 1 >= round->ends[at]) {
		finish(round, at);
	}
	return r;
}

static int take_news(
	struct round *round, struct mailbag *mailbag, const rd_kafka_message_t *message)
{
	const char *topic = message->rkt != NULL ? rd_kafka_topic_name(message->rkt) : "";

	switch (message->err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return take_message(round, mailbag, message);
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		mailbag_miss(mailbag, topic, message->partition, 0, message->offset - 1);
		finish(round, find_item(round, topic, message->partition));
		return 0;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET: /* it went meanwhile: the next round knows */
		finish(round, find_item(round, topic, message->partition));
		return 0;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		round->open_count = 0;
		return refuse(mailbag, message->err);
	default: /* librdkafka goes on trying, up to the deadline */
		return 0;
	}
}

static int read_round(
	rd_kafka_t *client, int64_t deadline_ms, struct round *round, struct mailbag *mailbag)
{
	rd_kafka_resp_err_t code = rd_kafka_assign(client, round->list);
	int r = 0;

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		return refuse(mailbag, code);
	}
	while (r == 0 && round->open_count > 0 && clock_monotonic_ms() < deadline_ms) {
		int left_ms = inspector_left_ms(deadline_ms);
		rd_kafka_message_t *message =
			rd_kafka_consumer_poll(client, left_ms < POLL_MS ? left_ms : POLL_MS);
		if (message != NULL) {
			r = take_news(round, mailbag, message);
			rd_kafka_message_destroy(message);
		}
	}
	rd_kafka_assign(client, NULL);
	return r;
}

int mailbag_fetch(rd_kafka_t *client, int64_t deadline_ms, struct mailbag *mailbag)
{
	int r = 0;

	while (r == 0 && mailbag_count(mailbag, MAIL_WANTED) > 0 &&
		mailbag->complaint.reason == REASON_NONE) {
		struct round round = {.list = rd_kafka_topic_partition_list_new(REPLAY_PLACES_MAX)};
		rd_kafka_resp_err_t code =
			clock_monotonic_ms() < deadline_ms
				? plan_round(client, mailbag, deadline_ms, &round)
				: RD_KAFKA_RESP_ERR__TIMED_OUT;
		if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
			refuse(mailbag, code);
		} else if (round.open_count > 0) {
			r = read_round(client, deadline_ms, &round, mailbag);
		}
		rd_kafka_topic_partition_list_destroy(round.list);
	}
	return r;
}
