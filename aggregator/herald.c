#include "aggregator/herald.h"
#include "runtime/log.h"
#include "runtime/program.h"
#include <inttypes.h>
#include <stdio.h>

/* Once a change, and once more when it turns out what must be mended. */
static void report_reach(struct herald *herald, const struct feed *live)
{
	char quoted[2 * sizeof herald->told_why];
	const struct pipeline *pipeline = live->pipeline;
	const char *why = live->kafka_error;
	bool is_news = live->is_error_telling && strcmp(why, herald->told_why) != 0;
	bool is_changed = !herald->was_reported || pipeline->is_reachable != herald->was_reachable;
	if (!pipeline->has_report || (!is_changed && !is_news)) {
		return;
	}
	if (pipeline->is_reachable) {
		log_line(LOG_INFO, "Kafka answers", "lag=%" PRId64, pipeline_lag(pipeline));
	} else {
		log_line(LOG_WARNING, "Kafka unreachable, answering from the store", "why=%s",
			log_quote(why, strlen(why), quoted, sizeof quoted));
	}
	snprintf(herald->told_why, sizeof herald->told_why, "%s", is_news ? why : "");
	herald->was_reported = true;
	herald->was_reachable = pipeline->is_reachable;
}

static void report_gone(
	struct herald *herald, const struct health *health, const struct feed *feed, int which)
{
	const struct topics *topics = feed != NULL ? &feed->pipeline->options.topics : NULL;
	for (uint32_t topic = 0; topics != NULL && topic < topics->count; topic++) {
		bool is_gone = health_topic_is_gone(health, feed->pipeline, topic);
		bool *was_gone = &herald->was_gone[which][topic];
		if (is_gone && !*was_gone) {
			log_line(LOG_ERROR, "a topic that was read is gone", "topic=\"%s\"%s",
				topics->names[topic], which == 0 ? "" : " of=\"the rebuild\"");
		}
		*was_gone = is_gone;
	}
}

static bool has_gap(const struct pipeline *pipeline, const char *text)
{
	bool has_gap = false;
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		has_gap = has_gap || text_set_have(&pipeline->shards[i]->ledger.gaps, text);
	}
	return has_gap;
}

/* What an operator accepts is done when it was needed and is in the store. */
static void report_accepted(const struct herald *herald, const struct pipeline *pipeline)
{
	const char *const *text = text_set_list(herald->accepted);
	for (; pipeline->is_targeted && *text != NULL; text++) {
		if (has_gap(pipeline, *text)) {
			program_audit_end("accept-gap", *text, "done");
		}
	}
}

void herald_report(struct herald *herald, struct desk *desk)
{
	const struct pipeline *pipeline = desk->live->pipeline;
	report_reach(herald, desk->live);
	report_accepted(herald, pipeline);
	report_gone(herald, &desk->health, desk->live, 0);
	report_gone(herald, &desk->health, desk->shadow, 1);
	if (desk_is_ready(desk) && !herald->was_ready) {
		log_line(LOG_INFO, "answering queries", "commit=%" PRIu64,
			pipeline_commit(pipeline));
		herald->was_ready = true;
	}
}

void herald_replayed(void *owner, const struct pipeline_archive *archive)
{
	char topic[4 * ARCHIVE_TOPIC_SIZE_MAX + 3];
	(void)owner;
	log_line(LOG_INFO, "the archive was read, the log is next",
		"counted=%" PRIu64 " known=%" PRIu64, archive->taken, archive->passed_over);
	if (archive->strange > 0) {
		log_line(LOG_WARNING, "the archive has records of topics that are not read here",
			"records=%" PRIu64 " topic=%s", archive->strange,
			log_quote(archive->strange_topic, strlen(archive->strange_topic), topic,
				sizeof topic));
	}
	program_audit_end("archive", NULL, "done");
}

void herald_notice(void *owner, const char *what, const char *topic, int32_t partition)
{
	(void)owner;
	log_line(LOG_WARNING, what, "topic=\"%s\" partition=%" PRId32, topic, partition);
}

void herald_conflict(
	void *owner, const char *topic, const struct record *record, const struct reading *reading)
{
	char edge[4 * EDGE_ID_SIZE_MAX + 3];
	(void)owner;
	log_line(LOG_ERROR,
		"certificate_conflict: another event was counted under this certificate; this one "
		"is set aside",
		"edge=%s run=%" PRIu64 " kind=%s seq=%" PRIu64 " topic=\"%s\" partition=%" PRId32
		" offset=%" PRId64,
		log_quote((const char *)reading->stream.edge.bytes, reading->stream.edge.size, edge,
			sizeof edge),
		reading->stream.run, stream_kind_name(reading->stream.kind), reading->seq, topic,
		record->partition, record->offset);
}
