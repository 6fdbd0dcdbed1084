/* script.h - inputs that say what happens, one step after the other:
 *
 *	u8 low four bits the act, high four bits to whom; each target says what they are
 *	u16 size, little-endian
 *	that many bytes: a frame, a row, whatever the act takes */
#pragma once
#include "proto/slice.h"
#include <stdbool.h>

enum { SCRIPT_ACT_MASK = 15, SCRIPT_HEAD_SIZE = 3 };

struct script_step {
	uint8_t act, whom;
	struct slice bytes;
};

/* Cuts the first step off; what is short of its size ends where the input ends. false: nothing is left. */
static inline bool script_next(struct slice *script, struct script_step *ret_step)
{
	if (script->size < SCRIPT_HEAD_SIZE) {
		return false;
	}
	const uint8_t *at = script->bytes;
	size_t size = (size_t)(at[1] | at[2] << 8);
	size_t left = script->size - SCRIPT_HEAD_SIZE;

	size = size < left ? size : left;
	*ret_step = (struct script_step){
		at[0] & SCRIPT_ACT_MASK, at[0] >> 4, slice_of(at + SCRIPT_HEAD_SIZE, size)};
	*script = slice_of(at + SCRIPT_HEAD_SIZE + size, left - size);
	return true;
}

/* For mutators: the size of the first step. */
static inline size_t script_cut(struct slice rest)
{
	struct script_step step;
	struct slice all = rest;

	return script_next(&rest, &step) ? all.size - rest.size : all.size;
}

static inline void script_set_size(uint8_t *step, size_t size)
{
	step[1] = (uint8_t)size;
	step[2] = (uint8_t)(size >> 8);
}

/* The byte at `index` of what an act takes; 0 where it is short. */
static inline uint8_t script_byte(const struct script_step *step, size_t index)
{
	return index < step->bytes.size ? step->bytes.bytes[index] : 0;
}
