/* Any bytes as a stream of MQTT: the same packets and the same end whether they come whole or in pieces, and nothing
 * outside them is touched. The first byte says the version, the pieces' size, and whether much follows: enough to fill
 * what a header promises, so that packets too large are cut. */
#include "proto/checksum.h"
#include "proto/limits.h"
#include "proto/mqtt_input.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_mqtt, .prefix_size = 1};

/* What was read, so that two readings can be held against each other. */
struct tale {
	uint64_t packets, numbers;
	uint32_t checksum;
	int end;
};

static void tell(struct tale *tale, struct slice text)
{
	tale->checksum = checksum_crc32c(tale->checksum, text.bytes, text.size);
	tale->numbers += text.size;
}

static void tell_publish(struct tale *tale, const struct mqtt_publish *publish)
{
	struct slice rest = publish->properties, name, value;

	fuzz_require(publish->qos <= 2 && (publish->qos > 0) == (publish->packet_id > 0));
	fuzz_require(publish->payload.size <= publish->payload_size);
	tell(tale, publish->topic);
	tell(tale, publish->payload);
	tell(tale, publish->content_type);
	tell(tale, publish->response_topic);
	tell(tale, publish->correlation_data);
	while (mqtt_next_user_property(&rest, &name, &value)) {
		tell(tale, name);
		tell(tale, value);
	}
}

static int read_publish(
	struct tale *tale, const struct mqtt_packet *packet, enum mqtt_version version)
{
	struct mqtt_publish publish;
	int r = mqtt_publish_decode(packet, version, &publish);

	if (r == 0) {
		fuzz_require(publish.topic.size > 0);
		tell_publish(tale, &publish);
	}
	if (mqtt_publish_salvage(packet, version, &publish)) {
		tell_publish(tale, &publish);
	} else {
		fuzz_require(r != 0); /* what can be decoded can be salvaged */
	}
	return r;
}

static int read_connack(
	struct tale *tale, const struct mqtt_packet *packet, enum mqtt_version version)
{
	struct mqtt_connack connack;
	int r = mqtt_connack_decode(packet, version, &connack);

	if (r == 0) {
		fuzz_require(connack.reason == 0 || !connack.session_present);
		tell(tale, connack.client_id);
		tell(tale, connack.reason_text);
		tell(tale, connack.server_reference);
	}
	return r;
}

static int read_other(
	struct tale *tale, const struct mqtt_packet *packet, enum mqtt_version version)
{
	struct mqtt_suback suback = {0};
	struct mqtt_disconnect disconnect = {0};
	struct mqtt_ack ack = {0};
	int r = 0;

	if (packet->type == MQTT_SUBACK) {
		r = mqtt_suback_decode(packet, version, &suback);
		fuzz_require(r != 0 || (suback.packet_id > 0 && suback.reasons.size > 0));
	} else if (packet->type == MQTT_UNSUBACK) {
		r = mqtt_unsuback_decode(packet, version, &suback);
		fuzz_require(r != 0 || suback.packet_id > 0);
	} else if (packet->type >= MQTT_PUBACK && packet->type <= MQTT_PUBCOMP) {
		r = mqtt_ack_decode(packet, version, &ack);
		fuzz_require(r != 0 || ack.packet_id > 0);
	} else if (packet->type == MQTT_DISCONNECT) {
		r = mqtt_disconnect_decode(packet, version, &disconnect);
	} else if (packet->type == MQTT_PINGRESP) {
		r = mqtt_pingresp_decode(packet);
	}
	tell(tale, suback.reasons);
	tell(tale, suback.reason_text);
	tell(tale, disconnect.reason_text);
	tell(tale, disconnect.server_reference);
	tell(tale, ack.reason_text);
	return r;
}

static int read_packet(
	struct tale *tale, const struct mqtt_packet *packet, enum mqtt_version version)
{
	fuzz_require(packet->body.size <= packet->body_size);
	tale->packets++;
	tell(tale, packet->body);
	switch (packet->type) {
	case MQTT_PUBLISH:
		return read_publish(tale, packet, version);
	case MQTT_CONNACK:
		return read_connack(tale, packet, version);
	default:
		return read_other(tale, packet, version);
	}
}

static void feed(struct mqtt_input *input, struct slice *bytes, size_t piece_size)
{
	struct mqtt_room room;
	size_t size = bytes->size < piece_size ? bytes->size : piece_size;

	if (mqtt_input_room(input, &room) != 0) {
		abort();
	}
	size = size < room.size ? size : room.size;
	memcpy(room.bytes, bytes->bytes, size);
	mqtt_input_add(input, size);
	*bytes = slice_of(bytes->bytes + size, bytes->size - size);
}

/* What follows the input. */
enum { MUCH = 600 * 1024 };
static const uint8_t filling[64 * 1024];

struct stream {
	struct slice bytes;
	size_t filling; /* bytes */
};

static bool feed_more(struct mqtt_input *input, struct stream *stream, size_t piece_size)
{
	if (stream->bytes.size == 0 && stream->filling > 0) {
		stream->bytes = slice_of(filling, sizeof filling);
		stream->filling -=
			stream->filling < sizeof filling ? stream->filling : sizeof filling;
		piece_size = SIZE_MAX;
	}
	if (stream->bytes.size == 0) {
		return false;
	}
	feed(input, &stream->bytes, piece_size);
	return true;
}

static struct tale read_in_pieces(
	enum mqtt_version version, struct stream stream, size_t piece_size)
{
	struct mqtt_input input;
	struct mqtt_packet packet;
	struct tale tale = {0};

	mqtt_input_init(&input, MQTT_PACKET_SIZE_LEAST);
	mqtt_input_clear(&input, version);
	for (;;) {
		tale.end = mqtt_input_peek(&input, &packet);
		if (tale.end == MQTT_E_MORE && feed_more(&input, &stream, piece_size)) {
			continue;
		} else if (tale.end != 0) {
			break;
		} else {
			tale.numbers += (uint64_t)read_packet(&tale, &packet, version);
			mqtt_input_drop(&input);
		}
	}
	mqtt_input_deinit(&input);
	return tale;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1) {
		return 0;
	}
	enum mqtt_version version = data[0] & 1 ? MQTT_VERSION_5 : MQTT_VERSION_3_1_1;
	struct slice bytes = fuzz_copy(data + 1, size - 1);
	struct stream stream = {bytes, data[0] >= 0x80 ? MUCH : 0};
	struct tale whole = read_in_pieces(version, stream, SIZE_MAX);
	struct tale parts = read_in_pieces(version, stream, (size_t)(data[0] >> 1 & 63) + 1);

	fuzz_require(whole.packets == parts.packets && whole.numbers == parts.numbers);
	fuzz_require(whole.checksum == parts.checksum && whole.end == parts.end);
	fuzz_free(bytes);
	return 0;
}
