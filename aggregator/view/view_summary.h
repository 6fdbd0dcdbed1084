/* view_summary.h - what a generation keeps of each of its views: its declaration, and the sums that the checks hold
 * its rows against. Pure. */
#pragma once
#include "aggregator/view/pack.h"

struct view_summary {
	struct slice name; /* borrowed, as is the text */
	struct slice text; /* view_text: the canonical declaration */
	uint64_t row_count;
	uint64_t matched; /* Σcount: events in a row */
	uint64_t unmatched; /* events of its kind without a group field */
	uint64_t
		expired; /* events whose row has ended and is deleted, or had ended when they came */
	uint64_t hash_sum; /* of row_hash over its rows, modulo 2^64 */
	uint64_t held; /* events that would be in rows of somebody who was forgotten */
	uint64_t member_count; /* of what its measures count as distinct */
	uint64_t member_hash_sum; /* as hash_sum, over them */
};

void view_summary_encode(const struct view_summary *summary, struct buffer *buffer);
bool view_summary_decode(struct slice bytes, struct view_summary *ret_summary);

/* What a row adds to hash_sum, from the checksum that it was sealed with. */
uint64_t row_hash(uint32_t checksum, size_t size);
