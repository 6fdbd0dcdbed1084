/* source_readers.h - the readers of all declared sources, and the topics that a pipeline reads by them. The loop's thread. */
#pragma once
#include "aggregator/aggregator_config.h"
#include "aggregator/log/pipeline.h"

/* Zero-initialised: of nothing. */
struct source_readers {
	const struct aggregator_config *config; /* borrowed */
	struct source_reader *items[DECLARED_SOURCES_MAX]; /* as in config->sources; owned */
};

/* 0 or -ENOMEM; to be deinitialised in any case. */
int source_readers_init(struct source_readers *readers, const struct aggregator_config *config);
void source_readers_deinit(struct source_readers *readers);
/* Till's own topics, then those of the sources, each with its reader: borrowed from readers and configuration. */
void source_readers_name_topics(
	const struct source_readers *readers, struct pipeline_options *options);
