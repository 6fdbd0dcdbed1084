/* Kafka's producers as the bridge sees them: records are on their way for a while, then they are in the log or not, and a
 * report says so, or says otherwise. A record that was under way when its producer was thrown away may still arrive. */
#include "bridge/sink.h"
#include "bridge/watch.h"
#include "tests/sim/kafka.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	REPORTS_A_SERVE = 50,
	SENT_MS_MAX = 1500,
	LATE_MS_MAX = 9000, /* longer than any session lives in silence */
	WATCH_MS = 500,
};

enum fate { FATE_WAITING, FATE_WRITTEN, FATE_NOT_WRITTEN };

struct sent {
	struct sent *next;
	enum kind lane;
	int32_t partition;
	uint64_t ticket;
	bool is_alone;
	enum fate fate;
	const char *error; /* what the report will say */
	int64_t write_ms, report_ms;
	struct kafka_record *record;
};

struct sink {
	struct sink_listener listener;
	struct sent *first, **end;
	bool is_down;
	const char *error;
	int64_t connected_ms;
	int64_t away_told_ms;
	char cluster_id[CLUSTER_ID_SIZE]; /* expected */
};

struct watch {
	int64_t look_ms;
};

/* ---- what is under way */

static void push(struct sink *sink, struct sent *sent)
{
	sent->next = NULL;
	*sink->end = sent;
	sink->end = &sent->next;
}

static void forget(struct sent *sent)
{
	kafka_record_free(sent->record);
	free(sent);
}

/* A producer is gone: what it had under way arrives later, or never. */
static void throw_away(struct sink *sink)
{
	struct sent *sent = sink->first;

	while (sent != NULL) {
		struct sent *next = sent->next;
		if (sent->fate == FATE_WAITING && world_draw(3) == 0) {
			kafka_append_later((int)sent->lane, sent->partition, sent->record);
			sent->record = NULL;
		}
		forget(sent);
		sent = next;
	}
	sink->first = NULL;
	sink->end = &sink->first;
}

/* Kafka refuses this very record, whatever it shares its batch with; its letter it takes. */
static bool is_too_large(enum kind lane, struct slice value)
{
	static const char mark[] = "poison";

	return !kind_is_dead_letter(lane) && value.size > 100 &&
	       memmem(value.bytes, value.size, mark, sizeof mark - 1) != NULL;
}

static const char *draw_error(void)
{
	static const char *const errors[] = {"_MSG_TIMED_OUT", "NOT_ENOUGH_REPLICAS", "_TRANSPORT",
		"LEADER_NOT_AVAILABLE", "_PURGE_QUEUE", "SOME_NEW_ERROR"};
	return errors[world_draw(sizeof errors / sizeof errors[0])];
}

/* What librdkafka says at once, whatever the record is. */
static const char *draw_refusal(void)
{
	static const char *const errors[] = {"_UNKNOWN_TOPIC", "_FATAL", "_STATE"};
	return errors[world_draw(sizeof errors / sizeof errors[0])];
}

static void draw_fate(struct sent *sent)
{
	sent->write_ms = world.now_ms + 1 + world_delay(SENT_MS_MAX);
	sent->fate = FATE_WAITING;
	if (is_too_large(sent->lane, slice_of(sent->record->value, sent->record->value_size))) {
		sent->error = "MSG_SIZE_TOO_LARGE";
		sent->fate = FATE_NOT_WRITTEN;
	} else if (!sent->is_alone && world_fails(FAULT_RECORD_REFUSED, 3000)) {
		sent->error = "INVALID_RECORD";
		sent->fate = FATE_NOT_WRITTEN;
	} else if (world_fails(FAULT_TOPIC_REFUSED, 600)) {
		sent->error = "TOPIC_AUTHORIZATION_FAILED";
		sent->fate = FATE_NOT_WRITTEN;
	} else if (world_fails(FAULT_DELIVERY_FAILED, 6000)) {
		sent->error = draw_error();
		sent->fate = FATE_NOT_WRITTEN;
	} else if (world_fails(FAULT_DELIVERY_DENIED, 6000)) {
		sent->error = draw_error();
	}
	sent->report_ms = sent->write_ms + world_delay(20);
	if (world_fails(FAULT_REPORT_LATE, 3000)) {
		sent->report_ms += (int64_t)world_draw(LATE_MS_MAX);
	}
	if (world.bug == BUG_EARLY_ACK) {
		sent->error = NULL;
		sent->report_ms = world.now_ms;
	}
}

static struct sent *send(struct sink *sink, enum kind lane, int32_t partition, uint64_t ticket)
{
	struct sent *sent = calloc(1, sizeof *sent);

	if (sent == NULL) {
		abort();
	}
	if (world.bug == BUG_MISPLACED) {
		partition = (int32_t)world_draw(PARTITIONS);
	}
	*sent = (struct sent){.lane = lane, .partition = partition, .ticket = ticket};
	push(sink, sent);
	return sent;
}

int sink_put(struct sink *sink, const struct sink_record *record)
{
	if (sink->is_down) {
		return SINK_E_DOWN;
	}
	if (world_fails(FAULT_SINK_FULL, 1500)) {
		return SINK_E_FULL;
	}
	if (world_fails(FAULT_PUT_REFUSED, 1500)) {
		sink->error = draw_refusal();
		return SINK_E_REFUSED;
	}
	if (is_too_large(record->lane, record->value) && world_draw(2) == 0) {
		sink->error = "MSG_SIZE_TOO_LARGE"; /* librdkafka looks before brokers do */
		return SINK_E_REFUSED;
	}
	struct sent *sent = send(sink, record->lane, record->partition, record->ticket);
	sent->record = kafka_record_new((struct kafka_bytes){record->key.bytes, record->key.size},
		(struct kafka_bytes){record->value.bytes, record->value.size});
	for (size_t i = 0; i < record->header_count; i++) {
		const struct letter_header *header = &record->headers[i];
		kafka_record_add_header(sent->record, header->name,
			(struct kafka_bytes){header->value.bytes, header->value.size});
	}
	draw_fate(sent);
	return 0;
}

const char *sink_error(const struct sink *sink)
{
	return sink->error;
}

int sink_repeat(struct sink *sink, const struct sink_report *report)
{
	const struct sent *old = report->message;

	if (sink->is_down) {
		return SINK_E_DOWN;
	}
	struct sent *sent = send(sink, old->lane, old->partition, old->ticket);
	sent->record = kafka_record_share(old->record);
	sent->is_alone = true;
	draw_fate(sent);
	return 0;
}

/* ---- reports */

static void write_due(struct sink *sink)
{
	for (struct sent *sent = sink->first; sent != NULL; sent = sent->next) {
		if (sent->fate == FATE_WAITING && sent->write_ms <= world.now_ms) {
			kafka_append(
				(int)sent->lane, sent->partition, kafka_record_share(sent->record));
			sent->fate = FATE_WRITTEN;
		}
	}
}

static struct sent *take_reported(struct sink *sink)
{
	for (struct sent **at = &sink->first; *at != NULL; at = &(*at)->next) {
		struct sent *sent = *at;
		bool is_early = world.bug == BUG_EARLY_ACK;
		if (sent->report_ms > world.now_ms || (sent->fate == FATE_WAITING && !is_early)) {
			continue;
		}
		*at = sent->next;
		if (*at == NULL) {
			sink->end = at;
		}
		return sent;
	}
	return NULL;
}

/* librdkafka asks for the cluster's id when it connects, before it sends. */
static const char *error_of(const struct sink *sink, const struct sent *sent)
{
	bool is_ours =
		sink->cluster_id[0] == '\0' || strcmp(sink->cluster_id, kafka_cluster_id()) == 0;
	return sent->error != NULL || is_ours ? sent->error : SINK_ERROR_CLUSTER;
}

static void report(struct sink *sink, struct sent *sent)
{
	struct kafka_record *record = sent->record;
	const struct sink_report report = {
		.lane = sent->lane,
		.ticket = sent->ticket,
		.error = error_of(sink, sent),
		.was_alone = sent->is_alone,
		.key = slice_of(record->key, record->key_size),
		.value = slice_of(record->value, record->value_size),
		.message = sent,
	};

	world_note("sink: ticket %llx of lane %d: %s", (unsigned long long)sent->ticket,
		(int)sent->lane, report.error == NULL ? "delivered" : report.error);
	sink->listener.reported(sink->listener.owner, &report);
	if (sent->fate ==
		FATE_WAITING) { /* told too early: it goes on its way without its report */
		kafka_append_later((int)sent->lane, sent->partition, kafka_record_share(record));
	}
	forget(sent);
}

static void tell_away(struct sink *sink)
{
	if (world.now_ms - sink->away_told_ms >= 1000) {
		sink->away_told_ms = world.now_ms;
		sink->listener.disconnected(
			sink->listener.owner, "_ALL_BROKERS_DOWN", "Kafka is away");
	}
}

bool sink_serve(struct sink *sink)
{
	struct sent *sent;

	if (sink->is_down) {
		return false;
	}
	if (kafka_is_away()) {
		tell_away(sink);
		return false;
	}
	sink->connected_ms = kafka_back_ms();
	write_due(sink);
	for (int i = 0; i < REPORTS_A_SERVE && (sent = take_reported(sink)) != NULL; i++) {
		report(sink, sent);
	}
	if (sink->first != NULL && world_fails(FAULT_PRODUCER_LOST, 1500)) {
		sink->listener.failed(
			sink->listener.owner, "_FATAL", "OUT_OF_ORDER_SEQUENCE_NUMBER");
	}
	return false;
}

/* ---- life */

int sink_new(const struct sink_options *options, struct sink **ret_sink, struct config_error *error)
{
	struct sink *sink = calloc(1, sizeof *sink);

	(void)error;
	if (sink == NULL) {
		return -ENOMEM;
	}
	sink->listener = options->listener;
	sink->end = &sink->first;
	sink->error = "";
	*ret_sink = sink;
	return 0;
}

struct sink *sink_free(struct sink *sink)
{
	if (sink != NULL) {
		throw_away(sink);
		free(sink);
	}
	return NULL;
}

int sink_fd(const struct sink *sink)
{
	(void)sink;
	return -1;
}

void sink_expect_cluster(struct sink *sink, const char *cluster_id)
{
	snprintf(sink->cluster_id, sizeof sink->cluster_id, "%s", cluster_id);
}

int64_t sink_connected_ms(const struct sink *sink)
{
	return sink->connected_ms;
}

int sink_rebuild(struct sink *sink, struct config_error *error)
{
	throw_away(sink);
	if (world_fails(FAULT_SINK_FULL, 50000)) {
		snprintf(error->text, sizeof error->text, "no thread for it");
		sink->is_down = true;
		return -EAGAIN;
	}
	sink->is_down = false;
	return 0;
}

void sink_drop(struct sink *sink)
{
	throw_away(sink);
	sink->is_down = true;
}

/* ---- the watch */

int watch_new(
	const struct watch_options *options, struct watch **ret_watch, struct config_error *error)
{
	struct watch *watch = calloc(1, sizeof *watch);

	(void)options, (void)error;
	if (watch == NULL) {
		return -ENOMEM;
	}
	watch->look_ms = world.now_ms + world_delay(300);
	*ret_watch = watch;
	return 0;
}

struct watch *watch_free(struct watch *watch)
{
	free(watch);
	return NULL;
}

int watch_fd(const struct watch *watch)
{
	(void)watch;
	return -1;
}

bool watch_take(struct watch *watch, struct topics_sight *ret_sight)
{
	if (world.now_ms < watch->look_ms) {
		return false;
	}
	watch->look_ms = world.now_ms + WATCH_MS;
	*ret_sight = (struct topics_sight){
		.began_ms = world.now_ms,
		.is_reached = !kafka_is_away(),
		.why = "Kafka is away",
		.broker_count = 1,
	};
	snprintf(ret_sight->cluster_id, sizeof ret_sight->cluster_id, "%s", kafka_cluster_id());
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		ret_sight->topics[lane].partitions = kafka_partition_count(lane);
	}
	return true;
}

void watch_hurry(struct watch *watch)
{
	int64_t soon_ms = world.now_ms + 20;

	watch->look_ms = watch->look_ms < soon_ms ? watch->look_ms : soon_ms;
}
