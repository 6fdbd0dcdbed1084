/* mqtt.h - what a receiving client says and hears in MQTT 3.1.1 and 5.0: packets in, packets out. Bytes are cut into
 * packets by mqtt_input.h; here one packet's bytes become its meaning. Pure; nothing is allocated but by the buffer
 * that is written to; slices are borrowed from the packet.
 *
 * Decoders are strict: whatever the standard calls malformed is an MQTT_E_*, > 0, and `ret_` is left alone. */
#pragma once
#include "proto/buffer.h"

enum mqtt_version {
	MQTT_VERSION_3_1_1 = 4, /* as CONNECT says it */
	MQTT_VERSION_5 = 5,
};

enum mqtt_type {
	MQTT_CONNECT = 1,
	MQTT_CONNACK = 2,
	MQTT_PUBLISH = 3,
	MQTT_PUBACK = 4,
	MQTT_PUBREC = 5,
	MQTT_PUBREL = 6,
	MQTT_PUBCOMP = 7,
	MQTT_SUBSCRIBE = 8,
	MQTT_SUBACK = 9,
	MQTT_UNSUBSCRIBE = 10,
	MQTT_UNSUBACK = 11,
	MQTT_PINGREQ = 12,
	MQTT_PINGRESP = 13,
	MQTT_DISCONNECT = 14,
	MQTT_AUTH = 15,
};
enum { MQTT_TYPE_COUNT = 16 };

enum mqtt_error {
	MQTT_E_MORE = 1, /* not an error: the packet is not complete yet */
	MQTT_E_TYPE, /* packet type 0, or one that only clients send */
	MQTT_E_FLAGS, /* reserved bits of the fixed header, or of CONNACK's first byte */
	MQTT_E_LENGTH, /* a remaining length of more than four bytes, or not in its shortest form */
	MQTT_E_SHORT, /* a field reaches past the end of its packet */
	MQTT_E_LONG, /* bytes are left over after the last field */
	MQTT_E_SIZE, /* larger than we take, and nothing that could be taken in part */
	MQTT_E_QOS, /* QoS 3, or QoS 0 with DUP */
	MQTT_E_PACKET_ID, /* 0 */
	MQTT_E_TEXT, /* not UTF-8, or with NUL */
	MQTT_E_TOPIC, /* empty, or with a wildcard */
	MQTT_E_REASON, /* a reason code that this packet can't have */
	MQTT_E_PROPERTY, /* unknown, or not one of this packet's */
	MQTT_E_PROPERTY_TWICE,
	MQTT_E_PROPERTY_VALUE, /* outside what its kind allows */
	MQTT_E_PROPERTY_LENGTH, /* the properties end elsewhere than their length says */
	MQTT_E_TOPIC_ALIAS, /* we never offer any */
	MQTT_ERROR_COUNT,
};
/* A phrase for logs: "a reserved bit is set". */
const char *mqtt_error_text(enum mqtt_error error);
/* The reason code for a DISCONNECT of MQTT 5. */
uint8_t mqtt_error_reason(enum mqtt_error error);

/* Reason codes that till acts on or sends; MQTT 3.1.1's CONNACK codes are turned into these. */
enum mqtt_reason {
	MQTT_SUCCESS = 0x00,
	MQTT_UNSPECIFIED = 0x80,
	MQTT_MALFORMED = 0x81,
	MQTT_PROTOCOL_ERROR = 0x82,
	MQTT_UNSUPPORTED_VERSION = 0x84,
	MQTT_CLIENT_ID_INVALID = 0x85,
	MQTT_BAD_CREDENTIALS = 0x86,
	MQTT_NOT_AUTHORIZED = 0x87,
	MQTT_SERVER_UNAVAILABLE = 0x88,
	MQTT_SERVER_BUSY = 0x89,
	MQTT_BANNED = 0x8a,
	MQTT_SESSION_TAKEN_OVER = 0x8e,
	MQTT_FILTER_INVALID = 0x8f,
	MQTT_PACKET_ID_NOT_FOUND = 0x92,
	MQTT_RECEIVE_MAXIMUM_EXCEEDED = 0x93,
	MQTT_TOPIC_ALIAS_INVALID = 0x94,
	MQTT_PACKET_TOO_LARGE = 0x95,
	MQTT_QUOTA_EXCEEDED = 0x97,
	MQTT_USE_ANOTHER_SERVER = 0x9c,
	MQTT_SERVER_MOVED = 0x9d,
	MQTT_NO_SHARED_SUBSCRIPTIONS = 0x9e,
	MQTT_NO_WILDCARDS = 0xa2,
};
/* The standard's name: "not authorized"; "unknown reason" for what it does not list. */
const char *mqtt_reason_name(uint8_t reason);

/* A packet as the stream had it. `body` is what follows the fixed header. */
struct mqtt_packet {
	enum mqtt_type type;
	uint8_t flags; /* the lower half of the first byte */
	struct slice body;
	size_t body_size; /* as its length says; more than body.size: a PUBLISH too large, whose rest was skipped */
};

#define MQTT_NEVER_EXPIRES UINT32_C(0xffffffff)

struct mqtt_connack {
	bool session_present;
	uint8_t reason; /* MQTT_SUCCESS, or why not */
	/* From here on MQTT 5; with 3.1.1, and where the broker is silent, the standard's defaults. */
	bool has_session_expiry, has_keep_alive;
	uint32_t session_expiry_s; /* only if the broker changes what was asked for */
	uint16_t keep_alive_s; /* only if the broker changes what was asked for; 0: none */
	uint16_t receive_maximum; /* what we may have in flight to the broker */
	uint32_t packet_size_max; /* largest that the broker takes; UINT32_MAX: any */
	uint16_t topic_alias_maximum;
	uint8_t qos_max;
	bool has_retain, has_wildcards, has_subscription_ids, has_shared; /* true: available */
	struct slice client_id; /* {NULL, 0}: the one we gave */
	struct slice reason_text;
	struct slice server_reference;
};

/* user properties and the rest of a PUBLISH, checked; for mqtt_next_user_property */
struct mqtt_publish {
	uint8_t qos;
	bool dup;
	bool retain;
	uint16_t packet_id; /* 0 with QoS 0 */
	struct slice topic;
	struct slice payload; /* the first bytes of it where payload_size is more */
	size_t payload_size;
	/* From here on MQTT 5; {NULL, 0}, false and 0 where absent. */
	struct slice
		properties; /* as encoded; {NULL, 0} also where they are too large to be kept (properties_cut) */
	bool properties_cut;
	bool is_text; /* payload format indicator 1 */
	bool has_expiry;
	uint32_t expiry_s;
	struct slice content_type;
	struct slice response_topic;
	struct slice correlation_data;
	uint32_t subscription_id; /* the first of them; 0: none */
};

/* SUBACK; UNSUBACK, whose reasons are 0, 0x11 or ≥ 0x80, and in 3.1.1 none */
struct mqtt_suback {
	uint16_t packet_id;
	struct slice
		reasons; /* one byte a filter, in order: 0, 1, 2: the QoS granted; ≥ 0x80: refused */
	struct slice reason_text;
};

/* PUBACK, PUBREC, PUBREL, PUBCOMP */
struct mqtt_ack {
	uint16_t packet_id;
	uint8_t reason;
	struct slice reason_text;
};

struct mqtt_disconnect {
	uint8_t reason;
	struct slice reason_text;
	struct slice server_reference;
};

/* 0 or MQTT_E_*. The packet has the type that the function's name says. */
int mqtt_connack_decode(const struct mqtt_packet *packet, enum mqtt_version version,
	struct mqtt_connack *ret_connack);
int mqtt_publish_decode(const struct mqtt_packet *packet, enum mqtt_version version,
	struct mqtt_publish *ret_publish);
int mqtt_suback_decode(const struct mqtt_packet *packet, enum mqtt_version version,
	struct mqtt_suback *ret_suback);
int mqtt_unsuback_decode(const struct mqtt_packet *packet, enum mqtt_version version,
	struct mqtt_suback *ret_unsuback);
int mqtt_ack_decode(
	const struct mqtt_packet *packet, enum mqtt_version version, struct mqtt_ack *ret_ack);
int mqtt_disconnect_decode(const struct mqtt_packet *packet, enum mqtt_version version,
	struct mqtt_disconnect *ret_disconnect);
/* PINGRESP: has no body. */
int mqtt_pingresp_decode(const struct mqtt_packet *packet);

/* What can be read of a PUBLISH that mqtt_publish_decode refuses: enough to acknowledge it and to keep its bytes. The
 * topic may be anything, properties are absent, and where they can't be told from the payload they are part of it.
 * false: not even that. */
bool mqtt_publish_salvage(const struct mqtt_packet *packet, enum mqtt_version version,
	struct mqtt_publish *ret_publish);

/* The next user property: begin with *rest = publish.properties; false at the end. */
bool mqtt_next_user_property(struct slice *rest, struct slice *ret_name, struct slice *ret_value);

struct mqtt_connect {
	enum mqtt_version version;
	struct slice client_id;
	struct slice user; /* {NULL, 0}: none */
	struct slice password; /* {NULL, 0}: none; 3.1.1 takes one only with a user */
	uint16_t keep_alive_s;
	bool clean; /* clean session, or clean start */
	uint32_t session_expiry_s; /* this and the next two: MQTT 5 only; 0 is not said */
	uint16_t receive_maximum;
	uint32_t packet_size_max;
};

enum mqtt_retain_handling {
	MQTT_RETAINED_ALWAYS = 0, /* are sent at each SUBSCRIBE */
	MQTT_RETAINED_IF_NEW = 1, /* at a SUBSCRIBE that makes a new subscription */
	MQTT_RETAINED_NEVER = 2,
};

struct mqtt_filter {
	struct slice text;
	uint8_t qos;
	enum mqtt_retain_handling retain_handling; /* MQTT 5 only */
};

/* Texts are checked by the caller: UTF-8 without NUL, at most 65535 bytes. Errors stick in the buffer. */
void mqtt_connect_encode(const struct mqtt_connect *connect, struct buffer *buffer);
void mqtt_subscribe_encode(enum mqtt_version version, uint16_t packet_id,
	const struct mqtt_filter *filters, size_t filter_count, struct buffer *buffer);
void mqtt_unsubscribe_encode(enum mqtt_version version, uint16_t packet_id,
	const struct slice *filters, size_t filter_count, struct buffer *buffer);
/* PUBACK, PUBREC, PUBCOMP. 3.1.1 has no reason codes: they are left out. */
void mqtt_ack_encode(enum mqtt_version version, enum mqtt_type type, uint16_t packet_id,
	uint8_t reason, struct buffer *buffer);
void mqtt_pingreq_encode(struct buffer *buffer);
void mqtt_disconnect_encode(enum mqtt_version version, uint8_t reason, struct buffer *buffer);
