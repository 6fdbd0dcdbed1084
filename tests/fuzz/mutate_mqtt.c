/* MQTT by packets. A packet that was changed is given its right length, mostly; properties are put in where its type has them. */
#include "proto/mqtt.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/words.h"

enum { LENGTH_BYTES = 4, HEADER_MAX = 1 + LENGTH_BYTES, ONE_BYTE_MAX = 127, LIES = 8 };

/* The bytes of the fixed header, and the packet's as it says; 0: it is no header. */
static size_t read_header(struct slice bytes, size_t *ret_body)
{
	size_t length = 0;

	for (size_t i = 1; i < bytes.size && i <= LENGTH_BYTES; i++) {
		length |= (size_t)(bytes.bytes[i] & 127) << 7 * (i - 1);
		if (bytes.bytes[i] < 128) {
			*ret_body = length;
			return i + 1;
		}
	}
	return 0;
}

static size_t cut_packet(struct slice rest)
{
	size_t body = 0;
	size_t header = read_header(rest, &body);

	return header == 0 || body > rest.size - header ? rest.size : header + body;
}

static size_t make_packet(struct chance *chance, uint8_t *out, size_t size_max)
{
	/* clang-format off */
	static const struct slice packets[] = {
#define PACKET(text) {(const uint8_t *)(text), sizeof(text) - 1}
		PACKET("\x20\x02\0\0"), PACKET("\x20\x03\0\0\0"), PACKET("\x20\x03\1\0\0"), PACKET("\x20\x03\0\x87\0"),
		PACKET("\x20\x0b\0\0\x08\x12\0\1c\x21\0\1\x25\1"),
		PACKET("\x30\4\0\1ax"), PACKET("\x30\5\0\1a\0x"), PACKET("\x32\6\0\1a\0\1x"), PACKET("\x32\7\0\1a\0\1\0x"),
		PACKET("\x34\7\0\1a\0\2\0x"), PACKET("\x3c\7\0\1a\0\2\0x"),
		PACKET("\x40\2\0\1"), PACKET("\x50\2\0\1"), PACKET("\x62\2\0\2"), PACKET("\x62\4\0\2\x92\0"), PACKET("\x70\2\0\1"),
		PACKET("\x90\3\0\1\2"), PACKET("\x90\4\0\1\0\2"), PACKET("\xb0\4\xff\xff\0\0"), PACKET("\xd0\0"), PACKET("\xe0\0"),
		PACKET("\xe0\2\x8b\0"), PACKET("\xe0\x0a\x9c\x08\x1f\0\1x\x1c\0\1y"), PACKET("\xf0\0"),
#undef PACKET
	};
	/* clang-format on */
	struct slice packet = packets[chance_draw(chance, WORD_COUNT(packets))];

	if (packet.size > size_max) {
		return 0;
	}
	memcpy(out, packet.bytes, packet.size);
	return packet.size;
}

/* Where the properties' length stands in the body; SIZE_MAX: this type has none. */
static size_t properties_at(uint8_t first, struct slice body)
{
	switch (first >> 4) {
	case MQTT_PUBLISH:
		return body.size < 2 ? SIZE_MAX
				     : 2u + (size_t)(body.bytes[0] << 8 | body.bytes[1]) +
					       ((first & 6) != 0 ? 2u : 0u);
	case MQTT_CONNACK:
	case MQTT_SUBACK:
	case MQTT_UNSUBACK:
		return 2;
	case MQTT_DISCONNECT:
		return 1;
	default:
		return 3;
	}
}

/* Puts a property in front of the others. The new size of the body, 0: it has no place for one. */
static size_t put_property(struct chance *chance, uint8_t *body, size_t size, size_t at)
{
	/* clang-format off */
	static const struct slice properties[] = {
#define PROPERTY(text) {(const uint8_t *)(text), sizeof(text) - 1}
		PROPERTY("\1\1"), PROPERTY("\2\0\0\0\1"), PROPERTY("\3\0\1t"), PROPERTY("\x08\0\1r"), PROPERTY("\x09\0\1c"), PROPERTY("\x0b\1"),
		PROPERTY("\x0b\x80\1"), PROPERTY("\x11\0\0\0\1"), PROPERTY("\x12\0\1c"), PROPERTY("\x13\0\1"), PROPERTY("\x15\0\1a"),
		PROPERTY("\x16\0\1a"), PROPERTY("\x1a\0\1i"), PROPERTY("\x1c\0\1s"), PROPERTY("\x1f\0\1w"), PROPERTY("\x21\0\1"),
		PROPERTY("\x22\0\1"), PROPERTY("\x23\0\1"), PROPERTY("\x24\1"), PROPERTY("\x25\0"), PROPERTY("\x26\0\1k\0\1v"),
		PROPERTY("\x27\0\0\1\0"), PROPERTY("\x28\1"), PROPERTY("\x29\1"), PROPERTY("\x2a\1"), PROPERTY("\x7f"), PROPERTY("\x80\1"),
#undef PROPERTY
	};
	/* clang-format on */
	struct slice property = properties[chance_draw(chance, WORD_COUNT(properties))];

	if (at >= size || body[at] + property.size > ONE_BYTE_MAX) {
		return 0;
	}
	body[at] = (uint8_t)(body[at] + property.size);
	memmove(body + at + 1 + property.size, body + at + 1, size - at - 1);
	memcpy(body + at + 1, property.bytes, property.size);
	return size + property.size;
}

/* As long as it is, or as it shall seem; the size of the header, whose body follows. */
static size_t write_header(uint8_t *out, uint8_t first, size_t length)
{
	size_t size = 1;

	out[0] = first;
	do {
		out[size++] = (uint8_t)((length & 127) | (length > ONE_BYTE_MAX ? 128 : 0));
		length >>= 7;
	} while (length > 0 && size < HEADER_MAX);
	return size;
}

static size_t change_body(
	struct chance *chance, uint8_t *first, uint8_t *body, size_t size, size_t size_max)
{
	size_t made = 0;

	switch (chance_draw(chance, 4)) {
	case 0: /* another type, other flags */
		*first = (uint8_t)(*first ^ 1u << chance_draw(chance, 8));
		return size;
	case 1:
	case 2:
		if (size + 16 <= size_max) {
			made = put_property(
				chance, body, size, properties_at(*first, slice_of(body, size)));
		}
		return made > 0 ? made : LLVMFuzzerMutate(body, size, size_max);
	default:
		return LLVMFuzzerMutate(body, size, size_max);
	}
}

static size_t change_packet(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	static uint8_t body[1 << 16];
	uint8_t first = data[0];
	size_t length = 0;
	size_t header = read_header(slice_of(data, size), &length);

	if (header == 0 || size_max <= HEADER_MAX || size - header > sizeof body / 2) {
		return LLVMFuzzerMutate(data, size, size_max);
	}
	size_t room = size_max - HEADER_MAX < sizeof body ? size_max - HEADER_MAX : sizeof body;
	memcpy(body, data + header, size - header);
	size_t made =
		size - header > room ? 0 : change_body(chance, &first, body, size - header, room);
	length = chance_one_in(chance, LIES) ? made + chance_draw(chance, 4) : made;
	header = write_header(data, first, length);
	memcpy(data + header, body, made);
	return header + made;
}

size_t mutate_mqtt(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	static const struct piece_kind packets = {cut_packet, change_packet, make_packet};

	return pieces_mutate(&packets, chance, data, size, size_max);
}
