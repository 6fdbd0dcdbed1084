/* peer_limits.h - how much each peer may ask for: a token bucket for each thing that is limited, and a count of what it holds
 * at the moment (sessions, waiting queries). Who holds nothing and has full buckets is forgotten: it is a new one when it comes
 * again. Knows a bounded number of peers: past it, of those that hold nothing the one that was quiet the longest is forgotten.
 * Pure; one thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct message;

enum {
	PEER_NAME_SIZE_MAX = 72,
	/* About 250 bytes each: 1 MiB in all, whoever connects. */
	PEERS_MAX = 4096,
	PEER_RATES_MAX = 3,
};

/* Who it is, as well as is known: its key, else the address of its machine, else (on this machine) its connection. */
struct peer_name {
	uint8_t bytes[PEER_NAME_SIZE_MAX];
	size_t size;
};
/* Of a message that a ROUTER received. */
struct peer_name peer_name_of(const struct message *message);
/* Of one that a PULL received, which tells no connections apart: without keys all of this machine are one peer. */
struct peer_name peer_name_of_pulled(const struct message *message);
/* Of whoever has no key: "192.0.2.1:40002" or "[::1]:40002", as a connection's other end is written. */
struct peer_name peer_name_of_address(const char *address);
/* Its key as text, "" where it has none. Borrowed from the name. */
const char *peer_name_key(const struct peer_name *name);

/* What a peer may have. 0: as much as it likes. */
struct peer_allowance {
	int64_t rates[PEER_RATES_MAX]; /* a second; bursts are twice as much */
	int64_t held; /* at once */
	size_t peers_max; /* that are known at once; 0: PEERS_MAX */
};

struct peer_limits;

int peer_limits_new(const struct peer_allowance *allowance, struct peer_limits **ret_limits);
struct peer_limits *peer_limits_free(struct peer_limits *limits);

/* 0: it may go on, and costs[i] of each rate are taken. Else nothing is taken, and so long (ms) it should wait. */
int64_t peer_limits_take(struct peer_limits *limits, const struct peer_name *name,
	const int64_t costs[PEER_RATES_MAX], int64_t now_ms);
/* What something turned out to cost. */
void peer_limits_spend(struct peer_limits *limits, const struct peer_name *name, size_t rate,
	int64_t cost, int64_t now_ms);

enum { PEER_LIMITS_E_TOO_MANY = 1 };
/* One more is held: 0, PEER_LIMITS_E_TOO_MANY; and one less. Each hold is released once, under the same name. */
int peer_limits_hold(struct peer_limits *limits, const struct peer_name *name, int64_t now_ms);
void peer_limits_release(struct peer_limits *limits, const struct peer_name *name);
size_t peer_limits_count(const struct peer_limits *limits);
