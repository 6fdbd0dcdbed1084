#include "aggregator/log/feed.h"
#include "aggregator/log/replay.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include <errno.h>
#include <stdlib.h>

enum {
	/* The longest that one round reads before whoever asks has a turn, give or take a poll's records at some microseconds each: an
	 * answer waits for it however many records come in. A round costs some microseconds beside. */
	ROUND_US = 250,
	RECORDS_PER_POLL = 32,
	/* librdkafka tells only of the change from empty to not empty: look in any case. */
	SAFETY_POLL_MS = 200,
	/* More to read and no record for so long: librdkafka 2.0 can lose a partition in silence. */
	STALL_MS = 30 * 1000,
	/* A partition that may not be read would have a new client made for every refusal. */
	RESTART_EVERY_MS = 1000,
	CLEAN_END_MS = 3000,
};

static int start(void *owner, uint32_t topic, int32_t partition, int64_t offset)
{
	struct feed *feed = owner;
	return source_start(feed->source, topic, partition, offset);
}

static int ask(void *owner, uint32_t topic, int32_t partition, uint32_t question,
	const int64_t after_ms[PROOF_TIMES])
{
	struct feed *feed = owner;
	return source_question(feed->source, topic, partition, question, after_ms);
}

static void notice(void *owner, const char *what, const char *topic, int32_t partition)
{
	struct feed *feed = owner;
	feed->options.notice(feed->options.owner, what, topic, partition);
}

static void conflict(
	void *owner, const char *topic, const struct record *record, const struct reading *reading)
{
	struct feed *feed = owner;
	feed->options.conflict(feed->options.owner, topic, record, reading);
}

static void row_changed(
	void *owner, uint32_t generation, uint32_t table_id, struct slice key, struct slice longs)
{
	struct feed *feed = owner;
	feed->options.row_changed(feed->options.owner, generation, table_id, key, longs);
}

static void committed(void *owner, int result, int64_t took_us)
{
	struct feed *feed = owner;
	if (feed->source != NULL) {
		source_wake(feed->source); /* reading may have paused for this */
	}
	feed->options.committed(feed->options.owner, result, took_us);
}

static void freezing(void *owner, struct overlay *overlay)
{
	struct feed *feed = owner;
	if (feed->options.freezing != NULL) {
		feed->options.freezing(feed->options.owner, overlay);
	}
}

static bool may_read(const struct feed *feed)
{
	return !feed->is_held && !feed->is_stopping && !pipeline_is_full(feed->pipeline);
}

static uint64_t counted_of(const struct partition *partition)
{
	return partition == NULL ? 0 : partition->seen.fates[FATE_COUNTED];
}

/* Of an event that was counted before, who knows when it could be read first. */
static int take_received(struct feed *feed, const struct record *record)
{
	struct receipt receipt;
	const struct partition *partition =
		pipeline_partition(feed->pipeline, record->topic, record->partition);
	uint64_t before = counted_of(partition);
	int r = pipeline_take(feed->pipeline, record);

	if (!receipt_read(record->receipt, &receipt)) {
		feed->receipts_bad++;
	} else if (counted_of(partition) > before) {
		receipts_note(&feed->receipts, &receipt);
	}
	return r;
}

static int take(void *owner, const struct record *record)
{
	struct feed *feed = owner;
	return record->receipt.size == 0 ? pipeline_take(feed->pipeline, record)
					 : take_received(feed, record);
}

static int end_of(void *owner, uint32_t topic, int32_t partition, int64_t next)
{
	struct feed *feed = owner;
	return pipeline_end(feed->pipeline, topic, partition, next);
}

static int stopped(void *owner, uint32_t topic, int32_t partition, const char *why)
{
	struct feed *feed = owner;
	return pipeline_stopped(feed->pipeline, topic, partition, why);
}

static void tell(void *owner, uint64_t latency_ms, uint64_t count)
{
	struct feed *feed = owner;
	if (feed->options.readable != NULL) {
		feed->options.readable(feed->options.owner, feed->pipeline, latency_ms, count);
	}
}

/* A round's events can be asked for once the loop goes on, which is now; none can before the start is over. */
static void tell_receipts(struct feed *feed)
{
	if (feed->receipts.count > 0 && pipeline_is_caught_up(feed->pipeline)) {
		feed->receipts_ahead += receipts_tell(&feed->receipts, clock_wall_ms(), tell, feed);
	}
}

/* Reads for one round. *ret_took_any: the owner should look. */
static int read_round(struct feed *feed, bool *ret_took_any)
{
	const struct source_sink sink = {take, end_of, stopped, feed};
	int64_t end_us = clock_monotonic_us() + ROUND_US;
	bool is_drained = false;
	int r = 0;

	while (r == 0 && !is_drained && may_read(feed) && !feed->pipeline->must_restart &&
		clock_monotonic_us() < end_us) {
		r = source_poll(feed->source, &sink, RECORDS_PER_POLL, &is_drained);
		*ret_took_any = true;
	}
	if (r == 0 && !is_drained && may_read(feed)) {
		source_wake(feed->source); /* there is more: come again at once */
	}
	return r;
}

static int observe(struct feed *feed, bool *ret_took_any)
{
	struct log_report *report = source_report(feed->source);
	if (report == NULL) {
		return 0;
	}
	*ret_took_any = true;
	snprintf(feed->kafka_error, sizeof feed->kafka_error, "%s",
		report->is_reachable ? "" : report->error);
	feed->is_error_telling = !report->is_reachable && report->is_telling;
	int r = 0;
	if (feed->replay != NULL) {
		r = replay_observe(feed->replay, report);
	} else if (!feed->is_stopping) {
		r = pipeline_observe(feed->pipeline, report);
	}
	log_report_free(report);
	return r;
}

/* The ends as the fetches told them: fresher than the reports. */
static void refresh_ends(struct feed *feed)
{
	for (size_t i = 0; i < feed->pipeline->partition_count; i++) {
		struct partition *partition = feed->pipeline->partitions[i];
		if (partition->state == PARTITION_READING) {
			partition_hear_end(partition,
				source_high(feed->source, partition->topic, partition->number));
		}
	}
}

static int new_source(struct feed *feed, struct config_error *error);

/* Begins reading anew, from the positions, with another client. */
static int restart(struct feed *feed)
{
	struct config_error error = {0};
	loop_remove_fd(feed->options.loop, source_fd(feed->source));
	feed->source = source_free(feed->source, 0);
	feed->restarts++;
	feed->restarted_ms = loop_now_ms(feed->options.loop);
	pipeline_rewind(feed->pipeline);
	return new_source(feed, &error);
}

static int readable(void *owner)
{
	struct feed *feed = owner;
	bool took_any = false;

	source_clear(feed->source);
	feed->polled_ms = loop_now_ms(feed->options.loop);
	feed->pipeline->now_ms = feed->polled_ms;
	int r = observe(feed, &took_any);
	feed->pipeline->must_restart |= source_is_spent(feed->source);
	if (r == 0) {
		r = read_round(feed, &took_any);
	}
	if (r == PIPELINE_E_DECISION || (r == 0 && feed->pipeline->missing.count > 0)) {
		return feed->options.decide(feed->options.owner, feed->pipeline);
	}
	if (r == 0 && took_any) {
		refresh_ends(feed);
		tell_receipts(feed);
		r = feed->options.moved(feed->options.owner);
	}
	return r;
}

static int new_source(struct feed *feed, struct config_error *error)
{
	struct source_options options = {
		.brokers = feed->options.brokers,
		.properties = feed->options.kafka,
	};
	options.topics = feed->options.pipeline.topics;
	int r = source_new(&options, &feed->source, error);
	return r < 0 ? r : loop_add_fd(feed->options.loop, source_fd(feed->source), readable, feed);
}

/* ---- the archive before the log */

static bool may_replay(void *owner)
{
	return may_read(owner);
}

static int replay_moved(void *owner, bool is_over)
{
	struct feed *feed = owner;
	if (is_over) {
		source_ask(feed->source); /* the log is next */
	}
	return feed->options.moved(feed->options.owner);
}

static int replay_failed(void *owner, const char *why)
{
	struct feed *feed = owner;
	return feed->options.replay_failed(feed->options.owner, feed->pipeline, why);
}

static int new_replay(struct feed *feed, struct config_error *error)
{
	const struct replay_options options = {
		.path = feed->options.archive,
		.loop = feed->options.loop,
		.pipeline = feed->pipeline,
		.may_read = may_replay,
		.moved = replay_moved,
		.failed = replay_failed,
		.owner = feed,
	};
	if (options.path == NULL) {
		return 0;
	}
	int r = replay_new(&options, &feed->replay);
	return r < 0 ? config_fail(error, "--archive %s: %s", options.path, strerror(-r)), r : 0;
}

static int replay_step(struct feed *feed, int64_t *ret_wait_ms)
{
	if (feed->replay == NULL) {
		return 0;
	}
	if (replay_archive(feed->replay)->is_over) {
		feed->options.replayed(feed->options.owner, replay_archive(feed->replay));
		feed->replay = replay_free(feed->replay);
		return 0;
	}
	return replay_tick(feed->replay, ret_wait_ms);
}

/* ---- life */

int feed_new(const struct feed_options *options, struct feed **ret_feed, struct config_error *error)
{
	struct feed *feed = calloc(1, sizeof *feed);
	if (feed == NULL) {
		return -ENOMEM;
	}
	feed->options = *options;
	struct pipeline_options pipeline = options->pipeline;
	pipeline.start = start;
	pipeline.ask = ask;
	pipeline.notice = notice;
	pipeline.conflict = conflict;
	pipeline.row_changed = row_changed;
	pipeline.committed = committed;
	pipeline.freezing = freezing;
	pipeline.owner = feed;
	int r = pipeline_new(&pipeline, &feed->pipeline);
	if (r == 0) {
		feed->pipeline->now_ms = loop_now_ms(options->loop);
		r = new_replay(feed, error);
	}
	if (r == 0) {
		r = new_source(feed, error);
	}
	if (r != 0) {
		feed_free(feed);
		return r;
	}
	*ret_feed = feed;
	return 0;
}

static struct feed *end(struct feed *feed, int64_t wait_ms)
{
	if (feed == NULL) {
		return NULL;
	}
	if (feed->source != NULL) {
		loop_remove_fd(feed->options.loop, source_fd(feed->source));
		source_free(feed->source, wait_ms);
	}
	replay_free(feed->replay);
	pipeline_free(feed->pipeline);
	free(feed);
	return NULL;
}

struct feed *feed_free(struct feed *feed)
{
	return end(feed, CLEAN_END_MS);
}

struct feed *feed_leave(struct feed *feed)
{
	return end(feed, 0);
}

int feed_tick(struct feed *feed, int64_t now_ms, int64_t *ret_wait_ms)
{
	int r = pipeline_tick(feed->pipeline, now_ms, ret_wait_ms);
	if (r < 0) {
		return r;
	}
	if (!may_read(feed)) {
		pipeline_excuse(feed->pipeline, true);
	}
	r = replay_step(feed, ret_wait_ms);
	if (r < 0) {
		return r;
	}
	if (feed->pipeline->must_restart && !feed->is_stopping &&
		now_ms - feed->restarted_ms >= RESTART_EVERY_MS) {
		return restart(feed);
	}
	if (!feed->is_stopping && pipeline_stalled(feed->pipeline, STALL_MS) != NULL) {
		const struct partition *partition = pipeline_stalled(feed->pipeline, STALL_MS);
		notice(feed, "no progress, reading begins anew",
			feed->options.pipeline.topics.names[partition->topic], partition->number);
		return restart(feed);
	}
	if (now_ms - feed->polled_ms >= SAFETY_POLL_MS) {
		source_wake(feed->source);
	}
	if (*ret_wait_ms > SAFETY_POLL_MS) {
		*ret_wait_ms = SAFETY_POLL_MS;
	}
	return 0;
}
