#include "cli/vital_signs.h"
#include <inttypes.h>

enum { SHORT_MS = 5 * 1000, LONG_MS = 60 * 1000, SHORT_COUNT = 720, LONG_COUNT = 1440 };

void vital_signs_request(int64_t window_ms, char out[VITAL_SIGNS_REQUEST_SIZE])
{
	bool is_short = window_ms <= (int64_t)SHORT_MS * SHORT_COUNT;
	int64_t period_ms = is_short ? SHORT_MS : LONG_MS;
	int64_t count = (window_ms + period_ms - 1) / period_ms;

	count = count < 1 ? 1 : count > LONG_COUNT ? LONG_COUNT : count;
	snprintf(out, VITAL_SIGNS_REQUEST_SIZE,
		"{\"query\":\"vitals\",\"period\":\"%s\",\"limit\":%" PRId64 "}",
		is_short ? "5s" : "1m", count);
}

/* 0 where it is none. */
static double number_at(const struct node *map, const char *key)
{
	const struct node *node = node_find(map, key);
	double value = 0;

	return node != NULL && node_real(node, &value) ? value : 0;
}

bool vital_signs_read_vitals(struct vital_signs *signs, const struct node *root)
{
	const struct node *vitals = node_find(root, "vitals");
	const struct node *summary =
		vitals != NULL && vitals->type == NODE_MAP ? node_find(vitals, "summary") : NULL;

	if (summary == NULL || summary->type != NODE_MAP) {
		return false;
	}
	const struct node *lag = node_find(summary, "lag");
	signs->now_ms = node_integer_at(vitals, "now_ms");
	signs->window_ms = node_integer_at(summary, "span_ms");
	signs->counted = node_integer_at(summary, "counted");
	signs->latency_events = node_integer_at(summary, "latency_count");
	signs->latency_avg_ms = number_at(summary, "latency_avg_ms");
	signs->latency_p50_ms = node_integer_at(summary, "latency_p50_ms");
	signs->latency_p99_ms = node_integer_at(summary, "latency_p99_ms");
	signs->lag = lag == NULL || lag->type == NODE_NIL ? -1 : node_integer_at(summary, "lag");
	signs->store_bytes = node_integer_at(summary, "store_bytes");
	return true;
}

bool vital_signs_read_status(struct vital_signs *signs, const struct node *root)
{
	const struct node *partitions = node_find(root, "partitions");

	if (partitions == NULL || partitions->type != NODE_ARRAY) {
		return false;
	}
	signs->processed = signs->errors = signs->duplicates = 0;
	const struct node *partition = node_first(partitions);
	for (uint32_t i = 0; i < partitions->count; i++, partition = node_next(partition)) {
		if (partition->type == NODE_MAP) {
			signs->processed += node_integer_at(partition, "counted");
			signs->errors += node_integer_at(partition, "rejected") +
					 node_integer_at(partition, "unreadable");
			signs->duplicates += node_integer_at(partition, "duplicates");
		}
	}
	return true;
}

double vital_signs_throughput(const struct vital_signs *signs)
{
	return signs->window_ms > 0 ? (double)signs->counted * 1000 / (double)signs->window_ms : 0;
}
