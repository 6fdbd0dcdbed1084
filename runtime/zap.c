#include "runtime/zap.h"
#include <string.h>

/* Routing id, empty, version, request id, domain, address, identity, mechanism, credentials … */
enum {
	FRAME_PEER,
	FRAME_EMPTY,
	FRAME_VERSION,
	FRAME_REQUEST_ID,
	FRAME_DOMAIN,
	FRAME_ADDRESS,
	FRAME_IDENTITY,
	FRAME_MECHANISM,
	FRAME_KEY,
};

static bool frame_is(const struct iovec *frame, const char *text)
{
	return frame->iov_len == strlen(text) && memcmp(frame->iov_base, text, frame->iov_len) == 0;
}

static void copy_text(const struct iovec *frame, char *out, size_t out_size)
{
	size_t size = frame->iov_len < out_size ? frame->iov_len : out_size - 1;

	memcpy(out, frame->iov_base, size);
	out[size] = '\0';
}

bool zap_read(const struct message *message, struct zap_request *ret_request)
{
	const struct iovec *frames = message->frames;

	if (message->frame_count <= FRAME_MECHANISM || frames[FRAME_EMPTY].iov_len != 0 ||
		!frame_is(&frames[FRAME_VERSION], "1.0")) {
		return false;
	}
	*ret_request = (struct zap_request){.is_curve = false};
	copy_text(&frames[FRAME_DOMAIN], ret_request->socket, sizeof ret_request->socket);
	copy_text(&frames[FRAME_ADDRESS], ret_request->address, sizeof ret_request->address);
	ret_request->is_curve = message->frame_count == FRAME_KEY + 1 &&
				frame_is(&frames[FRAME_MECHANISM], "CURVE") &&
				curve_key_of_bytes(frames[FRAME_KEY].iov_base,
					frames[FRAME_KEY].iov_len, &ret_request->key);
	return true;
}

static struct iovec text_frame(const char *text)
{
	return (struct iovec){(void *)(uintptr_t)text, strlen(text)};
}

void zap_reply(const struct message *message, const struct zap_request *request, bool is_let_in,
	struct iovec ret_frames[ZAP_REPLY_FRAMES])
{
	ret_frames[0] = message->frames[FRAME_PEER];
	ret_frames[1] = text_frame("");
	ret_frames[2] = text_frame("1.0");
	ret_frames[3] = message->frames[FRAME_REQUEST_ID];
	ret_frames[4] = text_frame(is_let_in ? "200" : "400");
	ret_frames[5] = text_frame(is_let_in ? "OK" : "unknown key");
	ret_frames[6] = text_frame(is_let_in ? request->key.text : "");
	ret_frames[7] = text_frame("");
}
