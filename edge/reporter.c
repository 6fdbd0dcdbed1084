#include "edge/reporter.h"
#include <errno.h>

void reporter_init(struct reporter *reporter, const struct reporter_options *options)
{
	*reporter = (struct reporter){.options = *options};
}

static bool has_news(const struct reporter *reporter, const struct reporter_sight *sight)
{
	return sight->session != reporter->told.session ||
	       sight->is_stuck != reporter->told.is_stuck ||
	       sight->is_stopping != reporter->told.is_stopping ||
	       spool_corrupt(reporter->options.spool).blocks != reporter->told_corrupt ||
	       desk_view(reporter->options.desk).run != reporter->told_run;
}

/* A session's first report is never too early; the one of a stop is the last chance. */
bool reporter_is_due(const struct reporter *reporter, const struct reporter_sight *sight,
	int64_t now_ms, int64_t *ret_wait_ms)
{
	const struct reporter_options *options = &reporter->options;

	*ret_wait_ms = INT64_MAX;
	if (options->interval_ms == 0 || sight->pace_ms == 0) {
		return false;
	}
	bool is_first = sight->session != reporter->told.session;
	bool is_last = sight->is_stopping && !reporter->told.is_stopping;
	int64_t wait_ms = is_first || is_last                     ? 0
			  : has_news(reporter, sight)             ? sight->pace_ms
			  : options->interval_ms > sight->pace_ms ? options->interval_ms
								  : sight->pace_ms;
	wait_ms -= now_ms - reporter->told_ms;
	*ret_wait_ms = wait_ms > 0 ? wait_ms : 0;
	return wait_ms <= 0 || is_first || is_last;
}

static void fill_counts(const struct reporter *reporter, struct telemetry *telemetry)
{
	struct intake_counts counts;

	desk_count(reporter->options.desk, &counts);
	telemetry->received = counts.received;
	telemetry->repeated = counts.repeated;
	for (int i = 0; i < KIND_EVENT_COUNT; i++) {
		telemetry->accepted += counts.accepted[i];
	}
	for (int i = 0; i < REASON_COUNT; i++) {
		telemetry->invalid += counts.invalid[i];
		telemetry->refused += counts.refused[i];
	}
}

static void fill_spool(const struct reporter *reporter, struct telemetry *telemetry)
{
	struct spool *spool = reporter->options.spool;
	const struct spool_index *index = spool_index(spool);

	telemetry->spool_bytes = index->bytes;
	telemetry->spool_max = index->quota_bytes;
	telemetry->disk_room = spool_space(spool).disk_room_bytes;
	telemetry->aside_unknown = spool_corrupt(spool).unreadable_headers;
	for (int i = 0; i < KIND_COUNT; i++) {
		int64_t oldest_ms = spool_oldest_ms(spool, (enum kind)i);
		bool is_older = oldest_ms > 0 &&
				(telemetry->oldest_ms == 0 || oldest_ms < telemetry->oldest_ms);
		telemetry->oldest_ms = is_older ? oldest_ms : telemetry->oldest_ms;
	}
}

int reporter_write(struct reporter *reporter, const struct reporter_sight *sight, int64_t wall_ms,
	struct buffer *buffer)
{
	const struct reporter_options *options = &reporter->options;
	struct desk_view view = desk_view(options->desk);
	struct telemetry_range ranges[TELEMETRY_RANGES_MAX];
	struct telemetry telemetry = {
		.edge = slice_of_text(options->edge),
		.run = view.run,
		.number = reporter->number + 1,
		.program = slice_of_text(options->program),
		.started_ms = options->started_ms > 0 ? options->started_ms : 0,
		.now_ms = wall_ms > 0 ? wall_ms : 0,
		.interval_ms = options->interval_ms,
		.is_stopping = sight->is_stopping,
		.ranges = ranges,
	};

	fill_counts(reporter, &telemetry);
	fill_spool(reporter, &telemetry);
	for (int i = 0; i < KIND_COUNT; i++) {
		telemetry.numbered[i] = view.committed_seq[i];
	}
	int r = spool_list_ranges(
		options->spool, ranges, &telemetry.range_count, &telemetry.is_cut);
	if (r == 0) {
		buffer_clear(buffer);
		telemetry_encode(&telemetry, buffer);
		r = buffer->error;
	}
	return r;
}

void reporter_told(struct reporter *reporter, const struct reporter_sight *sight, int64_t now_ms)
{
	uint64_t run = desk_view(reporter->options.desk).run;

	reporter->number =
		run == reporter->told_run || reporter->told_run == 0 ? reporter->number + 1 : 1;
	reporter->told = *sight;
	reporter->told_corrupt = spool_corrupt(reporter->options.spool).blocks;
	reporter->told_run = run;
	reporter->told_ms = now_ms;
	reporter->reports++;
}
