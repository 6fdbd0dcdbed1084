#include "aggregator/source_readers.h"

int source_readers_init(struct source_readers *readers, const struct aggregator_config *config)
{
	int r = 0;

	readers->config = config;
	for (size_t i = 0; r == 0 && i < config->source_count; i++) {
		r = source_reader_new(&config->sources[i], &readers->items[i]);
	}
	return r;
}

void source_readers_deinit(struct source_readers *readers)
{
	for (size_t i = 0; i < DECLARED_SOURCES_MAX; i++) {
		readers->items[i] = source_reader_free(readers->items[i]);
	}
}

void source_readers_name_topics(
	const struct source_readers *readers, struct pipeline_options *options)
{
	const struct aggregator_config *config = readers->config;
	struct topics *topics = &options->topics;

	for (int kind = 0; kind < KIND_COUNT; kind++) {
		topics->names[topics->count++] = config->topics[kind];
	}
	for (size_t i = 0; i < config->source_count; i++) {
		for (uint32_t j = 0; j < config->sources[i].topic_count; j++) {
			options->readers[topics->count] = readers->items[i];
			topics->names[topics->count++] = config->sources[i].topics[j];
		}
	}
}
