/* key_file.h - the two files of a key pair: NAME.key, which holds the secret, and NAME.pub, which may be shown to
 * anybody. INI text; OPERATIONS.md, "Keys", shows both. No error ever repeats what stands in a file with a secret. */
#pragma once
#include "runtime/config.h"
#include "runtime/curve.h"

/* Of a secret file: nobody but its owner may read it, nobody but the owner of its directory may put another in its place.
 * 0, -EINVAL or -errno with the error set. */
int key_file_read_pair(const char *path, struct curve_pair *ret_pair, struct config_error *error);
/* The key of a NAME.pub, whatever rights it gives. */
int key_file_read_public(const char *path, struct curve_key *ret_key, struct config_error *error);

/* Writes NAME.key (0600) and NAME.pub (0644) into the directory, durably; what is there already stays as it is, and the
 * answer is -EEXIST. `rights` is the text of the public file's section [rights]. */
int key_file_write(const char *dir, const char *name, const char *rights, struct curve_key *ret_key,
	struct config_error *error);
