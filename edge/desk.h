/* desk.h - takes frames from all sources, commits them in groups, and then tells each its outcome. One round of the loop
 * is one group: what came in while the last commit ran. Acknowledged blocks are deleted by the same commits.
 *
 * When several ports want it, a round is short and divided among them, so that one that is flooded adds little to the
 * others' latency. Where one frame fills a round, ports take turns.
 *
 * sync = always: an outcome is told after its commit. Otherwise at once, with "durable":false, and the draft is
 * committed each interval. One thread. */
#pragma once
#include "edge/intake.h"
#include "edge/port.h"
#include "edge/removals.h"

struct desk;
struct metric;
struct spool;

enum {
	/* One group: about what a disk writes while the next one gathers. */
	DESK_ROUND_BYTES = 8 * 1024 * 1024,
	DESK_ROUND_EVENTS = 50000,
	DESK_ROUND_FRAMES = 8000,
	/* A repeat costs its producer nothing, and may be answered with a hundred errors. */
	DESK_ROUND_REPLY_BYTES = 16 * 1024 * 1024,
	/* Each event_id touches pages all over two trees, and so does the oldest one that it pushes out: a transaction
	 * of LMDB holds 131,072 dirty pages. */
	DESK_ROUND_EVENT_IDS = 10000,
	/* Acknowledged blocks wait so long for a commit to ride on: at a till's pace a commit of their own would be a
	 * third more wear of an SD card. Shorter where half of spool_max is in use: there room matters more. */
	DESK_REMOVAL_MS = 1000,
	DESK_REMOVAL_SHORT_MS = 50,
	DESK_ROUND_MARKS = 10000, /* the same, in one tree */
	/* While several ports are at work, all of them together: some milliseconds of checking. */
	DESK_SHARED_BYTES = 512 * 1024,
	DESK_SHARED_EVENTS = 2000,
	DESK_SHARED_FRAMES = 1000,
	/* A port that has handed in nothing for so long gives its share to the others. */
	DESK_IDLE_MS = 1000,
	DESK_PORTS_MAX = 40,
	DESK_RETRY_MS = 1000, /* after a commit that found no room */
	/* When all deletions don't fit: the pages of so many of the largest blocks make a list of one page. */
	DESK_PIECE_BLOCKS = 15,
	DESK_PIECES_A_ROUND = 100,
};

struct pseudonymiser;

struct desk_options {
	struct spool *spool; /* borrowed */
	const char *edge;
	const char *default_currency;
	const struct zone *zone;
	int64_t sync_interval_ms; /* 0: always */
	uint64_t run;
	uint8_t seed[16]; /* random */
	struct metric *commit_seconds; /* may be NULL */
	struct pseudonymiser *pseudonymiser; /* borrowed; may be NULL */
};

int desk_new(const struct desk_options *options, struct desk **ret_desk);
struct desk *desk_free(struct desk *desk);

struct port_options {
	const char *
		label; /* in dead letters, in front of keys: "zmq", "mqtt:shop"; below SOURCE_LABEL_SIZE; copied */
	void *owner;
	void (*acknowledge)(void *owner, uint64_t ticket, const struct submission_result *result);
};

/* Ports live as long as the desk. 0, -ENOMEM, or -ENOSPC past DESK_PORTS_MAX. */
int desk_open_port(struct desk *desk, const struct port_options *options, struct port **ret_port);
/* Where acknowledgements go from now on: a source is made after its port. */
void port_set_owner(struct port *port, void *owner);
/* What became of all that the port took: told or not. */
void port_count(const struct port *port, struct intake_counts *ret_counts);

/* Commits if it is time, then acknowledges all whose outcome is known. 0 or a negative errno: then nobody knows
 * what is on disk, and the program must end. */
int desk_round(struct desk *desk, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms);
/* Something was handed in since, or found no room: the next round should not be waited for. */
bool desk_is_wanted(const struct desk *desk);
/* Everything now, whatever the interval: before the end. */
int desk_flush(struct desk *desk, int64_t now_ms, int64_t wall_ms);

/* Where acknowledged blocks are put. */
struct removals *desk_removals(struct desk *desk);
/* From now on everything is refused as shutting_down. */
void desk_close(struct desk *desk);
/* false while frames wait for a commit: then not now. */
bool desk_set_run(struct desk *desk, uint64_t run);

struct desk_view {
	uint64_t run;
	uint64_t next_seq[KIND_COUNT];
	uint64_t committed_seq[KIND_COUNT]; /* the last one on disk, or acknowledged since */
	uint64_t commits;
	bool full; /* the last commit found no room */
};
struct desk_view desk_view(const struct desk *desk);
/* Of all ports. */
void desk_count(const struct desk *desk, struct intake_counts *ret_counts);
