/* edge_part.h - desk, intake and courier of a till-edge, over a modelled disk and net. One thread. */
#pragma once
#include "tests/sim/disk.h"
#include "tests/sim/net.h"

struct edge_part;

#define STRANGER_TICKET (UINT64_C(1) << 62) /* in tickets of what must be refused */
#define FILE_TICKET (UINT64_C(1) << 63) /* in tickets of what is read from a file */

/* What a producer, or a reader, hears of a frame. */
struct edge_answer {
	uint64_t ticket;
	bool is_taken; /* else refused: nothing of it was kept by this submission */
	bool is_repeated;
	bool is_durable; /* on disk */
	uint32_t accepted, invalid, repeated_events;
};

struct edge_part_options {
	int number;
	const char *id;
	struct disk *disk; /* borrowed, outlives the part */
	uint64_t quota_bytes;
	uint64_t run; /* to begin with: of a resumed image; 0: draws one */
	bool live_first;
	int compression_level; /* 0: none */
	int64_t sync_interval_ms; /* 0: answers come after the commit */
	void (*kept)(int number); /* all that was answered is on disk */
	int64_t drain_rate; /* bytes a second; 0: no bound */
	void (*answered)(const struct edge_answer *answer);
};

struct edge_part *edge_part_new(const struct edge_part_options *options);
/* As kill -9 leaves it. */
struct edge_part *edge_part_free(struct edge_part *part);
struct edge_frame {
	const char *header, *key; /* by which it is known again; NULL: not by that */
	const char *events;
	uint64_t ticket;
};
/* false: it takes nothing more in this round. *ret_result is 0 or a negative errno that ends it. The answer may come at once. */
bool edge_part_submit(struct edge_part *part, const struct edge_frame *frame, int *ret_result);
/* Somebody sends what is no frame of events: it must be refused. As edge_part_submit. */
bool edge_part_bother(struct edge_part *part, int *ret_result);
/* What a file holds: kept with the position behind it, or held by whoever reads. */
bool edge_part_submit_read(struct edge_part *part, const char *events, uint64_t position,
	uint64_t ticket, int *ret_result);
/* The position that the spool remembers; 0: none. */
uint64_t edge_part_position(struct edge_part *part);
/* As SIGTERM does: it drains, says good-bye, and has stopped after a while. */
void edge_part_terminate(struct edge_part *part);
bool edge_part_is_serving(const struct edge_part *part);
bool edge_part_has_stopped(const struct edge_part *part);
/* These, too: 0 or a negative errno that ends it. */
int edge_part_round(struct edge_part *part);
int edge_part_hear(struct edge_part *part, const struct net_event *event);

struct edge_books {
	uint64_t received, accepted, invalid, refused, repeated;
};
struct edge_books edge_part_books(const struct edge_part *part);
uint64_t edge_part_shape(const struct edge_part *part); /* roughly, the state that it is in */

/* For the models within: whose turn it is. */
int edge_part_current(void);
void edge_part_select(const struct edge_part *part);
