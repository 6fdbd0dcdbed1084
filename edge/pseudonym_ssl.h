/* pseudonym_ssl.h - names for people that only the holder of a key can lead back to them: "p_" and the first 128 bits of
 * HMAC-SHA-256(key, id) in base32. Edges with the same key give the same person the same name. Not anonymous: who has the key
 * and a list of ids can try them all. One thread. */
#pragma once
#include "proto/slice.h"

enum {
	PSEUDONYM_TEXT_SIZE = 28, /* without a NUL */
	PSEUDONYM_KEY_SIZE_MIN = 16,
};

struct pseudonymiser;

/* `key` is any text of at least PSEUDONYM_KEY_SIZE_MIN bytes. 0, -EINVAL when it is shorter, -ENOMEM. */
int pseudonymiser_new(const char *key, struct pseudonymiser **ret_pseudonymiser);
struct pseudonymiser *pseudonymiser_free(struct pseudonymiser *pseudonymiser);

/* What has a pseudonym's form already is kept: a dead letter may come in again. 0 or -ENOMEM. */
int pseudonym_make(
	struct pseudonymiser *pseudonymiser, struct slice id, char ret_text[PSEUDONYM_TEXT_SIZE]);
