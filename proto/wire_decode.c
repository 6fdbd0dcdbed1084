#include "proto/pull.h"
#include "proto/utf8.h"
#include "proto/wire.h"

/* One name for each element, so that a refusal says which one did not fit. The first sticks. */
struct frame {
	struct pull pull;
	const char *wrong; /* NULL while all is well */
	uint32_t count; /* of elements, the type's number included */
};

static bool frame_check(struct frame *frame, bool is_right, const char *what)
{
	if (frame->wrong == NULL && (frame->pull.is_broken || !is_right)) {
		frame->wrong = what;
		frame->pull.is_broken = true;
	}
	return frame->wrong == NULL;
}

static uint64_t take_number(struct frame *frame, uint64_t min, uint64_t max, const char *what)
{
	uint64_t number = pull_unsigned(&frame->pull, min, max);

	frame_check(frame, true, what);
	return number;
}

static struct slice take_text(struct frame *frame, size_t size_max, const char *what)
{
	struct slice text = pull_text(&frame->pull);
	bool is_right = text.size <= size_max && utf8_is_valid(text);

	return frame_check(frame, is_right, what) ? text : slice_of(NULL, 0);
}

static uint64_t take_session(struct frame *frame)
{
	return take_number(frame, 1, UINT64_MAX, "session");
}

static void take_credit(struct frame *frame, uint64_t credit[LANE_COUNT])
{
	frame_check(frame, pull_array(&frame->pull) == LANE_COUNT, "credit");
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		credit[lane] = take_number(frame, 0, INT64_MAX, "credit");
	}
}

static uint32_t take_ranges(struct frame *frame, struct wire_range ranges[WIRE_RANGES_MAX])
{
	uint32_t count = pull_array(&frame->pull);
	uint64_t first_min = 1;

	if (!frame_check(frame, count % 2 == 0 && count / 2 <= WIRE_RANGES_MAX, "ranges")) {
		return 0;
	}
	for (uint32_t i = 0; i < count / 2; i++) {
		uint64_t first = take_number(frame, first_min, INT64_MAX, "range");
		uint64_t last = take_number(frame, first, INT64_MAX, "range");
		ranges[i] = (struct wire_range){first, last};
		first_min = last + 1;
	}
	return count / 2;
}

/* CODEC_NONE when it is none that we know. */
static enum wire_codec codec_of(struct slice name)
{
	for (int codec = CODEC_NONE + 1; codec < CODEC_COUNT; codec++) {
		if (slice_equals_text(name, wire_codec_name((enum wire_codec)codec))) {
			return (enum wire_codec)codec;
		}
	}
	return CODEC_NONE;
}

static uint32_t take_codecs(struct frame *frame)
{
	uint32_t count = pull_array(&frame->pull);
	uint32_t codecs = 0;

	if (!frame_check(frame, count <= WIRE_CODECS_MAX, "codecs")) {
		return 0;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct slice name = take_text(frame, WIRE_CODEC_NAME_SIZE_MAX, "codecs");
		codecs |= slice_equals_text(name, "reports") ? WIRE_REPORTS
			  : slice_equals_text(name, "ages")  ? WIRE_AGES
							     : 1u << codec_of(name);
	}
	return codecs & ~(1u << CODEC_NONE);
}

static void decode_hello(struct frame *frame, struct wire_message *message)
{
	message->hello.version = (uint32_t)take_number(frame, 1, UINT32_MAX, "version");
	if (frame->wrong != NULL || message->hello.version != WIRE_VERSION) {
		frame->pull.at = frame->pull.end; /* another version may look as it likes */
		return;
	}
	message->hello.edge = take_text(frame, EDGE_ID_SIZE_MAX, "edge");
	frame_check(frame, edge_id_is_valid(message->hello.edge), "edge");
	message->hello.run = take_number(frame, 1, RUN_MAX, "run");
	message->session = take_session(frame);
	message->hello.program = take_text(frame, WIRE_PROGRAM_SIZE_MAX, "program");
	if (frame->count == 7) {
		message->hello.codecs = take_codecs(frame);
	}
}

static void decode_welcome(struct frame *frame, struct wire_message *message)
{
	message->welcome.version = (uint32_t)take_number(frame, 1, UINT32_MAX, "version");
	if (frame->wrong != NULL || message->welcome.version != WIRE_VERSION) {
		frame->pull.at = frame->pull.end;
		return;
	}
	message->session = take_session(frame);
	message->welcome.cluster_id = take_text(frame, WIRE_CLUSTER_SIZE_MAX, "cluster");
	frame_check(frame, message->welcome.cluster_id.size > 0, "cluster");
	message->welcome.topics_hash = take_number(frame, 0, UINT64_MAX, "topics_hash");
	take_credit(frame, message->welcome.credit);
	message->welcome.batch_size_max = (uint32_t)take_number(
		frame, WIRE_BATCH_SIZE_LEAST, BATCH_SIZE_MAX, "batch_size_max");
	if (frame->count >= 8) {
		struct slice codec = take_text(frame, WIRE_CODEC_NAME_SIZE_MAX, "codec");
		message->welcome.codec = codec_of(codec);
		bool is_none =
			frame->count >= 9 && slice_equals_text(codec, wire_codec_name(CODEC_NONE));
		frame_check(frame, is_none || message->welcome.codec != CODEC_NONE, "codec");
	}
	if (frame->count >= 9) {
		message->welcome.report_ms = (uint32_t)take_number(
			frame, frame->count == 9, WIRE_REPORT_MS_MAX, "report_ms");
	}
	if (frame->count == 10) {
		message->welcome.takes_ages = take_number(frame, 1, 1, "ages") == 1;
	}
}

static void take_plain_size(struct frame *frame, struct wire_message *message)
{
	size_t size = message->batch.events.size;

	message->batch.plain_size = (uint32_t)take_number(
		frame, frame->count == 9 ? 0 : 1, BATCH_SIZE_MAX, "plain_size");
	uint32_t plain_size = message->batch.plain_size;
	frame_check(frame,
		plain_size == 0 || (plain_size >= message->batch.count && plain_size > size &&
					   plain_size <= size * BATCH_RATIO_MAX),
		"plain_size");
}

static void decode_batch(struct frame *frame, struct wire_message *message)
{
	message->session = take_session(frame);
	message->batch.number = take_number(frame, 1, INT64_MAX, "number");
	message->batch.lane = (enum kind)take_number(frame, 0, LANE_COUNT - 1, "lane");
	message->batch.count = (uint32_t)take_number(frame, 1, BATCH_SIZE_MAX, "count");
	message->batch.events = pull_bin(&frame->pull);
	size_t size = message->batch.events.size;
	if (frame->count >= 7) {
		take_plain_size(frame, message);
	}
	bool is_plain = message->batch.plain_size == 0;
	frame_check(frame, size <= BATCH_SIZE_MAX && size >= (is_plain ? message->batch.count : 1),
		"events");
	message->batch.has_age = frame->count == 9;
	if (message->batch.has_age) {
		message->batch.sent_ms = (int64_t)take_number(frame, 0, INT64_MAX, "sent_ms");
		message->batch.age_ms =
			(int64_t)take_number(frame, 0, (uint64_t)WIRE_AGE_MS_MAX, "age_ms");
	}
}

static void decode_ack(
	struct frame *frame, struct wire_range ranges[], struct wire_message *message)
{
	message->session = take_session(frame);
	message->ack.ranges = ranges;
	message->ack.range_count = take_ranges(frame, ranges);
	take_credit(frame, message->ack.credit);
}

static void decode_nack(
	struct frame *frame, struct wire_range ranges[], struct wire_message *message)
{
	message->session = take_session(frame);
	message->ack.ranges = ranges;
	message->ack.range_count = take_ranges(frame, ranges);
	frame_check(frame, message->ack.range_count > 0, "ranges");
	message->ack.code =
		(enum nack_code)take_number(frame, NACK_DELIVERY_FAILED, NACK_BUSY, "code");
	message->ack.retry_after_ms =
		(uint32_t)take_number(frame, 0, WIRE_RETRY_AFTER_MS_MAX, "retry_after_ms");
}

static void take_lane_state(struct frame *frame, struct wire_lane_state *state)
{
	if (pull_nil(&frame->pull)) {
		state->waiting_ms = -1;
		return;
	}
	frame_check(frame, pull_array(&frame->pull) == 3, "lane");
	state->waiting_ms = (int64_t)take_number(frame, 0, INT64_MAX, "waiting_ms");
	state->since_ms = (int64_t)take_number(frame, 0, INT64_MAX, "since_ms");
	state->why = take_text(frame, COMPLAINT_SIZE_MAX, "why");
}

static void decode_state(struct frame *frame, struct wire_message *message)
{
	message->session = take_session(frame);
	frame_check(frame, pull_array(&frame->pull) == LANE_COUNT, "lanes");
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		take_lane_state(frame, &message->state[lane]);
	}
}

static void decode_bye(struct frame *frame, struct wire_message *message)
{
	message->session = take_number(frame, 0, UINT64_MAX, "session");
	message->bye.code =
		(enum bye_code)take_number(frame, BYE_SHUTTING_DOWN, BYE_NOT_READY, "code");
	message->bye.words = take_text(frame, COMPLAINT_SIZE_MAX, "words");
}

static void decode_report(struct frame *frame, struct wire_message *message)
{
	message->session = take_session(frame);
	message->report.bytes = pull_bin(&frame->pull);
	size_t size = message->report.bytes.size;
	frame_check(frame, size >= 1 && size <= TELEMETRY_SIZE_MAX, "report");
}

static void decode_body(
	struct frame *frame, struct wire_range ranges[], struct wire_message *message)
{
	switch (message->type) {
	case WIRE_HELLO:
		decode_hello(frame, message);
		break;
	case WIRE_WELCOME:
		decode_welcome(frame, message);
		break;
	case WIRE_BATCH:
		decode_batch(frame, message);
		break;
	case WIRE_ACK:
		decode_ack(frame, ranges, message);
		break;
	case WIRE_NACK:
		decode_nack(frame, ranges, message);
		break;
	case WIRE_STATE:
		decode_state(frame, message);
		break;
	case WIRE_BYE:
		decode_bye(frame, message);
		break;
	case WIRE_REPORT:
		decode_report(frame, message);
		break;
	}
}

/* Elements of the array, the type's number included; the last may be left out where `least` is smaller. */
static const struct {
	uint8_t least, most;
} element_counts[] = {
	[WIRE_HELLO] = {6, 7},
	[WIRE_WELCOME] = {7, 10},
	[WIRE_BATCH] = {6, 9},
	[WIRE_ACK] = {4, 4},
	[WIRE_NACK] = {5, 5},
	[WIRE_STATE] = {3, 3},
	[WIRE_BYE] = {4, 4},
	[WIRE_REPORT] = {3, 3},
};

/* Later versions may have more elements, behind their version. */
static bool count_is_right(const struct wire_message *message, uint32_t count)
{
	if (message->type == WIRE_HELLO && message->hello.version != WIRE_VERSION) {
		return true;
	}
	if (message->type == WIRE_WELCOME && message->welcome.version != WIRE_VERSION) {
		return true;
	}
	if (message->type == WIRE_BATCH && count == 8) {
		return false; /* half an age */
	}
	return count >= element_counts[message->type].least &&
	       count <= element_counts[message->type].most;
}

int wire_decode(struct slice frame_bytes, struct wire_range ranges[WIRE_RANGES_MAX],
	struct wire_message *ret_message, struct complaint *complaint)
{
	static const struct wire_message none;
	struct frame frame = {.pull = pull_of(frame_bytes)};
	struct wire_message message = none;

	frame.count = pull_array(&frame.pull);
	message.type = (enum wire_type)take_number(&frame, WIRE_HELLO, WIRE_REPORT, "type");
	if (frame.wrong == NULL) {
		decode_body(&frame, ranges, &message);
		frame_check(&frame, count_is_right(&message, frame.count), "length");
		frame_check(&frame, pull_is_done(&frame.pull), "end");
	}
	if (frame.wrong != NULL) {
		complaint_set(complaint, REASON_BAD_FRAME, "",
			"a frame of %zu bytes is no message of version %d: its %s is wrong",
			frame_bytes.size, WIRE_VERSION, frame.wrong);
		return REASON_BAD_FRAME;
	}
	*ret_message = message;
	return 0;
}

const char *wire_codec_name(enum wire_codec codec)
{
	static const char *const names[] = {
		[CODEC_NONE] = "none",
		[CODEC_ZSTD] = "zstd",
	};

	return names[codec];
}

const char *bye_code_name(enum bye_code code)
{
	static const char *const names[] = {
		[BYE_SHUTTING_DOWN] = "shutting_down",
		[BYE_NO_SESSION] = "no_session",
		[BYE_BAD_FRAME] = "bad_frame",
		[BYE_WRONG_VERSION] = "wrong_version",
		[BYE_REPLACED] = "replaced",
		[BYE_FORBIDDEN] = "forbidden",
		[BYE_NOT_READY] = "not_ready",
	};

	return names[code];
}

const char *nack_code_name(enum nack_code code)
{
	static const char *const names[] = {
		[NACK_DELIVERY_FAILED] = "delivery_failed",
		[NACK_PRODUCER_REBUILT] = "producer_rebuilt",
		[NACK_TOPIC_REFUSED] = "topic_refused",
		[NACK_BUSY] = "busy",
	};

	return names[code];
}
