#include "aggregator/view/view_summary.h"

void view_summary_encode(const struct view_summary *summary, struct buffer *buffer)
{
	pack_bytes(buffer, summary->name);
	pack_bytes(buffer, summary->text);
	pack_u64(buffer, summary->row_count);
	pack_u64(buffer, summary->matched);
	pack_u64(buffer, summary->unmatched);
	pack_u64(buffer, summary->hash_sum);
	/* What is not known of older stores stays away where it is nothing. */
	bool has_members = summary->member_count > 0;
	bool has_expired = summary->expired > 0 || has_members;
	if (summary->held > 0 || has_expired) {
		pack_u64(buffer, summary->held);
	}
	if (has_expired) {
		pack_u64(buffer, summary->expired);
	}
	if (has_members) {
		pack_u64(buffer, summary->member_count);
		pack_u64(buffer, summary->member_hash_sum);
	}
}

bool view_summary_decode(struct slice bytes, struct view_summary *ret_summary)
{
	struct unpack unpack = unpack_of(bytes);
	struct view_summary summary;
	summary.name = unpack_bytes(&unpack);
	summary.text = unpack_bytes(&unpack);
	summary.row_count = unpack_u64(&unpack);
	summary.matched = unpack_u64(&unpack);
	summary.unmatched = unpack_u64(&unpack);
	summary.hash_sum = unpack_u64(&unpack);
	summary.held = unpack.rest.size > 0 ? unpack_u64(&unpack) : 0;
	summary.expired = unpack.rest.size > 0 ? unpack_u64(&unpack) : 0;
	summary.member_count = unpack.rest.size > 0 ? unpack_u64(&unpack) : 0;
	summary.member_hash_sum = summary.member_count > 0 ? unpack_u64(&unpack) : 0;
	if (!unpack_is_whole(&unpack)) {
		return false;
	}
	*ret_summary = summary;
	return true;
}

/* The checksum spread over 64 bits (the finaliser of splitmix64), so that rows lost and rows added never cancel by
 * chance. */
uint64_t row_hash(uint32_t checksum, size_t size)
{
	uint64_t x = ((uint64_t)size << 32 | checksum) + UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}
