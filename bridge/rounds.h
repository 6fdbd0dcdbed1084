/* rounds.h - what all edges are told, after each round of the loop and each second: news as soon as there are any,
 * STATE while anything is unacknowledged, the credit now and then, and BYE at the end. One thread. */
#pragma once
#include "bridge/reception.h"

enum {
	/* An idle session is told its credit, and shows whether it lives. */
	CREDIT_INTERVAL_MS = 10000,
};

struct rounds {
	struct reception *reception; /* borrowed, as is all below */
	struct sessions *sessions;
	struct post *post;
	const struct lane *lanes;
};

/* ACKs and NACKs to every marked session, once each: one that can not take them now is marked anew. 0 or -errno. */
int rounds_post_news(struct rounds *rounds, int64_t now_ms);
/* Holds ACKs back, or lets go of them: while it is not sure which cluster has what was delivered. */
void rounds_hold_acks(struct rounds *rounds, bool holds);
/* STATE or credit to whom it is due; idle ones are forgotten after SESSION_IDLE_MS_MAX. 0 or -errno. */
int rounds_post_beats(struct rounds *rounds, int64_t now_ms);
/* BYE to everybody. */
void rounds_end_all(struct rounds *rounds, enum bye_code code, const char *words);
