/* Any bytes as a producer's frame: the events lie within it, in order, as many as were counted. */
#include "proto/framing.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_value};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice frame = fuzz_copy(data, size);
	struct framing framing;
	struct complaint complaint;
	struct slice event;

	if (framing_open(&framing, frame, &complaint) == 0) {
		const uint8_t *last = frame.bytes;
		uint32_t count = 0;
		for (; framing_next(&framing, &event); count++) {
			fuzz_require(event.size > 0 && event.bytes >= last);
			last = event.bytes + event.size;
			fuzz_require(last <= frame.bytes + frame.size);
		}
		fuzz_require(count == framing.count);
	}
	fuzz_free(frame);
	return 0;
}
