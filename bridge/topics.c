#include "bridge/topics.h"
#include "proto/buffer.h"
#include "proto/checksum.h"
#include <stdio.h>

uint64_t topics_hash(const struct topics *topics)
{
	char text[LANE_COUNT * (TOPIC_NAME_SIZE + 16)];
	size_t size = 0;
	for (size_t lane = 0; lane < LANE_COUNT; lane++) {
		size += (size_t)snprintf(text + size, sizeof text - size, "%s %d\n",
			topics->names[lane], (int)topics->partitions);
	}
	uint8_t hash[16];
	checksum_hash128(slice_of(text, size), hash);
	uint64_t first = 0;
	for (size_t i = 0; i < 8; i++) {
		first = first << 8 | hash[i];
	}
	return first;
}

static bool is_missing(const struct topic_sight *sight)
{
	return strcmp(sight->error, "UNKNOWN_TOPIC_OR_PART") == 0 ||
	       (sight->error[0] == '\0' && sight->partitions == 0);
}

/* A topic that was just created, or whose leader moves, says so until it has one: that passes. */
static bool passes(const char *error)
{
	return error[0] == '\0' || strcmp(error, "LEADER_NOT_AVAILABLE") == 0;
}

enum topic_state topic_judge(const struct topics *topics, const struct topics_sight *sight,
	enum kind lane, char *words, size_t words_size)
{
	const struct topic_sight *topic = &sight->topics[lane];
	const char *name = topics->names[lane];
	if (is_missing(topic)) {
		snprintf(words, words_size, "topic %s does not exist", name);
		return TOPIC_MISSING;
	}
	if (!passes(topic->error)) {
		snprintf(words, words_size, "Kafka refuses topic %s: %s", name, topic->error);
		return TOPIC_REFUSED;
	}
	if (topic->partitions < topics->partitions) {
		snprintf(words, words_size, "topic %s has %d partitions, [bridge] partitions is %d",
			name, (int)topic->partitions, (int)topics->partitions);
		return TOPIC_SHORT;
	}
	if (topic->partitions > topics->partitions) {
		snprintf(words, words_size, "topic %s has %d partitions, of which till uses %d",
			name, (int)topic->partitions, (int)topics->partitions);
		return TOPIC_SURPLUS;
	}
	return TOPIC_OK;
}

bool topics_lack_telemetry(const struct topics *topics, const struct topics_sight *sight)
{
	return topics->telemetry[0] != '\0' && is_missing(&sight->telemetry);
}

bool topics_should_create(const struct topics *topics, const struct topics_sight *sight)
{
	static const char mock[] = "mockCluster";
	if (!topics->may_create || !sight->is_reached ||
		strncmp(sight->cluster_id, mock, sizeof mock - 1) == 0) {
		return false;
	}
	for (size_t lane = 0; lane < LANE_COUNT; lane++) {
		if (is_missing(&sight->topics[lane])) {
			return true;
		}
	}
	return topics_lack_telemetry(topics, sight);
}

int topics_replication(int broker_count)
{
	return broker_count < 1 ? 1 : broker_count > 3 ? 3 : broker_count;
}

int topics_min_insync(int broker_count)
{
	int replication = topics_replication(broker_count);
	return replication > 2 ? 2 : replication;
}
