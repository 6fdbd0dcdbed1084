/* intake_internal.h - private to intake*.c: the submission at hand, and what the three files do with it. intake.c takes it
 * whole or not at all, intake_events.c brings its events into the draft, intake_repeats.c knows what was counted before,
 * intake_rights.c what its sender may. */
#pragma once
#include "edge/event_id_row.h"
#include "edge/intake.h"
#include "proto/framing.h"

struct intake {
	struct intake_options options;
	struct document document; /* of one event */
	struct document stored; /* of a reply that is given again */
	struct reply_error errors[REPLY_ERRORS_MAX];
	struct buffer row; /* a producer's */
	struct buffer reply; /* as the row keeps it */
	struct buffer letter; /* with a pseudonym in it */
	uint8_t key[1 + SOURCE_LABEL_SIZE + 1 + REQUEST_KEY_SIZE_MAX]; /* of the request at hand */
	uint8_t own_id[EVENT_ID_OWN_SIZE_MAX]; /* of the event at hand */
};

/* The frame at hand. */
struct taking {
	struct intake *intake;
	const struct submission *submission;
	const struct intake_frame *frame;
	struct draft *draft;
	struct framing framing;
	uint32_t index; /* of the event at hand */
	struct reply reply;
	struct intake_counts counts; /* of this frame alone */
	struct producer_header header; /* producer.size 0: not numbered */
	struct slice request_key; /* in the event ids' name space; size 0: none */
	struct complaint forbidden; /* of TAKING_E_FORBIDDEN */
	const char *missing_right;
};

enum { TAKING_E_FORBIDDEN = 100 }; /* beside SPOOL_E_*: `forbidden` says what the sender may not */

/* intake.c */
bool intake_has_events(const struct submission *submission);
/* Events of a frame that nobody looks into further; one that can't be cut counts as one. */
uint32_t intake_count_events(const struct submission *submission);
/* The whole frame is refused: nothing of it stays. */
void intake_refuse_whole(
	struct taking *taking, const struct draft_mark *mark, const struct complaint *complaint);
void intake_refuse_as(struct taking *taking, const struct draft_mark *mark, enum reason reason,
	const char *field, const char *words);
void intake_set_origin(struct taking *taking);

/* intake_events.c */
/* 0, SPOOL_E_FULL (no more dead letters' ids can be remembered), TAKING_E_FORBIDDEN or -errno. */
int intake_take_events(struct taking *taking);
int intake_append_dead_letter(struct taking *taking, enum kind kind, struct slice bytes,
	const struct complaint *complaint);

/* intake_rights.c: 0 or TAKING_E_FORBIDDEN */
int intake_judge_sending(struct taking *taking);
int intake_judge_producer(struct taking *taking); /* once its header is read */
/* The ids of replayed dead letters are the whole edge's, and for good. */
int intake_judge_event_id(struct taking *taking, struct slice event_id);
/* `why`: NULL, or what is wrong with an event that would be kept as a dead letter of that kind. */
int intake_judge_kind(struct taking *taking, enum kind kind, const struct complaint *why);

/* intake_repeats.c */
/* *ret_new: the frame is to be counted, for all that is remembered. Else its reply stands, or it was refused. */
int intake_judge_repeat(struct taking *taking, const struct draft_mark *mark, bool *ret_new);
/* The reply goes into the transaction of the events, so that a repeat hears the very same. */
int intake_remember_reply(struct taking *taking);
