#include "edge/drop_folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct drop_folder {
	int fds[DROP_PLACES];
	DIR *listing; /* NULL: to be begun */
	DIR *counting; /* of counted_place; NULL: to be begun */
	enum drop_place counted_place;
	struct drop_census census[DROP_PLACES];
};

static int open_place(int parent, const char *name)
{
	if (mkdirat(parent, name, 0750) < 0 && errno != EEXIST) {
		return -errno;
	}
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int drop_folder_new(const char *path, struct drop_folder **ret_folder)
{
	static const char *const names[] = {
		[DROP_PLACE_DONE] = "done", [DROP_PLACE_FAILED] = "failed"};
	struct drop_folder *folder = calloc(1, sizeof *folder);

	if (folder == NULL) {
		return -ENOMEM;
	}
	for (int i = 0; i < DROP_PLACES; i++) {
		folder->fds[i] = -1;
	}
	int r = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = r < 0 ? -errno : r;
	folder->fds[DROP_INBOX] = r;
	for (int i = DROP_PLACE_DONE; r >= 0 && i < DROP_PLACES; i++) {
		r = open_place(folder->fds[DROP_INBOX], names[i]);
		folder->fds[i] = r;
	}
	if (r < 0) {
		drop_folder_free(folder);
		return r;
	}
	*ret_folder = folder;
	return 0;
}

struct drop_folder *drop_folder_free(struct drop_folder *folder)
{
	if (folder == NULL) {
		return NULL;
	}
	for (int i = 0; i < DROP_PLACES; i++) {
		if (folder->fds[i] >= 0) {
			close(folder->fds[i]);
		}
	}
	if (folder->listing != NULL) {
		closedir(folder->listing);
	}
	if (folder->counting != NULL) {
		closedir(folder->counting);
	}
	free(folder);
	return NULL;
}

/* ---- looking */

static int64_t nanoseconds(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static void set_stat(struct drop_stat *ret_stat, const struct stat *stat)
{
	*ret_stat = (struct drop_stat){stat->st_dev, stat->st_ino, (uint64_t)stat->st_size,
		nanoseconds(&stat->st_mtim), nanoseconds(&stat->st_ctim)};
}

static int open_listing(int place_fd, DIR **ret_listing)
{
	int fd = openat(place_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	DIR *listing = fdopendir(fd);
	if (listing == NULL) {
		close(fd);
		return -ENOMEM;
	}
	*ret_listing = listing;
	return 0;
}

int drop_folder_rewind(struct drop_folder *folder)
{
	if (folder->listing != NULL) {
		rewinddir(folder->listing);
		return 0;
	}
	return open_listing(folder->fds[DROP_INBOX], &folder->listing);
}

static int end_place(struct drop_folder *folder)
{
	closedir(folder->counting);
	folder->counting = NULL;
	return ++folder->counted_place == DROP_PLACES;
}

static int begin_place(struct drop_folder *folder)
{
	if (folder->counted_place == DROP_INBOX || folder->counted_place == DROP_PLACES) {
		memset(folder->census, 0, sizeof folder->census);
		folder->counted_place = DROP_PLACE_DONE;
	}
	return open_listing(folder->fds[folder->counted_place], &folder->counting);
}

int drop_folder_count(
	struct drop_folder *folder, uint32_t most, struct drop_census ret_census[DROP_PLACES])
{
	int r = folder->counting == NULL ? begin_place(folder) : 0;

	for (uint32_t i = 0; r == 0 && i < most; i++) {
		struct drop_census *census = &folder->census[folder->counted_place];
		struct stat stat;
		const struct dirent *entry = readdir(folder->counting);
		if (entry == NULL) {
			r = end_place(folder);
			break;
		}
		if (fstatat(folder->fds[folder->counted_place], entry->d_name, &stat,
			    AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(stat.st_mode)) {
			census->files++;
			census->bytes += (uint64_t)stat.st_size;
		}
	}
	if (r == 1) {
		memcpy(ret_census, folder->census, sizeof folder->census);
	}
	return r;
}

int drop_folder_list(struct drop_folder *folder, uint32_t most, void *to,
	int (*show)(void *to, const char *name, const struct drop_stat *stat))
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < most; i++) {
		struct stat stat;
		struct drop_stat seen;
		errno = 0;
		const struct dirent *entry = readdir(folder->listing);
		if (entry == NULL) {
			return errno != 0 ? -errno : 1;
		}
		if (fstatat(folder->fds[DROP_INBOX], entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) ==
				0 &&
			S_ISREG(stat.st_mode)) {
			set_stat(&seen, &stat);
			r = show(to, entry->d_name, &seen);
		}
	}
	return r;
}

int drop_folder_open(const struct drop_folder *folder, const char *name)
{
	struct stat stat;

	int fd = openat(folder->fds[DROP_INBOX], name,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

int drop_folder_stat(int fd, struct drop_stat *ret_stat)
{
	struct stat stat;

	if (fstat(fd, &stat) < 0) {
		return -errno;
	}
	set_stat(ret_stat, &stat);
	return 0;
}

bool drop_folder_has(const struct drop_folder *folder, enum drop_place place, const char *name)
{
	struct stat stat;

	return fstatat(folder->fds[place], name, &stat, AT_SYMLINK_NOFOLLOW) == 0 ||
	       errno != ENOENT;
}

bool drop_folder_holds(const struct drop_folder *folder, enum drop_place place, const char *name,
	uint64_t device, uint64_t inode)
{
	struct stat stat;

	return fstatat(folder->fds[place], name, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
	       stat.st_ino == inode && stat.st_dev == device;
}

/* ---- moving */

static int write_all(int fd, struct slice bytes)
{
	while (bytes.size > 0) {
		ssize_t size = write(fd, bytes.bytes, bytes.size);
		if (size < 0 && errno != EINTR) {
			return -errno;
		}
		size = size < 0 ? 0 : size;
		bytes = slice_of(bytes.bytes + size, bytes.size - (size_t)size);
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int drop_folder_write(const struct drop_folder *folder, enum drop_place place, const char *name,
	struct slice bytes)
{
	int place_fd = folder->fds[place];
	static const char temporary[] =
		".report.tmp"; /* one at a time: what a kill left is written over */

	int fd = openat(
		place_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0) {
		return -errno;
	}
	int r = write_all(fd, bytes);
	close(fd);
	if (r == 0 && renameat(place_fd, temporary, place_fd, name) < 0) {
		r = -errno;
	}
	if (r < 0) {
		(void)unlinkat(place_fd, temporary, 0);
	}
	return r;
}

int drop_folder_move(const struct drop_folder *folder, const char *name, enum drop_place place,
	const char *target)
{
	int from = folder->fds[DROP_INBOX];
	int to = folder->fds[place];

	if (renameat2(from, name, to, target, RENAME_NOREPLACE) == 0) {
		return 0;
	}
	if (errno != EINVAL) {
		return -errno;
	}
	/* a file system that can't refuse to replace */
	if (drop_folder_has(folder, place, target)) {
		return -EEXIST;
	}
	return renameat(from, name, to, target) < 0 ? -errno : 0;
}

int drop_folder_sync(const struct drop_folder *folder, enum drop_place place)
{
	return fsync(folder->fds[place]) < 0 ? -errno : 0;
}
