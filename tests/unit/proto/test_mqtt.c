/* MQTT: cutting the stream, and what the vectors (tests/vectors/mqtt.ndjson) don't hold: the large and the broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/dead_letter.h"
#include "proto/limits.h"
#include "proto/mqtt_input.h"

static struct mqtt_input input;
static struct mqtt_packet packet;

static int set_up(void **state)
{
	(void)state;
	mqtt_input_init(&input, MQTT_PACKET_SIZE_LEAST);
	mqtt_input_clear(&input, MQTT_VERSION_5);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mqtt_input_deinit(&input);
	return 0;
}

static void add(const void *bytes, size_t size)
{
	struct mqtt_room room;

	assert_int_equal(mqtt_input_room(&input, &room), 0);
	assert_true(size <= room.size);
	memcpy(room.bytes, bytes, size);
	mqtt_input_add(&input, size);
}

/* Fills what is said to be there with `fill`, as much as the input asks for, until it has a result. */
static int add_until_cut(size_t size, uint8_t fill)
{
	int r = mqtt_input_peek(&input, &packet);

	while (r == MQTT_E_MORE && size > 0) {
		struct mqtt_room room;
		assert_int_equal(mqtt_input_room(&input, &room), 0);
		size_t step = size < room.size ? size : room.size;
		memset(room.bytes, fill, step);
		mqtt_input_add(&input, step);
		size -= step;
		r = mqtt_input_peek(&input, &packet);
	}
	assert_int_equal(size, 0);
	return r;
}

/* The fixed header and the start of a PUBLISH, QoS 1, id 5; the body has `body_size` bytes in all. */
static size_t put_publish(uint8_t *bytes, size_t body_size, const char *topic)
{
	size_t at = 0, topic_size = strlen(topic), left = body_size;

	bytes[at++] = 0x32;
	do {
		bytes[at++] = (uint8_t)((left & 0x7f) | (left >= 0x80 ? 0x80 : 0));
		left >>= 7;
	} while (left > 0);
	bytes[at++] = (uint8_t)(topic_size >> 8);
	bytes[at++] = (uint8_t)topic_size;
	memcpy(bytes + at, topic, topic_size);
	at += topic_size;
	bytes[at++] = 0;
	bytes[at++] = 5;
	return at;
}

static void test_packets_are_cut_however_the_bytes_come(void **state)
{
	static const uint8_t stream[] = {0xd0, 0, 0x62, 2, 0, 9, 0xe0, 1, 0x8b, 0xd0};
	static const enum mqtt_type types[] = {MQTT_PINGRESP, MQTT_PUBREL, MQTT_DISCONNECT};

	(void)state;
	for (size_t split = 0; split < sizeof stream; split++) {
		size_t found = 0;
		mqtt_input_clear(&input, MQTT_VERSION_5);
		add(stream, split);
		while (mqtt_input_peek(&input, &packet) == 0) {
			assert_int_equal(packet.type, types[found++]);
			mqtt_input_drop(&input);
		}
		add(stream + split, sizeof stream - split);
		while (mqtt_input_peek(&input, &packet) == 0) {
			assert_int_equal(packet.type, types[found++]);
			mqtt_input_drop(&input);
		}
		assert_int_equal(found, 3);
		assert_int_equal(mqtt_input_peek(&input, &packet), MQTT_E_MORE);
	}
}

static void test_a_wrong_first_byte_is_refused_before_its_length_comes(void **state)
{
	static const uint8_t client_only = 0x10, reserved_bit = 0xd1;

	(void)state;
	add(&client_only, 1);
	assert_int_equal(mqtt_input_peek(&input, &packet), MQTT_E_TYPE);
	mqtt_input_clear(&input, MQTT_VERSION_5);
	add(&reserved_bit, 1);
	assert_int_equal(mqtt_input_peek(&input, &packet), MQTT_E_FLAGS);
}

static void test_only_a_publish_may_be_too_large(void **state)
{
	static const uint8_t connack[] = {0x20, 0xff, 0xff, 0xff, 0x7f};

	(void)state;
	add(connack, sizeof connack);
	assert_int_equal(mqtt_input_peek(&input, &packet), MQTT_E_SIZE);
}

static void test_the_largest_packet_is_whole_and_one_byte_more_is_cut(void **state)
{
	uint8_t start[32];
	struct mqtt_publish publish;

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		size_t body_size = MQTT_PACKET_SIZE_LEAST - 4 + more;
		size_t size = put_publish(start, body_size, "a");
		mqtt_input_clear(&input, MQTT_VERSION_5);
		start[size++] = 0; /* no properties */
		add(start, size);
		assert_int_equal(add_until_cut(4 + body_size - size, 'p'), 0);
		assert_int_equal(packet.body_size, body_size);
		assert_int_equal(mqtt_publish_decode(&packet, MQTT_VERSION_5, &publish), 0);
		assert_int_equal(publish.payload_size, body_size - 6);
		if (more == 0) {
			assert_int_equal(publish.payload.size, publish.payload_size);
		} else {
			assert_int_equal(publish.payload.size, MQTT_KEPT_SIZE - 10);
		}
	}
}

static void test_what_follows_a_packet_that_was_cut_is_not_lost(void **state)
{
	static const uint8_t ping[] = {0xd0, 0};
	uint8_t start[32];
	size_t body_size = 3 * MQTT_PACKET_SIZE_LEAST;
	size_t size = put_publish(start, body_size, "a");

	(void)state;
	/* the last bytes come together with the next packet */
	size_t header_size = size - 5;
	add(start, size);
	assert_int_equal(add_until_cut(header_size + body_size - size - 10, 'p'), MQTT_E_MORE);
	uint8_t tail[12];
	memset(tail, 'p', 10);
	memcpy(tail + 10, ping, 2);
	add(tail, sizeof tail);
	assert_int_equal(mqtt_input_peek(&input, &packet), 0);
	assert_int_equal(packet.type, MQTT_PUBLISH);
	assert_int_equal(packet.body_size, body_size);
	/* and again: peeking twice changes nothing */
	assert_int_equal(mqtt_input_peek(&input, &packet), 0);
	mqtt_input_drop(&input);
	assert_int_equal(mqtt_input_peek(&input, &packet), 0);
	assert_int_equal(packet.type, MQTT_PINGRESP);
}

/* The worst that must still become a dead letter: the longest topic and the most properties before the payload. */
static void test_a_cut_publish_keeps_what_a_dead_letter_holds(void **state)
{
	static char topic[65536];
	static uint8_t start[70000];
	struct mqtt_publish publish;
	size_t body_size = MQTT_PACKET_SIZE_LEAST;

	(void)state;
	memset(topic, 't', sizeof topic - 1);
	size_t size = put_publish(start, body_size, topic);
	/* a property length of 65536: one user property, and correlation data as the filling */
	static const uint8_t properties[] = {0x80, 0x80, 0x04, 0x09, 0xff, 0xfd};
	memcpy(start + size, properties, sizeof properties);
	size += sizeof properties;
	add(start, size / 2);
	assert_int_equal(mqtt_input_peek(&input, &packet), MQTT_E_MORE);
	add(start + size / 2, size - size / 2);
	assert_int_equal(add_until_cut(4 + body_size - size, 'p'), 0);
	assert_int_equal(mqtt_publish_decode(&packet, MQTT_VERSION_5, &publish), 0);
	assert_int_equal(publish.topic.size, 65535);
	assert_int_equal(publish.properties.size, 65536);
	assert_int_equal(publish.correlation_data.size, 65533);
	assert_true(publish.payload.size >= DEAD_LETTER_BYTES_MAX);
	assert_false(publish.properties_cut);
}

static void test_properties_past_the_limit_are_cut_off_and_the_payload_is_not(void **state)
{
	enum { PROPERTIES = MQTT_PROPERTIES_SIZE_MAX + 1 };
	static uint8_t bytes[PROPERTIES + 64];
	struct mqtt_publish publish;
	size_t body_size = 2 + 1 + 2 + 3 + PROPERTIES + 2;
	size_t size = put_publish(bytes, body_size, "a");

	(void)state;
	bytes[size++] = 0x81;
	bytes[size++] = 0x80;
	bytes[size++] = 0x04;
	memset(bytes + size, 0x7e, PROPERTIES); /* not even looked at */
	size += PROPERTIES;
	bytes[size++] = 'o';
	bytes[size++] = 'k';
	add(bytes, 40000);
	assert_int_equal(mqtt_input_peek(&input, &packet), MQTT_E_MORE);
	add(bytes + 40000, size - 40000);
	assert_int_equal(mqtt_input_peek(&input, &packet), 0);
	assert_int_equal(mqtt_publish_decode(&packet, MQTT_VERSION_5, &publish), 0);
	assert_true(publish.properties_cut);
	assert_int_equal(publish.properties.size, 0);
	assert_true(slice_equals_text(publish.payload, "ok"));
	assert_int_equal(publish.payload_size, 2);
}

static void test_properties_that_reach_past_what_is_kept_leave_no_payload(void **state)
{
	uint8_t start[32];
	struct mqtt_publish publish;
	size_t body_size = 2 * MQTT_PACKET_SIZE_LEAST;
	size_t size = put_publish(start, body_size, "a");

	(void)state;
	start[size++] = 0x80; /* 2^19 bytes of properties */
	start[size++] = 0x80;
	start[size++] = 0x20;
	add(start, size);
	assert_int_equal(add_until_cut(4 + body_size - size, 0x7e), 0);
	assert_int_equal(mqtt_publish_decode(&packet, MQTT_VERSION_5, &publish), 0);
	assert_true(publish.properties_cut);
	assert_int_equal(publish.payload.size, 0);
	assert_int_equal(publish.payload_size, body_size - 8 - (1 << 19));
	assert_int_equal(publish.packet_id, 5);
}

/* ---- what is left of a malformed PUBLISH */

static struct mqtt_packet publish_of(const void *body, size_t size, uint8_t flags)
{
	return (struct mqtt_packet){.type = MQTT_PUBLISH,
		.flags = flags,
		.body = slice_of(body, size),
		.body_size = size};
}

static void test_a_publish_with_a_broken_topic_can_be_salvaged(void **state)
{
	static const uint8_t body[] = {0, 1, 0xff, 0, 7, 2, 1, 1, 'x'};
	struct mqtt_publish publish;
	struct mqtt_packet broken = publish_of(body, sizeof body, 0x0c);

	(void)state;
	assert_int_equal(mqtt_publish_decode(&broken, MQTT_VERSION_5, &publish), MQTT_E_TEXT);
	assert_true(mqtt_publish_salvage(&broken, MQTT_VERSION_5, &publish));
	assert_int_equal(publish.qos, 2);
	assert_true(publish.dup);
	assert_int_equal(publish.packet_id, 7);
	assert_int_equal(publish.topic.size, 1);
	assert_int_equal(publish.properties.size, 0);
	assert_true(slice_equals_text(publish.payload, "x"));
}

static void test_properties_that_can_not_be_told_from_the_payload_are_part_of_it(void **state)
{
	static const uint8_t body[] = {0, 1, 'a', 0, 7, 99, 1, 1, 'x'};
	struct mqtt_publish publish;
	struct mqtt_packet broken = publish_of(body, sizeof body, 0x02);

	(void)state;
	assert_int_equal(mqtt_publish_decode(&broken, MQTT_VERSION_5, &publish), MQTT_E_SHORT);
	assert_true(mqtt_publish_salvage(&broken, MQTT_VERSION_5, &publish));
	assert_int_equal(publish.payload.size, 4);
	assert_int_equal(publish.payload_size, 4);
}

static void test_without_topic_id_or_qos_nothing_can_be_salvaged(void **state)
{
	static const uint8_t body[] = {0, 1, 'a', 0, 0, 0, 'x'};
	struct mqtt_publish publish = {.packet_id = 77};
	struct mqtt_packet id_0 = publish_of(body, sizeof body, 0x02);
	struct mqtt_packet qos_3 = publish_of(body, sizeof body, 0x06);
	struct mqtt_packet no_topic = publish_of(body, 2, 0);

	(void)state;
	assert_false(mqtt_publish_salvage(&id_0, MQTT_VERSION_5, &publish));
	assert_false(mqtt_publish_salvage(&qos_3, MQTT_VERSION_5, &publish));
	assert_false(mqtt_publish_salvage(&no_topic, MQTT_VERSION_5, &publish));
	assert_int_equal(publish.packet_id, 77);
}

/* ---- the rest */

static void test_user_properties_are_found_among_others(void **state)
{
	static const uint8_t bytes[] = {0x01, 1, 0x26, 0, 1, 'a', 0, 0, 0x0b, 0x80, 1, 0x03, 0, 1,
		't', 0x26, 0, 0, 0, 1, 'v', 0x02, 0, 0, 0, 1, 0x23, 0, 1};
	struct slice rest = slice_of(bytes, sizeof bytes), name, value;

	(void)state;
	assert_true(mqtt_next_user_property(&rest, &name, &value));
	assert_true(slice_equals_text(name, "a"));
	assert_int_equal(value.size, 0);
	assert_true(mqtt_next_user_property(&rest, &name, &value));
	assert_int_equal(name.size, 0);
	assert_true(slice_equals_text(value, "v"));
	assert_false(mqtt_next_user_property(&rest, &name, &value));
}

static void test_every_error_has_words_and_a_reason(void **state)
{
	(void)state;
	for (int error = MQTT_E_MORE; error < MQTT_ERROR_COUNT; error++) {
		assert_non_null(mqtt_error_text((enum mqtt_error)error));
		assert_in_range(mqtt_error_reason((enum mqtt_error)error), 0x81, 0x95);
	}
	assert_int_equal(mqtt_error_reason(MQTT_E_SIZE), MQTT_PACKET_TOO_LARGE);
	assert_int_equal(mqtt_error_reason(MQTT_E_TOPIC_ALIAS), MQTT_TOPIC_ALIAS_INVALID);
	assert_int_equal(mqtt_error_reason(MQTT_E_PACKET_ID), MQTT_PROTOCOL_ERROR);
	assert_int_equal(mqtt_error_reason(MQTT_E_TEXT), MQTT_MALFORMED);
}

static void test_reasons_have_the_standards_names(void **state)
{
	(void)state;
	assert_string_equal(mqtt_reason_name(0x00), "success");
	assert_string_equal(mqtt_reason_name(0x80), "unspecified error");
	assert_string_equal(mqtt_reason_name(0x8e), "session taken over");
	assert_string_equal(mqtt_reason_name(0x95), "packet too large");
	assert_string_equal(mqtt_reason_name(0x9d), "server moved");
	assert_string_equal(mqtt_reason_name(0xa2), "wildcard subscriptions not supported");
	assert_string_equal(mqtt_reason_name(0xa3), "unknown reason");
	assert_string_equal(mqtt_reason_name(0x10), "unknown reason");
}

int main(void)
{
#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		UNIT(test_packets_are_cut_however_the_bytes_come),
		UNIT(test_a_wrong_first_byte_is_refused_before_its_length_comes),
		UNIT(test_only_a_publish_may_be_too_large),
		UNIT(test_the_largest_packet_is_whole_and_one_byte_more_is_cut),
		UNIT(test_what_follows_a_packet_that_was_cut_is_not_lost),
		UNIT(test_a_cut_publish_keeps_what_a_dead_letter_holds),
		UNIT(test_properties_past_the_limit_are_cut_off_and_the_payload_is_not),
		UNIT(test_properties_that_reach_past_what_is_kept_leave_no_payload),
		UNIT(test_a_publish_with_a_broken_topic_can_be_salvaged),
		UNIT(test_properties_that_can_not_be_told_from_the_payload_are_part_of_it),
		UNIT(test_without_topic_id_or_qos_nothing_can_be_salvaged),
		UNIT(test_user_properties_are_found_among_others),
		UNIT(test_every_error_has_words_and_a_reason),
		UNIT(test_reasons_have_the_standards_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
