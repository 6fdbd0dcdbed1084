#include "aggregator/desk/status.h"
#include "aggregator/view/view_plan.h"

static void write_count(struct writer *writer, const char *key, uint64_t count)
{
	write_key(writer, key);
	write_unsigned(writer, count);
}

static void write_partition(
	struct writer *writer, const struct pipeline *pipeline, const struct partition *partition)
{
	const struct books *books = &partition->position.books;
	write_map(writer, 6 + FATE_COUNT);
	write_key(writer, "topic");
	write_text(writer, slice_of_text(pipeline->options.topics.names[partition->topic]));
	write_key(writer, "partition");
	write_integer(writer, partition->number);
	write_key(writer, "next");
	write_integer(writer, partition->position.next);
	write_key(writer, "end");
	if (partition->high < 0) {
		write_nil(writer);
	} else {
		write_integer(writer, partition->high);
	}
	write_key(writer, "lag");
	write_integer(writer, partition_lag(partition));
	write_count(writer, "read", books->read);
	for (int fate = 0; fate < FATE_COUNT; fate++) {
		write_count(writer, fate_name((enum fate)fate), books->fates[fate]);
	}
}

static void write_partitions(struct writer *writer, const struct pipeline *pipeline)
{
	write_key(writer, "partitions");
	write_array(writer, (uint32_t)pipeline->partition_count);
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		write_partition(writer, pipeline, pipeline->partitions[i]);
	}
}

static void write_kinds(struct writer *writer, const struct pipeline *pipeline)
{
	struct tally tallies[STREAM_KIND_COUNT];
	pipeline_tallies(pipeline, tallies);
	write_key(writer, "kinds");
	write_map(writer, STREAM_KIND_COUNT);
	for (uint32_t kind = 0; kind < STREAM_KIND_COUNT; kind++) {
		write_key(writer, stream_kind_name(kind));
		write_map(writer, 3);
		write_count(writer, "counted", tallies[kind].accepted);
		write_count(writer, "rejected", tallies[kind].rejected);
		write_count(writer, "duplicates", tallies[kind].duplicates);
	}
}

void status_write_problems(struct writer *writer, const struct health *health, size_t most)
{
	struct text_set problems = {0};
	health_problems(health, &problems);
	size_t count = problems.count < most ? problems.count : most;
	write_key(writer, "problems");
	write_array(writer, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		write_text(writer, slice_of_text(problems.texts[i]));
	}
	text_set_deinit(&problems);
}

/* Only views that could hold anybody back are named. */
static void write_held(struct writer *writer, const struct status *status)
{
	uint32_t count = 0;

	for (size_t i = 0; status->held != NULL && i < view_set_count(status->views); i++) {
		count += view_user_group(view_set_at(status->views, i)) >= 0;
	}
	write_key(writer, "held");
	write_map(writer, count);
	for (size_t i = 0; count > 0 && i < view_set_count(status->views); i++) {
		const struct view *view = view_set_at(status->views, i);
		if (view_user_group(view) >= 0) {
			write_count(writer, view_name(view), status->held[i]);
		}
	}
}

static void write_forgotten(struct writer *writer, const struct status *status)
{
	const struct forgotten *forgotten = status->forgotten;

	write_key(writer, "forgotten");
	write_map(writer, 3);
	write_count(writer, "in_force", forgotten->in_force);
	write_count(writer, "revoked", forgotten->count - forgotten->in_force);
	write_held(writer, status);
}

/* Only where a view counts them. */
static void write_baskets(struct writer *writer, const struct pipeline *pipeline)
{
	struct basket_books books, seen;

	pipeline_baskets(pipeline, &books, &seen);
	write_key(writer, "baskets");
	write_map(writer, 4);
	write_count(writer, "open", books.opened - books.closed);
	write_count(writer, "closed", books.closed);
	write_count(writer, "lines", books.lines);
	write_count(writer, "late", books.late);
}

static void write_disk_room(struct writer *writer, int64_t room)
{
	if (room >= 0) {
		write_count(writer, "disk_room", (uint64_t)room);
	} else {
		write_key(writer, "disk_room");
		write_nil(writer);
	}
}

static uint64_t uncommitted(const struct pipeline *pipeline)
{
	uint64_t count = 0;
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		count += shard_uncommitted(pipeline->shards[i]);
	}
	return count;
}

int status_write(const struct status *status, enum encoding encoding, struct buffer *reply)
{
	const struct health *health = status->health;
	const struct pipeline *pipeline = health->live->pipeline;
	struct writer writer;

	writer_init(&writer, encoding, reply);
	bool has_baskets = view_set_baskets(pipeline->options.views).horizon_ms > 0;
	write_map(&writer, 14 + has_baskets + (health->shadow != NULL) + (status->publish != NULL));
	write_key(&writer, "ok");
	write_bool(&writer, true);
	write_key(&writer, "version");
	write_text(&writer, slice_of_text(status->version));
	write_key(&writer, "state");
	write_text(&writer, slice_of_text(health_state(health)));
	write_count(&writer, "uptime_ms", (uint64_t)status->uptime_ms);
	write_key(&writer, "kafka_reachable");
	write_bool(&writer, pipeline->is_reachable);
	write_count(&writer, "uncommitted", uncommitted(pipeline));
	write_count(&writer, "store_bytes", status->store_bytes);
	write_disk_room(&writer, status->disk_room);
	write_count(&writer, "shards", pipeline->shard_count);
	write_partitions(&writer, pipeline);
	write_kinds(&writer, pipeline);
	if (has_baskets) {
		write_baskets(&writer, pipeline);
	}
	write_forgotten(&writer, status);
	status_write_problems(&writer, health, TEXT_SET_MAX);
	if (status->publish != NULL) {
		write_key(&writer, "publish");
		write_text(&writer, slice_of_text(status->publish));
	}
	if (health->shadow != NULL) {
		write_key(&writer, health->is_staged ? "staging_progress" : "rebuild_progress");
		write_double(&writer, health->rebuild_progress);
	}
	write_key(&writer, "as_of");
	answer_write_as_of(&writer, status->freshness);
	return reply->error;
}
