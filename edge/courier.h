/* courier.h - carries out what the sender orders: opens links to bridges, reads blocks from the spool, sends them, and
 * hands acknowledged blocks to the desk for deletion. Wiring: it logs, and decides nothing. One thread. */
#pragma once
#include "edge/desk.h"
#include "edge/link.h"
#include "edge/probe.h"
#include "edge/sender.h"
#include "edge/spool.h"
#include "runtime/socket.h"

struct courier;
struct loop;

struct courier_options {
	struct context *context;
	struct loop *loop;
	struct spool *spool;
	struct desk *desk;
	const struct security *security; /* all five borrowed; NULL: no keys */
	const char *edge;
	const char *bridges; /* a list */
	const char *accept_cluster; /* the operator's decision, or NULL */
	bool live_first;
	int64_t drain_rate; /* bytes of events a second; 0: no bound */
	int64_t gather_ms;
	bool reports; /* bridges are asked whether they take reports */
	int compression_level; /* of what is sent to bridges that take it; 0: nothing is compressed */
};

/* Of the batches sent, again or not. */
struct courier_traffic {
	uint64_t event_bytes; /* as the events lie in the spool */
	uint64_t wire_bytes; /* as they went */
	uint64_t compressed; /* batches */
};

int courier_new(const struct courier_options *options, struct courier **ret_courier);
struct courier *courier_free(struct courier *courier);
/* 0 or a negative errno that ends the program. */
int courier_tick(struct courier *courier, int64_t now_ms, int64_t *ret_wait_ms);
/* A report on the edge, in the present session. false: the link takes nothing now, or there is no session. */
bool courier_report(struct courier *courier, struct slice report, int64_t now_ms);
/* What waits for company waits no longer. */
void courier_hurry(struct courier *courier);
/* BYE, then no more. */
void courier_stop(struct courier *courier, int64_t now_ms);

const struct sender *courier_sender(const struct courier *courier);
const struct probe *courier_probe(const struct courier *courier);
struct courier_traffic courier_traffic(const struct courier *courier);
/* Why the last link that failed did: keys are the operator's affair. */
enum link_end courier_link_end(const struct courier *courier);
/* The endpoint of the present bridge, or of the next one to try. */
const char *courier_bridge(const struct courier *courier);
/* Since when there is no session (wall clock); 0 while there is one. */
int64_t courier_down_since_ms(const struct courier *courier);
