#include "cli/batch.h"

#include "proto/writer.h"

void batch_init(struct batch *batch, enum encoding encoding)
{
	*batch = (struct batch){.encoding = encoding};
	buffer_init(&batch->events, FRAME_SIZE_MAX - BATCH_FRAME_EXTRA);
	buffer_init(&batch->frame, FRAME_SIZE_MAX);
}

void batch_deinit(struct batch *batch)
{
	buffer_deinit(&batch->events);
	buffer_deinit(&batch->frame);
}

bool batch_add(struct batch *batch, struct slice event)
{
	size_t size = batch->events.size;

	if (batch->count == FRAME_EVENTS_MAX) {
		return false;
	}
	if (batch->encoding == ENCODING_JSON && batch->count > 0) {
		buffer_append_byte(&batch->events, ',');
	}
	buffer_append(&batch->events, event.bytes, event.size);
	if (batch->events.error != 0) {
		buffer_truncate(&batch->events, size);
		return false;
	}
	batch->count++;
	return true;
}

struct slice batch_take_frame(struct batch *batch)
{
	struct slice events = buffer_slice(&batch->events);
	struct writer writer;

	buffer_clear(&batch->frame);
	if (batch->encoding == ENCODING_JSON) {
		buffer_append_byte(&batch->frame, '[');
		buffer_append(&batch->frame, events.bytes, events.size);
		buffer_append_byte(&batch->frame, ']');
	} else {
		writer_init(&writer, ENCODING_MSGPACK, &batch->frame);
		write_array(&writer, batch->count);
		buffer_append(&batch->frame, events.bytes, events.size);
	}
	batch->count = 0;
	buffer_clear(&batch->events);
	return batch->frame.error == 0 ? buffer_slice(&batch->frame) : (struct slice){NULL, 0};
}
