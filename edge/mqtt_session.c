/* The life of a connection:
 *
 *	DOWN -> CONNECTING -> GREETING -> [FORGETTING ->] SUBSCRIBING -> UP -> CLOSING -> DOWN (next broker) …  or STOPPED
 *
 * A packet stays at the head of the input until what it orders is taken. What is taken is in `flight` until it is
 * durable, whatever becomes of the link; its acknowledgement goes with the link that it came by. */
#include "edge/mqtt_session_internal.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* ---- making and looking */

static void check_options(const struct mqtt_session_options *options)
{
	assert(options->broker_count > 0 && options->broker_count <= MQTT_BROKERS_MAX);
	assert(options->client_id.size > 0 && options->client_id.size <= MQTT_CLIENT_ID_SIZE_MAX);
	assert(options->filter_count > 0 && options->filter_count <= MQTT_FILTERS_MAX);
	assert(options->qos <= 2);
	assert(options->keep_alive_s >= MQTT_KEEP_ALIVE_S_MIN);
	assert(options->receive_maximum > 0);
	assert(options->receive_maximum <= MQTT_RECEIVE_MAXIMUM_MAX);
}

int mqtt_session_new(const struct mqtt_session_options *options, int64_t now_ms,
	struct mqtt_session **ret_session)
{
	struct mqtt_session *session = calloc(1, sizeof *session);

	check_options(options);
	if (session == NULL) {
		return -ENOMEM;
	}
	session->options = *options;
	session->random = options->random;
	session->retry_at_ms = now_ms;
	session->since_ms = now_ms;
	session->version = MQTT_VERSION_5;
	for (uint32_t i = 0; i < options->broker_count; i++) {
		mqtt_ids_init(&session->brokers[i].ids);
		buffer_init(&session->brokers[i].kept, MQTT_LIST_SIZE_MAX);
		buffer_init(&session->brokers[i].noted, MQTT_LIST_SIZE_MAX);
	}
	mqtt_flight_init(&session->flight);
	mqtt_input_init(&session->input, options->packet_size_max);
	buffer_init(&session->output, MQTT_OUTPUT_LIMIT);
	*ret_session = session;
	return 0;
}

struct mqtt_session *mqtt_session_free(struct mqtt_session *session)
{
	if (session == NULL) {
		return NULL;
	}
	for (uint32_t i = 0; i < session->options.broker_count; i++) {
		mqtt_ids_deinit(&session->brokers[i].ids);
		buffer_deinit(&session->brokers[i].kept);
		buffer_deinit(&session->brokers[i].noted);
	}
	mqtt_input_deinit(&session->input);
	buffer_deinit(&session->output);
	free(session);
	return NULL;
}

int mqtt_session_remember(
	struct mqtt_session *session, uint32_t broker, uint16_t packet_id, uint64_t fingerprint)
{
	assert(broker < session->options.broker_count);

	if (packet_id == 0) {
		session->brokers[broker].known = true;
		return 0;
	}
	return mqtt_ids_put(&session->brokers[broker].ids, packet_id, fingerprint);
}

int mqtt_session_remember_filters(struct mqtt_session *session, uint32_t broker, struct slice value)
{
	struct buffer *kept = &session->brokers[broker].kept;

	buffer_clear(kept);
	buffer_append(kept, value.bytes, value.size);
	return kept->error;
}

uint16_t mqtt_session_next_id(const struct mqtt_session *session, uint32_t broker, uint16_t after)
{
	return mqtt_ids_next(&session->brokers[broker].ids, after);
}

static bool is_fully_granted(const struct mqtt_session *session)
{
	for (uint32_t i = 0; i < session->options.filter_count; i++) {
		if (session->connection.granted[i] != session->options.qos) {
			return false;
		}
	}
	return true;
}

void mqtt_session_look(const struct mqtt_session *session, struct mqtt_session_view *ret_view)
{
	*ret_view = (struct mqtt_session_view){
		.state = session->state,
		.broker = session->broker,
		.version = session->version,
		.subscribed = session->state == MQTT_UP && is_fully_granted(session),
		.since_ms = session->since_ms,
		.end = session->end,
		.words = session->words.message,
		.pending = session->flight.undone,
		.pending_size = session->flight.undone_size,
		.reading = session->connection.reading,
		.ids = session->brokers[session->broker].ids.count,
		.counts = &session->counts,
	};
}

void mqtt_session_enter(struct mqtt_session *session, enum mqtt_session_state state, int64_t now_ms)
{
	session->state = state;
	session->began_ms = now_ms;
}

/* ---- the link */

static enum mqtt_version choose_version(const struct mqtt_session *session)
{
	const struct mqtt_broker *broker = &session->brokers[session->broker];

	if (session->options.protocol == MQTT_PROTOCOL_5) {
		return MQTT_VERSION_5;
	}
	if (session->options.protocol == MQTT_PROTOCOL_3_1_1 || broker->speaks_old ||
		broker->silent >= MQTT_SILENT_MAX) {
		return MQTT_VERSION_3_1_1;
	}
	return MQTT_VERSION_5;
}

static void say_connect(struct mqtt_session *session)
{
	const struct mqtt_connect connect = {
		.version = session->version,
		.client_id = session->options.client_id,
		.user = session->options.user,
		.password = session->options.password,
		.keep_alive_s = session->options.keep_alive_s,
		.session_expiry_s = session->options.session_expiry_s,
		.receive_maximum = session->options.receive_maximum,
		/* No largest packet: a broker would drop what is larger without a word. */
	};

	mqtt_connect_encode(&connect, &session->output);
}

void mqtt_session_connected(struct mqtt_session *session, int64_t now_ms)
{
	if (session->state != MQTT_CONNECTING) {
		return;
	}
	session->version = choose_version(session);
	session->connection = (struct mqtt_connection){
		.packet_size_max = UINT32_MAX,
		.keep_alive_ms = session->options.keep_alive_s * INT64_C(1000),
		.owed_since_ms = now_ms,
		.connack_owed = true,
		.sent_ms = now_ms,
		.heard_ms = now_ms,
		.read_ms = now_ms,
		.resubscribe_ms = -1,
	};
	mqtt_input_clear(&session->input, session->version);
	buffer_clear(&session->output);
	session->output_sent = 0;
	say_connect(session);
	mqtt_session_enter(session, MQTT_GREETING, now_ms);
}

/* A broker that speaks MQTT 5 should say so when another client takes over; mosquitto 2.0 just hangs up. */
static const char *guess_why_lost(const struct mqtt_session *session, int64_t now_ms)
{
	if (session->state == MQTT_GREETING) {
		return ", before it answered CONNECT";
	}
	bool is_short = now_ms - session->began_ms < MQTT_STEADY_MS;
	return session->state == MQTT_UP && is_short && session->failures > 0
		       ? ", soon after it was made; is another client using our client_id?"
		       : "";
}

void mqtt_session_lost(struct mqtt_session *session, const char *words, int64_t now_ms)
{
	struct mqtt_ending ending = {.end = MQTT_END_DISCONNECTED, .farewell = MQTT_NO_FAREWELL};

	if (session->state == MQTT_CLOSING) {
		session->close_at_ms = now_ms;
	} else if (session->state == MQTT_CONNECTING) {
		ending.end = MQTT_END_UNREACHABLE;
		complaint_set(&session->words, REASON_NONE, NULL, "can't be reached: %s",
			words == NULL ? "the connection failed" : words);
		mqtt_session_end(session, &ending, now_ms);
	} else if (mqtt_session_has_link(session)) {
		complaint_set(&session->words, REASON_NONE, NULL, "the connection broke: %s%s",
			words == NULL ? "closed by the broker" : words,
			guess_why_lost(session, now_ms));
		mqtt_session_end(session, &ending, now_ms);
	}
}

int mqtt_session_room(struct mqtt_session *session, struct mqtt_room *ret_room)
{
	if (!mqtt_session_has_link(session) || !session->connection.reading) {
		*ret_room = (struct mqtt_room){NULL, 0};
		return 0;
	}
	return mqtt_input_room(&session->input, ret_room);
}

void mqtt_session_heard(struct mqtt_session *session, size_t size, int64_t now_ms)
{
	assert(session->connection.reading);
	mqtt_input_add(&session->input, size);
	session->connection.heard_ms = now_ms;
}

void mqtt_session_sent(struct mqtt_session *session, size_t size, int64_t now_ms)
{
	struct mqtt_connection *connection = &session->connection;

	assert(size <= session->output.size - session->output_sent);
	session->output_sent += size;
	if (size > 0) {
		connection->sent_ms = now_ms;
	}
	if (session->output_sent == session->output.size) {
		buffer_clear(&session->output);
		session->output_sent = 0;
		return;
	}
	if (!connection->blocked || size > 0) {
		connection->blocked_since_ms = now_ms;
	}
	connection->blocked = true;
}

void mqtt_session_writable(struct mqtt_session *session)
{
	session->connection.blocked = false;
}

void mqtt_session_stop(struct mqtt_session *session, int64_t now_ms)
{
	session->stopping = true;
	session->current.act = MQTT_ORDER_WAIT; /* what was held is the broker's still */
	if (session->state == MQTT_DOWN) {
		mqtt_session_enter(session, MQTT_STOPPED, now_ms);
	}
}

/* ---- acknowledgements */

static void put_ack(struct mqtt_session *session, const struct mqtt_flight_entry *entry)
{
	struct mqtt_session_counts *counts = &session->counts;

	mqtt_ack_encode(session->version, (enum mqtt_type)entry->ack, entry->packet_id,
		entry->reason, &session->output);
	counts->pubacks += entry->ack == MQTT_PUBACK;
	counts->pubrecs += entry->ack == MQTT_PUBREC;
	counts->pubcomps += entry->ack == MQTT_PUBCOMP;
}

static void put_acks(struct mqtt_session *session)
{
	const struct mqtt_flight_entry *head;

	while (session->output.size < MQTT_OUTPUT_SIZE_MAX &&
		(head = mqtt_flight_head(&session->flight)) != NULL) {
		if (head->ack != 0) {
			put_ack(session, head);
		}
		mqtt_flight_pop(&session->flight);
	}
}

/* ---- steps */

static enum mqtt_progress step_down(
	struct mqtt_session *session, int64_t now_ms, struct mqtt_order *order)
{
	if (now_ms < session->retry_at_ms) {
		order->wait_ms = session->retry_at_ms - now_ms;
		return MQTT_IDLE;
	}
	mqtt_session_enter(session, MQTT_CONNECTING, now_ms);
	order->act = MQTT_ORDER_OPEN;
	order->broker = session->broker;
	return MQTT_ORDERED;
}

static bool order_send(struct mqtt_session *session, struct mqtt_order *order)
{
	if (session->output_sent == session->output.size || session->connection.blocked) {
		return false;
	}
	order->act = MQTT_ORDER_SEND;
	order->bytes = slice_of(session->output.bytes + session->output_sent,
		session->output.size - session->output_sent);
	return true;
}

static enum mqtt_progress step_closing(
	struct mqtt_session *session, int64_t now_ms, struct mqtt_order *order)
{
	bool is_over = now_ms >= session->close_at_ms || session->output.size == 0;

	if (!is_over) {
		order->wait_ms = session->close_at_ms - now_ms;
		return order_send(session, order) ? MQTT_ORDERED : MQTT_IDLE;
	}
	buffer_clear(&session->output);
	session->output_sent = 0;
	mqtt_session_enter(session, session->stopping ? MQTT_STOPPED : MQTT_DOWN, now_ms);
	order->act = MQTT_ORDER_CLOSE;
	return MQTT_ORDERED;
}

static enum mqtt_progress step_current(
	struct mqtt_session *session, int64_t now_ms, struct mqtt_order *order)
{
	/* FORGET comes unasked, whatever is pending still from the connections before. */
	if (now_ms < session->hold_until_ms || mqtt_flight_is_full(&session->flight)) {
		return MQTT_IDLE;
	}
	session->current.number = session->flight.next;
	session->current.broker = session->broker;
	if (session->current.act == MQTT_ORDER_FORGET || session->current.act == MQTT_ORDER_NOTE) {
		session->current.bytes = buffer_slice(&mqtt_session_broker(session)->noted);
	}
	*order = session->current;
	return MQTT_ORDERED;
}

/* Is there something to be read from the input now, and may it be? */
static enum mqtt_progress step_input(
	struct mqtt_session *session, int64_t now_ms, struct mqtt_order *order)
{
	session->connection.reading = false;
	if (session->current.act != MQTT_ORDER_WAIT) {
		return step_current(session, now_ms, order);
	}
	if (session->stopping || session->state == MQTT_FORGETTING ||
		session->output.size >= MQTT_OUTPUT_SIZE_MAX) {
		return MQTT_IDLE;
	}
	enum mqtt_progress progress = mqtt_session_hear(session, now_ms);
	return progress == MQTT_ORDERED ? step_current(session, now_ms, order) : progress;
}

static void end_stopped(struct mqtt_session *session, int64_t now_ms)
{
	static const struct mqtt_ending ending = {
		.end = MQTT_END_STOPPED, .farewell = MQTT_SUCCESS, .stay = true};

	complaint_set(&session->words, REASON_NONE, NULL, "stopped");
	mqtt_session_end(session, &ending, now_ms);
}

static enum mqtt_progress step_link(
	struct mqtt_session *session, int64_t now_ms, struct mqtt_order *order)
{
	const struct mqtt_broker *broker = mqtt_session_broker(session);

	if (session->stopping && session->current.act == MQTT_ORDER_WAIT &&
		mqtt_flight_is_empty(&session->flight)) {
		end_stopped(session, now_ms);
		return MQTT_AGAIN;
	}
	if (session->state == MQTT_FORGETTING && !broker->must_forget && !broker->must_note) {
		mqtt_session_subscribe(session, false, now_ms);
		return MQTT_AGAIN;
	}
	if (session->state == MQTT_UP && session->connection.resubscribe_ms >= 0 &&
		now_ms >= session->connection.resubscribe_ms) {
		mqtt_session_subscribe(session, true, now_ms);
	}
	enum mqtt_progress progress = step_input(session, now_ms, order);
	if (progress != MQTT_IDLE) {
		return progress;
	}
	mqtt_session_ping_if_due(session, now_ms);
	order->wait_ms = mqtt_session_wait_ms(session, now_ms);
	return order_send(session, order) ? MQTT_ORDERED : MQTT_IDLE;
}

static enum mqtt_progress step_once(
	struct mqtt_session *session, int64_t now_ms, struct mqtt_order *order)
{
	mqtt_session_check_deadlines(session, now_ms);
	put_acks(session);
	if (mqtt_session_next_tell(session, order)) {
		return MQTT_ORDERED;
	}
	switch (session->state) {
	case MQTT_DOWN:
		return step_down(session, now_ms, order);
	case MQTT_CLOSING:
		return step_closing(session, now_ms, order);
	case MQTT_CONNECTING:
		if (session->stopping) {
			end_stopped(session, now_ms);
			return MQTT_AGAIN;
		}
		order->wait_ms = mqtt_session_wait_ms(session, now_ms);
		return MQTT_IDLE;
	case MQTT_STOPPED:
		return MQTT_IDLE;
	default:
		return step_link(session, now_ms, order);
	}
}

int mqtt_session_step(struct mqtt_session *session, int64_t now_ms, struct mqtt_order *ret_order)
{
	struct mqtt_order order;
	enum mqtt_progress progress;

	do {
		order = (struct mqtt_order){.act = MQTT_ORDER_WAIT, .wait_ms = MQTT_FOREVER_MS};
		progress = step_once(session, now_ms, &order);
	} while (progress == MQTT_AGAIN);
	if (session->output.error != 0) {
		return session->output.error;
	}
	*ret_order = order;
	return 0;
}

const char *mqtt_end_name(enum mqtt_end end)
{
	static const char *const names[] = {
		[MQTT_END_NONE] = "none",
		[MQTT_END_UNREACHABLE] = "unreachable",
		[MQTT_END_REFUSED] = "refused",
		[MQTT_END_NO_SUBSCRIPTION] = "no subscription",
		[MQTT_END_DISCONNECTED] = "disconnected",
		[MQTT_END_DISCONNECT] = "ended by the broker",
		[MQTT_END_SILENCE] = "silence",
		[MQTT_END_MALFORMED] = "malformed packet",
		[MQTT_END_PROTOCOL] = "protocol error",
		[MQTT_END_NOT_KEPT] = "not kept",
		[MQTT_END_STOPPED] = "stopped",
	};

	return names[end];
}
