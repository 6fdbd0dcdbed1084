#include "aggregator/books/ledger.h"
#include <errno.h>

void ledger_deinit(struct ledger *ledger)
{
	text_set_deinit(&ledger->gaps);
	text_set_deinit(&ledger->streams_quarantined);
	text_set_deinit(&ledger->streams_in_conflict);
	text_set_deinit(&ledger->sources_truncated);
}

static void encode_texts(const struct text_set *set, struct buffer *buffer)
{
	pack_varint(buffer, set->count);
	for (size_t i = 0; i < set->count; i++) {
		pack_bytes(buffer, slice_of_text(set->texts[i]));
	}
}

static bool has_any_change(const struct ledger *ledger)
{
	static const struct change_tally none[KIND_EVENT_COUNT];

	return memcmp(ledger->changes, none, sizeof none) != 0 ||
	       ledger->sources_truncated.count > 0;
}

static void encode_changes(const struct ledger *ledger, struct buffer *buffer)
{
	for (int kind = 0; kind < KIND_EVENT_COUNT; kind++) {
		pack_varint(buffer, ledger->changes[kind].counted);
		pack_varint(buffer, ledger->changes[kind].corrected);
		pack_varint(buffer, ledger->changes[kind].taken_back);
	}
	encode_texts(&ledger->sources_truncated, buffer);
}

void ledger_encode(const struct ledger *ledger, struct buffer *buffer)
{
	pack_u64(buffer, ledger->commit);
	pack_u64(buffer, (uint64_t)ledger->event_ts);
	pack_u64(buffer, ledger->quarantined);
	pack_bytes(buffer, slice_of_text(ledger->cluster_id));
	pack_u8(buffer, STREAM_KIND_COUNT);
	for (int kind = 0; kind < STREAM_KIND_COUNT; kind++) {
		pack_varint(buffer, ledger->tallies[kind].accepted);
		pack_varint(buffer, ledger->tallies[kind].rejected);
		pack_varint(buffer, ledger->tallies[kind].duplicates);
	}
	encode_texts(&ledger->gaps, buffer);
	encode_texts(&ledger->streams_quarantined, buffer);
	encode_texts(&ledger->streams_in_conflict, buffer);
	pack_varint(buffer, ledger->fingerprint_chunks);
	pack_u64(buffer, (uint64_t)ledger->append_ms);
	pack_varint(buffer, (uint64_t)ledger->clock_ms);
	/* What is not there needs no place, and a program that knows of none reads the rest. */
	bool has_changes = has_any_change(ledger);
	if (ledger->baskets.opened > 0 || has_changes) {
		basket_books_encode(&ledger->baskets, buffer);
	}
	if (has_changes) {
		encode_changes(ledger, buffer);
	}
}

static int decode_texts(struct unpack *unpack, struct text_set *set)
{
	uint64_t count = unpack_varint(unpack);
	for (uint64_t i = 0; i < count && !unpack->failed; i++) {
		struct slice bytes = unpack_bytes(unpack);
		char text[1024];
		if (bytes.size >= sizeof text) {
			return -EBADMSG;
		}
		memcpy(text, bytes.size == 0 ? (const void *)"" : bytes.bytes, bytes.size);
		text[bytes.size] = '\0';
		int r = unpack->failed ? -EBADMSG : text_set_add(set, text);
		if (r < 0) {
			return r == -ENOSPC ? -EBADMSG : r;
		}
	}
	return 0;
}

static int decode_tallies(struct unpack *unpack, struct ledger *ledger)
{
	struct slice cluster_id = unpack_bytes(unpack);
	if (cluster_id.size >= CLUSTER_ID_SIZE || unpack_u8(unpack) != STREAM_KIND_COUNT) {
		return -EBADMSG;
	}
	if (cluster_id.size > 0) {
		memcpy(ledger->cluster_id, cluster_id.bytes, cluster_id.size);
	}
	for (int kind = 0; kind < STREAM_KIND_COUNT; kind++) {
		ledger->tallies[kind].accepted = unpack_varint(unpack);
		ledger->tallies[kind].rejected = unpack_varint(unpack);
		ledger->tallies[kind].duplicates = unpack_varint(unpack);
	}
	return 0;
}

static int decode_changes(struct unpack *unpack, struct ledger *ledger)
{
	for (int kind = 0; kind < KIND_EVENT_COUNT; kind++) {
		ledger->changes[kind].counted = unpack_varint(unpack);
		ledger->changes[kind].corrected = unpack_varint(unpack);
		ledger->changes[kind].taken_back = unpack_varint(unpack);
	}
	return decode_texts(unpack, &ledger->sources_truncated);
}

int ledger_decode(struct slice bytes, struct ledger *ledger)
{
	struct unpack unpack = unpack_of(bytes);
	struct ledger decoded = {0};

	decoded.commit = unpack_u64(&unpack);
	decoded.event_ts = (int64_t)unpack_u64(&unpack);
	decoded.quarantined = unpack_u64(&unpack);
	int r = decode_tallies(&unpack, &decoded);
	if (r == 0) {
		r = decode_texts(&unpack, &decoded.gaps);
	}
	if (r == 0) {
		r = decode_texts(&unpack, &decoded.streams_quarantined);
	}
	if (r == 0 && unpack.rest.size > 0) { /* a store of before them ends here */
		r = decode_texts(&unpack, &decoded.streams_in_conflict);
		decoded.fingerprint_chunks = unpack_varint(&unpack);
	}
	if (r == 0 && unpack.rest.size > 0) { /* and one of before this here */
		decoded.append_ms = (int64_t)unpack_u64(&unpack);
	}
	if (r == 0 && unpack.rest.size > 0) { /* likewise */
		decoded.clock_ms = (int64_t)unpack_varint(&unpack);
	}
	if (r == 0 && unpack.rest.size > 0) { /* likewise */
		basket_books_decode(&unpack, &decoded.baskets);
	}
	if (r == 0 && unpack.rest.size > 0) { /* likewise */
		r = decode_changes(&unpack, &decoded);
	}
	if (r == 0 && !unpack_is_whole(&unpack)) {
		r = -EBADMSG;
	}
	if (r != 0) {
		ledger_deinit(&decoded);
		return r;
	}
	ledger_deinit(ledger);
	*ledger = decoded;
	return 0;
}
