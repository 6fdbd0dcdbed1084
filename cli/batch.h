/* batch.h - events gathered into a producer's frame: an array in one encoding. Pure. One thread. */
#pragma once
#include "proto/buffer.h"
#include "proto/document.h"
#include "proto/limits.h"

struct batch {
	enum encoding encoding;
	uint32_t count;
	struct buffer events;
	struct buffer frame;
};

/* Room that a frame of `count` events needs beside them: an array's head, or brackets and commas. */
enum { BATCH_FRAME_EXTRA = 16 };

void batch_init(struct batch *batch, enum encoding encoding);
void batch_deinit(struct batch *batch);
/* false, and nothing added, when the frame would grow over FRAME_SIZE_MAX or FRAME_EVENTS_MAX, or memory ends. */
bool batch_add(struct batch *batch, struct slice event);
/* Empties the batch; the frame is borrowed until the next call. {NULL, 0} when memory ends. */
struct slice batch_take_frame(struct batch *batch);
