#include "scratch.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void scratch_make(char path[SCRATCH_PATH_SIZE])
{
	const char *base = getenv("TMPDIR");
	if (base == NULL) {
		base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	}
	snprintf(path, SCRATCH_PATH_SIZE, "%s/till-power-XXXXXX", base);
	if (mkdtemp(path) == NULL) {
		perror(path);
		abort();
	}
}

static int remove_below(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	return walk->level == 0 ? 0 : remove(path);
}

void scratch_empty(const char *path)
{
	if (nftw(path, remove_below, 16, FTW_DEPTH | FTW_PHYS) != 0) {
		perror(path);
		abort();
	}
}

void scratch_remove(const char *path)
{
	scratch_empty(path);
	(void)rmdir(path);
}
