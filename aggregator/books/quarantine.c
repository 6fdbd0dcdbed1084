#include "aggregator/books/quarantine.h"

static struct slice cut(struct slice bytes)
{
	return slice_of(
		bytes.bytes, bytes.size < QUARANTINE_BYTES_MAX ? bytes.size : QUARANTINE_BYTES_MAX);
}

void quarantine_hide(struct quarantine_entry *entry)
{
	/* These are words of ours alone; other sentences may quote what was in the record. */
	bool is_ours = slice_begins_with(entry->reason, slice_of_text(QUARANTINE_CONFLICT)) ||
		       slice_begins_with(entry->reason, slice_of_text(QUARANTINE_GAPS));
	entry->value = slice_of(NULL, 0);
	if (!is_ours) {
		entry->key = slice_of(NULL, 0);
		entry->reason = slice_of_text("it can't be read; why and what is in it is hidden, "
					      "for users were forgotten");
	}
}

void quarantine_encode(const struct quarantine_entry *entry, struct buffer *buffer)
{
	pack_bytes(buffer, entry->topic);
	pack_u32(buffer, (uint32_t)entry->partition);
	pack_u64(buffer, (uint64_t)entry->offset);
	pack_u64(buffer, (uint64_t)entry->timestamp_ms);
	pack_bytes(buffer, entry->reason);
	pack_bytes(buffer, cut(entry->key));
	pack_varint(buffer, entry->value_size);
	pack_bytes(buffer, cut(entry->value));
}

bool quarantine_decode(struct slice bytes, struct quarantine_entry *ret_entry)
{
	struct unpack unpack = unpack_of(bytes);
	struct quarantine_entry entry;
	entry.topic = unpack_bytes(&unpack);
	entry.partition = (int32_t)unpack_u32(&unpack);
	entry.offset = (int64_t)unpack_u64(&unpack);
	entry.timestamp_ms = (int64_t)unpack_u64(&unpack);
	entry.reason = unpack_bytes(&unpack);
	entry.key = unpack_bytes(&unpack);
	entry.value_size = unpack_varint(&unpack);
	entry.value = unpack_bytes(&unpack);
	if (!unpack_is_whole(&unpack)) {
		return false;
	}
	*ret_entry = entry;
	return true;
}
