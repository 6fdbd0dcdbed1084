/* connections.h - does all that a client of Kafka was given of logs come from the one cluster that it was made for? Behind a new
 * connection another may be, at the same address and with topics of the same names, and librdkafka does not ask where it is. So
 * a connection is known only once a broker has said over this very connection, in a look, which cluster it is of. What came over
 * one that is not known is in doubt; where that can no longer be found out, the client is spent: nothing more of it may be used,
 * and another one takes its place.
 *
 * librdkafka has a thread for each broker, with one connection at a time, and a connection begins with the question for the
 * versions that the broker speaks. Requests and responses are told from these threads, a response before its records are there for
 * anybody. Pure; the caller sees to it that one thread at a time is in here. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kafka's numbers. */
enum connection_request {
	CONNECTION_FETCH = 1,
	CONNECTION_OFFSETS = 2, /* where a log begins and ends */
	CONNECTION_METADATA = 3,
	CONNECTION_VERSIONS = 18,
};

struct connection {
	uint64_t thread; /* who serves it */
	bool is_fetching; /* records or offsets may come over it */
	bool has_fetched; /* they may have */
	bool is_known;
};

/* Zero-initialised: none, and no doubt. */
struct connections {
	struct connection *items; /* owned; one a thread */
	size_t count;
	size_t looks; /* on end that have left something unknown */
	/* Who was asked for metadata since the last look began: only if it was once it was by the look. */
	uint64_t asked_thread;
	unsigned asked;
	bool is_spent;
};

void connections_deinit(struct connections *connections);
void connections_sent(
	struct connections *connections, uint64_t thread, enum connection_request request);
void connections_received(struct connections *connections, uint64_t thread,
	enum connection_request request, bool is_failed);
/* A look begins: somebody asks one of the brokers for metadata, and waits for what it says. */
void connections_look(struct connections *connections);
/* It ended, and nobody has ever named another cluster than the first time. A failed look is not told. */
void connections_saw(struct connections *connections);
/* A broker named another cluster than the one before. */
void connections_spend(struct connections *connections);

/* Is there anybody to be looked at? */
bool connections_want_look(const struct connections *connections);
/* Is it unknown where a part of the records came from? */
bool connections_are_in_doubt(const struct connections *connections);
