/* simulation.h - simulated stores selling at real edges: `till simulate` and `till demo`. On the caller's loop; wants
 * simulation_step from its tick. Keeps the ledger of what was answered for. One thread. */
#pragma once
#include "cli/sales_ledger.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "client/producer.h"

struct simulation;

/* Each endpoint takes two of the loop's sources. */
enum { SIMULATION_ENDPOINTS_MAX = 24, SIMULATION_STORES_MAX = 1000 };
/* Few enough that every invalid event of a frame is listed in its reply while their share is moderate. */
enum { SIMULATION_FRAME_EVENTS_MAX = 250, SIMULATION_LANES = 4 };

struct simulation_options {
	const struct session *session; /* borrowed */
	const char *const *endpoints; /* borrowed */
	size_t endpoint_count;
	uint32_t stores; /* store i sells at endpoint i modulo endpoint_count */
	struct simulator_options simulator;
	double rate; /* events a second over all endpoints; 0: as fast as they are answered */
	uint64_t count_max; /* events in all; 0: no limit */
	int64_t timeout_ms; /* silence of an edge; 0: for ever */
	/* Who says on stderr that an edge is away, and the progress line that must be cleared before; may be NULL. */
	const char *command;
	struct progress *progress;
	/* Wall clock for the events' ts, so that time stays an argument. */
	int64_t (*wall_ms)(void);
	/* Asked before each event with its size; false stops producing for good. May be NULL. */
	bool (*may_produce)(void *owner, size_t endpoint, enum kind kind, size_t size);
	void *owner;
};

/* `session` and `endpoints` must outlive it. -EINVAL when a number is out of bounds. */
int simulation_new(const struct simulation_options *options, struct simulation **ret_simulation);
struct simulation *simulation_free(struct simulation *simulation);
/* 0, PRODUCER_E_TIMEOUT (an edge is silent: simulation_silent_endpoint), -errno. */
int simulation_step(struct simulation *simulation, int64_t now_ms, int64_t *ret_wait_ms);
/* No further events; what is under way is still brought to its answer. */
void simulation_stop(struct simulation *simulation);
/* Stopped, and everything is answered for. */
bool simulation_is_over(const struct simulation *simulation);

struct simulation_counts {
	uint64_t produced; /* drawn and handed over */
	uint64_t refused; /* whole frames' events, for good: nothing of them was counted */
	uint64_t surprises; /* events that an edge judged otherwise than they were meant */
	uint64_t in_flight; /* events without an answer */
	uint64_t resent_frames;
	uint64_t waited; /* refusals for the moment */
};
void simulation_count(const struct simulation *simulation, struct simulation_counts *ret_counts);
const struct sales_ledger *simulation_ledger(const struct simulation *simulation);
const char *simulation_silent_endpoint(const struct simulation *simulation);
