/* reporting.h - what edges and bridges report, read and kept: wiring of the reader, the reports, and up to when the log is read. The
 * loop's thread. */
#pragma once
#include "aggregator/desk/bridges.h"
#include "aggregator/desk/reports.h"
#include "aggregator/log/horizon.h"

struct loop;
struct metrics;
struct reporting;

struct reporting_options {
	struct loop *loop; /* borrowed, as are all */
	struct metrics *metrics;
	const char *brokers;
	const struct kafka_properties *kafka;
	const char *topic; /* "": nothing is read, and nobody has reported */
};

/* 0, -errno, or -EINVAL with the error. */
int reporting_new(const struct reporting_options *options, struct reporting **ret_reporting,
	struct config_error *error);
struct reporting *reporting_free(struct reporting *reporting);
/* `pipeline` is the live one. 0 or -errno. */
int reporting_tick(struct reporting *reporting, struct pipeline *pipeline, int64_t now_ms,
	int64_t *ret_wait_ms);
/* NULL where none are read. */
const struct reports *reporting_reports(const struct reporting *reporting);
const struct bridges *reporting_bridges(const struct reporting *reporting);
