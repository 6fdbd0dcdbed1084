#include "aggregator/gauges.h"
#include "aggregator/view_gauges.h"
#include "runtime/metrics.h"
#include <errno.h>
#include <stdlib.h>

enum {
	SERIES_MAX = 256, /* of (query, code): both come from short lists */
	LABELS_SIZE = 512,
};

/* Counters of one partition, kept when the pipeline changes. */
struct partition_series {
	uint32_t topic;
	int32_t number;
	struct metric *read, *lag, *skipped;
	uint64_t told, skipped_told; /* of the pipeline's `seen` and `skipped` */
};

struct query_series {
	char query[16], code[32];
	struct metric *metric;
};

struct kind_series {
	struct metric *counted, *rejected, *duplicates;
	struct tally told;
};

struct change_series {
	struct metric *counted, *corrected, *taken_back;
	struct change_tally told;
};

struct gauges {
	struct metrics *metrics;
	void (*look)(void *owner, struct gauges_view *ret_view);
	void *owner;
	const struct pipeline *told_of; /* whose `seen` the told values are of */
	struct partition_series *partitions;
	size_t partition_count;
	struct kind_series kinds[STREAM_KIND_COUNT];
	struct change_series changes[KIND_EVENT_COUNT];
	struct metric *foreign, *unreadable, *conflicts, *uncompared;
	uint64_t foreign_told, unreadable_told, conflicts_told, uncompared_told;
	struct metric *basket_lines, *late_lines, *closed_baskets, *open_baskets, *overdue_baskets;
	struct basket_books baskets_told;
	struct query_series queries[SERIES_MAX];
	size_t query_count;
	struct metric *commits, *commit_seconds, *query_seconds, *check_failures, *lost, *restarts;
	uint64_t restarts_told;
	struct metric *tops_by_leaders, *tops_by_walk;
	struct top_tally tops_told;
	struct metric *overlay_bytes, *overlay_events, *uncommitted, *quarantined;
	struct view_gauges *views;
	struct metric *receipts_bad, *receipts_ahead;
	uint64_t receipts_bad_told, receipts_ahead_told;
	struct metric *rebuild_progress, *store_bytes, *disk_room, *waiting, *reachable, *forgotten;
};

static const double commit_bounds[] = {0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30};
static const double query_bounds[] = {
	0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1};

static struct metric *gauge(struct gauges *gauges, const char *name, const char *help)
{
	return metrics_add(gauges->metrics, METRIC_GAUGE, name, "", help);
}

static struct metric *counter(
	struct gauges *gauges, const char *name, const char *labels, const char *help)
{
	return metrics_add(gauges->metrics, METRIC_COUNTER, name, labels, help);
}

static void add_kinds(struct gauges *gauges)
{
	for (uint32_t kind = 0; kind < STREAM_KIND_COUNT; kind++) {
		struct kind_series *series = &gauges->kinds[kind];
		const char *name = stream_kind_name(kind);
		char labels[LABELS_SIZE];
		metrics_label(labels, sizeof labels, "kind", name, strlen(name));
		series->counted = counter(gauges, "till_aggregator_counted_total", labels,
			"Events counted, each once.");
		series->rejected = counter(gauges, "till_aggregator_rejected_total", labels,
			"Markers of events that a bridge refused.");
		series->duplicates = counter(gauges, "till_aggregator_duplicates_total", labels,
			"Records whose certificate was counted or rejected before.");
	}
}

static struct metric *change_counter(struct gauges *gauges, int kind, const char *effect)
{
	char labels[LABELS_SIZE];

	snprintf(labels, sizeof labels, "kind=\"%s\",effect=\"%s\"", kind_name((enum kind)kind),
		effect);
	return counter(gauges, "till_aggregator_row_changes_total", labels,
		"Changes of rows of a database: counted, corrected, taken back.");
}

static void add_changes(struct gauges *gauges)
{
	for (int kind = 0; kind < KIND_EVENT_COUNT; kind++) {
		gauges->changes[kind] = (struct change_series){
			.counted = change_counter(gauges, kind, "counted"),
			.corrected = change_counter(gauges, kind, "corrected"),
			.taken_back = change_counter(gauges, kind, "taken_back"),
		};
	}
}

static struct metric *top_counter(struct gauges *gauges, const char *by)
{
	char labels[LABELS_SIZE];

	metrics_label(labels, sizeof labels, "by", by, strlen(by));
	return counter(gauges, "till_aggregator_top_answers_total", labels,
		"Answers to top: out of the rows that lead, or by a walk over all rows.");
}

static void add_counters(struct gauges *gauges)
{
	add_kinds(gauges);
	add_changes(gauges);
	gauges->foreign = counter(gauges, "till_aggregator_foreign_total", "",
		"Records without a certificate of ours.");
	gauges->unreadable = counter(
		gauges, "till_aggregator_unreadable_total", "", "Records put into quarantine.");
	gauges->conflicts = counter(gauges, "till_aggregator_certificate_conflicts_total", "",
		"Records under whose certificate another event was counted.");
	gauges->uncompared = counter(gauges, "till_aggregator_duplicates_uncompared_total", "",
		"Duplicates whose first record is too old to be compared with.");
	gauges->basket_lines = counter(gauges, "till_aggregator_basket_lines_total", "",
		"Orders' lines that are in a basket.");
	gauges->late_lines = counter(gauges, "till_aggregator_basket_lines_late_total", "",
		"Orders' lines whose basket had closed.");
	gauges->closed_baskets =
		counter(gauges, "till_aggregator_baskets_closed_total", "", "Baskets that closed.");
	gauges->commits = counter(
		gauges, "till_aggregator_commits_total", "", "Transactions written to the store.");
	gauges->commit_seconds = metrics_add_histogram(gauges->metrics,
		"till_aggregator_commit_seconds", "", "How long a transaction took.", commit_bounds,
		sizeof commit_bounds / sizeof *commit_bounds);
	gauges->query_seconds = metrics_add_histogram(gauges->metrics,
		"till_aggregator_query_seconds", "", "How long an answer took to make.",
		query_bounds, sizeof query_bounds / sizeof *query_bounds);
	gauges->tops_by_leaders = top_counter(gauges, "leaders");
	gauges->tops_by_walk = top_counter(gauges, "walk");
	gauges->check_failures = counter(gauges, "till_aggregator_self_check_failures_total", "",
		"Self-checks and scrubs that found a mismatch.");
	gauges->lost = counter(gauges, "till_aggregator_replies_lost_total", "",
		"Replies that their peer did not take.");
	gauges->restarts = counter(gauges, "till_aggregator_reader_restarts_total", "",
		"Times that reading began anew with another client.");
	gauges->receipts_bad = counter(gauges, "till_aggregator_receipts_bad_total", "",
		"Records whose header does not say when they were received.");
	gauges->receipts_ahead = counter(gauges, "till_aggregator_receipts_ahead_total", "",
		"Events received later than now by the bridge's clock; their latency counts as 0.");
}

static void add_gauges(struct gauges *gauges)
{
	gauges->overlay_bytes = gauge(gauges, "till_aggregator_overlay_bytes",
		"Memory of changes that are not yet frozen.");
	gauges->overlay_events = gauge(gauges, "till_aggregator_overlay_events",
		"Events in changes that are not yet frozen.");
	gauges->uncommitted = gauge(gauges, "till_aggregator_uncommitted_events",
		"Events counted and not yet on disk; Kafka has them.");
	gauges->quarantined = gauge(gauges, "till_aggregator_streams_quarantined",
		"Streams with more gaps than a counted set may have.");
	gauges->rebuild_progress = gauge(gauges, "till_aggregator_rebuild_progress_ratio",
		"How far a rebuild has come; 1 without one.");
	gauges->store_bytes =
		gauge(gauges, "till_aggregator_store_bytes", "Size of the store's files.");
	gauges->disk_room = gauge(gauges, "till_aggregator_disk_room_bytes",
		"What the store's file system has left; -1 where it does not say.");
	gauges->open_baskets = gauge(gauges, "till_aggregator_baskets_open",
		"Baskets that may still have lines to come.");
	gauges->overdue_baskets = gauge(gauges, "till_aggregator_baskets_overdue",
		"Open baskets that wait for a record in their quiet partition to be closed, at "
		"most.");
	gauges->waiting = gauge(
		gauges, "till_aggregator_queries_waiting", "Queries that wait for fresher totals.");
	gauges->forgotten = gauge(gauges, "till_aggregator_users_forgotten",
		"Users whose events are in no row under their name.");
	gauges->reachable =
		gauge(gauges, "till_aggregator_kafka_reachable", "1 while Kafka answers, else 0.");
}

static struct partition_series *series_of(
	struct gauges *gauges, const struct pipeline *pipeline, const struct partition *partition)
{
	char labels[LABELS_SIZE];
	for (size_t i = 0; i < gauges->partition_count; i++) {
		struct partition_series *series = &gauges->partitions[i];
		if (series->topic == partition->topic && series->number == partition->number) {
			return series;
		}
	}
	struct partition_series *grown =
		realloc(gauges->partitions, (gauges->partition_count + 1) * sizeof *grown);
	if (grown == NULL) {
		return NULL;
	}
	gauges->partitions = grown;
	const char *topic = pipeline->options.topics.names[partition->topic];
	int length = metrics_label(labels, sizeof labels, "topic", topic, strlen(topic));
	snprintf(labels + length, sizeof labels - (size_t)length, ",partition=\"%d\"",
		(int)partition->number);
	struct partition_series *series = &grown[gauges->partition_count++];
	*series = (struct partition_series){
		.topic = partition->topic,
		.number = partition->number,
		.read = counter(gauges, "till_aggregator_records_read_total", labels,
			"Records read from a partition."),
		.skipped = counter(gauges, "till_aggregator_offsets_skipped_total", labels,
			"Offsets that had no record."),
		.lag = metrics_add(gauges->metrics, METRIC_GAUGE, "till_aggregator_lag_records",
			labels, "Records that Kafka reported and that are not yet applied."),
	};
	return series;
}

static void raise_counter(struct metric *metric, uint64_t *told, uint64_t seen)
{
	metric_add(metric, (double)(seen - *told));
	*told = seen;
}

/* The other pipeline began at 0 when it was made, and nothing of it was told. */
static void begin_anew(struct gauges *gauges, const struct pipeline *pipeline)
{
	for (size_t i = 0; i < gauges->partition_count; i++) {
		gauges->partitions[i].told = 0;
		gauges->partitions[i].skipped_told = 0;
	}
	for (int kind = 0; kind < STREAM_KIND_COUNT; kind++) {
		gauges->kinds[kind].told = (struct tally){0};
	}
	for (int kind = 0; kind < KIND_EVENT_COUNT; kind++) {
		gauges->changes[kind].told = (struct change_tally){0};
	}
	gauges->foreign_told = 0;
	gauges->unreadable_told = 0;
	gauges->conflicts_told = 0;
	gauges->uncompared_told = 0;
	gauges->restarts_told = 0;
	gauges->receipts_bad_told = gauges->receipts_ahead_told = 0;
	gauges->baskets_told = (struct basket_books){0};
	gauges->told_of = pipeline;
}

static void collect_partitions(struct gauges *gauges, const struct pipeline *pipeline)
{
	uint64_t foreign = 0, unreadable = 0;
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		const struct partition *partition = pipeline->partitions[i];
		struct partition_series *series = series_of(gauges, pipeline, partition);
		if (series != NULL) {
			raise_counter(series->read, &series->told, partition->seen.read);
			raise_counter(series->skipped, &series->skipped_told, partition->skipped);
			metric_set(series->lag, (double)partition_lag(partition));
		}
		foreign += partition->seen.fates[FATE_FOREIGN];
		unreadable += partition->seen.fates[FATE_UNREADABLE];
	}
	raise_counter(gauges->foreign, &gauges->foreign_told, foreign);
	raise_counter(gauges->unreadable, &gauges->unreadable_told, unreadable);
}

static void collect_kinds(struct gauges *gauges, const struct pipeline *pipeline)
{
	for (int kind = 0; kind < STREAM_KIND_COUNT; kind++) {
		struct kind_series *series = &gauges->kinds[kind];
		struct tally seen = {0};
		for (size_t i = 0; i < pipeline->shard_count; i++) {
			const struct tally *tally = &pipeline->shards[i]->seen[kind];
			seen.accepted += tally->accepted;
			seen.rejected += tally->rejected;
			seen.duplicates += tally->duplicates;
		}
		raise_counter(series->counted, &series->told.accepted, seen.accepted);
		raise_counter(series->rejected, &series->told.rejected, seen.rejected);
		raise_counter(series->duplicates, &series->told.duplicates, seen.duplicates);
	}
}

static void collect_changes(struct gauges *gauges, const struct pipeline *pipeline)
{
	for (int kind = 0; kind < KIND_EVENT_COUNT; kind++) {
		struct change_series *series = &gauges->changes[kind];
		struct change_tally seen = {0};
		for (size_t i = 0; i < pipeline->shard_count; i++) {
			const struct change_tally *tally = &pipeline->shards[i]->changes_seen[kind];
			seen.counted += tally->counted;
			seen.corrected += tally->corrected;
			seen.taken_back += tally->taken_back;
		}
		raise_counter(series->counted, &series->told.counted, seen.counted);
		raise_counter(series->corrected, &series->told.corrected, seen.corrected);
		raise_counter(series->taken_back, &series->told.taken_back, seen.taken_back);
	}
}

static void collect_shards(struct gauges *gauges, const struct pipeline *pipeline)
{
	double bytes = 0, events = 0, uncommitted = 0, quarantined = 0;
	uint64_t conflicts = 0, uncompared = 0;
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		const struct shard *shard = pipeline->shards[i];
		bytes += (double)shard_bytes(shard);
		events += (double)overlay_event_count(shard->active.overlay);
		uncommitted += (double)shard_uncommitted(shard);
		quarantined += (double)shard->ledger.streams_quarantined.count;
		conflicts += shard->conflicts;
		uncompared += shard->uncompared;
	}
	raise_counter(gauges->conflicts, &gauges->conflicts_told, conflicts);
	raise_counter(gauges->uncompared, &gauges->uncompared_told, uncompared);
	metric_set(gauges->overlay_bytes, bytes);
	metric_set(gauges->overlay_events, events);
	metric_set(gauges->uncommitted, uncommitted);
	metric_set(gauges->quarantined, quarantined);
}

static void collect_baskets(struct gauges *gauges, const struct pipeline *pipeline, int64_t wall_ms)
{
	struct basket_books books, seen, *told = &gauges->baskets_told;

	pipeline_baskets(pipeline, &books, &seen);
	raise_counter(gauges->basket_lines, &told->lines, seen.lines);
	raise_counter(gauges->late_lines, &told->late, seen.late);
	raise_counter(gauges->closed_baskets, &told->closed, seen.closed);
	metric_set(gauges->open_baskets, (double)(books.opened - books.closed));
	metric_set(gauges->overdue_baskets, (double)pipeline_baskets_overdue(pipeline, wall_ms));
}

static void collect(void *owner)
{
	struct gauges *gauges = owner;
	struct gauges_view view = {0};
	gauges->look(gauges->owner, &view);
	const struct pipeline *pipeline = view.live->pipeline;
	if (gauges->told_of != pipeline) {
		begin_anew(gauges, pipeline);
	}
	collect_partitions(gauges, pipeline);
	collect_kinds(gauges, pipeline);
	collect_changes(gauges, pipeline);
	collect_shards(gauges, pipeline);
	collect_baskets(gauges, pipeline, view.wall_ms);
	view_gauges_set(gauges->views, pipeline);
	raise_counter(gauges->tops_by_leaders, &gauges->tops_told.by_leaders, view.tops.by_leaders);
	raise_counter(gauges->tops_by_walk, &gauges->tops_told.by_walk, view.tops.by_walk);
	raise_counter(gauges->restarts, &gauges->restarts_told, view.live->restarts);
	raise_counter(gauges->receipts_bad, &gauges->receipts_bad_told, view.live->receipts_bad);
	raise_counter(
		gauges->receipts_ahead, &gauges->receipts_ahead_told, view.live->receipts_ahead);
	metric_set(gauges->rebuild_progress, view.shadow == NULL ? 1 : view.rebuild_progress);
	metric_set(gauges->store_bytes, (double)view.store_bytes);
	metric_set(gauges->disk_room, (double)view.disk_room);
	metric_set(gauges->waiting, (double)view.waiting);
	metric_set(gauges->forgotten, (double)view.forgotten);
	metric_set(gauges->reachable, pipeline->is_reachable);
}

int gauges_new(struct metrics *metrics, void (*look)(void *owner, struct gauges_view *ret_view),
	void *owner, struct gauges **ret_gauges)
{
	struct gauges *gauges = calloc(1, sizeof *gauges);
	if (gauges == NULL) {
		return -ENOMEM;
	}
	gauges->metrics = metrics;
	gauges->look = look;
	gauges->owner = owner;
	gauges->views = view_gauges_new(metrics);
	if (gauges->views == NULL) {
		gauges_free(gauges);
		return -ENOMEM;
	}
	add_counters(gauges);
	add_gauges(gauges);
	metrics_on_collect(metrics, collect, gauges);
	*ret_gauges = gauges;
	return 0;
}

struct gauges *gauges_free(struct gauges *gauges)
{
	if (gauges != NULL) {
		view_gauges_free(gauges->views);
		free(gauges->partitions);
		free(gauges);
	}
	return NULL;
}

void gauges_committed(struct gauges *gauges, int64_t took_us)
{
	metric_add(gauges->commits, 1);
	metric_observe(gauges->commit_seconds, (double)took_us / 1e6);
}

static struct metric *query_metric(struct gauges *gauges, const char *query, const char *code)
{
	char labels[LABELS_SIZE];
	for (size_t i = 0; i < gauges->query_count; i++) {
		const struct query_series *series = &gauges->queries[i];
		if (strcmp(series->query, query) == 0 && strcmp(series->code, code) == 0) {
			return series->metric;
		}
	}
	if (gauges->query_count == SERIES_MAX) {
		return NULL;
	}
	struct query_series *series = &gauges->queries[gauges->query_count++];
	snprintf(series->query, sizeof series->query, "%s", query);
	snprintf(series->code, sizeof series->code, "%s", code);
	snprintf(labels, sizeof labels, "query=\"%s\",code=\"%s\"", series->query, series->code);
	series->metric = counter(
		gauges, "till_aggregator_queries_total", labels, "Queries answered, by result.");
	return series->metric;
}

void gauges_answered(struct gauges *gauges, const char *query, const char *code, int64_t took_us)
{
	metric_add(query_metric(gauges, query, code), 1);
	metric_observe(gauges->query_seconds, (double)took_us / 1e6);
}

void gauges_reply_lost(struct gauges *gauges)
{
	metric_add(gauges->lost, 1);
}

void gauges_check_failed(struct gauges *gauges)
{
	metric_add(gauges->check_failures, 1);
}
