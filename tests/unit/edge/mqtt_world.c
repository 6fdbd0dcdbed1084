#include "tests/unit/edge/mqtt_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct slice filter;

void world_init(struct world *world)
{
	filter = slice_of_text("stores/+/orders");
	*world = (struct world){
		.now_ms = 1000,
		.options =
			{
				.broker_count = 1,
				.protocol = MQTT_PROTOCOL_5,
				.client_id = slice_of_text("edge"),
				.filters = &filter,
				.filter_count = 1,
				.qos = 2,
				.session_expiry_s = MQTT_NEVER_EXPIRES,
				.keep_alive_s = 60,
				.receive_maximum = 10,
				.packet_size_max = MQTT_PACKET_SIZE_LEAST,
				.pending_size_max = MQTT_PENDING_SIZE_DEFAULT,
				.random = 4711,
			},
	};
	buffer_init(&world->sent, 1 << 20);
}

void world_begin(struct world *world)
{
	assert_int_equal(mqtt_session_new(&world->options, world->now_ms, &world->session), 0);
}

void world_deinit(struct world *world)
{
	world->session = mqtt_session_free(world->session);
	buffer_deinit(&world->sent);
}

static void note_words(struct world *world, const char *words)
{
	size_t used = strlen(world->told);

	snprintf(world->told + used, sizeof world->told - used, "%s\n", words);
}

enum mqtt_act world_step(struct world *world)
{
	for (;;) {
		assert_int_equal(
			mqtt_session_step(world->session, world->now_ms, &world->order), 0);
		if (world->order.act == MQTT_ORDER_SEND) {
			struct slice bytes = world->order.bytes;
			size_t size = world->link_is_stuck ? 0 : bytes.size;
			buffer_append(&world->sent, bytes.bytes, size);
			mqtt_session_sent(world->session, size, world->now_ms);
		} else if (world->order.act == MQTT_ORDER_TELL) {
			note_words(world, world->order.words);
		} else {
			return world->order.act;
		}
	}
}

void world_expect(struct world *world, enum mqtt_act act)
{
	assert_int_equal(world_step(world), act);
}

void world_pass(struct world *world, int64_t ms)
{
	world->now_ms += ms;
}

bool world_reads(struct world *world)
{
	struct mqtt_room room;

	assert_int_equal(mqtt_session_room(world->session, &room), 0);
	return room.size > 0;
}

void world_hear_bytes(struct world *world, struct slice bytes)
{
	while (bytes.size > 0) {
		struct mqtt_room room;
		assert_int_equal(mqtt_session_room(world->session, &room), 0);
		assert_true(room.size > 0);
		size_t size = bytes.size < room.size ? bytes.size : room.size;
		memcpy(room.bytes, bytes.bytes, size);
		mqtt_session_heard(world->session, size, world->now_ms);
		bytes = slice_of(bytes.bytes + size, bytes.size - size);
		if (bytes.size > 0) {
			world_expect(world, MQTT_ORDER_WAIT);
		}
	}
}

static size_t bytes_of_hex(const char *hex, uint8_t *bytes, size_t capacity)
{
	size_t size = 0;
	unsigned value;

	while (sscanf(hex, " %2x", &value) == 1) {
		assert_true(size < capacity);
		bytes[size++] = (uint8_t)value;
		hex += strspn(hex, " ") + 2;
	}
	return size;
}

void world_hear(struct world *world, const char *hex)
{
	uint8_t bytes[1024];
	size_t size = bytes_of_hex(hex, bytes, sizeof bytes);

	if (!world_reads(world)) {
		world_expect(world, MQTT_ORDER_WAIT);
	}
	world_hear_bytes(world, slice_of(bytes, size));
}

void world_sent(struct world *world, const char *hex)
{
	uint8_t bytes[1024];
	size_t size = bytes_of_hex(hex, bytes, sizeof bytes);

	assert_int_equal(world->sent.size, size);
	assert_memory_equal(world->sent.bytes, bytes, size);
	buffer_clear(&world->sent);
}

bool world_told(struct world *world, const char *words)
{
	bool was = strstr(world->told, words) != NULL;

	world->told[0] = '\0';
	return was;
}

struct mqtt_session_view world_look(const struct world *world)
{
	struct mqtt_session_view view;

	mqtt_session_look(world->session, &view);
	return view;
}

static bool is_5(const struct world *world)
{
	return world_look(world).version == MQTT_VERSION_5;
}

void world_know_session(struct world *world)
{
	uint8_t list[256];
	size_t size = 0;

	for (uint32_t i = 0; i < world->options.filter_count; i++) {
		struct slice text = world->options.filters[i];
		memcpy(list + size, text.bytes, text.size);
		size += text.size;
		list[size++] = '\0';
	}
	mqtt_session_remember(world->session, 0, 0, 0);
	assert_int_equal(mqtt_session_remember_filters(world->session, 0, slice_of(list, size)), 0);
}

void world_forget(struct world *world)
{
	world_expect(world, MQTT_ORDER_FORGET);
	uint64_t number = world->order.number;
	assert_int_equal(mqtt_session_taken(world->session), 0);
	world_expect(world, MQTT_ORDER_WAIT);
	mqtt_session_durable(world->session, number);
}

void world_connect(struct world *world, bool session_present)
{
	world_expect(world, MQTT_ORDER_OPEN);
	mqtt_session_connected(world->session, world->now_ms);
	world_expect(world, MQTT_ORDER_WAIT);
	buffer_clear(&world->sent);
	if (is_5(world)) {
		world_hear(world, session_present ? "20 03 01 00 00" : "20 03 00 00 00");
	} else {
		world_hear(world, session_present ? "20 02 01 00" : "20 02 00 00");
	}
}

void world_come_up(struct world *world, bool session_present)
{
	world_connect(world, session_present);
	if (!session_present) {
		world_forget(world);
	}
	world_expect(world, MQTT_ORDER_WAIT);
	buffer_clear(&world->sent);
	uint8_t granted = world->options.qos;
	uint8_t new_suback[] = {0x90, 4, 0, 1, 0, granted};
	uint8_t old_suback[] = {0x90, 3, 0, 1, granted};
	world_hear_bytes(world, is_5(world) ? slice_of(new_suback, sizeof new_suback)
					    : slice_of(old_suback, sizeof old_suback));
	world_expect(world, MQTT_ORDER_WAIT);
	assert_int_equal(world_look(world).state, MQTT_UP);
}

uint64_t world_take(struct world *world)
{
	world_expect(world, MQTT_ORDER_DELIVER);
	uint64_t number = world->order.number;
	assert_int_equal(mqtt_session_taken(world->session), 0);
	return number;
}
