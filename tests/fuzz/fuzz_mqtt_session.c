/* A script of what a broker, a link and a disk may do to an MQTT session. Held at each step: the books add up, no
 * acknowledgement goes out before the disk has what it stands for, and no mark is left or missing.
 *
 * The first three bytes are the options; then operations (enum operation), each with its bytes. */
#include <stdio.h>

#include "edge/mqtt_session.h"
#include "tests/fuzz/fuzz.h"

enum operation {
	HEAR, /* size, bytes */
	HEAR_CONNACK, /* session present */
	HEAR_SUBACK,
	HEAR_PUBLISH, /* QoS and flags, id, payload byte */
	HEAR_PUBREL, /* id */
	PASS_TIME, /* half seconds */
	MAKE_DURABLE,
	FAIL_TO_KEEP,
	BREAK_LINK,
	HOLD, /* or no longer */
	STUFF_LINK, /* or no longer */
	STOP,
	HEAR_UNSUBACK,
	OPERATION_COUNT,
};

enum { TAKEN_MAX = MQTT_PENDING_MAX, STEPS_MAX = 100000 };

struct taken {
	uint64_t number;
	enum mqtt_act act;
	uint32_t broker;
	uint16_t packet_id;
	uint8_t qos;
	uint64_t fingerprint;
};

struct world {
	struct mqtt_session *session;
	int64_t now_ms;
	struct taken taken[TAKEN_MAX]; /* on its way to the disk, in order */
	uint32_t first, count;
	uint64_t last_number;
	/* The disk. */
	bool marks[2][65536];
	uint32_t broker; /* of the link */
	bool holds, is_stuffed, has_waited;
	bool is_old;
};

static struct world world;

static struct taken *oldest(void)
{
	return &world.taken[world.first % TAKEN_MAX];
}

/* ---- the owner */

static void check_books(void)
{
	struct mqtt_session_view view;

	mqtt_session_look(world.session, &view);
	const struct mqtt_session_counts *c = view.counts;
	fuzz_require(c->publishes[0] + c->publishes[1] + c->publishes[2] ==
		     c->delivered + c->too_large + c->malformed + c->repeats + c->retained_skipped);
	fuzz_require(view.pending == world.count);
	fuzz_require(c->pubacks <= c->publishes[1]);
	fuzz_require(c->pubrecs <= c->publishes[2]);
	fuzz_require(c->pubcomps <= c->releases);
}

static void take(const struct mqtt_order *order)
{
	if (world.holds) {
		mqtt_session_held(world.session, world.now_ms);
		return;
	}
	fuzz_require(world.count < TAKEN_MAX && order->number > world.last_number);
	world.last_number = order->number;
	world.taken[(world.first + world.count++) % TAKEN_MAX] = (struct taken){
		.number = order->number,
		.act = order->act,
		.broker = order->broker,
		.packet_id = order->packet_id,
		.qos = order->publish.qos,
		.fingerprint = order->fingerprint,
	};
	if (mqtt_session_taken(world.session) != 0) {
		abort();
	}
}

static void make_durable(void)
{
	struct taken *taken = oldest();

	if (world.count == 0) {
		return;
	}
	if (taken->act == MQTT_ORDER_DELIVER && taken->qos == 2) {
		world.marks[taken->broker][taken->packet_id] = true;
	} else if (taken->act == MQTT_ORDER_RELEASE) {
		world.marks[taken->broker][taken->packet_id] = false;
	} else if (taken->act == MQTT_ORDER_FORGET) {
		memset(world.marks[taken->broker], 0, sizeof world.marks[0]);
	}
	world.first++;
	world.count--;
	mqtt_session_durable(world.session, taken->number);
}

static void fail_to_keep(void)
{
	struct taken *taken = oldest();

	if (world.count == 0) {
		return;
	}
	world.first++;
	world.count--;
	if (mqtt_session_not_kept(world.session, taken->number, world.now_ms) != 0) {
		abort();
	}
}

/* A link takes all or nothing here, so what is sent begins with a packet; in a session these are acknowledgements. */
static void check_sent(struct slice bytes)
{
	for (size_t at = 0; at + 4 <= bytes.size;) {
		uint8_t type = bytes.bytes[at] >> 4;
		uint16_t id = (uint16_t)(bytes.bytes[at + 2] << 8 | bytes.bytes[at + 3]);
		if (type < MQTT_PUBACK || type > MQTT_PUBCOMP) {
			return;
		}
		/* A skipped retained message of 3.1.1 has no mark. */
		fuzz_require(type != MQTT_PUBREC || world.is_old || world.marks[world.broker][id]);
		at += 2u + bytes.bytes[at + 1];
	}
}

static void send(struct slice bytes)
{
	size_t size = world.is_stuffed ? 0 : bytes.size;

	/* What has waited was right when it was put there; the disk has moved on since. */
	if (!world.is_stuffed && !world.has_waited) {
		check_sent(bytes);
	}
	world.has_waited = world.is_stuffed;
	mqtt_session_sent(world.session, size, world.now_ms);
}

static void carry_out(const struct mqtt_order *order)
{
	switch (order->act) {
	case MQTT_ORDER_OPEN:
		world.broker = order->broker;
		mqtt_session_connected(world.session, world.now_ms);
		break;
	case MQTT_ORDER_SEND:
		send(order->bytes);
		break;
	case MQTT_ORDER_DELIVER:
	case MQTT_ORDER_RELEASE:
	case MQTT_ORDER_FORGET:
	case MQTT_ORDER_NOTE:
		take(order);
		break;
	case MQTT_ORDER_TELL:
		fuzz_require(strlen(order->words) > 0);
		break;
	default:
		break;
	}
}

static void run(void)
{
	struct mqtt_order order;
	uint32_t steps = 0;

	do {
		fuzz_require(mqtt_session_step(world.session, world.now_ms, &order) == 0);
		fuzz_require(order.act != MQTT_ORDER_WAIT || order.wait_ms >= 0);
		carry_out(&order);
		fuzz_require(++steps < STEPS_MAX);
	} while (order.act != MQTT_ORDER_WAIT);
	check_books();
}

/* ---- the script */

static uint8_t next(struct slice *script)
{
	if (script->size == 0) {
		return 0;
	}
	uint8_t byte = script->bytes[0];
	*script = slice_of(script->bytes + 1, script->size - 1);
	return byte;
}

static void hear(struct slice bytes)
{
	struct mqtt_room room;

	fuzz_require(mqtt_session_room(world.session, &room) == 0);
	if (room.size > 0 && bytes.size > 0) {
		memcpy(room.bytes, bytes.bytes, bytes.size);
		mqtt_session_heard(world.session, bytes.size, world.now_ms);
	}
}

static bool speaks_5(void)
{
	struct mqtt_session_view view;

	mqtt_session_look(world.session, &view);
	world.is_old = view.version == MQTT_VERSION_3_1_1;
	return !world.is_old;
}

static void hear_publish(struct slice *script)
{
	uint8_t flags = next(script) & 15, id = next(script), payload = next(script);
	uint8_t bytes[16] = {(uint8_t)(0x30 | flags), 0, 0, 1, 'a'};
	uint8_t at = 5;

	if ((flags & 6) != 0) {
		bytes[at++] = 0;
		bytes[at++] = id;
	}
	if (speaks_5()) {
		bytes[at++] = 0;
	}
	bytes[at++] = payload;
	bytes[1] = at - 2;
	hear(slice_of(bytes, at));
}

static void hear_suback(void)
{
	static const uint8_t new[] = {0x90, 4, 0, 1, 0, 2}, old[] = {0x90, 3, 0, 1, 2};

	hear(speaks_5() ? slice_of(new, sizeof new) : slice_of(old, sizeof old));
}

static void hear_unsuback(void)
{
	static const uint8_t new[] = {0xb0, 4, 0xff, 0xff, 0, 0}, old[] = {0xb0, 2, 0xff, 0xff};

	hear(speaks_5() ? slice_of(new, sizeof new) : slice_of(old, sizeof old));
}

static void hear_connack(uint8_t present)
{
	const uint8_t bytes[] = {0x20, speaks_5() ? 3 : 2, present & 1, 0, 0};

	hear(slice_of(bytes, bytes[1] + 2u));
}

static void hear_some(struct slice *script)
{
	size_t size = next(script);

	size = size < script->size ? size : script->size;
	hear(slice_of(script->bytes, size));
	*script = slice_of(script->bytes + size, script->size - size);
}

static void operate(enum operation operation, struct slice *script)
{
	switch (operation) {
	case HEAR:
		hear_some(script);
		break;
	case HEAR_CONNACK:
		hear_connack(next(script));
		break;
	case HEAR_SUBACK:
		hear_suback();
		break;
	case HEAR_UNSUBACK:
		hear_unsuback();
		break;
	case HEAR_PUBLISH:
		hear_publish(script);
		break;
	case HEAR_PUBREL:
		hear(slice_of((const uint8_t[]){0x62, 2, 0, next(script)}, 4));
		break;
	case PASS_TIME:
		world.now_ms += next(script) * 500;
		break;
	case MAKE_DURABLE:
		make_durable();
		break;
	case FAIL_TO_KEEP:
		fail_to_keep();
		break;
	case BREAK_LINK:
		mqtt_session_lost(world.session, NULL, world.now_ms);
		break;
	case HOLD:
		world.holds = !world.holds;
		break;
	case STUFF_LINK:
		world.is_stuffed = !world.is_stuffed;
		mqtt_session_writable(world.session);
		break;
	default:
		mqtt_session_stop(world.session, world.now_ms);
		break;
	}
}

static void begin(struct slice *script)
{
	static const struct slice filters[] = {
		{(const uint8_t *)"a", 1}, {(const uint8_t *)"b/#", 3}};
	uint8_t choices = next(script);
	const struct mqtt_session_options options = {
		.broker_count = 1 + (choices & 1),
		.protocol = (enum mqtt_protocol)(choices >> 1 & 3) % 3,
		.client_id = {(const uint8_t *)"c", 1},
		.filters = filters,
		.filter_count = 1 + (choices >> 3 & 1),
		.qos = 2,
		.retained = (enum mqtt_retained)(choices >> 4 & 3) % 3,
		.session_expiry_s = MQTT_NEVER_EXPIRES,
		.keep_alive_s = 60,
		.receive_maximum = 1 + next(script),
		.packet_size_max = MQTT_PACKET_SIZE_LEAST,
		.pending_size_max = next(script),
	};

	memset(&world, 0, sizeof world);
	if (mqtt_session_new(&options, 0, &world.session) != 0) {
		abort();
	}
	/* Some spools know of a session with other subscriptions. */
	if (choices >= 0xc0) {
		static const uint8_t list[] = "old/#\0a";
		mqtt_session_remember(world.session, 0, 0, 0);
		fuzz_require(mqtt_session_remember_filters(
				     world.session, 0, slice_of(list, sizeof list)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice copy = fuzz_copy(data, size);
	struct slice script = copy;

	begin(&script);
	run();
	while (script.size > 0) {
		operate((enum operation)(next(&script) % OPERATION_COUNT), &script);
		run();
	}
	world.session = mqtt_session_free(world.session);
	fuzz_free(copy);
	return 0;
}
