/* source.h - the seam between the edge and the places where events come from. A source is one file, and one row of the
 * table in sources.c. It reads what came in, hands it in through its port while port_takes_more, and hears through
 * `acknowledge` what became of it: then, and only then, it answers in its own protocol (a reply, PUBACK, 200, a
 * position that moves on). It never blocks, and it is bounded: what it can't hand in it does not read.
 *
 *	open         binds, connects or watches, and registers with the loop what it waits for
 *	poll         after each round of the desk: what is due by time, what found no room before
 *	acknowledge  the outcome of one submission, in the order of submission
 *	stop         the edge is ending: nothing new is read; what was submitted is still acknowledged
 *	close        frees it
 *
 * One thread. */
#pragma once
#include "edge/port.h"
#include "runtime/config.h"
#include <stdio.h>

struct context;
struct loop;
struct metrics;
struct security;

struct source_options {
	const char *name; /* NAME of [source.NAME], "zmq", "push" */
	const void *config; /* as the type's schema filled it; outlives the source */
	const char *edge; /* the edge's id */
	struct port *port; /* all from here on borrowed */
	struct loop *loop;
	struct context *context;
	struct metrics *metrics; /* for series of its own, labelled source="NAME" */
	struct security *security; /* keys, for what listens over ZeroMQ; may be NULL */
};

struct source_error {
	char text
		[256]; /* what could not be done, to what: "can't bind tcp://…: Address already in use" */
};

struct source_type {
	const char *name; /* "mqtt": what `type` says */
	/* The keys of [source.NAME] but `type`: rows of section "source". NULL: the edge opens it by itself. */
	const struct config_schema *schema;
	/* Checks across keys. `insecure` is [security] insecure. 0 or -EINVAL with the error set. May be NULL. */
	int (*check)(void *config, bool insecure, struct config_error *error);
	/* 0 or -errno with the error set. Marks may be walked. */
	int (*open)(const struct source_options *options, void **ret_source,
		struct source_error *error);
	/* 0 or a negative errno that ends the program. *ret_wait_ms: when to be called again, at the latest; left alone:
	 * whenever. May be NULL. */
	int (*poll)(void *source, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms);
	/* Must not submit. */
	void (*acknowledge)(void *source, uint64_t ticket, const struct submission_result *result);
	void (*stop)(void *source);
	/* What was asked to stop has nothing left to say: the edge waits for it a little before it closes. May be NULL. */
	bool (*is_stopped)(const void *source);
	void *(*close)(void *source); /* takes NULL, returns NULL */
	/* A line each for /readyz where something is not as it should be (a broker that is away). May be NULL. */
	void (*describe)(const void *source, FILE *out);
	/* What it listens on; ends with NULL. May be NULL. */
	const char *const *(*endpoints)(const void *source);
};
