/* reception_bench.h - a reception whose socket and sink are the test's own: what it sends lands in `sent`. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bridge/reception.h"
#include "runtime/keyring.h"
#include "runtime/metrics.h"
#include "runtime/socket.h"
#include "samples.h"
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

enum { SENT_MAX = 64 };

struct letterbox {
	char peer[16];
	uint8_t bytes[8192];
	size_t size;
};

static struct letterbox sent[SENT_MAX];
static size_t sent_count, read_count;
static int send_result;
static uint64_t last_ticket __attribute__((unused));

static struct samples samples;
static struct topics topics;
static struct tracker tracker;
static struct sessions *sessions;
static struct metrics *metrics;
static struct bridge_metrics numbers;
static struct lane lanes[LANE_COUNT];
static struct pipeline pipeline;
static struct post post;
static struct reception reception;
static struct wire_range ranges[WIRE_RANGES_MAX];
static const char *address; /* of whoever speaks; "": this machine */

int socket_send(struct socket *socket, const struct iovec *frames, size_t frame_count)
{
	(void)socket;
	assert_int_equal(frame_count, 2);
	if (send_result != 0) {
		return send_result;
	}
	struct letterbox *box = &sent[sent_count++];
	assert_true(sent_count <= SENT_MAX && frames[1].iov_len <= sizeof box->bytes);
	snprintf(box->peer, sizeof box->peer, "%.*s", (int)frames[0].iov_len,
		(const char *)frames[0].iov_base);
	memcpy(box->bytes, frames[1].iov_base, frames[1].iov_len);
	box->size = frames[1].iov_len;
	return 0;
}

int sink_put(struct sink *sink, const struct sink_record *record)
{
	(void)sink;
	last_ticket = record->ticket;
	return 0;
}

const char *sink_error(const struct sink *sink)
{
	(void)sink;
	return "";
}

int sink_repeat(struct sink *sink, const struct sink_report *report)
{
	(void)sink;
	(void)report;
	return SINK_E_DOWN;
}

static inline int set_up(void **state)
{
	(void)state;
	static const char *const names[] = {"orders", "cart_events", "page_views"};
	struct complaint complaint;
	sent_count = read_count = 0;
	send_result = 0;
	address = "";
	topics = (struct topics){.partitions = 4};
	assert_int_equal(topic_names_fill(names, topics.names, &complaint), 0);
	tracker_init(&tracker);
	samples_init(&samples);
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		lane_init(&lanes[lane], 0);
		lane_open(&lanes[lane], 0);
	}
	int r = metrics_new(&metrics) | bridge_metrics_init(&numbers, metrics, &topics) |
		sessions_new(&sessions);
	const struct pipeline_parts parts = {.topics = &topics,
		.sessions = sessions,
		.tracker = &tracker,
		.lanes = lanes,
		.metrics = &numbers};
	post_init(&post, NULL, sessions, &numbers);
	reception = (struct reception){
		.sessions = sessions,
		.tracker = &tracker,
		.pipeline = &pipeline,
		.post = &post,
		.metrics = &numbers,
		.topics_hash = 42,
		.cluster_id = "cluster",
	};
	reception.may_compress = true;
	return r | pipeline_init(&pipeline, &parts);
}

static inline int tear_down(void **state)
{
	(void)state;
	post_deinit(&post);
	pipeline_deinit(&pipeline);
	sessions = sessions_free(sessions);
	metrics = metrics_free(metrics);
	tracker_deinit(&tracker);
	samples_deinit(&samples);
	return 0;
}

static inline void say_bytes(const char *peer, const void *bytes, size_t size)
{
	struct message message = {.frame_count = 2};
	message.frames[0] = (struct iovec){(void *)(uintptr_t)peer, strlen(peer)};
	message.frames[1] = (struct iovec){(void *)(uintptr_t)bytes, size};
	strcpy(message.peer_address, address);
	assert_int_equal(reception_take(&reception, &message), 0);
}

static inline void say(const char *peer, const struct wire_message *message)
{
	struct buffer frame;
	buffer_init(&frame, WIRE_FRAME_SIZE_MAX);
	wire_encode(message, &frame);
	assert_int_equal(frame.error, 0);
	say_bytes(peer, frame.bytes, frame.size);
	buffer_deinit(&frame);
}

static inline void say_hello_as(const char *peer, uint64_t run, uint64_t session, uint32_t version)
{
	const struct wire_message hello = {
		.type = WIRE_HELLO,
		.session = session,
		.hello = {version, slice_of_text("uk"), run, slice_of_text("test"), 0},
	};
	say(peer, &hello);
}

static inline void say_hello(const char *peer, uint64_t run, uint64_t session)
{
	say_hello_as(peer, run, session, WIRE_VERSION);
}

/* The samples, as an order batch. */
static inline void say_batch(const char *peer, uint64_t session, uint64_t number, uint32_t count)
{
	const struct wire_message batch = {
		.type = WIRE_BATCH,
		.session = session,
		.batch = {number, KIND_ORDER, count, buffer_slice(&samples.batch), 0},
	};
	say(peer, &batch);
}

/* The next frame that the bridge sent: to this peer, of this type. */
static inline struct wire_message hear(const char *peer, enum wire_type type)
{
	struct wire_message message = {0};
	struct complaint complaint;
	assert_true(read_count < sent_count);
	const struct letterbox *box = &sent[read_count++];
	assert_string_equal(box->peer, peer);
	assert_int_equal(
		wire_decode(slice_of(box->bytes, box->size), ranges, &message, &complaint), 0);
	assert_int_equal(message.type, type);
	return message;
}

static inline void hear_bye(const char *peer, uint64_t session, enum bye_code code)
{
	struct wire_message bye = hear(peer, WIRE_BYE);
	assert_string_equal(bye_code_name(bye.bye.code), bye_code_name(code));
	assert_int_equal(bye.session, session);
}
