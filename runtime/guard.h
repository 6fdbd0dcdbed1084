/* guard.h - ends connections of a context's listening sockets that take more memory or descriptors than they may. It looks
 * at them from outside, some times a second when memory grows or descriptors run short, else every few seconds: the kernel says how
 * many bytes each has sent, the sockets which messages came of them. What is ended this way is ended as a network ends
 * it: an honest peer comes again, and nothing that was acknowledged is touched. TCP only: whoever may open an ipc file is trusted.
 * One thread, the loop's. */
#pragma once
#include <stdint.h>

struct context;
struct guard;
struct loop;
struct metrics;

/* Of the descriptors that a daemon has, one in so many is kept from peers: for files, for Kafka, and for what comes
 * between two looks. */
enum { GUARD_RESERVE_SHARE = 8 };

struct guard_options {
	struct context *context;
	struct loop *loop;
	struct metrics *metrics;
	uint64_t
		memory_max; /* own memory, mapped files not counted, above which who holds most must go */
};

struct socket;

/* Before the context's sockets are bound; free it after them. Leaves messages in the log. */
int guard_new(const struct guard_options *options, struct guard **ret_guard);
struct guard *guard_free(struct guard *guard);
/* Ends one connection that asks for what nobody may have, by a descriptor that came with a message of it. */
void guard_end_peer(struct guard *guard, int fd);
/* Ends all connections of a listening socket: whoever may comes again. */
void guard_end_peers(struct guard *guard, const struct socket *socket);
