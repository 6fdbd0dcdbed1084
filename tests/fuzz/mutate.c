/* Linked into each target that has a structure. */
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/fuzz.h"

enum { STEPS_MAX = 3, LEFT_TO_LIBFUZZER = 4 };

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct chance chance = {seed | 1};
	size_t prefix = fuzz_structure.prefix_size;

	if (size <= prefix || chance_one_in(&chance, LEFT_TO_LIBFUZZER)) {
		return LLVMFuzzerMutate(data, size, max_size);
	}
	for (uint32_t steps = 1 + chance_draw(&chance, STEPS_MAX); steps > 0; steps--) {
		size_t made = fuzz_structure.mutate(
			&chance, data + prefix, size - prefix, max_size - prefix);
		if (made == 0) {
			return LLVMFuzzerMutate(data, size, max_size);
		}
		size = prefix + made;
	}
	return size;
}
