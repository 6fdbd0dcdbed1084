#include "bridge/self_report.h"
#include "runtime/metrics.h"
#include <stdio.h>

void self_report_init(struct self_report *self, const struct self_report_options *options)
{
	*self = (struct self_report){.options = *options};
}

bool self_report_is_due(
	const struct self_report *self, const struct self_report_sight *sight, int64_t now_ms)
{
	if (self->options.interval_ms == 0 || !sight->may_report) {
		return false;
	}
	int64_t wait_ms = sight->is_connected == self->told.is_connected ? self->options.interval_ms
									 : SELF_REPORT_PACE_MS;
	return self->number == 0 || sight->is_stopping != self->told.is_stopping ||
	       now_ms - self->told_ms >= wait_ms;
}

/* Counters of metrics are whole numbers, far below 2^53. */
static uint64_t count_of(const struct metric *metric)
{
	return (uint64_t)metric_value(metric);
}

static void fill_counts(const struct bridge_metrics *metrics, uint64_t counts[BRIDGE_COUNT_COUNT])
{
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		enum bridge_count which = lane >= KIND_EVENT_COUNT ? BRIDGE_LETTERS : BRIDGE_EVENTS;
		counts[which] += count_of(metrics->events_received[lane]);
		counts[BRIDGE_DELIVERED] += count_of(metrics->records_delivered[lane]);
	}
	counts[BRIDGE_RETRIED] = count_of(metrics->records_retried);
	counts[BRIDGE_BATCHES] = count_of(metrics->batches_received);
	counts[BRIDGE_ACKED] = count_of(metrics->batches_acked);
	counts[BRIDGE_EVENT_BYTES] = count_of(metrics->event_bytes);
	counts[BRIDGE_WIRE_BYTES] = count_of(metrics->wire_bytes);
}

static void add_error(struct bridge_report *report, enum bridge_error_class class, const char *name,
	uint64_t count)
{
	const struct bridge_error error = {class, slice_of_text(name), count};

	bridge_report_add_error(report, &error);
}

/* A lane's failures are a series each; here the error counts, whatever the lane. */
static void add_failures(const struct bridge_metrics *metrics, struct bridge_report *report)
{
	for (size_t i = 0; i < metrics->failure_count; i++) {
		const char *name = metrics->failures[i].error;
		uint64_t count = 0;
		bool is_first = true;
		for (size_t j = 0; j < metrics->failure_count; j++) {
			bool is_same = strcmp(metrics->failures[j].error, name) == 0;
			is_first &= !is_same || j >= i;
			count += is_same ? count_of(metrics->failures[j].metric) : 0;
		}
		if (is_first) {
			add_error(report, BRIDGE_ERROR_KAFKA, name, count);
		}
	}
}

static void fill_errors(const struct bridge_metrics *metrics, struct bridge_report *report)
{
	for (int code = 1; code < NACK_CODE_COUNT; code++) {
		uint64_t count = count_of(metrics->batches_nacked[code]);
		report->counts[BRIDGE_NACKED] += count;
		add_error(report, BRIDGE_ERROR_NACK, nack_code_name((enum nack_code)code), count);
	}
	for (int reason = REASON_BAD_FRAME; reason <= REASON_REFUSED_BY_KAFKA; reason++) {
		uint64_t count = count_of(metrics->events_rejected[reason]);
		report->counts[BRIDGE_REJECTED] += count;
		add_error(report, BRIDGE_ERROR_REJECTED, reason_code((enum reason)reason), count);
	}
	add_failures(metrics, report);
}

static void fill_waiting(const struct self_report *self, const struct self_report_now *now,
	struct bridge_report *report)
{
	const struct tracker *tracker = self->options.tracker;
	int64_t oldest_us = tracker_oldest_us(tracker);

	report->waiting_batches = tracker->batch_count;
	report->waiting_records = tracker->record_count;
	if (oldest_us >= 0 && now->now_us > oldest_us) {
		report->waiting_ms = (now->now_us - oldest_us) / 1000;
	}
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		int64_t from_ms = self->options.lanes[lane].waiting_from_ms;
		report->waiting_bytes += tracker->lane_bytes[lane];
		/* From its first moment on it does not flow. */
		report->lanes_ms[lane] = from_ms < 0             ? 0
					 : now->now_ms > from_ms ? now->now_ms - from_ms
								 : 1;
	}
}

void self_report_make(struct self_report *self, const struct self_report_sight *sight,
	const struct self_report_now *now, struct bridge_report *ret_report)
{
	const struct self_report_options *options = &self->options;

	*ret_report = (struct bridge_report){
		.bridge = slice_of_text(options->name),
		.run = options->run,
		.number = ++self->number,
		.program = slice_of_text(options->program),
		.started_ms = options->started_ms > 0 ? options->started_ms : 0,
		.now_ms = now->wall_ms > 0 ? now->wall_ms : 0,
		.uptime_ms = now->now_ms - options->began_ms,
		.interval_ms = options->interval_ms,
		.edges = sessions_count(options->sessions),
		.is_connected = sight->is_connected,
		.is_stopping = sight->is_stopping,
	};
	fill_counts(options->metrics, ret_report->counts);
	fill_errors(options->metrics, ret_report);
	fill_waiting(self, now, ret_report);
	self->told = *sight;
	self->told_ms = now->now_ms;
}

void self_report_name(
	const char *host, const char *endpoint, char ret_name[BRIDGE_NAME_SIZE_MAX + 1])
{
	enum { PORT_SIZE_MAX = 5 };
	const char *port = strrchr(endpoint, ':');
	size_t digits = port == NULL ? 0 : strspn(port + 1, "0123456789");
	bool has_port = digits > 0 && digits <= PORT_SIZE_MAX && port[1 + digits] == '\0';

	snprintf(ret_name, BRIDGE_NAME_SIZE_MAX + 1, "%.*s%s",
		(int)BRIDGE_NAME_SIZE_MAX - 1 - PORT_SIZE_MAX, host, has_port ? port : "");
}
