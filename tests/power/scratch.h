/* scratch.h - directories of a test's own: below $TMPDIR, else in memory where that is possible. */
#pragma once

enum { SCRATCH_PATH_SIZE = 256 };

void scratch_make(char path[SCRATCH_PATH_SIZE]);
/* Everything below it. */
void scratch_empty(const char *path);
void scratch_remove(const char *path);
