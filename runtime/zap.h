/* zap.h - the words between libzmq and whoever decides which keys get in (RFC 27): one request, one reply. Pure. */
#pragma once
#include "runtime/curve.h"
#include "runtime/socket.h"

enum { ZAP_SOCKET_SIZE = 32, ZAP_ADDRESS_SIZE = 64, ZAP_REPLY_FRAMES = 8 };

struct zap_request {
	char socket[ZAP_SOCKET_SIZE]; /* its ZAP domain: which of our sockets is knocked at */
	char address[ZAP_ADDRESS_SIZE];
	bool is_curve; /* `key` is set; else another mechanism, which is refused */
	struct curve_key key;
};

/* From a ROUTER at inproc://zeromq.zap.01. false: no request, and there is nobody to answer. */
bool zap_read(const struct message *message, struct zap_request *ret_request);
/* The frames of the reply to `message`; they point into it, the request and literals. Who is let in has its key as
 * User-Id with each message. */
void zap_reply(const struct message *message, const struct zap_request *request, bool is_let_in,
	struct iovec ret_frames[ZAP_REPLY_FRAMES]);
