/* A broker that keeps to the standard, a link that breaks anywhere, an edge that is killed at any moment, a disk that is
 * late and sometimes full: whatever chance does, each message of QoS 2 is on the disk exactly once when all is over, each
 * of QoS 1 at least once. Ids are few, so that they are used again at once. Where all messages are alike their
 * fingerprints help nobody, and the order of marks and answers alone must do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "edge/mqtt_session.h"
#include "tests/unit/rounds.h"

enum {
	MESSAGE_COUNT = 60,
	WINDOW = 3, /* that the broker keeps in flight: ids 1 … 3 */
	QUEUE_SIZE = 16 * 1024,
	OPERATIONS = 3000,
	DRAIN_MAX = 20000,
};

/* What the broker does that the standard does not foresee. */
enum fault { NO_FAULT, COMES_BACK_OLDER, LOSES_SESSION };

enum message_state { QUEUED, SENT, RELEASING, DONE };

struct message {
	enum message_state state;
	uint8_t qos;
	uint16_t id; /* while SENT or RELEASING */
};

struct broker {
	struct message messages[MESSAGE_COUNT];
	bool has_session;
};

struct queue {
	uint8_t bytes[QUEUE_SIZE];
	size_t size;
};

struct pending {
	uint64_t number;
	struct mqtt_order order;
	uint32_t message;
	uint8_t list[64];
};

struct world {
	uint64_t random;
	enum mqtt_version version;
	bool are_alike; /* the messages: only how many came can be told */
	struct broker broker;
	struct broker snapshot; /* what a killed broker comes back with */
	bool is_connected; /* the broker has heard CONNECT */
	struct queue to_broker, to_edge;
	struct mqtt_session *session;
	int64_t now_ms;
	struct pending pending[MQTT_PENDING_MAX];
	size_t pending_count;
	/* The disk. */
	uint32_t delivered[MESSAGE_COUNT];
	bool has_mark[WINDOW + 1];
	uint64_t mark[WINDOW + 1];
	bool knows_broker;
	uint8_t list[64]; /* mark 0 */
	size_t list_size;
};

static struct world world;

static uint32_t chance(uint32_t below)
{
	world.random = world.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(world.random >> 33) % below;
}

static void put(struct queue *queue, const uint8_t *bytes, size_t size)
{
	assert_true(queue->size + size <= sizeof queue->bytes);
	memcpy(queue->bytes + queue->size, bytes, size);
	queue->size += size;
}

static void drop(struct queue *queue, size_t size)
{
	queue->size -= size;
	memmove(queue->bytes, queue->bytes + size, queue->size);
}

/* ---- the broker */

static bool is_5(void)
{
	return world.version == MQTT_VERSION_5;
}

static void send_publish(uint32_t number, bool dup)
{
	const struct message *message = &world.broker.messages[number];
	uint32_t content = world.are_alike ? message->qos : number;
	uint8_t bytes[16] = {(uint8_t)(0x30 | dup << 3 | message->qos << 1), 0, 0, 1, 'a', 0,
		(uint8_t)message->id};
	size_t size = 7;

	size += is_5() ? 1 : 0; /* no properties */
	bytes[size++] = (uint8_t)(content >> 8);
	bytes[size++] = (uint8_t)content;
	bytes[1] = (uint8_t)(size - 2);
	put(&world.to_edge, bytes, size);
}

static void send_pubrel(uint16_t id)
{
	put(&world.to_edge, (const uint8_t[]){0x62, 2, 0, (uint8_t)id}, 4);
}

static struct message *find(uint16_t id, enum message_state state)
{
	for (uint32_t i = 0; i < MESSAGE_COUNT; i++) {
		struct message *message = &world.broker.messages[i];
		if (message->state == state && message->id == id) {
			return message;
		}
	}
	return NULL;
}

/* 0: none is free. Not always the same, so that after a lost session another message may have it. */
static uint16_t free_id(void)
{
	uint32_t first = chance(WINDOW);

	for (uint32_t i = 0; i < WINDOW; i++) {
		uint16_t id = (uint16_t)(1 + (first + i) % WINDOW);
		if (find(id, SENT) == NULL && find(id, RELEASING) == NULL) {
			return id;
		}
	}
	return 0;
}

static void fill_window(void)
{
	for (uint32_t i = 0; i < MESSAGE_COUNT && world.is_connected; i++) {
		struct message *message = &world.broker.messages[i];
		uint16_t id = message->state == QUEUED ? free_id() : 0;
		if (id != 0) {
			message->id = id;
			message->state = SENT;
			send_publish(i, false);
		}
	}
}

static void resume(void)
{
	for (uint32_t i = 0; i < MESSAGE_COUNT; i++) {
		const struct message *message = &world.broker.messages[i];
		if (message->state == SENT) {
			send_publish(i, true);
		} else if (message->state == RELEASING) {
			send_pubrel(message->id);
		}
	}
}

static void hear_connect(void)
{
	const uint8_t connack[] = {0x20, is_5() ? 3 : 2, world.broker.has_session, 0, 0};

	put(&world.to_edge, connack, connack[1] + 2u);
	world.is_connected = true;
	world.broker.has_session = true;
	resume();
}

static void hear_subscribe(uint16_t packet_id)
{
	uint8_t suback[8] = {0x90, 0, (uint8_t)(packet_id >> 8), (uint8_t)packet_id};
	size_t size = is_5() ? 5 : 4;

	suback[size++] = 2;
	suback[1] = (uint8_t)(size - 2);
	put(&world.to_edge, suback, size);
}

static void hear_ack(uint8_t type, uint16_t id)
{
	struct message *sent = find(id, SENT), *releasing = find(id, RELEASING);

	if (type == MQTT_PUBACK && sent != NULL && sent->qos == 1) {
		sent->state = DONE;
	} else if (type == MQTT_PUBREC && sent != NULL && sent->qos == 2) {
		sent->state = RELEASING;
		send_pubrel(id);
	} else if (type == MQTT_PUBREC) {
		send_pubrel(id); /* it does not know it, or has heard it already */
	} else if (type == MQTT_PUBCOMP && releasing != NULL) {
		releasing->state = DONE;
	}
}

/* One packet of what has arrived; false: none is whole. */
static bool hear_one(void)
{
	const uint8_t *bytes = world.to_broker.bytes;
	size_t size = world.to_broker.size < 2 ? SIZE_MAX : bytes[1] + 2u;
	uint8_t type = bytes[0] >> 4;

	if (size > world.to_broker.size) {
		return false;
	}
	uint16_t id = (uint16_t)(bytes[2] << 8 | bytes[3]);
	if (type == MQTT_CONNECT) {
		hear_connect();
	} else if (type == MQTT_SUBSCRIBE) {
		hear_subscribe(id);
	} else if (type == MQTT_PINGREQ) {
		put(&world.to_edge, (const uint8_t[]){0xd0, 0}, 2);
	} else if (type != MQTT_DISCONNECT) {
		hear_ack(type, id);
	}
	drop(&world.to_broker, size);
	return true;
}

/* ---- the edge */

static void begin_session(void)
{
	static const struct slice filter = {(const uint8_t *)"a", 1};
	const struct mqtt_session_options options = {
		.broker_count = 1,
		.protocol = is_5() ? MQTT_PROTOCOL_5 : MQTT_PROTOCOL_3_1_1,
		.client_id = {(const uint8_t *)"edge", 4},
		.filters = &filter,
		.filter_count = 1,
		.qos = 2,
		.session_expiry_s = MQTT_NEVER_EXPIRES,
		.keep_alive_s = 60,
		.receive_maximum = 10,
		.packet_size_max = MQTT_PACKET_SIZE_LEAST,
		.pending_size_max = 3,
		.random = world.random,
	};

	assert_int_equal(mqtt_session_new(&options, world.now_ms, &world.session), 0);
	world.pending_count = 0;
	if (world.knows_broker) {
		mqtt_session_remember(world.session, 0, 0, 0);
		mqtt_session_remember_filters(
			world.session, 0, slice_of(world.list, world.list_size));
	}
	for (uint16_t id = 1; id <= WINDOW; id++) {
		if (world.has_mark[id]) {
			mqtt_session_remember(world.session, 0, id, world.mark[id]);
		}
	}
}

static void break_link(void)
{
	world.is_connected = false;
	world.to_broker.size = 0;
	world.to_edge.size = 0;
	mqtt_session_lost(world.session, NULL, world.now_ms);
}

static void take(const struct mqtt_order *order)
{
	if (chance(8) == 0) {
		mqtt_session_held(world.session, world.now_ms);
		return;
	}
	struct pending *pending = &world.pending[world.pending_count++];
	*pending = (struct pending){.number = order->number, .order = *order};
	if (order->act == MQTT_ORDER_DELIVER) {
		assert_int_equal(order->publish.payload.size, 2);
		const uint8_t *payload = order->publish.payload.bytes;
		pending->message = (uint32_t)(payload[0] << 8 | payload[1]);
	}
	if (order->act == MQTT_ORDER_FORGET || order->act == MQTT_ORDER_NOTE) {
		assert_true(order->bytes.size < sizeof pending->list);
		memcpy(pending->list, order->bytes.bytes, order->bytes.size);
	}
	assert_int_equal(mqtt_session_taken(world.session), 0);
}

/* One transaction: the message and its mark, or the marks alone. */
static void commit(const struct pending *pending)
{
	const struct mqtt_order *order = &pending->order;

	if (order->act == MQTT_ORDER_FORGET || order->act == MQTT_ORDER_NOTE) {
		world.knows_broker = true;
		world.list_size = order->bytes.size;
		memcpy(world.list, pending->list, world.list_size);
	}
	if (order->act == MQTT_ORDER_FORGET) {
		memset(world.has_mark, 0, sizeof world.has_mark);
	} else if (order->act == MQTT_ORDER_RELEASE) {
		world.has_mark[order->packet_id] = false;
	} else if (order->act == MQTT_ORDER_DELIVER) {
		world.delivered[pending->message]++;
		if (order->publish.qos == 2) {
			world.has_mark[order->packet_id] = true;
			world.mark[order->packet_id] = order->fingerprint;
		}
	}
}

/* The oldest that was taken becomes durable, or can't be kept. */
static void settle_one(bool kept)
{
	struct pending pending = world.pending[0];

	if (world.pending_count == 0) {
		return;
	}
	world.pending_count--;
	memmove(&world.pending[0], &world.pending[1], world.pending_count * sizeof pending);
	if (kept) {
		commit(&pending);
		mqtt_session_durable(world.session, pending.number);
	} else {
		assert_int_equal(
			mqtt_session_not_kept(world.session, pending.number, world.now_ms), 0);
	}
}

static void carry_out(const struct mqtt_order *order)
{
	size_t size;

	switch (order->act) {
	case MQTT_ORDER_OPEN:
		mqtt_session_connected(world.session, world.now_ms);
		break;
	case MQTT_ORDER_SEND:
		size = 1 + chance((uint32_t)order->bytes.size);
		put(&world.to_broker, order->bytes.bytes, size);
		mqtt_session_sent(world.session, size, world.now_ms);
		break;
	case MQTT_ORDER_CLOSE:
		world.is_connected = false;
		world.to_broker.size = 0;
		world.to_edge.size = 0;
		break;
	case MQTT_ORDER_DELIVER:
	case MQTT_ORDER_RELEASE:
	case MQTT_ORDER_FORGET:
	case MQTT_ORDER_NOTE:
		take(order);
		break;
	default:
		break;
	}
}

static void step(void)
{
	struct mqtt_order order;

	mqtt_session_writable(world.session);
	do {
		assert_int_equal(mqtt_session_step(world.session, world.now_ms, &order), 0);
		carry_out(&order);
	} while (order.act != MQTT_ORDER_WAIT);
}

static void carry_bytes(void)
{
	struct mqtt_room room;

	assert_int_equal(mqtt_session_room(world.session, &room), 0);
	if (room.size > 0 && world.to_edge.size > 0) {
		size_t size = 1 + chance((uint32_t)world.to_edge.size);
		memcpy(room.bytes, world.to_edge.bytes, size);
		mqtt_session_heard(world.session, size, world.now_ms);
		drop(&world.to_edge, size);
	}
}

/* ---- chance */

static void kill_edge(void)
{
	world.session = mqtt_session_free(world.session);
	world.is_connected = false;
	world.to_broker.size = 0;
	world.to_edge.size = 0;
	begin_session();
}

/* Its operator has cleaned up. What it had not heard of is published again; what was only to be released is over. */
static void lose_session(void)
{
	world.broker.has_session = false;
	for (uint32_t i = 0; i < MESSAGE_COUNT; i++) {
		struct message *message = &world.broker.messages[i];
		message->state = message->state >= RELEASING ? DONE : QUEUED;
	}
}

static void suffer(enum fault fault)
{
	if (fault != NO_FAULT) {
		break_link();
	}
	if (fault == COMES_BACK_OLDER) {
		world.broker = world.snapshot;
	} else if (fault == LOSES_SESSION) {
		lose_session();
	}
}

static void operate(enum fault fault)
{
	switch (chance(40)) {
	case 0:
		break_link();
		break;
	case 1:
		kill_edge();
		break;
	case 2:
		settle_one(false);
		break;
	case 3:
		world.snapshot = world.broker;
		break;
	case 4:
		suffer(fault);
		break;
	default:
		world.now_ms += chance(200);
		break;
	}
}

static void flow(void)
{
	switch (chance(4)) {
	case 0:
		settle_one(true);
		break;
	case 1:
		while (hear_one()) {
			fill_window();
		}
		fill_window();
		break;
	case 2:
		carry_bytes();
		break;
	default:
		world.now_ms += 10;
		break;
	}
	step();
}

static bool is_over(void)
{
	for (uint32_t i = 0; i < MESSAGE_COUNT; i++) {
		if (world.broker.messages[i].state != DONE) {
			return false;
		}
	}
	return world.pending_count == 0;
}

static void live_through(uint64_t seed, enum fault fault, bool are_alike)
{
	uint32_t turns = 0;

	memset(&world, 0, sizeof world);
	world.random = seed;
	world.are_alike = are_alike;
	world.version = chance(2) == 0 ? MQTT_VERSION_5 : MQTT_VERSION_3_1_1;
	for (uint32_t i = 0; i < MESSAGE_COUNT; i++) {
		world.broker.messages[i].qos = (uint8_t)(1 + chance(2));
	}
	world.snapshot = world.broker;
	begin_session();
	for (uint32_t i = 0; i < OPERATIONS; i++) {
		operate(fault);
		flow();
	}
	while (!is_over()) {
		world.now_ms += 50;
		flow();
		if (++turns == DRAIN_MAX) {
			fail_msg("seed %llu is stuck", (unsigned long long)seed);
		}
	}
	world.session = mqtt_session_free(world.session);
}

static void check_delivered(uint64_t seed, bool exactly_once)
{
	for (uint32_t i = 0; i < MESSAGE_COUNT; i++) {
		bool once = exactly_once && world.broker.messages[i].qos == 2;
		if (world.delivered[i] < 1 || (once && world.delivered[i] > 1)) {
			fail_msg("seed %llu: message %u of QoS %u is there %u times",
				(unsigned long long)seed, i, world.broker.messages[i].qos,
				world.delivered[i]);
		}
	}
}

static void test_each_message_is_there_once_whatever_breaks(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= (uint64_t)rounds_of(300); seed++) {
		live_through(seed, NO_FAULT, false);
		check_delivered(seed, true);
	}
}

/* Only their number can be told: of QoS 1 and 2, those that were published and those that are there. */
static void check_number(uint64_t seed, bool exactly_once)
{
	uint32_t published[3] = {0};

	for (uint32_t i = 0; i < MESSAGE_COUNT; i++) {
		published[world.broker.messages[i].qos]++;
	}
	if (world.delivered[1] < published[1] || world.delivered[2] < published[2] ||
		(exactly_once && world.delivered[2] > published[2])) {
		fail_msg("seed %llu: %u of %u, %u of %u", (unsigned long long)seed,
			world.delivered[1], published[1], world.delivered[2], published[2]);
	}
}

static void test_messages_that_are_alike_are_there_as_often_as_they_were_published(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= (uint64_t)rounds_of(300); seed++) {
		live_through(seed, NO_FAULT, true);
		check_number(seed, true);
	}
}

static void test_no_message_is_taken_for_one_of_a_session_that_the_broker_has_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= (uint64_t)rounds_of(300); seed++) {
		live_through(seed, LOSES_SESSION, true);
		check_number(seed, false);
	}
}

/* What the broker forgets to have heard it sends again, under whatever id: more than once, but never not at all. */
static void test_no_message_is_lost_when_the_broker_comes_back_from_an_older_state(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= (uint64_t)rounds_of(300); seed++) {
		live_through(seed, COMES_BACK_OLDER, false);
		check_delivered(seed, false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_message_is_there_once_whatever_breaks),
		cmocka_unit_test(
			test_messages_that_are_alike_are_there_as_often_as_they_were_published),
		cmocka_unit_test(
			test_no_message_is_taken_for_one_of_a_session_that_the_broker_has_lost),
		cmocka_unit_test(
			test_no_message_is_lost_when_the_broker_comes_back_from_an_older_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
