/* A session by steps: frames are left out, doubled, swapped, put in, and changed as the msgpack that they are. */
#include "proto/wire.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/session.h"
#include "tests/fuzz/words.h"

enum { FRAME_ROOM = 512, NEAR = 4 };

/* ---- new frames */

static uint64_t draw_credit(struct chance *chance)
{
	static const uint64_t credits[] = {
		0, 1, 1000, 128 * 1024, 1 << 20, 16 << 20, INT64_MAX, UINT64_MAX};

	return credits[chance_draw(chance, WORD_COUNT(credits))];
}

static void fill_hello(struct chance *chance, struct wire_message *message)
{
	static const char *const edges[] = {"uk", "uk", "de", "a far away one"};

	message->hello.version = chance_one_in(chance, 8) ? 2 : WIRE_VERSION;
	message->hello.edge = slice_of_text(edges[chance_draw(chance, WORD_COUNT(edges))]);
	message->hello.run = 1 + chance_draw(chance, 3);
	message->hello.program = slice_of_text("till-edge 0");
	message->hello.codecs =
		chance_draw(chance, 1 << CODEC_COUNT) | (chance_one_in(chance, 2) ? WIRE_AGES : 0);
}

static void fill_welcome(struct chance *chance, struct wire_message *message)
{
	message->welcome.version = chance_one_in(chance, 8) ? 2 : WIRE_VERSION;
	message->welcome.cluster_id = slice_of_text(chance_one_in(chance, 8) ? "other" : "cluster");
	message->welcome.topics_hash = chance_one_in(chance, 8) ? 43 : 42;
	message->welcome.batch_size_max =
		WIRE_BATCH_SIZE_LEAST + chance_draw(chance, 2) * WIRE_BATCH_SIZE_LEAST;
	message->welcome.codec = (enum wire_codec)chance_draw(chance, CODEC_COUNT);
	message->welcome.takes_ages = chance_one_in(chance, 2);
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		message->welcome.credit[lane] = draw_credit(chance);
	}
}

static void fill_batch(struct chance *chance, struct wire_message *message)
{
	static const uint8_t maps[] = {0x80, 0x80, 0x80, 0xc0, 0x90};
	static const uint8_t order[] =
		"\x89\xa4kind\xa5order\xa4"
		"edge\xa2uk\xa3run\x01\xa3seq\x01\xa2ts\xcf\x00\x00\x01\x2c\xa2\xdd\x7d\x40"
		"\xa8order_id\xa1o\xaaproduct_id\xa1p\xa8quantity\x01\xaaunit_price\xa4"
		"2.50";
	bool has_order = chance_one_in(chance, 2);

	message->batch.number = 1 + chance_draw(chance, NEAR);
	message->batch.lane =
		(enum kind)(chance_one_in(chance, 2) ? chance_draw(chance, LANE_COUNT) : 0);
	message->batch.count = 1 + (has_order ? 0 : chance_draw(chance, sizeof maps));
	message->batch.events = has_order ? slice_of(order, sizeof order - 1)
					  : slice_of(maps, message->batch.count);
	message->batch.plain_size = chance_one_in(chance, 8) ? 100 : 0;
	message->batch.has_age = chance_one_in(chance, 2);
	message->batch.sent_ms = (int64_t)chance_draw(chance, 100000);
	message->batch.age_ms = (int64_t)chance_draw(chance, 100000);
}

static void fill_ranges(
	struct chance *chance, struct wire_message *message, struct wire_range ranges[NEAR])
{
	uint64_t last = 0;

	message->ack.ranges = ranges;
	message->ack.range_count = 1 + chance_draw(chance, NEAR - 1);
	for (uint32_t i = 0; i < message->ack.range_count; i++) {
		ranges[i].first = last + (i == 0 ? 1 : 2) + chance_draw(chance, 2);
		last = ranges[i].last = ranges[i].first + chance_draw(chance, 2);
	}
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		message->ack.credit[lane] = draw_credit(chance);
	}
	message->ack.code = (enum nack_code)(1 + chance_draw(chance, NACK_BUSY));
	message->ack.retry_after_ms = chance_draw(chance, 3) * 100;
}

static void fill_state(struct chance *chance, struct wire_message *message)
{
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		bool is_ok = chance_one_in(chance, 2);
		message->state[lane] = (struct wire_lane_state){
			is_ok ? -1 : 1000, is_ok ? 0 : 1000, slice_of_text(is_ok ? "" : "Kafka")};
	}
}

static void fill(
	struct chance *chance, struct wire_message *message, struct wire_range ranges[NEAR])
{
	switch (message->type) {
	case WIRE_HELLO:
		fill_hello(chance, message);
		break;
	case WIRE_WELCOME:
		fill_welcome(chance, message);
		break;
	case WIRE_BATCH:
		fill_batch(chance, message);
		break;
	case WIRE_ACK:
	case WIRE_NACK:
		fill_ranges(chance, message, ranges);
		break;
	case WIRE_STATE:
		fill_state(chance, message);
		break;
	default:
		message->bye.code = (enum bye_code)(1 + chance_draw(chance, BYE_NOT_READY));
		message->bye.words = slice_of_text("words");
		break;
	}
}

/* A frame as its sender could write it; its size, 0: it does not fit. */
static size_t make_frame(struct chance *chance, uint8_t *out, size_t size_max)
{
	struct wire_range ranges[NEAR];
	struct wire_message message = {.type = (enum wire_type)(1 + chance_draw(chance, WIRE_BYE))};
	struct buffer buffer;
	size_t size = 0;

	message.session = 1 + chance_draw(chance, NEAR);
	fill(chance, &message, ranges);
	buffer_init(&buffer, WIRE_FRAME_SIZE_MAX);
	wire_encode(&message, &buffer);
	if (buffer.error == 0 && buffer.size <= size_max) {
		size = buffer.size;
		memcpy(out, buffer.bytes, size);
	}
	buffer_deinit(&buffer);
	return size;
}

static size_t make_step(struct chance *chance, uint8_t *out, size_t size_max)
{
	uint8_t act = (uint8_t)chance_draw(chance, SCRIPT_ACT_MASK + 1);
	size_t size = 1;

	if (size_max < FRAME_ROOM) {
		return 0;
	}
	act = chance_one_in(chance, 2) ? SESSION_FITTING : act;
	out[0] = (uint8_t)(act | chance_draw(chance, 2) << 4);
	out[SCRIPT_HEAD_SIZE] = (uint8_t)chance_draw(chance, 256);
	if (act <= SESSION_FITTING) {
		size = make_frame(chance, out + SCRIPT_HEAD_SIZE, FRAME_ROOM - SCRIPT_HEAD_SIZE);
	}
	script_set_size(out, size);
	return SCRIPT_HEAD_SIZE + size;
}

/* ---- changes */

static size_t change_step(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	uint8_t *frame = data + SCRIPT_HEAD_SIZE;
	size_t made = 0;

	if (size <= SCRIPT_HEAD_SIZE) {
		return 0;
	}
	size_max = size_max < UINT16_MAX ? size_max : UINT16_MAX;
	if (chance_one_in(chance, 8)) {
		data[0] = (uint8_t)(data[0] ^ 1u << chance_draw(chance, 6));
		return size;
	}
	if ((data[0] & SCRIPT_ACT_MASK) <= SESSION_FITTING && size <= size_max) {
		made = mutate_value(
			chance, frame, size - SCRIPT_HEAD_SIZE, size_max - SCRIPT_HEAD_SIZE);
	}
	if (made == 0 && size <= size_max) {
		made = LLVMFuzzerMutate(
			frame, size - SCRIPT_HEAD_SIZE, size_max - SCRIPT_HEAD_SIZE);
	}
	script_set_size(data, made);
	return SCRIPT_HEAD_SIZE + made;
}

size_t mutate_session(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	static const struct piece_kind steps = {script_cut, change_step, make_step};

	return pieces_mutate(&steps, chance, data, size, size_max);
}
