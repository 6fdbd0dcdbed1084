#include "aggregator/log/archive_stream.h"
#include "aggregator/books/ledger.h"
#include "proto/pull.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum {
	VERSION = 1,
	HEAD_PAIRS = 3,
	PARTITION_PARTS = 7,
	RECORD_PARTS = 7,
	COUNTS_MAX = 6, /* of one partition */
	HEADERS_MAX = 64, /* of one record */
	HEAD_SIZE_MAX = 1024, /* without the partitions; its texts have 142 bytes at most */
};

__attribute__((format(printf, 2, 3))) static int fail(
	struct archive_stream *stream, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(stream->why, sizeof stream->why, format, arguments);
	va_end(arguments);
	return ARCHIVE_E_BAD;
}

/* ---- how long a value is */

/* What the first byte of a value says of it. */
struct shape {
	uint8_t length_size; /* bytes of the length that follows */
	uint8_t unit; /* what is counted by it: bytes (1), or values (2: twice as many) */
	uint64_t bytes; /* that follow in any case */
	uint64_t values; /* likewise */
	bool is_known;
};

static struct shape shape_of_long(uint8_t first)
{
	static const uint8_t sizes[] = {1, 2, 4};

	switch (first) {
	case 0xc4: /* bin */
	case 0xc5:
	case 0xc6:
		return (struct shape){.length_size = sizes[first - 0xc4], .is_known = true};
	case 0xd9: /* text */
	case 0xda:
	case 0xdb:
		return (struct shape){.length_size = sizes[first - 0xd9], .is_known = true};
	case 0xdc: /* array */
	case 0xdd:
		return (struct shape){
			.length_size = sizes[first - 0xdc + 1], .unit = 1, .is_known = true};
	case 0xde: /* map */
	case 0xdf:
		return (struct shape){
			.length_size = sizes[first - 0xde + 1], .unit = 2, .is_known = true};
	default:
		return (struct shape){.is_known = false}; /* floats, extensions: none here */
	}
}

static struct shape shape_of(uint8_t first)
{
	if (first < 0x80 || first >= 0xe0 || first == 0xc0 || first == 0xc2 || first == 0xc3) {
		return (struct shape){.is_known = true};
	}
	if (first < 0xa0) {
		uint64_t count = first & 0x0f;
		return (struct shape){.values = first < 0x90 ? 2 * count : count, .is_known = true};
	}
	if (first < 0xc0) {
		return (struct shape){.bytes = first & 0x1f, .is_known = true};
	}
	if (first >= 0xcc && first <= 0xd3) {
		return (struct shape){
			.bytes = (uint64_t)1 << ((first - 0xcc) % 4), .is_known = true};
	}
	return shape_of_long(first);
}

/* The next value's size, without what it holds: that is to be measured by the next calls. */
static int measure_one(struct slice bytes, uint64_t *ret_size, uint64_t *ret_values)
{
	struct shape shape = shape_of(bytes.bytes[0]);
	uint64_t length = 0;

	if (!shape.is_known) {
		return ARCHIVE_E_BAD;
	}
	if (bytes.size < (size_t)1 + shape.length_size) {
		return ARCHIVE_E_MORE;
	}
	for (size_t i = 0; i < shape.length_size; i++) {
		length = length << 8 | bytes.bytes[1 + i];
	}
	*ret_size = 1 + shape.length_size + shape.bytes + (shape.unit == 0 ? length : 0);
	*ret_values = shape.values + shape.unit * length;
	return 0;
}

/* The size of one whole value, with all that it holds; too large is bad before it is there. */
static int measure(struct archive_stream *stream, struct slice bytes, size_t *ret_size)
{
	uint64_t at = 0, left = 1;

	while (left > 0) {
		uint64_t size = 0, values = 0;
		int r = at >= bytes.size
				? ARCHIVE_E_MORE
				: measure_one(slice_of(bytes.bytes + at, bytes.size - (size_t)at),
					  &size, &values);
		if (r == ARCHIVE_E_BAD) {
			return fail(stream, "it has a value of a type that no archive has");
		}
		at += size;
		left += values - (r == 0);
		/* Each value that is to come has a byte at least. */
		if (at + left > ARCHIVE_ITEM_SIZE_MAX) {
			return fail(stream, "an item of it has more than %d bytes",
				ARCHIVE_ITEM_SIZE_MAX);
		}
		if (r == ARCHIVE_E_MORE) {
			return r;
		}
	}
	*ret_size = (size_t)at;
	return at > bytes.size ? ARCHIVE_E_MORE : 0;
}

/* ---- what is in it */

static void demand(struct pull *pull, bool holds)
{
	if (!holds) {
		pull->is_broken = true;
		pull->at = pull->end;
	}
}

static void expect_key(struct pull *pull, const char *key)
{
	demand(pull, slice_equals_text(pull_text(pull), key));
}

static bool is_map(uint8_t first)
{
	return (first & 0xf0) == 0x80 || first == 0xde || first == 0xdf;
}

static bool is_array(uint8_t first)
{
	return (first & 0xf0) == 0x90 || first == 0xdc || first == 0xdd;
}

static struct slice pull_bin_or_nil(struct pull *pull)
{
	return pull_nil(pull) ? slice_of(NULL, 0) : pull_bin(pull);
}

static void pull_place(struct pull *pull, struct archive_item *item)
{
	item->topic = pull_text(pull);
	demand(pull, item->topic.size >= 1 && item->topic.size <= ARCHIVE_TOPIC_SIZE_MAX);
	item->partition = (int32_t)pull_unsigned(pull, 0, INT32_MAX);
	/* The one behind it is one, too. */
	item->offset = (int64_t)pull_unsigned(pull, 0, INT64_MAX - 1);
}

static int open_head(struct archive_stream *stream, struct slice bytes, struct archive_item *item)
{
	struct pull pull = pull_of(bytes);

	pull_map(&pull);
	expect_key(&pull, "till_archive");
	uint64_t version = pull_unsigned(&pull, 0, UINT32_MAX);
	if (!pull.is_broken && version != VERSION) {
		return fail(stream, "it is of version %" PRIu64 ", this program knows version %d",
			version, VERSION);
	}
	expect_key(&pull, "cluster");
	item->cluster_id = pull_text(&pull);
	demand(&pull, item->cluster_id.size >= 1 && item->cluster_id.size < CLUSTER_ID_SIZE);
	expect_key(&pull, "partitions");
	uint32_t count = pull_array(&pull);
	if (!pull_is_done(&pull) ||
		memchr(item->cluster_id.bytes, 0, item->cluster_id.size) != NULL) {
		return fail(stream, "its head can't be read");
	}
	if (count > ARCHIVE_PARTITIONS_MAX) {
		return fail(stream, "it has %" PRIu32 " partitions, more than %d", count,
			ARCHIVE_PARTITIONS_MAX);
	}
	item->type = ARCHIVE_HEAD;
	stream->partitions_left = count;
	stream->state = count > 0 ? ARCHIVE_IN_HEAD : ARCHIVE_IN_RECORDS;
	item->is_last_of_head = count == 0;
	return 0;
}

/* The head up to its partitions, which are items of their own: they may be many, and each has a record in it. */
static int take_head(struct archive_stream *stream, struct slice bytes, struct archive_item *item,
	size_t *ret_size)
{
	enum { WHOLE_VALUES = 2 * HEAD_PAIRS - 1 };
	uint64_t list = 0, ignored = 0;
	size_t at = 1;
	int r = 0;

	if (bytes.bytes[0] != (0x80 | HEAD_PAIRS)) {
		return fail(stream, "it does not begin like an archive of till's");
	}
	for (int i = 0; i < WHOLE_VALUES && r == 0; i++) {
		size_t size = 0;
		r = measure(stream, slice_of(bytes.bytes + at, bytes.size - at), &size);
		at += size;
		if (at > HEAD_SIZE_MAX ||
			(r == ARCHIVE_E_MORE && bytes.size > at + HEAD_SIZE_MAX)) {
			return fail(stream, "its head can't be read");
		}
	}
	if (r == 0 && at < bytes.size && !is_array(bytes.bytes[at])) {
		return fail(stream, "its head can't be read");
	}
	if (r == 0) {
		r = at == bytes.size ? ARCHIVE_E_MORE
				     : measure_one(slice_of(bytes.bytes + at, bytes.size - at),
					       &list, &ignored);
	}
	if (r != 0) {
		return r;
	}
	*ret_size = at + (size_t)list;
	return open_head(stream, slice_of(bytes.bytes, *ret_size), item);
}

static void pull_gaps(struct pull *pull, struct archive_item *item)
{
	uint32_t count = pull_array(pull);

	demand(pull, count <= ARCHIVE_GAPS_MAX);
	for (uint32_t i = 0; i < count && !pull->is_broken; i++) {
		demand(pull, pull_array(pull) == 2);
		int64_t first = (int64_t)pull_unsigned(pull, 0, INT64_MAX - 1);
		int64_t last = (int64_t)pull_unsigned(pull, (uint64_t)first, INT64_MAX - 1);
		item->gaps[i] = (struct archive_gap){first, last};
		item->gap_count = i + 1;
	}
}

static void pull_count(struct pull *pull, struct archive_item *item)
{
	static const enum fate fates[] = {FATE_DUPLICATE, FATE_FOREIGN, FATE_UNREADABLE};
	struct slice name = pull_text(pull);
	if (slice_equals_text(name, "gaps")) {
		pull_gaps(pull, item);
		return;
	}
	uint64_t count = pull_unsigned(pull, 0, INT64_MAX / 4);

	for (size_t i = 0; i < sizeof fates / sizeof *fates; i++) {
		if (slice_equals_text(name, fate_name(fates[i]))) {
			item->left_out[fates[i]] = count;
			return;
		}
	}
	if (slice_equals_text(name, "archived")) {
		item->archived = (int64_t)count;
	} else if (slice_equals_text(name, "from")) {
		item->from = (int64_t)count;
	} else {
		demand(pull, false);
	}
}

static void pull_counts(struct pull *pull, struct archive_item *item)
{
	uint32_t pairs = pull_map(pull);

	demand(pull, pairs <= COUNTS_MAX);
	for (uint32_t i = 0; i < pairs && !pull->is_broken; i++) {
		pull_count(pull, item);
	}
}

static void pull_last(struct pull *pull, struct archive_item *item)
{
	item->last_offset = -1;
	if (pull_nil(pull)) {
		demand(pull, pull_nil(pull) && pull_nil(pull));
		return;
	}
	item->last_offset = (int64_t)pull_unsigned(pull, 0, INT64_MAX);
	item->value = pull_bin_or_nil(pull);
	item->timestamp_ms = (int64_t)pull_unsigned(pull, 0, INT64_MAX);
	demand(pull, item->last_offset < item->offset);
}

static int take_partition(
	struct archive_stream *stream, struct slice bytes, struct archive_item *item)
{
	struct pull pull = pull_of(bytes);

	item->type = ARCHIVE_PARTITION;
	demand(&pull, pull_array(&pull) == PARTITION_PARTS);
	pull_place(&pull, item);
	pull_counts(&pull, item);
	pull_last(&pull, item);
	if (!pull_is_done(&pull)) {
		return fail(stream, "a partition in its head can't be read");
	}
	stream->partitions_left--;
	item->is_last_of_head = stream->partitions_left == 0;
	stream->state = item->is_last_of_head ? ARCHIVE_IN_RECORDS : ARCHIVE_IN_HEAD;
	return 0;
}

static void pull_headers(struct pull *pull, struct archive_item *item)
{
	uint32_t pairs = pull_nil(pull) ? 0 : pull_map(pull);

	demand(pull, pairs <= HEADERS_MAX);
	for (uint32_t i = 0; i < pairs && !pull->is_broken; i++) {
		struct slice name = pull_text(pull);
		struct slice value = pull_bin_or_nil(pull);
		for (int header = 0; header < DLQ_HEADER_COUNT; header++) {
			if (slice_equals_text(name,
				    dead_letter_header_name((enum dead_letter_header)header))) {
				item->headers[header] = value;
			}
		}
	}
}

static int take_record(struct archive_stream *stream, struct slice bytes, struct archive_item *item)
{
	struct pull pull = pull_of(bytes);

	item->type = ARCHIVE_RECORD;
	demand(&pull, pull_array(&pull) == RECORD_PARTS);
	pull_place(&pull, item);
	item->timestamp_ms = (int64_t)pull_unsigned(&pull, 0, INT64_MAX);
	item->key = pull_bin_or_nil(&pull);
	item->value = pull_bin_or_nil(&pull);
	pull_headers(&pull, item);
	if (!pull_is_done(&pull)) {
		return fail(stream, "record %" PRIu64 " can't be read", stream->records + 1);
	}
	stream->records++;
	return 0;
}

static int take_end(struct archive_stream *stream, struct slice bytes, struct archive_item *item)
{
	struct pull pull = pull_of(bytes);

	item->type = ARCHIVE_END;
	demand(&pull, pull_map(&pull) == 2);
	expect_key(&pull, "end");
	demand(&pull, pull_left(&pull) > 0 && *pull.at++ == 0xc3);
	expect_key(&pull, "records");
	item->count = pull_unsigned(&pull, 0, INT64_MAX);
	if (!pull_is_done(&pull)) {
		return fail(stream, "its end can't be read");
	}
	if (item->count != stream->records) {
		return fail(stream,
			"its end speaks of %" PRIu64 " records, and %" PRIu64 " were there",
			item->count, stream->records);
	}
	stream->state = ARCHIVE_AT_END;
	return 0;
}

static int take(struct archive_stream *stream, struct slice bytes, struct archive_item *item,
	size_t *ret_size)
{
	if (stream->state == ARCHIVE_AT_END) {
		return fail(stream, "something follows its end");
	}
	if (stream->state == ARCHIVE_AT_HEAD) {
		return take_head(stream, bytes, item, ret_size);
	}
	int r = measure(stream, bytes, ret_size);
	if (r != 0) {
		return r;
	}
	bytes.size = *ret_size;
	if (stream->state == ARCHIVE_IN_HEAD) {
		return take_partition(stream, bytes, item);
	}
	return is_map(bytes.bytes[0]) ? take_end(stream, bytes, item)
				      : take_record(stream, bytes, item);
}

int archive_stream_next(struct archive_stream *stream, struct slice bytes,
	struct archive_item *ret_item, size_t *ret_size)
{
	struct archive_item item = {.last_offset = -1, .archived = -1};
	size_t size = 0;

	if (stream->why[0] != '\0') {
		return ARCHIVE_E_BAD;
	}
	if (bytes.size == 0) {
		return ARCHIVE_E_MORE;
	}
	int r = take(stream, bytes, &item, &size);
	if (r == 0) {
		*ret_item = item;
		*ret_size = size;
	}
	return r;
}
