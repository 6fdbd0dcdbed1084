#include "aggregator/books/text_set.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void text_set_deinit(struct text_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		free((char *)set->texts[i]);
	}
	free(set->texts);
	*set = (struct text_set){0};
}

bool text_set_have(const struct text_set *set, const char *text)
{
	for (size_t i = 0; i < set->count; i++) {
		if (strcmp(set->texts[i], text) == 0) {
			return true;
		}
	}
	return false;
}

int text_set_add(struct text_set *set, const char *text)
{
	if (text_set_have(set, text)) {
		return 0;
	}
	if (set->count == TEXT_SET_MAX) {
		return -ENOSPC;
	}
	char *copy = strdup(text);
	const char **grown = realloc(set->texts, (set->count + 2) * sizeof *grown);
	if (grown != NULL) {
		set->texts = grown;
	}
	if (copy == NULL || grown == NULL) {
		free(copy);
		return -ENOMEM;
	}
	set->texts[set->count++] = copy;
	set->texts[set->count] = NULL;
	return 0;
}

const char *const *text_set_list(const struct text_set *set)
{
	static const char *const none[] = {NULL};
	return set->count == 0 ? none : set->texts;
}
