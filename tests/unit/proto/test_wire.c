/* Messages between edge and bridge: each comes back as it was sent, and what breaks a rule is a bad frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/wire.h"

#define SESSION UINT64_C(0xfedcba9876543210)

static struct buffer buffer;
static struct wire_range ranges[WIRE_RANGES_MAX];

static int set_up(void **state)
{
	(void)state;
	buffer_init(&buffer, 1 << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buffer_deinit(&buffer);
	return 0;
}

/* Decodes from a block of exactly the frame's size, so that a sanitizer sees an overread; every cut must be refused. */
static int decode_exactly(struct slice frame, struct wire_message *ret_message)
{
	struct complaint complaint;
	uint8_t *copy = malloc(frame.size + 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, frame.bytes, frame.size);
	r = wire_decode(slice_of(copy, frame.size), ranges, ret_message, &complaint);
	free(copy);
	return r;
}

static struct wire_message encode_and_decode(const struct wire_message *message)
{
	struct wire_message again, ignored;
	struct complaint complaint;

	buffer_clear(&buffer);
	wire_encode(message, &buffer);
	assert_int_equal(buffer.error, 0);
	for (size_t size = 0; size < buffer.size; size++) {
		assert_int_equal(
			decode_exactly(slice_of(buffer.bytes, size), &ignored), REASON_BAD_FRAME);
	}
	buffer_append_byte(&buffer, 0);
	assert_int_equal(decode_exactly(buffer_slice(&buffer), &ignored), REASON_BAD_FRAME);
	buffer_truncate(&buffer, buffer.size - 1);
	assert_int_equal(wire_decode(buffer_slice(&buffer), ranges, &again, &complaint), 0);
	assert_int_equal(again.type, message->type);
	assert_true(again.session == message->session);
	return again;
}

static struct wire_message hello(void)
{
	struct wire_message message = {.type = WIRE_HELLO, .session = SESSION};

	message.hello.version = WIRE_VERSION;
	message.hello.edge = slice_of_text("United Kingdom");
	message.hello.run = RUN_MAX;
	message.hello.program = slice_of_text("till-edge 0.1.0");
	return message;
}

static void test_hello(void **state)
{
	struct wire_message message = hello();
	struct wire_message again = encode_and_decode(&message);

	(void)state;
	assert_int_equal(again.hello.version, WIRE_VERSION);
	assert_true(slice_equals_text(again.hello.edge, "United Kingdom"));
	assert_true(again.hello.run == RUN_MAX);
	assert_true(slice_equals_text(again.hello.program, "till-edge 0.1.0"));
}

static void test_what_an_older_peer_does_not_know_is_left_out(void **state)
{
	struct wire_message message = hello();
	struct wire_message again = encode_and_decode(&message);

	(void)state;
	assert_int_equal(again.hello.codecs, 0);
	message.hello.codecs = 1u << CODEC_ZSTD;
	again = encode_and_decode(&message);
	assert_int_equal(again.hello.codecs, 1u << CODEC_ZSTD);
}

/* Frames written by hand. */
static void test_unknown_codecs_mean_nothing(void **state)
{
	static const char none[] = "\x97\x01\x01\xa1x\x01\x01\xa0\x90";
	static const char several[] = "\x97\x01\x01\xa1x\x01\x01\xa0\x93\xa3lz4\xa4zstd\xa4none";
	struct complaint complaint;
	struct wire_message message;

	(void)state;
	assert_int_equal(
		wire_decode(slice_of(none, sizeof none - 1), ranges, &message, &complaint), 0);
	assert_int_equal(message.hello.codecs, 0);
	assert_int_equal(
		wire_decode(slice_of(several, sizeof several - 1), ranges, &message, &complaint),
		0);
	assert_int_equal(message.hello.codecs, 1u << CODEC_ZSTD);
}

static void test_another_version_is_read_as_far_as_its_number(void **state)
{
	static const uint8_t longer_hello[] = {0x93, 1, 2, 0xc0};
	static const uint8_t longer_welcome[] = {0x92, 2, 0xcd, 1, 0};
	struct complaint complaint;
	struct wire_message message;

	(void)state;
	assert_int_equal(wire_decode(slice_of(longer_hello, 4), ranges, &message, &complaint), 0);
	assert_int_equal(message.type, WIRE_HELLO);
	assert_int_equal(message.hello.version, 2);
	assert_int_equal(wire_decode(slice_of(longer_welcome, 5), ranges, &message, &complaint), 0);
	assert_int_equal(message.welcome.version, 256);
}

static struct wire_message welcome(void)
{
	struct wire_message message = {.type = WIRE_WELCOME, .session = SESSION};

	message.welcome.version = WIRE_VERSION;
	message.welcome.cluster_id = slice_of_text("5L6g3nShT-eMCtK--X86sw");
	message.welcome.topics_hash = UINT64_MAX;
	message.welcome.batch_size_max = BATCH_SIZE_MAX;
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		message.welcome.credit[lane] = 100u << lane;
	}
	return message;
}

static void test_welcome(void **state)
{
	struct wire_message message = welcome();
	struct wire_message again = encode_and_decode(&message);

	(void)state;
	assert_true(slice_equals_text(again.welcome.cluster_id, "5L6g3nShT-eMCtK--X86sw"));
	assert_true(again.welcome.topics_hash == UINT64_MAX);
	assert_int_equal(again.welcome.batch_size_max, BATCH_SIZE_MAX);
	assert_memory_equal(
		again.welcome.credit, message.welcome.credit, sizeof message.welcome.credit);
}

static void test_a_welcome_may_choose_a_codec(void **state)
{
	struct wire_message message = welcome();
	struct wire_message again = encode_and_decode(&message);

	(void)state;
	assert_int_equal(again.welcome.codec, CODEC_NONE);
	message.welcome.codec = CODEC_ZSTD;
	again = encode_and_decode(&message);
	assert_int_equal(again.welcome.codec, CODEC_ZSTD);
}

static void test_a_compressed_batch_bears_its_plain_size(void **state)
{
	static const uint8_t frame[256] = {0x28, 0xb5, 0x2f, 0xfd};
	struct wire_message message = {.type = WIRE_BATCH, .session = 1};
	struct wire_message again;

	(void)state;
	message.batch.number = 1;
	message.batch.count = 1000; /* more events than bytes that came */
	message.batch.events = slice_of(frame, sizeof frame);
	message.batch.plain_size = BATCH_SIZE_MAX;
	again = encode_and_decode(&message);
	assert_int_equal(again.batch.plain_size, BATCH_SIZE_MAX);
	assert_int_equal(again.batch.events.size, sizeof frame);
	message.batch.plain_size = 0;
	message.batch.count = 1;
	again = encode_and_decode(&message);
	assert_int_equal(again.batch.plain_size, 0);
}

static void test_batch(void **state)
{
	static const size_t sizes[] = {2, 200, 300, 70000};
	struct wire_message message = {.type = WIRE_BATCH, .session = 1};
	uint8_t *events = calloc(1, 70000);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		message.batch.number = i + 1;
		message.batch.lane = KIND_VIEW_DLQ;
		message.batch.count = 2;
		message.batch.events = slice_of(events, sizes[i]);
		buffer_clear(&buffer);
		wire_encode(&message, &buffer);
		struct complaint complaint;
		struct wire_message again;
		assert_int_equal(wire_decode(buffer_slice(&buffer), ranges, &again, &complaint), 0);
		assert_true(again.batch.number == i + 1);
		assert_int_equal(again.batch.lane, KIND_VIEW_DLQ);
		assert_int_equal(again.batch.count, 2);
		assert_int_equal(again.batch.events.size, sizes[i]);
		assert_true(buffer.size <= sizes[i] + 64);
	}
	free(events);
	message.batch.events = slice_of("ab", 2);
	encode_and_decode(&message);
}

static void test_ack_and_nack(void **state)
{
	struct wire_range sent[] = {{1, 3}, {4, 4}, {7, INT64_MAX}};
	struct wire_message message = {.type = WIRE_ACK, .session = SESSION};
	struct wire_message again;

	(void)state;
	message.ack.ranges = sent;
	message.ack.range_count = 3;
	message.ack.credit[KIND_VIEW_DLQ] = INT64_MAX;
	again = encode_and_decode(&message);
	assert_int_equal(again.ack.range_count, 3);
	assert_memory_equal(again.ack.ranges, sent, sizeof sent);
	assert_true(again.ack.credit[KIND_VIEW_DLQ] == INT64_MAX);

	message.ack.range_count = 0; /* only credit */
	again = encode_and_decode(&message);
	assert_int_equal(again.ack.range_count, 0);

	message.type = WIRE_NACK;
	message.ack.range_count = 1;
	message.ack.code = NACK_TOPIC_REFUSED;
	message.ack.retry_after_ms = 1000;
	again = encode_and_decode(&message);
	assert_int_equal(again.ack.range_count, 1);
	assert_int_equal(again.ack.code, NACK_TOPIC_REFUSED);
	assert_int_equal(again.ack.retry_after_ms, 1000);
}

static void test_the_most_ranges_fit_into_a_frame(void **state)
{
	struct wire_message message = {.type = WIRE_ACK, .session = SESSION};
	struct wire_range sent[WIRE_RANGES_MAX];
	struct complaint complaint;
	struct wire_message again;

	(void)state;
	for (uint64_t i = 0; i < WIRE_RANGES_MAX; i++) {
		uint64_t number = (UINT64_C(1) << 60) + 2 * i;
		sent[i] = (struct wire_range){number, number};
	}
	message.ack.ranges = sent;
	message.ack.range_count = WIRE_RANGES_MAX;
	buffer_clear(&buffer);
	wire_encode(&message, &buffer);
	assert_true(buffer.size <= WIRE_FRAME_SIZE_MAX);
	assert_int_equal(wire_decode(buffer_slice(&buffer), ranges, &again, &complaint), 0);
	assert_int_equal(again.ack.range_count, WIRE_RANGES_MAX);
}

static void test_state(void **state)
{
	struct wire_message message = {.type = WIRE_STATE, .session = SESSION};
	struct wire_message again;

	(void)state;
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		message.state[lane].waiting_ms = -1;
	}
	message.state[KIND_CART].waiting_ms = 5000;
	message.state[KIND_CART].since_ms = INT64_C(1291191960000);
	message.state[KIND_CART].why = slice_of_text("topic cart_events is missing");
	again = encode_and_decode(&message);
	assert_true(again.state[KIND_ORDER].waiting_ms == -1);
	assert_true(again.state[KIND_CART].waiting_ms == 5000);
	assert_true(again.state[KIND_CART].since_ms == INT64_C(1291191960000));
	assert_true(slice_equals_text(again.state[KIND_CART].why, "topic cart_events is missing"));
}

static void test_bye(void **state)
{
	struct wire_message message = {.type = WIRE_BYE};
	struct wire_message again;

	(void)state;
	message.bye.code = BYE_NO_SESSION;
	message.bye.words = slice_of_text("say HELLO first");
	again = encode_and_decode(&message); /* without a session, too */
	assert_int_equal(again.bye.code, BYE_NO_SESSION);
	assert_true(slice_equals_text(again.bye.words, "say HELLO first"));
	assert_string_equal(bye_code_name(again.bye.code), "no_session");
	assert_string_equal(nack_code_name(NACK_BUSY), "busy");
}

/* Frames written by hand; each breaks one rule. */
static void test_what_breaks_a_rule_is_a_bad_frame(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} frames[] = {
#define FRAME(text) {text, sizeof(text) - 1}
		FRAME(""),
		FRAME("\x90"),
		FRAME("\x80"),
		FRAME("\x91\x00"),
		FRAME("\x91\x08"),
		FRAME("\x94\x07\x01\x00\xa0"), /* BYE without a code */
		FRAME("\x94\x07\x01\x08\xa0"), /* a code that is none */
		FRAME("\x94\x07\x01\x01\xa1\xff"), /* words that are not UTF-8 */
		FRAME("\x95\x07\x01\x01\xa0\x01"), /* an element too many */
		FRAME("\x93\x07\x01\x01\xa0"), /* one too few declared */
		FRAME("\x94\x07\xff\x01\xa0"), /* a negative session */
		FRAME("\x96\x01\x01\xa1 \x01\x01\xa0"), /* an edge that is a space */
		FRAME("\x96\x01\x01\xa0\x01\x01\xa0"), /* an edge that is empty */
		FRAME("\x96\x01\x01\xa1x\x00\x01\xa0"), /* run 0 */
		FRAME("\x96\x01\x01\xa1x\xcf\x00\x20\x00\x00\x00\x00\x00\x00\x01\xa0"), /* 2^53 */
		FRAME("\x96\x01\x01\xa1x\x01\x00\xa0"), /* session 0 */
		FRAME("\x96\x03\x01\x00\x00\x01\xc4\x01x"), /* number 0 */
		FRAME("\x96\x03\x01\x01\x06\x01\xc4\x01x"), /* lane 6 */
		FRAME("\x96\x03\x01\x01\x00\x00\xc4\x01x"), /* no event */
		FRAME("\x96\x03\x01\x01\x00\x02\xc4\x01x"), /* more events than bytes */
		FRAME("\x96\x03\x01\x01\x00\x01\xc4\x00"), /* no bytes */
		FRAME("\x96\x03\x01\x01\x00\x01\xa1x"), /* text, not bin */
		FRAME("\x96\x03\x01\x01\x00\x01\xc6\xff\xff\xff\xffx"),
		FRAME("\x97\x03\x01\x01\x00\x01\xc4\x02xy\x02"), /* not smaller than plain */
		FRAME("\x97\x03\x01\x01\x00\x04\xc4\x02xy\x03"), /* more events than plain bytes */
		FRAME("\x97\x03\x01\x01\x00\x01\xc4\x00\x03"), /* compressed to nothing */
		FRAME("\x97\x03\x01\x01\x00\x01\xc4\x02xy\xcd\x08\x01"), /* 2 bytes of 2,049 */
		FRAME("\x97\x03\x01\x01\x00\x01\xc4\x02xy\xc0"), /* a size that is nil */
		FRAME("\x98\x03\x01\x01\x00\x01\xc4\x02xy\x03\x00"), /* an element too many */
		FRAME("\x97\x01\x01\xa1x\x01\x01\xa0\xa4zstd"), /* codecs: no array */
		FRAME("\x97\x01\x01\xa1x\x01\x01\xa0\x91\x01"), /* a codec that is a number */
		FRAME("\x97\x01\x01\xa1x\x01\x01\xa0\x91\xb1"
		      "0123456789abcdefg"),
		FRAME("\x97\x01\x01\xa1x\x01\x01\xa0\x99\xa0\xa0\xa0\xa0\xa0\xa0\xa0\xa0\xa0"), /* nine */
		FRAME("\x94\x04\x01\x91\x01\x96\x00\x00\x00\x00\x00\x00"), /* half a range */
		FRAME("\x94\x04\x01\x92\x02\x01\x96\x00\x00\x00\x00\x00\x00"), /* backwards */
		FRAME("\x94\x04\x01\x94\x01\x03\x03\x04\x96\x00\x00\x00\x00\x00\x00"), /* overlap */
		FRAME("\x94\x04\x01\x94\x05\x06\x01\x02\x96\x00\x00\x00\x00\x00\x00"), /* falling */
		FRAME("\x94\x04\x01\x92\x00\x01\x96\x00\x00\x00\x00\x00\x00"), /* number 0 */
		FRAME("\x94\x04\x01\x90\x95\x00\x00\x00\x00\x00"), /* five lanes */
		FRAME("\x94\x04\x01\xdd\xff\xff\xff\xfe\x01"), /* 2^31 ranges */
		FRAME("\x95\x05\x01\x90\x01\x00"), /* NACK of nothing */
		FRAME("\x95\x05\x01\x92\x01\x01\x05\x00"), /* a code that is none */
		FRAME("\x95\x05\x01\x92\x01\x01\x01\xce\x00\x36\xee\x81"), /* an hour and 1 ms */
		FRAME("\x93\x06\x01\x96\xc0\xc0\xc0\xc0\xc0\x92\x01\x01"),
		FRAME("\x93\x06\x01\x96\xc0\xc0\xc0\xc0\xc0\x01"),
#undef FRAME
	};
	struct wire_message message;

	(void)state;
	for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
		int r = decode_exactly(slice_of(frames[i].bytes, frames[i].size), &message);
		if (r != REASON_BAD_FRAME) {
			fail_msg("frame %zu was taken", i);
		}
	}
}

/* Some packers write small integers wide or signed, and text with a long head. */
static void test_every_width_is_read(void **state)
{
	static const char wide[] = "\xdc\x00\x04\xd3\x00\x00\x00\x00\x00\x00\x00\x07\xcd\x00\x01"
				   "\xd0\x01\xdb\x00\x00\x00\x02ok";
	struct complaint complaint;
	struct wire_message message;

	(void)state;
	assert_int_equal(
		wire_decode(slice_of(wide, sizeof wide - 1), ranges, &message, &complaint), 0);
	assert_int_equal(message.bye.code, BYE_SHUTTING_DOWN);
	assert_true(slice_equals_text(message.bye.words, "ok"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_what_an_older_peer_does_not_know_is_left_out),
		cmocka_unit_test(test_unknown_codecs_mean_nothing),
		cmocka_unit_test(test_another_version_is_read_as_far_as_its_number),
		cmocka_unit_test(test_welcome),
		cmocka_unit_test(test_a_welcome_may_choose_a_codec),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_a_compressed_batch_bears_its_plain_size),
		cmocka_unit_test(test_ack_and_nack),
		cmocka_unit_test(test_the_most_ranges_fit_into_a_frame),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_bye),
		cmocka_unit_test(test_what_breaks_a_rule_is_a_bad_frame),
		cmocka_unit_test(test_every_width_is_read),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
