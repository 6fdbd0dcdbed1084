#include "edge/tail_disk_posix.h"
#include "edge/tail_names.h"
#include "edge/tail_position.h"
#include "runtime/config.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/* A folder with more names than this is no place for files that are followed. */
	FOLDER_NAMES_MAX = 65536,
	FOLDERS_MAX = 256, /* watched, and remembered during one look */
};

struct name_list {
	char **names; /* owned, sorted */
	size_t count;
	size_t capacity;
};

struct folder {
	char path[TAIL_PATH_SIZE_MAX];
	int error; /* of listing it */
	struct name_list list;
};

struct tail_disk_posix {
	const char *paths;
	const char *rotated;
	int watch_fd;
	struct folder *folders[FOLDERS_MAX]; /* owned; of the present look */
	size_t folder_count;
};

/* ---- names */

static void clear_list(struct name_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->names[i]);
	}
	free(list->names);
	*list = (struct name_list){0};
}

static int add_name(struct name_list *list, const char *name)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity * 2 + 16;
		char **names = realloc(list->names, capacity * sizeof *names);
		if (names == NULL) {
			return -ENOMEM;
		}
		list->names = names;
		list->capacity = capacity;
	}
	list->names[list->count] = strdup(name);
	return list->names[list->count] == NULL ? -ENOMEM : (list->count++, 0);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_list(struct name_list *list)
{
	if (list->count > 1) {
		qsort(list->names, list->count, sizeof *list->names, compare_names);
	}
}

/* ---- folders */

static int list_folder(struct folder *folder)
{
	DIR *dir = opendir(*folder->path != '\0' ? folder->path : ".");
	struct dirent *entry;
	int r = 0;

	if (dir == NULL) {
		folder->error = -errno;
		return 0;
	}
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		if (folder->list.count == FOLDER_NAMES_MAX) {
			folder->error = -E2BIG;
			break;
		}
		r = add_name(&folder->list, entry->d_name);
	}
	closedir(dir);
	sort_list(&folder->list);
	return r;
}

static void watch_folder(struct tail_disk_posix *disk, const struct folder *folder)
{
	if (disk->watch_fd >= 0) {
		(void)inotify_add_watch(disk->watch_fd, *folder->path != '\0' ? folder->path : ".",
			IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_MODIFY |
				IN_ATTRIB | IN_ONLYDIR);
	}
}

/* The folder of a path, up to and with its last slash, as it was at the first question of this look. It is watched before it
 * is listed: what comes after the listing wakes us. NULL: out of memory, or of places. */
static struct folder *folder_of(struct tail_disk_posix *disk, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t size = slash != NULL ? (size_t)(slash - path) + 1 : 0;

	for (size_t i = 0; i < disk->folder_count; i++) {
		if (strncmp(disk->folders[i]->path, path, size) == 0 &&
			disk->folders[i]->path[size] == '\0') {
			return disk->folders[i];
		}
	}
	struct folder *folder = disk->folder_count < FOLDERS_MAX && size < TAIL_PATH_SIZE_MAX
					? calloc(1, sizeof *folder)
					: NULL;
	if (folder != NULL) {
		memcpy(folder->path, path, size);
		disk->folders[disk->folder_count++] = folder;
		watch_folder(disk, folder);
		if (list_folder(folder) < 0) {
			folder->error = -ENOMEM;
		}
	}
	return folder;
}

static void forget_folders(struct tail_disk_posix *disk)
{
	for (size_t i = 0; i < disk->folder_count; i++) {
		clear_list(&disk->folders[i]->list);
		free(disk->folders[i]);
	}
	disk->folder_count = 0;
}

/* ---- sightings */

static void set_stat(struct tail_stat *ret_stat, const struct stat *stat)
{
	*ret_stat = (struct tail_stat){
		.device = stat->st_dev,
		.inode = stat->st_ino,
		.size = (uint64_t)stat->st_size,
		.mtime_ns = (int64_t)stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec,
	};
}

static int sight_path(const char *path, tail_sight_fn sight, void *to)
{
	struct tail_sighting sighting = {.path = path};
	struct stat stat_of;

	if (stat(path, &stat_of) < 0) {
		sighting.error = -errno;
	} else if (!S_ISREG(stat_of.st_mode)) {
		sighting.error = S_ISDIR(stat_of.st_mode) ? -EISDIR : -EINVAL;
	} else {
		set_stat(&sighting.stat, &stat_of);
	}
	return sight(to, &sighting);
}

static int add_glob(const char *pattern, struct name_list *list)
{
	glob_t found;
	int r = 0;

	int result = glob(pattern, GLOB_NOSORT, NULL, &found);
	if (result == GLOB_NOSPACE) {
		return -ENOMEM;
	}
	for (size_t i = 0; result == 0 && r == 0 && i < found.gl_pathc; i++) {
		r = add_name(list, found.gl_pathv[i]);
	}
	globfree(&found);
	return r;
}

/* The folders are watched first, even where nothing is to be followed yet. */
static int add_live(struct tail_disk_posix *disk, struct name_list *list)
{
	const char *cursor = disk->paths;
	char pattern[TAIL_PATH_SIZE_MAX];
	int r = 0;

	while (r == 0 && config_list_next(&cursor, pattern, sizeof pattern)) {
		(void)folder_of(disk, pattern);
		r = strpbrk(pattern, "*?[") != NULL ? add_glob(pattern, list)
						    : add_name(list, pattern);
	}
	sort_list(list);
	return r;
}

/* Globs find what was rotated away too: that belongs to the file it was. */
static bool is_live(const struct name_list *list, size_t index)
{
	const char *name = list->names[index];

	if (index > 0 && strcmp(list->names[index - 1], name) == 0) {
		return false;
	}
	return !tail_name_has_base(name, (const char *const *)list->names, list->count);
}

static int list_live(void *owner, tail_sight_fn sight, void *to)
{
	struct tail_disk_posix *disk = owner;
	struct name_list list = {0};

	forget_folders(disk);
	int r = add_live(disk, &list);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		if (is_live(&list, i)) {
			r = sight_path(list.names[i], sight, to);
		}
	}
	clear_list(&list);
	return r;
}

static bool wants(void *owner, const char *path)
{
	const struct tail_disk_posix *disk = owner;
	const char *cursor = disk->paths;
	char pattern[TAIL_PATH_SIZE_MAX];

	while (config_list_next(&cursor, pattern, sizeof pattern)) {
		if (strcmp(pattern, path) == 0 || fnmatch(pattern, path, FNM_PATHNAME) == 0) {
			return true;
		}
	}
	return false;
}

static int list_glob(struct tail_disk_posix *disk, const char *path, tail_sight_fn sight, void *to)
{
	struct name_list list = {0};

	int r = add_glob(disk->rotated, &list);
	sort_list(&list);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		if (strcmp(list.names[i], path) != 0) {
			r = sight_path(list.names[i], sight, to);
		}
	}
	clear_list(&list);
	return r;
}

/* The first name that is not before `start`. */
static size_t lower_bound(const struct name_list *list, const char *start)
{
	size_t low = 0;
	size_t high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(list->names[middle], start) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static int sight_in_folder(
	const struct folder *folder, const char *base, tail_sight_fn sight, void *to)
{
	char path[2 * TAIL_PATH_SIZE_MAX];
	char stem[TAIL_PATH_SIZE_MAX];
	const char *dot = strrchr(base, '.');
	int r = 0;

	snprintf(stem, sizeof stem, "%.*s",
		dot != NULL && dot != base ? (int)(dot - base) : (int)strlen(base), base);
	for (size_t i = lower_bound(&folder->list, stem); r == 0 && i < folder->list.count; i++) {
		const char *name = folder->list.names[i];
		if (strncmp(name, stem, strlen(stem)) != 0) {
			break;
		}
		if (tail_name_is_rotated(base, name)) {
			snprintf(path, sizeof path, "%s%s", folder->path, name);
			r = sight_path(path, sight, to);
		}
	}
	return r;
}

static int list_rotated(void *owner, const char *path, tail_sight_fn sight, void *to)
{
	struct tail_disk_posix *disk = owner;
	const struct folder *folder = folder_of(disk, path);
	struct tail_sighting sighting = {.path = path};

	if (folder == NULL || folder->error != 0) {
		sighting.error = folder == NULL ? -ENOMEM : folder->error;
		return sight(to, &sighting);
	}
	if (*disk->rotated != '\0') {
		return list_glob(disk, path, sight, to);
	}
	return sight_in_folder(folder, path + strlen(folder->path), sight, to);
}

/* ---- files */

static int open_file(void *owner, const char *path)
{
	(void)owner;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static int stat_file(void *owner, int handle, struct tail_stat *ret_stat)
{
	struct stat stat;

	(void)owner;
	if (fstat(handle, &stat) < 0) {
		return -errno;
	}
	if (!S_ISREG(stat.st_mode)) {
		return -EINVAL;
	}
	set_stat(ret_stat, &stat);
	return 0;
}

static int64_t read_file(void *owner, int handle, uint64_t offset, void *bytes, size_t size)
{
	size_t done = 0;

	(void)owner;
	while (done < size) {
		ssize_t r =
			pread(handle, (uint8_t *)bytes + done, size - done, (off_t)(offset + done));
		if (r < 0 && errno != EINTR) {
			return -errno;
		}
		if (r == 0) {
			break;
		}
		done += r > 0 ? (size_t)r : 0;
	}
	return (int64_t)done;
}

static uint64_t next_data(void *owner, int handle, uint64_t offset)
{
	struct stat stat;

	(void)owner;
	off_t at = lseek(handle, (off_t)offset, SEEK_DATA);
	if (at >= 0) {
		return (uint64_t)at;
	}
	return errno == ENXIO && fstat(handle, &stat) == 0 && (uint64_t)stat.st_size > offset
		       ? (uint64_t)stat.st_size
		       : offset;
}

static void close_file(void *owner, int handle)
{
	(void)owner;
	close(handle);
}

/* ---- the disk */

int tail_disk_posix_new(const char *paths, const char *rotated, struct tail_disk_posix **ret_disk)
{
	struct tail_disk_posix *disk = calloc(1, sizeof *disk);

	if (disk == NULL) {
		return -ENOMEM;
	}
	disk->paths = paths;
	disk->rotated = rotated;
	disk->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	*ret_disk = disk;
	return 0;
}

struct tail_disk_posix *tail_disk_posix_free(struct tail_disk_posix *disk)
{
	if (disk != NULL) {
		forget_folders(disk);
		if (disk->watch_fd >= 0) {
			close(disk->watch_fd);
		}
		free(disk);
	}
	return NULL;
}

struct tail_disk tail_disk_posix_ops(struct tail_disk_posix *disk)
{
	return (struct tail_disk){disk, list_live, wants, list_rotated, open_file, stat_file,
		read_file, next_data, close_file};
}

int tail_disk_posix_watch_fd(const struct tail_disk_posix *disk)
{
	return disk->watch_fd;
}

void tail_disk_posix_drain(struct tail_disk_posix *disk)
{
	char events[16384];
	ssize_t size;

	do {
		size = read(disk->watch_fd, events, sizeof events);
	} while (size == (ssize_t)sizeof events);
}
