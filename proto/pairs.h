/* pairs.h - NAME=VALUE, as settings and options have it. Pure. Texts are borrowed. */
#pragma once
#include "proto/slice.h"

enum { PAIRS_MAX = 256 };

struct pairs_error {
	char text[256];
};

struct pair {
	struct slice left; /* never empty */
	struct slice right;
};

struct pair_list {
	struct pair items[PAIRS_MAX];
	size_t count;
};

/* One pair; what stands behind the first '=' is its value, whatever it holds. `option` names it in the error. 0 or
 * -EINVAL with the error set. */
int pairs_add(
	struct pair_list *list, const char *option, struct slice text, struct pairs_error *error);
/* Several, separated by commas. */
int pairs_add_several(
	struct pair_list *list, const char *option, const char *text, struct pairs_error *error);
/* Every one of the texts is one pair; they end with NULL. */
int pairs_add_all(struct pair_list *list, const char *option, const char *const *texts,
	struct pairs_error *error);
/* COLUMN:FIELD, several of them, separated by commas, with spaces around each name. */
int pairs_add_columns(
	struct pair_list *list, const char *option, const char *text, struct pairs_error *error);
/* NULL when there is none. */
const struct pair *pairs_find_left(const struct pair_list *list, struct slice left);
const struct pair *pairs_find_right(const struct pair_list *list, struct slice right);
