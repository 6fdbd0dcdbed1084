#include <inttypes.h>

#include "edge/mqtt_session_internal.h"
#include "proto/checksum.h"

const char *mqtt_reason_advice(uint8_t reason)
{
	switch (reason) {
	case MQTT_UNSUPPORTED_VERSION:
		return "set version = 3.1.1, or auto";
	case MQTT_CLIENT_ID_INVALID:
		return "set another client_id";
	case MQTT_BAD_CREDENTIALS:
		return "check username and password_file";
	case MQTT_NOT_AUTHORIZED:
		return "give our user the right to it at the broker";
	case MQTT_BANNED:
		return "ask the broker's operator";
	case MQTT_SESSION_TAKEN_OVER:
		return "another client uses our client_id: each edge needs its own";
	case MQTT_USE_ANOTHER_SERVER:
	case MQTT_SERVER_MOVED:
		return "put that server into brokers";
	case MQTT_NO_SHARED_SUBSCRIPTIONS:
		return "leave $share/GROUP/ out";
	case MQTT_NO_WILDCARDS:
		return "write each topic out";
	default:
		return "";
	}
}

static const char *version_name(enum mqtt_version version)
{
	return version == MQTT_VERSION_5 ? "5" : "3.1.1";
}

static void put(struct mqtt_order *order, int level, struct complaint *words)
{
	order->act = MQTT_ORDER_TELL;
	order->level = level;
	order->words = words->message;
}

/* Attempt after attempt ends for the same reason: said once, and again when it had worked between. */
static bool tell_end(struct mqtt_session *session, struct mqtt_order *order)
{
	struct mqtt_broker *broker = &session->brokers[session->ended_broker];
	uint32_t checksum = checksum_crc32c(
		session->end, session->words.message, strlen(session->words.message));

	if (session->end == MQTT_END_STOPPED || broker->told == checksum) {
		return false;
	}
	session->told = session->words;
	broker->told = checksum;
	order->broker = session->ended_broker;
	put(order, session->is_hopeless ? MQTT_TELL_ERROR : MQTT_TELL_WARNING, &session->told);
	return true;
}

static bool is_granted_as_asked(const struct mqtt_session *session, uint32_t filter)
{
	return session->connection.granted[filter] == session->options.qos;
}

static void word_filter(struct mqtt_session *session, uint32_t filter)
{
	uint8_t granted = session->connection.granted[filter];
	struct slice text = session->options.filters[filter];
	const char *advice = mqtt_reason_advice(granted);

	if (granted < 0x80) {
		complaint_set(&session->told, REASON_NONE, NULL,
			"grants the subscription of %.*s QoS %u, not %u%s", (int)text.size,
			(const char *)text.bytes, granted, session->options.qos,
			granted == 0 ? ": messages of it may be lost" : "");
		return;
	}
	complaint_set(&session->told, REASON_NONE, NULL,
		"refuses the subscription of %.*s: %s (0x%02x)%s%s; asked again in %d s",
		(int)text.size, (const char *)text.bytes, mqtt_reason_name(granted), granted,
		advice[0] == '\0' ? "" : ": ", advice, MQTT_RESUBSCRIBE_MS / 1000);
}

/* One filter at a time; the bit stays until all have been told. */
static bool tell_filter(struct mqtt_session *session, struct mqtt_order *order)
{
	struct mqtt_connection *connection = &session->connection;

	while (connection->next_told < session->options.filter_count) {
		uint32_t filter = connection->next_told++;
		if (!is_granted_as_asked(session, filter)) {
			word_filter(session, filter);
			put(order,
				connection->granted[filter] < 0x80 ? MQTT_TELL_WARNING
								   : MQTT_TELL_ERROR,
				&session->told);
			mqtt_session_tell(session, MQTT_TELL_FILTER);
			return true;
		}
	}
	return false;
}

static bool tell_up(struct mqtt_session *session, struct mqtt_order *order)
{
	complaint_set(&session->told, REASON_NONE, NULL,
		"connected with MQTT %s, %u of %u subscriptions at QoS %u, %s session",
		version_name(session->version), mqtt_session_granted(session),
		session->options.filter_count, session->options.qos,
		session->connection.session_present ? "the kept" : "a new");
	put(order, MQTT_TELL_INFO, &session->told);
	return true;
}

static bool tell_dropped(struct mqtt_session *session, struct mqtt_order *order)
{
	struct slice rest = buffer_slice(&mqtt_session_broker(session)->kept);
	struct slice first = {NULL, 0};

	mqtt_session_next_dropped(session, &rest, &first);
	complaint_set(&session->told, REASON_NONE, NULL,
		"is told to drop %u subscriptions that are configured no more: %.*s%s",
		session->connection.dropped_count, (int)first.size,
		first.size == 0 ? "" : (const char *)first.bytes,
		session->connection.dropped_count > 1 ? ", …" : "");
	put(order, MQTT_TELL_INFO, &session->told);
	return true;
}

static bool tell(struct mqtt_session *session, enum mqtt_tell what, struct mqtt_order *order)
{
	static const struct {
		int level;
		const char *words;
	} plain[MQTT_TELL_COUNT] = {
		[MQTT_TELL_OLD_VERSION] = {MQTT_TELL_INFO,
			"does not speak MQTT 5: going on with 3.1.1, which has no user properties"},
		[MQTT_TELL_SESSION_LOST] = {MQTT_TELL_ERROR,
			"has lost our session: what was published while we were away is gone; let "
			"the broker "
			"keep sessions on disk, and for longer"},
		[MQTT_TELL_REUSED] = {MQTT_TELL_WARNING,
			"uses a packet id again for another message before it was released: it "
			"seems to have "
			"come back from an older state; the message is taken"},
		[MQTT_TELL_RETAINED] = {MQTT_TELL_WARNING,
			"sends retained messages: they are acknowledged and not counted as events; "
			"see "
			"`retained`"},
	};

	switch (what) {
	case MQTT_TELL_END:
		return tell_end(session, order);
	case MQTT_TELL_FILTER:
		return tell_filter(session, order);
	case MQTT_TELL_UP:
		return tell_up(session, order);
	case MQTT_TELL_DROPPED:
		return tell_dropped(session, order);
	case MQTT_TELL_EXPIRY:
		complaint_set(&session->told, REASON_NONE, NULL,
			"keeps our session for %" PRIu32
			" s only: when the edge is away for longer, what is published meanwhile is "
			"lost",
			session->connection.session_expiry_s);
		put(order, MQTT_TELL_WARNING, &session->told);
		return true;
	default:
		complaint_set(&session->told, REASON_NONE, NULL, "%s", plain[what].words);
		put(order, plain[what].level, &session->told);
		return true;
	}
}

bool mqtt_session_next_tell(struct mqtt_session *session, struct mqtt_order *ret_order)
{
	for (int what = 0; what < MQTT_TELL_COUNT; what++) {
		if ((session->tells >> what & 1) != 0) {
			session->tells &= ~(1u << what);
			ret_order->broker = session->broker;
			if (tell(session, (enum mqtt_tell)what, ret_order)) {
				return true;
			}
		}
	}
	return false;
}
