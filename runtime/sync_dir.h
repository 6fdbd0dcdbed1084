/* sync_dir.h - names on disk: a file that was made, renamed or taken away is so after a power loss once its directory was synced. */
#pragma once

/* 0 or -errno. */
int sync_dir(const char *dir);
/* The directory that `path` is named in. */
int sync_parent_dir(const char *path);
