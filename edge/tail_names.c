#include "edge/tail_names.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 4096 };

static bool is_digit(char c)
{
	return isdigit((unsigned char)c) != 0;
}

/* Where the extension of a path's last part begins; its end when there is none. */
static const char *extension_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	const char *dot = strrchr(name, '.');

	return dot != NULL && dot != name ? dot : path + strlen(path);
}

/* "-20240131" and what a date pattern may hold, up to `end`. */
static bool is_date(const char *text, const char *end)
{
	if (end - text < 2 || text[0] != '-' || !is_digit(text[1])) {
		return false;
	}
	for (; text < end; text++) {
		if (!is_digit(*text) && *text != '-' && *text != '_') {
			return false;
		}
	}
	return true;
}

bool tail_name_is_compressed(const char *name)
{
	static const char *const endings[] = {
		".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzma", ".Z", ".zip"};
	size_t size = strlen(name);

	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
		size_t end = strlen(endings[i]);
		if (size > end && strcmp(name + size - end, endings[i]) == 0) {
			return true;
		}
	}
	return false;
}

bool tail_name_is_rotated(const char *base, const char *name)
{
	size_t size = strlen(base);
	const char *extension = extension_of(base);
	size_t stem = (size_t)(extension - base);

	if (strncmp(name, base, size) == 0) {
		if (name[size] == '.') {
			return name[size + 1] != '\0';
		}
		if (name[size] == '-' && is_digit(name[size + 1])) {
			return true;
		}
	}
	if (*extension == '\0' || strncmp(name, base, stem) != 0 || name[stem] != '-') {
		return false;
	}
	const char *end = strstr(name + stem, extension);
	if (end == NULL || !is_date(name + stem, end)) {
		return false;
	}
	const char *rest = end + strlen(extension);
	return *rest == '\0' || tail_name_is_compressed(rest - 1);
}

/* The number that a name ends with, ".12"; -1: none. */
static long number_of(const char *name)
{
	const char *dot = strrchr(name, '.');
	char *end = NULL;

	if (dot == NULL || !is_digit(dot[1])) {
		return -1;
	}
	long number = strtol(dot + 1, &end, 10);
	return *end == '\0' && number < 10000 ? number : -1;
}

int tail_name_compare_age(const char *a, const char *b)
{
	long number_a = number_of(a);
	long number_b = number_of(b);

	if (number_a >= 0 && number_b >= 0) {
		return number_a > number_b ? -1 : number_a < number_b;
	}
	return strcmp(a, b);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, *(const char *const *)b);
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
	return bsearch(name, names, count, sizeof *names, compare_names) != NULL;
}

bool tail_name_has_base(const char *name, const char *const *names, size_t count)
{
	char base[NAME_SIZE];
	size_t size = strlen(name);

	for (size_t i = 1; i < size && i < sizeof base; i++) {
		if (name[i] != '.' && name[i] != '-') {
			continue;
		}
		snprintf(base, sizeof base, "%.*s", (int)i, name);
		if (tail_name_is_rotated(base, name) && is_among(base, names, count)) {
			return true;
		}
		snprintf(base, sizeof base, "%.*s%s", (int)i, name, extension_of(name));
		if (name[i] == '-' && tail_name_is_rotated(base, name) &&
			is_among(base, names, count)) {
			return true;
		}
	}
	return false;
}
