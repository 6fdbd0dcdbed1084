/* sender.h - one input to one edge: reads, paces, gathers frames, and waits for every answer. On a loop of its own
 * making in session.h; sender_run returns when all is answered for, or it can't go on. One thread. */
#pragma once
#include "cli/input.h"
#include "cli/send_totals.h"
#include "cli/session.h"

struct sender;

enum {
	SENDER_E_SILENT = 1, /* nothing heard from the edge for timeout_ms */
	SENDER_E_INTERRUPTED, /* by a signal */
	SENDER_E_INPUT, /* the input can't be read on; the error says why */
};

/* Without own numbers, so many frames are in flight, each under a producer's name of its own. */
enum { SENDER_LANES = 8, SENDER_ROWS_MAX = 500, SENDER_AGE_MS_MAX = 50 };

struct sender_options {
	const struct session *session; /* borrowed */
	struct input *input; /* taken */
	int fd; /* borrowed; read in pieces as it becomes readable */
	int64_t size; /* of the whole input for the progress bar, bytes; 0: unknown */
	const char *endpoint;
	const char *producer_id;
	bool by_position; /* number frames by input position: position.h */
	double rate; /* rows a second; 0: no limit */
	int64_t timeout_ms; /* 0: for ever */
};

int sender_new_take(const struct sender_options *options, struct sender **ret_sender);
struct sender *sender_free(struct sender *sender);
/* 0, SENDER_E_*, -errno. Call it once. */
int sender_run(struct sender *sender, struct options_error *error);
const struct send_totals *sender_totals(const struct sender *sender);
int64_t sender_elapsed_ms(const struct sender *sender);
