#include "edge/pseudonym_ssl.h"
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdbool.h>
#include <stdlib.h>

enum { HASH_SIZE = 32, KEPT_BITS = 128 };

static const char prefix[] = "p_";
static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

_Static_assert(sizeof prefix - 1 + (KEPT_BITS + 4) / 5 == PSEUDONYM_TEXT_SIZE,
	"base32 has 5 bits a character");

struct pseudonymiser {
	EVP_MAC_CTX *context; /* holds the key */
};

int pseudonymiser_new(const char *key, struct pseudonymiser **ret_pseudonymiser)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	if (strlen(key) < PSEUDONYM_KEY_SIZE_MIN) {
		return -EINVAL;
	}
	struct pseudonymiser *pseudonymiser = calloc(1, sizeof *pseudonymiser);
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (pseudonymiser != NULL && mac != NULL) {
		pseudonymiser->context = EVP_MAC_CTX_new(mac);
	}
	EVP_MAC_free(mac); /* the context has a reference of its own */
	if (pseudonymiser == NULL || pseudonymiser->context == NULL ||
		EVP_MAC_init(pseudonymiser->context, (const unsigned char *)key, strlen(key),
			params) != 1) {
		pseudonymiser_free(pseudonymiser);
		return -ENOMEM;
	}
	*ret_pseudonymiser = pseudonymiser;
	return 0;
}

struct pseudonymiser *pseudonymiser_free(struct pseudonymiser *pseudonymiser)
{
	if (pseudonymiser != NULL) {
		EVP_MAC_CTX_free(pseudonymiser->context);
		free(pseudonymiser);
	}
	return NULL;
}

static bool is_pseudonym(struct slice id)
{
	if (id.size != PSEUDONYM_TEXT_SIZE || memcmp(id.bytes, prefix, sizeof prefix - 1) != 0) {
		return false;
	}
	for (size_t i = sizeof prefix - 1; i < id.size; i++) {
		if (memchr(digits, id.bytes[i], sizeof digits - 1) == NULL) {
			return false;
		}
	}
	return true;
}

static void write_text(const uint8_t hash[HASH_SIZE], char *text)
{
	memcpy(text, prefix, sizeof prefix - 1);
	for (int i = 0; i < PSEUDONYM_TEXT_SIZE - 2; i++) {
		int bit = 5 * i;
		unsigned pair = (unsigned)hash[bit / 8] << 8 | hash[bit / 8 + 1];
		unsigned five = pair >> (11 - bit % 8) & 31;
		if (bit + 5 > KEPT_BITS) { /* the last one has what is left */
			five &= 31u << (bit + 5 - KEPT_BITS);
		}
		text[2 + i] = digits[five];
	}
}

int pseudonym_make(
	struct pseudonymiser *pseudonymiser, struct slice id, char ret_text[PSEUDONYM_TEXT_SIZE])
{
	uint8_t hash[HASH_SIZE];
	size_t size = 0;

	if (is_pseudonym(id)) {
		memcpy(ret_text, id.bytes, id.size);
		return 0;
	}
	/* Without a key it begins anew under the one it has. */
	if (EVP_MAC_init(pseudonymiser->context, NULL, 0, NULL) != 1 ||
		EVP_MAC_update(pseudonymiser->context, id.bytes, id.size) != 1 ||
		EVP_MAC_final(pseudonymiser->context, hash, &size, sizeof hash) != 1) {
		return -ENOMEM;
	}
	write_text(hash, ret_text);
	return 0;
}
