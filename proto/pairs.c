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

static struct slice trim(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t')) {
		at++;
	}
	while (end > at && (end[-1] == ' ' || end[-1] == '\t')) {
		end--;
	}
	return slice_of(at, (size_t)(end - at));
}

static int add_column(
	struct pair_list *list, const char *option, struct slice text, struct pairs_error *error)
{
	const char *at = (const char *)text.bytes;
	const char *colon = text.size > 0 ? memchr(at, ':', text.size) : NULL;
	struct pair pair = {{NULL, 0}, {NULL, 0}};

	if (colon != NULL) {
		pair = (struct pair){trim(at, colon), trim(colon + 1, at + text.size)};
	}
	if (pair.left.size == 0 || pair.right.size == 0) {
		snprintf(error->text, sizeof error->text, "%s wants COLUMN:NAME, not \"%.*s\"",
			option, (int)text.size, at);
		return -EINVAL;
	}
	if (list->count == PAIRS_MAX) {
		snprintf(error->text, sizeof error->text, "%s: more than %d", option, PAIRS_MAX);
		return -EINVAL;
	}
	list->items[list->count++] = pair;
	return 0;
}

int pairs_add_columns(
	struct pair_list *list, const char *option, const char *text, struct pairs_error *error)
{
	int r = 0;

	while (r == 0 && text != NULL) {
		const char *comma = strchr(text, ',');
		const char *end = comma != NULL ? comma : text + strlen(text);
		r = add_column(list, option, trim(text, end), error);
		text = comma != NULL ? comma + 1 : NULL;
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
