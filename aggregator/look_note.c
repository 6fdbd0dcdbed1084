#include "aggregator/look_note.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, TEXT_SIZE = 256, FILE_MODE = 0640 };

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

/* 0 while the store is open: then its file changes all the time. */
struct file_state {
	uint64_t inode;
	int64_t changed_ns;
};

static bool path_of(const char *dir, const char *name, char ret_path[PATH_SIZE])
{
	return snprintf(ret_path, PATH_SIZE, "%s/%s", dir, name) < PATH_SIZE;
}

/* What the file holds, at most TEXT_SIZE - 1 bytes. */
static bool read_text(const char *path, char ret_text[TEXT_SIZE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return false;
	}
	ssize_t size = read(fd, ret_text, TEXT_SIZE - 1);
	close(fd);
	if (size < 0) {
		return false;
	}
	ret_text[size] = '\0';
	return true;
}

void boot_id_read(char ret_boot_id[BOOT_ID_SIZE])
{
	char text[TEXT_SIZE];

	ret_boot_id[0] = '\0';
	if (read_text(BOOT_ID_PATH, text)) {
		text[strcspn(text, "\n")] = '\0';
		snprintf(ret_boot_id, BOOT_ID_SIZE, "%.*s", BOOT_ID_SIZE - 1, text);
	}
}

static bool see_file(const char *dir, struct file_state *ret_state)
{
	char path[PATH_SIZE];
	struct stat status;

	if (!path_of(dir, "data.mdb", path) || stat(path, &status) < 0) {
		return false;
	}
	*ret_state = (struct file_state){
		.inode = (uint64_t)status.st_ino,
		.changed_ns = (int64_t)status.st_mtim.tv_sec * INT64_C(1000000000) +
			      status.st_mtim.tv_nsec,
	};
	return true;
}

static bool note_text(const char *boot_id, const struct file_state *state, char ret_text[TEXT_SIZE])
{
	int size = snprintf(ret_text, TEXT_SIZE, "%s %" PRIu64 " %" PRId64 "\n", boot_id,
		state->inode, state->changed_ns);
	return size > 0 && size < TEXT_SIZE;
}

bool look_note_holds(const char *dir, const char *boot_id)
{
	char path[PATH_SIZE], found[TEXT_SIZE], closed[TEXT_SIZE], open[TEXT_SIZE];
	struct file_state state;

	if (boot_id[0] == '\0' || !path_of(dir, "looked", path) || !read_text(path, found) ||
		!see_file(dir, &state)) {
		return false;
	}
	const struct file_state opened = {.inode = state.inode};
	return note_text(boot_id, &state, closed) && note_text(boot_id, &opened, open) &&
	       (strcmp(found, closed) == 0 || strcmp(found, open) == 0);
}

/* A time of the file that no later write gives it again: the clock's own nanoseconds, which writes have coarser. */
static bool stamp_file(const char *dir)
{
	char path[PATH_SIZE];
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};

	clock_gettime(CLOCK_REALTIME, &times[1]);
	return path_of(dir, "data.mdb", path) && utimensat(AT_FDCWD, path, times, 0) == 0;
}

static bool write_whole(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
	if (fd < 0) {
		return false;
	}
	size_t size = strlen(text);
	bool is_written = write(fd, text, size) == (ssize_t)size;
	return close(fd) == 0 && is_written;
}

void look_note_write(const char *dir, const char *boot_id, bool is_closed)
{
	char path[PATH_SIZE], next[PATH_SIZE], text[TEXT_SIZE];
	struct file_state state;

	if (boot_id[0] == '\0' || (is_closed && !stamp_file(dir)) || !see_file(dir, &state)) {
		look_note_remove(dir);
		return;
	}
	state.changed_ns = is_closed ? state.changed_ns : 0;
	bool is_done = path_of(dir, "looked", path) && path_of(dir, "looked.new", next) &&
		       note_text(boot_id, &state, text) && write_whole(next, text) &&
		       rename(next, path) == 0;
	if (!is_done) {
		look_note_remove(dir);
	}
}

void look_note_remove(const char *dir)
{
	char path[PATH_SIZE];

	if (path_of(dir, "looked", path)) {
		unlink(path);
	}
}
