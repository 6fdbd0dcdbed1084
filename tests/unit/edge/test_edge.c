/* The whole edge in a child process; here the producer and the bridge, over real sockets. Everything waits for an event,
 * and fails after ten seconds without it. */
#include "edge/edge.h"
#include "edge/spool.h"
#include "fixture.h"
#include "proto/compression.h"
#include "proto/wire.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/socket.h"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

enum { PATIENCE_MS = 10000, CREDIT = 1 << 20 };

struct bench {
	char dir[FIXTURE_PATH_SIZE];
	char bridge_endpoint[ENDPOINT_SIZE];
	char bridges[FIXTURE_PATH_SIZE + 16];
	int compression_level;
	char listen[128];
	char listen_push[128];
	pid_t child;
	struct context *context;
	struct loop *loop;
	struct socket *bridge;
	struct socket *producer;
	struct message message;
	struct message from_edge; /* keeps the frames of `heard` */
	struct wire_range ranges[WIRE_RANGES_MAX];
	struct wire_message heard;
	uint64_t session;
	int64_t deadline_ms;
};

/* ---- the child */

static void run_edge(const struct bench *bench, int ready_fd)
{
	struct edge_config config = {.id = "berlin-1",
		.data = (char *)(uintptr_t)bench->dir,
		.bridges = (char *)(uintptr_t)bench->bridges,
		.listen = "tcp://127.0.0.1:0",
		.listen_push = "tcp://127.0.0.1:0",
		.spool_max = 64 << 20,
		.share_percent = {100, 10, 10, 10, 10, 10},
		.timezone = "UTC",
		.currency = "EUR",
		.producer_ttl_ms = 3600000,
		.event_id_window = 1000,
		.drain_ms = 5000,
		.compression_level = bench->compression_level,
		.http_listen = "127.0.0.1:0"};
	struct program program = {.ready_fd = ready_fd};
	struct edge *edge = NULL;
	struct spool_error error = {""};

	log_init("test-edge", LOG_ERROR);
	int r = edge_new(&config, &(struct edge_decisions){0}, &edge, &error);
	if (r == 0) {
		r = edge_run(edge, &program);
	} else {
		fprintf(stderr, "# %s\n", error.text);
	}
	edge_free(edge);
	exit(r == 0 ? 0 : 1); /* not _exit: coverage is written at exit */
}

/* Copies the first endpoint of a list of the ready line. */
static void read_endpoint(const char *line, const char *key, char *out, size_t out_size)
{
	const char *at = strstr(line, key);
	assert_non_null(at);
	at = strchr(at + strlen(key), '"') + 1;
	snprintf(out, out_size, "%.*s", (int)strcspn(at, "\""), at);
}

static void start_edge(struct bench *bench)
{
	int fds[2];
	char line[1024] = "";

	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	bench->child = fork();
	if (bench->child == 0) {
		close(fds[0]);
		run_edge(bench, fds[1]);
	}
	close(fds[1]);
	FILE *ready = fdopen(fds[0], "r");
	assert_non_null(fgets(line, sizeof line, ready));
	fclose(ready);
	read_endpoint(line, "\"listen\":[", bench->listen, sizeof bench->listen);
	read_endpoint(line, "\"listen_push\":[", bench->listen_push, sizeof bench->listen_push);
}

static int wait_for_end(struct bench *bench)
{
	int status = 0;
	assert_int_equal(waitpid(bench->child, &status, 0), bench->child);
	bench->child = 0;
	return status;
}

/* ---- waiting */

static int on_readable(void *owner)
{
	struct bench *bench = owner;
	loop_stop(bench->loop);
	return 0;
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct bench *bench = owner;
	*ret_wait_ms = bench->deadline_ms - now_ms;
	return now_ms >= bench->deadline_ms ? -ETIMEDOUT : 0;
}

static void receive(struct bench *bench, struct socket *socket, struct message *message)
{
	bench->deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
	int r = socket_receive(socket, message);
	while (r == SOCKET_E_AGAIN) {
		assert_int_equal(loop_add_socket(bench->loop, socket, on_readable, bench), 0);
		assert_int_equal(loop_run(bench->loop), 0);
		loop_remove_socket(bench->loop, socket);
		r = socket_receive(socket, message);
	}
	assert_int_equal(r, 0);
}

static void send_texts(struct socket *socket, const char *first, const char *second)
{
	struct iovec frames[2] = {{(void *)(uintptr_t)first, strlen(first)},
		{(void *)(uintptr_t)second, second == NULL ? 0 : strlen(second)}};
	assert_int_equal(socket_send(socket, frames, second == NULL ? 1 : 2), 0);
}

/* ---- the bridge's side */

static void hear(struct bench *bench, enum wire_type type)
{
	struct complaint complaint;

	do { /* a connection that was left behind may still say BYE */
		receive(bench, bench->bridge, &bench->from_edge);
		assert_int_equal(bench->from_edge.frame_count, 2);
		struct iovec *frame = &bench->from_edge.frames[1];
		assert_int_equal(wire_decode(slice_of(frame->iov_base, frame->iov_len),
					 bench->ranges, &bench->heard, &complaint),
			0);
	} while (bench->heard.type == WIRE_BYE && type != WIRE_BYE);
	assert_int_equal(bench->heard.type, type);
}

static void say_bytes(struct bench *bench, const void *bytes, size_t size)
{
	struct iovec frames[2] = {bench->from_edge.frames[0], {(void *)(uintptr_t)bytes, size}};
	assert_int_equal(socket_send(bench->bridge, frames, 2), 0);
}

static void say(struct bench *bench, const struct wire_message *message)
{
	struct buffer buffer;
	buffer_init(&buffer, 4096);
	wire_encode(message, &buffer);
	assert_int_equal(buffer.error, 0);
	say_bytes(bench, buffer.bytes, buffer.size);
	buffer_deinit(&buffer);
}

static void welcome_with(struct bench *bench, enum wire_codec codec)
{
	hear(bench, WIRE_HELLO);
	assert_true(slice_equals_text(bench->heard.hello.edge, "berlin-1"));
	bench->session = bench->heard.session;
	struct wire_message message = {.type = WIRE_WELCOME, .session = bench->session};
	message.welcome.version = WIRE_VERSION;
	message.welcome.cluster_id = slice_of_text("C1");
	message.welcome.batch_size_max = BATCH_SIZE_MAX;
	message.welcome.codec = codec;
	for (int i = 0; i < LANE_COUNT; i++) {
		message.welcome.credit[i] = CREDIT;
	}
	say(bench, &message);
}

static void welcome(struct bench *bench)
{
	welcome_with(bench, CODEC_NONE);
}

static void say_bye(struct bench *bench, enum bye_code code)
{
	struct wire_message message = {.type = WIRE_BYE, .session = bench->session};
	message.bye.code = code;
	say(bench, &message);
}

static void answer_batch(struct bench *bench, enum wire_type type)
{
	struct wire_range range = {bench->heard.batch.number, bench->heard.batch.number};
	struct wire_message message = {.type = type, .session = bench->session};
	message.ack.ranges = &range;
	message.ack.range_count = 1;
	for (int i = 0; i < LANE_COUNT; i++) {
		message.ack.credit[i] = CREDIT;
	}
	if (type == WIRE_NACK) {
		message.ack.code = NACK_DELIVERY_FAILED;
		message.ack.retry_after_ms = 1;
	}
	say(bench, &message);
}

static int make(void **state, int compression_level)
{
	struct bench *bench = calloc(1, sizeof *bench);

	bench->compression_level = compression_level;
	make_temp_dir(bench->dir);
	/* The bridge's port must be known before the fork, and libzmq may only be started after it. */
	snprintf(bench->bridges, sizeof bench->bridges, "ipc://%s/bridge", bench->dir);
	start_edge(bench);
	assert_int_equal(loop_new(&bench->loop), 0);
	assert_int_equal(context_new(&bench->context), 0);
	assert_int_equal(loop_add_tick(bench->loop, on_tick, bench), 0);
	assert_int_equal(socket_new(bench->context, SOCKET_ROUTER, NULL, &bench->bridge), 0);
	assert_int_equal(socket_bind(bench->bridge, bench->bridges, bench->bridge_endpoint), 0);
	assert_int_equal(socket_new(bench->context, SOCKET_DEALER, NULL, &bench->producer), 0);
	assert_int_equal(socket_connect(bench->producer, bench->listen), 0);
	*state = bench;
	return 0;
}

static int make_bench(void **state)
{
	return make(state, 0);
}

static int make_compressing_bench(void **state)
{
	return make(state, COMPRESSION_LEVEL_DEFAULT);
}

static int drop_bench(void **state)
{
	struct bench *bench = *state;

	if (bench->child > 0) {
		kill(bench->child, SIGKILL);
		wait_for_end(bench);
	}
	message_clear(&bench->message);
	message_clear(&bench->from_edge);
	socket_free(bench->producer);
	socket_free(bench->bridge);
	context_free(bench->context);
	loop_free(bench->loop);
	remove_temp_dir(bench->dir);
	free(bench);
	return 0;
}

static void expect_reply(struct bench *bench, const char *words)
{
	receive(bench, bench->producer, &bench->message);
	struct iovec *last = &bench->message.frames[bench->message.frame_count - 1];
	if (memmem(last->iov_base, last->iov_len, words, strlen(words)) == NULL) {
		fail_msg(
			"\"%.*s\" lacks \"%s\"", (int)last->iov_len, (char *)last->iov_base, words);
	}
}

/* ---- */

static void test_an_order_goes_from_the_producer_to_the_bridge(void **state)
{
	struct bench *bench = *state;

	send_texts(bench->producer, "{\"producer\":\"p\",\"n\":1}", ORDER_JSON);
	expect_reply(bench, "\"accepted\":1");
	welcome(bench);
	hear(bench, WIRE_BATCH);
	assert_int_equal(bench->heard.batch.number, 1);
	assert_int_equal(bench->heard.batch.lane, KIND_ORDER);
	assert_int_equal(bench->heard.batch.count, 1);
	answer_batch(bench, WIRE_ACK);
	send_texts(bench->producer, "{\"producer\":\"p\",\"n\":1}", ORDER_JSON);
	expect_reply(bench, "\"repeated\":true");
	kill(bench->child, SIGTERM);
	hear(bench, WIRE_BYE);
	assert_int_equal(bench->heard.bye.code, BYE_SHUTTING_DOWN);
	assert_int_equal(wait_for_end(bench), 0);
}

static void test_the_first_acknowledgement_binds_the_spool_to_its_cluster(void **state)
{
	struct bench *bench = *state;
	struct spool_options options = {
		.dir = bench->dir, .edge = "berlin-1", .quota_bytes = 64 << 20};
	struct spool *spool = NULL;
	struct spool_error error = {""};

	send_texts(bench->producer, ORDER_JSON, NULL);
	expect_reply(bench, "\"accepted\":1");
	welcome(bench);
	hear(bench, WIRE_BATCH);
	answer_batch(bench, WIRE_ACK);
	kill(bench->child, SIGTERM);
	hear(bench, WIRE_BYE);
	assert_int_equal(wait_for_end(bench), 0);
	assert_int_equal(spool_new(&options, &spool, &error), 0);
	assert_string_equal(spool_identity(spool)->cluster, "C1");
	assert_int_equal(spool_index(spool)->lanes[KIND_ORDER].blocks, 0);
	spool_free(spool);
}

static void test_what_was_not_acknowledged_comes_again_after_a_kill(void **state)
{
	struct bench *bench = *state;
	struct event first;
	struct event second;
	struct complaint complaint;
	struct document document;

	assert_int_equal(document_init(&document, EVENT_NODES_MAX), 0);
	send_texts(bench->producer, ORDER_JSON, NULL);
	expect_reply(bench, "\"accepted\":1");
	welcome(bench);
	hear(bench, WIRE_BATCH);
	assert_int_equal(event_decode(&document, ENCODING_MSGPACK, bench->heard.batch.events,
				 &first, &complaint),
		0);
	uint64_t run = first.certificate.run;
	kill(bench->child, SIGKILL);
	wait_for_end(bench);

	/* libzmq's threads don't survive a fork: everything of ours is closed before the next. */
	message_clear(&bench->from_edge);
	bench->producer = socket_free(bench->producer);
	bench->bridge = socket_free(bench->bridge);
	bench->context = context_free(bench->context);
	start_edge(bench);
	assert_int_equal(context_new(&bench->context), 0);
	assert_int_equal(socket_new(bench->context, SOCKET_ROUTER, NULL, &bench->bridge), 0);
	assert_int_equal(socket_bind(bench->bridge, bench->bridges, bench->bridge_endpoint), 0);
	welcome(bench);
	assert_int_not_equal(bench->heard.hello.run, run); /* a new run, the old certificate */
	hear(bench, WIRE_BATCH);
	assert_int_equal(event_decode(&document, ENCODING_MSGPACK, bench->heard.batch.events,
				 &second, &complaint),
		0);
	assert_int_equal(second.certificate.run, run);
	assert_int_equal(second.certificate.seq, 1);
	document_deinit(&document);
}

static void test_a_nack_and_a_broken_bridge_lose_nothing(void **state)
{
	struct bench *bench = *state;

	send_texts(bench->producer, CART_JSON, NULL);
	expect_reply(bench, "\"accepted\":1");
	welcome(bench);
	hear(bench, WIRE_BATCH);
	answer_batch(bench, WIRE_NACK);
	hear(bench, WIRE_BATCH);
	assert_int_equal(bench->heard.batch.number, 2);
	say_bytes(bench, "garbage", 7);
	hear(bench, WIRE_BYE);
	assert_int_equal(bench->heard.bye.code, BYE_BAD_FRAME);
	welcome(bench);
	hear(bench, WIRE_BATCH);
	assert_int_equal(bench->heard.batch.number, 1);
	assert_int_equal(bench->heard.batch.lane, KIND_CART);
}

static void test_pushed_frames_arrive_and_garbage_is_a_dead_letter(void **state)
{
	struct bench *bench = *state;
	struct socket *push = NULL;
	bool lanes[LANE_COUNT] = {false};

	assert_int_equal(socket_new(bench->context, SOCKET_PUSH, NULL, &push), 0);
	assert_int_equal(socket_connect(push, bench->listen_push), 0);
	send_texts(push, VIEW_JSON, NULL);
	send_texts(push, "{\"producer\":\"p\",\"n\":1}", ORDER_JSON);
	send_texts(push, "[{", NULL);
	welcome(bench);
	while (!lanes[KIND_VIEW] || !lanes[KIND_ORDER] || !lanes[KIND_ORDER_DLQ]) {
		hear(bench, WIRE_BATCH);
		lanes[bench->heard.batch.lane] = true;
		answer_batch(bench, WIRE_ACK);
	}
	socket_free(push);
}

/* What a client put before its events comes back before the reply. */
static void test_envelopes_are_echoed(void **state)
{
	struct bench *bench = *state;
	struct iovec frames[4] = {{"id", 2}, {"", 0}, {"{\"producer\":\"p\",\"n\":7}", 22},
		{ORDER_JSON, sizeof ORDER_JSON - 1}};

	assert_int_equal(socket_send(bench->producer, frames, 4), 0);
	expect_reply(bench, "\"last_n\":7");
	assert_int_equal(bench->message.frame_count, 3);
	assert_memory_equal(bench->message.frames[0].iov_base, "id", 2);
	assert_int_equal(bench->message.frames[1].iov_len, 0);

	struct iovec three[3] = {{"a", 1}, {"b", 1}, {ORDER_JSON, sizeof ORDER_JSON - 1}};
	assert_int_equal(socket_send(bench->producer, three, 3), 0);
	expect_reply(bench, "bad_frame");
}

static void test_a_stopping_edge_waits_for_what_is_unacknowledged(void **state)
{
	struct bench *bench = *state;

	send_texts(bench->producer, ORDER_JSON, NULL);
	expect_reply(bench, "\"accepted\":1");
	welcome(bench);
	hear(bench, WIRE_BATCH);
	kill(bench->child, SIGTERM);
	do { /* the signal comes when it comes */
		send_texts(bench->producer, "[", NULL);
		receive(bench, bench->producer, &bench->message);
	} while (memmem(bench->message.frames[0].iov_base, bench->message.frames[0].iov_len,
			 "shutting_down", 13) == NULL);
	answer_batch(bench, WIRE_ACK);
	hear(bench, WIRE_BYE);
	assert_int_equal(wait_for_end(bench), 0);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, drop_bench)

/* A bridge that can't decompress what it said it can: the same events come as they lie in the spool. */
static void test_what_comes_compressed_comes_plain_after_a_refusal(void **state)
{
	struct bench *bench = *state;
	struct decompressor *decompressor = NULL;
	struct complaint complaint;
	struct slice plain;

	assert_int_equal(decompressor_new(&decompressor), 0);
	send_texts(bench->producer, "[" ORDER_JSON "," ORDER_JSON "," ORDER_JSON "]", NULL);
	expect_reply(bench, "\"accepted\":3");
	welcome_with(bench, CODEC_ZSTD);
	assert_int_equal(bench->heard.hello.codecs, WIRE_AGES | 1u << CODEC_ZSTD);
	hear(bench, WIRE_BATCH);
	assert_int_equal(bench->heard.batch.count, 3);
	assert_true(bench->heard.batch.plain_size > bench->heard.batch.events.size);
	assert_int_equal(decompressor_unpack(decompressor, bench->heard.batch.events,
				 bench->heard.batch.plain_size, &plain, &complaint),
		0);
	say_bye(bench, BYE_BAD_FRAME);
	welcome(bench);
	assert_int_equal(bench->heard.hello.codecs, 0);
	hear(bench, WIRE_BATCH);
	assert_int_equal(bench->heard.batch.plain_size, 0);
	assert_true(slice_equal(bench->heard.batch.events, plain));
	answer_batch(bench, WIRE_ACK);
	decompressor_free(decompressor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_an_order_goes_from_the_producer_to_the_bridge),
		BENCH_TEST(test_the_first_acknowledgement_binds_the_spool_to_its_cluster),
		BENCH_TEST(test_what_was_not_acknowledged_comes_again_after_a_kill),
		BENCH_TEST(test_a_nack_and_a_broken_bridge_lose_nothing),
		BENCH_TEST(test_pushed_frames_arrive_and_garbage_is_a_dead_letter),
		BENCH_TEST(test_envelopes_are_echoed),
		cmocka_unit_test_setup_teardown(
			test_what_comes_compressed_comes_plain_after_a_refusal,
			make_compressing_bench, drop_bench),
		BENCH_TEST(test_a_stopping_edge_waits_for_what_is_unacknowledged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
