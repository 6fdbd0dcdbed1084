#include "edge/mqtt_event.h"
#include "proto/framing.h"
#include "proto/utf8.h"

_Static_assert(
	(int)MQTT_MARK_KEY_SIZE <= (int)SOURCE_MARK_KEY_SIZE_MAX, "a mark's key fits at the desk");

/* ---- marks */

size_t mqtt_mark_key(
	const struct mqtt_owner *owner, uint16_t packet_id, uint8_t ret_key[MQTT_MARK_KEY_SIZE])
{
	size_t address_size = strlen(owner->address) + 1;
	size_t client_size = strlen(owner->client_id) + 1;
	uint8_t *at = ret_key;

	memcpy(at, owner->address, address_size);
	at += address_size;
	memcpy(at, owner->client_id, client_size);
	at += client_size;
	*at++ = (uint8_t)(packet_id >> 8);
	*at++ = (uint8_t)packet_id;
	return (size_t)(at - ret_key);
}

bool mqtt_mark_read(const struct mqtt_owner *owner, struct slice key, struct slice value,
	uint16_t *ret_packet_id, uint64_t *ret_fingerprint)
{
	uint8_t expected[MQTT_MARK_KEY_SIZE];
	size_t size = mqtt_mark_key(owner, 0, expected);

	if (key.size != size || memcmp(key.bytes, expected, size - 2) != 0) {
		return false;
	}
	*ret_packet_id = (uint16_t)(key.bytes[size - 2] << 8 | key.bytes[size - 1]);
	*ret_fingerprint = 0;
	for (size_t i = 0; value.size == MQTT_MARK_VALUE_SIZE && i < value.size; i++) {
		*ret_fingerprint = *ret_fingerprint << 8 | value.bytes[i];
	}
	return true;
}

static void put_mark(
	const struct mqtt_owner *owner, const struct mqtt_order *order, struct mqtt_event *event)
{
	size_t size = mqtt_mark_key(owner, order->packet_id, event->mark_key);

	for (unsigned i = 0; i < 8; i++) {
		event->mark_value[i] = (uint8_t)(order->fingerprint >> (56 - 8 * i));
	}
	event->mark = (struct source_mark){
		slice_of(event->mark_key, size), slice_of(event->mark_value, MQTT_MARK_VALUE_SIZE)};
	event->submission.marks = &event->mark;
	event->submission.mark_count = 1;
}

/* ---- what stands around the events */

static void add(struct mqtt_event *event, struct slice name, struct slice value)
{
	event->additions[event->submission.addition_count++] = (struct event_addition){name, value};
}

static bool has(const struct mqtt_event *event, struct slice name)
{
	for (size_t i = 0; i < event->submission.addition_count; i++) {
		if (slice_equal(event->additions[i].name, name)) {
			return true;
		}
	}
	return false;
}

/* The first pattern that fits gives the fields. */
static bool add_from_topic(
	const struct mqtt_settings *settings, struct slice topic, struct mqtt_event *event)
{
	struct mqtt_capture captures[MQTT_NAMES_MAX];

	for (uint32_t i = 0; i < settings->pattern_count; i++) {
		const struct mqtt_pattern *pattern = &settings->patterns[i];
		if (mqtt_pattern_match(pattern, topic, captures)) {
			for (uint32_t j = 0; j < pattern->name_count; j++) {
				add(event, captures[j].name, captures[j].value);
			}
			return true;
		}
	}
	return false;
}

/* What topic or settings say of the event_id goes before. */
static void add_event_id(const struct mqtt_settings *settings, const struct mqtt_publish *publish,
	struct mqtt_event *event)
{
	struct slice event_id = slice_of_text(field_name(FIELD_EVENT_ID));
	struct slice rest = publish->properties;
	struct slice name, value;

	if (settings->event_id_property.size == 0 || has(event, event_id)) {
		return;
	}
	while (mqtt_next_user_property(&rest, &name, &value)) {
		if (slice_equal(name, settings->event_id_property)) {
			add(event, event_id, value);
			return;
		}
	}
}

/* ---- what is no event */

static void make_letter(struct mqtt_event *event, struct slice payload)
{
	event->item = (struct submission_item){.raw = payload, .complaint = &event->complaint};
	event->submission.events = (struct slice){NULL, 0};
	event->submission.items = &event->item;
	event->submission.item_count = 1;
	event->submission.additions = NULL;
	event->submission.addition_count = 0;
}

/* One event_id can't be that of several events: all but the first would count as repeated. */
static bool shares_event_id(const struct mqtt_event *event, struct slice payload)
{
	struct framing framing;
	struct complaint ignored;

	return has(event, slice_of_text(field_name(FIELD_EVENT_ID))) &&
	       framing_open(&framing, payload, &ignored) == 0 && framing.count > 1;
}

static bool has_format(enum mqtt_format format, struct slice payload)
{
	if (format == MQTT_FORMAT_AUTO || payload.size == 0) {
		return true; /* an empty one is complained of as such */
	}
	bool is_json = encoding_of(payload) == ENCODING_JSON;
	return is_json == (format == MQTT_FORMAT_JSON);
}

/* false with the complaint set: the message is no event, whatever its payload says. */
static bool is_event(const struct mqtt_settings *settings, const struct mqtt_order *order,
	struct mqtt_event *event)
{
	const struct mqtt_publish *publish = &order->publish;
	struct complaint *complaint = &event->complaint;

	if (order->problem == MQTT_PROBLEM_TOO_LARGE) {
		complaint_set(complaint, REASON_TOO_LARGE, "",
			"the message has %zu bytes; at most %d are taken", publish->payload_size,
			FRAME_SIZE_MAX);
		return false;
	}
	if (order->problem == MQTT_PROBLEM_MALFORMED) {
		complaint_set(complaint, REASON_BAD_FRAME, "", "the PUBLISH is malformed: %s",
			mqtt_error_text(order->error));
		return false;
	}
	event->unmatched = !add_from_topic(settings, publish->topic, event);
	if (event->unmatched) {
		complaint_set(complaint, REASON_BAD_FRAME, "",
			"the topic fits none of the patterns that are configured");
		return false;
	}
	add_event_id(settings, publish, event);
	if (!has_format(settings->format, publish->payload)) {
		complaint_set(complaint, REASON_BAD_FRAME, "", "the message is not %s",
			settings->format == MQTT_FORMAT_JSON ? "JSON" : "msgpack");
		return false;
	}
	if (shares_event_id(event, publish->payload)) {
		complaint_set(complaint, REASON_BAD_VALUE, field_name(FIELD_EVENT_ID),
			"the event_id of the topic or user property can't be that of several "
			"events");
		return false;
	}
	return true;
}

void mqtt_event_make(const struct mqtt_settings *settings, const struct mqtt_owner *owner,
	const struct mqtt_order *order, struct mqtt_event *ret_event)
{
	const struct mqtt_publish *publish = &order->publish;

	ret_event->unmatched = false;
	ret_event->submission = (struct submission){
		.events = publish->payload,
		.additions = ret_event->additions,
		/* One that came malformed may be anything, and a letter holds text. */
		.detail = utf8_is_valid(publish->topic) ? publish->topic : (struct slice){NULL, 0},
		.unattended = true,
		.ticket = order->number,
	};
	for (size_t i = 0; i < settings->additions.count; i++) {
		add(ret_event, settings->additions.of[i].name, settings->additions.of[i].value);
	}
	if (!is_event(settings, order, ret_event)) {
		make_letter(ret_event, publish->payload);
	}
	if (publish->qos == 2) {
		put_mark(owner, order, ret_event);
	}
}
