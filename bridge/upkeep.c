#include "bridge/upkeep.h"
#include "proto/timestamp.h"
#include "runtime/log.h"
#include "runtime/metrics.h"
#include <stdio.h>
#include <string.h>

void upkeep_init(struct upkeep *upkeep, const struct upkeep_parts *parts, int64_t wall_ms)
{
	*upkeep = (struct upkeep){.parts = *parts, .waiting_since_ms = wall_ms};
	snprintf(upkeep->why, sizeof upkeep->why, "not reached yet");
}

static void set_connected(struct upkeep *upkeep, bool is_connected, const char *why)
{
	snprintf(upkeep->why, sizeof upkeep->why, "%s", why);
	upkeep->parts.reception->is_kafka_away = !is_connected;
	if (upkeep->is_connected == is_connected) {
		return;
	}
	upkeep->is_connected = is_connected;
	upkeep->waiting_since_ms = upkeep->parts.pipeline->wall_ms;
}

/* Once a change, and once more when it turns out what must be mended. */
static void log_connection(struct upkeep *upkeep, bool is_telling)
{
	char quoted[2 * sizeof upkeep->why];
	bool is_news = is_telling && strcmp(upkeep->why, upkeep->told_why) != 0;
	if (upkeep->is_connected == upkeep->is_told_connected && !is_news) {
		return;
	}
	upkeep->is_told_connected = upkeep->is_connected;
	snprintf(upkeep->told_why, sizeof upkeep->told_why, "%s", is_telling ? upkeep->why : "");
	if (upkeep->is_connected) {
		log_line(LOG_INFO, "Kafka answers", "cluster=%s",
			upkeep->parts.reception->cluster_id);
	} else {
		log_line(LOG_WARNING, "Kafka can not be reached; edges keep their events", "why=%s",
			log_quote(upkeep->why, strlen(upkeep->why), quoted, sizeof quoted));
	}
}

void upkeep_delivered(struct upkeep *upkeep)
{
	upkeep->rebuild.wait_ms = 0;
}

void upkeep_producer_failed(struct upkeep *upkeep, const char *error, const char *words)
{
	struct pipeline *pipeline = upkeep->parts.pipeline;
	pipeline->is_producer_lost = true;
	snprintf(pipeline->why, sizeof pipeline->why, "%s: %s", error, words);
}

void upkeep_disconnected(struct upkeep *upkeep, const char *error, const char *words)
{
	char why[LANE_WHY_SIZE];
	snprintf(why, sizeof why, "%s: %s", error, words);
	if (upkeep->is_connected) { /* else the watch knows better why */
		set_connected(upkeep, false, why);
	}
	upkeep->parts.pipeline->is_topic_lost = true;
}

/* The producer is of no use any more: whatever is in flight ends as NACK, and a new one is made, after a while when the
 * last one did not deliver anything either. */
static void drop_producer(struct upkeep *upkeep)
{
	struct pipeline *pipeline = upkeep->parts.pipeline;
	int64_t wait_ms = upkeep->rebuild.wait_ms;
	char quoted[2 * LANE_WHY_SIZE];
	pipeline->is_producer_lost = false;
	metric_add(upkeep->parts.metrics->producer_rebuilds, 1);
	log_line(LOG_WARNING, "the producer failed and is rebuilt", "why=%s",
		log_quote(pipeline->why, strlen(pipeline->why), quoted, sizeof quoted));
	sink_drop(upkeep->parts.sink);
	upkeep->rebuild.is_due = true;
	upkeep->rebuild.at_ms = pipeline->now_ms + wait_ms;
	pipeline_fail_all(pipeline, (uint32_t)wait_ms + 100);
	wait_ms = wait_ms == 0 ? REBUILD_WAIT_MS_MIN : 2 * wait_ms;
	upkeep->rebuild.wait_ms = wait_ms > REBUILD_WAIT_MS_MAX ? REBUILD_WAIT_MS_MAX : wait_ms;
}

static void rebuild_producer(struct upkeep *upkeep)
{
	struct config_error error = {0};
	int r = sink_rebuild(upkeep->parts.sink, &error);
	upkeep->rebuild.is_due = r < 0;
	if (r < 0) {
		upkeep->rebuild.at_ms = upkeep->parts.pipeline->now_ms + REBUILD_WAIT_MS_MAX;
		log_line(LOG_ERROR, "no producer could be made", "why=\"%s\"", error.text);
	}
}

/* Behind a new connection there may be another cluster: until somebody has looked, nothing that was delivered is
 * acknowledged. Its edges would forget events that nobody will find. */
static bool is_in_doubt(const struct upkeep *upkeep)
{
	int64_t connected_ms = sink_connected_ms(upkeep->parts.sink);
	return connected_ms != 0 && connected_ms >= upkeep->sure_ms;
}

static void hurry(struct upkeep *upkeep, int64_t interval_ms)
{
	struct pipeline *pipeline = upkeep->parts.pipeline;
	if (pipeline->now_ms - upkeep->hurry_ms >= interval_ms) {
		pipeline->is_topic_lost = false;
		upkeep->hurry_ms = pipeline->now_ms;
		watch_hurry(upkeep->parts.watch);
	}
}

void upkeep_work(struct upkeep *upkeep)
{
	bool is_doubtful = is_in_doubt(upkeep);
	struct pipeline *pipeline = upkeep->parts.pipeline;
	if (pipeline->is_producer_lost) {
		drop_producer(upkeep);
	}
	if (upkeep->rebuild.is_due && pipeline->now_ms >= upkeep->rebuild.at_ms) {
		rebuild_producer(upkeep);
	}
	if (is_doubtful || pipeline->is_topic_lost) {
		hurry(upkeep, is_doubtful ? DOUBT_INTERVAL_MS : HURRY_INTERVAL_MS);
	}
	rounds_hold_acks(upkeep->parts.rounds, is_doubtful);
}

/* Another cluster at the same address: edges decide for themselves whether they go on with it. */
static void learn_cluster(struct upkeep *upkeep, const char *cluster_id)
{
	char *known = upkeep->parts.reception->cluster_id;
	if (strcmp(known, cluster_id) == 0) {
		return;
	}
	if (known[0] != '\0') {
		log_line(LOG_ERROR, "the brokers are another cluster now", "old=%s new=%s", known,
			cluster_id);
		upkeep_producer_failed(upkeep, "another cluster", cluster_id);
		rounds_end_all(
			upkeep->parts.rounds, BYE_NOT_READY, "the brokers are another cluster now");
	}
	snprintf(known, CLUSTER_ID_SIZE, "%s", cluster_id);
	sink_expect_cluster(upkeep->parts.sink, cluster_id);
}

static void see_lane(struct upkeep *upkeep, const struct topics_sight *sight, enum kind kind)
{
	char words[LANE_WHY_SIZE] = "";
	struct lane *lane = &upkeep->parts.lanes[kind];
	enum topic_state state =
		topic_judge(upkeep->parts.topics, sight, kind, words, sizeof words);
	bool is_usable = topic_state_is_usable(state);
	bool is_news = is_usable ? !lane->is_open || state != upkeep->seen[kind]
				 : strcmp(words, lane->why_closed) != 0;
	upkeep->seen[kind] = state;

	if (is_usable) {
		lane_open(lane, upkeep->parts.pipeline->now_ms);
	} else {
		lane_close(lane, words);
	}
	if (is_news && state != TOPIC_OK) {
		log_line(is_usable ? LOG_WARNING : LOG_ERROR, "a topic is not as it should be",
			"why=\"%s\"", words);
	}
}

/* While Kafka is away every lane waits for the same reason, which was logged. */
static void log_lane(struct upkeep *upkeep, enum kind kind)
{
	const struct lane *lane = &upkeep->parts.lanes[kind];
	bool *is_told = &upkeep->is_wait_told[kind];
	bool is_waiting = lane->waiting_from_ms >= 0;
	if (is_waiting == *is_told || (is_waiting && !upkeep->is_connected)) {
		return;
	}
	*is_told = is_waiting;
	if (is_waiting) {
		log_line(LOG_WARNING, "a lane waits", "lane=%s why=\"%s\"", kind_name(kind),
			lane->why);
	} else {
		log_line(LOG_INFO, "a lane goes on", "lane=%s", kind_name(kind));
	}
}

void upkeep_look_at_lanes(struct upkeep *upkeep)
{
	for (int i = 0; i < LANE_COUNT; i++) {
		const struct lane_sight sight = {
			.now_ms = upkeep->parts.pipeline->now_ms,
			.wall_ms = upkeep->parts.pipeline->wall_ms,
			.is_connected = upkeep->is_connected,
			.is_idle = upkeep->parts.tracker->lane_batches[i] == 0,
		};
		lane_look(&upkeep->parts.lanes[i], &sight);
		log_lane(upkeep, (enum kind)i);
	}
}

void upkeep_see(struct upkeep *upkeep, const struct topics_sight *sight)
{
	if (!sight->is_reached) {
		set_connected(upkeep, false, sight->why);
		log_connection(upkeep, sight->is_telling);
		return;
	}
	learn_cluster(upkeep, sight->cluster_id);
	upkeep->sure_ms = sight->began_ms;
	set_connected(upkeep, true, "");
	log_connection(upkeep, false);
	for (int kind = 0; kind < LANE_COUNT; kind++) {
		see_lane(upkeep, sight, (enum kind)kind);
	}
	upkeep_look_at_lanes(upkeep);
}

static bool describe_lanes(const struct upkeep *upkeep, FILE *out)
{
	char since[TIMESTAMP_TEXT_SIZE];
	bool is_any = false;
	for (int i = 0; i < LANE_COUNT; i++) {
		const struct lane *lane = &upkeep->parts.lanes[i];
		if (lane->waiting_from_ms >= 0) {
			timestamp_format(lane->waiting_since_ms, since);
			fprintf(out, "%s waits since %s: %s\n", kind_name((enum kind)i), since,
				lane->why);
			is_any = true;
		}
	}
	return is_any;
}

bool upkeep_describe(const struct upkeep *upkeep, FILE *out)
{
	char since[TIMESTAMP_TEXT_SIZE];
	if (upkeep->rebuild.is_due) {
		fprintf(out, "broken: no producer: %s\n", upkeep->parts.pipeline->why);
		return false;
	}
	if (!upkeep->is_connected) {
		timestamp_format(upkeep->waiting_since_ms, since);
		fprintf(out, "waiting for Kafka since %s: %s\n", since, upkeep->why);
	} else if (!describe_lanes(upkeep, out)) {
		fputs("ok\n", out);
	}
	return true;
}
