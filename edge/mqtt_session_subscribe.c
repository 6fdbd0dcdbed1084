#include "edge/mqtt_filters.h"
#include "edge/mqtt_session_internal.h"

enum { NOT_ASKED = 0xff };

static bool is_refused(const struct mqtt_session *session, uint32_t filter)
{
	return session->connection.granted[filter] >= 0x80;
}

uint32_t mqtt_session_granted(const struct mqtt_session *session)
{
	uint32_t granted = 0;

	for (uint32_t i = 0; i < session->options.filter_count; i++) {
		granted += !is_refused(session, i);
	}
	return granted;
}

static enum mqtt_retain_handling retain_handling(const struct mqtt_session *session)
{
	switch (session->options.retained) {
	case MQTT_RETAINED_TAKE_ALL:
		return MQTT_RETAINED_ALWAYS;
	case MQTT_RETAINED_TAKE_NEW:
		return MQTT_RETAINED_IF_NEW;
	default:
		return MQTT_RETAINED_NEVER;
	}
}

static uint32_t choose(struct mqtt_session *session, bool only_refused,
	struct mqtt_filter filters[MQTT_FILTERS_MAX])
{
	struct mqtt_connection *connection = &session->connection;

	connection->asked_count = 0;
	for (uint32_t i = 0; i < session->options.filter_count; i++) {
		if (only_refused && !is_refused(session, i)) {
			continue;
		}
		filters[connection->asked_count] = (struct mqtt_filter){
			.text = session->options.filters[i],
			.qos = session->options.qos,
			.retain_handling = retain_handling(session),
		};
		connection->asked[connection->asked_count++] = (uint8_t)i;
	}
	return connection->asked_count;
}

void mqtt_session_subscribe(struct mqtt_session *session, bool only_refused, int64_t now_ms)
{
	struct mqtt_connection *connection = &session->connection;
	struct mqtt_filter filters[MQTT_FILTERS_MAX];
	uint32_t count = choose(session, only_refused, filters);
	size_t before = session->output.size;

	if (!only_refused) {
		memset(connection->granted, NOT_ASKED, sizeof connection->granted);
		mqtt_session_enter(session, MQTT_SUBSCRIBING, now_ms);
	}
	connection->subscribe_id =
		connection->subscribe_id == UINT16_MAX ? 1 : connection->subscribe_id + 1;
	mqtt_subscribe_encode(
		session->version, connection->subscribe_id, filters, count, &session->output);
	connection->suback_owed = true;
	connection->owed_since_ms = now_ms;
	connection->resubscribe_ms = -1;
	if (session->output.size - before > connection->packet_size_max) {
		complaint_set(&session->words, REASON_NONE, NULL,
			"takes packets of %u bytes at most, and our SUBSCRIBE has %zu: subscribe "
			"fewer "
			"or shorter topics",
			connection->packet_size_max, session->output.size - before);
		buffer_truncate(&session->output, before);
		mqtt_session_end(session,
			&(struct mqtt_ending){.end = MQTT_END_NO_SUBSCRIPTION,
				.farewell = MQTT_SUCCESS,
				.is_hopeless = true},
			now_ms);
	}
}

static void take_granted(struct mqtt_session *session, struct slice reasons)
{
	struct mqtt_connection *connection = &session->connection;

	for (size_t i = 0; i < reasons.size; i++) {
		uint8_t granted = reasons.bytes[i];
		connection->granted[connection->asked[i]] = granted;
		session->counts.filters_refused += granted >= 0x80;
		session->counts.filters_lowered += granted < session->options.qos;
	}
	connection->next_told = 0;
	mqtt_session_tell(session, MQTT_TELL_FILTER);
}

static void end_without_subscription(struct mqtt_session *session, int64_t now_ms)
{
	uint8_t reason = session->connection.granted[0];
	struct slice filter = session->options.filters[0];
	const char *advice = mqtt_reason_advice(reason);

	complaint_set(&session->words, REASON_NONE, NULL,
		"refuses every subscription, of %.*s because: %s (0x%02x)%s%s", (int)filter.size,
		(const char *)filter.bytes, mqtt_reason_name(reason), reason,
		advice[0] == '\0' ? "" : ": ", advice);
	mqtt_session_end(session,
		&(struct mqtt_ending){.end = MQTT_END_NO_SUBSCRIPTION,
			.farewell = MQTT_SUCCESS,
			.is_hopeless = true},
		now_ms);
}

/* ---- what the broker's session holds from earlier configurations */

static void add_configured(const struct mqtt_session *session, struct buffer *list)
{
	for (uint32_t i = 0; i < session->options.filter_count; i++) {
		mqtt_filters_add(list, session->options.filters[i]);
	}
}

/* A filter is on disk before it is subscribed, and until it is unsubscribed. */
int mqtt_session_note_filters(struct mqtt_session *session, bool *ret_ordered)
{
	struct mqtt_broker *broker = mqtt_session_broker(session);
	struct slice kept = buffer_slice(&broker->kept);
	struct slice filter;

	buffer_clear(&broker->noted);
	while (!broker->must_forget && mqtt_filters_next(&kept, &filter)) {
		mqtt_filters_add(&broker->noted, filter);
	}
	add_configured(session, &broker->noted);
	broker->must_note = !broker->must_forget &&
			    !slice_equal(buffer_slice(&broker->kept), buffer_slice(&broker->noted));
	*ret_ordered = broker->must_forget || broker->must_note;
	if (*ret_ordered) {
		session->current = (struct mqtt_order){
			.act = broker->must_forget ? MQTT_ORDER_FORGET : MQTT_ORDER_NOTE};
	}
	return broker->noted.error;
}

static bool is_configured(const struct mqtt_session *session, struct slice filter)
{
	for (uint32_t i = 0; i < session->options.filter_count; i++) {
		if (slice_equal(session->options.filters[i], filter)) {
			return true;
		}
	}
	return false;
}

bool mqtt_session_next_dropped(
	const struct mqtt_session *session, struct slice *rest, struct slice *ret_filter)
{
	while (mqtt_filters_next(rest, ret_filter)) {
		if (!is_configured(session, *ret_filter)) {
			return true;
		}
	}
	return false;
}

static void drop_filters(struct mqtt_session *session, int64_t now_ms)
{
	struct mqtt_connection *connection = &session->connection;
	struct slice rest = buffer_slice(&mqtt_session_broker(session)->kept);
	struct slice filters[MQTT_LIST_FILTERS_MAX];
	uint32_t count = 0;

	while (count < MQTT_LIST_FILTERS_MAX &&
		mqtt_session_next_dropped(session, &rest, &filters[count])) {
		count++;
	}
	if (count == 0) {
		return;
	}
	connection->dropped_count = count;
	connection->unsubscribe_id = UINT16_MAX; /* no SUBSCRIBE has it before the 65,535th */
	connection->unsuback_owed = true;
	connection->owed_since_ms = now_ms;
	mqtt_unsubscribe_encode(
		session->version, connection->unsubscribe_id, filters, count, &session->output);
	mqtt_session_tell(session, MQTT_TELL_DROPPED);
}

static bool are_gone(struct slice reasons)
{
	for (size_t i = 0; i < reasons.size; i++) {
		if (reasons.bytes[i] >= 0x80) {
			return false; /* asked again at the next connection */
		}
	}
	return true;
}

static void note_configured(struct mqtt_session *session)
{
	struct mqtt_broker *broker = mqtt_session_broker(session);

	session->counts.filters_dropped += session->connection.dropped_count;
	buffer_clear(&broker->noted);
	add_configured(session, &broker->noted);
	broker->must_note = true;
	session->current = (struct mqtt_order){.act = MQTT_ORDER_NOTE};
}

void mqtt_session_hear_unsuback(
	struct mqtt_session *session, const struct mqtt_packet *packet, int64_t now_ms)
{
	struct mqtt_connection *connection = &session->connection;
	struct mqtt_suback unsuback;
	int r = mqtt_unsuback_decode(packet, session->version, &unsuback);

	if (r != 0) {
		mqtt_session_end_malformed(session, (enum mqtt_error)r, false, now_ms);
		return;
	}
	if (!connection->unsuback_owed || unsuback.packet_id != connection->unsubscribe_id ||
		(session->version == MQTT_VERSION_5 &&
			unsuback.reasons.size != connection->dropped_count)) {
		mqtt_session_end_protocol(session, MQTT_PROTOCOL_ERROR,
			"UNSUBACK that answers no UNSUBSCRIBE of ours", now_ms);
		return;
	}
	connection->unsuback_owed = false;
	if (are_gone(unsuback.reasons)) {
		note_configured(session);
	}
}

void mqtt_session_hear_suback(
	struct mqtt_session *session, const struct mqtt_packet *packet, int64_t now_ms)
{
	struct mqtt_connection *connection = &session->connection;
	struct mqtt_suback suback;
	int r = mqtt_suback_decode(packet, session->version, &suback);

	if (r != 0) {
		mqtt_session_end_malformed(session, (enum mqtt_error)r, false, now_ms);
		return;
	}
	if (!connection->suback_owed || suback.packet_id != connection->subscribe_id ||
		suback.reasons.size != connection->asked_count) {
		mqtt_session_end_protocol(session, MQTT_PROTOCOL_ERROR,
			"SUBACK that answers no SUBSCRIBE of ours", now_ms);
		return;
	}
	connection->suback_owed = false;
	take_granted(session, suback.reasons);
	uint32_t granted = mqtt_session_granted(session);
	if (granted == 0) {
		end_without_subscription(session, now_ms);
		return;
	}
	connection->resubscribe_ms =
		granted < session->options.filter_count ? now_ms + MQTT_RESUBSCRIBE_MS : -1;
	if (session->state == MQTT_SUBSCRIBING) {
		session->since_ms = now_ms;
		mqtt_session_broker(session)->told = 0;
		mqtt_session_tell(session, MQTT_TELL_UP);
		mqtt_session_enter(session, MQTT_UP, now_ms);
		drop_filters(session, now_ms);
	}
}
