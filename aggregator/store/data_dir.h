/* data_dir.h - the directories of a store, and the lock that keeps a second aggregator out: the rim of stores.c. */
#pragma once
#include <stdbool.h>

/* 0: it is there now, and stays after a power loss. -ENOENT: it is not, and may not be made. -errno. */
int data_dir_make(const char *path, bool may_create);
/* Waits a moment for one that was killed just now. 0 and the lock's descriptor, to be closed; -EBUSY; -errno. */
int data_dir_lock(const char *lock_path, int *ret_fd);
