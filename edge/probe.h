/* probe.h - asks the other bridges, while the present one waits for Kafka, whether they reach it. A bridge welcomes an
 * edge only when it does (PROTOCOL.md, 4.1), so a HELLO on a second link is the question and WELCOME the yes. Here is
 * when to ask and whom; what WELCOME leads to is the caller's to carry out:
 *
 *	PROBE_OPEN     open the second link to `bridge`; then probe_connected or probe_disconnected
 *	PROBE_SEND     send `message` (HELLO, BYE) by it
 *	PROBE_CLOSE    close it
 *	PROBE_WAIT     nothing to do for wait_ms, unless something comes in
 *
 * Pure; one thread; times are monotonic ms. */
#pragma once
#include "proto/wire.h"

enum {
	/* A new leader within Kafka takes a few seconds, and then the bridge that has the batches is the fastest. */
	PROBE_PATIENCE_MS = 5000,
	/* Doubled with each move that brought no ACK: where no bridge can deliver, edges must not wander about and leave
	 * a copy of what they have at each. 5 s … 5 min. */
	PROBE_VAIN_MOVES_MAX = 6,
	/* A chain's stores get stuck in one moment, and must not all ask in one: each waits up to so much longer. */
	PROBE_SPREAD_MS = 1000,
	PROBE_RETRY_MS_MIN = 1000, /* after a no; doubled each time */
	PROBE_RETRY_MS_MAX = 10000, /* a HELLO is cheap, and a store that waits is not */
};

enum probe_state {
	PROBE_IDLE,
	PROBE_CONNECTING,
	PROBE_GREETING, /* HELLO said */
	PROBE_PARTING, /* BYE, then the link is closed */
};

/* How the session does. */
struct probe_sight {
	int64_t stuck_since_ms; /* of sender_stuck_since_ms */
	uint64_t session; /* random bits */
	uint64_t acked; /* batches, ever */
	uint32_t bridge;
	uint32_t bridge_count;
};

struct probe {
	enum probe_state state;
	uint32_t bridge; /* asked, or asked last */
	uint64_t session;
	int64_t began_ms; /* of the present state */
	int64_t ask_at_ms; /* not before */
	int64_t close_at_ms; /* PROBE_PARTING: BYE needs a moment to leave */
	uint32_t refusals; /* in a row */
	uint32_t vain_moves; /* since a batch was acknowledged */
	uint64_t acked; /* what the sight said last */
	bool greet; /* HELLO is to be sent */
	bool farewell; /* BYE is to be sent */
	bool moved; /* the link that parts is the one of the old session */
	uint64_t asked; /* bridges, ever */
	uint64_t stale_frames; /* by a link that parts */
};

enum probe_act { PROBE_WAIT, PROBE_OPEN, PROBE_SEND, PROBE_CLOSE };

struct probe_order {
	enum probe_act act;
	int64_t wait_ms;
	uint32_t bridge;
	struct wire_message message; /* HELLO: edge, run and program are the caller's to fill in */
};

/* A zeroed probe is ready. */
void probe_step(struct probe *probe, const struct probe_sight *sight, int64_t now_ms,
	struct probe_order *ret_order);

/* session: 64 random bits, not 0. */
void probe_connected(struct probe *probe, uint64_t session, int64_t now_ms);
void probe_disconnected(struct probe *probe, int64_t now_ms);
void probe_heard_garbage(struct probe *probe, int64_t now_ms);
/* is_welcome: `message` is a WELCOME of the cluster and the topics that the session has. Returns true when the caller
 * shall move to the probe's bridge and session, and then say probe_moved. */
bool probe_heard(
	struct probe *probe, const struct wire_message *message, bool is_welcome, int64_t now_ms);
/* The probe's link is the session's now; the probe sees the old one, of `session`, to its end. */
void probe_moved(struct probe *probe, uint64_t session, int64_t now_ms);
