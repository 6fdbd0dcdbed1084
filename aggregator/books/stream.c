#include "aggregator/books/stream.h"
#include <assert.h>

const char *stream_kind_name(uint32_t stream_kind)
{
	static const char *const refused[KIND_COUNT] = {
		[KIND_ORDER] = "order.refused",
		[KIND_CART] = "cart.refused",
		[KIND_VIEW] = "view.refused",
		[KIND_ORDER_DLQ] = "order.dlq.refused",
		[KIND_CART_DLQ] = "cart.dlq.refused",
		[KIND_VIEW_DLQ] = "view.dlq.refused",
	};
	assert(stream_kind < STREAM_KIND_COUNT);
	return stream_kind < KIND_COUNT ? kind_name((enum kind)stream_kind)
					: refused[stream_kind - KIND_COUNT];
}

enum kind stream_kind_counts_as(uint32_t stream_kind)
{
	return stream_kind < KIND_COUNT
		       ? (enum kind)stream_kind
		       : kind_dead_letter_of((enum kind)(stream_kind - KIND_COUNT));
}

size_t stream_key(const struct stream_id *id, uint8_t ret_key[STREAM_KEY_SIZE_MAX])
{
	assert(id->edge.size > 0 && id->edge.size <= EDGE_ID_SIZE_MAX);
	memcpy(ret_key, id->edge.bytes, id->edge.size);
	ret_key[id->edge.size] = 0;
	ret_key[id->edge.size + 1] = (uint8_t)id->kind;
	pack_big_endian(ret_key + id->edge.size + 2, id->run, 8);
	return id->edge.size + 10;
}

bool stream_key_parse(struct slice key, struct stream_id *ret_id)
{
	if (key.size < 11 || key.size > STREAM_KEY_SIZE_MAX ||
		memchr(key.bytes, 0, key.size - 9) != key.bytes + key.size - 10 ||
		key.bytes[key.size - 9] >= STREAM_KIND_COUNT) {
		return false;
	}
	struct unpack run = unpack_of(slice_of(key.bytes + key.size - 8, 8));
	*ret_id = (struct stream_id){
		.edge = slice_of(key.bytes, key.size - 10),
		.run = unpack_u64(&run),
		.kind = key.bytes[key.size - 9],
	};
	return true;
}

void stream_encode(
	const struct stream_sums *sums, const struct counted *counted, struct buffer *buffer)
{
	pack_varint(buffer, sums->accepted);
	pack_varint(buffer, sums->rejected);
	pack_varint(buffer, sums->set_aside);
	counted_encode(counted, buffer);
}

int stream_decode(struct slice bytes, struct stream_sums *ret_sums, struct counted *counted)
{
	struct unpack unpack = unpack_of(bytes);
	struct stream_sums sums;
	sums.accepted = unpack_varint(&unpack);
	sums.rejected = unpack_varint(&unpack);
	sums.set_aside = unpack_varint(&unpack);
	if (unpack.failed) {
		return COUNTED_E_MALFORMED;
	}
	int r = counted_decode(unpack.rest, counted);
	if (r == 0) {
		*ret_sums = sums;
	}
	return r;
}
