/* monitor_bridges.h - the bridges that a monitor shows: what they last reported, those with trouble first. Pure. */
#pragma once
#include "proto/bridge_report.h"
#include <stdio.h>

enum { MONITOR_BRIDGES_MAX = 1000 /* as many as an aggregator keeps */ };

struct monitor_bridge {
	char name[BRIDGE_NAME_SIZE_MAX + 1];
	char state[16]; /* "ok", or what is wrong */
	char problems[96]; /* "stuck, skewed"; "" */
	double rate; /* events a second between its last two reports; negative: not known */
	int64_t edges, waiting, waiting_ms, errors, heard_ms;
};

struct monitor_bridges {
	struct monitor_bridge *items; /* owned */
	size_t count, troubled; /* one that stopped in order is not */
};

void monitor_bridges_deinit(struct monitor_bridges *bridges); /* takes a zeroed one */
/* In place of what was there. `root`: an answer to `bridges`. 0 or -ENOMEM. */
int monitor_bridges_take(struct monitor_bridges *bridges, const struct node *root);
/* A table of the first `rows_max`. 0 or -ENOMEM. */
int monitor_bridges_print(const struct monitor_bridges *bridges, size_t rows_max, FILE *out);
