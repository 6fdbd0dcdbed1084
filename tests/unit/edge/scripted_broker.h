/* scripted_broker.h - an MQTT 5 broker that follows a script, on the loop of the test: what it must hear next, and what it
 * says then. It knows packet types and ids; everything else it sends is written down byte by byte. */
#pragma once
#include "fixture.h"
#include "proto/buffer.h"
#include "runtime/loop.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

enum { SCRIPT_STEPS_MAX = 400, SCRIPT_HEARD_MAX = 64 * 1024 };
enum { SAYS_CONNACK = 0x20, HEARS_CONNECT = 0x10, HEARS_SUBSCRIBE = 0x82, HEARS_PUBACK = 0x40 };
enum { HEARS_PUBREC = 0x50, HEARS_PUBCOMP = 0x70, HEARS_DISCONNECT = 0xe0, HEARS_END = 1 };

struct script_step {
	uint8_t hears; /* a packet's first byte; 0: says; HEARS_END: the connection's end */
	int packet_id; /* of what is heard; -1: any or none */
	struct slice says; /* owned */
	bool says_suback; /* for the SUBSCRIBE heard last */
	uint8_t grants[2]; /* its codes, as many as there are topics: grants_count */
	uint8_t grants_count;
	bool hangs_up;
};

struct scripted_broker {
	struct loop *loop;
	int listener;
	int fd; /* the one connection; -1 */
	unsigned port;
	struct script_step steps[SCRIPT_STEPS_MAX];
	size_t step_count;
	size_t step;
	uint8_t heard[SCRIPT_HEARD_MAX];
	size_t heard_size;
	struct slice unsent; /* of what is being said */
	uint16_t subscribe_id;
	uint8_t suback[7];
	unsigned connections;
	/* Called before each packet that is heard is let pass. */
	void (*inspect)(void *owner, uint8_t first_byte);
	void *owner;
};

/* ---- writing the script */

static inline struct script_step *script_add(struct scripted_broker *broker)
{
	assert_true(broker->step_count < SCRIPT_STEPS_MAX);
	struct script_step *step = &broker->steps[broker->step_count++];
	*step = (struct script_step){.packet_id = -1};
	return step;
}

static inline void hear(struct scripted_broker *broker, uint8_t first_byte, int packet_id)
{
	struct script_step *step = script_add(broker);
	step->hears = first_byte;
	step->packet_id = packet_id;
}

static inline void say_bytes(struct scripted_broker *broker, const void *bytes, size_t size)
{
	uint8_t *copy = malloc(size);
	assert_non_null(copy);
	memcpy(copy, bytes, size);
	script_add(broker)->says = slice_of(copy, size);
}

static inline void hang_up(struct scripted_broker *broker)
{
	script_add(broker)->hangs_up = true;
}

/* CONNECT and what belongs to it: then messages may come. */
static inline void greet(struct scripted_broker *broker, bool session_present)
{
	const uint8_t connack[] = {0x20, 3, session_present ? 1 : 0, 0, 0};

	hear(broker, HEARS_CONNECT, -1);
	say_bytes(broker, connack, sizeof connack);
	hear(broker, HEARS_SUBSCRIBE, -1);
	struct script_step *suback = script_add(broker);
	suback->says_suback = true;
	suback->grants[0] = 2;
	suback->grants_count = 1;
}

struct script_publish {
	uint8_t qos;
	bool dup;
	uint16_t packet_id;
	const char *topic;
	const char *event_id; /* as a user property; NULL: none */
	const void *payload;
	size_t size; /* 0: payload is text */
};

static inline void put_text(struct buffer *buffer, const char *text)
{
	buffer_append_byte(buffer, (uint8_t)(strlen(text) >> 8));
	buffer_append_byte(buffer, (uint8_t)strlen(text));
	buffer_append_text(buffer, text);
}

static inline void put_number(struct buffer *buffer, size_t number)
{
	do {
		uint8_t more = number > 127 ? 0x80 : 0;
		buffer_append_byte(buffer, (uint8_t)(number & 0x7f) | more);
		number >>= 7;
	} while (number > 0);
}

static inline void publish(struct scripted_broker *broker, const struct script_publish *message)
{
	size_t size = message->size > 0 ? message->size : strlen(message->payload);
	struct buffer properties, body, packet;

	buffer_init(&properties, 1 << 10);
	buffer_init(&body, 1 << 24);
	buffer_init(&packet, 1 << 24);
	if (message->event_id != NULL) {
		buffer_append_byte(&properties, 0x26);
		put_text(&properties, "event_id");
		put_text(&properties, message->event_id);
	}
	put_text(&body, message->topic);
	if (message->qos > 0) {
		buffer_append_byte(&body, (uint8_t)(message->packet_id >> 8));
		buffer_append_byte(&body, (uint8_t)message->packet_id);
	}
	put_number(&body, properties.size);
	buffer_append(&body, properties.bytes, properties.size);
	buffer_append(&body, message->payload, size);
	buffer_append_byte(&packet, (uint8_t)(0x30 | message->qos << 1 | (message->dup ? 8 : 0)));
	put_number(&packet, body.size);
	buffer_append(&packet, body.bytes, body.size);
	assert_int_equal(packet.error, 0);
	say_bytes(broker, packet.bytes, packet.size);
	buffer_deinit(&properties);
	buffer_deinit(&body);
	buffer_deinit(&packet);
}

static inline void release(struct scripted_broker *broker, uint16_t packet_id)
{
	const uint8_t pubrel[] = {0x62, 2, (uint8_t)(packet_id >> 8), (uint8_t)packet_id};
	say_bytes(broker, pubrel, sizeof pubrel);
}

/* ---- following it */

/* What the socket does not take now waits: the edge reads on the same loop. */
static inline void broker_flush(struct scripted_broker *broker)
{
	ssize_t sent = 0;

	while (broker->unsent.size > 0 &&
		(sent = send(broker->fd, broker->unsent.bytes, broker->unsent.size,
			 MSG_NOSIGNAL | MSG_DONTWAIT)) > 0) {
		broker->unsent.bytes += sent;
		broker->unsent.size -= (size_t)sent;
	}
	loop_set_fd_interest(broker->loop, broker->fd, true, broker->unsent.size > 0);
}

static inline void broker_drop(struct scripted_broker *broker)
{
	loop_remove_fd(broker->loop, broker->fd);
	close(broker->fd);
	broker->fd = -1;
	broker->heard_size = 0;
	broker->unsent = (struct slice){NULL, 0};
}

static inline void broker_say(struct scripted_broker *broker, const struct script_step *step)
{
	if (step->hangs_up) {
		broker_drop(broker);
		return;
	}
	if (step->says_suback) {
		broker->suback[1] = (uint8_t)(3 + step->grants_count);
		broker->suback[2] = (uint8_t)(broker->subscribe_id >> 8);
		broker->suback[3] = (uint8_t)broker->subscribe_id;
		memcpy(broker->suback + 5, step->grants, sizeof step->grants);
	}
	broker->unsent =
		step->says_suback ? slice_of(broker->suback, 5u + step->grants_count) : step->says;
	broker_flush(broker);
}

static inline void broker_go_on(struct scripted_broker *broker)
{
	while (broker->unsent.size == 0 && broker->step < broker->step_count &&
		broker->steps[broker->step].hears == 0) {
		broker_say(broker, &broker->steps[broker->step++]);
	}
	if (broker->unsent.size == 0 && broker->step == broker->step_count) {
		loop_stop(broker->loop);
	}
}

static inline void broker_hear_packet(
	struct scripted_broker *broker, uint8_t first_byte, struct slice body)
{
	int packet_id = body.size >= 2 ? body.bytes[0] << 8 | body.bytes[1] : -1;
	const struct script_step *step = &broker->steps[broker->step];

	if (first_byte == 0xc0) {
		return; /* PINGREQ: tests are over before it matters */
	}
	assert_true(broker->step < broker->step_count);
	if (first_byte != step->hears || (step->packet_id >= 0 && packet_id != step->packet_id)) {
		fail_msg("step %zu: heard %02x of id %d, not %02x of id %d", broker->step,
			first_byte, packet_id, step->hears, step->packet_id);
	}
	if (first_byte == HEARS_SUBSCRIBE) {
		broker->subscribe_id = (uint16_t)packet_id;
	}
	if (broker->inspect != NULL) {
		broker->inspect(broker->owner, first_byte);
	}
	broker->step++;
	broker_go_on(broker);
}

/* Lengths of one or two bytes only: clients that receive say little. */
static inline bool broker_cut(struct scripted_broker *broker)
{
	const uint8_t *at = broker->heard;
	if (broker->heard_size < 2) {
		return false;
	}
	size_t head = (at[1] & 0x80) == 0 ? 2 : 3;
	if (broker->heard_size < head) {
		return false;
	}
	size_t size = (at[1] & 0x7fu) + (head == 3 ? (size_t)at[2] << 7 : 0);
	if (broker->heard_size < head + size) {
		return false;
	}
	uint8_t first_byte = at[0];
	uint8_t body[SCRIPT_HEARD_MAX / 4];
	assert_true(size <= sizeof body);
	memcpy(body, at + head, size);
	broker->heard_size -= head + size;
	memmove(broker->heard, broker->heard + head + size, broker->heard_size);
	broker_hear_packet(broker, first_byte, slice_of(body, size));
	return true;
}

/* While it has something to say it does not listen. */
static inline void broker_hear_all(struct scripted_broker *broker)
{
	while (broker->fd >= 0 && broker->unsent.size == 0 && broker_cut(broker)) {
	}
}

static inline int broker_on_ready(void *owner)
{
	struct scripted_broker *broker = owner;

	if (broker->unsent.size > 0) {
		broker_flush(broker);
		broker_go_on(broker);
		broker_hear_all(broker);
	}
	if (broker->fd < 0) {
		return 0;
	}
	ssize_t got = recv(broker->fd, broker->heard + broker->heard_size,
		sizeof broker->heard - broker->heard_size, MSG_DONTWAIT);
	if (got < 0 && errno == EAGAIN) {
		return 0;
	}
	if (got > 0) {
		broker->heard_size += (size_t)got;
		broker_hear_all(broker);
		return 0;
	}
	broker_drop(broker);
	if (broker->step < broker->step_count && broker->steps[broker->step].hears == HEARS_END) {
		broker->step++;
		broker_go_on(broker);
	}
	return 0;
}

static inline int broker_on_knock(void *owner)
{
	struct scripted_broker *broker = owner;

	assert_int_equal(broker->fd, -1); /* one at a time */
	broker->fd = accept(broker->listener, NULL, NULL);
	assert_true(broker->fd >= 0);
	broker->connections++;
	int r = loop_add_fd(broker->loop, broker->fd, broker_on_ready, broker);
	broker_go_on(broker);
	return r;
}

static inline void broker_open(struct scripted_broker *broker, struct loop *loop)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;

	*broker = (struct scripted_broker){.loop = loop, .fd = -1, .suback = {0x90}};
	broker->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(broker->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(broker->listener, 4), 0);
	assert_int_equal(getsockname(broker->listener, (struct sockaddr *)&address, &size), 0);
	broker->port = ntohs(address.sin_port);
	assert_int_equal(loop_add_fd(loop, broker->listener, broker_on_knock, broker), 0);
}

/* Forgets what was followed: another script may be written. */
static inline void broker_rewind(struct scripted_broker *broker)
{
	for (size_t i = 0; i < broker->step_count; i++) {
		free((void *)(uintptr_t)broker->steps[i].says.bytes);
	}
	broker->step = 0;
	broker->step_count = 0;
}

static inline void broker_close(struct scripted_broker *broker)
{
	broker_rewind(broker);
	if (broker->fd >= 0) {
		broker_drop(broker);
	}
	loop_remove_fd(broker->loop, broker->listener);
	close(broker->listener);
}
