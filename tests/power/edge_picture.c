#include "edge_picture.h"
#include "proto/checksum.h"
#include "proto/limits.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_SIZE_MAX = 256, PICTURE_SIZE_MAX = 4 << 20 };

__attribute__((format(printf, 2, 3))) static void line(
	struct buffer *picture, const char *format, ...)
{
	char text[LINE_SIZE_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	buffer_append_text(picture, text);
}

/* One block at a time. */
static int add_lane(struct spool *spool, enum kind lane, const struct block_listener *listener,
	struct buffer *picture, struct defects *defects)
{
	struct buffer events;
	uint64_t next = 0;
	int r = 0;

	buffer_init(&events, BATCH_SIZE_MAX);
	while (r == 0) {
		const struct spool_query query = {.lane = lane,
			.first = next,
			.last = UINT64_MAX,
			.size_max = BATCH_SIZE_MAX,
			.size_enough = 1};
		struct spool_block_header header;
		struct spool_batch batch;
		buffer_clear(&events);
		r = spool_read(spool, &query, &events, &batch);
		if (r == SPOOL_E_CORRUPT) {
			defects->blocks++;
			r = spool_set_aside(spool, lane, batch.first, &header);
			next = batch.first + 1;
			continue;
		}
		if (r != 0) {
			break;
		}
		line(picture, "block %s %08x %u\n", kind_name(lane),
			checksum_crc32c(0, events.bytes, events.size), batch.count);
		if (listener != NULL) {
			listener->block(listener->owner, lane, batch.first, buffer_slice(&events));
		}
		next = batch.last + 1;
	}
	buffer_deinit(&events);
	return r == SPOOL_E_END ? 0 : r;
}

void picture_event_id(uint64_t number, char name[EVENT_ID_NAME_SIZE])
{
	snprintf(name, EVENT_ID_NAME_SIZE, "%sid-%" PRIu64, number % 8 == 7 ? "dlq:" : "", number);
}

static int add_memory(struct spool *spool, const struct names *names, struct buffer *picture,
	struct defects *defects)
{
	struct intake_memory memory = spool_memory(spool);
	struct producer_row row;
	struct slice value;
	char name[EVENT_ID_NAME_SIZE];
	int r = 0;

	for (int i = 0; i < PRODUCERS && r >= 0; i++) {
		snprintf(name, sizeof name, "till-%d", i);
		r = memory.producer(memory.owner, slice_of_text(name), &row);
		if (r == 0) {
			line(picture, "producer %s %" PRIu64 " %08x\n", name, row.n,
				checksum_crc32c(0, row.reply.bytes, row.reply.size));
		}
		defects->rows += r == SPOOL_E_CORRUPT;
	}
	for (uint64_t i = 0; i < names->event_ids && r >= 0; i++) {
		picture_event_id(i, name);
		r = memory.event_id(memory.owner, slice_of_text(name), &value);
		if (r == 0) {
			line(picture, "event_id %s %zu\n", name, value.size);
		}
	}
	return r < 0 ? r : 0;
}

struct marks {
	struct buffer *picture;
	struct defects *defects;
	uint64_t damaged;
};

static int add_mark(void *owner, struct slice key, struct slice value)
{
	struct marks *marks = owner;
	if (value.bytes == NULL) {
		marks->defects->rows++;
		marks->damaged++;
		return 0;
	}
	line(marks->picture, "mark %.*s=%.*s\n", (int)key.size, (const char *)key.bytes,
		(int)value.size, (const char *)value.bytes);
	return 0;
}

int picture_take(struct spool *spool, const struct names *names,
	const struct block_listener *listener, struct buffer *ret_picture,
	struct defects *ret_defects)
{
	struct marks marks = {ret_picture, ret_defects, 0};
	const struct spool_mark_walk walk = {.label = "tail:a", .owner = &marks, .take = add_mark};
	int r = 0;

	*ret_defects = (struct defects){0};
	buffer_init(ret_picture, PICTURE_SIZE_MAX);
	uint64_t aside = spool_corrupt(spool).blocks;
	for (int lane = 0; lane < KIND_COUNT && r == 0; lane++) {
		r = add_lane(spool, (enum kind)lane, listener, ret_picture, ret_defects);
	}
	if (r == 0) {
		r = add_memory(spool, names, ret_picture, ret_defects);
	}
	if (r == 0) {
		r = spool_each_mark(spool, &walk);
	}
	struct spool_corrupt corrupt = spool_corrupt(spool);
	if (corrupt.marks > marks.damaged) {
		ret_defects->rows += corrupt.marks - marks.damaged; /* their names are */
	}
	if (r == 0 && corrupt.blocks != aside + ret_defects->blocks) {
		r = -EPROTO; /* a block that was set aside is not among them */
	}
	line(ret_picture, "aside %" PRIu64 " %" PRIu64 "\n", corrupt.blocks, corrupt.events);
	line(ret_picture, "cluster %s %" PRIx64 "\n", spool_identity(spool)->cluster,
		spool_identity(spool)->topics_hash);
	return r;
}

/* ---- comparing */

static bool next_line(struct slice *rest, struct slice *ret_line)
{
	const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->bytes, '\n', rest->size);
	if (end == NULL) {
		return false;
	}
	*ret_line = slice_of(rest->bytes, (size_t)(end - rest->bytes) + 1);
	*rest = slice_of(end + 1, rest->size - ret_line->size);
	return true;
}

static bool has_line(struct slice picture, struct slice wanted)
{
	struct slice at;
	while (next_line(&picture, &at)) {
		if (slice_equal(at, wanted)) {
			return true;
		}
	}
	return false;
}

static bool is_about(struct slice at, const char *what)
{
	return at.size > strlen(what) && memcmp(at.bytes, what, strlen(what)) == 0;
}

void picture_difference(struct slice expected, struct slice found, char why[WHY_SIZE])
{
	struct slice rest = expected, at;
	size_t size = strlen(why);

	while (next_line(&rest, &at) && size + 1 < WHY_SIZE) {
		if (!has_line(found, at)) {
			size += (size_t)snprintf(why + size, WHY_SIZE - size, " missing: %.*s;",
				(int)at.size - 1, (const char *)at.bytes);
		}
	}
	rest = found;
	while (next_line(&rest, &at) && size + 1 < WHY_SIZE) {
		if (!has_line(expected, at)) {
			size += (size_t)snprintf(why + size, WHY_SIZE - size,
				" not expected: %.*s;", (int)at.size - 1, (const char *)at.bytes);
		}
	}
}

bool picture_fits(struct slice expected, struct slice found, const struct defects *defects,
	char why[WHY_SIZE])
{
	struct slice rest = expected, at;
	uint64_t blocks = 0, rows = 0;
	bool fits = true;

	while (next_line(&rest, &at)) {
		bool is_there = is_about(at, "aside ") || has_line(found, at);
		blocks += !is_there && is_about(at, "block ");
		rows += !is_there && !is_about(at, "block ");
	}
	rest = found;
	while (next_line(&rest, &at)) {
		fits = fits && (is_about(at, "aside ") || has_line(expected, at));
	}
	fits = fits && blocks <= defects->blocks && rows <= defects->rows;
	if (!fits) {
		picture_difference(expected, found, why);
	}
	return fits;
}
