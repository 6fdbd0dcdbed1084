/* key_holder.h - who a public key is, and what it may do: one NAME.pub of the directory `[security] authorized`. Pure, but
 * for key_holder_read. Rights are lists of names; what they name (edges, views) is the programs' own affair. */
#pragma once
#include "runtime/config.h"
#include "runtime/curve.h"

enum {
	KEY_NAME_SIZE = 64,
	/* A list of some hundred edges; a file of 64 KiB is a mistake. */
	KEY_FILE_SIZE_MAX = 32 * 1024,
	/* Edge ids and views have at most 64 bytes. */
	KEY_LIST_ITEM_SIZE_MAX = 64,
};

struct key_holder {
	char name[KEY_NAME_SIZE]; /* the file's, without .pub */
	struct curve_key key;
	char *edges; /* may send as these edges to a bridge; "*": as any; NULL: none */
	char *views; /* may ask for these views; "*": for all */
	char *stores; /* may ask for rows of these edges, in views that are grouped by edge */
	bool sends; /* may push events to an edge, */
	char *producers; /* whose frames are numbered as one of these producers; NULL: numbered or not, as any */
	char *kinds; /* of these kinds; NULL: of any */
	bool is_admin;
};

/* `path` is for the words and, without its directory and .pub, the name. 0, -EINVAL (the error says file and line) or
 * -ENOMEM. */
int key_holder_parse(const char *path, const char *text, size_t size,
	struct key_holder **ret_holder, struct config_error *error);
/* The file may be written by nobody but its owner, who is root or us: whoever can write it gives rights. */
int key_holder_read(const char *path, struct key_holder **ret_holder, struct config_error *error);
struct key_holder *key_holder_free(struct key_holder *holder);

/* Is the name in the list, or the list "*"? A list of NULL has nothing. */
bool key_list_has(const char *list, const void *name, size_t size);
bool key_list_has_all(const char *list);
