/* upload.h - one input to one edge: reads, paces, gathers frames, and waits for every answer. On a loop of its own
 * making in session.h; upload_run returns when all is answered for, or it can't go on. One thread. */
#pragma once
#include "cli/input.h"
#include "cli/send_totals.h"
#include "cli/session.h"

struct upload;

enum {
	UPLOAD_E_SILENT = 1, /* nothing heard from the edge for timeout_ms */
	UPLOAD_E_INTERRUPTED, /* by a signal */
	UPLOAD_E_INPUT, /* the input can't be read on; the error says why */
};

/* Without own numbers, so many frames are in flight, each under a producer's name of its own. */
enum { UPLOAD_LANES = 4, UPLOAD_ROWS_MAX = 500, UPLOAD_AGE_MS_MAX = 50 };

struct upload_options {
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

int upload_new_take(const struct upload_options *options, struct upload **ret_sender);
struct upload *upload_free(struct upload *upload);
/* 0, UPLOAD_E_*, -errno. Call it once. */
int upload_run(struct upload *upload, struct pairs_error *error);
const struct send_totals *upload_totals(const struct upload *upload);
int64_t upload_elapsed_ms(const struct upload *upload);
