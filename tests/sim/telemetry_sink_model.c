/* The bridge's way to the topic of telemetry (bridge/telemetry_sink.h), over the modelled one. */
#include "bridge/telemetry_sink.h"
#include "tests/sim/telemetry.h"
#include <errno.h>
#include <stdlib.h>

struct telemetry_sink {
	struct telemetry_sink_counts counts;
};

int telemetry_sink_new(const struct telemetry_sink_options *options,
	struct telemetry_sink **ret_herald, struct config_error *error)
{
	(void)options, (void)error;
	*ret_herald = calloc(1, sizeof **ret_herald);
	return *ret_herald == NULL ? -ENOMEM : 0;
}

struct telemetry_sink *telemetry_sink_free(struct telemetry_sink *sink)
{
	free(sink);
	return NULL;
}

bool telemetry_sink_put(struct telemetry_sink *sink, struct slice key, struct slice report)
{
	bool is_there = telemetry_append((struct kafka_bytes){key.bytes, key.size},
		(struct kafka_bytes){report.bytes, report.size});

	sink->counts.delivered += is_there;
	sink->counts.failed += !is_there;
	return is_there;
}

void telemetry_sink_serve(struct telemetry_sink *sink)
{
	(void)sink;
}

struct telemetry_sink_counts telemetry_sink_counts(const struct telemetry_sink *sink)
{
	return sink->counts;
}
