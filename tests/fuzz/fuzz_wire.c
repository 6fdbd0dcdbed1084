/* Any bytes as a frame between edge and bridge: refused, or written again to what means the same. */
#include "proto/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_value};

static bool is_this_version(const struct wire_message *message)
{
	return (message->type != WIRE_HELLO || message->hello.version == WIRE_VERSION) &&
	       (message->type != WIRE_WELCOME || message->welcome.version == WIRE_VERSION);
}

static void check_again(const struct wire_message *message)
{
	static struct wire_range ranges[WIRE_RANGES_MAX];
	struct buffer first, second;
	struct complaint complaint;
	struct wire_message again;

	buffer_init(&first, WIRE_FRAME_SIZE_MAX);
	buffer_init(&second, WIRE_FRAME_SIZE_MAX);
	wire_encode(message, &first);
	fuzz_require(first.error == 0);
	fuzz_require(wire_decode(buffer_slice(&first), ranges, &again, &complaint) == 0);
	wire_encode(&again, &second);
	fuzz_require(slice_equal(buffer_slice(&first), buffer_slice(&second)));
	buffer_deinit(&first);
	buffer_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire_range ranges[WIRE_RANGES_MAX];
	struct slice bytes = fuzz_copy(data, size);
	struct complaint complaint;
	struct wire_message message;

	int r = wire_decode(bytes, ranges, &message, &complaint);
	fuzz_require(r == 0 || (r == REASON_BAD_FRAME && complaint.reason == REASON_BAD_FRAME));
	if (r == 0 && is_this_version(&message)) {
		check_again(&message);
	}
	fuzz_free(bytes);
	return 0;
}
