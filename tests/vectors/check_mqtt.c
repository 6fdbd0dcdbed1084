/* MQTT: what a broker sends, what the client says */
#include "vectors.h"

#include "proto/mqtt_input.h"
#include "proto/mqtt_topic.h"

static const char *const type_names[MQTT_TYPE_COUNT] = {
	[MQTT_CONNECT] = "connect",
	[MQTT_CONNACK] = "connack",
	[MQTT_PUBLISH] = "publish",
	[MQTT_PUBACK] = "puback",
	[MQTT_PUBREC] = "pubrec",
	[MQTT_PUBREL] = "pubrel",
	[MQTT_PUBCOMP] = "pubcomp",
	[MQTT_SUBSCRIBE] = "subscribe",
	[MQTT_SUBACK] = "suback",
	[MQTT_UNSUBACK] = "unsuback",
	[MQTT_PINGREQ] = "pingreq",
	[MQTT_PINGRESP] = "pingresp",
	[MQTT_DISCONNECT] = "disconnect",
};

static const char *const error_names[MQTT_ERROR_COUNT] = {
	[MQTT_E_MORE] = "more",
	[MQTT_E_TYPE] = "type",
	[MQTT_E_FLAGS] = "flags",
	[MQTT_E_LENGTH] = "length",
	[MQTT_E_SHORT] = "short",
	[MQTT_E_LONG] = "long",
	[MQTT_E_SIZE] = "size",
	[MQTT_E_QOS] = "qos",
	[MQTT_E_PACKET_ID] = "packet_id",
	[MQTT_E_TEXT] = "text",
	[MQTT_E_TOPIC] = "topic",
	[MQTT_E_REASON] = "reason",
	[MQTT_E_PROPERTY] = "property",
	[MQTT_E_PROPERTY_TWICE] = "property_twice",
	[MQTT_E_PROPERTY_VALUE] = "property_value",
	[MQTT_E_PROPERTY_LENGTH] = "property_length",
	[MQTT_E_TOPIC_ALIAS] = "topic_alias",
};

/* One packet, whatever it is. */
struct meaning {
	struct mqtt_connack connack;
	struct mqtt_publish publish;
	struct mqtt_suback suback;
	struct mqtt_ack ack;
	struct mqtt_disconnect disconnect;
};

static enum mqtt_version version_of(const struct node *vector)
{
	return slice_equals_text(vector_text(vector, "version"), "5") ? MQTT_VERSION_5
								      : MQTT_VERSION_3_1_1;
}

static int decode(
	const struct mqtt_packet *packet, enum mqtt_version version, struct meaning *meaning)
{
	switch (packet->type) {
	case MQTT_CONNACK:
		return mqtt_connack_decode(packet, version, &meaning->connack);
	case MQTT_PUBLISH:
		return mqtt_publish_decode(packet, version, &meaning->publish);
	case MQTT_SUBACK:
		return mqtt_suback_decode(packet, version, &meaning->suback);
	case MQTT_UNSUBACK:
		return mqtt_unsuback_decode(packet, version, &meaning->suback);
	case MQTT_PUBACK:
	case MQTT_PUBREC:
	case MQTT_PUBREL:
	case MQTT_PUBCOMP:
		return mqtt_ack_decode(packet, version, &meaning->ack);
	case MQTT_DISCONNECT:
		return mqtt_disconnect_decode(packet, version, &meaning->disconnect);
	case MQTT_PINGRESP:
		return mqtt_pingresp_decode(packet);
	default:
		return 0;
	}
}

/* ---- what a decoded packet says, against the vector's fields; an absent one is the standard's default */

static int64_t wanted_number(const struct node *wanted, const char *key, int64_t if_absent)
{
	const struct node *node = node_find(wanted, key);
	int64_t number = if_absent;

	if (node != NULL && node->type == NODE_BOOL) {
		return node->boolean;
	}
	if (node != NULL) {
		node_integer(node, &number);
	}
	return number;
}

static void check_number(struct check *check, const struct node *wanted, const char *key,
	int64_t got, int64_t if_absent)
{
	check_equal_number(check, key, wanted_number(wanted, key, if_absent), got);
}

static void check_text(
	struct check *check, const struct node *wanted, const char *key, struct slice got)
{
	check_equal_text(check, key, vector_text(wanted, key), got);
}

static void check_hex(
	struct check *check, const struct node *wanted, const char *key, struct slice got)
{
	buffer_clear(&check->output);
	for (size_t i = 0; i < got.size; i++) {
		static const char digits[] = "0123456789abcdef";
		buffer_append_byte(&check->output, (uint8_t)digits[got.bytes[i] >> 4]);
		buffer_append_byte(&check->output, (uint8_t)digits[got.bytes[i] & 15]);
	}
	check_equal_text(check, key, vector_text(wanted, key), buffer_slice(&check->output));
}

static void check_connack(
	struct check *check, const struct node *wanted, const struct mqtt_connack *connack)
{
	check_number(check, wanted, "session_present", connack->session_present, 0);
	check_number(check, wanted, "reason", connack->reason, 0);
	check_number(check, wanted, "session_expiry_s", connack->session_expiry_s, 0);
	check_equal_number(check, "has session_expiry_s",
		node_find(wanted, "session_expiry_s") != NULL, connack->has_session_expiry);
	check_number(check, wanted, "keep_alive_s", connack->keep_alive_s, 0);
	check_equal_number(check, "has keep_alive_s", node_find(wanted, "keep_alive_s") != NULL,
		connack->has_keep_alive);
	check_number(check, wanted, "receive_maximum", connack->receive_maximum, 65535);
	check_number(check, wanted, "packet_size_max", connack->packet_size_max, UINT32_MAX);
	check_number(check, wanted, "topic_alias_maximum", connack->topic_alias_maximum, 0);
	check_number(check, wanted, "qos_max", connack->qos_max, 2);
	check_number(check, wanted, "retain", connack->has_retain, 1);
	check_number(check, wanted, "wildcards", connack->has_wildcards, 1);
	check_number(check, wanted, "subscription_ids", connack->has_subscription_ids, 1);
	check_number(check, wanted, "shared", connack->has_shared, 1);
	check_text(check, wanted, "client_id", connack->client_id);
	check_text(check, wanted, "reason_text", connack->reason_text);
	check_text(check, wanted, "server_reference", connack->server_reference);
}

static void check_user_properties(
	struct check *check, const struct node *wanted, struct slice properties)
{
	const struct node *list = node_find(wanted, "user_properties");
	const struct node *pair = list == NULL ? NULL : node_first(list);
	uint32_t count = 0;
	struct slice name, value;

	while (mqtt_next_user_property(&properties, &name, &value)) {
		if (list == NULL || count == list->count) {
			check_fail(check, "more user properties than wanted");
			return;
		}
		check_equal_text(check, "name", node_first(pair)->text, name);
		check_equal_text(check, "value", node_next(node_first(pair))->text, value);
		pair = node_next(pair);
		count++;
	}
	check_equal_number(check, "user properties", list == NULL ? 0 : list->count, count);
}

static void check_publish(
	struct check *check, const struct node *wanted, const struct mqtt_publish *publish)
{
	check_number(check, wanted, "qos", publish->qos, 0);
	check_number(check, wanted, "dup", publish->dup, 0);
	check_number(check, wanted, "retain", publish->retain, 0);
	check_equal_number(check, "packet_id",
		publish->qos == 0 ? 0 : wanted_number(wanted, "packet_id", 0), publish->packet_id);
	check_text(check, wanted, "topic", publish->topic);
	check_hex(check, wanted, "payload", publish->payload);
	check_equal_number(check, "payload_size", (int64_t)publish->payload.size,
		(int64_t)publish->payload_size);
	check_number(check, wanted, "is_text", publish->is_text, 0);
	check_number(check, wanted, "expiry_s", publish->expiry_s, 0);
	check_text(check, wanted, "content_type", publish->content_type);
	check_text(check, wanted, "response_topic", publish->response_topic);
	check_hex(check, wanted, "correlation_data", publish->correlation_data);
	check_number(check, wanted, "subscription_id", publish->subscription_id, 0);
	check_user_properties(check, wanted, publish->properties);
}

static void check_suback(
	struct check *check, const struct node *wanted, const struct mqtt_suback *suback)
{
	const struct node *list = node_find(wanted, "reasons");
	const struct node *reason = list == NULL ? NULL : node_first(list);
	uint32_t count = list == NULL ? 0 : list->count;

	check_number(check, wanted, "packet_id", suback->packet_id, 0);
	check_text(check, wanted, "reason_text", suback->reason_text);
	check_equal_number(check, "reasons", count, (int64_t)suback->reasons.size);
	for (size_t i = 0; i < suback->reasons.size && i < count; i++) {
		int64_t code = -1;
		node_integer(reason, &code);
		check_equal_number(check, "reason", code, suback->reasons.bytes[i]);
		reason = node_next(reason);
	}
}

static void check_meaning(struct check *check, const struct node *wanted,
	const struct mqtt_packet *packet, const struct meaning *meaning)
{
	check_text(check, wanted, "type", slice_of_text(type_names[packet->type]));
	switch (packet->type) {
	case MQTT_CONNACK:
		check_connack(check, wanted, &meaning->connack);
		break;
	case MQTT_PUBLISH:
		check_publish(check, wanted, &meaning->publish);
		break;
	case MQTT_SUBACK:
	case MQTT_UNSUBACK:
		check_suback(check, wanted, &meaning->suback);
		break;
	case MQTT_DISCONNECT:
		check_number(check, wanted, "reason", meaning->disconnect.reason, 0);
		check_text(check, wanted, "reason_text", meaning->disconnect.reason_text);
		check_text(check, wanted, "server_reference", meaning->disconnect.server_reference);
		break;
	case MQTT_PINGRESP:
		break;
	default:
		check_number(check, wanted, "packet_id", meaning->ack.packet_id, 0);
		check_number(check, wanted, "reason", meaning->ack.reason, 0);
		check_text(check, wanted, "reason_text", meaning->ack.reason_text);
		break;
	}
}

/* ---- a stream, in pieces of `step` bytes */

static void feed(struct mqtt_input *input, struct slice *bytes, size_t step)
{
	size_t size = bytes->size < step ? bytes->size : step;
	struct mqtt_room room;

	if (size > 0 && mqtt_input_room(input, &room) == 0) {
		memcpy(room.bytes, bytes->bytes, size);
		mqtt_input_add(input, size);
		*bytes = slice_of(bytes->bytes + size, bytes->size - size);
	}
}

/* The first packet's result: 0, an error, or MQTT_E_MORE when there is none; how many packets follow each other. */
static int run(struct check *check, const struct node *vector, size_t step, uint32_t *ret_count)
{
	const struct node *wanted = node_find(vector, "packet");
	struct slice bytes = buffer_slice(&check->bytes);
	struct mqtt_input input;
	struct mqtt_packet packet;
	struct meaning meaning;
	int first = 0, r;

	*ret_count = 0;
	mqtt_input_init(&input, MQTT_PACKET_SIZE_MAX);
	mqtt_input_clear(&input, version_of(vector));
	do {
		feed(&input, &bytes, step);
		r = mqtt_input_peek(&input, &packet);
		if (r == 0) {
			r = decode(&packet, version_of(vector), &meaning);
		}
		if (r == 0 && wanted != NULL) {
			check_meaning(check, wanted, &packet, &meaning);
		}
		if (r == 0) {
			mqtt_input_drop(&input);
			(*ret_count)++;
		}
		first = *ret_count == 0 ? r : first;
	} while (r == 0 || (r == MQTT_E_MORE && bytes.size > 0));
	mqtt_input_deinit(&input);
	return first;
}

static void check_heard(struct check *check, const struct node *vector)
{
	static const size_t steps[] = {1, 3, 1 << 20};
	struct slice error = vector_text(vector, "error");

	for (int i = 0; i < 3; i++) {
		uint32_t count;
		/* A stream that ends in the middle of a packet gives the packets before it. */
		int r = run(check, vector, steps[i], &count);
		if (error.size > 0) {
			check_equal_text(check, "error", error,
				slice_of_text(r == 0 ? "none" : error_names[r]));
		} else {
			check_number(check, vector, "count", count, 1);
		}
	}
}

/* ---- what the client says */

static void say_connect(struct buffer *to, const struct node *said, enum mqtt_version version)
{
	const struct mqtt_connect connect = {
		.version = version,
		.client_id = vector_text(said, "client_id"),
		.user = vector_text(said, "user"),
		.password = vector_text(said, "password"),
		.keep_alive_s = (uint16_t)wanted_number(said, "keep_alive_s", 0),
		.clean = wanted_number(said, "clean", 0) != 0,
		.session_expiry_s = (uint32_t)wanted_number(said, "session_expiry_s", 0),
		.receive_maximum = (uint16_t)wanted_number(said, "receive_maximum", 0),
		.packet_size_max = (uint32_t)wanted_number(said, "packet_size_max", 0),
	};

	mqtt_connect_encode(&connect, to);
}

static void say_subscribe(struct buffer *to, const struct node *said, enum mqtt_version version)
{
	struct mqtt_filter filters[MQTT_FILTERS_MAX];
	const struct node *list = node_find(said, "filters");
	const struct node *node = node_first(list);

	for (uint32_t i = 0; i < list->count; i++) {
		int64_t qos = 0, handling = 0;
		const struct node *text = node_first(node);
		node_integer(node_next(text), &qos);
		node_integer(node_next(node_next(text)), &handling);
		filters[i] = (struct mqtt_filter){
			text->text, (uint8_t)qos, (enum mqtt_retain_handling)handling};
		node = node_next(node);
	}
	mqtt_subscribe_encode(
		version, (uint16_t)wanted_number(said, "packet_id", 0), filters, list->count, to);
}

static void say_unsubscribe(struct buffer *to, const struct node *said, enum mqtt_version version)
{
	struct slice filters[MQTT_FILTERS_MAX];
	const struct node *list = node_find(said, "filters");
	const struct node *node = node_first(list);

	for (uint32_t i = 0; i < list->count; i++) {
		filters[i] = node->text;
		node = node_next(node);
	}
	mqtt_unsubscribe_encode(
		version, (uint16_t)wanted_number(said, "packet_id", 0), filters, list->count, to);
}

static void say(struct buffer *to, const struct node *said, enum mqtt_version version)
{
	struct slice type = vector_text(said, "type");
	uint8_t reason = (uint8_t)wanted_number(said, "reason", 0);

	if (slice_equals_text(type, "connect")) {
		say_connect(to, said, version);
	} else if (slice_equals_text(type, "subscribe")) {
		say_subscribe(to, said, version);
	} else if (slice_equals_text(type, "unsubscribe")) {
		say_unsubscribe(to, said, version);
	} else if (slice_equals_text(type, "pingreq")) {
		mqtt_pingreq_encode(to);
	} else if (slice_equals_text(type, "disconnect")) {
		mqtt_disconnect_encode(version, reason, to);
	} else {
		enum mqtt_type ack = slice_equals_text(type, "puback")   ? MQTT_PUBACK
				     : slice_equals_text(type, "pubrec") ? MQTT_PUBREC
									 : MQTT_PUBCOMP;
		mqtt_ack_encode(
			version, ack, (uint16_t)wanted_number(said, "packet_id", 0), reason, to);
	}
}

void check_mqtt(struct check *check, const struct node *vector)
{
	const struct node *said = node_find(vector, "says");

	vector_hex(check, vector, "hex");
	if (said == NULL) {
		check_heard(check, vector);
		return;
	}
	buffer_clear(&check->output);
	say(&check->output, said, version_of(vector));
	if (!slice_equal(buffer_slice(&check->output), buffer_slice(&check->bytes))) {
		check_fail(check, "encoded otherwise");
	}
}

/* ---- topics */

static void check_captures(struct check *check, const struct node *wanted,
	const struct mqtt_pattern *pattern, const struct mqtt_capture *captures)
{
	const struct node *name = node_first(wanted);

	check_equal_number(check, "captures", wanted->count, pattern->name_count);
	for (uint32_t i = 0; i < pattern->name_count && i < wanted->count; i++) {
		check_equal_text(check, "name", name->text, captures[i].name);
		check_equal_text(check, "value", node_next(name)->text, captures[i].value);
		name = node_next(node_next(name));
	}
}

void check_mqtt_topic(struct check *check, const struct node *vector)
{
	const struct node *wanted = node_find(vector, "captures");
	struct mqtt_pattern pattern;
	struct mqtt_capture captures[MQTT_NAMES_MAX];
	char error[MQTT_TOPIC_ERROR_SIZE], filter[MQTT_FILTER_SIZE_MAX + 1];
	int r = mqtt_pattern_parse(vector_text(vector, "pattern"), &pattern, error);

	if (vector_has(vector, "error") != (r != 0)) {
		check_fail(check, "%s", r == 0 ? "was accepted" : error);
	} else if (vector_has(vector, "filter")) {
		mqtt_pattern_filter(&pattern, filter);
		check_text(check, vector, "filter", slice_of_text(filter));
	} else if (r == 0) {
		bool matches = mqtt_pattern_match(&pattern, vector_text(vector, "topic"), captures);
		if (matches != (wanted->type == NODE_MAP)) {
			check_fail(check, matches ? "matches" : "does not match");
		} else if (matches) {
			check_captures(check, wanted, &pattern, captures);
		}
	}
}
