#include "aggregator/desk/health.h"
#include "aggregator/desk/bridge_answer.h"
#include <inttypes.h>
#include <stdarg.h>

static bool is_broken(const struct health *health)
{
	const struct pipeline *pipeline = health->live->pipeline;
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		if (pipeline->shards[i]->is_broken || pipeline->shards[i]->is_full ||
			pipeline->shards[i]->ledger.streams_quarantined.count > 0 ||
			pipeline->shards[i]->ledger.sources_truncated.count > 0) {
			return true;
		}
	}
	return health->check_error[0] != '\0' || health->scrub_error[0] != '\0';
}

const char *health_state(const struct health *health)
{
	if (is_broken(health)) {
		return "broken";
	}
	if (!health->is_ready) {
		return "starting";
	}
	return health->shadow != NULL && !health->is_staged ? "rebuilding" : "serving";
}

__attribute__((format(printf, 2, 3))) static void say(
	struct text_set *problems, const char *format, ...)
{
	char text[1024];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	(void)text_set_add(problems, text); /* past TEXT_SET_MAX enough was said */
}

static void say_of_shard(
	const struct shard *shard, size_t index, const char *who, struct text_set *problems)
{
	if (shard->is_broken) {
		say(problems, "%sbroken: shard %zu: %s; run with --rebuild", who, index,
			shard->broken_why);
	}
	if (shard->is_full) {
		say(problems,
			"%sdisk full: shard %zu can't write commit %" PRIu64
			"; reading pauses, answers go on",
			who, index, shard->frozen.number);
	}
	const char *const *name = text_set_list(&shard->ledger.streams_quarantined);
	for (; *name != NULL; name++) {
		say(problems,
			"%squarantine: stream %s has more than %d gaps; its records are set aside",
			who, *name, COUNTED_INTERVALS_MAX);
	}
	for (name = text_set_list(&shard->ledger.sources_truncated); *name != NULL; name++) {
		say(problems,
			"%struncated: the table behind source %s was truncated, and what was "
			"counted of it is counted still: its topic has several partitions, or its "
			"database is not PostgreSQL, so that nobody knows which rows were there; "
			"have the connector take a snapshot into a new topic of one partition (or "
			"set skipped.operations=t there, and empty the table by DELETE), name that "
			"in [source.%s] alone, and run with --rebuild",
			who, *name, *name);
	}
	for (name = text_set_list(&shard->ledger.streams_in_conflict); *name != NULL; name++) {
		say(problems,
			"certificate_conflict: stream %s has two events under one certificate; "
			"the second ones are set aside",
			*name);
	}
}

bool health_topic_is_gone(
	const struct health *health, const struct pipeline *pipeline, uint32_t topic)
{
	const struct pipeline *live = health->live->pipeline;
	bool was_read = false;
	for (size_t i = 0; i < live->partition_count; i++) {
		const struct partition *partition = live->partitions[i];
		was_read |= partition->topic == topic && partition->position.next > 0;
	}
	return was_read && pipeline->is_gone[topic];
}

static void say_of_partition(const struct partition *partition, const char *topic, const char *who,
	struct text_set *problems)
{
	if (partition_is_held(partition)) {
		say(problems,
			"%s%s/%" PRId32 " stands at %" PRId64
			": an open transaction of another producer holds up %" PRId64 " records",
			who, topic, partition->number, partition->position.next,
			partition_lag(partition));
	}
	if (partition->why[0] != '\0') {
		say(problems, "%s%s/%" PRId32 " is not read: %s", who, topic, partition->number,
			partition->why);
	}
}

/* What the log does not give, to either of the two: `who` is "" or "rebuild: ". */
static void say_of_log(const struct health *health, const struct pipeline *pipeline,
	const char *who, struct text_set *problems)
{
	const struct topics *topics = &pipeline->options.topics;
	for (uint32_t topic = 0; topic < topics->count; topic++) {
		if (health_topic_is_gone(health, pipeline, topic)) {
			say(problems, "%stopic %s is gone; what was read of it is counted", who,
				topics->names[topic]);
		}
	}
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		say_of_partition(pipeline->partitions[i],
			topics->names[pipeline->partitions[i]->topic], who, problems);
	}
}

static void say_of_kafka(const struct health *health, const struct feed *feed, const char *who,
	struct text_set *problems)
{
	const struct pipeline *pipeline = feed->pipeline;
	if (pipeline->has_report && !pipeline->is_reachable) {
		say(problems, "%sKafka unreachable: %s; answering from the store", who,
			feed->kafka_error);
	}
	say_of_log(health, pipeline, who, problems);
}

void health_problems(const struct health *health, struct text_set *problems)
{
	const struct pipeline *pipeline = health->live->pipeline;
	const char *who = health->is_staged ? "staged: " : "rebuild: ";
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		say_of_shard(pipeline->shards[i], i, "", problems);
	}
	for (size_t i = 0; health->shadow != NULL && i < health->shadow->pipeline->shard_count;
		i++) {
		say_of_shard(health->shadow->pipeline->shards[i], i, who, problems);
	}
	if (health->check_error[0] != '\0') {
		say(problems, "self-check failed: %s", health->check_error);
	}
	if (health->scrub_error[0] != '\0') {
		say(problems, "corrupt: %s; run with --rebuild", health->scrub_error);
	}
	say_of_kafka(health, health->live, "", problems);
	if (health->shadow != NULL) {
		say_of_kafka(health, health->shadow, who, problems);
	}
	bridge_problems(health->bridges, health->now_ms, problems);
}

bool health_write(const struct health *health, FILE *out)
{
	struct text_set problems = {0};
	health_problems(health, &problems);
	for (const char *const *text = text_set_list(&problems); *text != NULL; text++) {
		fprintf(out, "%s\n", *text);
	}
	if (!health->is_ready) {
		fprintf(out,
			"starting: catching up with what the log held at start, %" PRId64
			" records to go\n",
			pipeline_lag(health->live->pipeline));
	}
	if (health->shadow != NULL) {
		fprintf(out, "%s: %.1f %%\n", health->is_staged ? "staging" : "rebuilding",
			100 * health->rebuild_progress);
	}
	if (problems.count == 0 && health->is_ready) {
		fprintf(out, "ok\n");
	}
	text_set_deinit(&problems);
	return health->is_ready && !is_broken(health);
}
