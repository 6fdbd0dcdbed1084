#include "aggregator/desk/report_answer.h"
#include "proto/writer.h"
#include <errno.h>

static const char *const problem_names[REPORT_PROBLEM_COUNT] = {
	[REPORT_SILENT] = "silent",
	[REPORT_BUFFERING] = "buffering",
	[REPORT_SKEWED] = "skewed",
	[REPORT_FULL] = "full",
	[REPORT_DAMAGED] = "damaged",
};

/* ---- what is wrong. All times of a report are from 0 to INT64_MAX, so that none of the differences overflows. */

static bool is_silent(const struct report *report, int64_t now_ms)
{
	int64_t heard_ms = now_ms - report->arrived_ms;

	return !report->telemetry.is_stopping && heard_ms > REPORT_SILENT_MS &&
	       heard_ms / REPORT_SILENT_INTERVALS > report->telemetry.interval_ms;
}

static int64_t skew_of(const struct report *report)
{
	return report->telemetry.now_ms - report->appended_ms;
}

static bool is_full(const struct telemetry *telemetry)
{
	uint64_t percent = telemetry->spool_max / 100;

	return telemetry->disk_room == 0 ||
	       (telemetry->spool_max > 0 &&
		       telemetry->spool_bytes / REPORT_FULL_PERCENT >= percent);
}

/* Events that a report says to wait on disk, or to lie there in damaged blocks. No less than that many: it may be cut. */
static uint64_t count_events(const struct telemetry *telemetry, bool is_aside)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < telemetry->range_count; i++) {
		const struct telemetry_range *range = &telemetry->ranges[i];
		if (range->is_aside == is_aside &&
			__builtin_add_overflow(count, range->last - range->first + 1, &count)) {
			return UINT64_MAX;
		}
	}
	return count;
}

bool report_has_problem(const struct report *report, enum report_problem problem, int64_t now_ms)
{
	const struct telemetry *telemetry = &report->telemetry;

	switch (problem) {
	case REPORT_SILENT:
		return is_silent(report, now_ms);
	case REPORT_BUFFERING:
		return telemetry->oldest_ms > 0 &&
		       telemetry->now_ms - telemetry->oldest_ms > REPORT_BUFFERING_MS;
	case REPORT_SKEWED:
		return skew_of(report) > REPORT_SKEWED_MS || skew_of(report) < -REPORT_SKEWED_MS;
	case REPORT_FULL:
		return is_full(telemetry);
	case REPORT_DAMAGED:
		return telemetry->aside_unknown > 0 || count_events(telemetry, true) > 0;
	case REPORT_PROBLEM_COUNT:
		break;
	}
	return false;
}

/* ---- the rows */

static void write_number(struct writer *writer, const char *key, uint64_t number)
{
	write_key(writer, key);
	write_unsigned(writer, number);
}

static void write_times(struct writer *writer, const struct report *report, int64_t now_ms)
{
	const struct telemetry *telemetry = &report->telemetry;

	write_key(writer, "reported_ms");
	write_integer(writer, report->appended_ms);
	write_key(writer, "heard_ms");
	write_integer(writer, now_ms - report->arrived_ms);
	write_key(writer, "clock_skew_ms");
	write_integer(writer, skew_of(report));
	write_key(writer, "started_ms");
	write_integer(writer, telemetry->started_ms);
	write_key(writer, "interval_ms");
	write_integer(writer, telemetry->interval_ms);
	write_key(writer, "oldest_ms");
	if (telemetry->oldest_ms == 0) {
		write_nil(writer);
	} else {
		write_integer(writer, telemetry->oldest_ms);
	}
}

static void write_problems(struct writer *writer, const struct report *report, int64_t now_ms)
{
	bool has[REPORT_PROBLEM_COUNT];
	uint32_t count = 0;

	for (int problem = 0; problem < REPORT_PROBLEM_COUNT; problem++) {
		has[problem] = report_has_problem(report, (enum report_problem)problem, now_ms);
		count += has[problem];
	}
	write_key(writer, "problems");
	write_array(writer, count);
	for (int problem = 0; problem < REPORT_PROBLEM_COUNT; problem++) {
		if (has[problem]) {
			write_key(writer, problem_names[problem]);
		}
	}
}

static void write_report(struct writer *writer, const struct report *report, int64_t now_ms)
{
	const struct telemetry *telemetry = &report->telemetry;

	write_map(writer, 24);
	write_key(writer, "edge");
	write_text(writer, telemetry->edge);
	write_number(writer, "run", telemetry->run);
	write_number(writer, "number", telemetry->number);
	write_key(writer, "program");
	write_text(writer, telemetry->program);
	write_problems(writer, report, now_ms);
	write_times(writer, report, now_ms);
	write_number(writer, "received", telemetry->received);
	write_number(writer, "accepted", telemetry->accepted);
	write_number(writer, "invalid", telemetry->invalid);
	write_number(writer, "refused", telemetry->refused);
	write_number(writer, "repeated", telemetry->repeated);
	write_number(writer, "spool_bytes", telemetry->spool_bytes);
	write_number(writer, "spool_max", telemetry->spool_max);
	write_number(writer, "disk_room", telemetry->disk_room);
	write_number(writer, "waiting", count_events(telemetry, false));
	write_number(writer, "damaged", count_events(telemetry, true));
	write_number(writer, "damaged_blocks_unread", telemetry->aside_unknown);
	write_key(writer, "cut");
	write_bool(writer, telemetry->is_cut);
	write_key(writer, "stopping");
	write_bool(writer, telemetry->is_stopping);
}

/* ---- which */

static bool is_wanted(const struct report_sight *sight, const struct telemetry *telemetry)
{
	const struct certificate *about = &sight->query->about;

	return (about->edge.size == 0 || slice_equal(about->edge, telemetry->edge)) &&
	       (about->run == 0 || about->run == telemetry->run) &&
	       (sight->stores == NULL ||
		       key_list_has(sight->stores, telemetry->edge.bytes, telemetry->edge.size));
}

/* The newest of the edge whose reports begin at *at, among those that are wanted; NULL: none is. Moves on to the next edge. */
static const struct report *take_edge(const struct report_sight *sight, size_t *at)
{
	struct slice edge = reports_at(sight->reports, *at)->telemetry.edge;
	const struct report *newest = NULL;

	while (*at < reports_count(sight->reports)) {
		const struct report *report = reports_at(sight->reports, *at);
		if (!slice_equal(report->telemetry.edge, edge)) {
			break;
		}
		if (is_wanted(sight, &report->telemetry) &&
			(newest == NULL || report->order > newest->order)) {
			newest = report;
		}
		*at += 1;
	}
	return newest;
}

int report_answer_list(const struct report_sight *sight, size_t size_max, struct row_list *ret_rows,
	bool *ret_is_cut)
{
	struct writer writer;

	writer_init(&writer, sight->query->encoding, &ret_rows->bytes);
	for (size_t at = 0; at < reports_count(sight->reports);) {
		const struct report *report = take_edge(sight, &at);
		if (report == NULL) {
			continue;
		}
		if (ret_rows->bytes.size > size_max) {
			*ret_is_cut = true;
			return 0;
		}
		write_report(&writer, report, sight->now_ms);
		buffer_append(&ret_rows->ends, &ret_rows->bytes.size, sizeof ret_rows->bytes.size);
		ret_rows->count++;
		if (ret_rows->bytes.error != 0 || ret_rows->ends.error != 0) {
			return -ENOMEM;
		}
	}
	return 0;
}
