/* keyring.h - the public keys of a directory, one file each (NAME.pub), found by key. A file that changes is read again, one
 * that is gone takes its key with it; one that can't be read any more leaves what it said before in force. One thread. */
#pragma once
#include "runtime/key_holder.h"

struct keyring;

enum {
	/* A directory of more is searched for too long on the loop. A chain of so many stores has several bridges. */
	KEYRING_KEYS_MAX = 20000,
	KEYRING_LOOK_FILES = 200, /* some milliseconds */
};

enum { KEYRING_E_CHANGED = 1 };

/* What one look at the directory found. `why` is for one line of a log; borrowed for the call. */
struct keyring_listener {
	void *owner;
	void (*added)(void *owner, const struct key_holder *holder);
	void (*changed)(void *owner, const struct key_holder *holder);
	void (*removed)(void *owner, const struct key_holder *holder);
	/* The file is not followed; `is_old_kept`: what it said before is in force. */
	void (*ignored)(void *owner, const char *why, bool is_old_kept);
};

/* Strict: one bad file, and nothing is opened. 0, -EINVAL or -errno with the error set. */
int keyring_open(const char *dir, struct keyring **ret_keyring, struct config_error *error);
struct keyring *keyring_free(struct keyring *keyring);
/* Looks at the directory again: at all files when any came, went or was renamed (or with `all_files`), else at the next
 * KEYRING_LOOK_FILES, for one that was written in place. 0; KEYRING_E_CHANGED: holders found before may be gone; -ENOMEM: what it has can't be
 * relied on any more. A directory that can't be read is `ignored`, and all stays as it was. */
int keyring_refresh(
	struct keyring *keyring, bool all_files, const struct keyring_listener *listener);
/* By the key as text; NULL when nobody has it. Borrowed until the next refresh. */
const struct key_holder *keyring_find(const struct keyring *keyring, const char *key);
/* The same, of whoever sent a message: everybody may do everything where the keyring is NULL, for nobody is asked for a
 * key. NULL: he may do nothing. */
const struct key_holder *keyring_holder(const struct keyring *keyring, const char *user_id);
size_t keyring_count(const struct keyring *keyring);
size_t keyring_bad_count(const struct keyring *keyring); /* files that are not followed now */
