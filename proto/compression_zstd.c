#include "proto/compression.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

enum {
	/* plain_size itself takes up to five bytes, and another format costs everybody a little. */
	GAIN_MIN = 16,
	/* zstd's own least frame: what follows may read so far without asking again. */
	FRAME_SIZE_MIN = 6,
	WINDOW_SIZE_MAX = BATCH_SIZE_MAX,
};

struct compressor {
	ZSTD_CCtx *context;
	uint8_t frame[BATCH_SIZE_MAX];
};

struct decompressor {
	ZSTD_DCtx *context;
	uint8_t plain[BATCH_SIZE_MAX];
};

/* ---- there */

int compressor_new(int level, struct compressor **ret_compressor)
{
	assert(level >= COMPRESSION_LEVEL_MIN && level <= COMPRESSION_LEVEL_MAX);

	struct compressor *compressor = malloc(sizeof *compressor);
	if (compressor == NULL) {
		return -ENOMEM;
	}
	compressor->context = ZSTD_createCCtx();
	if (compressor->context == NULL) {
		compressor_free(compressor);
		return -ENOMEM;
	}
	ZSTD_CCtx_setParameter(compressor->context, ZSTD_c_compressionLevel, level);
	/* Four bytes: a codec that is broken, here or there, must not become a wrong amount. */
	ZSTD_CCtx_setParameter(compressor->context, ZSTD_c_checksumFlag, 1);
	*ret_compressor = compressor;
	return 0;
}

struct compressor *compressor_free(struct compressor *compressor)
{
	if (compressor != NULL) {
		ZSTD_freeCCtx(compressor->context);
		free(compressor);
	}
	return NULL;
}

bool compressor_pack(struct compressor *compressor, struct slice plain, struct slice *ret_frame)
{
	assert(plain.size <= BATCH_SIZE_MAX);

	if (plain.size <= GAIN_MIN) {
		return false;
	}
	/* What does not fit does not pay. */
	size_t size = ZSTD_compress2(compressor->context, compressor->frame, plain.size - GAIN_MIN,
		plain.bytes, plain.size);
	if (ZSTD_isError(size) || plain.size > size * BATCH_RATIO_MAX) {
		return false;
	}
	*ret_frame = slice_of(compressor->frame, size);
	return true;
}

/* ---- and back */

int decompressor_new(struct decompressor **ret_decompressor)
{
	struct decompressor *decompressor = malloc(sizeof *decompressor);
	if (decompressor == NULL) {
		return -ENOMEM;
	}
	decompressor->context = ZSTD_createDCtx();
	if (decompressor->context == NULL) {
		decompressor_free(decompressor);
		return -ENOMEM;
	}
	*ret_decompressor = decompressor;
	return 0;
}

struct decompressor *decompressor_free(struct decompressor *decompressor)
{
	if (decompressor != NULL) {
		ZSTD_freeDCtx(decompressor->context);
		free(decompressor);
	}
	return NULL;
}

/* RFC 8878, 3.1.1.1.2. The library looks at a window only where it would get memory for it; we promise to look always. */
static bool window_is_too_large(struct slice frame)
{
	bool is_single_segment = (frame.bytes[4] & 0x20) != 0;
	unsigned exponent = frame.bytes[5] >> 3;
	unsigned mantissa = frame.bytes[5] & 7;

	if (is_single_segment) {
		return false; /* the window is the content */
	}
	uint64_t base = UINT64_C(1024) << exponent;
	return base + base / 8 * mantissa > WINDOW_SIZE_MAX;
}

/* Before anything is decompressed. NULL, or what is wrong. */
static const char *find_fault(struct slice frame, size_t plain_size)
{
	static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd};

	if (frame.size < FRAME_SIZE_MIN || memcmp(frame.bytes, magic, sizeof magic) != 0) {
		return "it is no zstd frame";
	}
	if ((frame.bytes[4] & 3) != 0) {
		return "it needs a dictionary";
	}
	if (window_is_too_large(frame)) {
		return "its window is too large";
	}
	if (ZSTD_getFrameContentSize(frame.bytes, frame.size) != plain_size) {
		return "its frame says another size";
	}
	size_t size = ZSTD_findFrameCompressedSize(frame.bytes, frame.size);
	if (ZSTD_isError(size)) {
		return "its frame is cut short or damaged";
	}
	return size == frame.size ? NULL : "its frame is followed by other bytes";
}

int decompressor_unpack(struct decompressor *decompressor, struct slice frame, size_t plain_size,
	struct slice *ret_plain, struct complaint *complaint)
{
	assert(plain_size <= BATCH_SIZE_MAX);

	const char *fault = find_fault(frame, plain_size);
	if (fault == NULL) {
		size_t size = ZSTD_decompressDCtx(decompressor->context, decompressor->plain,
			plain_size, frame.bytes, frame.size);
		if (ZSTD_isError(size)) {
			fault = ZSTD_getErrorName(size);
		} else if (size != plain_size) {
			fault = "there is less in its frame than it says";
		}
	}
	if (fault != NULL) {
		complaint_set(complaint, REASON_BAD_FRAME, "",
			"%zu bytes that should be a batch of %zu can't be decompressed: %s",
			frame.size, plain_size, fault);
		return REASON_BAD_FRAME;
	}
	*ret_plain = slice_of(decompressor->plain, plain_size);
	return 0;
}
