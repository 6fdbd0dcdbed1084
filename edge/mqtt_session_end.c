#include "edge/mqtt_session_internal.h"

enum {
	/* Between DISCONNECT and closing: what a link that is slow takes in that time. */
	FAREWELL_MS = 500,
};

/* ---- when the next attempt is made */

static uint64_t draw(struct mqtt_session *session)
{
	uint64_t mixed = session->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ mixed >> 31;
}

/* Each other broker at once, then all of them more and more slowly; what will not mend itself waits longest. Half of the
 * wait is by chance: a chain's stores must not come back all in one moment. */
static int64_t retry_delay_ms(struct mqtt_session *session, const struct mqtt_ending *ending)
{
	int64_t delay_ms = MQTT_RETRY_MS_MAX;

	if (ending->at_once ||
		(session->failures < session->options.broker_count && !ending->stay)) {
		return 0;
	}
	if (!ending->is_hopeless) {
		uint32_t steps = session->failures < session->options.broker_count
					 ? 0
					 : session->failures - session->options.broker_count;
		delay_ms = steps > 7 ? MQTT_RETRY_MS_MAX : (int64_t)MQTT_RETRY_MS_MIN << steps;
	}
	return delay_ms / 2 + (int64_t)(draw(session) % (uint64_t)(delay_ms / 2 + 1));
}

/* AUTO: a broker that hangs up on MQTT 5 without a word is asked in 3.1.1 once, then in 5 again. */
static void note_version(struct mqtt_session *session, enum mqtt_end end)
{
	struct mqtt_broker *broker = mqtt_session_broker(session);
	bool without_word = end == MQTT_END_DISCONNECTED || end == MQTT_END_MALFORMED;

	if (session->state == MQTT_GREETING && session->version == MQTT_VERSION_5 && without_word) {
		broker->silent++;
	} else if (session->state >= MQTT_GREETING) {
		broker->silent = 0;
	}
}

static bool was_steady(const struct mqtt_session *session, int64_t now_ms)
{
	return session->state == MQTT_UP && now_ms - session->began_ms >= MQTT_STEADY_MS;
}

static void plan_retry(
	struct mqtt_session *session, const struct mqtt_ending *ending, int64_t now_ms)
{
	session->failures = was_steady(session, now_ms) ? 1 : session->failures + 1;
	session->retry_at_ms = now_ms + retry_delay_ms(session, ending);
	if (!ending->stay) {
		session->broker = (session->broker + 1) % session->options.broker_count;
	}
}

/* ---- the end itself */

static void say_farewell(
	struct mqtt_session *session, const struct mqtt_ending *ending, int64_t now_ms)
{
	if (ending->farewell == MQTT_NO_FAREWELL || session->state < MQTT_GREETING) {
		buffer_clear(&session->output);
		session->output_sent = 0;
		session->close_at_ms = now_ms;
		return;
	}
	/* What is in the output goes out first: half an acknowledgement before it would be no MQTT. In 3.1.1 a DISCONNECT
	 * gives no reason, and one that follows an error would only hide it. */
	if (session->version == MQTT_VERSION_5 || ending->farewell == MQTT_SUCCESS) {
		mqtt_disconnect_encode(
			session->version, (uint8_t)ending->farewell, &session->output);
	}
	session->close_at_ms = now_ms + FAREWELL_MS;
}

void mqtt_session_end(
	struct mqtt_session *session, const struct mqtt_ending *ending, int64_t now_ms)
{
	session->end = ending->end;
	session->ended_broker = session->broker;
	session->is_hopeless = ending->is_hopeless;
	session->counts.ends[ending->end]++;
	mqtt_flight_void_acks(&session->flight);
	session->current.act = MQTT_ORDER_WAIT;
	session->tells = 0; /* what was not told yet is about a connection that is no more */
	mqtt_session_tell(session, MQTT_TELL_END);
	if (session->state >= MQTT_SUBSCRIBING) {
		session->lenient = ending->end == MQTT_END_MALFORMED && ending->stay;
	}
	if (session->state == MQTT_UP) {
		session->since_ms = now_ms;
	}
	note_version(session, ending->end);
	say_farewell(session, ending, now_ms);
	plan_retry(session, ending, now_ms);
	session->connection.reading = false;
	mqtt_session_enter(session, MQTT_CLOSING, now_ms);
}

void mqtt_session_end_malformed(
	struct mqtt_session *session, enum mqtt_error error, bool stay, int64_t now_ms)
{
	struct mqtt_ending ending = {
		.end = MQTT_END_MALFORMED, .farewell = mqtt_error_reason(error), .stay = stay};

	complaint_set(&session->words, REASON_NONE, NULL, "sent what is not MQTT: %s%s",
		mqtt_error_text(error),
		stay ? "; if the same message comes again it becomes a dead letter" : "");
	mqtt_session_end(session, &ending, now_ms);
}

void mqtt_session_end_protocol(
	struct mqtt_session *session, uint8_t reason, const char *words, int64_t now_ms)
{
	struct mqtt_ending ending = {.end = MQTT_END_PROTOCOL, .farewell = reason};

	complaint_set(&session->words, REASON_NONE, NULL, "broke the protocol: %s", words);
	mqtt_session_end(session, &ending, now_ms);
}

/* ---- the broker's own words */

static bool mends_itself(uint8_t reason)
{
	switch (reason) {
	case MQTT_SUCCESS:
	case MQTT_UNSPECIFIED:
	case MQTT_SERVER_UNAVAILABLE:
	case MQTT_SERVER_BUSY:
	case 0x8b: /* server shutting down */
	case 0x8d: /* keep alive timeout */
	case MQTT_RECEIVE_MAXIMUM_EXCEEDED:
	case 0x96: /* message rate too high */
	case MQTT_QUOTA_EXCEEDED:
	case 0x9f: /* connection rate exceeded */
	case 0xa0: /* maximum connect time */
		return true;
	default:
		return false;
	}
}

static void set_words(struct mqtt_session *session, const char *did, uint8_t reason,
	struct slice reason_text, struct slice reference)
{
	complaint_set(&session->words, REASON_NONE, NULL, "%s: %s (0x%02x)%s%.*s%s%.*s%s%s", did,
		mqtt_reason_name(reason), reason, reason_text.size > 0 ? ", " : "",
		(int)reason_text.size, reason_text.size > 0 ? (const char *)reason_text.bytes : "",
		reference.size > 0 ? "; it names " : "", (int)reference.size,
		reference.size > 0 ? (const char *)reference.bytes : "",
		mqtt_reason_advice(reason)[0] == '\0' ? "" : ": ", mqtt_reason_advice(reason));
}

void mqtt_session_end_refused(
	struct mqtt_session *session, const struct mqtt_connack *connack, int64_t now_ms)
{
	struct mqtt_ending ending = {.end = MQTT_END_REFUSED,
		.farewell = MQTT_NO_FAREWELL,
		.is_hopeless = !mends_itself(connack->reason)};

	if (connack->reason == MQTT_UNSUPPORTED_VERSION && session->version == MQTT_VERSION_5 &&
		session->options.protocol == MQTT_PROTOCOL_AUTO) {
		mqtt_session_broker(session)->speaks_old = true;
		ending.is_hopeless = false;
		ending.stay = true;
		ending.at_once = true;
	}
	set_words(session, "refused the connection", connack->reason, connack->reason_text,
		connack->server_reference);
	mqtt_session_end(session, &ending, now_ms);
	if (ending.at_once) {
		session->tells = 1u << MQTT_TELL_OLD_VERSION;
	}
}

void mqtt_session_end_disconnect(
	struct mqtt_session *session, const struct mqtt_disconnect *disconnect, int64_t now_ms)
{
	struct mqtt_ending ending = {.end = MQTT_END_DISCONNECT,
		.farewell = MQTT_NO_FAREWELL,
		.is_hopeless = !mends_itself(disconnect->reason)};

	set_words(session, "ended the connection", disconnect->reason, disconnect->reason_text,
		disconnect->server_reference);
	mqtt_session_end(session, &ending, now_ms);
}
