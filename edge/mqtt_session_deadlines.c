/* Who owes whom a sign of life, and when to look again. */
#include "edge/mqtt_session_internal.h"
#include <stdio.h>

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* While we don't read, because the disk is behind, nobody owes us an answer that we could see. */
static int64_t silent_since_ms(const struct mqtt_session *session)
{
	const struct mqtt_connection *connection = &session->connection;

	return later(connection->owed_since_ms, later(connection->heard_ms, connection->read_ms));
}

static const char *what_is_owed(const struct mqtt_session *session)
{
	return session->connection.connack_owed    ? "CONNACK"
	       : session->connection.suback_owed   ? "SUBACK"
	       : session->connection.unsuback_owed ? "UNSUBACK"
	       : session->connection.pingresp_owed ? "PINGRESP"
						   : NULL;
}

static void end_silent(struct mqtt_session *session, const char *words, int64_t now_ms)
{
	static const struct mqtt_ending ending = {
		.end = MQTT_END_SILENCE, .farewell = MQTT_NO_FAREWELL};

	complaint_set(&session->words, REASON_NONE, NULL, "is silent: %s", words);
	mqtt_session_end(session, &ending, now_ms);
}

static void check_silence(struct mqtt_session *session, int64_t now_ms)
{
	struct mqtt_connection *connection = &session->connection;
	const char *owed = what_is_owed(session);
	char words[80];

	if (!connection->reading) {
		connection->read_ms = now_ms;
	}
	if (owed != NULL && now_ms - silent_since_ms(session) >= MQTT_ANSWER_MS) {
		snprintf(words, sizeof words, "%s did not come within %d s", owed,
			MQTT_ANSWER_MS / 1000);
		end_silent(session, words, now_ms);
	} else if (connection->blocked && now_ms - connection->blocked_since_ms >= MQTT_WRITE_MS) {
		snprintf(words, sizeof words, "it took nothing for %d s", MQTT_WRITE_MS / 1000);
		end_silent(session, words, now_ms);
	}
}

void mqtt_session_check_deadlines(struct mqtt_session *session, int64_t now_ms)
{
	if (session->state == MQTT_CONNECTING && now_ms - session->began_ms >= MQTT_CONNECT_MS) {
		mqtt_session_lost(session, "it did not answer in time", now_ms);
	} else if (mqtt_session_has_link(session)) {
		check_silence(session, now_ms);
	}
}

/* Well before the broker would give us up, and when the broker itself has been quiet: a link that is half open must be
 * found even while nothing is to be said. */
static int64_t ping_at_ms(const struct mqtt_session *session)
{
	const struct mqtt_connection *connection = &session->connection;
	int64_t interval_ms = connection->keep_alive_ms * 3 / 4;
	int64_t sent_ms = connection->sent_ms + interval_ms;

	return connection->pingresp_owed ? sent_ms
					 : sooner(sent_ms, connection->heard_ms + interval_ms);
}

void mqtt_session_ping_if_due(struct mqtt_session *session, int64_t now_ms)
{
	struct mqtt_connection *connection = &session->connection;

	if (session->state == MQTT_GREETING || now_ms < ping_at_ms(session)) {
		return;
	}
	if (!connection->pingresp_owed) {
		connection->pingresp_owed = true;
		connection->owed_since_ms = now_ms;
	}
	connection->sent_ms = now_ms;
	mqtt_pingreq_encode(&session->output);
	session->counts.pings++;
}

static int64_t link_wakes_at_ms(const struct mqtt_session *session, int64_t at_ms)
{
	const struct mqtt_connection *connection = &session->connection;

	if (session->state != MQTT_GREETING) {
		at_ms = sooner(at_ms, ping_at_ms(session));
	}
	if (what_is_owed(session) != NULL && connection->reading) {
		at_ms = sooner(at_ms, silent_since_ms(session) + MQTT_ANSWER_MS);
	}
	if (connection->blocked) {
		at_ms = sooner(at_ms, connection->blocked_since_ms + MQTT_WRITE_MS);
	}
	if (connection->resubscribe_ms >= 0) {
		at_ms = sooner(at_ms, connection->resubscribe_ms);
	}
	if (session->current.act != MQTT_ORDER_WAIT && !mqtt_flight_is_full(&session->flight)) {
		at_ms = sooner(at_ms, session->hold_until_ms);
	}
	return at_ms;
}

int64_t mqtt_session_wait_ms(const struct mqtt_session *session, int64_t now_ms)
{
	int64_t at_ms = now_ms + MQTT_FOREVER_MS;

	if (session->state == MQTT_CONNECTING) {
		at_ms = session->began_ms + MQTT_CONNECT_MS;
	} else if (mqtt_session_has_link(session)) {
		at_ms = link_wakes_at_ms(session, at_ms);
	}
	return later(at_ms - now_ms, 0);
}
