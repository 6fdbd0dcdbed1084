#include "aggregator/log/pipeline_archive.h"
#include "aggregator/books/gap.h"
#include "aggregator/log/pipeline_judge.h"
#include "aggregator/shard/shard_baskets.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct archive_part {
	uint32_t topic;
	int32_t number;
	struct partition *partition; /* NULL: of those that another program reads */
	int64_t from; /* below it the stream has none of its records */
	int64_t next; /* the first offset that it does not hold */
	int64_t archived; /* how many records it should have; -1: not told */
	int64_t offset; /* of its last record so far; -1: none */
	uint64_t records; /* so far */
	uint64_t left_out[FATE_COUNT];
	struct archive_gap gaps[ARCHIVE_GAPS_MAX];
	uint32_t gap_count;
	int64_t begin; /* where the store stood when the head was read */
	int64_t last_offset, last_ms; /* of the last record that was read for it; -1: none */
	uint8_t *last_value; /* owned */
	size_t last_size;
};

__attribute__((format(printf, 2, 3))) static int refuse(
	struct pipeline_archive *archive, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(archive->why, sizeof archive->why, format, arguments);
	va_end(arguments);
	return PIPELINE_ARCHIVE_E_REFUSED;
}

void pipeline_archive_deinit(struct pipeline_archive *archive)
{
	for (size_t i = 0; i < archive->count; i++) {
		free(archive->parts[i].last_value);
	}
	free(archive->parts);
	*archive = (struct pipeline_archive){.pipeline = archive->pipeline};
}

static struct shard *shard_of(const struct pipeline *pipeline, int32_t number)
{
	return pipeline->shards[(size_t)number % pipeline->shard_count];
}

/* ---- the head */

/* Has this shard gone on from the archive's cluster to another one? Then it has all that the archive holds. */
static bool is_behind_shard(const struct pipeline_archive *archive, const struct shard *shard)
{
	char text[GAP_TEXT_SIZE];

	if (strcmp(archive->cluster_id, shard->ledger.cluster_id) == 0) {
		return false;
	}
	gap_of_cluster(archive->cluster_id, shard->ledger.cluster_id, text);
	return text_set_have(&shard->ledger.gaps, text);
}

static bool must_be_read(const struct pipeline_archive *archive, const struct archive_part *part)
{
	return part->partition != NULL &&
	       !is_behind_shard(archive, shard_of(archive->pipeline, part->number));
}

static int take_head(struct pipeline_archive *archive, const struct archive_item *item)
{
	struct pipeline *pipeline = archive->pipeline;

	memcpy(archive->cluster_id, item->cluster_id.bytes, item->cluster_id.size);
	archive->cluster_id[item->cluster_id.size] = '\0';
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		const char *ours = pipeline->shards[i]->ledger.cluster_id;
		if (ours[0] != '\0' && strcmp(ours, archive->cluster_id) != 0 &&
			!is_behind_shard(archive, pipeline->shards[i])) {
			return refuse(archive,
				"it is of the Kafka cluster %s, and the store has read %s",
				archive->cluster_id, ours);
		}
	}
	return 0;
}

/* Its number, or count where it is not read here. */
static uint32_t find_topic(const struct pipeline *pipeline, struct slice name)
{
	uint32_t topic = 0;
	while (topic < pipeline->options.topics.count &&
		!slice_equals_text(name, pipeline->options.topics.names[topic])) {
		topic++;
	}
	return topic;
}

static int append_part(struct pipeline_archive *archive, const struct archive_part *part)
{
	if (archive->count == archive->capacity) {
		size_t capacity = archive->capacity == 0 ? 64 : 2 * archive->capacity;
		struct archive_part *parts =
			realloc(archive->parts, capacity * sizeof *archive->parts);
		if (parts == NULL) {
			return -ENOMEM;
		}
		archive->parts = parts;
		archive->capacity = capacity;
	}
	archive->parts[archive->count++] = *part;
	return 0;
}

static int find_partition(struct pipeline *pipeline, struct archive_part *part)
{
	if (!pipeline_owns(pipeline, part->number)) {
		return 0;
	}
	part->partition = pipeline_partition(pipeline, part->topic, part->number);
	return part->partition != NULL ? 0
				       : pipeline_add_partition(pipeline, part->topic, part->number,
						 &part->partition);
}

static int take_partition(struct pipeline_archive *archive, const struct archive_item *item)
{
	struct pipeline *pipeline = archive->pipeline;
	struct archive_part part = {
		.topic = find_topic(pipeline, item->topic),
		.number = item->partition,
		.from = item->from,
		.next = item->offset,
		.archived = item->archived,
		.offset = -1,
		.last_offset = item->last_offset,
		.last_ms = item->timestamp_ms,
		.last_size = item->value.size,
	};
	if (part.topic == pipeline->options.topics.count) {
		return 0;
	}
	memcpy(part.left_out, item->left_out, sizeof part.left_out);
	memcpy(part.gaps, item->gaps, sizeof part.gaps);
	part.gap_count = item->gap_count;
	int r = find_partition(pipeline, &part);
	if (r == 0 && part.last_size > 0) {
		part.last_value = malloc(part.last_size);
		r = part.last_value == NULL ? -ENOMEM : 0;
	}
	if (r == 0 && part.last_size > 0) {
		memcpy(part.last_value, item->value.bytes, part.last_size);
	}
	if (r == 0) {
		r = append_part(archive, &part);
	}
	if (r < 0) {
		free(part.last_value);
	}
	return r;
}

static int compare_parts(const void *a, const void *b)
{
	const struct archive_part *one = a, *other = b;
	if (one->topic != other->topic) {
		return one->topic < other->topic ? -1 : 1;
	}
	return (one->number > other->number) - (one->number < other->number);
}

static struct archive_part *find_part(
	const struct pipeline_archive *archive, uint32_t topic, int32_t number)
{
	const struct archive_part wanted = {.topic = topic, .number = number};
	return archive->count == 0 ? NULL
				   : bsearch(&wanted, archive->parts, archive->count,
					     sizeof *archive->parts, compare_parts);
}

/* What the store has not read must be in the stream. */
static int judge_begin(struct pipeline_archive *archive, const struct archive_part *part)
{
	const struct partition *partition = part->partition;

	if (!must_be_read(archive, part) || partition->position.next >= part->from) {
		return 0;
	}
	return refuse(archive,
		"it begins with %s/%" PRId32 " at offset %" PRId64
		", and the store has read to %" PRId64 "; write it from there, or from its start",
		archive->pipeline->options.topics.names[part->topic], part->number, part->from,
		partition->position.next);
}

static int finish_head(struct pipeline_archive *archive)
{
	int r = 0;

	archive->has_head = true;
	if (archive->count > 0) {
		qsort(archive->parts, archive->count, sizeof *archive->parts, compare_parts);
	}
	for (size_t i = 0; i < archive->count && r == 0; i++) {
		struct archive_part *part = &archive->parts[i];
		part->begin = part->partition == NULL ? 0 : part->partition->position.next;
		r = judge_begin(archive, part);
		if (r == 0 && i > 0 && compare_parts(part - 1, part) == 0) {
			r = refuse(archive, "its head has %s/%" PRId32 " twice",
				archive->pipeline->options.topics.names[part->topic], part->number);
		}
	}
	return r;
}

/* ---- records */

static int judge_place(struct pipeline_archive *archive, const struct archive_part *part,
	const struct archive_item *item, uint32_t topic)
{
	const char *name = archive->pipeline->options.topics.names[topic];

	if (part == NULL) {
		return refuse(archive, "its head lacks %s/%" PRId32 ", of which it has a record",
			name, item->partition);
	}
	if (item->offset <= part->offset) {
		return refuse(archive, "%s/%" PRId32 " has offset %" PRId64 " behind %" PRId64,
			name, item->partition, item->offset, part->offset);
	}
	if (item->offset >= part->next) {
		return refuse(archive,
			"%s/%" PRId32 " has offset %" PRId64
			", and its head says that it ends at %" PRId64,
			name, item->partition, item->offset, part->next);
	}
	return 0;
}

static struct record record_of(const struct archive_item *item, uint32_t topic)
{
	struct record record = {
		.topic = topic,
		.partition = item->partition,
		.offset = item->offset,
		.timestamp_ms = item->timestamp_ms,
		.key = item->key,
		.value = item->value,
	};
	memcpy(record.headers, item->headers, sizeof record.headers);
	return record;
}

/* One that was read before. Where a witness of the store's lies, the archive must have the same. */
static int pass_over(struct pipeline_archive *archive, const struct archive_part *part,
	const struct record *record)
{
	const struct position *position = &part->partition->position;
	const struct anchor *witnesses[] = {
		&position->anchor, &position->candidate, &position->last};
	struct anchor anchor = {.offset = -1};

	for (size_t i = 0; i < sizeof witnesses / sizeof *witnesses; i++) {
		if (witnesses[i]->offset != record->offset) {
			continue;
		}
		anchor =
			anchor_of(record->offset, record->timestamp_ms, record->key, record->value);
		if (!anchor_equal(&anchor, witnesses[i])) {
			return refuse(archive,
				"%s/%" PRId32 " has another record at offset %" PRId64
				" than the store has read there: it is of another log",
				archive->pipeline->options.topics.names[part->topic], part->number,
				record->offset);
		}
	}
	archive->passed_over++;
	return 0;
}

/* Offsets that are not among the records were left out, or never had one: the position goes over them. */
static int count(struct pipeline_archive *archive, struct partition *partition,
	const struct record *record, bool *ret_is_taken)
{
	int64_t next = partition->position.next;

	partition->position.next = record->offset;
	int r = pipeline_take(archive->pipeline, record);
	*ret_is_taken = partition->position.next > record->offset;
	if (*ret_is_taken) {
		archive->taken++;
	} else {
		partition->position.next = next;
	}
	return r;
}

static int take_record(
	struct pipeline_archive *archive, const struct archive_item *item, bool *ret_is_taken)
{
	struct pipeline *pipeline = archive->pipeline;
	uint32_t topic = find_topic(pipeline, item->topic);

	if (topic == pipeline->options.topics.count) {
		archive->strange++;
		memcpy(archive->strange_topic, item->topic.bytes, item->topic.size);
		archive->strange_topic[item->topic.size] = '\0';
		return 0;
	}
	struct archive_part *part = find_part(archive, topic, item->partition);
	int r = judge_place(archive, part, item, topic);
	if (r != 0) {
		return r;
	}
	const struct record record = record_of(item, topic);
	if (part->partition == NULL || is_behind_shard(archive, shard_of(pipeline, part->number))) {
		archive->passed_over++;
	} else if (record.offset < part->partition->position.next) {
		r = pass_over(archive, part, &record);
	} else {
		r = count(archive, part->partition, &record, ret_is_taken);
	}
	if (r == 0 && *ret_is_taken) {
		part->offset = item->offset;
		part->records++;
	}
	return r;
}

/* ---- the end */

static void enter(struct pipeline_archive *archive, struct partition *partition, enum fate fate,
	uint64_t count)
{
	struct ledger *ledger = &shard_of(archive->pipeline, partition->number)->ledger;

	partition->position.books.read += count;
	partition->position.books.fates[fate] += count;
	if (fate == FATE_DUPLICATE && partition->topic < KIND_COUNT) {
		ledger->tallies[stream_kind_of((enum kind)partition->topic, false)].duplicates +=
			count;
	}
}

/* What was left out enters the books, but for what a store that has read some of it from the log has entered itself: together they
 * have read what the archive holds and what it left out. */
static void enter_left_out(struct pipeline_archive *archive, const struct archive_part *part)
{
	static const enum fate fates[] = {FATE_FOREIGN, FATE_UNREADABLE, FATE_DUPLICATE};
	struct partition *partition = part->partition;
	const struct books *books = &partition->position.books;
	uint64_t all = 0;

	for (size_t i = 0; i < sizeof fates / sizeof *fates; i++) {
		all += part->left_out[fates[i]];
	}
	uint64_t whole = (part->archived < 0 ? part->records : (uint64_t)part->archived) + all;
	uint64_t lacking = whole > books->read ? whole - books->read : 0;
	bool is_first = lacking >= all;
	for (size_t i = 0; i < sizeof fates / sizeof *fates; i++) {
		uint64_t had = is_first ? 0 : books->fates[fates[i]];
		uint64_t more = part->left_out[fates[i]] > had ? part->left_out[fates[i]] - had : 0;
		more = more < lacking ? more : lacking;
		more = fates[i] == FATE_DUPLICATE && !is_first ? lacking : more;
		enter(archive, partition, fates[i], more);
		lacking -= more;
	}
}

/* The last record was left out, but if it was certified, clocks moved by it. Its key is not told: it is the edge of whatever
 * bears a certificate. */
static int follow_last(struct pipeline_archive *archive, const struct archive_part *part)
{
	struct pipeline *pipeline = archive->pipeline;
	struct reading *reading = &pipeline->reading;
	struct record record = {
		.topic = part->topic,
		.partition = part->number,
		.offset = part->last_offset,
		.timestamp_ms = part->last_ms,
		.value = slice_of(part->last_value, part->last_size),
	};
	if (part->topic >= KIND_COUNT || kind_is_dead_letter((enum kind)part->topic)) {
		return 0;
	}
	*reading = (struct reading){.class = RECORD_FOREIGN};
	int r = record_read(&pipeline->document, &record, reading);
	if (r == 0 && reading->class == RECORD_FOREIGN && reading->stream.edge.size > 0) {
		record.key = reading->stream.edge;
		r = record_read(&pipeline->document, &record, reading);
	}
	if (r < 0 || (reading->class != RECORD_EVENT && reading->class != RECORD_MARKER)) {
		return r;
	}
	pipeline_follow_clock(pipeline, part->partition, &record);
	return shard_follow_baskets(shard_of(pipeline, part->number),
		pipeline->options.topics.names[part->topic], &record, reading);
}

static int finish_part(struct pipeline_archive *archive, const struct archive_part *part)
{
	struct partition *partition = part->partition;
	struct ledger *ledger = &shard_of(archive->pipeline, part->number)->ledger;
	int r = 0;

	if (partition->position.next > part->next) {
		return 0; /* what it has beyond it has read with its books */
	}
	if (part->last_offset >= partition->position.next) {
		r = follow_last(archive, part);
		ledger->append_ms =
			part->last_ms > ledger->append_ms ? part->last_ms : ledger->append_ms;
	}
	if (r < 0) {
		return r;
	}
	enter_left_out(archive, part);
	partition->position.next = part->next;
	proof_settle(&partition->proof, &partition->position);
	pipeline_touch(archive->pipeline, partition);
	return 0;
}

static bool is_broken(const struct pipeline *pipeline)
{
	bool is_broken = false;
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		is_broken = is_broken || pipeline->shards[i]->is_broken;
	}
	return is_broken;
}

static int judge_count(struct pipeline_archive *archive, const struct archive_part *part)
{
	bool is_whole =
		part->archived < 0 || part->from > 0 || part->records == (uint64_t)part->archived;

	return is_whole ? 0
			: refuse(archive,
				  "it has %" PRIu64 " records of %s/%" PRId32
				  ", and its head speaks of %" PRId64,
				  part->records,
				  archive->pipeline->options.topics.names[part->topic],
				  part->number, part->archived);
}

static int take_end(struct pipeline_archive *archive, bool *ret_is_taken)
{
	int r = 0;

	for (size_t i = 0; i < archive->count && r == 0; i++) {
		r = judge_count(archive, &archive->parts[i]);
	}
	*ret_is_taken = !is_broken(archive->pipeline);
	for (size_t i = 0; *ret_is_taken && i < archive->count && r == 0; i++) {
		const struct archive_part *part = &archive->parts[i];
		r = must_be_read(archive, part) ? finish_part(archive, part) : 0;
	}
	archive->is_over = *ret_is_taken && r == 0;
	return r;
}

/* Each gap of it that the store had not passed before. */
static int each_gap(struct pipeline_archive *archive, const struct archive_part *part,
	int (*visit)(struct pipeline *pipeline, const char *text))
{
	char text[GAP_TEXT_SIZE];
	int r = 0;

	for (uint32_t i = 0; i < part->gap_count && r == 0; i++) {
		gap_of_offsets(archive->pipeline->options.topics.names[part->topic], part->number,
			part->gaps[i].first, part->gaps[i].last, text);
		r = part->gaps[i].last >= part->begin ? visit(archive->pipeline, text) : 0;
	}
	return r;
}

/* From here on the store is one of this cluster's, and lacks what the archive lacks: that was accepted. */
static int begin_records(struct pipeline_archive *archive)
{
	struct pipeline *pipeline = archive->pipeline;
	int r = 0;

	if (archive->has_begun) {
		return 0;
	}
	archive->has_begun = true;
	for (size_t i = 0; i < archive->count && r == 0; i++) {
		const struct archive_part *part = &archive->parts[i];
		r = must_be_read(archive, part) ? each_gap(archive, part, pipeline_keep_gap) : 0;
	}

	for (size_t i = 0; i < pipeline->shard_count; i++) {
		struct ledger *ledger = &pipeline->shards[i]->ledger;
		if (ledger->cluster_id[0] == '\0') {
			snprintf(ledger->cluster_id, sizeof ledger->cluster_id, "%s",
				archive->cluster_id);
			shard_touch(pipeline->shards[i], pipeline->now_ms);
		}
	}
	return r;
}

int pipeline_archive_take(
	struct pipeline_archive *archive, const struct archive_item *item, bool *ret_is_taken)
{
	int r = 0;

	*ret_is_taken = true;
	switch (item->type) {
	case ARCHIVE_HEAD:
		r = take_head(archive, item);
		break;
	case ARCHIVE_PARTITION:
		r = take_partition(archive, item);
		break;
	case ARCHIVE_RECORD:
		r = begin_records(archive);
		return r == 0 ? take_record(archive, item, ret_is_taken) : r;
	default:
		r = begin_records(archive);
		return r == 0 ? take_end(archive, ret_is_taken) : r;
	}
	return r == 0 && item->is_last_of_head ? finish_head(archive) : r;
}

/* ---- the log behind it */

static int miss(struct pipeline *pipeline, const char *text)
{
	int r = text_set_have(pipeline->options.accepted, text)
			? 0
			: text_set_add(&pipeline->missing, text);
	return r == -ENOSPC ? 0 : r;
}

/* *ret_is_other: it is another one, and that was accepted; what its log lacks is judged once it is read. */
static int foresee_cluster(
	struct pipeline_archive *archive, const char *cluster_id, bool *ret_is_other)
{
	char text[GAP_TEXT_SIZE];

	*ret_is_other = strcmp(archive->cluster_id, cluster_id) != 0;
	gap_of_cluster(archive->cluster_id, cluster_id, text);
	return *ret_is_other ? miss(archive->pipeline, text) : 0;
}

static int foresee_partition(struct pipeline_archive *archive, const struct log_report *report,
	uint32_t topic, int32_t number)
{
	struct pipeline *pipeline = archive->pipeline;
	const struct partition *partition = pipeline_partition(pipeline, topic, number);
	const struct archive_part *part = find_part(archive, topic, number);
	int64_t low = report->partitions[topic][number].low;
	int64_t next = partition == NULL ? 0 : partition->position.next;
	char text[GAP_TEXT_SIZE];

	next = part != NULL && part->next > next ? part->next : next;
	if (low <= next) {
		return 0;
	}
	gap_of_offsets(pipeline->options.topics.names[topic], number, next, low - 1, text);
	return miss(pipeline, text);
}

int pipeline_archive_foresee(struct pipeline_archive *archive, const struct log_report *report)
{
	struct pipeline *pipeline = archive->pipeline;
	bool is_other = false;

	pipeline->has_report = true;
	pipeline->is_reachable = report->is_reachable;
	if (!report->is_reachable || !archive->has_head) {
		return 0;
	}
	int r = foresee_cluster(archive, report->cluster_id, &is_other);
	for (uint32_t topic = 0; topic < pipeline->options.topics.count && !is_other; topic++) {
		for (int32_t i = 0; i < report->partition_counts[topic] && r == 0; i++) {
			r = pipeline_owns(pipeline, i)
				    ? foresee_partition(archive, report, topic, i)
				    : 0;
		}
	}
	for (size_t i = 0; i < archive->count && r == 0; i++) {
		const struct archive_part *part = &archive->parts[i];
		r = must_be_read(archive, part) ? each_gap(archive, part, miss) : 0;
	}
	return r == 0 && pipeline->missing.count > 0 ? PIPELINE_E_DECISION : r;
}
