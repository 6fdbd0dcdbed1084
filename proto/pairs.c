#include "proto/pairs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int pairs_add(
	struct pair_list *list, const char *option, struct slice text, struct pairs_error *error)
{
	const uint8_t *equals = text.size > 0 ? memchr(text.bytes, '=', text.size) : NULL;

	if (equals == NULL || equals == text.bytes) {
		snprintf(error->text, sizeof error->text, "%s wants NAME=VALUE, not \"%.*s\"",
			option, (int)text.size, (const char *)text.bytes);
		return -EINVAL;
	}
	if (list->count == PAIRS_MAX) {
		snprintf(error->text, sizeof error->text, "%s: more than %d", option, PAIRS_MAX);
		return -EINVAL;
	}
	size_t left = (size_t)(equals - text.bytes);
	list->items[list->count++] = (struct pair){
		slice_of(text.bytes, left), slice_of(equals + 1, text.size - left - 1)};
	return 0;
}

int pairs_add_several(
	struct pair_list *list, const char *option, const char *text, struct pairs_error *error)
{
	int r = 0;

	while (r == 0 && text != NULL) {
		const char *comma = strchr(text, ',');
		size_t size = comma != NULL ? (size_t)(comma - text) : strlen(text);
		r = pairs_add(list, option, slice_of(text, size), error);
		text = comma != NULL ? comma + 1 : NULL;
	}
	return r;
}

int pairs_add_all(struct pair_list *list, const char *option, const char *const *texts,
	struct pairs_error *error)
{
	int r = 0;

	for (; r == 0 && *texts != NULL; texts++) {
		r = pairs_add(list, option, slice_of_text(*texts), error);
	}
	return r;
}

const struct pair *pairs_find_left(const struct pair_list *list, struct slice left)
{
	for (size_t i = 0; i < list->count; i++) {
		if (slice_equal(list->items[i].left, left)) {
			return &list->items[i];
		}
	}
	return NULL;
}

const struct pair *pairs_find_right(const struct pair_list *list, struct slice right)
{
	for (size_t i = 0; i < list->count; i++) {
		if (slice_equal(list->items[i].right, right)) {
			return &list->items[i];
		}
	}
	return NULL;
}
