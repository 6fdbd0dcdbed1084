/* CSV by cells, each with what ends it. */
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/words.h"

enum { CELL_SIZE_MAX = 8192 };

static bool is_end(uint8_t byte)
{
	return byte == ',' || byte == ';' || byte == '\t' || byte == '|' || byte == '\n';
}

/* Up to the delimiter or the end of the line that is not within quotes. */
static size_t cut_cell(struct slice rest)
{
	bool is_quoted = false;

	for (size_t i = 0; i < rest.size; i++) {
		is_quoted ^= rest.bytes[i] == '"';
		if (!is_quoted && is_end(rest.bytes[i])) {
			return i + 1;
		}
	}
	return rest.size;
}

static size_t make_cell(struct chance *chance, uint8_t *out, size_t size_max)
{
	static const char *const cells[] = {",", ",,", "\n", "\r\n", "\r", "\"\",", "\"a\"\"b\",",
		"\"a\nb\"\n", "\"a\r\nb\",", "\"open", "\"a\"b,", "a\"b,", " \"a\" ,", "order_id,",
		"unit_price,", "quantity\n", "2,55\n", "\"2,55\",", "order_id,order_id\n", "\"\"\n",
		"\xef\xbb\xbf,", "\xff,", ";", "\t", "|", "1;2\n"};

	return put_word(chance, cells, WORD_COUNT(cells), out, size_max);
}

/* The cell within quotes, its own doubled; what ends it stays behind them. */
static size_t quote(uint8_t *data, size_t size, size_t size_max)
{
	static uint8_t cell[2 * CELL_SIZE_MAX + 3];
	size_t end = size > 0 && is_end(data[size - 1]) ? 1 : 0;
	size_t made = 0;

	if (size > CELL_SIZE_MAX) {
		return 0;
	}
	cell[made++] = '"';
	for (size_t i = 0; i < size - end; i++) {
		if (data[i] == '"') {
			cell[made++] = '"';
		}
		cell[made++] = data[i];
	}
	cell[made++] = '"';
	if (made + end > size_max) {
		return 0;
	}
	if (end > 0) {
		cell[made++] = data[size - 1];
	}
	memcpy(data, cell, made);
	return made;
}

static size_t change_cell(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	static const char ends[] = ",;\t|\n\n,\r";

	switch (chance_draw(chance, 3)) {
	case 0:
		return quote(data, size, size_max);
	case 1:
		data[size - 1] = (uint8_t)ends[chance_draw(chance, sizeof ends - 1)];
		return size;
	default:
		return LLVMFuzzerMutate(data, size, size_max);
	}
}

size_t mutate_csv(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	static const struct piece_kind cells = {cut_cell, change_cell, make_cell};

	return pieces_mutate(&cells, chance, data, size, size_max);
}
