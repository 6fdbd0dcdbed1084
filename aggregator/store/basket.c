#include "aggregator/store/basket.h"
#include "aggregator/view/row_key.h"
#include "proto/checksum.h"
#include "proto/topic.h"

void basket_place(const char *topic, int32_t partition, uint8_t ret_place[BASKET_PLACE_SIZE])
{
	uint8_t bytes[TOPIC_NAME_SIZE + 4], hash[16];
	size_t size = strnlen(topic, TOPIC_NAME_SIZE - 1);

	memcpy(bytes, topic, size);
	pack_big_endian(bytes + size, (uint32_t)partition, 4);
	checksum_hash128(slice_of(bytes, size + 4), hash);
	memcpy(ret_place, hash, BASKET_PLACE_SIZE);
}

struct slice basket_key(const uint8_t place[BASKET_PLACE_SIZE], struct slice edge,
	struct slice order_id, uint8_t ret_key[BASKET_KEY_SIZE_MAX])
{
	uint8_t *at = ret_key + 2 + BASKET_PLACE_SIZE;

	if (edge.size > EDGE_ID_SIZE_MAX || order_id.size > ID_SIZE_MAX || order_id.size == 0) {
		return slice_of(NULL, 0);
	}
	ret_key[0] = ENTRY_BASKET;
	ret_key[1] = BASKET_OPEN;
	memcpy(ret_key + 2, place, BASKET_PLACE_SIZE);
	memcpy(at, edge.bytes, edge.size);
	at[edge.size] = 0;
	memcpy(at + edge.size + 1, order_id.bytes, order_id.size);
	return slice_of(ret_key, (size_t)(at - ret_key) + edge.size + 1 + order_id.size);
}

bool basket_key_parse(struct slice key, struct slice *ret_edge, struct slice *ret_order_id)
{
	const size_t before = 2 + BASKET_PLACE_SIZE;
	const uint8_t *end = NULL;

	if (key.size > before) {
		end = memchr(key.bytes + before, 0, key.size - before);
	}
	if (end == NULL) {
		return false;
	}
	*ret_edge = slice_of(key.bytes + before, (size_t)(end - key.bytes) - before);
	*ret_order_id = slice_of(end + 1, key.size - before - ret_edge->size - 1);
	return true;
}

void basket_init(struct basket *basket)
{
	memset(basket, 0, offsetof(struct basket, sums)); /* of those there are none */
}

/* Its sum, a new one where there is none. NULL: no room. */
static struct basket_sum *sum_of(struct basket *basket, struct slice currency)
{
	size_t place = 0;

	while (place < basket->sum_count) {
		struct slice there = basket->sums[place].currency;
		if (slice_equal(there, currency)) {
			return &basket->sums[place];
		}
		if (row_key_compare(there, currency) > 0) {
			break;
		}
		place++;
	}
	if (basket->sum_count == BASKET_CURRENCIES_MAX) {
		return NULL;
	}
	memmove(&basket->sums[place + 1], &basket->sums[place],
		(basket->sum_count - place) * sizeof basket->sums[0]);
	basket->sum_count++;
	basket->sums[place] = (struct basket_sum){.currency = currency};
	return &basket->sums[place];
}

static void keep_first(struct slice *text, struct slice next)
{
	if (text->size == 0) {
		*text = next;
	}
}

bool basket_add(struct basket *basket, const struct event *line, int64_t append_ms)
{
	struct basket_sum *sum = sum_of(basket, line->text[FIELD_CURRENCY]);

	if (sum == NULL) {
		return false;
	}
	/* A line is below 2^90 micros and 2^30 pieces: nobody lives to see either overflow. */
	sum->amount += event_revenue(line);
	sum->quantity += line->quantity;
	sum->lines++;
	keep_first(&basket->channel, line->text[FIELD_CHANNEL]);
	keep_first(&basket->payment, line->text[FIELD_PAYMENT]);
	if (basket->user.size == 0 && !basket->is_hidden) {
		basket->user = line->text[FIELD_USER_ID];
		basket->user_ms = append_ms;
	}
	basket->ts_ms = line->ts_ms > basket->ts_ms ? line->ts_ms : basket->ts_ms;
	basket->run = line->certificate.run;
	basket->seq = line->certificate.seq;
	basket->last_ms = append_ms;
	return true;
}

/* ---- as it is kept */

void basket_encode(const struct basket *basket, struct buffer *buffer)
{
	pack_varint(buffer, (uint64_t)basket->last_ms);
	pack_varint(buffer, (uint64_t)basket->ts_ms);
	pack_u64(buffer, basket->run);
	pack_varint(buffer, basket->seq);
	pack_bytes(buffer, basket->channel);
	pack_bytes(buffer, basket->payment);
	pack_bytes(buffer, basket->user);
	pack_varint(buffer, (uint64_t)basket->user_ms);
	pack_u8(buffer, basket->is_hidden);
	pack_varint(buffer, basket->sum_count);
	for (size_t i = 0; i < basket->sum_count; i++) {
		const struct basket_sum *sum = &basket->sums[i];
		pack_bytes(buffer, sum->currency);
		pack_u64(buffer, (uint64_t)(sum->amount >> 64));
		pack_u64(buffer, (uint64_t)sum->amount);
		pack_u64(buffer, (uint64_t)sum->quantity);
		pack_varint(buffer, sum->lines);
	}
}

static struct basket_sum decode_sum(struct unpack *unpack)
{
	struct basket_sum sum = {.currency = unpack_bytes(unpack)};
	uint64_t high = unpack_u64(unpack);

	__extension__ unsigned __int128 bits = (unsigned __int128)high << 64 | unpack_u64(unpack);
	sum.amount = (money)bits;
	sum.quantity = (int64_t)unpack_u64(unpack);
	sum.lines = unpack_varint(unpack);
	return sum;
}

bool basket_decode(struct slice bytes, struct basket *ret_basket)
{
	struct unpack unpack = unpack_of(bytes);

	ret_basket->last_ms = (int64_t)unpack_varint(&unpack);
	ret_basket->ts_ms = (int64_t)unpack_varint(&unpack);
	ret_basket->run = unpack_u64(&unpack);
	ret_basket->seq = unpack_varint(&unpack);
	ret_basket->channel = unpack_bytes(&unpack);
	ret_basket->payment = unpack_bytes(&unpack);
	ret_basket->user = unpack_bytes(&unpack);
	ret_basket->user_ms = (int64_t)unpack_varint(&unpack);
	ret_basket->is_hidden = unpack_u8(&unpack) != 0;
	ret_basket->sum_count = unpack_varint(&unpack);
	if (ret_basket->sum_count > BASKET_CURRENCIES_MAX) {
		return false;
	}
	for (size_t i = 0; i < ret_basket->sum_count; i++) {
		ret_basket->sums[i] = decode_sum(&unpack);
	}
	return unpack_is_whole(&unpack);
}

/* ---- as an event */

static void set_text(struct event *event, enum field field, struct slice text)
{
	event->text[field] = text;
	event->present |= (uint32_t)(text.size > 0) << field;
}

bool basket_event(
	const struct basket *basket, size_t index, struct slice key, struct event *ret_event)
{
	const struct basket_sum *sum = &basket->sums[index];
	struct slice edge, order_id;

	if (!basket_key_parse(key, &edge, &order_id)) {
		return false;
	}
	*ret_event = (struct event){
		.kind = KIND_ORDER,
		.certificate = {edge, basket->run, KIND_ORDER, basket->seq},
		.present = 1u << FIELD_TS | 1u << FIELD_QUANTITY,
		.ts_ms = basket->ts_ms,
		.quantity = sum->quantity,
		.basket_amount = sum->amount,
		.basket_lines = (int64_t)sum->lines,
	};
	set_text(ret_event, FIELD_ORDER_ID, order_id);
	set_text(ret_event, FIELD_CURRENCY, sum->currency);
	set_text(ret_event, FIELD_CHANNEL, basket->channel);
	set_text(ret_event, FIELD_PAYMENT, basket->payment);
	set_text(ret_event, FIELD_USER_ID,
		basket->is_hidden ? slice_of_text(FORGOTTEN_TEXT) : basket->user);
	return true;
}

enum entry_fate basket_forget(const struct forgotten *forgotten, struct slice key,
	struct slice value, struct buffer *ret_value)
{
	struct basket basket;

	if (key.size < 2 || key.bytes[1] != BASKET_OPEN) {
		return ENTRY_STAYS;
	}
	if (!basket_decode(value, &basket)) {
		return ENTRY_UNREADABLE;
	}
	if (!forgotten_has(forgotten, basket.user)) {
		return ENTRY_STAYS;
	}
	basket.user = slice_of(NULL, 0);
	basket.is_hidden = true;
	basket_encode(&basket, ret_value);
	return ENTRY_CHANGES;
}
