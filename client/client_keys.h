/* client_keys.h - with whose key a client speaks, and which server it talks to: CURVE's keys out of the files that
 * "till keygen" writes. What they may do is said at the server. */
#pragma once
#include "runtime/config.h"
#include "runtime/curve.h"
#include "runtime/socket.h"

struct client_keys {
	struct curve_pair own;
	struct curve_key server;
};

/* Why a server is there and yet nobody talks. */
enum client_refusal {
	CLIENT_NOT_REFUSED,
	CLIENT_KEY_REFUSED, /* the server does not let our key in */
	CLIENT_NO_HANDSHAKE, /* keys on one side only, or the server has another key than ours of it */
};

/* `key_file`: our secret, NAME.key; `server_key_file`: the server's NAME.pub. 0 or a negative errno with the error set. */
int client_keys_read(const char *key_file, const char *server_key_file,
	struct client_keys *ret_keys, struct config_error *error);
void client_keys_forget(struct client_keys *keys);
/* Sets what makes a client of a socket; NULL: no keys. The keys are borrowed until the socket is made. */
void client_keys_use(const struct client_keys *keys, struct socket_options *options);
/* A sentence's end: "the server does not let our key in …". */
const char *client_refusal_words(enum client_refusal refusal);
