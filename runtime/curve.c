#include "runtime/curve.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <zmq.h>

static const char z85[] =
	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

int curve_pair_new(struct curve_pair *ret_pair)
{
	struct curve_pair pair;

	if (zmq_curve_keypair(pair.public_key.text, pair.secret_key.text) < 0) {
		return -errno;
	}
	*ret_pair = pair;
	curve_pair_forget(&pair);
	return 0;
}

/* Five characters are a number below 2^32: some of 85^5 are not. */
bool curve_key_parse(const char *text, struct curve_key *ret_key)
{
	uint8_t bytes[CURVE_KEY_BYTES];

	if (strlen(text) != CURVE_KEY_SIZE || strspn(text, z85) != CURVE_KEY_SIZE ||
		zmq_z85_decode(bytes, text) == NULL) {
		return false;
	}
	memcpy(ret_key->text, text, CURVE_KEY_SIZE + 1);
	explicit_bzero(bytes, sizeof bytes);
	return true;
}

bool curve_key_of_bytes(const void *bytes, size_t size, struct curve_key *ret_key)
{
	return size == CURVE_KEY_BYTES && zmq_z85_encode(ret_key->text, bytes, size) != NULL;
}

bool curve_public_of(const struct curve_key *secret_key, struct curve_key *ret_public_key)
{
	return zmq_curve_public(ret_public_key->text, secret_key->text) == 0;
}

void curve_pair_forget(struct curve_pair *pair)
{
	explicit_bzero(pair, sizeof *pair);
}
