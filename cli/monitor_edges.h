/* monitor_edges.h - the edges that a monitor shows: what they last reported, how much they sell between two reports, in an order
 * that a person chose. Pure. */
#pragma once
#include "proto/document.h"
#include "proto/limits.h"
#include <stdio.h>

enum {
	/* More than anybody scrolls through; of more the rest is counted. */
	MONITOR_EDGES_MAX = 2000,
	MONITOR_PROBLEMS_SIZE = 64,
};

enum monitor_sort {
	MONITOR_BY_STATE, /* who needs a look first */
	MONITOR_BY_EDGE,
	MONITOR_BY_RATE,
	MONITOR_BY_WAITING,
	MONITOR_BY_HEARD,
	MONITOR_BY_SPOOL,
	MONITOR_SORT_COUNT,
};

struct monitor_edge {
	char name[EDGE_ID_SIZE_MAX + 1];
	char problems[MONITOR_PROBLEMS_SIZE]; /* "buffering, full"; "" */
	int64_t run;
	int64_t reported_ms, accepted;
	double rate; /* accepted events a second; negative: not known yet */
	int64_t waiting, heard_ms, skew_ms, spool_permille;
};

struct monitor_edges {
	struct monitor_edge *items; /* owned */
	size_t count;
	size_t left_out; /* above MONITOR_EDGES_MAX */
	size_t troubled;
};

void monitor_edges_deinit(struct monitor_edges *edges); /* takes a zeroed one */
/* In place of what was there. `root`: an answer to `edges`. 0 or -ENOMEM. */
int monitor_edges_take(struct monitor_edges *edges, const struct node *root);
void monitor_edges_sort(struct monitor_edges *edges, enum monitor_sort by, bool is_reversed);
const char *monitor_sort_name(enum monitor_sort by);
/* false: there is no such order. */
bool monitor_sort_find(const char *name, enum monitor_sort *ret_by);
/* A table of the first `rows_max`. 0 or -ENOMEM. */
int monitor_edges_print(const struct monitor_edges *edges, size_t rows_max, FILE *out);
