#include "aggregator/log/connections.h"
#include <stdlib.h>

/* librdkafka asks whom it likes among the brokers that it used of late: in so many looks for each of them, all had their turn
 * but for one time in some millions. */
enum { LOOKS_A_CONNECTION = 16, LOOKS_MIN = 64 };

void connections_deinit(struct connections *connections)
{
	free(connections->items);
	*connections = (struct connections){0};
}

void connections_spend(struct connections *connections)
{
	connections->is_spent = true;
}

static struct connection *find(const struct connections *connections, uint64_t thread)
{
	for (size_t i = 0; i < connections->count; i++) {
		if (connections->items[i].thread == thread) {
			return &connections->items[i];
		}
	}
	return NULL;
}

/* NULL: there was no room, and whose records come is never to be known. */
static struct connection *find_or_add(struct connections *connections, uint64_t thread)
{
	struct connection *found = find(connections, thread);

	if (found != NULL) {
		return found;
	}
	struct connection *grown =
		realloc(connections->items, (connections->count + 1) * sizeof *grown);
	if (grown == NULL) {
		connections_spend(connections);
		return NULL;
	}
	connections->items = grown;
	grown[connections->count] = (struct connection){.thread = thread};
	return &grown[connections->count++];
}

/* What came over it and is not known now never will be. */
static void end(struct connections *connections, struct connection *connection)
{
	if (connection->has_fetched && !connection->is_known) {
		connections_spend(connections);
	}
	*connection = (struct connection){.thread = connection->thread};
	if (connections->asked > 0 && connections->asked_thread == connection->thread) {
		connections->asked++; /* it was the connection before this one that was asked */
	}
}

void connections_sent(
	struct connections *connections, uint64_t thread, enum connection_request request)
{
	struct connection *connection = find_or_add(connections, thread);

	if (connection == NULL) {
		return;
	}
	switch (request) {
	case CONNECTION_VERSIONS:
		end(connections, connection);
		break;
	case CONNECTION_METADATA:
		connections->asked++;
		connections->asked_thread = thread;
		break;
	case CONNECTION_FETCH:
	case CONNECTION_OFFSETS:
		connection->is_fetching = true;
		break;
	}
}

void connections_received(struct connections *connections, uint64_t thread,
	enum connection_request request, bool is_failed)
{
	struct connection *connection = find(connections, thread);

	if (connection == NULL || (request != CONNECTION_FETCH && request != CONNECTION_OFFSETS)) {
		return;
	}
	if (is_failed) {
		end(connections, connection); /* or it is slow: then it is asked once more */
	} else {
		connection->is_fetching = true;
		connection->has_fetched = true;
	}
}

void connections_look(struct connections *connections)
{
	connections->asked = 0;
}

void connections_saw(struct connections *connections)
{
	size_t looks_max = connections->count * LOOKS_A_CONNECTION;

	if (connections->asked == 1) {
		struct connection *asked = find(connections, connections->asked_thread);
		if (asked != NULL) {
			asked->is_known = true;
		}
	}
	if (!connections_want_look(connections)) {
		connections->looks = 0;
		return;
	}
	connections->looks++;
	if (connections->looks > (looks_max < LOOKS_MIN ? LOOKS_MIN : looks_max)) {
		connections_spend(connections);
	}
}

bool connections_want_look(const struct connections *connections)
{
	for (size_t i = 0; i < connections->count && !connections->is_spent; i++) {
		const struct connection *connection = &connections->items[i];
		if (connection->is_fetching && !connection->is_known) {
			return true;
		}
	}
	return false;
}

bool connections_are_in_doubt(const struct connections *connections)
{
	bool is_in_doubt = connections->is_spent;

	for (size_t i = 0; i < connections->count; i++) {
		const struct connection *connection = &connections->items[i];
		is_in_doubt |= connection->has_fetched && !connection->is_known;
	}
	return is_in_doubt;
}
