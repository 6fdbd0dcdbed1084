/* send_totals.h - what became of the rows of `till send`, and what is said of those that did not fit. */
#pragma once
#include "client/producer.h"
#include <stdbool.h>
#include <stdio.h>

/* Complaints printed one by one; the rest is only counted. */
enum { COMPLAINTS_MAX = 20 };

struct send_totals {
	uint64_t ok; /* accepted by the edge in this run */
	uint64_t invalid; /* by the edge (kept there as dead letters) or unreadable here */
	uint64_t repeated; /* counted before: by an earlier run, or by event_id */
	uint64_t error; /* not counted: refused for good, or never answered for */
	uint64_t unwanted; /* --where */
	uint64_t frames;
	uint64_t resent_frames;
	int64_t ack_ms_sum;
	uint64_t complaints;
};

/* Every event of the frame under exactly one name. `count` is how many it has. */
void send_totals_add(
	struct send_totals *totals, const struct producer_result *result, uint32_t count);
/* A complaint about a line (0: of no line) on stderr, while there are few. */
void send_totals_complain(struct send_totals *totals, uint64_t record, uint64_t line,
	const char *code, const char *message);
void send_totals_print(const struct send_totals *totals, int64_t elapsed_ms, bool json, FILE *out);
