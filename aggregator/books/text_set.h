/* text_set.h - a short list of texts, each once, in the order in which they came: accepted gaps, names for alarms. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { TEXT_SET_MAX = 256 };

/* Zero-initialised: empty. */
struct text_set {
	const char **texts; /* owned, as are the texts; ends with NULL once there is one */
	size_t count;
};

void text_set_deinit(struct text_set *set);
bool text_set_have(const struct text_set *set, const char *text);
/* 0, -ENOMEM, -ENOSPC past TEXT_SET_MAX. A text that is there already is not added again. */
int text_set_add(struct text_set *set, const char *text);
/* Ends with NULL, also when empty. Borrowed until the set changes. */
const char *const *text_set_list(const struct text_set *set);
