/* mqtt_session_internal.h - the inside of an MQTT session, shared by its files:
 *
 *	mqtt_session.c            its life: the link, acknowledgements, steps
 *	mqtt_session_orders.c     what becomes of an order: taken, held, durable, not kept
 *	mqtt_session_deadlines.c  who owes whom a sign of life, and when to look again
 *	mqtt_session_packets.c    what the broker says, and what that orders
 *	mqtt_session_subscribe.c  SUBSCRIBE and SUBACK
 *	mqtt_session_end.c        why a connection ended, and when the next is tried
 *	mqtt_session_words.c      what the operator is told */
#pragma once
#include "edge/mqtt_flight.h"
#include "edge/mqtt_session.h"
#include "proto/reason.h"

enum {
	MQTT_FOREVER_MS = 60000, /* nothing is due: look again all the same */
	/* Acknowledgements that the link does not take: past that, nothing is read that would need more of them. */
	MQTT_OUTPUT_SIZE_MAX = 64 * 1024,
	/* CONNECT and SUBSCRIBE at their largest: three texts of 64 KiB, and every filter. */
	MQTT_OUTPUT_LIMIT = 512 * 1024,
	/* Connections in a row that ended before CONNACK, after which AUTO tries 3.1.1 once: some brokers of old hang up
	 * instead of answering a CONNECT of MQTT 5. */
	MQTT_SILENT_MAX = 3,
	/* The value of mark 0, which the desk bounds: filters, a NUL behind each. What does not fit is subscribed all the
	 * same, and must be unsubscribed by hand when it is configured no more. */
	MQTT_LIST_SIZE_MAX = 4096,
	MQTT_LIST_FILTERS_MAX = 2 * MQTT_FILTERS_MAX,
};

/* What is to be told, each at most once at a time. */
enum mqtt_tell {
	MQTT_TELL_END,
	MQTT_TELL_OLD_VERSION,
	MQTT_TELL_SESSION_LOST,
	MQTT_TELL_EXPIRY,
	MQTT_TELL_FILTER, /* the next one that is not granted as asked */
	MQTT_TELL_UP,
	MQTT_TELL_DROPPED,
	MQTT_TELL_REUSED,
	MQTT_TELL_RETAINED,
	MQTT_TELL_COUNT,
};

struct mqtt_broker {
	struct mqtt_ids ids;
	bool known; /* mark 0: it has had a session of ours */
	bool must_forget; /* it has made a new one, and that is not durable yet */
	bool must_note; /* `noted` shall become the value of mark 0 */
	struct buffer kept; /* the value of mark 0: what may be subscribed in its session */
	struct buffer noted; /* what it shall be */
	bool speaks_old; /* it has refused MQTT 5 */
	uint32_t silent; /* see MQTT_SILENT_MAX */
	uint32_t told; /* checksum of the last words about its ends: repeats are not told */
};

/* Of one connection; zeroed when it begins. */
struct mqtt_connection {
	bool session_present;
	uint32_t packet_size_max; /* that the broker takes */
	uint32_t session_expiry_s; /* that the broker grants */
	int64_t keep_alive_ms;
	bool told_retained, told_reused;
	/* deadlines */
	int64_t owed_since_ms; /* of what is owed, the oldest */
	bool connack_owed, suback_owed, unsuback_owed, pingresp_owed;
	int64_t sent_ms, heard_ms;
	bool reading; /* the last step found less than a packet, and room for more */
	int64_t read_ms; /* when we last could not, or did not want to, read */
	bool blocked; /* the link takes nothing */
	int64_t blocked_since_ms;
	/* subscriptions */
	uint16_t subscribe_id;
	uint8_t asked[MQTT_FILTERS_MAX]; /* indexes of the filters of the SUBSCRIBE that is owed */
	uint32_t asked_count;
	uint16_t unsubscribe_id;
	uint32_t dropped_count; /* filters of the UNSUBSCRIBE that is owed */
	uint8_t granted[MQTT_FILTERS_MAX]; /* SUBACK's code */
	uint32_t next_told; /* filter */
	int64_t resubscribe_ms; /* -1: every filter is granted */
};

struct mqtt_session {
	struct mqtt_session_options options;
	enum mqtt_session_state state;
	int64_t began_ms; /* of the present state */
	int64_t since_ms; /* of being up, or of not being up */
	uint32_t broker;
	struct mqtt_broker brokers[MQTT_BROKERS_MAX];
	enum mqtt_version version;
	struct mqtt_connection connection;
	struct mqtt_input input;
	struct buffer output;
	size_t output_sent;
	struct mqtt_flight flight;
	struct mqtt_order
		current; /* DELIVER, RELEASE or FORGET that has no answer yet; else WAIT */
	int64_t hold_until_ms;
	bool stopping;
	/* The last connection was ended because of a malformed PUBLISH that can be acknowledged: in this one it becomes a
	 * dead letter, for the broker will send it again and again. */
	bool lenient;
	/* the next attempt */
	uint32_t failures; /* since a connection was steady */
	int64_t retry_at_ms;
	int64_t close_at_ms;
	uint64_t random;
	enum mqtt_end end;
	uint32_t ended_broker; /* that the last end is about */
	struct complaint words; /* about the last end */
	bool is_hopeless; /* the last end will not mend itself */
	uint32_t tells; /* bit (1 << MQTT_TELL_X) */
	struct complaint told; /* the words of the present TELL */
	struct mqtt_session_counts counts;
};

/* What a part of a step has done. */
enum mqtt_progress {
	MQTT_IDLE, /* nothing more to do */
	MQTT_AGAIN, /* something: look again */
	MQTT_ORDERED, /* session->current is to be carried out */
};

static inline struct mqtt_broker *mqtt_session_broker(struct mqtt_session *session)
{
	return &session->brokers[session->broker];
}
static inline bool mqtt_session_has_link(const struct mqtt_session *session)
{
	return session->state >= MQTT_GREETING && session->state <= MQTT_UP;
}
void mqtt_session_enter(
	struct mqtt_session *session, enum mqtt_session_state state, int64_t now_ms);
static inline void mqtt_session_tell(struct mqtt_session *session, enum mqtt_tell tell)
{
	session->tells |= 1u << tell;
}

/* mqtt_session_deadlines.c */
void mqtt_session_check_deadlines(struct mqtt_session *session, int64_t now_ms);
void mqtt_session_ping_if_due(struct mqtt_session *session, int64_t now_ms);
int64_t mqtt_session_wait_ms(const struct mqtt_session *session, int64_t now_ms);

/* mqtt_session_packets.c: the next packet of the input. */
enum mqtt_progress mqtt_session_hear(struct mqtt_session *session, int64_t now_ms);
void mqtt_session_count_publish(struct mqtt_session *session, const struct mqtt_publish *publish);

/* mqtt_session_subscribe.c: all filters, or those that the broker has refused before. */
void mqtt_session_subscribe(struct mqtt_session *session, bool only_refused, int64_t now_ms);
/* What must be on disk before SUBSCRIBE: FORGET or NOTE becomes the present order; false: nothing. 0 or -ENOMEM. */
int mqtt_session_note_filters(struct mqtt_session *session, bool *ret_ordered);
/* UNSUBSCRIBE of what is configured no more. */
void mqtt_session_drop_filters(struct mqtt_session *session, int64_t now_ms);
/* Of a list, the next filter that is configured no more; false at the end. */
bool mqtt_session_next_dropped(
	const struct mqtt_session *session, struct slice *rest, struct slice *ret_filter);
void mqtt_session_hear_unsuback(
	struct mqtt_session *session, const struct mqtt_packet *packet, int64_t now_ms);
/* How many filters are granted. */
uint32_t mqtt_session_granted(const struct mqtt_session *session);
void mqtt_session_hear_suback(
	struct mqtt_session *session, const struct mqtt_packet *packet, int64_t now_ms);

/* mqtt_session_end.c */
enum { MQTT_NO_FAREWELL = -1 };
struct mqtt_ending {
	enum mqtt_end end;
	int farewell; /* the reason of our DISCONNECT, or MQTT_NO_FAREWELL */
	bool is_hopeless; /* waits longest before it tries again */
	bool stay; /* with this broker */
	bool at_once;
};
/* The words are in session->words. */
void mqtt_session_end(
	struct mqtt_session *session, const struct mqtt_ending *ending, int64_t now_ms);
void mqtt_session_end_malformed(
	struct mqtt_session *session, enum mqtt_error error, bool stay, int64_t now_ms);
void mqtt_session_end_protocol(
	struct mqtt_session *session, uint8_t reason, const char *words, int64_t now_ms);
void mqtt_session_end_refused(
	struct mqtt_session *session, const struct mqtt_connack *connack, int64_t now_ms);
void mqtt_session_end_disconnect(
	struct mqtt_session *session, const struct mqtt_disconnect *disconnect, int64_t now_ms);

/* mqtt_session_words.c: the next thing to tell; false: nothing. */
bool mqtt_session_next_tell(struct mqtt_session *session, struct mqtt_order *ret_order);
/* What to do about a reason code; "" where there is nothing to say. */
const char *mqtt_reason_advice(uint8_t reason);
