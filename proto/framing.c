#include "proto/framing.h"

#include "proto/eight.h"
#include "proto/limits.h"

static int fail(struct complaint *complaint, const char *what)
{
	complaint_set(complaint, REASON_BAD_FRAME, "", "the events frame %s", what);
	return REASON_BAD_FRAME;
}

static int fail_large(struct complaint *complaint, const char *what, size_t is, size_t limit)
{
	complaint_set(complaint, REASON_TOO_LARGE, "", "%zu %s in one frame; %zu are the most", is,
		what, limit);
	return REASON_TOO_LARGE;
}

/* msgpack: each head says how much follows it, as bytes or as further values. */

static uint32_t load_big(const uint8_t *bytes, size_t size)
{
	uint32_t number = 0;

	for (size_t i = 0; i < size; i++) {
		number = number << 8 | bytes[i];
	}
	return number;
}

/* How to step over a value by its first byte: `length_size` bytes of a length (none: `fixed` is it), which counts
 * `per_item` bytes or values each. */
struct step {
	uint8_t length_size;
	uint8_t fixed; /* bytes after the length */
	uint8_t values; /* 0: the length counts bytes; 1 or 2: it counts as many values each */
	bool is_bad;
};

static const struct step STEPS[32] = {
	/* 0xc0 nil, never used, false, true */ {0}, {.is_bad = true}, {0}, {0},
	/* bin */ {1, 0, 0, false}, {2, 0, 0, false}, {4, 0, 0, false},
	/* ext: a type byte more */ {1, 1, 0, false}, {2, 1, 0, false}, {4, 1, 0, false},
	/* float, double */ {0, 4, 0, false}, {0, 8, 0, false},
	/* uint */ {0, 1, 0, false}, {0, 2, 0, false}, {0, 4, 0, false}, {0, 8, 0, false},
	/* int */ {0, 1, 0, false}, {0, 2, 0, false}, {0, 4, 0, false}, {0, 8, 0, false},
	/* fixext */ {0, 2, 0, false}, {0, 3, 0, false}, {0, 5, 0, false}, {0, 9, 0, false},
	{0, 17, 0, false},
	/* str */ {1, 0, 0, false}, {2, 0, 0, false}, {4, 0, 0, false},
	/* array */ {2, 0, 1, false}, {4, 0, 1, false},
	/* map */ {2, 0, 2, false}, {4, 0, 2, false}};

/* What one head says: its size with all bytes that belong to it, and how many values follow. */
struct extent {
	uint64_t size;
	uint64_t values;
};

static bool read_long_head(struct slice bytes, struct extent *ret_extent)
{
	const struct step *step = &STEPS[bytes.bytes[0] - 0xc0];

	if (step->is_bad || bytes.size - 1 < step->length_size) {
		return false;
	}
	uint64_t length = load_big(bytes.bytes + 1, step->length_size);
	ret_extent->size = UINT64_C(1) + step->length_size + step->fixed;
	ret_extent->size += step->values == 0 ? length : 0;
	ret_extent->values = length * step->values;
	return true;
}

/* `bytes` is not empty. */
static bool read_head(struct slice bytes, struct extent *ret_extent)
{
	uint8_t head = bytes.bytes[0];

	if (head >= 0xc0 && head < 0xe0) {
		return read_long_head(bytes, ret_extent);
	}
	*ret_extent = (struct extent){.size = 1};
	if (head >= 0xa0 && head < 0xc0) {
		ret_extent->size += head & 31u;
	} else if (head >= 0x90 && head < 0xa0) {
		ret_extent->values = head & 15u;
	} else if (head >= 0x80 && head < 0x90) {
		ret_extent->values = 2 * (head & 15u);
	}
	return true;
}

size_t framing_extent(struct slice bytes)
{
	size_t at = 0;

	/* A count of what is still to come replaces a stack: where one value ends does not depend on which
	 * container it is in. Each value takes a byte, so a count past what is left can be refused at once. */
	for (uint64_t open = 1; open > 0;) {
		struct extent extent;
		size_t left = bytes.size - at;
		if (open > left || !read_head(slice_of(bytes.bytes + at, left), &extent) ||
			extent.size > left) {
			return 0;
		}
		at += (size_t)extent.size;
		open += extent.values - 1;
	}
	return at;
}

static int open_msgpack(struct framing *framing, struct slice frame, struct complaint *complaint)
{
	struct extent head = {0};
	uint8_t first = frame.bytes[0];
	bool is_map = (first & 0xf0) == 0x80 || first == 0xde || first == 0xdf;

	framing->is_array = (first & 0xf0) == 0x90 || first == 0xdc || first == 0xdd;
	if (!is_map && !framing->is_array) {
		return fail(complaint, "is neither a map nor an array");
	}
	if (framing_extent(frame) != frame.size) {
		return fail(complaint, "is cut short, has bytes after its end, or is no msgpack");
	}
	framing->rest = frame;
	if (framing->is_array) {
		read_head(frame, &head);
		framing->count = (uint32_t)head.values;
		framing->rest = slice_of(frame.bytes + head.size, frame.size - head.size);
	}
	return 0;
}

/* JSON: brackets, quotes and the commas between events. What is inside an event is the event's own business: if that
 * is no JSON, the event is invalid and its neighbours are not. */

static bool is_space(uint8_t byte)
{
	return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static struct slice trim(struct slice text)
{
	while (text.size > 0 && is_space(text.bytes[0])) {
		text = slice_of(text.bytes + 1, text.size - 1);
	}
	while (text.size > 0 && is_space(text.bytes[text.size - 1])) {
		text.size--;
	}
	return text;
}

enum { INTERESTING = 1, OPENS = 2, CLOSES = 4 };

static const uint8_t CLASSES[256] = {
	['"'] = INTERESTING,
	[','] = INTERESTING,
	['['] = INTERESTING | OPENS,
	['{'] = INTERESTING | OPENS,
	[']'] = INTERESTING | CLOSES,
	['}'] = INTERESTING | CLOSES,
};

/* To the next quote or backslash, or to the end. */
static size_t skip_plain(struct slice text, size_t at)
{
	for (; text.size - at >= 8; at += 8) {
		uint64_t eight = eight_load(text.bytes + at);
		uint64_t hits = eight_equal(eight, '"') | eight_equal(eight, '\\');
		if (hits != 0) {
			return at + eight_first(hits);
		}
	}
	while (at < text.size && text.bytes[at] != '"' && text.bytes[at] != '\\') {
		at++;
	}
	return at;
}

/* `at` is after a quote; gives what is after the closing one, or 0 when there is none. */
static size_t skip_quoted(struct slice text, size_t at)
{
	for (at = skip_plain(text, at); at < text.size; at = skip_plain(text, at + 2)) {
		if (text.bytes[at] == '"') {
			return at + 1;
		}
		if (text.size - at < 2) {
			break;
		}
	}
	return 0;
}

/* The size of what comes before the next comma outside of all brackets and quotes, or before the end; a bracket
 * that closes more than was opened makes it fail. */
static bool find_comma(struct slice text, size_t *ret_at)
{
	size_t depth = 0;
	size_t at = 0;

	for (;;) {
		while (at < text.size && CLASSES[text.bytes[at]] == 0) {
			at++;
		}
		if (at == text.size) {
			break;
		}
		uint8_t byte = text.bytes[at];
		uint8_t class = CLASSES[byte];
		if (byte == '"') {
			at = skip_quoted(text, at + 1);
			if (at == 0) {
				return false;
			}
			continue;
		}
		if (byte == ',' && depth == 0) {
			break;
		}
		if ((class & CLOSES) != 0 && depth-- == 0) {
			return false;
		}
		depth += (class & OPENS) != 0 ? 1 : 0;
		at++;
	}
	*ret_at = at;
	return depth == 0;
}

/* Takes the value up to the next comma off `rest`, and the comma. */
static bool cut_json(struct slice *rest, struct slice *ret_value, bool *ret_is_last)
{
	size_t size = 0;

	if (!find_comma(*rest, &size)) {
		return false;
	}
	*ret_is_last = size == rest->size;
	*ret_value = trim(slice_of(rest->bytes, size));
	size += *ret_is_last ? 0 : 1;
	*rest = slice_of(rest->bytes + size, rest->size - size);
	return ret_value->size > 0;
}

static int count_json(struct framing *framing, struct complaint *complaint)
{
	struct slice rest = framing->rest;
	struct slice value;
	bool is_last = false;

	while (!is_last) {
		if (!cut_json(&rest, &value, &is_last)) {
			return fail(complaint, "has brackets, quotes or commas that do not match");
		}
		framing->count++;
	}
	return 0;
}

static int open_json(struct framing *framing, struct slice frame, struct complaint *complaint)
{
	struct slice text = trim(frame);
	uint8_t first = text.size < 2 ? 0 : text.bytes[0];
	uint8_t last = text.size < 2 ? 0 : text.bytes[text.size - 1];

	if (first == '{') {
		framing->rest = text;
		framing->count = 0;
		int r = count_json(framing, complaint);
		return r == 0 && framing->count != 1 ? fail(complaint, "has more after its map")
						     : r;
	}
	if (first != '[' || last != ']') {
		return fail(complaint, "is neither a map nor an array");
	}
	framing->is_array = true;
	framing->count = 0;
	framing->rest = trim(slice_of(text.bytes + 1, text.size - 2));
	return framing->rest.size == 0 ? 0 : count_json(framing, complaint);
}

int framing_open(struct framing *framing, struct slice frame, struct complaint *complaint)
{
	*framing = (struct framing){.encoding = encoding_of(frame), .count = 1};
	if (frame.size == 0) {
		return fail(complaint, "is empty");
	}
	if (frame.size > FRAME_SIZE_MAX) {
		return fail_large(complaint, "bytes", frame.size, FRAME_SIZE_MAX);
	}
	int r = framing->encoding == ENCODING_JSON ? open_json(framing, frame, complaint)
						   : open_msgpack(framing, frame, complaint);
	if (r != 0) {
		return r;
	}
	if (framing->count == 0) {
		return fail(complaint, "is an empty array");
	}
	if (framing->count > FRAME_EVENTS_MAX) {
		return fail_large(complaint, "events", framing->count, FRAME_EVENTS_MAX);
	}
	return 0;
}

bool framing_next(struct framing *framing, struct slice *ret_value)
{
	bool is_last = false;

	if (framing->index == framing->count) {
		return false;
	}
	framing->index++;
	if (framing->encoding == ENCODING_JSON) {
		return cut_json(&framing->rest, ret_value, &is_last);
	}
	size_t size = framing_extent(framing->rest);
	*ret_value = slice_of(framing->rest.bytes, size);
	framing->rest = slice_of(framing->rest.bytes + size, framing->rest.size - size);
	return size > 0;
}
