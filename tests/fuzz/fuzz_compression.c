/* Any bytes as the events of a compressed batch, behind the size that its sender claims: refused, or exactly so long
 * and the same after a way of our own. And any bytes as events: they come back. */
#include "proto/compression.h"
#include "tests/fuzz/fuzz.h"

enum { SIZE_SIZE = 3 };

static struct compressor *compressor;
static struct decompressor *decompressor;

static void check_again(struct slice plain)
{
	struct slice copy = fuzz_copy(plain.bytes, plain.size);
	struct complaint complaint;
	struct slice frame, again;

	if (compressor_pack(compressor, copy, &frame)) {
		fuzz_require(frame.size < copy.size);
		fuzz_require(decompressor_unpack(
				     decompressor, frame, copy.size, &again, &complaint) == 0);
		fuzz_require(slice_equal(again, copy));
	}
	fuzz_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct complaint complaint;
	struct slice plain = {NULL, 0};

	if (size < SIZE_SIZE || size - SIZE_SIZE > BATCH_SIZE_MAX) {
		return 0;
	}
	if (compressor == NULL) {
		fuzz_require(compressor_new(COMPRESSION_LEVEL_MIN, &compressor) == 0);
		fuzz_require(decompressor_new(&decompressor) == 0);
	}
	size_t plain_size = (size_t)(data[0] | data[1] << 8 | data[2] << 16) % (BATCH_SIZE_MAX + 1);
	struct slice frame = fuzz_copy(data + SIZE_SIZE, size - SIZE_SIZE);
	int r = decompressor_unpack(decompressor, frame, plain_size, &plain, &complaint);
	fuzz_require(r == 0 || (r == REASON_BAD_FRAME && complaint.reason == REASON_BAD_FRAME));
	fuzz_require(r != 0 || plain.size == plain_size);
	if (r == 0) {
		check_again(plain);
	}
	check_again(frame);
	fuzz_free(frame);
	return 0;
}
