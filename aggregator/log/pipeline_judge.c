#include "aggregator/log/pipeline_judge.h"
#include "aggregator/books/gap.h"
#include <errno.h>

enum { SHORT_REPORTS = 3 }; /* about as many seconds */

static bool owns(const struct pipeline *pipeline, int32_t number)
{
	const struct pipeline_options *options = &pipeline->options;
	return options->owns_all || (number < OWN_MAX && options->owned[number]);
}

bool pipeline_owns(const struct pipeline *pipeline, int32_t number)
{
	return owns(pipeline, number);
}

/* The store says from now on that this is missing; in every shard, for a shard may be all that is left to ask. */
static int keep_gap(struct pipeline *pipeline, const char *text)
{
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		int r = text_set_add(&pipeline->shards[i]->ledger.gaps, text);
		if (r < 0 && r != -ENOSPC) {
			return r;
		}
		shard_touch(pipeline->shards[i], pipeline->now_ms);
	}
	return 0;
}

int pipeline_keep_gap(struct pipeline *pipeline, const char *text)
{
	return keep_gap(pipeline, text);
}

static bool all_have_gap(const struct pipeline *pipeline, const char *text)
{
	bool all = true;
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		all = all && text_set_have(&pipeline->shards[i]->ledger.gaps, text);
	}
	return all;
}

/* 0 and whether to go on: an operator gave exactly this text. */
static int ask_operator(struct pipeline *pipeline, const char *text, bool *ret_is_accepted)
{
	*ret_is_accepted = text_set_have(pipeline->options.accepted, text);
	if (*ret_is_accepted) {
		return keep_gap(pipeline, text);
	}
	int r = text_set_add(&pipeline->missing, text);
	return r == -ENOSPC ? 0 : r;
}

int pipeline_ask_former(struct pipeline *shadow, const struct pipeline *live)
{
	struct text_set gaps = {0};
	int r = pipeline_gaps(live, &gaps);
	for (const char *const *text = text_set_list(&gaps); *text != NULL && r == 0; text++) {
		bool is_accepted = false;
		if (gap_is_of_a_whole(*text) && !all_have_gap(shadow, *text)) {
			r = ask_operator(shadow, *text, &is_accepted);
		}
	}
	text_set_deinit(&gaps);
	return r == 0 && shadow->missing.count > 0 ? PIPELINE_E_DECISION : r;
}

static void reset(struct pipeline *pipeline, struct partition *partition, int64_t next)
{
	partition->position.next = next;
	partition->position.anchor = partition->position.candidate = partition->position.last =
		POSITION_START.anchor;
	partition->proof = (struct proof){0};
	partition->high = -1;
	partition->target = -1;
	if (partition->state == PARTITION_READING || partition->state == PARTITION_CHECKING) {
		partition->state = PARTITION_STOPPED;
		pipeline->must_restart = true;
	}
	pipeline_touch(pipeline, partition);
}

/* What was accepted before is used up: the same words would let the next one pass unseen. */
static void name_recreated(
	const struct pipeline *pipeline, uint32_t topic, char text[GAP_TEXT_SIZE])
{
	unsigned time = 1;
	gap_of_topic(pipeline->options.topics.names[topic], time, text);
	while (time <= TEXT_SET_MAX && all_have_gap(pipeline, text)) {
		gap_of_topic(pipeline->options.topics.names[topic], ++time, text);
	}
}

int pipeline_judge_recreated(struct pipeline *pipeline, uint32_t topic)
{
	char text[GAP_TEXT_SIZE];
	bool is_accepted = false;

	name_recreated(pipeline, topic, text);
	int r = ask_operator(pipeline, text, &is_accepted);
	if (r < 0 || !is_accepted) {
		return r;
	}
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		struct partition *partition = pipeline->partitions[i];
		if (partition->topic == topic) {
			reset(pipeline, partition, 0);
			pipeline->must_restart |= partition->state == PARTITION_STOPPED;
		}
	}
	return 0;
}

/* Another cluster has other records at the same offsets: all of the shard's partitions begin anew. */
static int judge_cluster(struct pipeline *pipeline, size_t index, const char *cluster_id)
{
	struct ledger *ledger = &pipeline->shards[index]->ledger;
	char text[GAP_TEXT_SIZE];
	bool is_accepted = true;
	int r = 0;

	if (strcmp(ledger->cluster_id, cluster_id) == 0) {
		return 0;
	}
	if (ledger->cluster_id[0] != '\0') {
		gap_of_cluster(ledger->cluster_id, cluster_id, text);
		r = ask_operator(pipeline, text, &is_accepted);
		if (r < 0 || !is_accepted) {
			return r;
		}
		for (size_t i = 0; i < pipeline->by_shard_count[index]; i++) {
			reset(pipeline, pipeline->by_shard[index][i], 0);
		}
	}
	snprintf(ledger->cluster_id, sizeof ledger->cluster_id, "%s", cluster_id);
	shard_touch(pipeline->shards[index], pipeline->now_ms);
	return 0;
}

static int learn_partitions(
	struct pipeline *pipeline, const struct log_report *report, uint32_t topic)
{
	int r = 0;
	for (int32_t i = 0; i < report->partition_counts[topic] && r == 0; i++) {
		struct partition *partition = pipeline_partition(pipeline, topic, i);
		if (partition == NULL && owns(pipeline, i)) {
			r = pipeline_add_partition(pipeline, topic, i, &partition);
		}
	}
	return r;
}

static void note_short(struct pipeline *pipeline, const struct log_report *report, uint32_t topic)
{
	int32_t count = report->partition_counts[topic];
	bool is_short = count == 0;
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		const struct partition *partition = pipeline->partitions[i];
		is_short |= partition->topic == topic && partition->number >= count &&
			    partition->position.next > 0;
	}
	pipeline->short_reports[topic] = is_short ? pipeline->short_reports[topic] + 1 : 0;
	pipeline->is_gone[topic] = count == 0 && pipeline->short_reports[topic] >= SHORT_REPORTS;
}

/* Kafka takes no partition away: fewer than were read are those of another topic. */
static int judge_count(struct pipeline *pipeline, const struct log_report *report, uint32_t topic)
{
	bool is_short = report->partition_counts[topic] > 0 &&
			pipeline->short_reports[topic] >= SHORT_REPORTS;
	return is_short ? pipeline_judge_recreated(pipeline, topic) : 0;
}

/* The partition's watermarks; NULL when they are not known, or when it is none of ours. */
static const struct watermarks *marks_of(const struct pipeline *pipeline,
	const struct log_report *report, const struct partition *partition)
{
	if (partition->number >= report->partition_counts[partition->topic] ||
		!owns(pipeline, partition->number)) {
		return NULL;
	}
	const struct watermarks *marks = &report->partitions[partition->topic][partition->number];
	return marks->low < 0 || marks->high < 0 ? NULL : marks;
}

static int judge_partition(
	struct pipeline *pipeline, struct partition *partition, const struct watermarks *marks)
{
	char text[GAP_TEXT_SIZE];
	bool is_accepted = false;
	int64_t offset = 0;
	int r = 0;

	switch (position_judge(&partition->position, marks->low, marks->high, &offset)) {
	case POSITION_RECREATED:
		r = pipeline_judge_recreated(pipeline, partition->topic);
		if (r < 0 || partition->position.next > 0) {
			return r;
		}
		break; /* accepted: it begins anew, maybe with a gap of its own */
	case POSITION_MISSING:
		break;
	default:
		return 0;
	}
	if (marks->low <= partition->position.next) {
		return 0;
	}
	gap_of_offsets(pipeline->options.topics.names[partition->topic], partition->number,
		partition->position.next, marks->low - 1, text);
	r = ask_operator(pipeline, text, &is_accepted);
	if (r == 0 && is_accepted) {
		reset(pipeline, partition, marks->low);
	}
	return r;
}

static int judge(struct pipeline *pipeline, const struct log_report *report)
{
	int r = 0;
	for (size_t i = 0; i < pipeline->shard_count && r == 0; i++) {
		r = judge_cluster(pipeline, i, report->cluster_id);
	}
	if (pipeline->missing.count > 0) {
		return r; /* another cluster's topics are other topics: nothing is to be said of each */
	}
	for (uint32_t topic = 0; topic < pipeline->options.topics.count && r == 0; topic++) {
		r = judge_count(pipeline, report, topic);
		if (r == 0) {
			r = learn_partitions(pipeline, report, topic);
		}
	}
	for (size_t i = 0; i < pipeline->partition_count && r == 0; i++) {
		struct partition *partition = pipeline->partitions[i];
		const struct watermarks *marks = marks_of(pipeline, report, partition);
		if (marks != NULL && partition->state == PARTITION_WAITING) {
			r = judge_partition(pipeline, partition, marks);
		}
	}
	return r;
}

static int start(
	struct pipeline *pipeline, struct partition *partition, const struct watermarks *marks)
{
	const struct pipeline_options *options = &pipeline->options;
	int64_t offset = 0;
	proof_forget(&partition->position, marks->low);
	enum position_verdict verdict =
		position_judge(&partition->position, marks->low, marks->high, &offset);

	if (verdict == POSITION_ANCHOR_GONE) {
		options->notice(options->owner, "anchor gone, nothing missing",
			options->topics.names[partition->topic], partition->number);
	}
	partition->state = verdict == POSITION_CHECK ? PARTITION_CHECKING : PARTITION_READING;
	partition->moved_ms = pipeline->now_ms;
	return options->start(options->owner, partition->topic, partition->number, offset);
}

/* Is it still the log that was read? Hears the answer to the last question and asks the next one. */
static int prove(
	struct pipeline *pipeline, struct partition *partition, const struct watermarks *marks)
{
	const struct pipeline_options *options = &pipeline->options;
	struct proof *proof = &partition->proof;
	int64_t after_ms[PROOF_TIMES];

	if (partition->state != PARTITION_READING) {
		return 0;
	}
	switch (proof_hear(proof, &partition->position, marks->question, marks->later)) {
	case PROOF_MOVED:
		pipeline_touch(pipeline, partition);
		break;
	case PROOF_DOUBT:
		partition->state = PARTITION_STOPPED;
		pipeline->must_restart = true;
		return 0;
	default:
		break;
	}
	if (!proof_ask(proof, &partition->position, after_ms)) {
		return 0;
	}
	return options->ask(
		options->owner, partition->topic, partition->number, proof->question, after_ms);
}

/* Fetches tell the log's end, reports how far it may be read: only open transactions come between. */
static void note_held(struct partition *partition, const struct watermarks *marks)
{
	int64_t next = partition->position.next;
	bool is_held = partition->state == PARTITION_READING && marks->high <= next &&
		       partition->high > next && partition->held_at == next;
	partition->held_reports = is_held ? partition->held_reports + 1 : 0;
	partition->held_at = next;
}

static int start_or_note(struct pipeline *pipeline, const struct log_report *report)
{
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		struct partition *partition = pipeline->partitions[i];
		const struct watermarks *marks = marks_of(pipeline, report, partition);
		if (marks == NULL) {
			continue;
		}
		if (marks->high < partition->reported) {
			/* A log never shrinks: this is another one, or it was cut. */
			partition->state = PARTITION_STOPPED;
			pipeline->must_restart = true;
		}
		note_held(partition, marks);
		partition->reported = marks->high;
		if (marks->high > partition->high) {
			partition->high = marks->high;
		}
		if (partition->target < 0) {
			partition->target = marks->high;
		}
		int r = partition->state == PARTITION_WAITING ? start(pipeline, partition, marks)
							      : prove(pipeline, partition, marks);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int pipeline_observe(struct pipeline *pipeline, const struct log_report *report)
{
	pipeline->has_report = true;
	pipeline->is_reachable = report->is_reachable;
	if (!report->is_reachable) {
		return 0;
	}
	for (uint32_t topic = 0; topic < pipeline->options.topics.count; topic++) {
		note_short(pipeline, report, topic);
	}
	int r = judge(pipeline, report);
	if (r < 0) {
		return r;
	}
	if (pipeline->missing.count > 0) {
		return PIPELINE_E_DECISION;
	}
	r = start_or_note(pipeline, report);
	if (r == 0) {
		pipeline->is_targeted = true;
		pipeline->observed++;
	}
	return r;
}
