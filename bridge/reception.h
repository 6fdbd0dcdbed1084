/* reception.h - what edges say: sessions begin and end here, batches go on to the pipeline. One thread. */
#pragma once
#include "bridge/pipeline.h"
#include "bridge/post.h"
#include "bridge/reports.h"

struct keyring;
struct message;

/* What an edge may send in a second: places in peer_allowance.rates. */
enum { EDGE_FRAMES };

struct reception {
	struct sessions *sessions; /* borrowed, as is all below */
	struct tracker *tracker;
	struct pipeline *pipeline;
	struct post *post;
	struct bridge_metrics *metrics;
	struct peer_limits *limits; /* of each peer; NULL: none */
	const struct topics *topics;
	uint64_t topics_hash;
	char cluster_id[CLUSTER_ID_SIZE]; /* "": not known yet, nobody is let in */
	bool is_kafka_away; /* since the last look: who comes now may find another bridge that has it */
	struct reports *reports; /* NULL: none are taken */
	bool may_compress; /* edges may send compressed batches */
	const struct keyring *keyring; /* borrowed; NULL: nobody is asked for a key */
	bool is_stopping;
	struct wire_range ranges[WIRE_RANGES_MAX]; /* for the decoder */
};

/* One message from the ROUTER: [routing id, frame]. 0 or -errno. */
int reception_take(struct reception *reception, const struct message *message);
/* Says BYE, if the peer is still there, and ends the session. */
void reception_end(struct reception *reception, struct session *session, enum bye_code code,
	const char *words);
/* Keys or rights changed: ends the sessions of those that may not be their edge any more. */
void reception_review(struct reception *reception);
/* Ends the session of a peer that is gone. */
void reception_forget(struct reception *reception, struct session *session);
