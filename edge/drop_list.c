#include "edge/drop_list.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool drop_name_is_wanted(const char *name)
{
	static const char *const endings[] = {".tmp", ".part"};
	size_t size = strlen(name);

	if (name[0] == '.') {
		return false;
	}
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		size_t end = strlen(endings[i]);
		if (size >= end && strcmp(name + size - end, endings[i]) == 0) {
			return false;
		}
	}
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct drop_entry *one = a;
	const struct drop_entry *other = b;

	if (one->mtime_ns != other->mtime_ns) {
		return one->mtime_ns < other->mtime_ns ? -1 : 1;
	}
	return strcmp(one->name, other->name);
}

static void keep_oldest(struct drop_list *list)
{
	qsort(list->entries, list->count, sizeof *list->entries, compare);
	while (list->count > DROP_LIST_MAX) {
		free(list->entries[--list->count].name);
		list->left_out = true;
	}
}

int drop_list_add(struct drop_list *list, const char *name, int64_t mtime_ns)
{
	if (list->entries == NULL) {
		list->entries = calloc(2 * (size_t)DROP_LIST_MAX, sizeof *list->entries);
	}
	char *copy = strdup(name);
	if (list->entries == NULL || copy == NULL) {
		free(copy);
		return -ENOMEM;
	}
	list->entries[list->count++] = (struct drop_entry){copy, mtime_ns};
	if (list->count == 2 * (size_t)DROP_LIST_MAX) {
		keep_oldest(list);
	}
	return 0;
}

void drop_list_sort(struct drop_list *list)
{
	if (list->count > 0) {
		keep_oldest(list);
	}
	list->next = 0;
}

const char *drop_list_next(struct drop_list *list)
{
	return list->next < list->count ? list->entries[list->next++].name : NULL;
}

void drop_list_clear(struct drop_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->entries[i].name);
	}
	free(list->entries);
	*list = (struct drop_list){0};
}
