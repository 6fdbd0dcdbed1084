#include "client/client_keys.h"

#include "runtime/key_file.h"
#include <string.h>

int client_keys_read(const char *key_file, const char *server_key_file,
	struct client_keys *ret_keys, struct config_error *error)
{
	struct client_keys keys;

	int r = key_file_read_pair(key_file, &keys.own, error);
	if (r == 0) {
		r = key_file_read_public(server_key_file, &keys.server, error);
	}
	if (r == 0) {
		*ret_keys = keys;
	}
	client_keys_forget(&keys);
	return r;
}

void client_keys_forget(struct client_keys *keys)
{
	explicit_bzero(keys, sizeof *keys);
}

void client_keys_use(const struct client_keys *keys, struct socket_options *options)
{
	if (keys != NULL) {
		options->curve_secret_key = keys->own.secret_key.text;
		options->curve_public_key = keys->own.public_key.text;
		options->curve_server_key = keys->server.text;
	}
}

const char *client_refusal_words(enum client_refusal refusal)
{
	switch (refusal) {
	case CLIENT_KEY_REFUSED:
		return "it does not let our key in: its directory [security] authorized wants our "
		       ".pub";
	case CLIENT_NO_HANDSHAKE:
		return "no handshake: it has another key than we were told, or only one of us "
		       "uses keys";
	default:
		return "";
	}
}
