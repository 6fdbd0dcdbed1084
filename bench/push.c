/* till-push: the cheapest honest producer: numbered frames of orders to an edge's ROUTER, a window of them unanswered.
 * Its own cost is part of what bench/run reports. Prints one JSON object. */
#include "bench/options.h"
#include "bench/order.h"
#include "proto/producer.h"
#include "runtime/clock.h"
#include "runtime/socket.h"
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct push {
	const char *to;
	int64_t count, frame, window, users, products, lines;
	struct context *context;
	struct socket *socket;
	struct buffer events, header;
	struct document document;
	int64_t sent_events, sent_frames, replied_frames, accepted, refused;
};

static void fail(const char *what, int code)
{
	fprintf(stderr, "till-push: %s: %d\n", what, code);
	exit(1);
}

/* The array's header is written by hand: its count fits 16 bits. */
static void encode_events(struct push *push, int64_t count)
{
	const struct bench_shape shape = {
		.users = push->users, .products = push->products, .lines = push->lines};
	buffer_clear(&push->events);
	buffer_append(
		&push->events, (const uint8_t[]){0xdc, (uint8_t)(count >> 8), (uint8_t)count}, 3);
	for (int64_t i = 0; i < count; i++) {
		bench_order_encode(&shape, (uint64_t)(push->sent_events + i), &push->events);
	}
}

static bool send_frame(struct push *push)
{
	const struct producer_header header = {.producer = slice_of_text("till-push"),
		.n = (uint64_t)(push->sent_events + push->frame)};
	encode_events(push, push->frame);
	buffer_clear(&push->header);
	producer_header_encode(&header, ENCODING_MSGPACK, &push->header);
	const struct iovec frames[] = {{NULL, 0}, {push->header.bytes, push->header.size},
		{push->events.bytes, push->events.size}};
	int r = socket_send(push->socket, frames, 3);
	if (r == SOCKET_E_AGAIN) {
		return false;
	}
	if (r != 0) {
		fail("send", r);
	}
	push->sent_events += push->frame;
	push->sent_frames++;
	return true;
}

static bool take_reply(struct push *push)
{
	static struct reply_error errors[REPLY_ERRORS_MAX];
	static struct message message;
	struct reply reply;
	struct complaint complaint;
	if (socket_receive(push->socket, &message) != 0) {
		return false;
	}
	const struct iovec *last = &message.frames[message.frame_count - 1];
	int r = reply_decode(&push->document, slice_of(last->iov_base, last->iov_len), errors,
		&reply, &complaint);
	if (r != 0) {
		fail(complaint.message, r);
	}
	push->replied_frames++;
	push->accepted += reply.accepted;
	push->refused += !reply.ok;
	return true;
}

/* Keeps the window full. A refused frame ends the run as a failure, since nothing is sent again here. */
static void push_all(struct push *push)
{
	while (push->replied_frames * push->frame < push->count) {
		bool moved = false;
		while (push->sent_events < push->count &&
			push->sent_frames - push->replied_frames < push->window &&
			send_frame(push)) {
			moved = true;
		}
		while (take_reply(push)) {
			moved = true;
		}
		if (!moved) {
			poll(NULL, 0, 1);
		}
	}
}

static void print_result(const struct push *push, int64_t start_us)
{
	struct rusage usage;
	double seconds = (double)(clock_monotonic_us() - start_us) / 1e6;
	getrusage(RUSAGE_SELF, &usage);
	double cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	printf("{\"orders\":%" PRId64 ",\"accepted\":%" PRId64 ",\"refused_frames\":%" PRId64
	       ",\"seconds\":%.3f,\"per_second\":%.0f,\"cpu_seconds\":%.3f}\n",
		push->sent_events, push->accepted, push->refused, seconds,
		(double)push->accepted / seconds, cpu_s);
}

int main(int argc, char **argv)
{
	struct push push = {.count = 1000000,
		.frame = 100,
		.window = 200,
		.users = 100000,
		.products = 5000,
		.lines = 3};
	const struct bench_option options[] = {
		{"--to", &push.to, NULL, "the edge's endpoint"},
		{"--count", NULL, &push.count, "orders; a multiple of --frame"},
		{"--frame", NULL, &push.frame, "orders in a frame, at most 10,000"},
		{"--window", NULL, &push.window, "frames without reply"},
		{"--users", NULL, &push.users, "distinct user ids"},
		{"--lines", NULL, &push.lines, "lines of one order"},
		{"--products", NULL, &push.products, "distinct products"},
		{0},
	};
	bench_options_parse(options, argc, argv);
	if (push.to == NULL || push.frame < 1 || push.frame > FRAME_EVENTS_MAX ||
		push.count % push.frame != 0) {
		fail("--to is needed, and --count as a multiple of --frame", 2);
	}
	buffer_init(&push.events, FRAME_SIZE_MAX);
	buffer_init(&push.header, HEADER_SIZE_MAX);
	if (document_init(&push.document, EVENT_NODES_MAX) != 0 ||
		context_new(&push.context) != 0 ||
		socket_new(push.context, SOCKET_DEALER, &(struct socket_options){0},
			&push.socket) != 0 ||
		socket_connect(push.socket, push.to) != 0) {
		fail("no socket", 1);
	}
	int64_t start_us = clock_monotonic_us();
	push_all(&push);
	print_result(&push, start_us);
	socket_free(push.socket);
	context_free(push.context);
	document_deinit(&push.document);
	buffer_deinit(&push.events);
	buffer_deinit(&push.header);
	return push.refused == 0 && push.accepted == push.count ? 0 : 1;
}
