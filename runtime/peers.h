/* peers.h - which connections of our listening sockets take more than they may: of memory, or of descriptors. Pure: it is told
 * what was seen and what was heard, and says who must go. One thread.
 *
 * libzmq bounds the whole messages of a connection and nothing else: frames that promise more (MORE) pile up for as long
 * as a peer sends them. What a connection holds is seen from outside: the bytes that came, less those of whole messages. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peers;

enum peer_fault {
	PEER_HOARDS, /* more than any message has, and no whole message came of it */
	PEER_HEAVY, /* memory is short, and it holds much */
	PEER_SURPLUS, /* descriptors are short */
	/* What peers.c does not judge, but others. */
	PEER_ASKS, /* it asks for what nobody may have */
	PEER_RIGHTS, /* rights have changed, and it may have lost its own */
	PEER_FAULT_COUNT,
};

/* A connection as it is now. */
struct peer_sight {
	int fd;
	uint64_t
		cookie; /* the kernel's name of the connection, never used again: descriptors are */
	uint64_t received_bytes; /* that were read from it so far */
	uint64_t message_bytes_max; /* of its listener */
	uint64_t address; /* of its machine, as a number; 0: not known */
};

struct peers_need {
	bool is_memory_short;
	unsigned
		surplus; /* connections to end: first of the machine that has more than half of all */
};

struct peer_verdict {
	int fd;
	uint64_t cookie;
	enum peer_fault fault;
	uint64_t held_bytes;
};

int peers_new(struct peers **ret_peers);
struct peers *peers_free(struct peers *peers);
/* A whole message of so many bytes, what the wire adds included, came by this descriptor. */
void peers_heard(struct peers *peers, int fd, uint64_t bytes);
/* A look at all connections: begin, each that is there, judge. `is_read_out`: since the last look there was a moment when
 * no whole message of its listener waited to be read. -ENOMEM. */
void peers_begin(struct peers *peers);
int peers_saw(struct peers *peers, const struct peer_sight *sight, bool is_read_out);
/* At most `count`; the rest is judged by the next look. */
size_t peers_judge(struct peers *peers, const struct peers_need *need,
	struct peer_verdict *verdicts, size_t count);
unsigned peers_count(const struct peers *peers); /* at the last look */
