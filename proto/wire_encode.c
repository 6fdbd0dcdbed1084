#include "proto/wire.h"

#include <assert.h>

static void begin(
	struct writer *writer, struct buffer *buffer, uint32_t elements, enum wire_type type)
{
	writer_init(writer, ENCODING_MSGPACK, buffer);
	write_array(writer, elements);
	write_unsigned(writer, (uint64_t)type);
}

static void write_credit(struct writer *writer, const uint64_t credit[LANE_COUNT])
{
	write_array(writer, LANE_COUNT);
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		write_unsigned(writer, credit[lane]);
	}
}

static void write_ranges(
	struct writer *writer, const struct wire_range *ranges, uint32_t range_count)
{
	assert(range_count <= WIRE_RANGES_MAX);
	write_array(writer, 2 * range_count);
	for (uint32_t i = 0; i < range_count; i++) {
		assert(ranges[i].first >= 1 && ranges[i].first <= ranges[i].last);
		assert(i == 0 || ranges[i - 1].last < ranges[i].first);
		write_unsigned(writer, ranges[i].first);
		write_unsigned(writer, ranges[i].last);
	}
}

static void write_codecs(struct writer *writer, uint32_t codecs)
{
	bool has_reports = (codecs & WIRE_REPORTS) != 0;
	bool has_ages = (codecs & WIRE_AGES) != 0;
	uint32_t count = has_reports + has_ages;

	for (int codec = CODEC_NONE + 1; codec < CODEC_COUNT; codec++) {
		count += codecs >> codec & 1;
	}
	write_array(writer, count);
	for (int codec = CODEC_NONE + 1; codec < CODEC_COUNT; codec++) {
		if ((codecs >> codec & 1) != 0) {
			write_text(writer, slice_of_text(wire_codec_name((enum wire_codec)codec)));
		}
	}
	if (has_reports) {
		write_key(writer, "reports");
	}
	if (has_ages) {
		write_key(writer, "ages");
	}
}

/* What is optional is left out where there is nothing to say: peers that do not know of it count the elements. */
static void encode_hello(const struct wire_message *message, struct buffer *buffer)
{
	struct writer writer;

	begin(&writer, buffer, message->hello.codecs == 0 ? 6 : 7, WIRE_HELLO);
	write_unsigned(&writer, message->hello.version);
	write_text(&writer, message->hello.edge);
	write_unsigned(&writer, message->hello.run);
	write_unsigned(&writer, message->session);
	write_text(&writer, message->hello.program);
	if (message->hello.codecs != 0) {
		write_codecs(&writer, message->hello.codecs);
	}
}

static void encode_welcome(const struct wire_message *message, struct buffer *buffer)
{
	struct writer writer;

	enum wire_codec codec = message->welcome.codec;
	uint32_t report_ms = message->welcome.report_ms;
	bool has_ages = message->welcome.takes_ages;
	bool has_pace = report_ms != 0 || has_ages;
	uint32_t optional = has_ages ? 3 : has_pace ? 2 : codec != CODEC_NONE;
	begin(&writer, buffer, 7 + optional, WIRE_WELCOME);
	write_unsigned(&writer, message->welcome.version);
	write_unsigned(&writer, message->session);
	write_text(&writer, message->welcome.cluster_id);
	write_unsigned(&writer, message->welcome.topics_hash);
	write_credit(&writer, message->welcome.credit);
	write_unsigned(&writer, message->welcome.batch_size_max);
	if (codec != CODEC_NONE || has_pace) {
		write_text(&writer, slice_of_text(wire_codec_name(codec)));
	}
	if (has_pace) {
		write_unsigned(&writer, report_ms);
	}
	if (has_ages) {
		write_unsigned(&writer, 1);
	}
}

/* msgpack's bin of a size that follows: bin 8, 16 or 32. */
static void append_bin_header(struct buffer *buffer, size_t size)
{
	unsigned width = size <= UINT8_MAX ? 0 : size <= UINT16_MAX ? 1 : 2;

	buffer_append_byte(buffer, (uint8_t)(0xc4 + width));
	for (int shift = (8 << width) - 8; shift >= 0; shift -= 8) {
		buffer_append_byte(buffer, (uint8_t)(size >> shift));
	}
}

static void encode_batch(const struct wire_message *message, struct buffer *buffer)
{
	struct slice events = message->batch.events;
	uint32_t plain_size = message->batch.plain_size;
	struct writer writer;

	assert(events.size >= 1 && events.size <= BATCH_SIZE_MAX);
	assert(plain_size == 0 || plain_size > events.size);
	bool has_age = message->batch.has_age;
	begin(&writer, buffer, has_age ? 9 : plain_size == 0 ? 6 : 7, WIRE_BATCH);
	write_unsigned(&writer, message->session);
	write_unsigned(&writer, message->batch.number);
	write_unsigned(&writer, (uint64_t)message->batch.lane);
	write_unsigned(&writer, message->batch.count);
	append_bin_header(buffer, events.size);
	buffer_append(buffer, events.bytes, events.size);
	if (plain_size != 0 || has_age) {
		write_unsigned(&writer, plain_size);
	}
	if (has_age) {
		write_integer(&writer, message->batch.sent_ms);
		write_integer(&writer, message->batch.age_ms);
	}
}

static void encode_report(const struct wire_message *message, struct buffer *buffer)
{
	struct slice report = message->report.bytes;
	struct writer writer;

	assert(report.size >= 1 && report.size <= TELEMETRY_SIZE_MAX);
	begin(&writer, buffer, 3, WIRE_REPORT);
	write_unsigned(&writer, message->session);
	write_bin(&writer, report);
}

static void encode_ack(const struct wire_message *message, struct buffer *buffer)
{
	struct writer writer;

	begin(&writer, buffer, 4, WIRE_ACK);
	write_unsigned(&writer, message->session);
	write_ranges(&writer, message->ack.ranges, message->ack.range_count);
	write_credit(&writer, message->ack.credit);
}

static void encode_nack(const struct wire_message *message, struct buffer *buffer)
{
	struct writer writer;

	assert(message->ack.range_count >= 1);
	begin(&writer, buffer, 5, WIRE_NACK);
	write_unsigned(&writer, message->session);
	write_ranges(&writer, message->ack.ranges, message->ack.range_count);
	write_unsigned(&writer, (uint64_t)message->ack.code);
	write_unsigned(&writer, message->ack.retry_after_ms);
}

static void encode_state(const struct wire_message *message, struct buffer *buffer)
{
	struct writer writer;

	begin(&writer, buffer, 3, WIRE_STATE);
	write_unsigned(&writer, message->session);
	write_array(&writer, LANE_COUNT);
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		const struct wire_lane_state *state = &message->state[lane];
		if (state->waiting_ms < 0) {
			write_nil(&writer);
			continue;
		}
		write_array(&writer, 3);
		write_integer(&writer, state->waiting_ms);
		write_integer(&writer, state->since_ms);
		write_text(&writer, state->why);
	}
}

static void encode_bye(const struct wire_message *message, struct buffer *buffer)
{
	struct writer writer;

	begin(&writer, buffer, 4, WIRE_BYE);
	write_unsigned(&writer, message->session);
	write_unsigned(&writer, (uint64_t)message->bye.code);
	write_text(&writer, message->bye.words);
}

void wire_encode(const struct wire_message *message, struct buffer *buffer)
{
	switch (message->type) {
	case WIRE_HELLO:
		encode_hello(message, buffer);
		break;
	case WIRE_WELCOME:
		encode_welcome(message, buffer);
		break;
	case WIRE_BATCH:
		encode_batch(message, buffer);
		break;
	case WIRE_ACK:
		encode_ack(message, buffer);
		break;
	case WIRE_NACK:
		encode_nack(message, buffer);
		break;
	case WIRE_STATE:
		encode_state(message, buffer);
		break;
	case WIRE_BYE:
		encode_bye(message, buffer);
		break;
	case WIRE_REPORT:
		encode_report(message, buffer);
		break;
	}
}
