/* reports.h - what edges report of themselves, checked and handed on to Kafka. Nobody acknowledges a report, and none is
 * sent again: the next one says more. One thread. */
#pragma once
#include "bridge/sessions.h"
#include "bridge/telemetry_sink.h"
#include "proto/telemetry.h"

enum {
	/* An edge may report so often, and a few at once: when its session begins, when it ends. */
	REPORTS_MS = 1000,
	REPORTS_BURST = 5,
};

struct reports {
	struct telemetry_sink
		*sink; /* borrowed; NULL: there is no topic for them, and none are asked for */
	struct document document;
	struct telemetry_range ranges[TELEMETRY_RANGES_MAX];
	struct complaint complaint; /* of the last bad one */
	uint64_t dropped; /* that came too soon */
};

enum { REPORTS_E_BAD = 1 /* no report of this session: the complaint says why */ };

int reports_init(struct reports *reports, struct telemetry_sink *sink); /* 0 or -ENOMEM */
void reports_deinit(struct reports *reports); /* takes a zeroed one */
/* 0, REPORTS_E_BAD, -ENOMEM. */
int reports_take(
	struct reports *reports, struct session *session, struct slice bytes, int64_t now_ms);
