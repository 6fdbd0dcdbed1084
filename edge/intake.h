/* intake.h - one submission of a source in; numbered events and marks in the draft, and a reply out. It is taken whole or
 * not at all. Looks up what was counted before through `intake_memory`; reads no clock and writes no file.
 * Rules: PROTOCOL.md, "Producer to edge". One thread. */
#pragma once
#include "edge/draft.h"
#include "edge/producers.h"
#include "edge/pseudonym_ssl.h"
#include "edge/spool_index.h"
#include "edge/submission.h"
#include "proto/producer.h"

struct zone;

/* What the spool remembers from earlier commits. */
struct intake_memory {
	void *owner;
	/* 0 with the row (borrowed until the next call), SPOOL_E_UNKNOWN, SPOOL_E_CORRUPT, SPOOL_E_FULL when no more
	 * producers can be remembered, or -errno. */
	int (*producer)(void *owner, struct slice producer, struct producer_row *ret_row);
	/* 0: it was counted, and what was kept with it (borrowed until the next call); SPOOL_E_UNKNOWN, SPOOL_E_FULL
	 * when no more of its sort can be remembered, or -errno. */
	int (*event_id)(void *owner, struct slice event_id, struct slice *ret_value);
};

struct intake_options {
	const char *edge;
	const char *default_currency;
	const struct zone *zone; /* NULL: UTC */
	bool durable; /* replies are sent after fsync */
	struct pseudonymiser *pseudonymiser; /* borrowed; NULL: users keep their ids */
	struct intake_memory memory;
	const struct spool_index *index; /* borrowed: room */
};

struct intake_frame {
	const struct submission *submission;
	const char *source; /* its label: "zmq", "mqtt:shop" */
	int64_t received_ms;
	int64_t memory_ms; /* the same moment by the clock that producers are forgotten by */
};

/* What became of events. received = Σaccepted + Σinvalid + Σrefused + repeated, always. A frame that could not be cut
 * into events counts as one. */
struct intake_counts {
	uint64_t frames;
	uint64_t received;
	uint64_t accepted[KIND_EVENT_COUNT];
	uint64_t invalid[REASON_COUNT];
	uint64_t refused[REASON_COUNT];
	uint64_t repeated;
};

/* Where a submission's events, reply and counts go. */
struct intake_sink {
	struct draft *draft;
	struct buffer *reply;
	struct intake_counts *counts;
};

struct intake;

enum {
	INTAKE_E_FULL =
		1, /* no room for an unattended frame: hold it and try again; nothing was counted */
};

int intake_new(const struct intake_options *options, struct intake **ret_intake);
struct intake *intake_free(struct intake *intake);
/* Appends to the draft, and the encoded reply to `reply` where one was asked for; adds to the counts. From here on an
 * invalid frame is no failure: 0 with the result (its `reply` is left empty), INTAKE_E_FULL (unattended frames only), or
 * a negative errno that ends the program. */
int intake_take(struct intake *intake, const struct intake_frame *frame,
	const struct intake_sink *sink, struct submission_result *ret_result);
/* Refuses without looking further: shutting down, or the commit found no room. */
void intake_refuse(const struct intake_frame *frame, enum reason reason, struct buffer *reply,
	struct intake_counts *counts);
/* A refusal's reply alone. */
void intake_encode_refusal(
	enum reason reason, enum submission_reply encoding, struct buffer *reply);

void intake_counts_add(struct intake_counts *to, const struct intake_counts *from);
/* A group's commit found no room: what was accepted, invalid or repeated in it becomes refused. */
void intake_counts_refuse(struct intake_counts *counts, enum reason reason);
