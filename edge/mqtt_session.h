/* mqtt_session.h - a client that only receives, as a state machine: bytes and time go in, orders come out. It knows
 * neither socket nor spool; the owner carries out one order after the other until MQTT_ORDER_WAIT:
 *
 *	OPEN      connect to `broker`; then mqtt_session_connected or mqtt_session_lost
 *	SEND      write `bytes` to the link; then mqtt_session_sent with how many it took
 *	DELIVER   `publish` came: make it durable under `number`
 *	RELEASE   the broker has released `packet_id`: delete its mark, durably, under `number`
 *	FORGET    `broker` has made a new session for us: delete the marks of all its ids (mqtt_session_next_id) and put
 *	          its mark 0 with `bytes`, durably, under `number`
 *	NOTE      put mark 0 of `broker` with `bytes`, durably, under `number`
 *	TELL      say `words` to the operator
 *	CLOSE     close the link
 *	WAIT      nothing to do for wait_ms, unless something comes in
 *
 * DELIVER, RELEASE, FORGET and NOTE are answered at once by mqtt_session_taken (it is on its way to the disk) or by
 * mqtt_session_held (no room now: the same order comes again later, and nothing is read meanwhile). What was taken is
 * answered later, once each, in any order, by mqtt_session_durable or, if it could not be kept, mqtt_session_not_kept:
 * then the link is given up and the broker sends the message again. Take orders to the disk in the order in which they
 * came: a mark that is put and deleted must end deleted.
 *
 * What is promised:
 *
 * - PUBACK, PUBREC and PUBCOMP go out only after what they stand for is durable, in the order in which the packets came.
 * - QoS 2: with each DELIVER of QoS 2 the owner keeps a mark (broker, packet_id) → fingerprint in the transaction of the
 *   event, and gives all of them back at start through mqtt_session_remember. A PUBLISH whose id and fingerprint are
 *   remembered is answered and not delivered again; the same id with another fingerprint is another message (the broker
 *   came back from an older state) and is delivered. PUBREL forgets the id, and PUBCOMP waits for that: else the broker
 *   could give the id to a new message that we would take for a repeat.
 * - Marks belong to a broker and a client id. Keep them by the broker's address as configured, not by its index. Brokers
 *   that share their sessions (a cluster) must therefore stand behind one address.
 * - A broker that has no session of ours (session present = 0) is believed: all its ids are forgotten, durably, before
 *   anything is subscribed. Mark 0 tells at the next start that there was one: that it is gone then is said and counted,
 *   for with it went what was published meanwhile. Its value is what is subscribed in that session: what is configured no
 *   more is unsubscribed, or the broker would go on sending it.
 * - What is not durable yet is bounded in number and bytes; past that nothing is read (mqtt_session_room gives none).
 * - A PUBLISH too large, and one that comes malformed again after a reconnect, is delivered with `problem` set: it must
 *   become a dead letter, or the broker would send it for ever. So must one whose topic matches no pattern, which only
 *   the owner can tell.
 *
 * Retained messages are the state of a topic and no event: what a broker sends because of a SUBSCRIBE was published
 * before, and would be counted at each reconnect. They are not taken unless `retained` says so (enum mqtt_retained).
 *
 * Pure; one thread; times are monotonic ms. */
#pragma once
#include "edge/mqtt_ids.h"
#include "proto/limits.h"
#include "proto/mqtt_input.h"

enum {
	MQTT_BROKERS_MAX = 8,
	/* Orders taken and not yet durable, and acknowledgements that wait for them: bounds the bookkeeping. */
	MQTT_PENDING_MAX = 4096,
	/* Half of them: a PUBLISH of QoS 2 and its PUBREL may both wait. */
	MQTT_RECEIVE_MAXIMUM_MAX = MQTT_PENDING_MAX / 2,
	MQTT_RECEIVE_MAXIMUM_DEFAULT = 1000,
	/* Payloads taken and not yet durable. One PUBLISH may always be taken. */
	MQTT_PENDING_SIZE_DEFAULT = 8 * 1024 * 1024,
	MQTT_KEEP_ALIVE_S_DEFAULT = 30,
	MQTT_KEEP_ALIVE_S_MIN = 5,
	MQTT_KEEP_ALIVE_S_MAX = 3600,
	MQTT_CONNECT_MS =
		10000, /* a broker that does not take TCP and TLS within this is passed over */
	MQTT_ANSWER_MS = 10000, /* nor one that owes CONNACK, SUBACK or PINGRESP for so long */
	MQTT_RETRY_MS_MIN = 200,
	MQTT_RETRY_MS_MAX = 30000,
	MQTT_WRITE_MS = 30000, /* a link that takes nothing for so long is given up */
	MQTT_STEADY_MS = 10000, /* a connection that was up for so long begins the back-off anew */
	MQTT_HOLD_MS = 20, /* after mqtt_session_held the order comes again */
	/* Filters that the broker refused are asked for again: rights change. */
	MQTT_RESUBSCRIBE_MS = 60000,
};

enum mqtt_session_state {
	MQTT_DOWN, /* no link; the next attempt at retry_at_ms */
	MQTT_CONNECTING, /* OPEN was ordered */
	MQTT_GREETING, /* CONNECT said; CONNACK owed */
	MQTT_FORGETTING, /* FORGET or NOTE is on its way to the disk; nothing is subscribed before */
	MQTT_SUBSCRIBING, /* SUBSCRIBE said; SUBACK owed. Messages may come already */
	MQTT_UP, /* messages flow */
	MQTT_CLOSING, /* what is to be sent is sent, then the link is closed */
	MQTT_STOPPED,
};

/* Why the last connection, or the attempt at one, ended. */
enum mqtt_end {
	MQTT_END_NONE,
	MQTT_END_UNREACHABLE, /* no TCP or TLS */
	MQTT_END_REFUSED, /* by CONNACK: `reason` */
	MQTT_END_NO_SUBSCRIPTION, /* every filter was refused, or the broker can't take our SUBSCRIBE */
	MQTT_END_DISCONNECTED, /* the link broke, or the broker closed it without a word */
	MQTT_END_DISCONNECT, /* the broker's DISCONNECT: `reason` */
	MQTT_END_SILENCE, /* an answer was owed for MQTT_ANSWER_MS */
	MQTT_END_MALFORMED, /* the broker sent what is no MQTT: `error` */
	MQTT_END_PROTOCOL, /* MQTT, but not now: a packet out of place */
	MQTT_END_NOT_KEPT, /* the spool could not keep what it had taken */
	MQTT_END_STOPPED,
};

enum mqtt_protocol {
	MQTT_PROTOCOL_AUTO, /* 5; 3.1.1 with brokers that don't speak it */
	MQTT_PROTOCOL_5,
	MQTT_PROTOCOL_3_1_1,
};

/* What becomes of retained messages that answer a SUBSCRIBE. */
enum mqtt_retained {
	MQTT_RETAINED_SKIP, /* not asked for (5), acknowledged and counted but not delivered (3.1.1) */
	MQTT_RETAINED_TAKE_NEW, /* delivered once, when the broker makes our subscription anew */
	MQTT_RETAINED_TAKE_ALL, /* delivered at each connection: every message must have an event_id */
};

/* Texts are borrowed and outlive the session: UTF-8 without NUL, within 65535 bytes. */
struct mqtt_session_options {
	uint32_t broker_count; /* 1 … MQTT_BROKERS_MAX */
	enum mqtt_protocol protocol;
	struct slice client_id; /* 1 … MQTT_CLIENT_ID_SIZE_MAX bytes */
	struct slice user, password; /* {NULL, 0}: none */
	const struct slice *filters; /* as to be subscribed; each at most once */
	uint32_t filter_count; /* 1 … MQTT_FILTERS_MAX */
	uint8_t qos; /* asked for with each filter */
	enum mqtt_retained retained;
	uint32_t session_expiry_s; /* MQTT 5; MQTT_NEVER_EXPIRES unless configured */
	uint16_t keep_alive_s; /* MQTT_KEEP_ALIVE_S_MIN … MAX */
	uint16_t receive_maximum; /* 1 … MQTT_RECEIVE_MAXIMUM_MAX; asked for, not enforced */
	size_t packet_size_max; /* MQTT_PACKET_SIZE_LEAST … MQTT_PACKET_SIZE_MAX; larger ones become dead letters */
	size_t pending_size_max;
	uint64_t random; /* 64 random bits: they spread the reconnects of a chain's stores */
};

/* Σ publishes = delivered + too_large + malformed + repeats + retained_skipped. A PUBLISH that came and that the owner
 * had not taken when the link ended is in none: the broker sends it again (QoS 0: it is gone with the link). */
struct mqtt_session_counts {
	uint64_t publishes[3]; /* by QoS */
	uint64_t delivered; /* taken by the owner, without a problem */
	uint64_t too_large; /* taken as such */
	uint64_t malformed; /* taken as such */
	uint64_t repeats; /* QoS 2 ids that were remembered: answered, not delivered */
	uint64_t retained_skipped;
	uint64_t dups; /* of all that came: DUP was set */
	uint64_t
		ids_reused; /* a remembered id came with another message: the broker came back from an older state */
	uint64_t pubacks, pubrecs, pubcomps; /* put into the output */
	uint64_t releases; /* PUBRELs */
	uint64_t releases_unknown; /* of them: of ids that we don't remember */
	uint64_t not_kept; /* DELIVERs that were taken and could not be kept */
	uint64_t forgotten_ids; /* because the broker had lost our session */
	uint64_t sessions; /* CONNACKs that accepted us */
	uint64_t
		sessions_lost; /* of them: the broker had forgotten us although we had been there before */
	uint64_t filters_refused, filters_lowered; /* by SUBACK */
	uint64_t filters_dropped; /* unsubscribed: configured no more */
	uint64_t pings; /* PINGREQs */
	uint64_t ends[MQTT_END_STOPPED + 1]; /* connections and attempts, by why they ended */
};

enum mqtt_act {
	MQTT_ORDER_WAIT,
	MQTT_ORDER_OPEN,
	MQTT_ORDER_SEND,
	MQTT_ORDER_DELIVER,
	MQTT_ORDER_RELEASE,
	MQTT_ORDER_FORGET,
	MQTT_ORDER_NOTE,
	MQTT_ORDER_TELL,
	MQTT_ORDER_CLOSE,
};

enum mqtt_problem {
	MQTT_PROBLEM_NONE,
	MQTT_PROBLEM_TOO_LARGE, /* payload holds the first bytes, payload_size what there was */
	MQTT_PROBLEM_MALFORMED, /* `error` says how; topic may be anything */
};

struct mqtt_order {
	enum mqtt_act act;
	int64_t wait_ms;
	uint32_t
		broker; /* OPEN, TELL, FORGET, NOTE, and of the mark: DELIVER with QoS 2, RELEASE */
	struct slice
		bytes; /* SEND, until mqtt_session_sent; FORGET, NOTE, until taken or held: the value of mark 0 */
	uint64_t number; /* DELIVER, RELEASE, FORGET, NOTE: rises */
	struct mqtt_publish publish; /* DELIVER; borrowed until taken or held */
	enum mqtt_problem problem;
	enum mqtt_error error; /* MQTT_PROBLEM_MALFORMED */
	uint16_t packet_id; /* RELEASE; DELIVER with QoS 2: the key of the mark */
	uint64_t fingerprint; /* DELIVER with QoS 2: the value of the mark */
	enum { MQTT_TELL_INFO, MQTT_TELL_WARNING, MQTT_TELL_ERROR } level;
	const char *words; /* TELL; without the broker's address, which the owner puts in front */
};

struct mqtt_session;

/* `options` is copied. 0 or -ENOMEM. */
int mqtt_session_new(const struct mqtt_session_options *options, int64_t now_ms,
	struct mqtt_session **ret_session);
struct mqtt_session *mqtt_session_free(struct mqtt_session *session);
/* Before the first step: a mark that was found. packet_id 0: mark 0. 0 or -ENOMEM. */
int mqtt_session_remember(
	struct mqtt_session *session, uint32_t broker, uint16_t packet_id, uint64_t fingerprint);
/* Before the first step: the value of mark 0 that was found. 0 or -ENOMEM. */
int mqtt_session_remember_filters(
	struct mqtt_session *session, uint32_t broker, struct slice value);
/* For FORGET: the ids of `broker` whose marks are to be deleted, rising; begin with 0; 0 at the end. */
uint16_t mqtt_session_next_id(const struct mqtt_session *session, uint32_t broker, uint16_t after);

/* 0 or -ENOMEM, which ends the program. */
int mqtt_session_step(struct mqtt_session *session, int64_t now_ms, struct mqtt_order *ret_order);

/* The link. Connected: TCP and TLS are done. Lost: it could not be made, broke, or was closed by the broker; CLOSE is
 * still ordered, and after that nothing is to be said of it. `words`: why, for TELL, or NULL. */
void mqtt_session_connected(struct mqtt_session *session, int64_t now_ms);
void mqtt_session_lost(struct mqtt_session *session, const char *words, int64_t now_ms);
/* Where to read bytes to; size 0: read nothing now (back-pressure, or no link). Ask after mqtt_session_step has said
 * WAIT. 0 or -ENOMEM. */
int mqtt_session_room(struct mqtt_session *session, struct mqtt_room *ret_room);
void mqtt_session_heard(struct mqtt_session *session, size_t size, int64_t now_ms);
/* The answer to SEND. Less than all: SEND is not ordered again before mqtt_session_writable. */
void mqtt_session_sent(struct mqtt_session *session, size_t size, int64_t now_ms);
void mqtt_session_writable(struct mqtt_session *session);

/* The answers to DELIVER, RELEASE, FORGET and NOTE, of the order just carried out. Taken: 0 or -ENOMEM. */
int mqtt_session_taken(struct mqtt_session *session);
void mqtt_session_held(struct mqtt_session *session, int64_t now_ms);
/* Held only because others have their turn: the order comes again as soon as acknowledgements had theirs. */
void mqtt_session_postponed(struct mqtt_session *session, int64_t now_ms);
/* Later, once for each number that was taken. */
void mqtt_session_durable(struct mqtt_session *session, uint64_t number);
int mqtt_session_not_kept(struct mqtt_session *session, uint64_t number, int64_t now_ms);

/* Reads nothing more; what was taken is still acknowledged; then DISCONNECT and CLOSE. */
void mqtt_session_stop(struct mqtt_session *session, int64_t now_ms);

/* For metrics and /readyz. */
struct mqtt_session_view {
	enum mqtt_session_state state;
	uint32_t broker; /* the present one, or the next to try */
	enum mqtt_version version; /* of the present connection, or the last */
	bool subscribed; /* all filters are granted, with the QoS asked for */
	int64_t since_ms; /* of being up, or of not being up */
	enum mqtt_end end; /* the last one */
	const char *words; /* what was said about it; "" */
	uint32_t pending; /* orders taken and not yet durable */
	size_t pending_size; /* payload bytes of them */
	bool reading; /* false: back-pressure */
	uint32_t ids; /* remembered, of the present broker */
	const struct mqtt_session_counts *counts;
};
void mqtt_session_look(const struct mqtt_session *session, struct mqtt_session_view *ret_view);
const char *mqtt_end_name(enum mqtt_end end);
