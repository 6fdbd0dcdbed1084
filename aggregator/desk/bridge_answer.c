#include "aggregator/desk/bridge_answer.h"
#include "proto/writer.h"

static const char *const problem_names[BRIDGE_PROBLEM_COUNT] = {
	[BRIDGE_SILENT] = "silent",
	[BRIDGE_AWAY] = "no_kafka",
	[BRIDGE_STUCK] = "stuck",
	[BRIDGE_STANDING] = "lane_waits",
	[BRIDGE_SKEWED] = "skewed",
	[BRIDGE_SHARED] = "shared_name",
};

static const char *const state_names[BRIDGE_STATE_COUNT] = {
	[BRIDGE_OK] = "ok",
	[BRIDGE_TROUBLED] = "problems",
	[BRIDGE_IS_SILENT] = "silent",
	[BRIDGE_STOPPED] = "stopped",
};

const char *bridge_state_name(enum bridge_state state)
{
	return state_names[state];
}

/* ---- what is wrong. All times of a report are from 0 to INT64_MAX, so that none of the differences overflows. */

static bool is_silent(const struct bridges *bridges, const struct bridge *bridge, int64_t now_ms)
{
	int64_t quiet_ms = bridges_quiet_ms(bridges, bridge, now_ms);

	return !bridge->report.is_stopping && quiet_ms > BRIDGE_SILENT_MS &&
	       quiet_ms / BRIDGE_SILENT_INTERVALS > bridge->report.interval_ms;
}

static int64_t skew_of(const struct bridge *bridge)
{
	return bridge->report.now_ms - bridge->appended_ms;
}

static bool has_standing_lane(const struct bridge_report *report)
{
	for (int lane = 0; lane < KIND_COUNT; lane++) {
		if (report->lanes_ms[lane] > 0) {
			return true;
		}
	}
	return false;
}

bool bridge_has_problem(const struct bridges *bridges, const struct bridge *bridge,
	enum bridge_problem problem, int64_t now_ms)
{
	const struct bridge_report *report = &bridge->report;

	switch (problem) {
	case BRIDGE_SILENT:
		return is_silent(bridges, bridge, now_ms);
	case BRIDGE_AWAY:
		return !report->is_connected && !report->is_stopping;
	case BRIDGE_STUCK:
		return report->waiting_ms > BRIDGE_STUCK_MS;
	case BRIDGE_STANDING:
		return has_standing_lane(report);
	case BRIDGE_SKEWED:
		return skew_of(bridge) > BRIDGE_SKEWED_MS || skew_of(bridge) < -BRIDGE_SKEWED_MS;
	case BRIDGE_SHARED:
		return bridge->is_shared;
	case BRIDGE_PROBLEM_COUNT:
		break;
	}
	return false;
}

enum bridge_state bridge_state_of(
	const struct bridges *bridges, const struct bridge *bridge, int64_t now_ms)
{
	if (bridge->report.is_stopping) {
		return BRIDGE_STOPPED;
	}
	if (is_silent(bridges, bridge, now_ms)) {
		return BRIDGE_IS_SILENT;
	}
	for (int problem = 0; problem < BRIDGE_PROBLEM_COUNT; problem++) {
		if (bridge_has_problem(bridges, bridge, (enum bridge_problem)problem, now_ms)) {
			return BRIDGE_TROUBLED;
		}
	}
	return BRIDGE_OK;
}

/* No figure that moves: who watches the sentences hears each once. */
static void say(struct text_set *problems, const struct bridge *bridge, const char *what)
{
	char text[BRIDGE_NAME_SIZE_MAX + 128];

	snprintf(text, sizeof text, "bridge %.*s %s", (int)bridge->report.bridge.size,
		(const char *)bridge->report.bridge.bytes, what);
	(void)text_set_add(problems, text); /* past TEXT_SET_MAX enough was said */
}

void bridge_problems(const struct bridges *bridges, int64_t now_ms, struct text_set *problems)
{
	for (size_t i = 0; i < bridges_count(bridges); i++) {
		const struct bridge *bridge = bridges_at(bridges, i);
		bool is_missed = bridges_behind_ms(bridges, bridge) < BRIDGE_MISSED_MS;
		if (bridge->report.is_stopping || !is_missed) {
			continue;
		}
		if (is_silent(bridges, bridge, now_ms)) {
			if (bridge->report.edges > 0) {
				say(problems, bridge,
					"is silent; edges were connected to it when it last "
					"reported");
			}
		} else if (bridge_has_problem(bridges, bridge, BRIDGE_STUCK, now_ms)) {
			say(problems, bridge, "waits for Kafka to confirm what it was given");
		}
	}
}

/* ---- the rows */

static void write_number(struct writer *writer, const char *key, uint64_t number)
{
	write_key(writer, key);
	write_unsigned(writer, number);
}

static void write_time(struct writer *writer, const char *key, int64_t ms)
{
	write_key(writer, key);
	write_integer(writer, ms);
}

static void write_problems(struct writer *writer, const struct bridges *bridges,
	const struct bridge *bridge, int64_t now_ms)
{
	bool has[BRIDGE_PROBLEM_COUNT];
	uint32_t count = 0;

	for (int problem = 0; problem < BRIDGE_PROBLEM_COUNT; problem++) {
		has[problem] =
			bridge_has_problem(bridges, bridge, (enum bridge_problem)problem, now_ms);
		count += has[problem];
	}
	write_key(writer, "problems");
	write_array(writer, count);
	for (int problem = 0; problem < BRIDGE_PROBLEM_COUNT; problem++) {
		if (has[problem]) {
			write_key(writer, problem_names[problem]);
		}
	}
}

static void write_lanes(struct writer *writer, const struct bridge_report *report)
{
	uint32_t count = 0;

	for (int lane = 0; lane < KIND_COUNT; lane++) {
		count += report->lanes_ms[lane] > 0;
	}
	write_key(writer, "lanes_waiting");
	write_map(writer, count);
	for (int lane = 0; lane < KIND_COUNT; lane++) {
		if (report->lanes_ms[lane] > 0) {
			write_time(writer, kind_name((enum kind)lane), report->lanes_ms[lane]);
		}
	}
}

static void write_errors(struct writer *writer, const struct bridge_report *report)
{
	write_key(writer, "errors");
	write_array(writer, report->error_count);
	for (uint32_t i = 0; i < report->error_count; i++) {
		const struct bridge_error *error = &report->errors[i];
		write_map(writer, 3);
		write_key(writer, "class");
		write_key(writer, bridge_error_class_name(error->class));
		write_key(writer, "name");
		write_text(writer, error->name);
		write_number(writer, "count", error->count);
	}
	write_key(writer, "cut");
	write_bool(writer, report->is_cut);
}

static void write_counts(struct writer *writer, const uint64_t counts[BRIDGE_COUNT_COUNT])
{
	for (int i = 0; i < BRIDGE_COUNT_COUNT; i++) {
		write_number(writer, bridge_count_name((enum bridge_count)i), counts[i]);
	}
}

static void write_recent(struct writer *writer, const struct bridge_recent *recent)
{
	write_key(writer, "recent");
	if (recent->over_ms == 0) {
		write_nil(writer);
		return;
	}
	write_map(writer, 1 + BRIDGE_COUNT_COUNT);
	write_time(writer, "over_ms", recent->over_ms);
	write_counts(writer, recent->counts);
}

static void write_bridge(struct writer *writer, const struct bridges *bridges,
	const struct bridge *bridge, int64_t now_ms)
{
	const struct bridge_report *report = &bridge->report;

	write_map(writer, 23 + BRIDGE_COUNT_COUNT);
	write_key(writer, "bridge");
	write_text(writer, report->bridge);
	write_number(writer, "run", report->run);
	write_number(writer, "number", report->number);
	write_key(writer, "program");
	write_text(writer, report->program);
	write_key(writer, "state");
	write_key(writer, bridge_state_name(bridge_state_of(bridges, bridge, now_ms)));
	write_problems(writer, bridges, bridge, now_ms);
	write_time(writer, "reported_ms", bridge->appended_ms);
	write_time(writer, "heard_ms", now_ms - bridge->arrived_ms);
	write_time(writer, "clock_skew_ms", skew_of(bridge));
	write_time(writer, "started_ms", report->started_ms);
	write_time(writer, "uptime_ms", report->uptime_ms);
	write_time(writer, "interval_ms", report->interval_ms);
	write_number(writer, "edges", report->edges);
	write_counts(writer, report->counts);
	write_number(writer, "waiting_batches", report->waiting_batches);
	write_number(writer, "waiting_records", report->waiting_records);
	write_number(writer, "waiting_bytes", report->waiting_bytes);
	write_time(writer, "waiting_ms", report->waiting_ms);
	write_lanes(writer, report);
	write_errors(writer, report);
	write_recent(writer, &bridge->recent);
	write_key(writer, "kafka_connected");
	write_bool(writer, report->is_connected);
	write_key(writer, "stopping");
	write_bool(writer, report->is_stopping);
}

/* BRIDGES_MAX of the largest are some 4 MiB: below what an answer may be. */
int bridge_answer_write(const struct bridges *bridges, int64_t now_ms,
	const struct freshness *freshness, enum encoding encoding, struct buffer *reply)
{
	struct writer writer;
	size_t count = bridges_count(bridges);

	writer_init(&writer, encoding, reply);
	write_map(&writer, 3);
	write_key(&writer, "ok");
	write_bool(&writer, true);
	write_key(&writer, "bridges");
	write_array(&writer, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		write_bridge(&writer, bridges, bridges_at(bridges, i), now_ms);
	}
	write_key(&writer, "as_of");
	answer_write_as_of(&writer, freshness);
	return reply->error;
}
