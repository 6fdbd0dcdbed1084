#include "cli/external.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where a program may lie, as seen from the folder of this one. */
static const char *const places[] = {
	".",
	"../edge",
	"../bridge",
	"../aggregator",
	"../deploy/devbroker",
	"../libexec/till",
};

static int own_folder(char folder[PROGRAM_PATH_SIZE])
{
	ssize_t size = readlink("/proc/self/exe", folder, PROGRAM_PATH_SIZE - 1);
	if (size < 0) {
		return -errno;
	}
	folder[size] = '\0';
	*strrchr(folder, '/') = '\0';
	return 0;
}

/* false when it is not there, can't be run or the path does not fit. */
static bool is_program(const char *folder, const char *place, const char *program, char *ret_path)
{
	char path[PROGRAM_PATH_SIZE];

	int size = snprintf(path, sizeof path, "%s/%s/%s", folder, place, program);
	if (size < 0 || (size_t)size >= sizeof path || access(path, X_OK) != 0) {
		return false;
	}
	memcpy(ret_path, path, (size_t)size + 1);
	return true;
}

static bool find_on_path(const char *program, char *ret_path)
{
	const char *folder = getenv("PATH");
	char path[PROGRAM_PATH_SIZE];

	while (folder != NULL && *folder != '\0') {
		size_t size = strcspn(folder, ":");
		int path_size = snprintf(path, sizeof path, "%.*s/%s", (int)size, folder, program);
		if (size > 0 && (size_t)path_size < sizeof path && access(path, X_OK) == 0) {
			memcpy(ret_path, path, (size_t)path_size + 1);
			return true;
		}
		folder += size + (folder[size] == ':');
	}
	return false;
}

int external_find(const char *program, char ret_path[PROGRAM_PATH_SIZE])
{
	char folder[PROGRAM_PATH_SIZE];

	if (strchr(program, '/') != NULL) {
		return -ENOENT;
	}
	if (own_folder(folder) == 0) {
		for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
			if (is_program(folder, places[i], program, ret_path)) {
				return 0;
			}
		}
	}
	return find_on_path(program, ret_path) ? 0 : -ENOENT;
}

void external_run(const char *name, char **argv)
{
	char program[256];
	char path[PROGRAM_PATH_SIZE];

	int size = snprintf(program, sizeof program, "till-%s", name);
	if (size > 0 && (size_t)size < sizeof program && external_find(program, path) == 0) {
		execv(path, argv);
		fprintf(stderr, "till: %s: %s\n", path, strerror(errno));
	}
}
