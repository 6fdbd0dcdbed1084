/* A request: texts of headers, each with a NUL behind it, then the body. */
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/words.h"

enum { HEADERS = 6, WORD_ROOM = 64 };

/* The header with its NUL, or the body: where it begins, how long it is. */
static struct slice part_at(struct slice bytes, uint32_t index)
{
	struct slice part = {NULL, 0};

	for (uint32_t i = 0; i <= index; i++) {
		const uint8_t *end = bytes.size == 0 ? NULL : memchr(bytes.bytes, 0, bytes.size);
		if (end == NULL && i < index) {
			return slice_of(NULL, 0);
		}
		size_t size =
			end == NULL || i == HEADERS ? bytes.size : (size_t)(end - bytes.bytes) + 1;
		part = slice_of(bytes.bytes, size);
		bytes = slice_of(bytes.bytes + size, bytes.size - size);
	}
	return part;
}

static size_t change_header(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	static const char *const words[] = {"", "Bearer x", "Bearer a token", "Basic eDp5",
		"bearer  x", "application/json", "application/x-ndjson", "text/csv",
		"application/msgpack", "application/vnd.msgpack", "text/csv; charset=utf-8",
		"application/json;charset=\"UTF-8\"", "application/json; charset=latin1",
		"identity", "gzip", "*/*", "application/*;q=0",
		"text/html, application/msgpack;q=0.5", "\"k-1\"", "k-1", "\"a\\\"b\"", "\"a\\b\"",
		"\"\"", "order", "cart", "view", "order.dlq", ";", "text/csv;;", "a/b/c"};

	if (chance_one_in(chance, 2) && size_max > WORD_ROOM) {
		size_t made = put_word(chance, words, WORD_COUNT(words), data, WORD_ROOM);
		data[made] = '\0';
		return made + 1;
	}
	return LLVMFuzzerMutate(data, size, size_max);
}

size_t mutate_http(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	static uint8_t page[1 << 16];
	uint32_t index = chance_draw(chance, 2 * HEADERS);
	bool is_body = index >= HEADERS;
	struct slice part = part_at(slice_of(data, size), is_body ? HEADERS : index);

	if (part.size == 0 || part.size > sizeof page / 2) {
		return 0;
	}
	size_t room = size_max - (size - part.size);
	memcpy(page, part.bytes, part.size);
	size_t made = (is_body ? mutate_lines : change_header)(
		chance, page, part.size, room < sizeof page ? room : sizeof page);
	if (made == 0) {
		return 0;
	}
	size_t at = (size_t)(part.bytes - data);
	memmove(data + at + made, data + at + part.size, size - at - part.size);
	memcpy(data + at, page, made);
	return size - part.size + made;
}
