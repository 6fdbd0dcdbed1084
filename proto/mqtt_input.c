#include "proto/mqtt_input.h"

#include <assert.h>
#include <errno.h>

#include "proto/limits.h"

enum {
	/* Asked of the link at a time: large enough that calls cost little, small enough for a round of the loop. */
	ROOM_SIZE = 64 * 1024,
	HEADER_BYTES_MAX = 5,
};

struct header {
	uint8_t first;
	size_t size; /* of the header itself */
	size_t body_size;
};

void mqtt_input_init(struct mqtt_input *input, size_t packet_size_max)
{
	assert(packet_size_max >= MQTT_PACKET_SIZE_LEAST &&
		packet_size_max <= MQTT_PACKET_SIZE_MAX);

	*input = (struct mqtt_input){
		.packet_size_max = packet_size_max, .version = MQTT_VERSION_3_1_1};
	buffer_init(&input->buffer, packet_size_max + ROOM_SIZE);
}

void mqtt_input_deinit(struct mqtt_input *input)
{
	buffer_deinit(&input->buffer);
}

void mqtt_input_clear(struct mqtt_input *input, enum mqtt_version version)
{
	buffer_clear(&input->buffer);
	input->version = version;
	input->at = 0;
	input->skip = 0;
	input->is_cut = false;
}

static struct slice held(const struct mqtt_input *input)
{
	return slice_of(input->buffer.bytes + input->at, input->buffer.size - input->at);
}

/* ---- bytes in */

static void move_to_front(struct mqtt_input *input)
{
	struct slice rest = held(input);

	if (input->at == 0) {
		return;
	}
	memmove(input->buffer.bytes, rest.bytes, rest.size);
	input->buffer.size = rest.size;
	input->at = 0;
}

int mqtt_input_room(struct mqtt_input *input, struct mqtt_room *ret_room)
{
	if (input->buffer.bytes != NULL) {
		move_to_front(input);
	}
	size_t size = input->buffer.size;
	uint8_t *bytes = buffer_extend(&input->buffer, ROOM_SIZE);
	if (bytes == NULL) {
		assert(input->buffer.error == -ENOMEM); /* else whole packets were left lying */
		return input->buffer.error;
	}
	buffer_truncate(&input->buffer, size);
	*ret_room = (struct mqtt_room){bytes, ROOM_SIZE};
	return 0;
}

void mqtt_input_add(struct mqtt_input *input, size_t size)
{
	uint8_t *bytes = input->buffer.bytes + input->buffer.size;
	size_t skipped = size < input->skip ? size : input->skip;

	assert(size <= input->buffer.capacity - input->buffer.size);
	if (skipped > 0) {
		memmove(bytes, bytes + skipped, size - skipped);
		input->skip -= skipped;
	}
	input->buffer.size += size - skipped;
}

/* ---- packets out */

static bool is_type_from_broker(uint8_t type, enum mqtt_version version)
{
	switch (type) {
	case 0:
	case MQTT_CONNECT:
	case MQTT_SUBSCRIBE:
	case MQTT_UNSUBSCRIBE:
	case MQTT_PINGREQ:
		return false;
	case MQTT_AUTH:
		return version == MQTT_VERSION_5;
	default:
		return true;
	}
}

static int check_first_byte(uint8_t first, enum mqtt_version version)
{
	uint8_t type = first >> 4, flags = first & 15;

	if (!is_type_from_broker(type, version)) {
		return MQTT_E_TYPE;
	}
	if (type != MQTT_PUBLISH && flags != (type == MQTT_PUBREL ? 2 : 0)) {
		return MQTT_E_FLAGS;
	}
	return 0;
}

static int read_header(struct slice bytes, enum mqtt_version version, struct header *ret_header)
{
	struct header header = {.size = 1};

	if (bytes.size == 0) {
		return MQTT_E_MORE;
	}
	header.first = bytes.bytes[0];
	int r = check_first_byte(header.first, version);
	if (r != 0) {
		return r;
	}
	for (; header.size < HEADER_BYTES_MAX; header.size++) {
		if (header.size == bytes.size) {
			return MQTT_E_MORE;
		}
		uint8_t byte = bytes.bytes[header.size];
		header.body_size |= (size_t)(byte & 0x7f) << 7 * (header.size - 1);
		if (byte < 0x80) {
			/* Only MQTT 5 forbids a last byte that adds nothing. */
			bool is_longer = byte == 0 && header.size > 1 && version == MQTT_VERSION_5;
			header.size++;
			*ret_header = header;
			return is_longer ? MQTT_E_LENGTH : 0;
		}
	}
	return MQTT_E_LENGTH;
}

/* The packet at the head is larger than is held: keep its beginning, throw away what follows. MQTT_E_MORE until all of
 * it has come. */
static int cut(struct mqtt_input *input, size_t packet_size)
{
	struct slice bytes = held(input);

	if (!input->is_cut) {
		if (bytes.size < MQTT_KEPT_SIZE) {
			return MQTT_E_MORE;
		}
		size_t surplus = packet_size - MQTT_KEPT_SIZE;
		size_t here = bytes.size - MQTT_KEPT_SIZE;
		here = here < surplus ? here : surplus;
		uint8_t *from = input->buffer.bytes + input->at + MQTT_KEPT_SIZE;
		memmove(from, from + here, bytes.size - MQTT_KEPT_SIZE - here);
		input->buffer.size -= here;
		input->skip = surplus - here;
		input->is_cut = true;
	}
	return input->skip > 0 ? MQTT_E_MORE : 0;
}

static void fill_packet(
	const struct mqtt_input *input, const struct header *header, struct mqtt_packet *ret_packet)
{
	size_t kept = input->is_cut ? MQTT_KEPT_SIZE - header->size : header->body_size;

	*ret_packet = (struct mqtt_packet){
		.type = (enum mqtt_type)(header->first >> 4),
		.flags = header->first & 15,
		.body = slice_of(held(input).bytes + header->size, kept),
		.body_size = header->body_size,
	};
}

int mqtt_input_peek(struct mqtt_input *input, struct mqtt_packet *ret_packet)
{
	struct header header;
	size_t packet_size;

	if (input->buffer.bytes == NULL) {
		return MQTT_E_MORE;
	}
	int r = read_header(held(input), input->version, &header);
	if (r != 0) {
		return r;
	}
	packet_size = header.size + header.body_size;
	if (packet_size > input->packet_size_max) {
		r = header.first >> 4 == MQTT_PUBLISH ? cut(input, packet_size) : MQTT_E_SIZE;
	} else if (packet_size > held(input).size) {
		r = MQTT_E_MORE;
	}
	if (r == 0) {
		fill_packet(input, &header, ret_packet);
	}
	return r;
}

void mqtt_input_drop(struct mqtt_input *input)
{
	struct mqtt_packet packet;
	int r = mqtt_input_peek(input, &packet);

	assert(r == 0);
	(void)r;
	input->at = (size_t)(packet.body.bytes + packet.body.size - input->buffer.bytes);
	input->is_cut = false;
	if (input->at == input->buffer.size) {
		input->buffer.size = 0;
		input->at = 0;
	}
}
