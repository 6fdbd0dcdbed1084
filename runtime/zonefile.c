#include "runtime/zonefile.h"
#include "runtime/suggest.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 1024, LINE_SIZE = 512 };

/* "Europe/Berlin", "Etc/GMT+5": parts of letters, digits, "_", "+", "-" between single slashes. */
static bool name_is_safe(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
	size_t size = strlen(name);

	return size > 0 && size <= ZONE_NAME_SIZE_MAX && strspn(name, allowed) == size &&
	       name[0] != '/' && name[size - 1] != '/' && strstr(name, "//") == NULL;
}

static int read_whole(int fd, uint8_t *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t got = read(fd, bytes + done, size - done);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			return got < 0 ? -errno : -EINVAL; /* shrank while we read it */
		}
		done += (size_t)got;
	}
	return 0;
}

static int read_zone(int fd, uint8_t **ret_bytes, size_t *ret_size)
{
	struct stat status;

	if (fstat(fd, &status) < 0) {
		return -errno;
	}
	if (!S_ISREG(status.st_mode) || status.st_size < 4 || status.st_size > ZONEFILE_SIZE_MAX) {
		return -EINVAL;
	}
	size_t size = (size_t)status.st_size;
	uint8_t *bytes = malloc(size);
	if (bytes == NULL) {
		return -ENOMEM;
	}
	int r = read_whole(fd, bytes, size);
	if (r == 0 && memcmp(bytes, "TZif", 4) != 0) {
		r = -EINVAL;
	}
	if (r < 0) {
		free(bytes);
		return r;
	}
	*ret_bytes = bytes;
	*ret_size = size;
	return 0;
}

static int write_path(const char *name, char path[PATH_SIZE])
{
	const char *folder = getenv("TZDIR");

	if (folder == NULL || *folder == '\0') {
		folder = "/usr/share/zoneinfo";
	}
	return snprintf(path, PATH_SIZE, "%s/%s", folder, name) < PATH_SIZE ? 0 : -ENAMETOOLONG;
}

int zonefile_read(const char *name, uint8_t **ret_bytes, size_t *ret_size)
{
	char path[PATH_SIZE];

	if (!name_is_safe(name)) {
		return -EINVAL;
	}
	if (write_path(name, path) < 0) {
		return -ENAMETOOLONG;
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		return -errno;
	}
	int r = read_zone(fd, ret_bytes, ret_size);
	close(fd);
	return r;
}

/* ---- did you mean */

/* Of a line of tzdata.zi the name that it gives: "Z NAME …" of a zone, "L ZONE NAME" of another name for one. */
static const char *name_of_line(char *line)
{
	char *rest = NULL;
	const char *type = strtok_r(line, " \n", &rest);
	const char *first = strtok_r(NULL, " \n", &rest);

	if (type == NULL || first == NULL) {
		return NULL;
	}
	if (strcmp(type, "L") == 0) {
		return strtok_r(NULL, " \n", &rest);
	}
	return strcmp(type, "Z") == 0 ? first : NULL;
}

static void write_lower(const char *name, char ret_lower[ZONE_NAME_SIZE_MAX + 1])
{
	size_t size = 0;

	for (; name[size] != '\0' && size < ZONE_NAME_SIZE_MAX; size++) {
		ret_lower[size] = (char)tolower((unsigned char)name[size]);
	}
	ret_lower[size] = '\0';
}

/* Zones differ by more than the case of their letters, and a city by itself names its zone. */
static unsigned distance_of(const char *word, const char *name)
{
	char lower[ZONE_NAME_SIZE_MAX + 1];
	const char *slash = strrchr(name, '/');
	const char *compared = slash != NULL && strchr(word, '/') == NULL ? slash + 1 : name;
	struct suggestion suggestion = {.word = word};

	write_lower(compared, lower);
	suggestion_offer(&suggestion, lower);
	return suggestion.best != NULL ? suggestion.distance : UINT_MAX;
}

bool zonefile_suggest(const char *name, char ret_name[ZONE_NAME_SIZE_MAX + 1])
{
	char path[PATH_SIZE], line[LINE_SIZE], word[ZONE_NAME_SIZE_MAX + 1];
	unsigned nearest = UINT_MAX;
	FILE *list = write_path("tzdata.zi", path) == 0 ? fopen(path, "re") : NULL;

	write_lower(name, word);
	while (list != NULL && nearest > 0 && fgets(line, sizeof line, list) != NULL) {
		const char *known = name_of_line(line);
		unsigned distance = known == NULL || strlen(known) > ZONE_NAME_SIZE_MAX
					    ? UINT_MAX
					    : distance_of(word, known);
		if (distance < nearest) {
			nearest = distance;
			memcpy(ret_name, known, strlen(known) + 1);
		}
	}
	if (list != NULL) {
		(void)fclose(list);
	}
	return nearest < UINT_MAX;
}
