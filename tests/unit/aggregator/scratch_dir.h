/* scratch_dir.h - a directory of a test's own, gone afterwards. */
#pragma once
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SCRATCH_PATH_SIZE = 256 };

static inline void scratch_make(char path[SCRATCH_PATH_SIZE])
{
	const char *base = getenv("TMPDIR");
	snprintf(path, SCRATCH_PATH_SIZE, "%s/till-test-XXXXXX", base == NULL ? "/tmp" : base);
	assert_non_null(mkdtemp(path));
}

static inline int scratch_remove_one(
	const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static inline void scratch_remove(const char *path)
{
	assert_int_equal(nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Flips one bit of the byte that follows `needle`, wherever that stands in the file. Returns how many places there were. */
static inline int scratch_flip_behind(const char *path, const void *needle, size_t size)
{
	FILE *file = fopen(path, "r+b");
	int found = 0;
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	long end = ftell(file);
	char *bytes = malloc((size_t)end);
	rewind(file);
	assert_int_equal(fread(bytes, 1, (size_t)end, file), end);
	for (long i = 0; i + (long)size < end; i++) {
		if (memcmp(bytes + i, needle, size) == 0) {
			assert_int_equal(fseek(file, i + (long)size, SEEK_SET), 0);
			fputc(bytes[i + (long)size] ^ 1, file);
			found++;
		}
	}
	free(bytes);
	assert_int_equal(fclose(file), 0);
	return found;
}
