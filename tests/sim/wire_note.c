#include "tests/sim/wire_note.h"
#include "proto/wire.h"
#include "tests/sim/world.h"
#include <stdio.h>

enum { WORDS_SIZE = 200, RANGES_SHOWN = 8 };

static void write_ranges(const struct wire_message *message, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < message->ack.range_count && i < RANGES_SHOWN; i++) {
		used += (size_t)snprintf(text + used, size - used, " %llu-%llu",
			(unsigned long long)message->ack.ranges[i].first,
			(unsigned long long)message->ack.ranges[i].last);
	}
}

static void write_words(const struct wire_message *message, char text[WORDS_SIZE])
{
	char ranges[160];

	text[0] = '\0';
	switch (message->type) {
	case WIRE_BATCH:
		snprintf(text, WORDS_SIZE, "BATCH %llu of lane %d with %u events",
			(unsigned long long)message->batch.number, (int)message->batch.lane,
			message->batch.count);
		break;
	case WIRE_ACK:
		write_ranges(message, ranges, sizeof ranges);
		snprintf(text, WORDS_SIZE, "ACK%s", ranges);
		break;
	case WIRE_NACK:
		write_ranges(message, ranges, sizeof ranges);
		snprintf(text, WORDS_SIZE, "NACK %s%s", nack_code_name(message->ack.code), ranges);
		break;
	case WIRE_BYE:
		snprintf(text, WORDS_SIZE, "BYE %s", bye_code_name(message->bye.code));
		break;
	case WIRE_HELLO:
		snprintf(
			text, WORDS_SIZE, "HELLO run %llu", (unsigned long long)message->hello.run);
		break;
	default:
		snprintf(text, WORDS_SIZE, "%s",
			message->type == WIRE_WELCOME ? "WELCOME" : "STATE");
		break;
	}
}

void wire_note(int who, const char *way, const void *bytes, size_t size)
{
	static struct wire_range ranges[WIRE_RANGES_MAX];
	struct wire_message message;
	struct complaint complaint;
	char words[WORDS_SIZE];

	world.events++;
	if (!world.is_traced) {
		return;
	}
	if (wire_decode(slice_of(bytes, size), ranges, &message, &complaint) != 0) {
		world_trace("edge %d: %s garbage: %s", who, way, complaint.message);
		return;
	}
	write_words(&message, words);
	world_trace("edge %d: %s %s (session %04llx)", who, way, words,
		(unsigned long long)message.session & 0xffff);
}
