/* What files and bodies hold: lines of JSON, values of msgpack back to back, one value, CSV. */
#include "proto/event.h"
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/words.h"

static size_t cut_line(struct slice rest)
{
	const uint8_t *end = memchr(rest.bytes, '\n', rest.size);

	return end == NULL ? rest.size : (size_t)(end - rest.bytes) + 1;
}

/* The value in front of what ends the line. */
static size_t change_line(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	bool has_end = data[size - 1] == '\n' && size < size_max;
	size_t made =
		size > has_end ? mutate_value(chance, data, size - has_end, size_max - has_end) : 0;

	if (made == 0) {
		return LLVMFuzzerMutate(data, size, size_max);
	}
	if (has_end) {
		data[made++] = '\n';
	}
	return made;
}

static size_t make_line(struct chance *chance, uint8_t *out, size_t size_max)
{
	static const char *const lines[] = {"\n", "\r\n", " \n", "{}\n", "[]\n", "[{}]\n", "null\n",
		"{\n",
		"{\"order_id\":\"1\",\"product_id\":\"p\",\"quantity\":1,\"unit_price\":2.5}\n",
		"{\"kind\":\"cart\",\"user_id\":\"u\",\"product_id\":\"p\",\"action\":\"add\"}\n",
		"{\"kind\":\"view\",\"product_id\":\"p\",\"ts\":1291191960}\n"};

	return put_word(chance, lines, WORD_COUNT(lines), out, size_max);
}

static size_t cut_event(struct slice rest)
{
	struct slice all = rest, event;

	return event_cut(&rest, &event) ? event.size : all.size;
}

static size_t make_event(struct chance *chance, uint8_t *out, size_t size_max)
{
	static const char *const events[] = {"\x80", "\x90", "\x81\xa1z\xa1x",
		"\x82\xa4kind\xa4view\xaaproduct_id\xa1p", "\xc0", "\xc1"};

	return put_word(chance, events, WORD_COUNT(events), out, size_max);
}

size_t mutate_lines(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	static const struct piece_kind lines = {cut_line, change_line, make_line};
	static const struct piece_kind events = {cut_event, mutate_value, make_event};

	if (data[0] >= 0x80) {
		return pieces_mutate(&events, chance, data, size, size_max);
	}
	switch (chance_draw(chance, 3)) {
	case 0:
		return mutate_csv(chance, data, size, size_max);
	case 1:
		return mutate_value(chance, data, size, size_max);
	default:
		return pieces_mutate(&lines, chance, data, size, size_max);
	}
}
