/* tail_disk_posix.h - the real file system for following files: globs, folders, and inotify to say that something changed.
 * Where inotify does not work (NFS, too many watches) the follower's own poll finds it out. One thread. */
#pragma once
#include "edge/tail_disk.h"

struct tail_disk_posix;

/* `paths` is a list of paths and globs; `rotated` a glob, or "" for the names that logrotate gives. Borrowed. 0 or -ENOMEM. */
int tail_disk_posix_new(const char *paths, const char *rotated, struct tail_disk_posix **ret_disk);
struct tail_disk_posix *tail_disk_posix_free(struct tail_disk_posix *disk);
struct tail_disk tail_disk_posix_ops(struct tail_disk_posix *disk);
/* Readable when something changed in a folder that was listed; -1: there is no inotify here. */
int tail_disk_posix_watch_fd(const struct tail_disk_posix *disk);
/* Forgets what it said. */
void tail_disk_posix_drain(struct tail_disk_posix *disk);
