/* tills.h - the producers of a run, and the ledger of what they were told: each sends frames of orders to one
 * edge, known again by number, event_id or key, one at a time, and the same again until it is answered; now and then one gives up. One thread. */
#pragma once
#include "tests/sim/edge_part.h"

/* What a till knows of a frame in the end. */
enum outcome {
	OUTCOME_UNKNOWN, /* it may be counted, once */
	OUTCOME_OK, /* it is counted, once */
	OUTCOME_REFUSED, /* it is not counted */
};

struct sale {
	enum outcome outcome;
	int product;
	int64_t millionths; /* quantity * price */
	bool is_invalid; /* becomes a dead letter of the edge */
	bool is_endangered; /* the block that held it was damaged */
	bool is_poison; /* Kafka refuses it: becomes a dead letter of the bridge */
};

void tills_begin(void);
void tills_end(void);
/* Some more, at this edge. */
void tills_open(int edge);
/* Sends what is due to this edge. 0 or the edge's negative errno. */
int tills_send(int edge, struct edge_part *part);
void tills_answered(const struct edge_answer *answer);
/* What this edge has said yes to is on disk now; or it died before that. */
void tills_kept(int edge);
void tills_lost(int edge);
/* Nothing new is sent to this edge; what is under way goes on. */
void tills_hold(int edge, bool holds);
bool tills_are_calm(int edge); /* nothing is under way to it */

/* A frame of sales that no till sends: it is sure to be counted. Its text is the same each time. */
enum { TILLS_TEXT_SIZE = 12 * 1024 };
size_t tills_write_frame(void);
void tills_frame_text(size_t frame, char text[TILLS_TEXT_SIZE]);

void tills_endanger(size_t sale);
size_t tills_sale_count(void);
struct kafka_record;
/* The number of the sale that a record of an event or a letter has; SIZE_MAX: none. */
size_t tills_sale_of(const struct kafka_record *record);
/* Sale i has order_id "eI". */
const struct sale *tills_sale(size_t i);
/* An answer that can't be right; "": none. */
const char *tills_complaint(void);
void tills_complain(const char *words);
