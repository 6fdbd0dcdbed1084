/* source_model.h - the aggregator's reader of the log (aggregator/log/source.h), over the modelled Kafka. One for each generation
 * at work. One thread. */
#pragma once
#include "aggregator/log/pipeline.h"
#include "tests/sim/kafka.h"

/* The pipelines of the sources that there are and were polled, in order of making; the number of sources, polled or not. */
enum { SOURCES_MAX = 2 };
size_t source_model_pipelines(const struct pipeline *ret_pipelines[SOURCES_MAX]);

/* As a reader is given it, but for its place in the log. Borrowed from the record. */
struct record source_model_record(int topic, int partition, const struct kafka_record *from);
