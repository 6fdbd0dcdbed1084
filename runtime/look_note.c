#include "runtime/look_note.h"
#include "runtime/page_walk.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, TEXT_SIZE = 256, FILE_MODE = 0640 };

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

struct file_state {
	uint64_t device, inode, size, transaction;
	int64_t changed_ns; /* 0 while the file is open: then it changes all the time */
	unsigned starts;
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

static void read_boot_id(char ret_boot_id[BOOT_ID_SIZE])
{
	char text[TEXT_SIZE];

	ret_boot_id[0] = '\0';
	if (read_text(BOOT_ID_PATH, text)) {
		text[strcspn(text, "\n")] = '\0';
		snprintf(ret_boot_id, BOOT_ID_SIZE, "%.*s", BOOT_ID_SIZE - 1, text);
	}
}

int look_note_init(struct look_note *note, const char *dir)
{
	*note = (struct look_note){.dir = strdup(dir)};
	read_boot_id(note->boot_id);
	return note->dir == NULL ? -ENOMEM : 0;
}

void look_note_deinit(struct look_note *note)
{
	free(note->dir);
	note->dir = NULL;
}

static bool see_open_file(int fd, struct file_state *ret_state)
{
	uint8_t head[PAGE_WALK_HEAD_SIZE];
	struct stat status;
	struct page_walk_newest newest;

	ssize_t size = pread(fd, head, sizeof head, 0);
	if (size < 0 || fstat(fd, &status) < 0 || !page_walk_newest(head, (size_t)size, &newest) ||
		(uint64_t)status.st_size < newest.size) {
		return false;
	}
	*ret_state = (struct file_state){
		.device = (uint64_t)status.st_dev,
		.inode = (uint64_t)status.st_ino,
		.size = (uint64_t)status.st_size,
		.transaction = newest.transaction,
		.changed_ns = (int64_t)status.st_mtim.tv_sec * INT64_C(1000000000) +
			      status.st_mtim.tv_nsec,
	};
	return true;
}

static bool see_file(const char *dir, struct file_state *ret_state)
{
	char path[PATH_SIZE];

	if (!path_of(dir, "data.mdb", path)) {
		return false;
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return false;
	}
	bool is_seen = see_open_file(fd, ret_state);
	close(fd);
	return is_seen;
}

static bool write_text(
	const char *boot_id, const struct file_state *state, char ret_text[TEXT_SIZE])
{
	int size = snprintf(ret_text, TEXT_SIZE,
		"%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %u\n", boot_id,
		state->device, state->inode, state->size, state->transaction, state->changed_ns,
		state->starts);
	return size > 0 && size < TEXT_SIZE;
}

/* What the note says, if it speaks of this run of the machine. */
static bool parse_text(const char *text, const char *boot_id, struct file_state *ret_state)
{
	size_t size = strlen(boot_id);
	int end = 0;

	if (strncmp(text, boot_id, size) != 0) {
		return false;
	}
	int count = sscanf(text + size,
		" %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNd64 " %u%n",
		&ret_state->device, &ret_state->inode, &ret_state->size, &ret_state->transaction,
		&ret_state->changed_ns, &ret_state->starts, &end);
	return count == 6 && strcmp(text + size + end, "\n") == 0;
}

static bool is_as_noted(const struct file_state *noted, const struct file_state *seen)
{
	if (noted->device != seen->device || noted->inode != seen->inode) {
		return false;
	}
	if (noted->changed_ns == 0) {
		return seen->size >= noted->size && seen->transaction >= noted->transaction;
	}
	return seen->size == noted->size && seen->transaction == noted->transaction &&
	       seen->changed_ns == noted->changed_ns;
}

static bool find_note(const struct look_note *note, struct file_state *ret_noted)
{
	char path[PATH_SIZE], text[TEXT_SIZE];
	struct file_state seen;

	return note->boot_id[0] != '\0' && path_of(note->dir, "looked", path) &&
	       read_text(path, text) && parse_text(text, note->boot_id, ret_noted) &&
	       see_file(note->dir, &seen) && is_as_noted(ret_noted, &seen);
}

bool look_note_holds(const struct look_note *note)
{
	struct file_state noted;

	return find_note(note, &noted);
}

bool look_note_rely(struct look_note *note)
{
	struct file_state noted;

	bool is_relied_on = find_note(note, &noted) && noted.starts < LOOK_NOTE_STARTS_MAX;
	note->starts = is_relied_on ? noted.starts + 1 : 0;
	return is_relied_on;
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

void look_note_write(const struct look_note *note, bool is_closed)
{
	char path[PATH_SIZE], next[PATH_SIZE], text[TEXT_SIZE];
	struct file_state state;

	if (note->boot_id[0] == '\0' || (is_closed && !stamp_file(note->dir)) ||
		!see_file(note->dir, &state)) {
		look_note_remove(note);
		return;
	}
	state.changed_ns = is_closed ? state.changed_ns : 0;
	state.starts = is_closed ? 0 : note->starts;
	bool is_done = path_of(note->dir, "looked", path) &&
		       path_of(note->dir, "looked.new", next) &&
		       write_text(note->boot_id, &state, text) && write_whole(next, text) &&
		       rename(next, path) == 0;
	if (!is_done) {
		look_note_remove(note);
	}
}

void look_note_remove(const struct look_note *note)
{
	char path[PATH_SIZE];

	if (path_of(note->dir, "looked", path)) {
		unlink(path);
	}
}
