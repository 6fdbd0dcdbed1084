#include "aggregator/desk/vitals_answer.h"

void vitals_look_at(const struct pipeline *pipeline, struct vitals_look *look)
{
	struct vitals_counts *counts = &look->counts;

	*counts = (struct vitals_counts){.commits = pipeline_commit(pipeline)};
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		for (int kind = 0; kind < STREAM_KIND_COUNT; kind++) {
			const struct tally *tally = &pipeline->shards[i]->seen[kind];
			counts->counted += tally->accepted;
			counts->rejected += tally->rejected;
			counts->duplicates += tally->duplicates;
		}
	}
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		const struct partition *partition = pipeline->partitions[i];
		counts->foreign += partition->seen.fates[FATE_FOREIGN];
		counts->unreadable += partition->seen.fates[FATE_UNREADABLE];
	}
	look->lag = pipeline_lag(pipeline);
}

static void write_number(struct writer *writer, const char *key, uint64_t number)
{
	write_key(writer, key);
	write_unsigned(writer, number);
}

/* Nobody waited where nothing came: null, not 0. */
static void write_latency(struct writer *writer, const struct vitals_latency *latency)
{
	static const struct {
		const char *key;
		uint32_t millionths;
	} quantiles[] = {{"latency_p50_ms", 500000}, {"latency_p99_ms", 990000}};

	write_number(writer, "latency_count", latency->count);
	write_key(writer, "latency_avg_ms");
	if (latency->count == 0) {
		write_nil(writer);
	} else {
		write_double(writer, (double)latency->sum_ms / (double)latency->count);
	}
	for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
		write_key(writer, quantiles[i].key);
		if (latency->count == 0) {
			write_nil(writer);
		} else {
			write_unsigned(writer, vitals_quantile(latency, quantiles[i].millionths));
		}
	}
	write_key(writer, "latency_max_ms");
	if (latency->count == 0) {
		write_nil(writer);
	} else {
		write_unsigned(writer, latency->max_ms);
	}
}

static void write_sample(struct writer *writer, const struct vitals_sample *sample)
{
	write_map(writer, 15);
	write_key(writer, "from_ms");
	write_integer(writer, sample->from_ms);
	write_key(writer, "span_ms");
	write_integer(writer, sample->span_ms);
	write_number(writer, "counted", sample->counts.counted);
	write_number(writer, "rejected", sample->counts.rejected);
	write_number(writer, "unreadable", sample->counts.unreadable);
	write_number(writer, "foreign", sample->counts.foreign);
	write_number(writer, "duplicates", sample->counts.duplicates);
	write_number(writer, "commits", sample->counts.commits);
	write_key(writer, "lag");
	if (sample->lag < 0) {
		write_nil(writer);
	} else {
		write_integer(writer, sample->lag);
	}
	write_number(writer, "store_bytes", sample->store_bytes);
	write_latency(writer, &sample->latency);
}

static void write_vitals(struct writer *writer, const struct vitals *vitals,
	const struct vitals_look *look, const struct query *query)
{
	enum vitals_level level = query->is_by_minute ? VITALS_LONG : VITALS_SHORT;
	size_t count = vitals_count(vitals, level);
	size_t skipped = count + 1 > query->limit ? count + 1 - query->limit : 0;
	struct vitals_sample open, summary = {.lag = -1};

	vitals_open(vitals, level, look, &open);
	write_key(writer, "samples");
	write_array(writer, (uint32_t)(count + 1 - skipped));
	for (size_t i = skipped; i < count; i++) {
		vitals_add(&summary, vitals_at(vitals, level, i));
		write_sample(writer, vitals_at(vitals, level, i));
	}
	vitals_add(&summary, &open);
	write_sample(writer, &open);
	write_key(writer, "summary");
	write_sample(writer, &summary);
}

int vitals_answer_write(const struct vitals *vitals, const struct vitals_look *look,
	const struct query *query, const struct freshness *freshness, struct buffer *reply)
{
	struct writer writer;

	writer_init(&writer, query->encoding, reply);
	write_map(&writer, 3);
	write_key(&writer, "ok");
	write_bool(&writer, true);
	write_key(&writer, "vitals");
	write_map(&writer, 4);
	write_number(&writer, "period_ms",
		query->is_by_minute ? (uint64_t)VITALS_LONG_MS : (uint64_t)VITALS_SHORT_MS);
	write_key(&writer, "now_ms");
	write_integer(&writer, look->wall_ms);
	write_vitals(&writer, vitals, look, query);
	write_key(&writer, "as_of");
	answer_write_as_of(&writer, freshness);
	return reply->error;
}
