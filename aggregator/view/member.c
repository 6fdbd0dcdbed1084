#include "aggregator/view/member.h"
#include "aggregator/view/pack.h"
#include "aggregator/view/row_key.h"
#include "proto/checksum.h"

enum { ORDERED_TEXT_SIZE_MAX = 16, ROW_HEAD_SIZE = 3 };

/* A member's bytes, for the hash. */
struct content {
	size_t size;
	uint8_t bytes[ROW_HEAD_SIZE + ROW_KEY_CAPACITY + 1 + EDGE_ID_SIZE_MAX + TEXT_SIZE_MAX];
};

static void content_append(struct content *content, struct slice bytes)
{
	memcpy(content->bytes + content->size, bytes.bytes, bytes.size);
	content->size += bytes.size;
}

static void content_begin(struct content *content, size_t index, struct slice row_key)
{
	content->bytes[0] = (uint8_t)index;
	content->bytes[1] = (uint8_t)row_key.size;
	content->bytes[2] = (uint8_t)(row_key.size >> 8);
	content->size = ROW_HEAD_SIZE;
	content_append(content, row_key);
}

static void place_text(struct slice text, uint8_t *ret_place)
{
	size_t size = text.size < MEMBER_PLACE_SIZE ? text.size : MEMBER_PLACE_SIZE;
	size_t from = text.size > ORDERED_TEXT_SIZE_MAX ? 0 : text.size - size;

	memset(ret_place, 0, MEMBER_PLACE_SIZE - size);
	memcpy(ret_place + MEMBER_PLACE_SIZE - size, text.bytes + from, size);
}

static bool append_number(struct content *content, struct operand operand,
	const struct event *event, uint8_t *ret_place)
{
	money number = 0;

	if (!operand_number(operand, event, &number)) {
		return false;
	}
	store_money(content->bytes + content->size, number);
	content->size += sizeof number;
	pack_big_endian(ret_place, (uint64_t)number, MEMBER_PLACE_SIZE);
	return true;
}

static bool append_text(struct content *content, struct operand operand, const struct event *event,
	uint8_t *ret_place)
{
	struct slice edge = event->certificate.edge;
	struct slice text = event->text[FIELD_ORDER_ID];

	if (operand.source != OPERAND_BASKET) {
		operand_text(operand, event, &text);
	} else if (edge.size <= EDGE_ID_SIZE_MAX) {
		content->bytes[content->size++] = (uint8_t)edge.size;
		content_append(content, edge);
	} else {
		return false;
	}
	if (text.size == 0 || text.size > TEXT_SIZE_MAX) {
		return false;
	}
	content_append(content, text);
	place_text(text, ret_place);
	return true;
}

bool member_key(const struct measure *measure, size_t index, struct slice row_key,
	const struct event *event, uint8_t ret_key[MEMBER_KEY_SIZE])
{
	struct content content;

	content_begin(&content, index, row_key);
	bool is_present = operand_type_of(measure->operand) == TYPE_TEXT
				  ? append_text(&content, measure->operand, event, ret_key)
				  : append_number(&content, measure->operand, event, ret_key);
	if (is_present) {
		checksum_hash128(
			slice_of(content.bytes, content.size), ret_key + MEMBER_PLACE_SIZE);
	}
	return is_present;
}

void member_key_of_epoch(uint8_t key[MEMBER_KEY_SIZE], uint64_t epoch)
{
	uint8_t bytes[sizeof epoch];

	pack_big_endian(bytes, epoch, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++) {
		key[MEMBER_PLACE_SIZE + i] ^= bytes[i];
	}
}

void member_place_bucket(int64_t bucket, uint8_t ret_key[MEMBER_KEY_SIZE])
{
	pack_big_endian(ret_key, (uint64_t)bucket ^ UINT64_C(1) << 63, MEMBER_PLACE_SIZE);
}
