/* sender.h - the edge's half of a session with a bridge, as a state machine: time and messages go in, orders come out.
 * It knows blocks only by lane and index and touches neither socket nor spool; the caller carries out one order after
 * the other until SENDER_WAIT:
 *
 *	SENDER_OPEN    open a new link to `bridge`; then sender_connected or sender_disconnected
 *	SENDER_SEND    send `message` (HELLO, BYE); a link that can't take it is as good as gone
 *	SENDER_READ    read blocks of `lane`, first … last, at most size_max bytes, and send them as BATCH with
 *	               sender_number; then exactly one of sender_sent, sender_skipped, sender_starved, sender_held
 *	SENDER_CLOSE   close the link
 *	SENDER_WAIT    nothing to do for wait_ms, unless something comes in
 *
 * The rules are PROTOCOL.md, "Sessions". Pure; one thread; times are monotonic ms.
 *
 * live_first: what came lately (backlog.h says what that is) leaves before what waited, of all lanes; else each lane
 * keeps its order. Old blocks leave a quarter of the credit alone, keep the queues on the way short (window.h), and
 * take at most drain_rate bytes a second. One sending in
 * SENDER_LIVE_RUN + 1 is theirs, however much is live, so that nothing waits for ever. */
#pragma once
#include "edge/backlog.h"
#include "edge/offer.h"
#include "edge/removals.h"
#include "edge/throttle.h"
#include "edge/window.h"
#include "proto/wire.h"

enum {
	SENDER_BRIDGES_MAX = OFFER_BRIDGES_MAX,
	/* Sendings of one lane in flight. Credit is what bounds the bytes; this bounds the bookkeeping when each
	 * block is tiny: past it, blocks gather and go out as full batches. */
	SENDER_FLIGHT_MAX = 256,
	/* Sendings of one lane in flight, and ranges that wait: what comes back may leave again in smaller pieces. */
	SENDER_RANGES_MAX = BACKLOG_RANGES_MAX - 2 * BACKLOG_GAPS_MAX,
	SENDER_LIVE_RUN = 7, /* sendings of live blocks before one of old ones has its turn */
	SENDER_SILENCE_MS = 5000, /* rule 3 */
	SENDER_CONNECT_MS =
		3000, /* a bridge that does not answer to TCP within this is passed over */
	SENDER_RETRY_MS_MIN = 100,
	SENDER_RETRY_MS_MAX = 5000,
	SENDER_NACK_MS_MIN = 50, /* a NACK that says "at once" must not make the lane spin */
	SENDER_CLUSTER_SIZE = 128 + 1,
};

enum sender_state {
	SENDER_DOWN, /* no link; the next attempt at retry_at_ms */
	SENDER_CONNECTING,
	SENDER_GREETING, /* HELLO said */
	SENDER_IN_SESSION,
	SENDER_ENDING, /* BYE, then the link is closed */
	SENDER_STOPPED,
};

/* Why the last session, or the attempt at one, ended. */
enum sender_end {
	SENDER_END_NONE,
	SENDER_END_UNREACHABLE,
	SENDER_END_DISCONNECTED,
	SENDER_END_SILENCE,
	SENDER_END_BYE, /* the bridge's: bye_code and end_words */
	SENDER_END_BAD_FRAME, /* the bridge broke the protocol */
	SENDER_END_VERSION,
	SENDER_END_CLUSTER, /* another Kafka cluster, or other topics, than this spool belongs to */
	SENDER_END_STOPPED,
};

struct sender_range {
	uint64_t number; /* of the sending */
	enum kind lane;
	uint64_t first, last; /* indexes of blocks */
	uint32_t bytes;
	uint32_t count; /* events */
	bool is_small; /* live, and less than half full; the sender's to say */
	enum backlog_age age; /* when it left */
	int64_t sent_ms;
	uint64_t used; /* bytes of the lane's backlog on their way with it */
};

struct sender_lane {
	struct backlog backlog; /* what waits to be sent */
	uint64_t credit;
	uint64_t unacked_bytes;
	uint64_t unacked_events;
	uint64_t old_unacked_bytes; /* of these, what was old when it left */
	struct window window; /* of them, where live ones go first */
	uint32_t in_flight;
	uint32_t small_in_flight; /* of these, the live ones that were less than half full */
	int64_t resume_at_ms; /* a NACK's back-off */
	int64_t small_left_ms; /* when a small batch of live blocks left, unless a full one did since */
	bool starved[BACKLOG_AGES]; /* the next block is larger than the credit left */
	bool waiting; /* STATE: the bridge waits for Kafka */
};

struct sender_counts {
	uint64_t sessions;
	uint64_t failovers; /* sessions with another bridge than the one before */
	uint64_t batches_sent;
	uint64_t batches_resent;
	uint64_t batches_acked;
	uint64_t batches_nacked[NACK_BUSY + 1];
	uint64_t events_acked[LANE_COUNT];
	uint64_t stale_frames; /* of another session, or out of place */
	uint64_t id_conflicts; /* somebody else runs with our edge id and run */
};

struct sender {
	enum sender_state state;
	uint32_t bridge_count;
	uint32_t bridge; /* the current one, or the next to try */
	uint32_t last_bridge; /* of the last session */
	uint64_t session;
	uint64_t next_number;
	uint32_t batch_size_max;
	enum wire_codec codec; /* of the present session: batches may be compressed with it */
	uint32_t report_ms; /* likewise: the bridge takes a report each so often; 0: none */
	bool says_ages; /* likewise: batches say how old they are */
	uint32_t failures; /* attempts and sessions since something was acknowledged */
	int64_t retry_at_ms;
	int64_t close_at_ms; /* SENDER_ENDING: BYE needs a moment to leave */
	int64_t began_ms; /* of the present state */
	int64_t owed_since_ms; /* since when the bridge owes us an answer */
	int64_t heard_ms; /* the last frame of this session */
	int64_t hold_until_ms; /* the link's queue is full */
	int64_t down_since_ms; /* since when there is no session */
	int64_t stuck_since_ms; /* -1: not */
	uint64_t ended; /* sessions and attempts: changes when `end` is news */
	enum sender_end end;
	enum bye_code bye_code;
	char end_words[256];
	bool greet; /* HELLO is to be sent */
	bool farewell; /* BYE is to be sent, with bye_code */
	bool stopping;
	bool live_first;
	struct throttle throttle; /* of old blocks */
	int64_t gather_ms;
	uint32_t live_run; /* sendings of live blocks since one of old ones */
	uint32_t turn; /* lane that is asked first: no lane starves another */
	struct sender_lane lanes[LANE_COUNT];
	struct sender_range flight[LANE_COUNT * SENDER_FLIGHT_MAX]; /* by number */
	uint32_t flight_count;
	struct offer offer;
	/* Rule 8. */
	char cluster[SENDER_CLUSTER_SIZE]; /* that the spool belongs to; "" until the first ACK */
	uint64_t topics_hash;
	char accept_cluster[SENDER_CLUSTER_SIZE]; /* the operator's decision; "" */
	char offered_cluster
		[SENDER_CLUSTER_SIZE]; /* of the present session, or of the bridge refused */
	uint64_t offered_hash;
	bool keep_cluster; /* the caller shall store cluster and topics_hash, then clear this */
	struct sender_counts counts;
};

enum sender_act { SENDER_WAIT, SENDER_OPEN, SENDER_SEND, SENDER_READ, SENDER_CLOSE };

struct sender_order {
	enum sender_act act;
	int64_t wait_ms;
	uint32_t bridge;
	struct wire_message message; /* HELLO: edge, run and program are the caller's to fill in */
	enum kind lane;
	enum backlog_age age;
	uint64_t first, last;
	bool again; /* it was sent before */
	uint32_t size_max;
	uint32_t size_enough; /* no further block is wanted from this size on; 0: as many as fit */
};

/* A sender is large: embed it in something on the heap. bridge_count > 0. */
void sender_init(struct sender *sender, uint32_t bridge_count, int64_t now_ms);
/* What the spool keeps; cluster "" for none. accept: the operator's, or NULL. */
void sender_set_cluster(
	struct sender *sender, const char *cluster, uint64_t topics_hash, const char *accept);
/* What each HELLO offers; nothing unless this is called. */
void sender_set_codecs(struct sender *sender, uint32_t codecs);
/* drain_rate: bytes of events a second; 0: no bound. live_first is off until this is called. */
void sender_set_manners(struct sender *sender, bool live_first, int64_t drain_rate, int64_t now_ms);
/* For so long after a small batch of live blocks, what comes waits for more; 0 (also until this is called): not. May
 * change at any time. */
void sender_set_gather(struct sender *sender, int64_t gather_ms);
/* What an earlier process left: before the first step. */
void sender_inherit(struct sender *sender, enum kind lane, uint64_t end, uint64_t events);
/* Blocks below `end` have been committed; `events` of the lane are on disk. */
void sender_set_end(struct sender *sender, enum kind lane, uint64_t end, uint64_t events);

void sender_step(struct sender *sender, int64_t now_ms, struct sender_order *ret_order);

/* session: 64 random bits, not 0. */
void sender_connected(struct sender *sender, uint64_t session, int64_t now_ms);
void sender_disconnected(struct sender *sender, int64_t now_ms);
/* A frame that wire_decode refused. */
void sender_heard_garbage(struct sender *sender, int64_t now_ms);
/* Acknowledged blocks are added to `removals`. 0 or -ENOMEM. */
int sender_heard(struct sender *sender, const struct wire_message *message,
	struct removals *removals, int64_t now_ms);

static inline uint64_t sender_number(const struct sender *sender)
{
	return sender->next_number;
}
/* Since when the session's bridge waits for Kafka in every lane that has something in flight, and acknowledged nothing;
 * -1: it does not, or there is nothing in flight, or no session. One topic that is refused makes nobody stuck. */
int64_t sender_stuck_since_ms(const struct sender *sender);
/* While stuck: is this WELCOME, of another bridge, one that the session could go on with? */
bool sender_could_move(const struct sender *sender, const struct wire_message *message);
/* While stuck: `session` with `bridge`, which said `welcome`, takes its place at once; the caller changes links.
 * What is unacknowledged is sent again. */
struct sender_move {
	uint32_t bridge;
	uint64_t session;
	const struct wire_message *welcome;
};
void sender_move(struct sender *sender, const struct sender_move *move, int64_t now_ms);

/* The answers to SENDER_READ: `order` is the one just carried out. */
void sender_sent(struct sender *sender, const struct sender_order *order,
	const struct sender_range *sent, int64_t now_ms);
void sender_skipped(struct sender *sender, const struct sender_order *order); /* there are none */
void sender_starved(struct sender *sender, const struct sender_order *order); /* too large */
void sender_held(struct sender *sender, int64_t now_ms); /* the link takes nothing now */

/* Nothing sent is unacknowledged, and nothing is left to send. */
static inline bool sender_lane_is_drained(const struct sender_lane *lane)
{
	return lane->in_flight == 0 && backlog_is_empty(&lane->backlog);
}
/* Events that wait for an acknowledgement and are not live any more. */
uint64_t sender_old_events(const struct sender *sender, enum kind lane);
bool sender_is_drained(const struct sender *sender);
/* BYE shutting_down where there is a session, then the link is closed. */
void sender_stop(struct sender *sender, int64_t now_ms);

uint32_t sender_unacked_batches(const struct sender *sender);
const char *sender_end_name(enum sender_end end);
