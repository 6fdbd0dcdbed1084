/* compression.h - the events of a BATCH as one zstd frame, and back (PROTOCOL.md, 4.3). Each frame stands for itself:
 * nothing is kept between them but memory. A compressor, and a decompressor, belongs to one thread. */
#pragma once
#include "proto/reason.h"
#include "proto/slice.h"

enum {
	COMPRESSION_LEVEL_MIN = 1,
	COMPRESSION_LEVEL_DEFAULT = 3,
	/* A batch takes some 5 ms; above, it is several times that, and saves 1 %. */
	COMPRESSION_LEVEL_MAX = 9,
};

struct compressor;

/* 0 or -ENOMEM. */
int compressor_new(int level, struct compressor **ret_compressor);
struct compressor *compressor_free(struct compressor *compressor);
/* `plain`: 1 … BATCH_SIZE_MAX bytes. False: send it as it is, for compression does not pay, or failed. The frame is the
 * compressor's, until the next call. */
bool compressor_pack(struct compressor *compressor, struct slice plain, struct slice *ret_frame);

struct decompressor;

int decompressor_new(struct decompressor **ret_decompressor);
struct decompressor *decompressor_free(struct decompressor *decompressor);
/* `frame`: anything. plain_size: what the sender says, at most BATCH_SIZE_MAX; no memory is got for it. 0, or
 * REASON_BAD_FRAME with the complaint. What comes out is the decompressor's, until the next call. */
int decompressor_unpack(struct decompressor *decompressor, struct slice frame, size_t plain_size,
	struct slice *ret_plain, struct complaint *complaint);
