/* Any bytes as a producer's event and as a record of Kafka, in JSON. */
#include "tests/fuzz/event_check.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_value};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_copy(data, size);

	event_check_producer(ENCODING_JSON, bytes);
	event_check_normal_form(ENCODING_JSON, bytes);
	fuzz_free(bytes);
	return 0;
}
