/* vital_signs.h - what an aggregator's answers say of how it fares, as numbers: of its `vitals` the summary, of its `status` the
 * totals of its partitions. For track and monitor. Pure. */
#pragma once
#include "proto/document.h"
#include <stdio.h>

struct vital_signs {
	/* Of a window that ends now. */
	int64_t now_ms; /* the aggregator's wall clock */
	int64_t window_ms;
	int64_t counted; /* in it */
	int64_t latency_events; /* of which it was measured; 0: the latencies mean nothing */
	double latency_avg_ms;
	int64_t latency_p50_ms, latency_p99_ms;
	int64_t lag; /* -1: not known */
	int64_t store_bytes;
	/* Since the store began. */
	int64_t processed; /* events counted */
	int64_t errors; /* markers of refused events, and records that can't be read */
	int64_t duplicates;
};

/* What asks for a window of so long: at most a day. */
enum { VITAL_SIGNS_REQUEST_SIZE = 96 };
void vital_signs_request(int64_t window_ms, char out[VITAL_SIGNS_REQUEST_SIZE]);
/* false: that is no answer to `vitals`, or `status`. */
bool vital_signs_read_vitals(struct vital_signs *signs, const struct node *root);
bool vital_signs_read_status(struct vital_signs *signs, const struct node *root);
double vital_signs_throughput(const struct vital_signs *signs); /* events a second */
