/* mutate.h - mutators that know what their input is made of: what comes out is mostly taken by the first check, so that the
 * fuzzer gets behind it. A target names its own:
 *
 *	const struct structure fuzz_structure = {.mutate = mutate_csv, .prefix_size = 2};
 *
 * and is linked with mutate.c, which libFuzzer calls instead of its own mutation, and which leaves one input in four to that one. */
#pragma once
#include "proto/slice.h"
#include "tests/fuzz/chance.h"

/* libFuzzer's own. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* Changes `data` in place, in room for size_max bytes. The new size; 0: nothing fitting came out, libFuzzer's own shall try. */
typedef size_t mutator(struct chance *chance, uint8_t *data, size_t size, size_t size_max);

struct structure {
	mutator *mutate;
	size_t prefix_size; /* bytes of the target's own in front; only libFuzzer's own mutates these */
};

extern const struct structure fuzz_structure;

mutator mutate_value; /* one value of msgpack or JSON */
mutator mutate_block; /* a block of a spool: header, events, checksums */
mutator mutate_change; /* key and value of a row's change */
mutator mutate_csv;
mutator mutate_http; /* header texts, each with its NUL, and a body */
mutator mutate_lines; /* JSON or msgpack values, CSV: what files and bodies hold */
mutator mutate_mqtt; /* packets back to back */
mutator mutate_page; /* a file of LMDB */
mutator mutate_rows; /* rows of tables: steps of script.h */
mutator mutate_session; /* frames between edge and bridge: steps of script.h, session.h */
mutator mutate_settings; /* sections, keys and values */

/* libFuzzer's own change of `data`, at most size_max bytes: as a mutator. */
static inline size_t mutate_bytes(
	struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	(void)chance;
	return LLVMFuzzerMutate(data, size, size_max);
}
