/* Rows of tables by steps of a script (script.h): of each step the bytes change, or what is done with them. */
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/script.h"

enum { NEW_SIZE_MAX = 48 };

static size_t make_step(struct chance *chance, uint8_t *out, size_t size_max)
{
	size_t size = chance_draw(chance, NEW_SIZE_MAX);

	if (size_max < SCRIPT_HEAD_SIZE + NEW_SIZE_MAX) {
		return 0;
	}
	out[0] = (uint8_t)chance_draw(chance, 256);
	script_set_size(out, size);
	for (size_t i = 0; i < size; i++) {
		out[SCRIPT_HEAD_SIZE + i] =
			(uint8_t)chance_draw(chance, chance_one_in(chance, 4) ? 256 : 4);
	}
	return SCRIPT_HEAD_SIZE + size;
}

static size_t change_step(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	if (size <= SCRIPT_HEAD_SIZE || size_max <= SCRIPT_HEAD_SIZE) {
		return 0;
	}
	if (chance_one_in(chance, 4)) {
		data[0] = (uint8_t)(data[0] ^ 1u << chance_draw(chance, 8));
		return size;
	}
	size_max = size_max < UINT16_MAX ? size_max : UINT16_MAX;
	size_t made = size > size_max
			      ? 0
			      : LLVMFuzzerMutate(data + SCRIPT_HEAD_SIZE, size - SCRIPT_HEAD_SIZE,
					size_max - SCRIPT_HEAD_SIZE);
	script_set_size(data, made);
	return SCRIPT_HEAD_SIZE + made;
}

size_t mutate_rows(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	static const struct piece_kind steps = {script_cut, change_step, make_step};

	return pieces_mutate(&steps, chance, data, size, size_max);
}
